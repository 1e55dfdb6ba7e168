//! Files of call records: sent whole, worked through beside everything else, and told how far they are.

use super::body::{Text, from_query};
use super::list::{self, At, List};
use super::problem::{ApiResult, Problem};
use super::route::{
    Arriving, Ask, Asked, Created, Feed, Gives, Nothing, One, Output, Route, Schemas, Shown, Takes, Written, get, post,
    schema_of,
};
use super::shapes::Amount;
use chrono::{DateTime, Utc};
use db::{ImportId, TenantTx};
use money::{Currency, Money};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tenant::ScopeGroup;
use usage_metering::{Column, Direction, FILE_BYTES_MAX, Format, Mapping, NewImport, Settings, UsageError};
use utoipa::{IntoParams, ToSchema};

/// A file may take so long to arrive.
const FILE_PATIENCE: Duration = Duration::from_secs(600);
const MEDIA: [&str; 6] = [
    "application/octet-stream",
    "text/csv",
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "application/gzip",
];

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Calls;
    vec![
        get("/v1/imports", group, "List imports of call records, the newest first", imports),
        Route::intake(
            "/v1/imports",
            Feed::Imports,
            group,
            "Send a file of call records, and have it taken",
            takes,
            gives,
        ),
        get("/v1/imports/{import_id}", group, "Read an import: how far it is, and what it came to", import),
        get("/v1/imports/{import_id}/report", group, "Read the rows that were not counted, as CSV", report),
        post("/v1/imports/{import_id}/trial", group, "Try every row and write nothing", trial),
        post("/v1/imports/{import_id}/start", group, "Take every row, or go on where it was stopped", start),
        post("/v1/imports/{import_id}/stop", group, "Stop it; what was taken until then stands", stop),
    ]
}

/// How a file, or what is posted, is read.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
pub struct Reading {
    /// `freeswitch_json`, `freeswitch_xml`, `asterisk_csv`, `asterisk_cel`, `acc_json` or `csv`.
    format: Option<String>,
    /// Name of a way to read files that was kept in the console; it takes the place of all else.
    mapping: Option<String>,
    /// Name of the switch: with it and its own id a call is known.
    source: Option<String>,
    /// IANA zone of local times; the organisation's when left out.
    time_zone: Option<String>,
    /// Of national numbers, as 49.
    country_code: Option<String>,
    /// Topic of calls whose record names none: 0 to 9.
    #[param(value_type = Option<u8>)]
    digit: Option<Text<u8>>,
    /// `inbound` or `outbound`, of all calls.
    direction: Option<String>,
    /// What the file is called.
    name: Option<String>,
    /// `start` (the usual), `try`, or `keep`: what is done with it at once.
    then: Option<String>,
}

impl Reading {
    /// Settings that keep their rules.
    async fn settings(self, tx: &TenantTx, bytes: &[u8]) -> ApiResult<Settings> {
        if let Some(name) = &self.mapping {
            let kept = usage_metering::mappings(tx).await?.into_iter().find(|kept| kept.name == *name);
            let unknown = || Problem::invalid("/mapping", "unknown", "must be a way that was kept").with_value(name);
            return Ok(kept.ok_or_else(unknown)?.settings);
        }
        let word = self.format.clone().unwrap_or_default();
        let format = Format::from_word(&word).ok_or_else(|| {
            let words = Format::ALL.map(Format::as_str).join(", ");
            Problem::invalid("/format", "unknown_word", format!("must be one of {words}")).with_value(&word)
        })?;
        let mapping = (format == Format::Csv).then(|| Mapping::guess(bytes));
        self.settings_as(tx, format, mapping).await
    }

    /// The same for a format that the address says.
    pub async fn settings_as(self, tx: &TenantTx, format: Format, mapping: Option<Mapping>) -> ApiResult<Settings> {
        let direction = match self.direction.as_deref() {
            None => None,
            Some("inbound") => Some(Direction::Inbound),
            Some("outbound") => Some(Direction::Outbound),
            Some(other) => {
                return Err(
                    Problem::invalid("/direction", "unknown_word", "must be inbound or outbound").with_value(other)
                );
            }
        };
        let usual = Settings::new(format);
        let time_zone = match self.time_zone {
            Some(zone) => zone,
            None => tenant::organisation(tx).await?.time_zone,
        };
        let settings = Settings {
            source: self.source.unwrap_or(usual.source),
            time_zone: Some(time_zone),
            country_code: self.country_code,
            digit: self.digit.map(|digit| digit.0),
            direction,
            mapping,
            format,
        };
        settings.check_form().map_err(|fault| refused(UsageError::ImportSettings(fault)))?;
        Ok(settings)
    }
}

