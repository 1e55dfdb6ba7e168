//! Usage comes in: over HTTP with its acknowledgement, and the storing step alone, both against COPY of the very same rows into
//! copies of the same keyed tables.

use crate::intake::Clients;
use crate::report::{Line, Rounds, Scale, per_second, tell};
use crate::world::{CLIENTS, Dice, World, month, month_at};
use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use db::CustomerId;
use futures_util::TryStreamExt;
use money::Currency;
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeMap;
use std::time::Instant;
use subscription::{Billed, Billing, Component, ComponentKind, NewPlanVersion, NewSubscription};
use usage_metering::{Outcome, UsageEvent};

const EVENTS: usize = 200_000;
/// Events of a commit where one caller stores, and where the limit is taken.
const BATCH: usize = 10_000;
/// Events of a request.
const REQUEST: usize = 500;
const CUSTOMERS: usize = 100;

pub async fn measure(scale: Scale) -> Result<Vec<Line>> {
    let (events, batch) = (scale.of(EVENTS, 2_000), scale.of(BATCH, 1_000).min(usage_metering::BATCH_MAX));
    let mut world = World::new().await?;
    let customers = subscribed(&world).await?;
    world.bare_copies(&["event_key", "usage_event"]).await?;
    let clients = Clients::of(&world, month_at(1)).await?;
    let (mut http, mut store, mut limit) = (Rounds::default(), Rounds::default(), Rounds::default());
    for round in 0..=scale.rounds() {
        // Round 0 warms up: connections, temporary tables, plans.
        let count = if round == 0 { batch } else { events };
        tell(&format!("ingest, round {round}: {count} events"));
        let sent = clients.requests(&batches("sent", round, count, REQUEST, &customers));
        world.settle_down().await?;
        let start = Instant::now();
        let accepted = clients.send(sent).await?;
        let figure = per_second(count, start);
        ensure!(accepted == count, "{accepted} of {count} events were accepted");

        let stored = batches("stored", round, count, batch, &customers);
        world.settle_down().await?;
        let start = Instant::now();
        for events in &stored {
            let outcomes = usage_metering::ingest(&world.database.db, world.tenant_id, events, month_at(1)).await?;
            ensure!(outcomes.iter().all(|outcome| *outcome == Outcome::Accepted), "an event was not accepted");
        }
        let stored = per_second(count, start);

        let copies = copies(&mut world, round, count, batch).await?;
        world.settle_down().await?;
        let start = Instant::now();
        load(&mut world, &copies).await?;
        if round > 0 {
            http.push(figure);
            store.push(stored);
            limit.push(per_second(count, start));
        }
    }
    clients.stop().await?;
    world.drop().await?;
    let same = format!(
        "COPY BINARY of the same rows into copies of event_key and usage_event (same keys, indexes, partitions; no policies), \
         one stream, {batch} events a commit"
    );
    let by_http = format!(
        "limit: {same}. Ours: {CLIENTS} clients on the same cores, {REQUEST} events a request, answered after the commit; read, \
         judged, deduplicated and summed too"
    );
    let alone =
        format!("limit: {same}. Ours: one caller, as many events a commit; judged, deduplicated and summed too");
    Ok(vec![
        Line { name: "ingest", ours: http, limit: limit.clone(), unit: "events/s", note: by_http },
        Line { name: "ingest_store", ours: store, limit, unit: "events/s", note: alone },
    ])
}

/// Customers whose minutes a component charges, as at a call centre that bills companies.
async fn subscribed(world: &World) -> Result<Vec<CustomerId>> {
    let customers = world.customers(CUSTOMERS, Billing::Postpaid).await?;
    let tx = world.tx().await?;
    let minutes = Component {
        key: "minutes".to_owned(),
        kind: ComponentKind::Usage,
        name: "Minutes".to_owned(),
        measure: Some("minutes".to_owned()),
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price: pricing::Price::per_unit(Decimal::new(45, 2)),
        billed: Billed::InArrears,
    };
    let plan = subscription::create_plan(&tx, "minutes", "By the minute", "", false).await?;
    let version = NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, vec![minutes]) };
    let plan_version_id = subscription::publish_version(&tx, plan, &version, month_at(0)).await?;
    for customer_id in &customers {
        let new = NewSubscription {
            customer_id: *customer_id,
            plan_version_id,
            seats: 0,
            anchor_on: month(0),
            starts_at: month_at(0),
            trial: false,
        };
        subscription::subscribe(&tx, &new, month_at(0)).await?;
    }
    tx.commit().await?;
    Ok(customers)
}

