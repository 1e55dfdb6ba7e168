//! The terms of a plan version as a document: the catalogue reads and writes it, and tells everything that is wrong with it.

use super::documents::{Read, Sampled, Shape};
use super::problem::{ApiResult, FieldProblem, Problem};
use super::route::Ask;
use actix_web::http::StatusCode;
use pricing::DocumentError;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use subscription::{Measure, NewPlanVersion, Refusal};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The terms of a plan as a document.
#[derive(Clone, Serialize)]
pub struct Terms(pub Value);

impl Sampled for Terms {
    const NAME: &'static str = "Terms";
    const SAYS: &'static str = "The terms of a plan. Only the currency is needed; prices are per month, whatever the term. A price \
         document is `per_unit`, `graduated`, `volume`, `package`, `stairstep`, `percent`, `graduated_percent` or `by`.";
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

impl ToSchema for Terms {
    fn name() -> Cow<'static, str> {
        Self::NAME.into()
    }
}

impl PartialSchema for Terms {
    fn schema() -> RefOr<Schema> {
        Shape::<Self>::schema()
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
    NewPlanVersion::from_document(&terms.0, &own_meters).map_err(|refusals| problem(&terms.0, &refusals))
}

/// The book's meters, by which components may charge.
pub async fn own_meters(ask: &Ask) -> ApiResult<Vec<Measure>> {
    Ok(crate::meters::own_meters(&ask.tx).await?)
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
    let fields = problems(document, refusals);
    let detail = fields.first().map_or_else(String::new, |first| format!("{}: {}.", first.pointer, first.detail));
    Problem { fields, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
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
