//! Pricing calls, without a database and on one core: longest prefix in a deck of 200,000, then a tariff with steps and bands.
//! Time is that of the core (the thread's own): waiting for a core that others use says nothing about the work.

use crate::ALLOCATOR;
use crate::report::{Line, Rounds, Scale, milliseconds, tell};
use crate::world::{Dice, ZONE, month_at};
use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use money::Currency;
use pricing::{Band, CompiledTariff, Day, Deck, Per, RateStep, Tariff, TimeOfDay};
use rust_decimal::Decimal;
use stats_alloc::Region;
use std::hint::black_box;
use std::time::Instant;

const PREFIXES: usize = 200_000;
const TARIFFS: u64 = 200;
const CALLS: usize = 2_000_000;

/// A finished call.
struct Call {
    /// `+` and 11 to 13 digits.
    number: String,
    start: DateTime<Utc>,
    seconds: u32,
}

pub fn measure(scale: Scale) -> Result<Vec<Line>> {
    tell("rating");
    let prefixes = prefixes(scale.of(PREFIXES, 2_000));
    let calls = calls(&prefixes, scale.of(CALLS, 20_000));
    let tariffs = (0..TARIFFS).map(tariff).collect::<Result<Vec<CompiledTariff>>>()?;
    let mut dice = Dice::new(2);
    let values: Vec<u16> = prefixes.iter().map(|_| dice.roll(TARIFFS) as u16).collect();
    let deck = Deck::new(prefixes.iter().zip(values.iter().copied()))?;
    let (mut rated, mut found, mut loaded, mut waited) =
        (Rounds::default(), Rounds::default(), Rounds::default(), Rounds::default());
    let mut allocations = 0;
    for round in 0..=scale.rounds() {
        let start = Instant::now();
        black_box(Deck::new(prefixes.iter().zip(values.iter().copied()))?);
        let load = milliseconds(start);
        let core = CoreTime::now()?;
        let matched = calls.iter().filter(|call| deck.lookup(black_box(&call.number)).is_some()).count();
        let nanoseconds = core.elapsed()? * 1e9 / calls.len() as f64;
        anyhow::ensure!(matched == calls.len(), "every number has a prefix");
        let region = Region::new(ALLOCATOR);
        let (core, wall) = (CoreTime::now()?, Instant::now());
        let before = region.change();
        black_box(rate_all(&deck, &tariffs, &calls)?);
        let change = region.change();
        allocations = change.allocations + change.reallocations - before.allocations - before.reallocations;
        let (core, wall) = (core.elapsed()?, wall.elapsed().as_secs_f64());
        // Round 0 warms up.
        if round > 0 {
            loaded.push(load);
            found.push(nanoseconds);
            rated.push(calls.len() as f64 / core);
            waited.push(calls.len() as f64 / wall);
        }
    }
    let each = allocations as f64 / calls.len() as f64;
    let note = format!(
        "limit: the goal, not a measurement. One core; deck of {} prefixes ({:.1} MB of tables), {TARIFFS} tariffs with 2 steps, 3 bands \
         and holidays in {ZONE}, {} calls over a month in no order, uniform over the prefixes; {each:.3} allocations a call; \
         {:.0} a second by the clock on the wall",
        deck.len(),
        deck.memory_bytes() as f64 / 1e6,
        calls.len(),
        waited.median()
    );
    let goal =
        "limit: the goal, not a measurement (lower is better). The longest prefix alone, in nanoseconds, same calls"
            .to_owned();
    let load = format!(
        "limit: the goal, not a measurement (lower is better). {} prefixes into a deck, by the clock",
        deck.len()
    );
    Ok(vec![
        Line::against_goal("rating", rated, 3_000_000.0, "calls/s", note),
        Line::against_goal("deck_lookup", found, 100.0, "ns", goal),
        Line::against_goal("deck_load", loaded, 1_000.0, "ms", load),
    ])
}

/// Nanoseconds that this thread has had a core.
struct CoreTime(u64);

