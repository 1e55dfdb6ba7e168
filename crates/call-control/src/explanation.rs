//! Why a call cost what it cost, as data: which price and why, how long, what it came to, the rounding and the tax inside.

use crate::error::{CallError, Result};
use chrono::{DateTime, Utc};
use db::{DeckId, SubscriptionId, TariffId};
use money::{Currency, Decimal, Money};
use pricing::Explanation;
use serde::{Deserialize, Serialize};

/// Stored with a call when it is settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallExplanation {
    pub priced_by: PricedBy,
    /// Started seconds from the start of the meter to its end.
    pub metered_seconds: u32,
    /// Seconds charged, after increments.
    pub billed_seconds: u32,
    /// What of it the customer's plan included; empty where it includes nothing, or does not cover the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<IncludedUnits>,
    /// The sum, term by term; empty where no amount is known before the period ends.
    pub sum: Explanation,
    /// `micros` or `minor`: what the charge is rounded to, once, half away from zero.
    pub rounded_to: String,
    /// Call charges know no discount: discounts are on documents.
    pub discounts: Vec<String>,
    /// The tax that the charge includes; absent where the price is net (components) or there is no charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<TaxInside>,
    /// What the wallet could not pay, in main units; absent when it paid all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpaid: Option<Decimal>,
}

/// Whose price it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum PricedBy {
    /// Number, digit and topic lead to a tariff.
    Tariff { number: String, digit: i32, topic: String, tariff_id: TariffId, tariff: String, version: u32 },
    /// The called number's longest prefix in a rate deck: of a call that went out.
    Deck { called: String, deck_id: DeckId, deck: String, version: u32, prefix: String, destination: String },
    /// A component of the customer's subscription covers the call: the tariff does not apply.
    Component {
        number: String,
        digit: i32,
        topic: String,
        subscription_id: SubscriptionId,
        plan: String,
        plan_version: u32,
        key: String,
        component: String,
    },
    /// Nobody's: several subscriptions would charge it, or it never came to a topic.
    Nothing { reason: String },
}

/// What a call used of an allowance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncludedUnits {
    /// The component that includes them, as people know it.
    pub component: String,
    /// `minutes`, `calls`.
    pub unit: String,
    /// How many are included from when to when.
    pub included: Decimal,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// What this call used.
    pub used: Decimal,
    /// What came free by it; more than it used where units that it held, and left, make an earlier call free after all.
    pub free: Decimal,
    /// What its price applies to: used less free.
    pub beyond: Decimal,
    /// What was left for other calls when it was settled.
    pub left: Decimal,
}

/// Tax inside a charge: gross = net + tax.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxInside {
    pub percent: Decimal,
    pub gross: Decimal,
    pub net: Decimal,
    pub tax: Decimal,
    pub currency: String,
}

impl TaxInside {
    /// Splits a gross charge at a rate: net = gross / (1 + rate), to micros, half away from zero; the tax is the rest.
    pub(crate) fn of(gross: Money, percent: Decimal) -> Result<(Money, TaxInside)> {
        let percent = percent.normalize();
        let whole = i64::try_from(percent.mantissa())
            .ok()
            .zip(10i64.checked_pow(percent.scale()).and_then(|scale| scale.checked_mul(100)));
        let (mantissa, hundred) = whole.ok_or(money::MoneyError::Overflow)?;
        let net = gross.scale(hundred, hundred.checked_add(mantissa).ok_or(money::MoneyError::Overflow)?)?;
        let tax = gross.checked_sub(net)?;
        let inside = TaxInside {
            percent,
            gross: gross.as_decimal(),
            net: net.as_decimal(),
            tax: tax.as_decimal(),
            currency: gross.currency().code().to_owned(),
        };
        Ok((net, inside))
    }
}

/// A stored explanation.
pub(crate) fn read(stored: &serde_json::Value) -> Result<CallExplanation> {
    serde_json::from_value(stored.clone())
        .map_err(|error| CallError::StoredMustRead { what: "explanation of a call", reason: error.to_string() })
}

/// A currency as stored.
pub(crate) fn read_currency(stored: &str) -> Result<Currency> {
    Ok(stored.parse::<Currency>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tax_is_taken_out_of_the_gross_once_and_the_parts_sum_to_it() {
        // (gross, percent, net): 119 / 1.19 = 100; 16.55 / 1.19 = 13.907563 (0.025..); 10 / 1.077 = 9.285051 (0.0649..)
        let cases = [
            ("119.00", "19", "100.000000"),
            ("16.55", "19", "13.907563"),
            ("10.00", "7.7", "9.285051"),
            ("5.00", "0", "5.000000"),
        ];
        for (gross, percent, net) in cases {
            let gross = Money::parse(gross, Currency::EUR).unwrap();
            let (found, inside) = TaxInside::of(gross, percent.parse().unwrap()).unwrap();
            assert_eq!(found, Money::parse(net, Currency::EUR).unwrap(), "{gross} at {percent}");
            assert_eq!(inside.net + inside.tax, inside.gross);
        }
    }
}
