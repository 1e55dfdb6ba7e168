//! Invoice runs: 1,000 subscriptions of 5 components, on three months of usage and on four times as much, with the same due work.

use crate::report::{Line, Rounds, Scale, milliseconds, tell};
use crate::world::{Dice, Frozen, World, month, month_at};
use anyhow::{Result, ensure};
use chrono::TimeDelta;
use db::CustomerId;
use invoicing::{DocumentFilter, Phase};
use money::Currency;
use pricing::{Model, PercentPrice, Price, Tier};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::time::Instant;
use subscription::{Billed, Billing, Component, ComponentKind, NewPlanVersion, NewSubscription};
use usage_metering::{Outcome, UsageEvent};

const SUBSCRIPTIONS: usize = 1_000;
/// Three months of them are the 200,000 of the smaller history.
const EVENTS_A_MONTH: usize = 66_667;
const MONTHS: u32 = 3;
const MONTHS_OF_4X: u32 = 12;
/// Customers that one transaction of a run takes, as the worker does.
const BLOCK: u64 = 50;
const PDFS: usize = 40;

pub async fn measure(scale: Scale) -> Result<Vec<Line>> {
    let (subscriptions, events) = (scale.of(SUBSCRIPTIONS, 20), scale.of(EVENTS_A_MONTH, 400));
    let world = World::new().await?;
    let customers = subscribed(&world, subscriptions).await?;
    let world = live(world, &customers, events, 0..MONTHS).await?;
    let small = world.freeze().await?;
    let world = live(small.copy().await?, &customers, events, MONTHS..MONTHS_OF_4X).await?;
    let large = world.freeze().await?;
    let (mut rate, mut once, mut fourfold, mut pdfs) =
        (Rounds::default(), Rounds::default(), Rounds::default(), Rounds::default());
    let mut phases = (Rounds::default(), Rounds::default());
    for round in 0..=scale.rounds() {
        tell(&format!("invoice_run, round {round}: {subscriptions} subscriptions"));
        let (world, took) = timed_run(&small, MONTHS).await?;
        if round == 1 {
            pdfs = print(&world, scale.of(PDFS, 4)).await?;
        }
        world.drop().await?;
        let (world, took_4x) = timed_run(&large, MONTHS_OF_4X).await?;
        world.drop().await?;
        // Round 0 warms up.
        if round > 0 {
            rate.push(subscriptions as f64 * 1_000.0 / took.total());
            once.push(took.total());
            fourfold.push(took_4x.total());
            phases.0.push(took.drafting);
            phases.1.push(took.finalising);
        }
    }
    small.drop().await?;
    large.drop().await?;
    let note = format!(
        "limit: the goal, not a measurement. {subscriptions} invoices of 5 components drafted ({:.0} ms) and finalised ({:.0} ms) in blocks of \
         {BLOCK}, one client, without PDF; the book holds {MONTHS} months with {} events",
        phases.0.median(),
        phases.1.median(),
        events * MONTHS as usize
    );
    let note_4x = format!(
        "milliseconds of the whole run with {MONTHS_OF_4X} months and {} events in the book; limit: the same due work with a quarter of it \
         (lower is better; 1 = history costs nothing)",
        events * MONTHS_OF_4X as usize
    );
    let goal =
        "limit: the goal, not a measurement (lower is better). One invoice of 5 lines, warm, read, rendered and stored"
            .to_owned();
    Ok(vec![
        Line::against_goal("invoice_run", rate, 1_000.0, "invoices/s", note),
        Line { name: "invoice_run_4x", ours: fourfold, limit: once, unit: "ms", note: note_4x },
        Line::against_goal("pdf", pdfs, 50.0, "ms", goal),
    ])
}

async fn subscribed(world: &World, count: usize) -> Result<Vec<CustomerId>> {
    let customers = world.customers(count, Billing::Postpaid).await?;
    let tx = world.tx().await?;
    let plan = subscription::create_plan(&tx, "business", "Business", "", false).await?;
    let version = NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, components()) };
    let plan_version_id = subscription::publish_version(&tx, plan, &version, month_at(0)).await?;
    let starts_at = pricing::start_of_day(month(0), crate::world::ZONE)?;
    for customer_id in &customers {
        let new = NewSubscription {
            customer_id: *customer_id,
            plan_version_id,
            seats: 0,
            anchor_on: month(0),
            starts_at,
            trial: false,
        };
        subscription::subscribe(&tx, &new, starts_at).await?;
    }
    tx.commit().await?;
    Ok(customers)
}

/// A fee, two kinds of minutes, hours of work, and a share of all that.
fn components() -> Vec<Component> {
    let component = |key: &str, kind: ComponentKind, measure: Option<&str>, price: Price| Component {
        key: key.to_owned(),
        kind,
        name: key.to_owned(),
        measure: measure.map(str::to_owned),
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price,
        billed: Billed::InArrears,
    };
    let handled_by = |who: &str| BTreeMap::from([("handled_by".to_owned(), who.to_owned())]);
    let unit = |cents: i64| Price::per_unit(Decimal::new(cents, 2));
    let tier = |up_to: Option<i64>, cents: i64| Tier {
        up_to: up_to.map(Decimal::from),
        unit: Decimal::new(cents, 2),
        flat: Decimal::ZERO,
    };
    let tiers = vec![tier(Some(100), 60), tier(Some(1_000), 45), tier(None, 30)];
    let graduated = Price { model: Model::Graduated { tiers }, ..unit(0) };
    let share =
        Price { model: Model::Percent(PercentPrice { rate: Decimal::from(8), ..PercentPrice::default() }), ..unit(0) };
    let minutes = Some("minutes");
    vec![
        Component { billed: Billed::InAdvance, ..component("fee", ComponentKind::Flat, None, unit(4_900)) },
        Component { filter: handled_by("core"), ..component("core", ComponentKind::Usage, minutes, graduated) },
        Component { filter: handled_by("overflow"), ..component("overflow", ComponentKind::Usage, minutes, unit(80)) },
        component("hours", ComponentKind::Hours, Some("hours"), unit(2_800)),
        component("management", ComponentKind::Percent, None, share),
    ]
}

