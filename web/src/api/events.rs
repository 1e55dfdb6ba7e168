//! Usage comes in: one event or up to 1,000, as CloudEvents 1.0. Each is answered for itself, after the commit.
//! Invariants: the book is the key's; what is answered `accepted` is durable; sending again changes nothing; an event's own key
//! (source, id) takes the place of an `Idempotency-Key`.

use super::body::{Number, from_json};
use super::events_body::{self, Form};
use super::problem::{ApiResult, FieldProblem, Problem};
use super::route::{Arriving, Feed, Gives, Route, Takes, Written, schema_of};
use actix_web::http::header;
use chrono::{DateTime, Utc};
use db::{CustomerId, SubscriptionId};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use tenant::ScopeGroup;
use usage_metering::{IntakeError, Outcome, Rejection, UsageEvent};
use utoipa::ToSchema;

pub const PATH: &str = "/v1/events";
/// What a request may be sent as.
pub const MEDIA: [&str; 4] =
    ["application/json", "application/x-ndjson", "application/cloudevents+json", "application/cloudevents-batch+json"];

pub fn routes() -> Vec<Route> {
    vec![Route::intake(PATH, Feed::Events, ScopeGroup::Usage, "Send usage events: one, or up to 1,000", takes, gives)]
}

fn takes() -> Takes {
    use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder};
    let (one, schemas) = schema_of::<Event>();
    let many = ArrayBuilder::new().items(one.clone()).min_items(Some(1)).max_items(Some(events_body::EVENTS_MAX));
    let body = OneOfBuilder::new().item(one).item(many).build();
    Takes { body: Some(utoipa::openapi::Schema::OneOf(body).into()), media: &MEDIA, schemas, ..Takes::default() }
}

fn gives() -> Gives {
    let (schema, schemas) = schema_of::<EventBatch>();
    Gives { status: 200, media: "application/json", schema, schemas }
}

/// A usage event, as CloudEvents 1.0 has it. `source` and `id` are its key: sent again it is a duplicate and changes nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "attributes that are taken and not looked at")]
#[schema(as = UsageEvent)]
struct Event {
    #[schema(example = "1.0")]
    specversion: String,
    #[schema(example = "cdr-000001")]
    id: String,
    #[schema(example = "switch-1")]
    source: String,
    /// What was used: the code of a meter.
    #[serde(rename = "type")]
    #[schema(example = "minutes")]
    kind: String,
    /// When it was used.
    time: DateTime<Utc>,
    /// Who used it: the customer's id.
    #[schema(example = "cus_0HwPjVuQ4pAVcJrmCZ5TXb")]
    subject: String,
    data: Used,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    traceparent: Option<String>,
    tracestate: Option<String>,
    partitionkey: Option<String>,
    sequence: Option<String>,
}

/// How much was used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Used {
    /// In the meter's unit, as a text or a number; six decimals count.
    #[schema(value_type = Number)]
    quantity: Exact,
    /// The subscription that it is charged to, where the customer has several that might.
    subscription: Option<String>,
    /// What sums are kept by, as far as the meter keeps it; at most 20.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    dimensions: Dimensions,
}

/// A decimal number, read from its own digits and never through a float.
struct Exact(money::Decimal);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let digits = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
        money::parse_decimal(digits).map(Exact).map_err(D::Error::custom)
    }
}

