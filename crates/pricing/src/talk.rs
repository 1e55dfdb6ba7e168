//! How long a balance lasts: the inverse of rating.

use chrono::{DateTime, Utc};
use money::{Money, MoneyError};

use crate::compiled::{CompiledTariff, too_large, unix_second};
use crate::{PricingError, RoundTo};

/// A tariff with bands is walked at most this far (272 years); what a balance pays for that long is unlimited.
const HORIZON_SECONDS: u64 = 1 << 33;

impl CompiledTariff {
    /// The largest number of whole seconds whose charge, rounded to micros, the balance pays for; `None`: any number.
    pub fn talk_time(&self, balance: Money, start: DateTime<Utc>) -> Result<Option<u32>, PricingError> {
        self.talk_time_to(balance, start, RoundTo::Micros)
    }

    /// As [`CompiledTariff::talk_time`], for charges rounded to micros or to the minor unit. Beyond `u32` it says `u32::MAX`.
    pub fn talk_time_to(
        &self,
        balance: Money,
        start: DateTime<Utc>,
        round: RoundTo,
    ) -> Result<Option<u32>, PricingError> {
        let seconds = self.talk_seconds(balance, start, round)?;
        Ok(seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    pub(crate) fn talk_seconds(
        &self,
        balance: Money,
        start: DateTime<Utc>,
        round: RoundTo,
    ) -> Result<Option<u64>, PricingError> {
        if balance.currency() != self.currency {
            return Err(MoneyError::CurrencyMustMatch { expected: self.currency, found: balance.currency() }.into());
        }
        if balance.is_negative() {
            return Ok(Some(0));
        }
        let limit = self.limit(balance, round)?;
        if self.maximum.is_some_and(|maximum| maximum <= limit) {
            return Ok(None);
        }
        let start = unix_second(start);
        let connection = self.connection_at(start);
        if connection > limit {
            return Ok(Some(0));
        }
        let Some(paid) = self.paid_seconds(start, limit - connection) else {
            return Ok(None);
        };
        // Below the minimum nothing beyond the free seconds can be had.
        let billed = if paid < self.minimum_seconds { 0 } else { paid };
        Ok(Some(self.free_seconds.saturating_add(billed)))
    }

    /// The largest exact charge that still rounds to the balance or below it.
    fn limit(&self, balance: Money, round: RoundTo) -> Result<i128, PricingError> {
        let unit = self.unit(round)?;
        let whole = i128::from(balance.micros() / self.granule(round));
        // A charge rounds to `whole` or below when twice it is under (2 x whole + 1) x unit.
        let twice = (2 * whole + 1).checked_mul(unit).ok_or(too_large())?;
        Ok((twice - 1).div_euclid(2))
    }

    /// Seconds of whole increments that `purse` pays for; `None` when it pays for any number.
    fn paid_seconds(&self, start: i64, mut purse: i128) -> Option<u64> {
        let mut paid = 0u64;
        loop {
            let at = self.free_seconds.saturating_add(paid);
            if self.costs_nothing_from(at) || at > HORIZON_SECONDS && self.schedules.len() > 1 {
                return None;
            }
            let piece = self.piece_at(start, at);
            let (increment, offered) = match (paid, self.first_increment) {
                (0, Some(first)) => (first, 1),
                _ => (piece.increment, (piece.until - at).div_ceil(piece.increment)),
            };
            let cost = piece.rate.saturating_mul(i128::from(increment));
            let affordable =
                if cost == 0 { offered } else { u64::try_from(purse / cost).unwrap_or(u64::MAX).min(offered) };
            paid = paid.saturating_add(affordable.saturating_mul(increment));
            if affordable < offered {
                return Some(paid);
            }
            if at.saturating_add(paid) >= u64::MAX / 2 {
                // The balance outlasts every number of seconds that can be written.
                return None;
            }
            purse -= cost.saturating_mul(i128::from(affordable));
        }
    }

    /// From this second on, does no step of any band cost anything?
    fn costs_nothing_from(&self, position: u64) -> bool {
        self.schedules
            .iter()
            .flat_map(|schedule| {
                let from = schedule.steps.partition_point(|step| step.from <= position) - 1;
                &schedule.steps[from..]
            })
            .all(|step| step.rate == 0)
    }
}