/// Plays months: each one's usage comes in and is folded, and every month but the last is billed.
async fn live(
    mut world: World,
    customers: &[CustomerId],
    events: usize,
    months: std::ops::Range<u32>,
) -> Result<World> {
    tell(&format!("invoice_run: {} months of {events} events", months.len()));
    for n in months.clone() {
        if n > 0 {
            bill(&world, n).await?;
        }
        for batch in usage(n, events, customers).chunks(10_000) {
            let outcomes = usage_metering::ingest(&world.database.db, world.tenant_id, batch, month_at(n + 1)).await?;
            ensure!(outcomes.iter().all(|outcome| *outcome == Outcome::Accepted), "an event was not accepted");
        }
        loop {
            let tx = world.tx().await?;
            let folded = usage_metering::fold(&tx, month_at(n + 1)).await?;
            tx.commit().await?;
            if folded == 0 {
                break;
            }
        }
    }
    world.settle_down().await?;
    Ok(world)
}

fn usage(n: u32, count: usize, customers: &[CustomerId]) -> Vec<UsageEvent> {
    let mut dice = Dice::new(u64::from(n) + 1);
    let event = |place: usize| {
        let roll = dice.roll(10);
        let (meter, name, value) = match roll {
            0 => ("hours", "work", "dedicated"),
            1..3 => ("minutes", "handled_by", "overflow"),
            _ => ("minutes", "handled_by", "core"),
        };
        UsageEvent {
            source: "switch-1".to_owned(),
            id: format!("cdr-{n}-{place:010}"),
            meter: meter.to_owned(),
            // Everybody has some usage.
            customer_id: customers[place % customers.len()],
            subscription_id: None,
            quantity: Decimal::new(dice.roll(9_000) as i64 + 100, 3),
            dimensions: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            // Between the 2nd and the 27th: inside the month in every zone.
            occurred_at: month_at(n) + TimeDelta::seconds(86_400 + dice.roll(25 * 86_400) as i64),
        }
    };
    (0..count).map(event).collect()
}

/// What a run took, in milliseconds.
struct Took {
    drafting: f64,
    finalising: f64,
}

impl Took {
    fn total(&self) -> f64 {
        self.drafting + self.finalising
    }
}

/// Bills everything before the month `n`, block by block, as the worker does.
async fn bill(world: &World, n: u32) -> Result<Took> {
    let now = month_at(n) + TimeDelta::hours(12);
    let start = Instant::now();
    let tx = world.tx().await?;
    let id = invoicing::plan_run(&tx, month(n), "bench", now).await?;
    tx.commit().await?;
    loop {
        let tx = world.tx().await?;
        let run = invoicing::draft_some(&tx, id, BLOCK, now).await?;
        tx.commit().await?;
        if run.phase == Phase::Ready {
            break;
        }
    }
    let drafting = milliseconds(start);
    let start = Instant::now();
    let run = loop {
        let tx = world.tx().await?;
        let run = invoicing::finalise_some(&tx, id, BLOCK, now).await?;
        tx.commit().await?;
        if run.phase == Phase::Done {
            break run;
        }
    };
    ensure!(run.counts.finalised == run.counts.total(), "every subscription was invoiced: {:?}", run.counts);
    Ok(Took { drafting, finalising: milliseconds(start) })
}

/// The run of the month `n` on a fresh copy of a book.
async fn timed_run(book: &Frozen, n: u32) -> Result<(World, Took)> {
    let mut world = book.copy().await?;
    // A copy's pages are on disk; a book in use has them in memory.
    world.as_owner("SELECT count(*), sum(quantity) FROM usage_rollup; SELECT count(*) FROM billed_service; SELECT count(*) FROM document_line").await?;
    world.settle_down().await?;
    let took = bill(&world, n).await?;
    Ok((world, took))
}

/// Milliseconds of each PDF, after the first few.
async fn print(world: &World, count: usize) -> Result<Rounds> {
    tell(&format!("pdf: {count} invoices"));
    let tx = world.tx().await?;
    let filter = DocumentFilter { limit: count as u64 + 3, ..DocumentFilter::default() };
    let documents = invoicing::documents(&tx, &filter).await?;
    tx.commit().await?;
    let mut rounds = Rounds::default();
    for (place, document) in documents.iter().enumerate() {
        let start = Instant::now();
        let tx = world.tx().await?;
        let bytes =
            invoicing::pdf(&tx, document.id, Some("https://pay.northline.example/i/1"), month_at(MONTHS)).await?;
        tx.commit().await?;
        ensure!(bytes.starts_with(b"%PDF"), "a PDF begins as one");
        if place >= 3 {
            rounds.push(milliseconds(start));
        }
    }
    Ok(rounds)
}
