//! Documents that the pricing crate reads and writes itself, strictly: here they are only passed on. Their shape in the
//! document of the API is taken from a sample, so that it is the shape that is really read and written.

use super::body;
use super::problem::{ApiResult, Problem};
use super::route::{Input, Raw, Schemas, Takes};
use pricing::{DocumentError, Estimate, Forecast, Operation, Return};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A document with its name and a sample.
pub trait Sampled {
    const NAME: &'static str;
    const SAYS: &'static str;
    fn sample() -> Value;

    /// Its schema first, then those that it needs; of a document that has no more forms than its sample, its shape.
    fn schemas(is_read: bool) -> Schemas {
        let mut shape = shape_of(&Self::sample());
        shape["description"] = Self::SAYS.into();
        if is_read {
            shape["examples"] = json!([Self::sample()]);
            // Which fields may be left out is not in a sample.
            if let Some(shape) = shape.as_object_mut() {
                shape.remove("required");
            }
        }
        vec![(Self::NAME.to_owned(), schema(&shape))]
    }
}

/// A document that is read strictly.
pub trait Read: Sampled + Sized {
    fn read(document: &Value) -> Result<Self, DocumentError>;
}

/// Such a document as the body of a request.
pub struct Document<T>(pub T);

impl<T: Read> Input for Document<T> {
    fn read(raw: &Raw) -> ApiResult<Self> {
        body::must_have_no_query(&raw.query)?;
        body::must_be_json(&raw.content_type)?;
        Ok(Document(T::read(&body::from_json(&raw.body)?)?))
    }

    fn takes() -> Takes {
        let reference = utoipa::openapi::Ref::from_schema_name(T::NAME).into();
        Takes { body: Some(reference), schemas: T::schemas(true), ..Takes::default() }
    }
}

/// Such a document as it is shown.
pub struct Shape<T>(pub T);

impl<T: Serialize> Serialize for Shape<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: Sampled> ToSchema for Shape<T> {
    fn name() -> Cow<'static, str> {
        T::NAME.into()
    }
}

impl<T: Sampled> PartialSchema for Shape<T> {
    fn schema() -> RefOr<Schema> {
        T::schemas(false).swap_remove(0).1
    }
}

impl<T: Serialize + Sampled> super::route::Shown for Shape<T> {}

/// What a value looks like, as a JSON schema. A list is like its first item.
pub(super) fn shape_of(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(_) => json!({ "type": "number" }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => json!({ "type": "array", "items": items.first().map_or(json!({}), shape_of) }),
        Value::Object(fields) => {
            let properties: Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), shape_of(value))).collect();
            let required: Vec<&String> = fields.keys().collect();
            json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
        }
    }
}

fn schema(shape: &Value) -> RefOr<Schema> {
    serde_json::from_value(shape.clone()).unwrap_or_default()
}

impl Sampled for Forecast {
    const NAME: &'static str = "Forecast";
    const SAYS: &'static str = "What is expected: how much arrives on which channel, when it is served, the service promised, \
         and what a working hour costs.";
    fn sample() -> Value {
        json!({
            "currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02",
            "hours": [{ "days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00" }],
            "channels": [{
                "channel": "phone", "per_month": "30000", "talk_seconds": "150", "after_seconds": "30",
                "at_once": 1, "target": "0.8", "within_seconds": "20",
            }],
            "languages": [
                { "name": "de", "share": "0.7", "cost_per_agent_hour": "19" },
                { "name": "en", "share": "0.3", "cost_per_agent_hour": "24" },
            ],
            "regions": [{ "name": "DACH", "share": "1", "time_zone": "Europe/Berlin", "carriage_per_minute": "0.01" }],
            "maximum_occupancy": "0.85", "shrinkage": "0.3", "cost_per_agent_hour": "18", "overhead_percent": "20",
            "cost_per_channel": "5", "margin_percent": "30", "risk_percent": "10", "maximum_blocking": "0.01",
            "hours_per_agent_month": "160", "core_share": "0.8",
            "implementation": { "hours_per_agent": "40", "fixed": "2000" },
        })
    }
}

impl Read for Forecast {
    fn read(document: &Value) -> Result<Self, DocumentError> {
        Forecast::from_json(document)
    }
}

impl Sampled for Estimate {
    const NAME: &'static str = "EstimateResult";
    const SAYS: &'static str = "What a forecast takes and costs: staff for each hour of the week, channels, a month's cost, \
         suggested rates, and the commercial models side by side. Erlang C knows nobody who hangs up, so it staffs from the \
         safe side.";
    fn sample() -> Value {
        let estimate = Forecast::from_json(&Forecast::sample()).and_then(|forecast| pricing::estimate(&forecast));
        estimate.ok().and_then(|estimate| serde_json::to_value(estimate).ok()).unwrap_or_default()
    }
}

impl Sampled for Operation {
    const NAME: &'static str = "ReturnQuestion";
    const SAYS: &'static str = "A month of a service that earns a margin on each minute.";
    fn sample() -> Value {
        json!({
            "currency": "EUR", "days": "21", "hours_per_day": "8", "margin_per_minute": "0.10", "calls_at_once": "10",
            "occupancy": "0.714286", "shrinkage": "0.3", "fixed_per_month": "0", "investment": "0",
        })
    }
}

impl Read for Operation {
    fn read(document: &Value) -> Result<Self, DocumentError> {
        Operation::from_json(document)
    }
}

impl Sampled for Return {
    const NAME: &'static str = "Return";
    const SAYS: &'static str = "What the month brings in, at most and really.";
    fn sample() -> Value {
        let found = Operation::from_json(&Operation::sample()).and_then(|operation| pricing::return_on(&operation));
        found.ok().and_then(|found| serde_json::to_value(found).ok()).unwrap_or_default()
    }
}

/// Works out what takes a core for a while, away from the threads that answer.
pub async fn reckoned<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DocumentError> + Send + 'static,
) -> ApiResult<T> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(Problem::failed)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_read_and_worked_out() {
        for sample in [Forecast::sample(), Estimate::sample(), Operation::sample(), Return::sample()] {
            assert!(sample.is_object(), "{sample}");
        }
        assert!(Forecast::read(&Forecast::sample()).is_ok() && Operation::read(&Operation::sample()).is_ok());
    }
}
