//! Least-cost routing: which carriers may take a call, cheapest first.

use std::collections::BTreeMap;

use money::{Decimal, Percent};
use serde::{Deserialize, Serialize};

use crate::{Exact, PricingError};

/// A carrier and what it charges per minute, by prefix of the called number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// Its name in routes.
    pub code: String,
    /// Is it in service?
    pub up: bool,
    /// Prefix (digits) to rate per minute.
    pub rates: BTreeMap<String, Decimal>,
}

/// A call to be routed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// E.164, with or without a leading `+`.
    pub called: String,
    /// What the caller pays per minute; above zero.
    pub sell_rate: Decimal,
    /// A route keeps at least this much of the sell rate.
    pub minimum_margin: Percent,
}

/// A carrier that may take the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its code.
    pub carrier: String,
    /// The carrier's longest prefix of the number.
    pub prefix: String,
    /// Per minute.
    pub rate: Decimal,
    /// `(sell - rate) / sell x 100`, to six decimals.
    pub margin_percent: Decimal,
}

impl Routing {
    /// The carriers that are up, know the number and keep the margin, cheapest first; ties keep their order.
    pub fn routes(&self, carriers: &[Carrier]) -> Result<Vec<Route>, PricingError> {
        let digits = called_digits(&self.called)?;
        if self.sell_rate <= Decimal::ZERO {
            return Err(PricingError::MustBeAboveZero);
        }
        let sell = Exact::from(self.sell_rate);
        let mut routes = Vec::new();
        for carrier in carriers.iter().filter(|carrier| carrier.up) {
            let Some((prefix, rate)) = longest(&carrier.rates, digits) else {
                continue;
            };
            let margin = sell.minus(&Exact::from(rate)).over(&sell)?.times(&Exact::integer(100));
            if margin >= Exact::from(self.minimum_margin.as_decimal()) {
                let margin_percent = margin.to_decimal_places(6)?;
                routes.push(Route { carrier: carrier.code.clone(), prefix: prefix.to_owned(), rate, margin_percent });
            }
        }
        routes.sort_by_key(|route| route.rate);
        Ok(routes)
    }
}

/// A called number without its `+`.
pub(crate) fn called_digits(called: &str) -> Result<&str, PricingError> {
    let digits = called.strip_prefix('+').unwrap_or(called);
    if !is_number(digits) {
        return Err(PricingError::MustBeCalledNumber);
    }
    Ok(digits)
}

/// E.164 has at most 15 digits.
pub(crate) fn is_number(digits: &str) -> bool {
    (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A carrier's longest prefix, also when a shorter one would be cheaper: that is what it will charge.
fn longest<'a>(rates: &'a BTreeMap<String, Decimal>, digits: &str) -> Option<(&'a str, Decimal)> {
    (1..=digits.len())
        .rev()
        .find_map(|length| rates.get_key_value(&digits[..length]))
        .map(|(prefix, rate)| (prefix.as_str(), *rate))
}
