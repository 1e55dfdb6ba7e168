//! What a call costs.

use chrono::{DateTime, Utc};
use money::Money;
use serde::{Deserialize, Serialize};

use crate::compiled::{CompiledTariff, Piece, too_large, unix_second};
use crate::explain::{Explanation, Rule, Step};
use crate::tariff::Band;
use crate::{Exact, PricingError, RoundTo, spell};

/// The charge of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCharge {
    /// The whole charge, connection included, rounded once.
    pub amount: Money,
    /// Seconds billed: after free seconds, the minimum and increments.
    pub billed_seconds: u32,
    /// The connection fee, rounded by itself for display; it is inside `amount`.
    pub connection: Money,
}

/// An explanation tells so many stretches of time one by one.
const STRETCHES_MAX: usize = 40;

/// The exact charge and how long was billed.
struct Charged {
    charge: i128,
    connection: i128,
    billed: u64,
}

impl CompiledTariff {
    /// Rates a call to micros. `start` is the answer: the instant at which the meter started; `seconds` is the metered time.
    pub fn rate(&self, start: DateTime<Utc>, seconds: u32) -> Result<CallCharge, PricingError> {
        self.rate_to(start, seconds, RoundTo::Micros)
    }

    /// Rates a call to micros or to the minor unit. A call of 0 seconds was not answered and costs nothing.
    pub fn rate_to(&self, start: DateTime<Utc>, seconds: u32, round: RoundTo) -> Result<CallCharge, PricingError> {
        let charged = self.charge(unix_second(start), u64::from(seconds), |_, _, _| {})?;
        Ok(CallCharge {
            amount: self.money(self.capped(charged.charge), round)?,
            billed_seconds: u32::try_from(charged.billed).map_err(|_| too_large())?,
            connection: self.money(charged.connection, round)?,
        })
    }

    /// Why a call costs what it costs: connection, each piece of time, the maximum, the rounded total.
    pub fn explain(&self, start: DateTime<Utc>, seconds: u32) -> Result<Explanation, PricingError> {
        self.explain_to(start, seconds, RoundTo::Micros)
    }

    /// As [`CompiledTariff::explain`], for a charge that is rounded to the minor unit.
    pub fn explain_to(&self, start: DateTime<Utc>, seconds: u32, round: RoundTo) -> Result<Explanation, PricingError> {
        let total = self.rate_to(start, seconds, round)?;
        if seconds == 0 {
            return Ok(Explanation::of(vec![Step::new(Rule::NotAnswered, total.amount.as_decimal())]));
        }
        let mut stretches: Vec<Stretch> = Vec::new();
        let charged =
            self.charge(unix_second(start), u64::from(seconds), |piece, at, length| match stretches.last_mut() {
                Some(last) if last.schedule == piece.schedule && last.step == piece.step => last.seconds += length,
                _ => stretches.push(Stretch {
                    schedule: piece.schedule,
                    step: piece.step,
                    at,
                    seconds: length,
                    times: 1,
                }),
            })?;
        let mut steps = vec![Step::new(Rule::Connection, self.shown(charged.connection))];
        if self.free_seconds > 0 {
            let free = self.free_seconds.min(u64::from(seconds));
            steps.push(Step::new(Rule::FreeSeconds { free, of: seconds }, money::Decimal::ZERO));
        }
        steps.extend(shortened(stretches).iter().map(|stretch| self.stretch_step(stretch)));
        if self.maximum.is_some_and(|maximum| charged.charge > maximum) {
            let instead_of = self.shown(charged.charge);
            steps.push(Step::new(Rule::Maximum { instead_of }, self.shown(self.capped(charged.charge))));
        }
        let rule = Rule::CallTotal {
            metered_seconds: seconds,
            billed_seconds: charged.billed,
            first_increment: self.first_increment.unwrap_or(self.schedules[0].steps[0].increment),
            increment: self.tariff.increment,
            rounded_to: round,
        };
        steps.push(Step::new(rule, total.amount.as_decimal()));
        Ok(Explanation::of(steps))
    }

