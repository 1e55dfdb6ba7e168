//! What a service that earns by the minute brings in: days x hours x 60 x margin x calls at once x occupancy x (1 - shrinkage).

use money::{Currency, Decimal, Money};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::json::{Node, or};
use crate::{DocumentError, Exact, PricingError, RoundTo};

/// A month of a service that earns a margin on each minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Of its amounts.
    pub currency: Currency,
    /// Working days in the month.
    pub days: Decimal,
    /// Paid hours in a day; at most 24.
    pub hours_per_day: Decimal,
    /// What is kept of each minute.
    pub margin_per_minute: Decimal,
    /// Agents on calls, or calls at once.
    pub calls_at_once: Decimal,
    /// The share of their time in which they talk.
    pub occupancy: Decimal,
    /// The share of paid time in which they are away.
    pub shrinkage: Decimal,
    /// What a month costs beside the minutes: platform, rooms.
    pub fixed_per_month: Decimal,
    /// What it costs to begin.
    pub investment: Decimal,
}

/// What it brings in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// Minutes if everybody talked all the time, to six decimals.
    pub minutes_at_most: Decimal,
    /// Minutes talked.
    pub minutes: Decimal,
    /// The margin of the month if everybody talked all the time.
    pub at_most: Money,
    /// The margin of the month.
    pub margin: Money,
    /// Margin less the fixed cost; negative when the minutes do not pay for it.
    pub net: Money,
    /// Months until the investment has come back, to one decimal; `None`: never.
    pub payback_months: Option<Decimal>,
}

/// What a month brings in, rounded once to the minor unit.
pub fn return_on(operation: &Operation) -> Result<Return, DocumentError> {
    operation.check().and_then(|()| operation.reckon()).map_err(|error| error.found_in(&json!(operation)))
}

impl Operation {
    /// What outgrows a number is told at the factor that may be as large as one likes.
    fn reckon(&self) -> Result<Return, DocumentError> {
        let at = |pointer: &'static str| move |rule: PricingError| rule.at(pointer);
        let minutes_at_most = [self.days, self.hours_per_day, Decimal::from(60), self.calls_at_once]
            .iter()
            .fold(Exact::integer(1), |product, factor| product.times(&Exact::from(*factor)));
        let present = Exact::integer(1).minus(&Exact::from(self.shrinkage));
        let minutes = minutes_at_most.times(&Exact::from(self.occupancy)).times(&present);
        let of_calls = |minutes: &Exact| minutes.to_decimal_places(6).map_err(at("/calls_at_once"));
        let (shown_at_most, shown) = (of_calls(&minutes_at_most)?, of_calls(&minutes)?);
        let rate = Exact::from(self.margin_per_minute);
        let money =
            |amount: &Exact, pointer: &'static str| amount.to_money(self.currency, RoundTo::Minor).map_err(at(pointer));
        let earned = minutes.times(&rate);
        let net = earned.minus(&Exact::from(self.fixed_per_month));
        let payback_months = if self.investment.is_zero() {
            Some(Decimal::ZERO)
        } else if net > Exact::zero() {
            let months = Exact::from(self.investment).over(&net).map_err(at("/investment"))?;
            Some(months.to_decimal_places(1).map_err(at("/investment"))?)
        } else {
            None
        };
        Ok(Return {
            minutes_at_most: shown_at_most,
            minutes: shown,
            at_most: money(&minutes_at_most.times(&rate), "/margin_per_minute")?,
            margin: money(&earned, "/margin_per_minute")?,
            net: money(&net, "/fixed_per_month")?,
            payback_months,
        })
    }

    /// Reads the document; refuses unknown fields and broken rules with a pointer into it.
    pub fn from_json(document: &Value) -> Result<Operation, DocumentError> {
        Operation::read(&Node::root(document)).map_err(|error| error.found_in(document))
    }

    fn read(node: &Node<'_>) -> Result<Operation, DocumentError> {
        let mut fields = node.object()?;
        let operation = Operation {
            currency: fields.required("currency")?.currency()?,
            days: fields.required("days")?.unsigned()?,
            hours_per_day: fields.required("hours_per_day")?.unsigned()?,
            margin_per_minute: fields.required("margin_per_minute")?.unsigned()?,
            calls_at_once: fields.required("calls_at_once")?.unsigned()?,
            occupancy: fields.required("occupancy")?.unsigned()?,
            shrinkage: fields.required("shrinkage")?.unsigned()?,
            fixed_per_month: or(fields.optional("fixed_per_month"), Decimal::ZERO, Node::unsigned)?,
            investment: or(fields.optional("investment"), Decimal::ZERO, Node::unsigned)?,
        };
        fields.finish()?;
        operation.check()?;
        Ok(operation)
    }