/// A refusal of settings stands at its parameter.
fn refused(error: UsageError) -> Problem {
    match error {
        UsageError::ImportSettings(fault) if Column::ALL.iter().any(|column| column.as_str() == fault.field) => {
            let said = "must name a way that was kept in the console: the file's first line does not tell all columns";
            Problem::invalid("/mapping", "refused", format!("{said}; {} {}", fault.field, fault.rule))
        }
        UsageError::ImportSettings(fault) => {
            Problem::invalid(format!("/{}", fault.field), "refused", fault.rule).with_value(fault.value)
        }
        UsageError::FileNameMustBePlain(name) => {
            Problem::invalid("/name", "must_be_plain", "must have 1 to 200 characters").with_value(name)
        }
        other => other.into(),
    }
}

fn takes() -> Takes {
    use utoipa::openapi::path::ParameterIn;
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    let file = ObjectBuilder::new().schema_type(Type::String).content_media_type("application/octet-stream").build();
    let parameters = Reading::into_params(|| Some(ParameterIn::Query));
    Takes { body: Some(utoipa::openapi::Schema::from(file).into()), media: &MEDIA, parameters, ..Takes::default() }
}

fn gives() -> Gives {
    let (schema, schemas) = schema_of::<Import>();
    Gives { status: 201, media: "application/json", schema, schemas }
}

/// A file of call records.
#[derive(Serialize, ToSchema)]
struct Import {
    #[schema(example = "import")]
    object: &'static str,
    id: String,
    name: String,
    #[schema(example = "freeswitch_json")]
    format: &'static str,
    source: String,
    /// `uploaded`, `trying`, `tried`, `running`, `done` or `stopped`.
    #[schema(example = "running")]
    state: &'static str,
    file_bytes: u64,
    /// How far it is, of `file_bytes`.
    bytes: u64,
    rows: u64,
    accepted: u64,
    /// Known already with the same record.
    duplicate: u64,
    /// Known already with another record; the first stands.
    conflict: u64,
    /// Kept, but they match nothing of the book yet.
    suspense: u64,
    /// No call records; the report says why.
    rejected: u64,
    /// Calls that a tariff charged, and what they come to; of a trial, what they would come to.
    charged_calls: u64,
    charged: Amount,
    /// Calls that a plan covers: their price is known with their period.
    covered_calls: u64,
    rows_per_second: Option<u64>,
    seconds_left: Option<u64>,
    created_at: DateTime<Utc>,
    created_by: String,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    stopped_because: Option<String>,
}

impl Shown for Import {
    fn id(&self) -> String {
        self.id.clone()
    }
}

