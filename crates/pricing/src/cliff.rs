//! Where more usage costs less: a warning for whoever writes a price.
//!
//! Only `volume` and `stairstep` can fall, where a tier ends: every other model, packages and graduated tiers included, grows with
//! its quantity, because no rate is negative. Limits move with the amount, so they can hide a fall but make none.

use money::Decimal;
use serde::{Deserialize, Serialize};

use crate::price::{Model, Price};
use crate::{Exact, PricingError};

/// Quantities that cost more than some larger quantity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cliff {
    /// The cases of a price by dimension that lead here, outermost first: `["en"]`. The default is an empty text.
    pub cases: Vec<String>,
    /// Beyond this quantity it costs more than `least`, to ten decimals.
    pub above: Decimal,
    /// Until this one, itself included.
    pub up_to: Decimal,
    /// What `up_to` costs.
    pub most: Decimal,
    /// What a little more than some later bound costs.
    pub least: Decimal,
    /// That bound: using just more than it would be cheaper.
    pub beyond: Decimal,
}

/// A stretch `(from, to]` with one rate and one fixed amount.
struct Stretch {
    from: Decimal,
    to: Option<Decimal>,
    unit: Decimal,
    flat: Decimal,
}

type Limits = (Option<Decimal>, Option<Decimal>);

impl Price {
    /// Every range in which more usage would cost less, rising; empty for a price that never falls.
    pub fn cliffs(&self) -> Result<Vec<Cliff>, PricingError> {
        let mut found = Vec::new();
        self.find(&mut Vec::new(), &mut Vec::new(), &mut found)?;
        Ok(found)
    }

    fn find(
        &self,
        cases: &mut Vec<String>,
        limits: &mut Vec<Limits>,
        found: &mut Vec<Cliff>,
    ) -> Result<(), PricingError> {
        limits.push((self.minimum, self.maximum));
        match &self.model {
            Model::Volume { tiers } => {
                let ends = tiers.iter().map(|tier| (tier.up_to, tier.unit, tier.flat));
                found.extend(falls(&stretches(ends), limits, cases)?);
            }
            Model::Stairstep { tiers } => {
                let ends = tiers.iter().map(|tier| (tier.up_to, Decimal::ZERO, tier.amount));
                found.extend(falls(&stretches(ends), limits, cases)?);
            }
            Model::By { cases: prices, default, .. } => {
                let named = prices.iter().map(|(name, price)| (name.clone(), price));
                for (name, price) in named.chain(default.iter().map(|price| (String::new(), price.as_ref()))) {
                    cases.push(name);
                    price.find(cases, limits, found)?;
                    cases.pop();
                }
            }
            _ => {}
        }
        limits.pop();
        Ok(())
    }
}

fn stretches(tiers: impl Iterator<Item = (Option<Decimal>, Decimal, Decimal)>) -> Vec<Stretch> {
    let mut from = Decimal::ZERO;
    let stretch = |(to, unit, flat): (Option<Decimal>, Decimal, Decimal)| {
        let stretch = Stretch { from, to, unit, flat };
        from = to.unwrap_or(from);
        stretch
    };
    tiers.map(stretch).collect()
}

impl Stretch {
    fn at(&self, quantity: Decimal) -> Exact {
        Exact::from(quantity).times(&Exact::from(self.unit)).plus(&Exact::from(self.flat))
    }
}

/// From the last stretch to the first: what is the least that anything beyond its end costs, and where does it cost more than that?
fn falls(stretches: &[Stretch], limits: &[Limits], cases: &[String]) -> Result<Vec<Cliff>, PricingError> {
    let mut found: Vec<Cliff> = Vec::new();
    let mut least: Option<(Exact, Decimal)> = None;
    for (index, stretch) in stretches.iter().enumerate().rev() {
        let (Some(end), Some(next)) = (stretch.to, stretches.get(index + 1)) else { continue };
        let beyond = limited(next.at(end), limits);
        // Of equal ones the nearest.
        if least.as_ref().is_none_or(|(least, _)| beyond <= *least) {
            least = Some((beyond, end));
        }
        let Some((least, bound)) = &least else { continue };
        let most = limited(stretch.at(end), limits);
        if most <= *least {
            continue;
        }
        // Where the line reaches the least; a flat one is above it all along.
        let above = match least.minus(&Exact::from(stretch.flat)).over(&Exact::from(stretch.unit)) {
            Ok(reached) => reached.max(Exact::from(stretch.from)),
            Err(_) => Exact::from(stretch.from),
        };
        let (above, most, least) =
            (above.to_decimal_places(10)?, most.to_decimal_places(10)?, least.to_decimal_places(10)?);
        let cases = cases.to_vec();
        found.push(Cliff { cases, above, up_to: end, most, least, beyond: *bound });
    }
    found.reverse();
    Ok(found)
}

