//! One call's price while it runs: what a length costs, and how long an amount lasts. Pure.

use crate::error::Result;
use chrono::{DateTime, Utc};
use money::Money;
use pricing::{CallCharge, CompiledTariff, Explanation, RoundTo};

/// A grant asks for this much more than has been used.
pub(crate) const CHUNK_SECONDS: u32 = 60;

/// A million: more than any call costs.
const AMPLE_MICROS: i64 = 1_000_000_000_000;

/// A tariff with the seller's rounding.
#[derive(Clone, Debug)]
pub(crate) struct CallPrice {
    tariff: CompiledTariff,
    round: RoundTo,
}

/// How far a call may go, and what must be held for it in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Metered seconds; `None`: any number.
    pub seconds: Option<u32>,
    /// The charge at that second: what must be reserved from the call's first second to it.
    pub cost: Money,
    /// The budget pays for no more.
    pub is_final: bool,
}

impl CallPrice {
    pub(crate) fn new(tariff: CompiledTariff, round: RoundTo) -> Self {
        Self { tariff, round }
    }

    pub(crate) fn charge(&self, start: DateTime<Utc>, seconds: u32) -> Result<CallCharge> {
        Ok(self.tariff.rate_to(start, seconds, self.round)?)
    }

    pub(crate) fn explain(&self, start: DateTime<Utc>, seconds: u32) -> Result<Explanation> {
        Ok(self.tariff.explain_to(start, seconds, self.round)?)
    }

    pub(crate) fn round(&self) -> RoundTo {
        self.round
    }

    /// How many metered seconds a budget for the whole call pays for; `None`: any number.
    pub(crate) fn lasts(&self, start: DateTime<Utc>, budget: Money) -> Result<Option<u32>> {
        Ok(self.tariff.talk_time_to(budget, start, self.round)?)
    }

    /// What the increment after `seconds` will cost, and how long it is; zeros where nothing more is charged.
    pub(crate) fn next_increment(&self, start: DateTime<Utc>, seconds: u32) -> Result<(Money, u32)> {
        let cost = self.charge(start, seconds)?.amount;
        let Some(paid_until) = self.lasts(start, cost)? else { return Ok((Money::zero(cost.currency()), 0)) };
        let after = self.charge(start, paid_until.saturating_add(1))?.amount;
        let length = self.lasts(start, after)?.map_or(0, |until| until.saturating_sub(paid_until));
        Ok((after.checked_sub(cost)?, length))
    }

    /// The next reach of a call whose caller needs no budget: what a prepaid book above must hold for it.
    pub(crate) fn ahead(&self, start: DateTime<Utc>, metered: u32, authorised: u32) -> Result<Reach> {
        let ample = Money::from_micros(AMPLE_MICROS, self.charge(start, 0)?.amount.currency());
        self.reach(start, ample, metered, authorised)
    }

    /// The next reach of a call that has used `metered` seconds and may go to `authorised`, out of a budget for the whole call:
    /// what it holds already and what is still free. One chunk beyond the used time, to the end of the increment that is paid
    /// for with it; less, and final, when the budget ends before.
    pub(crate) fn reach(&self, start: DateTime<Utc>, budget: Money, metered: u32, authorised: u32) -> Result<Reach> {
        let affordable = self.tariff.talk_time_to(budget, start, self.round)?;
        let wanted = metered.saturating_add(CHUNK_SECONDS).max(authorised);
        let wanted = affordable.map_or(wanted, |affordable| wanted.min(affordable).max(authorised));
        if wanted == 0 {
            return Ok(Reach { seconds: Some(0), cost: Money::zero(budget.currency()), is_final: true });
        }
        let cost = self.charge(start, wanted)?.amount;
        let paid_for = self.tariff.talk_time_to(cost, start, self.round)?;
        let seconds = paid_for.map(|seconds| seconds.max(wanted));
        let is_final = match (seconds, affordable) {
            (Some(seconds), Some(affordable)) => seconds >= affordable,
            _ => false,
        };
        Ok(Reach { seconds, cost, is_final })
    }
}