fn shown(of: usage_metering::Import, currency: Currency, now: DateTime<Utc>) -> Import {
    let progress = of.progress;
    Import {
        object: "import",
        id: of.id.to_string(),
        format: of.settings.format.as_str(),
        state: of.state.as_str(),
        file_bytes: of.file_bytes,
        bytes: progress.bytes,
        rows: progress.rows,
        accepted: progress.accepted,
        duplicate: progress.duplicate,
        conflict: progress.conflict,
        suspense: progress.suspended,
        rejected: progress.refused,
        charged_calls: progress.charged,
        charged: Money::from_micros(progress.charged_micros, currency).into(),
        covered_calls: progress.covered,
        rows_per_second: of.rows_per_second(now),
        seconds_left: of.seconds_left(now).filter(|_| of.state.is_busy()),
        created_at: of.created_at,
        started_at: of.started_at,
        finished_at: of.finished_at,
        source: of.settings.source,
        name: of.name,
        created_by: of.created_by,
        stopped_because: of.stopped_because,
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListAsked {
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
    /// The `next` of the page before.
    starting_after: Option<String>,
}

async fn imports(ask: &Ask, Asked(asked): Asked<ListAsked>) -> ApiResult<List<Import>> {
    let limit = list::limit(asked.limit)?;
    let after = list::after::<At<ImportId>>(asked.starting_after.as_deref())?.map(|At(at, id)| (at, id));
    let rows = usage_metering::imports(&ask.tx, after, limit + 1).await?;
    let (rows, next) = list::cut(rows, limit, |row| list::place(At(row.created_at, row.id)));
    let currency = tenant::organisation(&ask.tx).await?.currency;
    Ok(List::page(rows.into_iter().map(|row| shown(row, currency, ask.now)).collect(), next))
}

async fn found(ask: &Ask) -> ApiResult<One<Import>> {
    let import = usage_metering::import(&ask.tx, ask.id("import_id")?).await?;
    Ok(One(shown(import, tenant::organisation(&ask.tx).await?.currency, ask.now)))
}

async fn import(ask: &Ask, _: Nothing) -> ApiResult<One<Import>> {
    found(ask).await
}

async fn report(ask: &Ask, _: Nothing) -> ApiResult<Csv> {
    let import = usage_metering::import(&ask.tx, ask.id("import_id")?).await?;
    let bytes = crate::pages::book::import_report(&ask.tx, import.id).await?;
    Ok(Csv { name: format!("{}-report", import.id), bytes })
}

async fn trial(ask: &Ask, _: Nothing) -> ApiResult<One<Import>> {
    usage_metering::try_import(&ask.tx, ask.id("import_id")?, ask.now).await.map_err(refused)?;
    found(ask).await
}

async fn start(ask: &Ask, _: Nothing) -> ApiResult<One<Import>> {
    usage_metering::start_import(&ask.tx, ask.id("import_id")?, ask.now).await.map_err(refused)?;
    found(ask).await
}

async fn stop(ask: &Ask, _: Nothing) -> ApiResult<One<Import>> {
    let because = format!("stopped by {}", ask.actor());
    usage_metering::stop_import(&ask.tx, ask.id("import_id")?, &because, ask.now).await?;
    found(ask).await
}

/// A table to be saved under this name.
pub struct Csv {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Output for Csv {
    fn write(self) -> ApiResult<Written> {
        Ok(Written {
            status: 200,
            media: "text/csv; charset=utf-8",
            body: self.bytes,
            subject: String::new(),
            file_name: Some(format!("{}.csv", self.name)),
        })
    }
    fn gives() -> Gives {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        let schema = ObjectBuilder::new().schema_type(Type::String).build();
        Gives { status: 200, media: "text/csv", schema: schema.into(), schemas: Schemas::new() }
    }
}

/// Takes a file into the book of the key. Sent again it is another import, all of whose calls are known.
pub async fn take(arriving: Arriving<'_>) -> ApiResult<Written> {
    let reading: Reading = from_query(arriving.query)?;
    let Ok(_room) = arriving.app.uploads.try_acquire() else {
        return Err(super::events_body::busy("too_busy", "Other files are arriving. Send this one again."));
    };
    let too_large = || {
        let detail = format!("A file has at most {FILE_BYTES_MAX} bytes, also when it is unpacked.");
        Problem::new(actix_web::http::StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    let body = super::door::whole_in(arriving.payload, FILE_BYTES_MAX, FILE_PATIENCE, too_large).await?;
    let bytes = usage_metering::unpack(body.into())?;
    let tx = arriving.app.db.tenant(arriving.client.tenant_id).await?;
    let (then, name) = (reading.then.clone(), reading.name.clone().unwrap_or_else(|| "call records".to_owned()));
    let settings = reading.settings(&tx, &bytes).await?;
    let (by, now) = (arriving.client.actor(), arriving.now);
    let new = NewImport { name: &name, settings: &settings, bytes: &bytes, by: &by };
    let id = usage_metering::create_import(&tx, &new, now).await.map_err(refused)?;
    match then.as_deref() {
        None | Some("start") => usage_metering::start_import(&tx, id, now).await.map_err(refused)?,
        Some("try") => usage_metering::try_import(&tx, id, now).await.map_err(refused)?,
        Some("keep") => {}
        Some(other) => {
            return Err(Problem::invalid("/then", "unknown_word", "must be start, try or keep").with_value(other));
        }
    }
    let payload = serde_json::json!({ "key": arriving.client.key.id.to_string(), "bytes": bytes.len() });
    tenant::record_audit(&tx, &by, "api POST /v1/imports", &id.to_string(), payload, now).await?;
    let import = usage_metering::import(&tx, id).await?;
    let shown = shown(import, tenant::organisation(&tx).await?.currency, now);
    tx.commit().await?;
    Created(shown).write()
}
