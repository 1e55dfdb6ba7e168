//! Money promised and taken: reserve + settle, call by call and in batches, over 1,000 wallets.

use crate::pgbench::Script;
use crate::report::{Line, Rounds, Scale, per_second, tell};
use crate::world::{CLIENTS, Dice, World, month_at};
use anyhow::{Result, ensure};
use chrono::TimeDelta;
use db::{CallId, CustomerId, Db, TenantId};
use ledger::{Leg, Reserve, Reserved, Settle};
use money::{Currency, Money};
use sqlx::{AssertSqlSafe, Connection};
use std::sync::Arc;
use std::time::Instant;
use subscription::Billing;
use uuid::Uuid;

const WALLETS: usize = 1_000;
/// Calls of each client, one after the other.
const CALLS_EACH: usize = 1_500;
const BATCHES: usize = 30;
const BATCH: usize = 1_000;
const TABLES: [&str; 4] = ["wallet", "reservation", "ledger_transaction", "ledger_entry"];

pub async fn measure(scale: Scale) -> Result<Vec<Line>> {
    let mut world = World::new().await?;
    let wallets = world.customers(scale.of(WALLETS, 50), Billing::Prepaid).await?;
    world.bare_copies(&TABLES).await?;
    // The bare wallets are found by number: what looks one up there is the same index, over the same columns.
    let fill = format!(
        "INSERT INTO bare.wallet (tenant_id, id, customer_id, account_id, currency, balance_micros) \
         SELECT '{0}', w.id, w.id, w.id, 'EUR', 1000000000000000 \
         FROM (SELECT lpad(to_hex(n), 32, '0')::uuid AS id FROM generate_series(1, {1}) n) w",
        world.tenant_id.uuid(),
        wallets.len()
    );
    world.as_owner(&fill).await?;
    let one = one_by_one(&mut world, "settle_one", &wallets, scale).await?;
    let hot = one_by_one(&mut world, "settle_hot", &wallets[..1], scale).await?;
    let batch = in_batches(&mut world, &wallets, scale).await?;
    let violations = ledger::check_ledger(&world.tx().await?, month_at(2)).await?;
    ensure!(violations.is_empty(), "the ledger holds: {violations:?}");
    world.drop().await?;
    Ok(vec![one, hot, batch])
}

fn reserve(call_id: CallId, customer_id: CustomerId, amount: Money) -> Reserve {
    Reserve { call_id, leg: Leg::Caller, seq: 1, customer_id, amount, lease_until: month_at(1) + TimeDelta::minutes(5) }
}

fn settle(call_id: CallId, customer_id: CustomerId, charge: Money) -> Settle {
    Settle {
        call_id,
        leg: Leg::Caller,
        customer_id,
        charge,
        kind: "call",
        memo: "Call".to_owned(),
        effective_at: month_at(1),
    }
}

async fn one_by_one(world: &mut World, name: &'static str, wallets: &[CustomerId], scale: Scale) -> Result<Line> {
    let calls_each = scale.of(CALLS_EACH, 20);
    let script = Script::new(name, &settle_one_script(world.tenant_id, wallets.len())).await?;
    let shared: Arc<[CustomerId]> = wallets.into();
    // Numbers that the other one has not used.
    let first = if wallets.len() == 1 { 100_000_000 } else { 0 };
    let (mut ours, mut limit) = (Rounds::default(), Rounds::default());
    for round in 0..=scale.rounds() {
        // Round 0 warms up: connections, prepared statements, caches.
        let each = if round == 0 { calls_each / 5 } else { calls_each };
        tell(&format!("{name}, round {round}: {CLIENTS} clients with {each} calls each"));
        world.settle_down().await?;
        let start = Instant::now();
        let clients = (0..CLIENTS).map(|client| {
            let seed = (round * CLIENTS + client) as u64;
            tokio::spawn(calls_of_client(world.database.db.clone(), world.tenant_id, shared.clone(), each, seed))
        });
        for client in clients.collect::<Vec<_>>() {
            client.await??;
        }
        let figure = per_second(each * CLIENTS, start);
        world.settle_down().await?;
        let theirs = script.run(&world.database.owner, each, first + round * 1_000_000).await?;
        if round > 0 {
            ours.push(figure);
            limit.push(theirs);
        }
    }
    let whose = if wallets.len() == 1 { "all on one wallet; " } else { "" };
    let note = format!(
        "{whose}limit: pgbench, {CLIENTS} clients, prepared: the same reads and writes as 8 plain statements in the same two transactions, on copies \
         of the tables (same keys and indexes; no policies, triggers, foreign keys). Ours: {CLIENTS} clients, reserve and settle each a \
         transaction of its own, limits checked, every answer durable"
    );
    Ok(Line { name, ours, limit, unit: "calls/s", note })
}

