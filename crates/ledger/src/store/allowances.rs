use crate::allowance::{Allowance, AllowanceHeld, AllowanceKey, AllowanceTerms, AllowanceUse, AllowanceWish};
use crate::error::LedgerError;
use crate::units::Units;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx};
use sea_orm::FromQueryResult;
use std::collections::HashMap;
use uuid::Uuid;

const COLUMNS: &str = "a.subscription_id, a.component_key, a.starts_at, a.ends_at, a.customer_id, a.meter, a.included_micros, \
                       a.used_micros, a.other_micros, a.free_micros, a.reserved_micros, a.overdrawn_micros";

#[derive(FromQueryResult)]
struct Row {
    subscription_id: Uuid,
    component_key: String,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    customer_id: Uuid,
    meter: String,
    included_micros: i64,
    used_micros: i64,
    other_micros: i64,
    free_micros: i64,
    reserved_micros: i64,
    overdrawn_micros: i64,
}

impl From<Row> for Allowance {
    fn from(row: Row) -> Self {
        Allowance {
            key: AllowanceKey {
                subscription_id: row.subscription_id.into(),
                component_key: row.component_key,
                starts_at: row.starts_at,
            },
            customer_id: row.customer_id.into(),
            meter: row.meter,
            ends_at: row.ends_at,
            included: Units::from_micros(row.included_micros),
            used: Units::from_micros(row.used_micros),
            other: Units::from_micros(row.other_micros),
            free: Units::from_micros(row.free_micros),
            reserved: Units::from_micros(row.reserved_micros),
            overdrawn: Units::from_micros(row.overdrawn_micros),
        }
    }
}

