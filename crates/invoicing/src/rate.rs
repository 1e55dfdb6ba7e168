//! What one component comes to in one period: included units first, then its price, then its share of the period; rounded
//! once, to the minor unit, when it becomes a line.

use crate::error::Result;
use chrono::{DateTime, Days, NaiveDate, Utc};
use money::{Currency, Decimal, Money};
use pricing::{
    DateRange, Exact, Explanation, Model, Price, Proration, RoundTo, Rule, Segment, Step, Usage, civil_date,
};
use std::collections::BTreeMap;

/// Usage of one combination of the dimensions that a price asks for.
pub(crate) type Quantities = Vec<(BTreeMap<String, String>, Decimal)>;

/// A component's amount and how it came about.
pub(crate) struct Rated {
    /// All that was used, included units too.
    pub used: Decimal,
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
}

/// Civil days of a period on which something counted: from the day of `from` on, up to and with the last day before `until`.
/// `None` when that is no day at all.
///
/// This is the one rule of proration: a trial's free days, an add-on's first month and a cancelled subscription's last one
/// are all `amount x days / days of the period`, days of the subscription's zone (a day with a clock change is one day).
pub(crate) fn days_counted(
    starts_on: NaiveDate,
    ends_on: NaiveDate,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    time_zone: &str,
) -> Result<Option<Proration>> {
    let first = civil_date(from, time_zone)?.max(starts_on);
    let last = match until {
        // The day of its last instant counts, the day that begins with `until` does not.
        Some(until) => civil_date(until - chrono::TimeDelta::microseconds(1), time_zone)?
            .checked_add_days(Days::new(1))
            .unwrap_or(ends_on),
        None => ends_on,
    }
    .min(ends_on);
    if last <= first {
        return Ok(None);
    }
    let period = DateRange { from: starts_on, to: ends_on };
    Ok(Some(period.share(&DateRange { from: first, to: last })?))
}

/// Prices a component.
pub(crate) fn rate(rateable: &Rateable<'_>, currency: Currency) -> Result<Rated> {
    let used = rateable.quantities.iter().map(|(_, quantity)| *quantity).sum::<Decimal>();
    let mut left = share_of(rateable.included, rateable.segment)?;
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
    Ok(Rated { used, unit_price: one_price.filter(|_| tells_the_whole), amount, explanation: Explanation::of(steps) })
}

/// Included units of a segment.
fn share_of(included: Decimal, segment: Segment) -> Result<Decimal> {
    let share = Proration { days: segment.days, of_days: segment.of_days };
    Ok(share.of(&Exact::from(included))?.to_decimal_places(6)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_share_counts_civil_days_and_a_started_day_is_a_day() {
        let noon = |month, day| Utc.with_ymd_and_hms(2026, month, day, 11, 0, 0).unwrap(); // 12:00 in Berlin in winter
        let midnight = |month, day| Utc.with_ymd_and_hms(2026, month, day, 22, 0, 0).unwrap(); // 00:00 of the next day in summer
        for (from, until, expected) in [
            (noon(1, 1), None, Some((31, 31))),                  // from before: the whole month
            (noon(3, 15), None, Some((17, 31))),                 // 15 .. 31 March
            (noon(1, 1), Some(noon(3, 10)), Some((10, 31))),     // 1 .. 10 March
            (noon(1, 1), Some(midnight(3, 30)), Some((30, 31))), // up to the end of 30 March, Berlin summer time
            (noon(3, 31), Some(noon(3, 31)), Some((1, 31))),     // a day begun
            (noon(4, 1), None, None),
            (noon(1, 1), Some(noon(2, 20)), None),
        ] {
            let share = days_counted(day("2026-03-01"), day("2026-04-01"), from, until, "Europe/Berlin").unwrap();
            assert_eq!(share.map(|share| (share.days, share.of_days)), expected, "{from} {until:?}");
        }
    }

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
