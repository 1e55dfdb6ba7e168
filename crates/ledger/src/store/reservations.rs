use crate::block::Extend;
use crate::error::LedgerError;
use crate::reservation::{Held, Leg, Reserve, Reserved};
use ::money::{Currency, Money};
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};
use sea_orm::FromQueryResult;
use uuid::Uuid;

pub async fn reserve(tx: &TenantTx, wish: &Reserve, now: DateTime<Utc>) -> Result<Reserved, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        decision: Option<String>,
        available_micros: Option<i64>,
    }
    let currency = wish.amount.currency();
    let row: Option<Row> = tx
        .row(
            "SELECT decision, available_micros FROM reserve_from_wallet($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            [
                tx.tenant_id().into(),
                wish.call_id.into(),
                wish.leg.code().into(),
                (wish.seq as i32).into(),
                wish.customer_id.into(),
                currency.code().into(),
                wish.amount.micros().into(),
                wish.lease_until.into(),
                now.into(),
            ],
        )
        .await?;
    match row {
        Some(Row { decision: Some(decision), .. }) if decision == "open" => Ok(Reserved::Open),
        Some(Row { decision: Some(_), available_micros: Some(micros) }) => {
            Ok(Reserved::Denied { available: Money::from_micros(micros, currency) })
        }
        _ => Err(LedgerError::NoWallet { customer_id: wish.customer_id, currency }),
    }
}

pub async fn extend_lease(tx: &TenantTx, call_id: CallId, leg: Leg, until: DateTime<Utc>) -> Result<u64, LedgerError> {
    let touched = tx
        .run(
            "UPDATE reservation SET lease_until = greatest(lease_until, $4)
             WHERE tenant_id = $1 AND call_id = $2 AND leg = $3 AND state = 'open'",
            [tx.tenant_id().into(), call_id.into(), leg.code().into(), until.into()],
        )
        .await?;
    Ok(touched)
}

/// Keeps the open reservations of many legs, never shortening a lease. The rows are taken in the order of their keys.
pub async fn extend_leases(tx: &TenantTx, legs: &[Extend]) -> Result<u64, LedgerError> {
    let kept: Option<i64> = tx
        .value(
            "WITH kept AS MATERIALIZED (
               SELECT r.call_id, r.leg, r.seq, x.until FROM reservation r
               JOIN (SELECT call_id, leg, max(until) AS until FROM unnest($2::uuid[], $3::text[], $4::timestamptz[]) AS x (call_id, leg, until)
                     GROUP BY 1, 2) x ON x.call_id = r.call_id AND x.leg = r.leg
               WHERE r.tenant_id = $1 AND r.state = 'open' ORDER BY r.call_id, r.leg, r.seq FOR NO KEY UPDATE OF r
             ), extended AS (
               UPDATE reservation r SET lease_until = greatest(r.lease_until, kept.until) FROM kept
               WHERE r.tenant_id = $1 AND r.call_id = kept.call_id AND r.leg = kept.leg AND r.seq = kept.seq AND r.state = 'open'
               RETURNING 1
             )
             SELECT count(*) AS v FROM extended",
            [
                tx.tenant_id().into(),
                legs.iter().map(|leg| leg.call_id.uuid()).collect::<Vec<_>>().into(),
                legs.iter().map(|leg| leg.leg.code().to_owned()).collect::<Vec<_>>().into(),
                legs.iter().map(|leg| leg.until).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    Ok(count(kept))
}

pub async fn release(tx: &TenantTx, call_id: CallId, leg: Leg, now: DateTime<Utc>) -> Result<u64, LedgerError> {
    tx.run(
        "SELECT 1 FROM wallet w WHERE w.tenant_id = $1 AND w.id IN
           (SELECT r.wallet_id FROM reservation r WHERE r.tenant_id = $1 AND r.call_id = $2 AND r.leg = $3 AND r.state = 'open')
         ORDER BY w.id FOR NO KEY UPDATE",
        [tx.tenant_id().into(), call_id.into(), leg.code().into()],
    )
    .await?;
    let closed = tx
        .value(
            "WITH closed AS (
               UPDATE reservation SET state = 'released', closed_at = $4
               WHERE tenant_id = $1 AND call_id = $2 AND leg = $3 AND state = 'open' RETURNING wallet_id, amount_micros
             ), given_back AS (
               UPDATE wallet w SET reserved_micros = w.reserved_micros - c.amount_micros
               FROM (SELECT wallet_id, sum(amount_micros)::bigint AS amount_micros FROM closed GROUP BY 1) c
               WHERE w.tenant_id = $1 AND w.id = c.wallet_id
             )
             SELECT count(*) AS v FROM closed",
            [tx.tenant_id().into(), call_id.into(), leg.code().into(), now.into()],
        )
        .await?;
    Ok(count(closed))
}

