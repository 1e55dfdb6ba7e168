//! `make bench`: how fast the product is, against what its own parts allow, everything measured in one run on one machine.
//! Never: tests that something is right (the manual does), keeps anything it has made, compares with a figure of another day.
//! Invariants: ours and its limit alternate, round by round, on the same server; the median is told, and how far rounds differ.
//! Arguments: names of measurements, all without one; `--tiny` for a look at whether it works. RINGTILL_BENCH_SCALE=50 halves
//! the work. Start at `MEASUREMENTS` below.

mod fairness;
mod ingest;
mod intake;
mod invoices;
mod pgbench;
mod rating;
mod report;
mod settle;
mod world;

use anyhow::{Result, bail};
use report::{Line, Scale};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

/// Counts, so that "allocates nothing" is a figure and not a hope.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MEASUREMENTS: [&str; 5] = ["rating", "ingest", "fairness", "settle", "invoices"];

#[tokio::main]
async fn main() -> Result<()> {
    let (mut wanted, mut scale) = (Vec::new(), Scale::from_environment()?);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--tiny" => scale = Scale::TINY,
            other => wanted.push(measurement_of(other)?),
        }
    }
    if wanted.is_empty() {
        wanted = MEASUREMENTS.to_vec();
    }
    println!("{}", world::machine().await?);
    let mut lines: Vec<Line> = Vec::new();
    for name in MEASUREMENTS.into_iter().filter(|name| wanted.contains(name)) {
        lines.extend(match name {
            "rating" => rating::measure(scale)?,
            "ingest" => ingest::measure(scale).await?,
            "fairness" => fairness::measure(scale).await?,
            "settle" => settle::measure(scale).await?,
            _ => invoices::measure(scale).await?,
        });
    }
    report::print(&lines, scale);
    Ok(())
}

/// A measurement, or the one that a line of the table comes from.
fn measurement_of(name: &str) -> Result<&'static str> {
    let measurement = match name {
        "deck_lookup" => "rating",
        "ingest_store" => "ingest",
        "settle_one" | "settle_hot" | "settle_batch" => "settle",
        "invoice_run" | "invoice_run_4x" | "pdf" => "invoices",
        other => other,
    };
    match MEASUREMENTS.into_iter().find(|known| *known == measurement) {
        Some(known) => Ok(known),
        None => bail!("no measurement {name}; there are {}", MEASUREMENTS.join(", ")),
    }
}