/// Started seconds of a metered time: what rating counts.
pub(crate) fn started_seconds(metered_ms: u64) -> u32 {
    u32::try_from(metered_ms.div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::{Currency, Decimal};
    use pricing::{Per, RateStep, Tariff};

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    fn priced(tariff: &Tariff) -> CallPrice {
        CallPrice::new(CompiledTariff::compile(tariff, Currency::EUR, "Europe/Berlin").unwrap(), RoundTo::Micros)
    }

    fn noon() -> DateTime<Utc> {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    /// 0.60 a minute by the second, 0.10 to connect.
    fn simple() -> CallPrice {
        priced(&Tariff { connection: Decimal::new(10, 2), ..Tariff::flat(Decimal::new(60, 2), Per::Minute) })
    }

    #[test]
    fn a_reach_is_one_chunk_and_less_and_final_when_the_budget_ends_before() {
        // (budget, metered, authorised) -> (seconds, cost, final); 0.01 a second after 0.10
        let cases = [
            (("10.00", 0, 0), (60, "0.70", false)),    // 0.10 + 60 x 0.01
            (("10.00", 48, 60), (108, "1.18", false)), // 48 + 60 = 108
            (("0.50", 0, 0), (40, "0.50", true)),      // (0.50 - 0.10) / 0.01
            (("0.70", 0, 0), (60, "0.70", true)),      // exactly one chunk
            (("1.00", 48, 60), (90, "1.00", true)),    // (1.00 - 0.10) / 0.01
            (("0.70", 55, 60), (60, "0.70", true)),    // nothing more than what is held
            (("0.10", 0, 0), (0, "0", true)),          // the connection alone is no call
            (("0.09", 0, 0), (0, "0", true)),
        ];
        for ((budget, metered, authorised), (seconds, cost, is_final)) in cases {
            let reach = simple().reach(noon(), eur(budget), metered, authorised).unwrap();
            assert_eq!(
                reach,
                Reach { seconds: Some(seconds), cost: eur(cost), is_final },
                "{budget} {metered} {authorised}"
            );
        }
    }

    #[test]
    fn a_reach_goes_to_the_end_of_the_increment_that_is_paid_for() {
        // 10.00 for each started five minutes
        let step = RateStep { from_second: 0, rate: Decimal::from(2), increment: None };
        let price =
            priced(&Tariff { steps: vec![step], increment: 300, ..Tariff::flat(Decimal::from(2), Per::Minute) });
        let reach = price.reach(noon(), eur("100.00"), 0, 0).unwrap();
        assert_eq!((reach.seconds, reach.cost), (Some(300), eur("10.00")));
        let reach = price.reach(noon(), eur("19.99"), 250, 300).unwrap();
        assert_eq!((reach.seconds, reach.cost, reach.is_final), (Some(300), eur("10.00"), true));
    }

    #[test]
    fn a_free_call_is_unlimited_and_holds_nothing() {
        let reach = priced(&Tariff::flat(Decimal::ZERO, Per::Minute)).reach(noon(), eur("0"), 0, 0).unwrap();
        assert_eq!(reach, Reach { seconds: None, cost: eur("0"), is_final: false });
    }

    #[test]
    fn a_call_that_has_reached_its_maximum_is_unlimited() {
        let price = priced(&Tariff { maximum: Some(Decimal::ONE), ..Tariff::flat(Decimal::from(6), Per::Minute) });
        // 1.00 at 0.10 a second is reached after 10 seconds
        let reach = price.reach(noon(), eur("5.00"), 0, 0).unwrap();
        assert_eq!(reach, Reach { seconds: None, cost: eur("1.00"), is_final: false });
    }

    #[test]
    fn what_is_charged_is_never_more_than_what_was_held() {
        let price = simple();
        for cents in 0..300 {
            let budget = Money::from_minor(cents, Currency::EUR).unwrap();
            let reach = price.reach(noon(), budget, 0, 0).unwrap();
            let seconds = reach.seconds.unwrap();
            for talked in [0, 1, seconds / 2, seconds] {
                let charge = price.charge(noon(), talked.min(seconds)).unwrap().amount;
                assert!(
                    reach.cost.at_least(charge).unwrap() && budget.at_least(charge).unwrap(),
                    "{budget}: {talked} s"
                );
            }
        }
    }

    #[test]
    fn a_started_second_counts() {
        for (metered_ms, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (1_569_000, 1569)] {
            assert_eq!(started_seconds(metered_ms), seconds);
        }
    }
}
