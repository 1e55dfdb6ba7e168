//! Call records as switches post them: FreeSWITCH one for each leg, Kamailio and OpenSIPS their accounting. Each is answered for
//! itself, after the commit, and sent again it changes nothing: its own id takes the place of an `Idempotency-Key`.

use super::body::from_query;
use super::events_body;
use super::imports::Reading;
use super::problem::{ApiResult, FieldProblem, Problem};
use super::route::{Arriving, Feed, Gives, Route, Takes, Written, schema_of};
use actix_web::http::header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use call_control::{RecordOutcome, Taking, take_records};
use serde::Serialize;
use std::borrow::Cow;
use tenant::ScopeGroup;
use usage_metering::{CallRecord, Format, Reader, Row, Rule};
use utoipa::{IntoParams, ToSchema};

/// Records of one request.
const RECORDS_MAX: usize = 1_000;
/// What FreeSWITCH posts: text as it is, or in the field `cdr` of a form, perhaps as base64.
const MEDIA: [&str; 6] = [
    "application/json",
    "application/x-ndjson",
    "text/xml",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/x-www-form-base64-encoded",
];

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Calls;
    vec![
        Route::intake(
            "/v1/cdr/freeswitch",
            Feed::Freeswitch,
            group,
            "Send call records as mod_json_cdr and mod_xml_cdr post them",
            takes,
            gives,
        ),
        Route::intake(
            "/v1/cdr/sip-proxy",
            Feed::SipProxy,
            group,
            "Send finished calls of Kamailio or OpenSIPS accounting, as JSON",
            takes,
            gives,
        ),
    ]
}

fn takes() -> Takes {
    use utoipa::openapi::path::ParameterIn;
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let known = ["source", "time_zone", "country_code", "digit", "direction"];
    let mut parameters = Reading::into_params(|| Some(ParameterIn::Query));
    parameters.retain(|parameter| known.contains(&parameter.name.as_str()));
    Takes { body: Some(utoipa::openapi::Schema::from(text).into()), media: &MEDIA, parameters, ..Takes::default() }
}

fn gives() -> Gives {
    let (schema, schemas) = schema_of::<RecordBatch>();
    Gives { status: 200, media: "application/json", schema, schemas }
}

/// What became of the records, in their order.
#[derive(Serialize, ToSchema)]
struct RecordBatch {
    #[schema(example = "record_batch")]
    object: &'static str,
    results: Vec<RecordResult>,
}

#[derive(Serialize, ToSchema)]
struct RecordResult {
    /// The switch's id; left out where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// `accepted`: the call is settled. `duplicate`: known already, nothing changed. `conflict`: its id is known with another
    /// record; the first stands. `suspense`: kept, but it matches nothing. `left_out`: a second leg, whose call stands in the
    /// record of the first. `rejected`: no call record.
    #[schema(example = "accepted")]
    status: &'static str,
    /// Of `suspense`: why it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// Of `rejected`: what is wrong with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

/// Takes what a switch posts into the book of the key.
pub async fn take(arriving: Arriving<'_>, feed: Feed) -> ApiResult<Written> {
    let room = arriving.app.arrivals.room(arriving.client.tenant_id, arriving.headers)?;
    let reading = reading(arriving.query)?;
    let body = events_body::read(arriving.headers, arriving.payload).await?;
    let content_type = arriving.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let text = plain(content_type.unwrap_or_default(), &body)?;
    let begins_xml = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
    let format = match feed {
        Feed::SipProxy => Format::AccJson,
        _ if begins_xml => Format::FreeswitchXml,
        _ => Format::FreeswitchJson,
    };
    let tx = arriving.app.db.tenant(arriving.client.tenant_id).await?;
    let settings = reading.settings_as(&tx, format, None).await?;
    let rows: Vec<Row> = Reader::new(&text, &settings).rows().take(RECORDS_MAX + 1).collect();
    if !(1..=RECORDS_MAX).contains(&rows.len()) {
        let rule = format!("must hold 1 to {RECORDS_MAX} call records");
        return Err(Problem::invalid("", "must_lie_between", rule).with_value(rows.len().to_string()));
    }
    let records: Vec<CallRecord> = rows.iter().filter_map(|row| row.record.clone().ok()).collect();
    let taking = Taking { source: &settings.source, digit: settings.digit };
    let outcomes = take_records(&tx, taking, &records, arriving.now).await?;
    tx.commit().await?;
    drop(room);
    let mut outcomes = outcomes.into_iter();
    let results = rows.into_iter().map(|row| match row.record {
        Ok(record) => told(record.id, outcomes.next().unwrap_or(RecordOutcome::Duplicate)),
        Err(refusal) => refused(&refusal),
    });
    written(results.collect())
}

/// FreeSWITCH adds the leg's id to every address; it says nothing that the record does not.
fn reading(query: &str) -> ApiResult<Reading> {
    let pairs: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| Problem::bad("query_malformed", "The query cannot be read."))?;
    let own: Vec<(String, String)> = pairs.into_iter().filter(|(name, _)| name != "uuid").collect();
    from_query(&serde_urlencoded::to_string(own).map_err(Problem::failed)?)
}

/// The record itself, whatever it is packed in.
fn plain<'a>(content_type: &str, body: &'a [u8]) -> ApiResult<Cow<'a, [u8]>> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let malformed = || Problem::bad("body_malformed", "The field `cdr` of the form must hold the record.");
    match kind.as_str() {
        "application/x-www-form-urlencoded" => {
            let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).map_err(|_| malformed())?;
            let cdr = fields.into_iter().find(|(name, _)| name == "cdr").ok_or_else(malformed)?.1;
            Ok(Cow::Owned(cdr.into_bytes()))
        }
        "application/x-www-form-base64-encoded" => {
            let packed = body.strip_prefix(b"cdr=").unwrap_or(body);
            Ok(Cow::Owned(STANDARD.decode(packed.trim_ascii()).map_err(|_| malformed())?))
        }
        _ => Ok(Cow::Borrowed(body)),
    }
}

fn told(id: String, outcome: RecordOutcome) -> RecordResult {
    let (status, cause) = match outcome {
        RecordOutcome::Accepted { .. } => ("accepted", None),
        RecordOutcome::Duplicate => ("duplicate", None),
        RecordOutcome::Conflict => ("conflict", None),
        RecordOutcome::Suspended(cause, _) => ("suspense", Some(cause.as_str())),
    };
    RecordResult { id: Some(id), status, cause, errors: Vec::new() }
}

fn refused(refusal: &usage_metering::Refusal) -> RecordResult {
    if refusal.rule == Rule::LegMustBeTheCallers {
        return RecordResult { id: None, status: "left_out", cause: None, errors: Vec::new() };
    }
    let error = FieldProblem {
        pointer: format!("/{}/{}", refusal.row - 1, refusal.field),
        code: refusal.rule.as_str().to_owned(),
        detail: refusal.rule.to_string(),
        value: Some(refusal.value.clone()),
    };
    RecordResult { id: None, status: "rejected", cause: None, errors: vec![error] }
}

/// A record that came alone is answered by the status, too: a switch that keeps what is refused keeps only that.
fn written(results: Vec<RecordResult>) -> ApiResult<Written> {
    let status = match results.as_slice() {
        [one] if one.status == "rejected" => 422,
        [one] if one.status == "conflict" => 409,
        _ => 200,
    };
    let body = serde_json::to_vec(&RecordBatch { object: "record_batch", results }).map_err(Problem::failed)?;
    Ok(Written { status, media: "application/json", body, subject: String::new(), file_name: None })
}