pub async fn held(tx: &TenantTx, call_id: CallId, leg: Leg, currency: Currency) -> Result<Held, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        held_micros: i64,
        last_seq: i32,
    }
    let row: Option<Row> = tx
        .row(
            "SELECT coalesce(sum(amount_micros) FILTER (WHERE state = 'open'), 0)::bigint AS held_micros, coalesce(max(seq), 0) AS last_seq
             FROM reservation WHERE tenant_id = $1 AND call_id = $2 AND leg = $3",
            [tx.tenant_id().into(), call_id.into(), leg.code().into()],
        )
        .await?;
    Ok(row.map_or(Held { amount: Money::zero(currency), last_seq: 0 }, |row| Held {
        amount: Money::from_micros(row.held_micros, currency),
        last_seq: row.last_seq.unsigned_abs(),
    }))
}

/// Wallets first, in id order, as everybody; then what is due in those wallets, and only those.
pub async fn expire(tx: &TenantTx, now: DateTime<Utc>) -> Result<u64, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let locked: Vec<Row> = tx
        .rows(
            "SELECT w.id FROM wallet w WHERE w.tenant_id = $1 AND w.id IN
               (SELECT r.wallet_id FROM reservation r WHERE r.tenant_id = $1 AND r.state = 'open' AND r.lease_until < $2)
             ORDER BY w.id FOR NO KEY UPDATE",
            [tx.tenant_id().into(), now.into()],
        )
        .await?;
    if locked.is_empty() {
        return Ok(0);
    }
    let locked: Vec<Uuid> = locked.into_iter().map(|row| row.id).collect();
    let closed = tx
        .value(
            "WITH closed AS (
               UPDATE reservation SET state = 'expired', closed_at = $2
               WHERE tenant_id = $1 AND state = 'open' AND lease_until < $2 AND wallet_id = ANY($3) RETURNING wallet_id, amount_micros
             ), given_back AS (
               UPDATE wallet w SET reserved_micros = w.reserved_micros - c.amount_micros
               FROM (SELECT wallet_id, sum(amount_micros)::bigint AS amount_micros FROM closed GROUP BY 1) c
               WHERE w.tenant_id = $1 AND w.id = c.wallet_id
             )
             SELECT count(*) AS v FROM closed",
            [tx.tenant_id().into(), now.into(), locked.into()],
        )
        .await?;
    Ok(count(closed))
}

fn count(value: Option<i64>) -> u64 {
    value.map_or(0, i64::unsigned_abs)
}

/// A reservation as a batch decided it.
pub struct Decided {
    pub wish: Reserve,
    pub wallet_id: db::WalletId,
    pub is_open: bool,
}

/// The stored state of all reservations of these calls: `(call, leg, seq, state)`.
pub async fn states_of(tx: &TenantTx, wishes: &[Reserve]) -> Result<Vec<(CallId, String, u32, String)>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        call_id: Uuid,
        leg: String,
        seq: i32,
        state: String,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT call_id, leg, seq, state FROM reservation WHERE tenant_id = $1 AND call_id = ANY($2)",
            [tx.tenant_id().into(), wishes.iter().map(|wish| wish.call_id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.call_id.into(), row.leg, row.seq as u32, row.state)).collect())
}

/// Stores decisions and takes what was granted from wallets that are locked. A wallet that cannot hold it refuses by its check.
pub async fn store_decided(tx: &TenantTx, decided: &[Decided], now: DateTime<Utc>) -> Result<(), LedgerError> {
    let ids = |id: fn(&Decided) -> Uuid| decided.iter().map(id).collect::<Vec<Uuid>>();
    tx.run(
        "WITH decided AS MATERIALIZED (
           SELECT * FROM unnest($3::uuid[], $4::text[], $5::int[], $6::uuid[], $7::uuid[], $8::bigint[], $9::timestamptz[], $10::bool[])
             AS d (call_id, leg, seq, wallet_id, customer_id, amount_micros, lease_until, is_open)
         ), stored AS (
           INSERT INTO reservation (tenant_id, call_id, leg, seq, wallet_id, customer_id, amount_micros, state, created_at, lease_until, closed_at)
           SELECT $1, call_id, leg, seq, wallet_id, customer_id, amount_micros, CASE WHEN is_open THEN 'open' ELSE 'denied' END,
             $2, lease_until, CASE WHEN is_open THEN NULL ELSE $2 END FROM decided
         )
         UPDATE wallet w SET reserved_micros = w.reserved_micros + d.amount_micros
         FROM (SELECT wallet_id, sum(amount_micros)::bigint AS amount_micros FROM decided WHERE is_open GROUP BY 1) d
         WHERE w.tenant_id = $1 AND w.id = d.wallet_id",
        [
            tx.tenant_id().into(),
            now.into(),
            ids(|d| d.wish.call_id.uuid()).into(),
            decided.iter().map(|d| d.wish.leg.code().to_owned()).collect::<Vec<_>>().into(),
            decided.iter().map(|d| d.wish.seq as i32).collect::<Vec<_>>().into(),
            ids(|d| d.wallet_id.uuid()).into(),
            ids(|d| d.wish.customer_id.uuid()).into(),
            decided.iter().map(|d| d.wish.amount.micros()).collect::<Vec<_>>().into(),
            decided.iter().map(|d| d.wish.lease_until).collect::<Vec<_>>().into(),
            decided.iter().map(|d| d.is_open).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}
