//! Where one commercial model becomes cheaper than another.
//!
//! Every model of a single volume is a fixed amount, an included volume and a rate beyond it; so the cost is a line with one bend,
//! and two of them meet at most twice.

use std::cmp::Ordering;

use money::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Exact, PricingError};

/// What a month costs by its volume: `fixed + max(0, volume - included) x rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthlyPrice {
    /// Due whatever the volume: a fee, a team, seats, channels.
    pub fixed: Decimal,
    /// Volume inside the fixed amount.
    pub included: Decimal,
    /// For each unit beyond it.
    pub rate: Decimal,
}

/// A volume at which two models cost the same and change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crossing {
    /// The first volume at which they cost the same, to six decimals.
    pub volume: Decimal,
    /// Is the first of the two the cheaper one below it? Above it the other one is.
    pub first_is_cheaper_below: bool,
}

impl MonthlyPrice {
    /// A rate and nothing else.
    pub fn pay_per_use(rate: Decimal) -> MonthlyPrice {
        MonthlyPrice { fixed: Decimal::ZERO, included: Decimal::ZERO, rate }
    }

    /// A rate, and at least so much volume is paid for.
    pub fn with_minimum(rate: Decimal, minimum_volume: Decimal) -> Result<MonthlyPrice, PricingError> {
        let fixed = Exact::from(rate).times(&Exact::from(minimum_volume)).to_decimal()?;
        Ok(MonthlyPrice { fixed, included: minimum_volume, rate })
    }

    /// The same amount for any volume: a dedicated team, seats, channels.
    pub fn fixed(amount: Decimal) -> MonthlyPrice {
        MonthlyPrice { fixed: amount, included: Decimal::ZERO, rate: Decimal::ZERO }
    }

    /// What a month with this volume costs.
    pub fn of(&self, volume: Decimal) -> Exact {
        self.at(&Exact::from(volume))
    }

    fn at(&self, volume: &Exact) -> Exact {
        let beyond = volume.minus(&Exact::from(self.included)).max(Exact::zero());
        Exact::from(self.fixed).plus(&beyond.times(&Exact::from(self.rate)))
    }
}

/// The volumes at which two models change places, rising; none when one is always cheaper, or they are the same.
pub fn break_even(first: &MonthlyPrice, second: &MonthlyPrice) -> Result<Vec<Crossing>, PricingError> {
    let all = [first, second].map(|price| [price.fixed, price.included, price.rate]);
    if all.as_flattened().iter().any(|number| *number < Decimal::ZERO) {
        return Err(PricingError::MustNotBeNegative);
    }
    let mut bends = [Exact::zero(), Exact::from(first.included), Exact::from(second.included)];
    bends.sort();
    let difference = |volume: &Exact| first.at(volume).minus(&second.at(volume));
    let mut walk = Walk::default();
    for pair in bends.windows(2) {
        walk.reach(&pair[0], &difference(&pair[0]))?;
        walk.reach(&pair[1], &difference(&pair[1]))?;
    }
    // Beyond the last bend the difference is a straight line; a step of one tells its slope.
    let last = &bends[2];
    let slope = Exact::from(first.rate).minus(&Exact::from(second.rate));
    walk.leave(last, &difference(last), &slope)?;
    Ok(walk.crossings)
}

/// Goes along the difference of two costs and notes where it changes its sign.
#[derive(Default)]
struct Walk {
    /// The last volume at which the two differed, and by how much.
    differed: Option<(Exact, Exact)>,
    /// The first volume since then at which they were the same.
    same_at: Option<Exact>,
    crossings: Vec<Crossing>,
}

impl Walk {
    fn reach(&mut self, volume: &Exact, difference: &Exact) -> Result<(), PricingError> {
        if difference.is_zero() {
            self.same_at.get_or_insert_with(|| volume.clone());
            return Ok(());
        }
        if let Some((before, earlier)) = &self.differed
            && earlier.is_negative() != difference.is_negative()
        {
            let meet = match &self.same_at {
                Some(same) => same.clone(),
                // On a straight line between the two: before + |earlier| x width / (|earlier| + |difference|).
                None => {
                    let (gap, width) = (earlier.magnitude(), volume.minus(before));
                    before.plus(&gap.times(&width).over(&gap.plus(&difference.magnitude()))?)
                }
            };
            let crossing =
                Crossing { volume: meet.to_decimal_places(6)?, first_is_cheaper_below: earlier.is_negative() };
            self.crossings.push(crossing);
        }
        self.differed = Some((volume.clone(), difference.clone()));
        self.same_at = None;
        Ok(())
    }