async fn calls_of_client(
    db: Db,
    tenant_id: TenantId,
    wallets: Arc<[CustomerId]>,
    calls: usize,
    seed: u64,
) -> Result<()> {
    let mut dice = Dice::new(seed + 1);
    let (held, charge) = (Money::from_minor(200, Currency::EUR)?, Money::from_minor(135, Currency::EUR)?);
    for _ in 0..calls {
        let (call_id, customer_id) = (CallId::new(), wallets[dice.roll(wallets.len() as u64) as usize]);
        let tx = db.tenant(tenant_id).await?;
        let reserved = ledger::reserve(&tx, &reserve(call_id, customer_id, held), month_at(1)).await?;
        tx.commit().await?;
        ensure!(reserved == Reserved::Open, "a full wallet was refused");
        let tx = db.tenant(tenant_id).await?;
        let settled = ledger::settle(&tx, &settle(call_id, customer_id, charge), month_at(1)).await?;
        tx.commit().await?;
        ensure!(settled.posted.is_new && settled.unpaid.is_zero(), "a call was not settled");
    }
    Ok(())
}

/// What reserving and settling a call reads and writes, as plain statements. Ids rise with time, as ours do.
fn settle_one_script(tenant_id: TenantId, wallets: usize) -> String {
    let tenant = tenant_id.uuid();
    let id = |n: &str| format!("lpad(to_hex(({n})::bigint), 32, '0')::uuid");
    let (call, wallet) = (id(":n * 64 + :client_id + 1"), id(":w"));
    format!(
        r"\set n :n + 1
\set w random(1, {wallets})
BEGIN;
SELECT state FROM bare.reservation WHERE tenant_id = '{tenant}' AND call_id = {call} AND leg = 'caller' AND seq = 1;
UPDATE bare.wallet SET reserved_micros = reserved_micros + 2000000 WHERE tenant_id = '{tenant}' AND customer_id = {wallet} AND currency = 'EUR';
INSERT INTO bare.reservation (tenant_id, call_id, leg, seq, wallet_id, customer_id, amount_micros, state, created_at, lease_until) VALUES ('{tenant}', {call}, 'caller', 1, {wallet}, {wallet}, 2000000, 'open', '2025-07-01', '2025-07-02');
COMMIT;
BEGIN;
SELECT * FROM bare.wallet WHERE tenant_id = '{tenant}' AND customer_id = {wallet} AND currency = 'EUR' FOR NO KEY UPDATE;
INSERT INTO bare.ledger_transaction (tenant_id, id, kind, key, effective_at, posted_at, memo, customer_id) VALUES ('{tenant}', {call}, 'call', 'call_' || lpad((:n * 64 + :client_id)::text, 22, '0') || '.caller', '2025-07-01', '2025-07-01', 'Call', {wallet});
UPDATE bare.reservation SET state = 'settled', closed_at = '2025-07-01', used_micros = 1350000 WHERE tenant_id = '{tenant}' AND call_id = {call} AND leg = 'caller' AND state = 'open';
UPDATE bare.wallet SET balance_micros = balance_micros - 1350000, reserved_micros = reserved_micros - 2000000 WHERE tenant_id = '{tenant}' AND customer_id = {wallet} AND currency = 'EUR';
INSERT INTO bare.ledger_entry (tenant_id, transaction_id, position, account_id, customer_id, currency, amount_micros, effective_at) VALUES ('{tenant}', {call}, 1, {wallet}, {wallet}, 'EUR', -1350000, '2025-07-01'), ('{tenant}', {call}, 2, {wallet}, {wallet}, 'EUR', 1350000, '2025-07-01');
COMMIT;
"
    )
}

async fn in_batches(world: &mut World, wallets: &[CustomerId], scale: Scale) -> Result<Line> {
    let (batches, batch) = (scale.of(BATCHES, 2), scale.of(BATCH, 100));
    let (mut ours, mut limit) = (Rounds::default(), Rounds::default());
    let mut dice = Dice::new(77);
    for round in 0..=scale.rounds() {
        let count = if round == 0 { 3 } else { batches };
        tell(&format!("settle_batch, round {round}: {count} batches of {batch}"));
        let chosen: Vec<Vec<(Uuid, usize)>> = (0..count)
            .map(|_| (0..batch).map(|_| (CallId::new().uuid(), dice.roll(wallets.len() as u64) as usize)).collect())
            .collect();
        world.settle_down().await?;
        let start = Instant::now();
        for calls in &chosen {
            batch_of_ours(world, wallets, calls).await?;
        }
        let figure = per_second(count * batch, start);
        world.settle_down().await?;
        let start = Instant::now();
        for calls in &chosen {
            bare_batch(world, calls).await?;
        }
        if round > 0 {
            ours.push(figure);
            limit.push(per_second(count * batch, start));
        }
    }
    let note = format!(
        "limit: the same inserts and updates as two bare CTE statements of {batch} in the same two transactions, on copies of the tables, \
         nothing checked or looked up. Ours: reserve_batch and settle_batch of {batch}, limits checked, one client"
    );
    Ok(Line { name: "settle_batch", ours, limit, unit: "calls/s", note })
}