#[derive(Default)]
struct Dimensions(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Dimensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Dimensions;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts, numbers and truth values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dimensions, A::Error> {
                let mut found = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    let text = match value.get().as_bytes().first() {
                        Some(b'"') => serde_json::from_str(value.get()).map_err(A::Error::custom)?,
                        Some(b'{' | b'[' | b'n') => {
                            let rule = format!("the dimension `{name}` must be a text, a number or a truth value");
                            return Err(A::Error::custom(rule));
                        }
                        _ => value.get().to_owned(),
                    };
                    if found.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    found.insert(name, text);
                }
                Ok(Dimensions(found))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// What became of the events, in their order.
#[derive(Serialize, ToSchema)]
struct EventBatch {
    #[schema(example = "event_batch")]
    object: &'static str,
    accepted: usize,
    duplicate: usize,
    conflict: usize,
    suspense: usize,
    rejected: usize,
    results: Vec<EventResult>,
}

#[derive(Serialize, ToSchema)]
struct EventResult {
    /// As sent; left out where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// `accepted`: stored and counted. `duplicate`: known already, nothing changed. `conflict`: its key is known with another
    /// content; the first stands, this one waits for a person. `suspense`: kept, but it matches nothing. `rejected`: no event.
    #[schema(example = "accepted")]
    status: &'static str,
    /// Of `suspense`: why it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// Of `rejected`: what is wrong with it. The pointer begins with the event's place in the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
}

/// Takes a request's events into the book of the key.
pub async fn take(arriving: Arriving<'_>) -> ApiResult<Written> {
    let Arriving { app, client, headers, payload, now, .. } = arriving;
    let tenant_id = client.tenant_id;
    let room = app.arrivals.room(tenant_id, headers)?;
    let body = events_body::read(headers, payload).await?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (form, items) = events_body::items(content_type, &body)?;
    let place = |index: usize| if form == Form::One { String::new() } else { format!("/{index}") };
    let mut events = Vec::with_capacity(items.len());
    let mut results: Vec<Option<EventResult>> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        results.push(match read(item) {
            Ok(event) => {
                events.push(event);
                None
            }
            Err(problem) => Some(unreadable(item, problem, &place(index))),
        });
    }
    // What was read is all that is kept while the events wait.
    drop(items);
    drop(body);
    drop(room);
    let names: Vec<Named> = events.iter().map(Named::of).collect();
    let outcomes = match events.is_empty() {
        true => Vec::new(),
        false => app.intake.take(tenant_id, events, now).await.map_err(not_taken)?,
    };
    let mut answered = names.into_iter().zip(outcomes);
    let answer = |(index, result): (usize, Option<EventResult>)| match result {
        Some(result) => Some(result),
        None => answered.next().map(|(named, outcome)| result_of(named, outcome, &place(index))),
    };
    written(form, results.into_iter().enumerate().filter_map(answer).collect())
}

fn read(item: &str) -> ApiResult<UsageEvent> {
    // The quick way first; only what it refuses is read again for the place of its fault.
    let event: Event = match serde_json::from_str(item) {
        Ok(event) => event,
        Err(_) => from_json(item.as_bytes())?,
    };
    if event.specversion != "1.0" {
        return Err(Problem::invalid("/specversion", "unknown_word", "must be 1.0").with_value(event.specversion));
    }
    let customer_id: CustomerId = event.subject.parse().map_err(|_| {
        Problem::invalid("/subject", "malformed", "must be a customer's id, as in cus_0HwPjVuQ4pAVcJrmCZ5TXb")
            .with_value(&event.subject)
    })?;
    let named = |text: String| {
        text.parse::<SubscriptionId>().map_err(|_| {
            let rule = "must be a subscription's id, which begins with sub_";
            Problem::invalid("/data/subscription", "malformed", rule).with_value(&text)
        })
    };
    Ok(UsageEvent {
        source: event.source,
        id: event.id,
        meter: event.kind,
        customer_id,
        subscription_id: event.data.subscription.map(named).transpose()?,
        quantity: event.data.quantity.0,
        dimensions: event.data.dimensions.0,
        occurred_at: event.time,
    })
}

/// An item that is no event; its id is told if it can be found.
fn unreadable(item: &str, problem: Problem, place: &str) -> EventResult {
    #[derive(Deserialize)]
    struct WithId {
        id: String,
    }
    let id = serde_json::from_str::<WithId>(item).ok().map(|named| named.id.chars().take(200).collect());
    let mut errors = problem.with_values_of(item.as_bytes()).below(place).fields;
    if errors.is_empty() {
        let code = "json_malformed".to_owned();
        errors.push(FieldProblem { pointer: place.to_owned(), code, detail: "this is not JSON".into(), value: None });
    }
    EventResult { id, status: "rejected", cause: None, errors }
}

/// What of an event an answer may have to name.
struct Named {
    id: String,
    source_bytes: usize,
    quantity: money::Decimal,
}

impl Named {
    fn of(event: &UsageEvent) -> Named {
        Named { id: event.id.clone(), source_bytes: event.source.len(), quantity: event.quantity }
    }
}

fn result_of(named: Named, outcome: Outcome, place: &str) -> EventResult {
    let cause = match outcome {
        Outcome::Suspended(cause) => Some(cause.as_str()),
        _ => None,
    };
    let errors = match outcome {
        Outcome::Rejected(rejection) => vec![field_of(rejection, &named, place)],
        _ => Vec::new(),
    };
    EventResult { id: Some(named.id), status: outcome.as_str(), cause, errors }
}

