//! The terms of a plan version as a document: the catalogue reads and writes it, and tells everything that is wrong with it.

use super::body::{self, Text};
use super::documents::{Read, Sampled};
use super::problem::{ApiResult, FieldProblem, Problem};
use super::route::{Ask, Input, Raw, Schemas, Takes};
use db::PlanId;
use pricing::DocumentError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use subscription::{Measure, NewPlanVersion, Refusal};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// The terms of a plan as a document.
#[derive(Clone, Serialize)]
pub struct Terms(pub Value);

impl Sampled for Terms {
    const NAME: &'static str = "Terms";
    const SAYS: &'static str = "The terms of a plan.";
    fn schemas(_: bool) -> Schemas {
        // The document takes the forms as they stand: the types of its schemas know fewer words.
        vec![(Self::NAME.to_owned(), RefOr::default())]
    }
    fn sample() -> Value {
        json!({
            "currency": "EUR", "term_months": 12, "fixed_terms": 2, "trial_days": 14,
            "trial_usage": { "free_up_to": { "amount": "20.00", "currency": "EUR" } }, "trial_end": "convert",
            "term_discount_percent": "15", "commitment": { "amount": "60.00", "currency": "EUR" },
            "fee_cap": { "amount": "5000.00", "currency": "EUR" }, "late_usage": "bill",
            "loyalty": [{ "after_months": 12, "percent_off": "5" }],
            "features": ["recordings"], "limits": { "recordings": { "amount": "100", "meter": "minutes" } },
            "seat_limit": 5, "sells_extra_seats": false,
            "components": [{
                "key": "minutes", "kind": "usage", "name": "Minutes", "measure": "minutes",
                "filter": { "handled_by": "overflow" }, "included": "100", "minimum_quantity": "0",
                "price": { "model": "per_unit", "unit": "0.50" }, "billed": "in_arrears",
            }],
        })
    }
}

/// Every form that terms may have, schema by schema; the reader of the catalogue is stricter only where rules are.
pub fn forms() -> Map<String, Value> {
    serde_json::from_str(include_str!("terms.schema.json")).unwrap_or_default()
}

impl ToSchema for Terms {
    fn name() -> Cow<'static, str> {
        Self::NAME.into()
    }

    fn schemas(schemas: &mut Schemas) {
        schemas.extend(<Self as Sampled>::schemas(false));
    }
}

impl PartialSchema for Terms {
    fn schema() -> RefOr<Schema> {
        RefOr::default()
    }
}

impl Read for Terms {
    fn read(document: &Value) -> Result<Self, DocumentError> {
        Ok(Terms(document.clone()))
    }
}

/// The terms of a version, as the catalogue writes them.
pub fn written(version: &subscription::PlanVersion) -> Terms {
    Terms(version.terms().to_document())
}

/// Terms that keep every rule; otherwise everything that is wrong with them.
pub async fn checked(ask: &Ask, terms: &Terms) -> ApiResult<NewPlanVersion> {
    let own_meters = own_meters(ask).await?;
    let checked = subscription::checked_terms(&ask.tx, &terms.0, &own_meters).await?;
    checked.map_err(|refusals| problem(&terms.0, &refusals))
}

/// Refuses to publish terms by which somebody's last full period would have cost 30% more or less, unless that was seen.
pub async fn must_be_seen(ask: &Ask, plan: PlanId, terms: &NewPlanVersion, is_confirmed: bool) -> ApiResult<()> {
    if is_confirmed {
        return Ok(());
    }
    let far = invoicing::dry_run(&ask.tx, plan, terms, ask.now)
        .await?
        .rows
        .iter()
        .filter(|row| row.needs_confirmation())
        .count();
    if far == 0 {
        return Ok(());
    }
    let detail = format!(
        "Nothing was published: of {far} subscribers the last full period would move by more than 30%. Look at them by a dry run of \
         these terms, then publish with `?confirmed=true`."
    );
    Err(Problem::conflict("confirmation_needed", detail))
}

