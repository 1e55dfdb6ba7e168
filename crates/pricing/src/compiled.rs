//! A tariff compiled once: rates as exact integers of one scale, bands as tables, nothing left to parse or allocate per call.

use chrono::{DateTime, Utc};
use money::{Currency, Decimal, Money, MoneyError, round_ratio};

use crate::clock::{BandClock, NO_BAND};
use crate::tariff::{RateStep, Tariff};
use crate::{PricingError, RoundTo};

/// A tariff ready to rate calls in one currency and one time zone.
///
/// A charge is counted in `1 / (10^scale x per_seconds)` of the main unit, in which every rate and fee is a whole number;
/// so 50.00 an hour by the second stays exact until it is rounded.
#[derive(Debug, Clone)]
pub struct CompiledTariff {
    pub(crate) tariff: Tariff,
    pub(crate) currency: Currency,
    pub(crate) scale: u32,
    per_micro: Unit,
    per_minor: Unit,
    pub(crate) first_increment: Option<u64>,
    pub(crate) minimum_seconds: u64,
    pub(crate) free_seconds: u64,
    pub(crate) maximum: Option<i128>,
    /// The tariff's own prices first, then those of each band.
    pub(crate) schedules: Vec<Schedule>,
    clock: Option<BandClock>,
}

/// What charges are rounded to.
#[derive(Debug, Clone, Copy)]
struct Unit {
    /// How many of the tariff's own units make one; `None` when that is beyond what can be counted.
    size: Option<i128>,
    /// Micros in one.
    micros: i64,
}

/// The prices of the tariff itself or of one band.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) connection: i128,
    pub(crate) steps: Vec<Step>,
}

/// Which schedule holds from a position on, and the first position at which another one may.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) schedule: usize,
    pub(crate) until: u64,
}

/// A rate per second of a step, in the tariff's own unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) from: u64,
    pub(crate) rate: i128,
    pub(crate) increment: u64,
}

/// What holds from some second of a call until another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) schedule: usize,
    pub(crate) step: usize,
    pub(crate) rate: i128,
    pub(crate) increment: u64,
    /// The first second of the call at which something else may hold; `u64::MAX` when nothing will.
    pub(crate) until: u64,
}

impl CompiledTariff {
    /// Compiles a tariff. `time_zone` is the IANA zone in which its bands and holidays are read.
    pub fn compile(tariff: &Tariff, currency: Currency, time_zone: &str) -> Result<CompiledTariff, PricingError> {
        tariff.check()?;
        crate::must_be_time_zone(time_zone)?;
        let scale = largest_scale(tariff).max(6);
        let per_seconds = i128::from(tariff.per.seconds());
        let fee = |amount: Decimal| scaled(amount, scale)?.checked_mul(per_seconds).ok_or(too_large());
        let schedule = |connection: Decimal, steps: &[RateStep]| -> Result<Schedule, PricingError> {
            Ok(Schedule { connection: fee(connection)?, steps: compile_steps(steps, scale, tariff.increment)? })
        };
        let mut schedules = vec![schedule(tariff.connection, &tariff.steps)?];
        for band in &tariff.bands {
            schedules.push(schedule(band.connection.unwrap_or(tariff.connection), &band.steps)?);
        }
        let clock = if tariff.bands.is_empty() { None } else { Some(BandClock::new(tariff, time_zone)?) };
        let unit = |micros: i64| {
            let per_micro = 10i128.checked_pow(scale - 6).and_then(|power| power.checked_mul(per_seconds));
            Unit { size: per_micro.and_then(|size| size.checked_mul(i128::from(micros))), micros }
        };
        Ok(CompiledTariff {
            currency,
            scale,
            per_micro: unit(1),
            per_minor: unit(currency.micros_per_minor()),
            first_increment: tariff.first_increment.map(u64::from),
            minimum_seconds: u64::from(tariff.minimum_seconds),
            free_seconds: u64::from(tariff.free_seconds),
            maximum: tariff.maximum.map(fee).transpose()?,
            schedules,
            clock,
            tariff: tariff.clone(),
        })
    }

    /// The currency of its charges.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The document it was compiled from.
    pub fn tariff(&self) -> &Tariff {
        &self.tariff
    }