/// A month of calls, in the order in which a switch would report them.
fn batches(way: &str, round: usize, count: usize, batch: usize, customers: &[CustomerId]) -> Vec<Vec<UsageEvent>> {
    let mut dice = Dice::new(round as u64 + 1);
    let step = TimeDelta::days(30) / i32::try_from(count).unwrap_or(i32::MAX);
    let mut occurred_at = month_at(0);
    let mut event = |n: usize| {
        occurred_at += step;
        let customer = dice.roll(customers.len() as u64) as usize;
        let said = [
            ("number", format!("+4930{:07}", 1_000_000 + customer)),
            ("topic", format!("top_{:022}", dice.roll(5))),
            ("charged_by", "component".to_owned()),
            ("direction", "inbound".to_owned()),
            ("handled_by", if dice.roll(4) == 0 { "overflow" } else { "core" }.to_owned()),
        ];
        UsageEvent {
            source: "switch-1".to_owned(),
            id: format!("{way}-{round}-{n:010}"),
            meter: "minutes".to_owned(),
            customer_id: customers[customer],
            subscription_id: None,
            quantity: Decimal::new(dice.roll(18_000) as i64 + 100, 3),
            dimensions: said.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            occurred_at,
        }
    };
    let events: Vec<UsageEvent> = (0..count).map(&mut event).collect();
    events.chunks(batch).map(<[UsageEvent]>::to_vec).collect()
}

/// What one batch left in both tables, as COPY writes it.
struct Copied {
    keys: Vec<u8>,
    events: Vec<u8>,
}

/// What was sent in a round, in the order of its numbers.
async fn copies(world: &mut World, round: usize, count: usize, batch: usize) -> Result<Vec<Copied>> {
    let mut copies = Vec::new();
    for first in (0..count).step_by(batch) {
        let last = (first + batch).min(count) - 1;
        let span = format!("BETWEEN 'sent-{round}-{first:010}' AND 'sent-{round}-{last:010}'");
        copies.push(Copied {
            keys: rows_of(world, "event_key", &format!("id COLLATE \"C\" {span} ORDER BY id")).await?,
            events: rows_of(world, "usage_event", &format!("source_id COLLATE \"C\" {span} ORDER BY source_id"))
                .await?,
        });
    }
    Ok(copies)
}

async fn rows_of(world: &mut World, table: &str, which: &str) -> Result<Vec<u8>> {
    let copy = format!("COPY (SELECT * FROM {table} WHERE {which}) TO STDOUT (FORMAT binary)");
    let mut stream = world.owner.copy_out_raw(&copy).await?;
    let mut rows = Vec::new();
    while let Some(chunk) = stream.try_next().await? {
        rows.extend_from_slice(&chunk);
    }
    Ok(rows)
}

async fn load(world: &mut World, copies: &[Copied]) -> Result<()> {
    for copied in copies {
        let mut tx = world.owner.begin().await?;
        for (table, rows) in [("event_key", &copied.keys), ("usage_event", &copied.events)] {
            let mut copy = tx.copy_in_raw(&format!("COPY bare.{table} FROM STDIN (FORMAT binary)")).await?;
            copy.send(rows.as_slice()).await?;
            copy.finish().await.context("the copy takes the rows that the original has")?;
        }
        tx.commit().await?;
    }
    let query = "SELECT 1 WHERE (SELECT count(*) FROM bare.usage_event) <> (SELECT count(*) FROM usage_event WHERE source_id LIKE 'sent-%')";
    let differs = sqlx::query(AssertSqlSafe(query.to_owned())).fetch_optional(&mut world.owner).await?;
    ensure!(differs.is_none(), "the copy has as many rows as the original");
    Ok(())
}