/// What a publication takes beside its body.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// `true` once it was seen that bills move by more than 30%.
    #[param(value_type = Option<bool>)]
    confirmed: Option<Text<bool>>,
}

/// What is taken, and whether its reach was seen.
pub struct Confirmed<T> {
    pub given: T,
    pub is_confirmed: bool,
}

impl<T: Input> Input for Confirmed<T> {
    fn read(raw: &Raw) -> ApiResult<Self> {
        let asked: Confirmation = body::from_query(&raw.query)?;
        let own = Raw { query: String::new(), content_type: raw.content_type.clone(), body: raw.body.clone() };
        let is_confirmed = asked.confirmed.is_some_and(|confirmed| confirmed.0);
        Ok(Confirmed { given: T::read(&own)?, is_confirmed })
    }

    fn takes() -> Takes {
        Takes { parameters: Confirmation::into_params(|| Some(ParameterIn::Query)), ..T::takes() }
    }
}

/// The book's meters, by which components may charge.
pub async fn own_meters(ask: &Ask) -> ApiResult<Vec<Measure>> {
    Ok(usage_metering::own_measures(&ask.tx).await?)
}

/// Everything that is wrong with a document, as fields of it.
pub fn problems(document: &Value, refusals: &[Refusal]) -> Vec<FieldProblem> {
    let field = |refusal: &Refusal| FieldProblem {
        pointer: pointer(document, &refusal.field),
        code: refusal.rule.code().to_owned(),
        detail: refusal.rule.to_string(),
        value: Some(refusal.value.chars().take(200).collect()),
    };
    refusals.iter().map(field).collect()
}

fn problem(document: &Value, refusals: &[Refusal]) -> Problem {
    Problem::of_fields(problems(document, refusals))
}