    /// From the last bend on, for ever.
    fn leave(&mut self, bend: &Exact, difference: &Exact, slope: &Exact) -> Result<(), PricingError> {
        let turns = match (difference.cmp(&Exact::zero()), slope.cmp(&Exact::zero())) {
            (_, Ordering::Equal) => false,
            (Ordering::Equal, _) => true,
            (side, direction) => side != direction,
        };
        if !turns {
            return Ok(());
        }
        let meet = bend.plus(&difference.magnitude().over(&slope.magnitude())?);
        let beyond = meet.plus(&Exact::integer(1));
        if !difference.is_zero() {
            self.reach(&meet, &Exact::zero())?;
        }
        self.reach(&beyond, slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(fixed: &str, included: &str, rate: &str) -> MonthlyPrice {
        let number = |text: &str| money::parse_decimal(text).unwrap();
        MonthlyPrice { fixed: number(fixed), included: number(included), rate: number(rate) }
    }

    fn check(first: MonthlyPrice, second: MonthlyPrice, expected: &[(&str, bool)]) {
        let found = break_even(&first, &second).unwrap();
        let found: Vec<(String, bool)> =
            found.iter().map(|crossing| (crossing.volume.to_string(), crossing.first_is_cheaper_below)).collect();
        let expected: Vec<(String, bool)> = expected.iter().map(|(at, below)| ((*at).to_owned(), *below)).collect();
        assert_eq!(found, expected, "{first:?} {second:?}");
        let mirrored = break_even(&second, &first).unwrap();
        assert_eq!(mirrored.len(), found.len());
        assert!(
            mirrored.iter().zip(&found).all(|(a, b)| a.first_is_cheaper_below != b.1 && a.volume.to_string() == b.0)
        );
    }

    #[test]
    fn models_change_places_where_they_cost_the_same() {
        let per_use = MonthlyPrice::pay_per_use(Decimal::new(10, 2));
        // 0.10 v = 200 + (v - 1000) 0.05 => 0.05 v = 150 => v = 3000
        check(per_use, price("200", "1000", "0.05"), &[("3000", true)]);
        // 0.10 v = 500 => v = 5000
        check(per_use, MonthlyPrice::fixed(Decimal::from(500)), &[("5000", true)]);
        // Before the bend: 0.10 v = 50 => v = 500; beyond it the bundle's rate is the dearer one:
        // 0.10 v = 50 + (v - 1000) 0.20 => 0.10 v = 150 => v = 1500
        check(per_use, price("50", "1000", "0.20"), &[("500", true), ("1500", false)]);
        // Always cheaper, or the same.
        check(per_use, price("0", "0", "0.20"), &[]);
        check(per_use, per_use, &[]);
        // They touch at 1000 x 0.10 = 100 and part again to the same side.
        check(per_use, price("100", "1000", "0.10"), &[]);
        // The same up to the included volume, another one beyond: nobody was cheaper before.
        check(price("10", "100", "1"), price("10", "100", "2"), &[]);
        // A third: 0.30 v = 100 => v = 333.333...
        check(MonthlyPrice::pay_per_use(Decimal::new(3, 1)), price("100", "0", "0"), &[("333.333333", true)]);
    }

    #[test]
    fn a_stretch_of_equal_costs_is_crossed_where_it_begins() {
        // Cheaper until 100, the same until 200, dearer after.
        let bent = price("10", "200", "1");
        let low = MonthlyPrice { fixed: Decimal::ZERO, included: Decimal::from(100), rate: Decimal::new(1, 1) };
        // low: 0.1 (v - 100) = 10 at v = 200; bent: 10 until 200, then + 1 each.
        check(low, bent, &[]);
    }

    #[test]
    fn a_minimum_is_paid_for_before_the_rate() {
        let minimum = MonthlyPrice::with_minimum(Decimal::from(2), Decimal::from(1000)).unwrap();
        assert_eq!(minimum.of(Decimal::from(400)), Exact::integer(2000)); // 1000 x 2
        assert_eq!(minimum.of(Decimal::from(1500)), Exact::integer(3000)); // 1500 x 2
    }

    #[test]
    fn a_negative_model_is_refused() {
        let odd = MonthlyPrice { rate: Decimal::NEGATIVE_ONE, ..MonthlyPrice::fixed(Decimal::ONE) };
        assert_eq!(break_even(&odd, &MonthlyPrice::fixed(Decimal::ONE)), Err(PricingError::MustNotBeNegative));
    }
}
