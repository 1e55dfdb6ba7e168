//! One organisation floods the way in: do the others wait longer for their answers?

use crate::report::{Line, Rounds, Scale, tell};
use crate::world::{World, month, month_at};
use anyhow::{Result, ensure};
use chrono::TimeDelta;
use db::{CustomerId, PlatformReason, TenantId};
use money::Currency;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use usage_metering::{Intake, IntakeError, Outcome, UsageEvent};

const QUIET: usize = 50;
/// Events a second of each quiet organisation, in one request.
const EVENTS: usize = 20;
/// How much more the noisy one sends.
const NOISE: usize = 100;
/// Events of one of its requests.
const NOISY_REQUEST: usize = 500;
const SECONDS: usize = 20;

#[derive(Clone, Copy)]
struct Sender {
    tenant_id: TenantId,
    customer_id: CustomerId,
}

pub async fn measure(scale: Scale) -> Result<Vec<Line>> {
    let world = World::new().await?;
    let mut senders = Vec::new();
    for n in 0..=QUIET {
        senders.push(sender(&world, n).await?);
    }
    let (noisy, quiet) = (senders[0], &senders[1..]);
    let intake = Intake::new(world.database.db.clone());
    let seconds = scale.of(SECONDS, 2);
    let (mut alone, mut beside) = (Rounds::default(), Rounds::default());
    let refused = Arc::new(AtomicUsize::new(0));
    for round in 0..=scale.rounds() {
        tell(&format!(
            "fairness, round {round}: {QUIET} organisations for {seconds} s, without and with one that floods"
        ));
        let without = p99_ms(&intake, quiet, seconds, &format!("{round}-a")).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let flood = tokio::spawn(flood(intake.clone(), noisy, round, Arc::clone(&stop), Arc::clone(&refused)));
        let with = p99_ms(&intake, quiet, seconds, &format!("{round}-b")).await?;
        stop.store(true, Ordering::Relaxed);
        flood.await??;
        if round > 0 {
            alone.push(2.0 * without);
            beside.push(with);
        }
    }
    drop(intake);
    world.drop().await?;
    let note = format!(
        "99 of 100 requests of {QUIET} organisations ({EVENTS} events a second each) are answered within, beside one that sends {NOISE} times as \
         much; limit: twice what they are without it, in the same run (lower is better). By the queue itself, without HTTP; {} requests of the \
         noisy one were refused",
        refused.load(Ordering::Relaxed)
    );
    Ok(vec![Line { name: "fairness", ours: beside, limit: alone, unit: "ms", note }])
}

async fn sender(world: &World, n: usize) -> Result<Sender> {
    let ptx = world.database.db.platform(PlatformReason::Provision).await?;
    let tenant_id = tenant::create_organisation(&ptx, &crate::world::organisation_named(n), month_at(0)).await?;
    ptx.commit().await?;
    let tx = world.database.db.tenant(tenant_id).await?;
    usage_metering::define_standard_meters(&tx).await?;
    let new =
        subscription::NewCustomer::postpaid("C-1", "Alpenblick", Currency::EUR, crate::world::ZONE, "DE", month(0));
    let customer_id = subscription::create_customer(&tx, &new, month_at(0)).await?;
    tx.commit().await?;
    Ok(Sender { tenant_id, customer_id })
}

fn events(sender: Sender, key: &str, count: usize) -> Vec<UsageEvent> {
    let event = |n: usize| UsageEvent {
        source: "switch-1".to_owned(),
        id: format!("{key}-{n}"),
        meter: "minutes".to_owned(),
        customer_id: sender.customer_id,
        subscription_id: None,
        quantity: Decimal::ONE,
        dimensions: BTreeMap::new(),
        occurred_at: month_at(0) + TimeDelta::seconds(n as i64),
    };
    (0..count).map(event).collect()
}

/// Each sends once a second, all of them spread over it.
async fn p99_ms(intake: &Intake, quiet: &[Sender], seconds: usize, key: &str) -> Result<f64> {
    let began = Instant::now();
    let mut waiting = JoinSet::new();
    for (n, sender) in quiet.iter().copied().enumerate() {
        let (intake, key) = (intake.clone(), format!("{key}-{n}"));
        waiting.spawn(async move {
            let mut took = Vec::with_capacity(seconds);
            for second in 0..seconds {
                let at = Duration::from_micros((second * 1_000_000 + n * 1_000_000 / QUIET) as u64);
                tokio::time::sleep(at.saturating_sub(began.elapsed())).await;
                let (events, asked) = (events(sender, &format!("{key}-{second}"), EVENTS), Instant::now());
                let outcomes = intake.take(sender.tenant_id, events, month_at(1)).await?;
                took.push(asked.elapsed().as_secs_f64() * 1_000.0);
                ensure!(outcomes.iter().all(|outcome| *outcome == Outcome::Accepted), "an event was not accepted");
            }
            Ok(took)
        });
    }
    let mut took = Vec::new();
    while let Some(one) = waiting.join_next().await {
        took.extend(one??);
    }
    took.sort_unstable_by(f64::total_cmp);
    Ok(took[took.len() * 99 / 100])
}

/// A hundred times as much, whatever it is told, until it is stopped.
async fn flood(
    intake: Intake,
    noisy: Sender,
    round: usize,
    stop: Arc<AtomicBool>,
    refused: Arc<AtomicUsize>,
) -> Result<()> {
    let each = Duration::from_secs(1) * NOISY_REQUEST as u32 / (EVENTS * NOISE) as u32;
    let mut waiting = JoinSet::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (intake, events, refused) =
            (intake.clone(), events(noisy, &format!("noise-{round}-{n}"), NOISY_REQUEST), Arc::clone(&refused));
        waiting.spawn(async move {
            match intake.take(noisy.tenant_id, events, month_at(1)).await {
                Ok(_) => Ok(()),
                Err(IntakeError::TenantMustNotFlood { .. }) => {
                    refused.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }
                Err(error) => Err(error),
            }
        });
        tokio::time::sleep(each).await;
    }
    while let Some(one) = waiting.join_next().await {
        one??;
    }
    Ok(())
}