    /// The band that holds at second `position` of a call that was answered at `start`.
    pub(crate) fn held_at(&self, start: i64, position: u64) -> Held {
        let Some(clock) = &self.clock else { return Held { schedule: NO_BAND, until: u64::MAX } };
        // A position beyond i64 is beyond every calendar; the last band then holds on.
        let offset = i64::try_from(position).unwrap_or(i64::MAX);
        let instant = start.saturating_add(offset);
        let (schedule, until) = clock.at(instant.min(i64::MAX / 4));
        let until = u64::try_from(until.saturating_sub(start)).unwrap_or(0).max(position.saturating_add(1));
        Held { schedule, until }
    }

    /// The step of a schedule that holds at a position.
    pub(crate) fn piece_in(&self, held: Held, position: u64) -> Piece {
        let steps = &self.schedules[held.schedule].steps;
        let after = steps.iter().position(|step| step.from > position).unwrap_or(steps.len());
        let step = steps[after - 1];
        let step_until = steps.get(after).map_or(u64::MAX, |next| next.from);
        Piece {
            schedule: held.schedule,
            step: after - 1,
            rate: step.rate,
            increment: step.increment,
            until: held.until.min(step_until),
        }
    }

    /// What holds at second `position` of a call that was answered at `start`.
    pub(crate) fn piece_at(&self, start: i64, position: u64) -> Piece {
        self.piece_in(self.held_at(start, position), position)
    }

    /// The connection fee of the band in which the call began.
    pub(crate) fn connection_at(&self, start: i64) -> i128 {
        self.schedules[self.held_at(start, 0).schedule].connection
    }

    /// The unit of charges per micro or minor unit: how many make one.
    pub(crate) fn unit(&self, round: RoundTo) -> Result<i128, PricingError> {
        self.rounded_to(round).size.ok_or(too_large())
    }

    /// Micros in what is rounded to.
    pub(crate) fn granule(&self, round: RoundTo) -> i64 {
        self.rounded_to(round).micros
    }

    fn rounded_to(&self, round: RoundTo) -> Unit {
        match round {
            RoundTo::Micros => self.per_micro,
            RoundTo::Minor => self.per_minor,
        }
    }

    /// A charge as money, rounded once, half away from zero.
    pub(crate) fn money(&self, charge: i128, round: RoundTo) -> Result<Money, PricingError> {
        let unit = self.rounded_to(round);
        let units = round_fast(charge, unit.size.ok_or(too_large())?).ok_or(too_large())?;
        Ok(Money::from_micros(units.checked_mul(unit.micros).ok_or(too_large())?, self.currency))
    }
}

/// `None` beyond 64 bits. Charges are seldom longer, and a division of such takes a third of the time.
fn round_fast(charge: i128, unit: i128) -> Option<i64> {
    match (u64::try_from(charge), u64::try_from(unit)) {
        (Ok(charge), Ok(unit)) => {
            let (quotient, remainder) = (charge / unit, charge % unit);
            i64::try_from(quotient + u64::from(remainder >= unit - remainder)).ok()
        }
        _ => i64::try_from(round_ratio(charge, unit)).ok(),
    }
}

/// The unix second of a call's start. A fraction of a second changes nothing: bands begin at whole seconds.
pub(crate) fn unix_second(start: DateTime<Utc>) -> i64 {
    start.timestamp()
}

pub(crate) fn too_large() -> PricingError {
    PricingError::Money(MoneyError::Overflow)
}

fn compile_steps(steps: &[RateStep], scale: u32, increment: u32) -> Result<Vec<Step>, PricingError> {
    let compile = |step: &RateStep| {
        Ok(Step {
            from: u64::from(step.from_second),
            rate: scaled(step.rate, scale)?,
            increment: u64::from(step.increment.unwrap_or(increment)),
        })
    };
    steps.iter().map(compile).collect()
}

/// The most decimals of any rate or fee, zeros at the end apart.
fn largest_scale(tariff: &Tariff) -> u32 {
    let fees = [Some(tariff.connection), tariff.maximum].into_iter().flatten();
    let bands =
        tariff.bands.iter().flat_map(|band| band.connection.into_iter().chain(band.steps.iter().map(|step| step.rate)));
    let all = fees.chain(tariff.steps.iter().map(|step| step.rate)).chain(bands);
    all.map(|number| number.normalize().scale()).max().unwrap_or(0)
}

/// A number as a whole number of `10^-scale`.
fn scaled(number: Decimal, scale: u32) -> Result<i128, PricingError> {
    let number = number.normalize();
    let factor = 10i128.checked_pow(scale - number.scale()).ok_or(too_large())?;
    number.mantissa().checked_mul(factor).ok_or(too_large())
}