/// Rules name a component by its key; a pointer counts them.
fn pointer(document: &Value, field: &str) -> String {
    let Some(rest) = field.strip_prefix("components/") else { return format!("/{field}") };
    let (key, tail) = rest.split_once('/').map_or((rest, String::new()), |(key, tail)| (key, format!("/{tail}")));
    let parts = document["components"].as_array();
    // Of two with one key the later one breaks the rule.
    let index = parts.and_then(|parts| parts.iter().rposition(|part| part["key"] == key));
    index.map_or_else(|| format!("/{field}"), |index| format!("/components/{index}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_keeps_every_rule_and_is_written_as_it_was_read() {
        let read = NewPlanVersion::from_document(&Terms::sample(), &[]).unwrap();
        assert_eq!(read.to_document(), Terms::sample());
    }

    /// Faults of a document by a form, as far as forms go here: types, fields, words, and the forms that they name.
    fn faults(value: &Value, form: &Value, forms: &Map<String, Value>, at: &str, found: &mut Vec<String>) {
        if let Some(name) = form["$ref"].as_str() {
            return faults(value, &forms[name.rsplit('/').next().unwrap()], forms, at, found);
        }
        if let Some(choices) = form["anyOf"].as_array().or(form["oneOf"].as_array()) {
            let fits = |choice: &&Value| {
                let mut inner = Vec::new();
                faults(value, choice, forms, at, &mut inner);
                inner.is_empty()
            };
            if !choices.iter().any(|choice| fits(&choice)) {
                found.push(format!("{at} fits no form"));
            }
            return;
        }
        let is_of = |kind: &str| match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" | "number" => value.is_number(),
            _ => value.is_null(),
        };
        let kinds = match &form["type"] {
            Value::String(kind) => vec![kind.as_str()],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !kinds.is_empty() && !kinds.into_iter().any(is_of) {
            found.push(format!("{at} has another type"));
        }
        if form["enum"].as_array().is_some_and(|words| !words.contains(value))
            || form.get("const").is_some_and(|word| word != value)
        {
            found.push(format!("{at} is another word"));
        }
        for item in value.as_array().into_iter().flatten().filter(|_| form["items"].is_object()) {
            faults(item, &form["items"], forms, &format!("{at}/-"), found);
        }
        let Some(fields) = value.as_object() else { return };
        for name in form["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                found.push(format!("{at} lacks {name}"));
            }
        }
        for (name, value) in fields {
            match (&form["properties"][name], &form["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => found.push(format!("{at} has {name}")),
                (Value::Null, other) if other.is_object() => {
                    faults(value, other, forms, &format!("{at}/{name}"), found)
                }
                (Value::Null, _) => {}
                (field, _) => faults(value, field, forms, &format!("{at}/{name}"), found),
            }
        }
    }

    fn faults_of(terms: &Value) -> Vec<String> {
        let (forms, mut found) = (forms(), Vec::new());
        faults(terms, &forms["Terms"], &forms, "", &mut found);
        found
    }

    #[test]
    fn the_schema_takes_all_that_the_catalogue_reads_and_nothing_else() {
        let with = |price: Value| {
            json!({"currency": "EUR", "components": [{
                "key": "c", "kind": "usage", "name": "C", "measure": "calls", "billed": "in_arrears", "price": price,
            }]})
        };
        let tiers = json!([{"up_to": "10", "unit": "1"}, {"up_to": null, "unit": "0.5", "flat": "2"}]);
        let stairs = json!([{"up_to": "10", "amount": "1"}, {"up_to": null, "amount": "0.5"}]);
        let shares = json!([{"up_to": "10", "percent": "1"}, {"up_to": null, "percent": "0.5"}]);
        let one = json!({"model": "per_unit", "unit": "1"});
        let good = [
            one.clone(),
            json!({"model": "graduated", "tiers": tiers, "minimum": "1", "flat_at_zero": true}),
            json!({"model": "volume", "tiers": tiers, "maximum": "9"}),
            json!({"model": "package", "size": "100", "amount": "5", "free": "10"}),
            json!({"model": "stairstep", "tiers": stairs}),
            json!({"model": "percent", "rate": "2.5", "fixed_per_event": "0.1", "free_events": 3}),
            json!({"model": "graduated_percent", "tiers": shares}),
            json!({"model": "by", "dimension": "topic", "cases": {"a": one.clone()}, "default": one.clone()}),
        ];
        for price in good {
            pricing::Price::from_json(&price).unwrap();
            assert_eq!(faults_of(&with(price.clone())), Vec::<String>::new(), "{price}");
        }
        for price in [
            json!({"model": "steps", "unit": "1"}),
            json!({"model": "per_unit"}),
            json!({"model": "per_unit", "unit": "1", "x": 1}),
        ] {
            assert!(
                !faults_of(&with(price.clone())).is_empty() && pricing::Price::from_json(&price).is_err(),
                "{price}"
            );
        }
        for terms in [
            Terms::sample(),
            json!({"currency": "EUR"}),
            json!({"currency": "EUR", "trial_usage": "charged", "limits": {"crm": 5}}),
        ] {
            assert_eq!(faults_of(&terms), Vec::<String>::new(), "{terms}");
            assert!(NewPlanVersion::from_document(&terms, &[]).is_ok() || terms.get("limits").is_some());
        }
        let words = forms()["Terms"]["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let written = NewPlanVersion::from_document(&Terms::sample(), &[]).unwrap().to_document();
        let mut known: Vec<_> = written.as_object().unwrap().keys().cloned().collect();
        known.sort();
        assert_eq!(words, known);
    }

    #[test]
    fn a_rule_of_a_component_points_to_its_place_in_the_body() {
        let document = json!({"components": [{"key": "seat"}, {"key": "minutes"}]});
        for (field, expected) in [
            ("components/minutes/price/tiers/1/up_to", "/components/1/price/tiers/1/up_to"),
            ("components/0/key", "/components/0/key"),
            ("term_months", "/term_months"),
        ] {
            assert_eq!(pointer(&document, field), expected);
        }
    }
}