/// Opens an allowance that nothing was used of; an open one stays as it is.
pub async fn open(tx: &TenantTx, terms: &AllowanceTerms) -> Result<(), LedgerError> {
    tx.run(
        "INSERT INTO allowance (tenant_id, subscription_id, component_key, starts_at, ends_at, customer_id, meter, included_micros)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8
         WHERE NOT EXISTS (SELECT 1 FROM allowance a
           WHERE a.tenant_id = $1 AND a.subscription_id = $2 AND a.component_key = $3 AND a.starts_at = $4)
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            terms.key.subscription_id.into(),
            terms.key.component_key.as_str().into(),
            terms.key.starts_at.into(),
            terms.ends_at.into(),
            terms.customer_id.into(),
            terms.meter.as_str().into(),
            terms.included.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

/// Takes the rows of these allowances, in the order of their keys, until the transaction ends.
pub async fn lock(tx: &TenantTx, keys: &[AllowanceKey]) -> Result<Vec<Allowance>, LedgerError> {
    let rows: Vec<Row> = tx
        .rows(
            &format!(
                "SELECT {COLUMNS} FROM allowance a
                 JOIN unnest($2::uuid[], $3::text[], $4::timestamptz[]) AS k (subscription_id, component_key, starts_at)
                   USING (subscription_id, component_key, starts_at)
                 WHERE a.tenant_id = $1 ORDER BY a.subscription_id, a.component_key, a.starts_at FOR NO KEY UPDATE OF a"
            ),
            [
                tx.tenant_id().into(),
                keys.iter().map(|key| key.subscription_id.uuid()).collect::<Vec<_>>().into(),
                keys.iter().map(|key| key.component_key.clone()).collect::<Vec<_>>().into(),
                keys.iter().map(|key| key.starts_at).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub async fn find(tx: &TenantTx, key: &AllowanceKey) -> Result<Option<Allowance>, LedgerError> {
    let row: Option<Row> = tx
        .row(
            &format!(
                "SELECT {COLUMNS} FROM allowance a
                 WHERE a.tenant_id = $1 AND a.subscription_id = $2 AND a.component_key = $3 AND a.starts_at = $4"
            ),
            [
                tx.tenant_id().into(),
                key.subscription_id.into(),
                key.component_key.as_str().into(),
                key.starts_at.into(),
            ],
        )
        .await?;
    Ok(row.map(Into::into))
}

pub async fn of_customer(
    tx: &TenantTx,
    customer_id: CustomerId,
    at: DateTime<Utc>,
) -> Result<Vec<Allowance>, LedgerError> {
    let rows: Vec<Row> = tx
        .rows(
            &format!(
                "SELECT {COLUMNS} FROM allowance a
                 WHERE a.tenant_id = $1 AND a.customer_id = $2 AND a.starts_at <= $3 AND a.ends_at > $3
                 ORDER BY a.subscription_id, a.component_key"
            ),
            [tx.tenant_id().into(), customer_id.into(), at.into()],
        )
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Writes allowances whose rows are locked.
pub async fn save(tx: &TenantTx, allowances: &[Allowance]) -> Result<(), LedgerError> {
    let micros = |amount: fn(&Allowance) -> Units| allowances.iter().map(|a| amount(a).micros()).collect::<Vec<i64>>();
    tx.run(
        "UPDATE allowance a SET ends_at = n.ends_at, included_micros = n.included_micros, used_micros = n.used_micros,
           other_micros = n.other_micros, free_micros = n.free_micros, reserved_micros = n.reserved_micros, overdrawn_micros = n.overdrawn_micros
         FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])
           AS n (subscription_id, component_key, starts_at, ends_at, included_micros, used_micros, other_micros, free_micros, reserved_micros, overdrawn_micros)
         WHERE a.tenant_id = $1 AND a.subscription_id = n.subscription_id AND a.component_key = n.component_key AND a.starts_at = n.starts_at",
        [
            tx.tenant_id().into(),
            allowances.iter().map(|a| a.key.subscription_id.uuid()).collect::<Vec<_>>().into(),
            allowances.iter().map(|a| a.key.component_key.clone()).collect::<Vec<_>>().into(),
            allowances.iter().map(|a| a.key.starts_at).collect::<Vec<_>>().into(),
            allowances.iter().map(|a| a.ends_at).collect::<Vec<_>>().into(),
            micros(|a| a.included).into(),
            micros(|a| a.used).into(),
            micros(|a| a.other).into(),
            micros(|a| a.free).into(),
            micros(|a| a.reserved).into(),
            micros(|a| a.overdrawn).into(),
        ],
    )
    .await?;
    Ok(())
}

/// What is held under a key: nothing where it is closed; `None` where it never was.
pub async fn hold_under(
    tx: &TenantTx,
    call_id: CallId,
    component_key: &str,
    seq: u32,
) -> Result<Option<Units>, LedgerError> {
    let micros: Option<i64> = tx
        .value(
            "SELECT CASE state WHEN 'open' THEN amount_micros ELSE 0 END AS v FROM allowance_hold
             WHERE tenant_id = $1 AND call_id = $2 AND component_key = $3 AND seq = $4",
            [tx.tenant_id().into(), call_id.into(), component_key.into(), (seq as i32).into()],
        )
        .await?;
    Ok(micros.map(Units::from_micros))
}

pub async fn insert_hold(
    tx: &TenantTx,
    wish: &AllowanceWish,
    customer_id: CustomerId,
    granted: Units,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    tx.run(
        "INSERT INTO allowance_hold (tenant_id, call_id, component_key, seq, subscription_id, starts_at, customer_id, amount_micros, state, created_at, lease_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10)",
        [
            tx.tenant_id().into(),
            wish.call_id.into(),
            wish.key.component_key.as_str().into(),
            (wish.seq as i32).into(),
            wish.key.subscription_id.into(),
            wish.key.starts_at.into(),
            customer_id.into(),
            granted.micros().into(),
            now.into(),
            wish.lease_until.into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn held(tx: &TenantTx, call_id: CallId, component_key: &str) -> Result<AllowanceHeld, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        held_micros: i64,
        last_seq: i32,
    }
    let row: Option<Row> = tx
        .row(
            "SELECT coalesce(sum(amount_micros) FILTER (WHERE state = 'open'), 0)::bigint AS held_micros, coalesce(max(seq), 0) AS last_seq
             FROM allowance_hold WHERE tenant_id = $1 AND call_id = $2 AND component_key = $3",
            [tx.tenant_id().into(), call_id.into(), component_key.into()],
        )
        .await?;
    let (micros, last_seq) = row.map_or((0, 0), |row| (row.held_micros, row.last_seq));
    Ok(AllowanceHeld { amount: Units::from_micros(micros), last_seq: last_seq.unsigned_abs() })
}

/// What calls used and what of it was free, by call and component.
pub async fn uses_of(
    tx: &TenantTx,
    calls: &[CallId],
) -> Result<HashMap<(CallId, String), (Units, Units)>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        call_id: Uuid,
        component_key: String,
        quantity_micros: i64,
        free_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT call_id, component_key, quantity_micros, free_micros FROM allowance_use WHERE tenant_id = $1 AND call_id = ANY($2)",
            [tx.tenant_id().into(), ids(calls).into()],
        )
        .await?;
    let read = |row: Row| {
        let known = (Units::from_micros(row.quantity_micros), Units::from_micros(row.free_micros));
        ((row.call_id.into(), row.component_key), known)
    };
    Ok(rows.into_iter().map(read).collect())
}

fn ids(calls: &[CallId]) -> Vec<Uuid> {
    calls.iter().map(|id| id.uuid()).collect()
}

/// Writes uses with the customer they belong to and what of them is free.
pub async fn insert_uses(
    tx: &TenantTx,
    uses: &[(&AllowanceUse, CustomerId, Units)],
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    if uses.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO allowance_use (tenant_id, call_id, component_key, subscription_id, starts_at, customer_id, quantity_micros, free_micros, at)
         SELECT $1, u.call_id, u.component_key, u.subscription_id, u.starts_at, u.customer_id, u.quantity_micros, u.free_micros, $2
         FROM unnest($3::uuid[], $4::text[], $5::uuid[], $6::timestamptz[], $7::uuid[], $8::bigint[], $9::bigint[])
           AS u (call_id, component_key, subscription_id, starts_at, customer_id, quantity_micros, free_micros)",
        [
            tx.tenant_id().into(),
            now.into(),
            uses.iter().map(|(used, ..)| used.call_id.uuid()).collect::<Vec<_>>().into(),
            uses.iter().map(|(used, ..)| used.key.component_key.clone()).collect::<Vec<_>>().into(),
            uses.iter().map(|(used, ..)| used.key.subscription_id.uuid()).collect::<Vec<_>>().into(),
            uses.iter().map(|(used, ..)| used.key.starts_at).collect::<Vec<_>>().into(),
            uses.iter().map(|(_, customer_id, _)| customer_id.uuid()).collect::<Vec<_>>().into(),
            uses.iter().map(|(used, ..)| used.quantity.micros()).collect::<Vec<_>>().into(),
            uses.iter().map(|(.., free)| free.micros()).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}