    fn check(&self) -> Result<(), DocumentError> {
        for (pointer, number, most) in [
            ("/days", self.days, Some(31)),
            ("/hours_per_day", self.hours_per_day, Some(24)),
            ("/margin_per_minute", self.margin_per_minute, None),
            ("/calls_at_once", self.calls_at_once, None),
            ("/occupancy", self.occupancy, None),
            ("/shrinkage", self.shrinkage, None),
            ("/fixed_per_month", self.fixed_per_month, None),
            ("/investment", self.investment, None),
        ] {
            if number < Decimal::ZERO {
                return Err(PricingError::MustNotBeNegative.at(pointer));
            }
            if let Some(most) = most.filter(|most| number > Decimal::from(*most)) {
                return Err(PricingError::MustNotExceed { most }.at(pointer));
            }
        }
        for (pointer, share) in [("/occupancy", self.occupancy), ("/shrinkage", self.shrinkage)] {
            if share > Decimal::ONE {
                return Err(PricingError::MustBeShare.at(pointer));
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a value: numbers are taken by their text, and a refusal carries its pointer.
        let document = Value::deserialize(deserializer)?;
        Operation::from_json(&document).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(occupancy: &str, shrinkage: &str) -> Operation {
        let document = json!({"currency": "EUR", "days": 21, "hours_per_day": "8", "margin_per_minute": "0.10",
            "calls_at_once": 10, "occupancy": occupancy, "shrinkage": shrinkage});
        Operation::from_json(&document).unwrap()
    }

    #[test]
    fn ten_calls_at_once_bring_in_half_of_what_they_seem_to() {
        // 21 x 8 x 60 x 0.10 x 10 = 10,080
        assert_eq!(return_on(&operation("1", "0")).unwrap().margin.format_plain(), "10080.00");
        // 10,080 x 10/14 x 0.7 = 5,040; the product's table says 0.714286
        let real = return_on(&operation("0.714286", "0.3")).unwrap();
        assert_eq!(real.margin.format_plain(), "5040.00"); // 5,040.002016
        assert_eq!(real.at_most.format_plain(), "10080.00");
        assert_eq!(real.minutes_at_most, Decimal::from(100_800)); // 21 x 8 x 60 x 10
        // 10,080 x 0.714 x 0.7 = 5,037.984
        assert_eq!(return_on(&operation("0.714", "0.3")).unwrap().margin.format_plain(), "5037.98");
        assert_eq!(return_on(&operation("0", "1")).unwrap().margin.format_plain(), "0.00");
    }

    #[test]
    fn an_investment_comes_back_out_of_what_is_left() {
        let with = |fixed: i64, investment: i64| Operation {
            fixed_per_month: Decimal::from(fixed),
            investment: Decimal::from(investment),
            ..operation("1", "0")
        };
        let paid = return_on(&with(80, 25_000)).unwrap();
        assert_eq!(paid.net.format_plain(), "10000.00"); // 10,080 - 80
        assert_eq!(paid.payback_months, Some(Decimal::new(25, 1))); // 25,000 / 10,000
        let never = return_on(&with(10_080, 1)).unwrap();
        assert_eq!((never.net.format_plain().as_str(), never.payback_months), ("0.00", None));
        assert_eq!(return_on(&with(20_000, 0)).unwrap().payback_months, Some(Decimal::ZERO));
    }

    #[test]
    fn a_refusal_names_the_field_the_rule_and_the_value() {
        let document = |name: &str, value: Value| {
            let mut document = serde_json::to_value(operation("0.7", "0.3")).unwrap();
            document[name] = value;
            let error = Operation::from_json(&document).unwrap_err();
            (error.pointer, error.rule.code(), error.found)
        };
        let refused = |name: &str, value: Value, code: &'static str, found: &str| {
            assert_eq!(document(name, value), (format!("/{name}"), code, found.to_owned()));
        };
        refused("days", json!(32), "must_not_exceed", "32");
        refused("hours_per_day", json!("24.5"), "must_not_exceed", "\"24.5\"");
        refused("occupancy", json!("1.01"), "must_be_share", "\"1.01\"");
        refused("shrinkage", json!("-0.1"), "must_not_be_negative", "\"-0.1\"");
        refused("currency", json!("eur"), "currency_must_be_iso_4217", "\"eur\"");
        refused("agents", json!(3), "unknown_field", "3");
    }

    #[test]
    fn what_is_too_large_to_reckon_is_told_at_its_factor() {
        for name in ["calls_at_once", "margin_per_minute", "fixed_per_month"] {
            let mut document = serde_json::to_value(operation("0.7", "0.3")).unwrap();
            // A number that holds, while the product of it is more than a number or money is kept in.
            let large = "9999999999999999999999";
            document[name] = large.into();
            let refused = return_on(&Operation::from_json(&document).unwrap()).unwrap_err();
            assert_eq!(
                (&*refused.pointer, &*refused.found),
                (&*format!("/{name}"), &*format!("\"{large}\"")),
                "{name}"
            );
        }
    }

    #[test]
    fn an_operation_is_read_as_it_was_written() {
        let before = operation("0.7", "0.3");
        assert_eq!(serde_json::from_value::<Operation>(serde_json::to_value(before).unwrap()).unwrap(), before);
    }
}