    /// Walks the call once. `visit` sees each piece of billed time: what holds, the second at which it begins, its length.
    fn charge(
        &self,
        start: i64,
        seconds: u64,
        mut visit: impl FnMut(&Piece, u64, u64),
    ) -> Result<Charged, PricingError> {
        if seconds == 0 {
            return Ok(Charged { charge: 0, connection: 0, billed: 0 });
        }
        let mut held = self.held_at(start, 0);
        let connection = self.schedules[held.schedule].connection;
        let mut charged = Charged { charge: connection, connection, billed: 0 };
        if seconds <= self.free_seconds {
            return Ok(charged);
        }
        let needed = (seconds - self.free_seconds).max(self.minimum_seconds);
        while charged.billed < needed {
            let at = self.free_seconds + charged.billed;
            if at >= held.until {
                held = self.held_at(start, at);
            }
            let piece = self.piece_in(held, at);
            let length = self.length_of(&piece, at, charged.billed, needed);
            let amount = product(piece.rate, length).ok_or(too_large())?;
            charged.charge = charged.charge.checked_add(amount).ok_or(too_large())?;
            charged.billed += length;
            visit(&piece, at, length);
        }
        Ok(charged)
    }

    /// Seconds of the increments that begin within a piece: an increment that has begun is charged as it began.
    fn length_of(&self, piece: &Piece, at: u64, billed: u64, needed: u64) -> u64 {
        if let (0, Some(first)) = (billed, self.first_increment) {
            return first;
        }
        let wanted = (needed - billed).div_ceil(piece.increment);
        // Most calls end in the piece in which they are: then all of its increments begin within.
        if at + (wanted - 1) * piece.increment < piece.until {
            return wanted * piece.increment;
        }
        (piece.until - at).div_ceil(piece.increment) * piece.increment
    }

    fn capped(&self, charge: i128) -> i128 {
        self.maximum.map_or(charge, |maximum| charge.min(maximum))
    }

    /// A charge in main units, for explanations.
    fn shown(&self, charge: i128) -> money::Decimal {
        spell::shown(&Exact::ratio(charge, self.scale, u64::from(self.tariff.per.seconds())))
    }

    fn stretch_step(&self, stretch: &Stretch) -> Step {
        let rate = self.schedules[stretch.schedule].steps[stretch.step].rate;
        let band = stretch.schedule.checked_sub(1).and_then(|index| self.tariff.bands.get(index));
        let rule = Rule::Stretch {
            from_second: stretch.at,
            seconds: stretch.seconds,
            times: stretch.times,
            rate: spell::shown(&Exact::ratio(rate, self.scale, 1)),
            per: self.tariff.per,
            band: band.map(Band::to_string),
        };
        Step::new(rule, self.shown(rate.saturating_mul(i128::from(stretch.seconds))))
    }
}

/// Rates are seldom beyond 64 bits, where a product takes one step and cannot overflow.
fn product(rate: i128, seconds: u64) -> Option<i128> {
    match (i64::try_from(rate), i64::try_from(seconds)) {
        (Ok(rate), Ok(seconds)) => Some(i128::from(rate) * i128::from(seconds)),
        _ => rate.checked_mul(i128::from(seconds)),
    }
}

/// Billed time at one rate.
struct Stretch {
    schedule: usize,
    step: usize,
    at: u64,
    seconds: u64,
    /// How often this rate came back, when the stretches of a very long call are told together.
    times: u64,
}

/// More stretches than a person reads are told together, rate by rate.
fn shortened(stretches: Vec<Stretch>) -> Vec<Stretch> {
    if stretches.len() <= STRETCHES_MAX {
        return stretches;
    }
    let mut rates: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        match rates.iter_mut().find(|rate| rate.schedule == stretch.schedule && rate.step == stretch.step) {
            Some(rate) => {
                rate.seconds += stretch.seconds;
                rate.times += 1;
            }
            None => rates.push(stretch),
        }
    }
    rates
}
