//! Rounds, medians and the table.

use anyhow::{Context, Result};
use std::time::Instant;

/// How much work, in percent of the full size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    percent: usize,
}

impl Scale {
    /// Enough to see that everything runs; the figures mean nothing.
    pub const TINY: Scale = Scale { percent: 1 };

    /// RINGTILL_BENCH_SCALE, in percent; the full size without it.
    pub fn from_environment() -> Result<Scale> {
        match std::env::var("RINGTILL_BENCH_SCALE") {
            Ok(text) => {
                let percent = text.parse().context("RINGTILL_BENCH_SCALE is a whole number of percent")?;
                anyhow::ensure!((1..=1_000).contains(&percent), "RINGTILL_BENCH_SCALE lies between 1 and 1000");
                Ok(Scale { percent })
            }
            Err(_) => Ok(Scale { percent: 100 }),
        }
    }

    /// So much of `full`, but not less than `least`.
    pub fn of(self, full: usize, least: usize) -> usize {
        (full * self.percent / 100).max(least)
    }

    /// How often each figure is taken.
    pub fn rounds(self) -> usize {
        if self == Scale::TINY { 1 } else { 3 }
    }
}

/// What one figure came to, round by round.
#[derive(Clone, Debug, Default)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (middle, count) = (sorted.len() / 2, sorted.len());
        match count {
            0 => f64::NAN,
            _ if count % 2 == 1 => sorted[middle],
            _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
        }
    }

    fn span(&self) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{}-{}", figure(least), figure(most))
    }
}

/// One work of the table.
pub struct Line {
    pub name: &'static str,
    pub ours: Rounds,
    /// What it is held against: another program in the same run, or a goal.
    pub limit: Rounds,
    pub unit: &'static str,
    /// What the limit is, and whatever one must know to read the figures.
    pub note: String,
}

impl Line {
    /// A work whose limit is a goal and not a measurement.
    pub fn against_goal(name: &'static str, ours: Rounds, goal: f64, unit: &'static str, note: String) -> Line {
        Line { name, ours, limit: Rounds(vec![goal]), unit, note }
    }
}

/// So many of something a second.
pub fn per_second(count: usize, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// Says what is going on: a measurement takes minutes.
pub fn tell(text: &str) {
    eprintln!("bench: {text}");
}

fn figure(value: f64) -> String {
    match value {
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// The table for people, then one line per work for programs.
pub fn print(lines: &[Line], scale: Scale) {
    if scale.percent != 100 {
        println!("At {} percent of the full size: a look at whether it works, not a measurement.", scale.percent);
    }
    println!("\n{:<15} {:>10} {:>10} {:<17} {:>6}  rounds (ours)", "work", "ours", "limit", "unit", "ratio");
    for line in lines {
        let (ours, limit) = (line.ours.median(), line.limit.median());
        let (shown, held) = (figure(ours), figure(limit));
        println!(
            "{:<15} {shown:>10} {held:>10} {:<17} {:>6.2}  {}",
            line.name,
            line.unit,
            ours / limit,
            line.ours.span()
        );
    }
    println!("\nWhat each is held against:");
    for line in lines {
        println!("  {:<15} {}", line.name, line.note);
    }
    println!();
    for line in lines {
        let (ours, limit) = (line.ours.median(), line.limit.median());
        let ratio = ours / limit;
        println!(
            "bench {} ours={} limit={} unit={} ratio={ratio:.2}",
            line.name,
            figure(ours),
            figure(limit),
            line.unit
        );
    }
}
