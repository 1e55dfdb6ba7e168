//! Shares of a period by civil days, and changes in the middle of one.

use chrono::NaiveDate;
use money::{Currency, Money, Rounding};
use serde::{Deserialize, Serialize};

use crate::{Exact, PricingError, RoundTo};

/// Civil dates, `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateRange {
    /// The first day.
    pub from: NaiveDate,
    /// The day after the last.
    pub to: NaiveDate,
}

impl DateRange {
    /// Days in it, zero when it is empty; refuses an end before the beginning.
    pub fn days(&self) -> Result<u32, PricingError> {
        u32::try_from((self.to - self.from).num_days()).map_err(|_| PricingError::EndBeforeBeginning)
    }

    /// Days of `used` and of the period itself; refuses an empty period, and days used outside of it.
    pub fn share(&self, used: &DateRange) -> Result<Proration, PricingError> {
        let of_days = self.days().ok().filter(|days| *days > 0).ok_or(PricingError::PeriodMustNotBeEmpty)?;
        let days = used.days()?;
        if used.from < self.from || used.to > self.to {
            return Err(PricingError::UsedMustLieInPeriod);
        }
        Ok(Proration { days, of_days })
    }
}

/// Days used of the days of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proration {
    /// Days that count.
    pub days: u32,
    /// Days of the whole period; above zero.
    pub of_days: u32,
}

impl Proration {
    /// This share of a number, exact; refuses a period of no days.
    pub fn of(&self, number: &Exact) -> Result<Exact, PricingError> {
        number.times(&Exact::integer(i64::from(self.days))).over(&Exact::integer(i64::from(self.of_days)))
    }
}

/// `amount x days used / days in the period`, rounded once to micros.
pub fn prorate(amount: Money, days: u32, of_days: u32) -> Result<Money, PricingError> {
    prorate_to(amount, Proration { days, of_days }, RoundTo::Micros)
}

/// A share of an amount, rounded once to micros or to the minor unit.
pub fn prorate_to(amount: Money, share: Proration, round: RoundTo) -> Result<Money, PricingError> {
    share.of(&Exact::from(amount))?.to_money(amount.currency(), round)
}

/// What a change in the middle of a period puts on the invoice, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The unused part of the old amount, zero or below.
    pub credit: Money,
    /// The rest of the period at the new amount.
    pub charge: Money,
    /// Their sum.
    pub net: Money,
}

/// Changes from one amount for a whole period to another: credits the unused days of the old, charges them at the new.
///
/// `on` is the first day of the new amount; equal to the period's end nothing is left to change.
pub fn change(old: Money, new: Money, period: &DateRange, on: NaiveDate) -> Result<Change, PricingError> {
    old.compare(new)?;
    change_exact(&Exact::from(old), &Exact::from(new), old.currency(), period, on)
}

/// As [`change`], for amounts that are not rounded yet.
pub(crate) fn change_exact(
    old: &Exact,
    new: &Exact,
    currency: Currency,
    period: &DateRange,
    on: NaiveDate,
) -> Result<Change, PricingError> {
    let of_days = period.share(&DateRange { from: period.from, to: period.from })?.of_days;
    if on < period.from || on > period.to {
        return Err(PricingError::ChangeMustLieInPeriod);
    }
    if old.is_negative() || new.is_negative() {
        return Err(PricingError::MustNotBeNegative);
    }
    let share = Proration { days: DateRange { from: on, to: period.to }.days()?, of_days };
    let credit = share.of(old)?.to_money(currency, RoundTo::Minor)?.checked_neg()?;
    let charge = share.of(new)?.to_money(currency, RoundTo::Minor)?;
    Ok(Change { credit, charge, net: credit.checked_add(charge)? })
}

/// As [`change`], and the credit never exceeds what was billed for the old amount less what was credited before.
pub fn change_capped(change: Change, billed: Money, credited: Money) -> Result<Change, PricingError> {
    let left = billed.checked_sub(credited)?.max(Money::zero(billed.currency()))?;
    // Down, so that rounding cannot credit more than is left.
    let (left, _) = left.to_minor(Rounding::Down)?;
    let credit = change.credit.max(left.checked_neg()?)?;
    Ok(Change { credit, net: credit.checked_add(change.charge)?, ..change })
}