/// An amount within the limits, the innermost price's first.
fn limited(amount: Exact, limits: &[Limits]) -> Exact {
    limits.iter().rev().fold(amount, |amount, (minimum, maximum)| {
        let amount = minimum.map_or(amount.clone(), |minimum| amount.clone().max(Exact::from(minimum)));
        maximum.map_or(amount.clone(), |maximum| amount.clone().min(Exact::from(maximum)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// `(case, above, up to, most, least, beyond)`
    fn check(document: Value, expected: &[(&str, &str, &str, &str, &str, &str)]) {
        let cliffs = Price::from_json(&document).unwrap().cliffs().unwrap();
        let told: Vec<_> = cliffs
            .iter()
            .map(|cliff| {
                let numbers = [cliff.above, cliff.up_to, cliff.most, cliff.least, cliff.beyond];
                (cliff.cases.join("/"), numbers.map(|number| number.normalize().to_string()))
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(case, a, b, c, d, e)| ((*case).to_owned(), [a, b, c, d, e].map(|text| (*text).to_owned())))
            .collect();
        assert_eq!(told, expected, "{document}");
    }

    #[test]
    fn a_volume_price_falls_where_a_cheaper_tier_begins() {
        // 100,000 x 0.0007 = 70, but 100,001 x 0.0005 = 50.0005: whoever uses more than 50 / 0.0007 = 71,428.57 pays too much.
        let field = json!({"model": "volume", "tiers": [{"up_to": "100000", "unit": "0.0007"}, {"up_to": null, "unit": "0.0005"}]});
        check(field, &[("", "71428.5714285714", "100000", "70", "50", "100000")]);
        // A fixed amount of 20 makes up for it: 50 + 20 = 70.
        let even = json!({"model": "volume", "tiers": [{"up_to": "100000", "unit": "0.0007"}, {"up_to": null, "unit": "0.0005", "flat": "20"}]});
        check(even, &[]);
        // The cheapest of all begins at 200: 200 x 1 = 200; so 100 x 3 = 300 is above it from 200 / 3 on, and 200 x 2 from 100 on.
        let steep = json!({"model": "volume", "tiers": [
            {"up_to": "100", "unit": "3"}, {"up_to": "200", "unit": "2"}, {"up_to": null, "unit": "1"}]});
        check(steep, &[("", "66.6666666667", "100", "300", "200", "100"), ("", "100", "200", "400", "200", "200")]);
    }

    #[test]
    fn a_stairstep_may_lead_down() {
        let stairs = json!({"model": "stairstep", "tiers": [
            {"up_to": "10", "amount": "5"}, {"up_to": "100", "amount": "25"}, {"up_to": null, "amount": "20"}]});
        check(stairs, &[("", "10", "100", "25", "20", "100")]);
    }

    #[test]
    fn graduated_tiers_and_packages_never_fall() {
        for document in [
            json!({"model": "graduated", "tiers": [{"up_to": "10", "unit": "10", "flat": "2"}, {"up_to": null, "unit": "0"}]}),
            json!({"model": "graduated_percent", "tiers": [{"up_to": "10", "percent": "10"}, {"up_to": null, "percent": "1"}]}),
            json!({"model": "package", "size": "10", "amount": "100", "free": "10"}),
            json!({"model": "percent", "rate": "1", "free_amount": "100", "fixed_per_event": "2"}),
            json!({"model": "per_unit", "unit": "1", "minimum": "5", "maximum": "10"}),
        ] {
            check(document, &[]);
        }
    }

    #[test]
    fn limits_and_cases_are_looked_into() {
        let tiers = json!([{"up_to": "100", "unit": "2"}, {"up_to": null, "unit": "1"}]);
        // 200 and 100 are both above the maximum.
        check(json!({"model": "volume", "tiers": tiers, "maximum": "80"}), &[]);
        // The fall ends at the minimum: 150 / 2 = 75.
        check(json!({"model": "volume", "tiers": tiers, "minimum": "150"}), &[("", "75", "100", "200", "150", "100")]);
        let by = json!({"model": "by", "dimension": "language", "maximum": "120",
            "cases": {"en": {"model": "volume", "tiers": tiers}, "de": {"model": "per_unit", "unit": "1"}},
            "default": {"model": "volume", "tiers": tiers}});
        check(by, &[("en", "50", "100", "120", "100", "100"), ("", "50", "100", "120", "100", "100")]);
    }
}