async fn batch_of_ours(world: &World, wallets: &[CustomerId], calls: &[(Uuid, usize)]) -> Result<()> {
    let (held, charge) = (Money::from_minor(200, Currency::EUR)?, Money::from_minor(135, Currency::EUR)?);
    let wishes: Vec<Reserve> = calls.iter().map(|(call, n)| reserve((*call).into(), wallets[*n], held)).collect();
    let tx = world.tx().await?;
    let reserved = ledger::reserve_batch(&tx, &wishes, month_at(1)).await?;
    tx.commit().await?;
    ensure!(reserved.iter().all(|answer| *answer == Reserved::Open), "a full wallet was refused");
    let charges: Vec<Settle> = calls.iter().map(|(call, n)| settle((*call).into(), wallets[*n], charge)).collect();
    let tx = world.tx().await?;
    let settled = ledger::settle_batch(&tx, &charges, month_at(1)).await?;
    tx.commit().await?;
    ensure!(settled.iter().all(|answer| answer.posted.is_new), "a call was not settled");
    Ok(())
}

const BARE_RESERVE: &str = "
WITH stored AS (
  INSERT INTO bare.reservation (tenant_id, call_id, leg, seq, wallet_id, customer_id, amount_micros, state, created_at, lease_until)
  SELECT $1, c.call_id, 'caller', 1, c.wallet_id, c.wallet_id, 2000000, 'open', '2025-07-01', '2025-07-02'
  FROM unnest($2::uuid[], $3::uuid[]) AS c (call_id, wallet_id)
)
UPDATE bare.wallet w SET reserved_micros = w.reserved_micros + c.micros
FROM (SELECT wallet_id, count(*) * 2000000 AS micros FROM unnest($3::uuid[]) AS c (wallet_id) GROUP BY 1) c
WHERE w.tenant_id = $1 AND w.id = c.wallet_id";

const BARE_SETTLE: &str = "
WITH called AS MATERIALIZED (
  SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS c (call_id, wallet_id)
), posted AS (
  INSERT INTO bare.ledger_transaction (tenant_id, id, kind, key, effective_at, posted_at, memo, customer_id)
  SELECT $1, call_id, 'call', call_id || ':caller', '2025-07-01', '2025-07-01', 'Call', wallet_id FROM called
), entered AS (
  INSERT INTO bare.ledger_entry (tenant_id, transaction_id, position, account_id, customer_id, currency, amount_micros, effective_at)
  SELECT $1, call_id, e.position, wallet_id, wallet_id, 'EUR', e.micros, '2025-07-01'
  FROM called, (VALUES (1, -1350000), (2, 1350000)) AS e (position, micros)
), closed AS (
  UPDATE bare.reservation r SET state = 'settled', closed_at = '2025-07-01', used_micros = 1350000
  FROM called c WHERE r.tenant_id = $1 AND r.call_id = c.call_id AND r.leg = 'caller' AND r.seq = 1
)
UPDATE bare.wallet w SET balance_micros = w.balance_micros - c.calls * 1350000, reserved_micros = w.reserved_micros - c.calls * 2000000
FROM (SELECT wallet_id, count(*) AS calls FROM called GROUP BY 1) c
WHERE w.tenant_id = $1 AND w.id = c.wallet_id";

async fn bare_batch(world: &mut World, calls: &[(Uuid, usize)]) -> Result<()> {
    let ids: Vec<Uuid> = calls.iter().map(|(call, _)| *call).collect();
    let wallets: Vec<Uuid> = calls.iter().map(|(_, n)| Uuid::from_u128(*n as u128 + 1)).collect();
    for statement in [BARE_RESERVE, BARE_SETTLE] {
        let mut tx = world.owner.begin().await?;
        let query = sqlx::query(AssertSqlSafe(statement.to_owned()));
        query.bind(world.tenant_id.uuid()).bind(&ids).bind(&wallets).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}
