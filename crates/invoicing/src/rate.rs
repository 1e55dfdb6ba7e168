//! What one component comes to in one period: included units first, then its price, then its share of the period; rounded
//! once, to the minor unit, when it becomes a line.

use crate::error::Result;
use money::{Currency, Decimal, Money};
use pricing::{Exact, Explanation, Model, Price, Proration, RoundTo, Rule, Segment, Step, Usage};
use std::collections::BTreeMap;

/// Usage of one combination of the dimensions that a price asks for.
pub(crate) type Quantities = Vec<(BTreeMap<String, String>, Decimal)>;

/// A component's amount and how it came about.
pub(crate) struct Rated {
    /// All that was used, included units too.
    pub used: Decimal,
    /// Units that came before the price.
    pub included: Decimal,
    /// One price per unit, where that tells the whole.
    pub unit_price: Option<Decimal>,
    pub amount: Money,
    pub explanation: Explanation,
}

/// What a component's price is applied to.
pub(crate) struct Rateable<'a> {
    pub price: &'a Price,
    pub included: Decimal,
    pub quantities: &'a Quantities,
    /// Days for which the component counts: tier bounds, fixed parts and included units shrink with them.
    pub segment: Segment,
    /// Multiplies the result: months of a term, and the share of a first or last month.
    pub factor: &'a Factor,
}

/// Months of a term, less days that are free.
pub(crate) struct Factor {
    pub exact: Exact,
    /// As an explanation says it: `17 of 31 days`; empty for one whole month.
    pub said: String,
}

impl Factor {
    pub(crate) fn whole() -> Factor {
        Factor { exact: Exact::integer(1), said: String::new() }
    }

    /// Days of a period, for what lasts.
    pub(crate) fn days(share: Proration) -> Result<Factor> {
        if share.days == share.of_days {
            return Ok(Factor::whole());
        }
        Ok(Factor { exact: share.of(&Exact::integer(1))?, said: format!("{}/{} days", share.days, share.of_days) })
    }

    /// What costs nothing whatever there is of it.
    pub(crate) fn nothing(why: &str) -> Factor {
        Factor { exact: Exact::zero(), said: why.to_owned() }
    }
}

/// Prices a component.
pub(crate) fn rate(rateable: &Rateable<'_>, currency: Currency) -> Result<Rated> {
    let used = rateable.quantities.iter().map(|(_, quantity)| *quantity).sum::<Decimal>();
    let included = share_of(rateable.included, rateable.segment)?;
    let mut left = included;
    let mut steps = Vec::new();
    if !left.is_zero() {
        steps.push(Step::new(Rule::Included { used: used.normalize() }, left.normalize()));
    }
    let nothing: Quantities = vec![(BTreeMap::new(), Decimal::ZERO)];
    let asks_dimension = matches!(rateable.price.model, Model::By { .. });
    let quantities = if rateable.quantities.is_empty() && !asks_dimension { &nothing } else { rateable.quantities };
    let mut exact = Exact::zero();
    for (dimensions, quantity) in quantities {
        let free = left.min(*quantity);
        left -= free;
        let usage = Usage { dimensions: dimensions.clone(), segment: rateable.segment, ..Usage::of(*quantity - free) };
        exact = exact.plus(&rateable.price.exact(&usage)?);
        let named = dimensions.values().cloned().collect::<Vec<_>>().join(", ");
        let explained =
            rateable.price.explain(&usage)?.steps.into_iter().filter(|step| !matches!(step.rule, Rule::Total { .. }));
        let part = if asks_dimension { named } else { String::new() };
        steps.extend(explained.map(|step| Step { part: part.clone(), ..step }));
    }
    let amount = exact.times(&rateable.factor.exact).to_money(currency, RoundTo::Minor)?;
    if !rateable.factor.said.is_empty() {
        let of = exact.to_decimal_places(10)?;
        steps.push(Step::new(Rule::Share { of, share: rateable.factor.said.clone() }, amount.as_decimal()));
    }
    let segment = Some(rateable.segment).filter(|segment| segment.days != segment.of_days);
    steps.push(Step::new(Rule::Total { rounded_to: Some(RoundTo::Minor), segment }, amount.as_decimal()));
    let one_price = match &rateable.price.model {
        Model::PerUnit { unit } if rateable.price.minimum.is_none() && rateable.price.maximum.is_none() => Some(*unit),
        _ => None,
    };
    let tells_the_whole = rateable.included.is_zero() && rateable.factor.said.is_empty();
    Ok(Rated {
        used,
        included,
        unit_price: one_price.filter(|_| tells_the_whole),
        amount,
        explanation: Explanation::of(steps),
    })
}

/// Included units of a segment.
fn share_of(included: Decimal, segment: Segment) -> Result<Decimal> {
    let share = Proration { days: segment.days, of_days: segment.of_days };
    Ok(share.of(&Exact::from(included))?.to_decimal_places(6)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_units_come_before_the_price_and_shrink_with_the_segment() {
        let price = Price::per_unit("0.05".parse().unwrap());
        let rated = |used: &str, included: &str, segment| {
            let quantities = vec![(BTreeMap::new(), used.parse().unwrap())];
            let factor = Factor::whole();
            rate(
                &Rateable {
                    price: &price,
                    included: included.parse().unwrap(),
                    quantities: &quantities,
                    segment,
                    factor: &factor,
                },
                Currency::EUR,
            )
            .unwrap()
            .amount
            .format_plain()
        };
        assert_eq!(rated("120", "0", Segment::WHOLE), "6.00"); // 120 x 0.05
        assert_eq!(rated("120", "100", Segment::WHOLE), "1.00"); // 20 x 0.05
        assert_eq!(rated("120", "200", Segment::WHOLE), "0.00");
        assert_eq!(rated("120", "100", Segment { days: 15, of_days: 30 }), "3.50"); // (120 - 50) x 0.05
    }
}