impl CoreTime {
    fn now() -> Result<CoreTime> {
        let path = "/proc/thread-self/schedstat";
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{path} tells the thread's time on a core"))?;
        let first = text.split_whitespace().next().unwrap_or_default();
        Ok(CoreTime(first.parse().with_context(|| format!("{path} begins with nanoseconds"))?))
    }

    /// Seconds since then.
    fn elapsed(&self) -> Result<f64> {
        // The kernel counts in ticks; a tiny run may lie within one.
        Ok(((CoreTime::now()?.0 - self.0) as f64 / 1e9).max(1e-9))
    }
}

fn rate_all(deck: &Deck<u16>, tariffs: &[CompiledTariff], calls: &[Call]) -> Result<i64> {
    let mut sum = 0i64;
    for call in calls {
        let tariff = deck.lookup(&call.number).context("every number has a prefix")?;
        let charge = tariffs[usize::from(*tariff)].rate(call.start, call.seconds)?;
        sum = sum.wrapping_add(charge.amount.micros());
    }
    Ok(sum)
}

/// Prefixes of 3 to 8 digits over all first digits, nested as real decks are.
fn prefixes(count: usize) -> Vec<String> {
    let mut dice = Dice::new(1);
    let mut prefixes = std::collections::BTreeSet::new();
    while prefixes.len() < count {
        // Most entries of a real deck are networks and areas of 6 to 8 digits.
        let digits = [3, 4, 5, 6, 6, 7, 7, 7, 8, 8][dice.roll(10) as usize];
        let most = 10u64.pow(digits);
        prefixes.insert((most / 10 + dice.roll(most - most / 10)).to_string());
    }
    prefixes.into_iter().collect()
}

fn calls(prefixes: &[String], count: usize) -> Vec<Call> {
    let mut dice = Dice::new(3);
    let call = |_| {
        let prefix = &prefixes[dice.roll(prefixes.len() as u64) as usize];
        let rest = 11 + dice.roll(3) as usize - prefix.len();
        let number = format!("+{prefix}{:0rest$}", dice.roll(10u64.pow(rest as u32)));
        // From a second to half an hour, most of them short.
        let most = 1 + dice.roll(1_800);
        let seconds = 1 + dice.roll(most) as u32;
        let start = month_at(0) + TimeDelta::milliseconds(dice.roll(30 * 86_400_000) as i64);
        Call { number, start, seconds }
    };
    (0..count).map(call).collect()
}

fn tariff(n: u64) -> Result<CompiledTariff> {
    let cents = |cents: u64| Decimal::new(cents as i64, 2);
    let steps = |first: u64| {
        vec![
            RateStep { from_second: 0, rate: cents(first), increment: None },
            RateStep { from_second: 1_200, rate: cents(first / 2), increment: None },
        ]
    };
    let week = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri];
    let band = |days: &[Day], from: &str, to: &str, rate: u64| -> Result<Band> {
        let (from, to) = (TimeOfDay::parse(from)?, TimeOfDay::parse(to)?);
        Ok(Band { days: days.to_vec(), from, to, connection: None, steps: steps(rate) })
    };
    let rate = 10 + n;
    let tariff = Tariff {
        connection: cents(n % 7),
        first_increment: Some(if n.is_multiple_of(2) { 60 } else { 30 }),
        increment: if n.is_multiple_of(3) { 1 } else { 6 },
        steps: steps(rate),
        maximum: Some(Decimal::from(50)),
        bands: vec![
            band(&[Day::Holiday], "00:00", "24:00", rate * 2)?,
            band(&week, "18:00", "08:00", rate / 2)?,
            band(&[Day::Sat, Day::Sun], "00:00", "24:00", rate / 2)?,
        ],
        holidays: vec![month_at(0).date_naive() + TimeDelta::days(8), month_at(6).date_naive() + TimeDelta::days(24)],
        ..Tariff::flat(cents(rate), Per::Minute)
    };
    Ok(CompiledTariff::compile(&tariff, Currency::EUR, ZONE)?)
}