fn field_of(rejection: Rejection, named: &Named, place: &str) -> FieldProblem {
    let Named { id, source_bytes, quantity } = named;
    let source_bytes = *source_bytes;
    let is_id = id.is_empty() || id.chars().count() > 200 || id.chars().any(char::is_control) || source_bytes == 0;
    let (field, code) = match rejection {
        Rejection::KeyMustHaveALength if is_id && source_bytes > 0 => ("/id", "must_have_a_length"),
        Rejection::KeyMustHaveALength => ("/source", "must_have_a_length"),
        Rejection::TextMustBePlain if is_id => ("/id", "must_be_plain"),
        Rejection::TextMustBePlain => ("", "must_be_plain"),
        Rejection::QuantityMustNotBeNegative => ("/data/quantity", "must_not_be_negative"),
        Rejection::SpanMustEnd => ("/data/quantity", "must_lie_between"),
        Rejection::QuantityMustFit => ("/data/quantity", "must_lie_between"),
        Rejection::QuantityMustBeOne => ("/data/quantity", "must_be_one"),
        Rejection::DimensionsMustBeFew => ("/data/dimensions", "must_be_few"),
        Rejection::DatabaseMustTakeIt => ("", "must_be_storable"),
    };
    let pointer = format!("{place}{field}");
    let value = match field {
        "/id" => Some(id.chars().take(200).collect()),
        "/data/quantity" => Some(quantity.to_string()),
        _ => None,
    };
    FieldProblem { pointer, code: code.into(), detail: rejection.to_string(), value }
}

/// 200 says that each was answered, not that each was taken. An event that came alone is answered by the status, too.
fn written(form: Form, results: Vec<EventResult>) -> ApiResult<Written> {
    let count = |status: &str| results.iter().filter(|result| result.status == status).count();
    let batch = EventBatch {
        object: "event_batch",
        accepted: count("accepted"),
        duplicate: count("duplicate"),
        conflict: count("conflict"),
        suspense: count("suspense"),
        rejected: count("rejected"),
        results,
    };
    let status = match form {
        Form::One if batch.rejected > 0 => 422,
        Form::One if batch.conflict > 0 => 409,
        _ => 200,
    };
    let body = serde_json::to_vec(&batch).map_err(Problem::failed)?;
    Ok(Written { status, media: "application/json", body, subject: String::new(), file_name: None })
}

fn not_taken(error: IntakeError) -> Problem {
    match error {
        IntakeError::TenantMustNotFlood { .. } => {
            events_body::flood("More events of your organisation wait than can be stored at once. Send these again.")
        }
        IntakeError::QueueMustHaveRoom { .. } => {
            events_body::busy("too_busy", "More events wait than can be stored at once. Send these again.")
        }
        IntakeError::NotStored(_) => {
            events_body::busy("not_stored", "The events could not be stored, or it is not known. Send them again.")
        }
        IntakeError::RequestMustHaveASize(_) => Problem::failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"specversion":"1.0","id":"a","source":"s","type":"minutes","time":"2026-03-02T10:00:00+01:00",
        "subject":"cus_0HwPjVuQ4pAVcJrmCZ5TXb","data":{"quantity":1.50,"dimensions":{"topic":"la\"w","n":7,"b":true}}}"#;

    #[test]
    fn an_event_is_read_exactly_whether_its_quantity_is_a_number_or_a_text() {
        let event = read(GOOD).unwrap();
        assert_eq!((event.quantity.to_string().as_str(), event.meter.as_str()), ("1.50", "minutes"));
        assert_eq!(event.occurred_at.to_rfc3339(), "2026-03-02T09:00:00+00:00");
        let dimensions: Vec<(&str, &str)> = event.dimensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(dimensions, [("b", "true"), ("n", "7"), ("topic", "la\"w")]);
        let text = read(&GOOD.replace("1.50", "\"0.1000001\"")).unwrap();
        assert_eq!(text.quantity.to_string(), "0.1000001");
    }

    #[test]
    fn what_is_no_event_is_named_with_its_place_and_its_rule() {
        for (from, to, pointer, code) in [
            ("\"1.0\"", "\"0.3\"", "/specversion", "unknown_word"),
            ("cus_0H", "usr_0H", "/subject", "malformed"),
            ("\"quantity\":1.50,", "", "/data/quantity", "missing"),
            ("1.50", "\"1,5\"", "/data/quantity", "malformed"),
            ("1.50", "[1]", "/data/quantity", "malformed"),
            ("\"n\":7", "\"n\":null", "/data/dimensions", "malformed"),
            ("\"n\":7", "\"topic\":7", "/data/dimensions/topic", "must_be_unique"),
            ("\"id\":\"a\"", "\"id\":\"a\",\"tenant_id\":\"b\"", "/tenant_id", "unknown_field"),
            ("2026-03-02T10:00:00+01:00", "yesterday", "/time", "malformed"),
            ("\"source\":\"s\",", "", "/source", "missing"),
        ] {
            let problem = read(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert_eq!((&*problem.fields[0].pointer, &*problem.fields[0].code), (pointer, code), "{from} -> {to}");
        }
        let result = unreadable("{\"id\":\"x\"", read("{\"id\":\"x\"").unwrap_err(), "/3");
        assert_eq!((&*result.errors[0].pointer, &*result.errors[0].code), ("/3", "json_malformed"));
    }
}
