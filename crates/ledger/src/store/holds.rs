//! Open holds of included units: found, closed, kept alive, given back.

use crate::allowance::{AllowanceKey, AllowanceUse, HeldByCall};
use crate::error::LedgerError;
use crate::units::Units;
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};
use sea_orm::{FromQueryResult, Value};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct KeyRow {
    subscription_id: Uuid,
    component_key: String,
    starts_at: DateTime<Utc>,
}

impl From<KeyRow> for AllowanceKey {
    fn from(row: KeyRow) -> Self {
        AllowanceKey {
            subscription_id: row.subscription_id.into(),
            component_key: row.component_key,
            starts_at: row.starts_at,
        }
    }
}

/// The allowances that calls hold something of.
pub async fn keys_of_calls(tx: &TenantTx, calls: &[CallId]) -> Result<Vec<AllowanceKey>, LedgerError> {
    let rows: Vec<KeyRow> = tx
        .rows(
            "SELECT DISTINCT subscription_id, component_key, starts_at FROM allowance_hold
             WHERE tenant_id = $1 AND call_id = ANY($2) AND state = 'open'",
            [tx.tenant_id().into(), calls.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// What a call holds now, in the order of the allowances.
pub async fn of_call(tx: &TenantTx, call_id: CallId) -> Result<Vec<HeldByCall>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        subscription_id: Uuid,
        component_key: String,
        starts_at: DateTime<Utc>,
        meter: String,
        held_micros: i64,
        last_seq: i32,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT h.subscription_id, h.component_key, h.starts_at, a.meter, sum(h.amount_micros)::bigint AS held_micros, max(h.seq) AS last_seq
             FROM allowance_hold h JOIN allowance a USING (tenant_id, subscription_id, component_key, starts_at)
             WHERE h.tenant_id = $1 AND h.call_id = $2 AND h.state = 'open' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3",
            [tx.tenant_id().into(), call_id.into()],
        )
        .await?;
    let held = |row: Row| HeldByCall {
        key: AllowanceKey {
            subscription_id: row.subscription_id.into(),
            component_key: row.component_key,
            starts_at: row.starts_at,
        },
        meter: row.meter,
        amount: Units::from_micros(row.held_micros),
        last_seq: row.last_seq.unsigned_abs(),
    };
    Ok(rows.into_iter().map(held).collect())
}

/// The allowances with a hold whose lease has ended.
pub async fn keys_due(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<AllowanceKey>, LedgerError> {
    let rows: Vec<KeyRow> = tx
        .rows(
            "SELECT DISTINCT subscription_id, component_key, starts_at FROM allowance_hold
             WHERE tenant_id = $1 AND state = 'open' AND lease_until < $2",
            [tx.tenant_id().into(), now.into()],
        )
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// What holds of a call and component gave back, and to which allowance.
pub type GivenBack = HashMap<(CallId, String), Vec<(AllowanceKey, Units)>>;

/// Closes the open holds behind uses as settled; what they held is for the caller to take off the locked allowances.
pub async fn close(tx: &TenantTx, uses: &[AllowanceUse], now: DateTime<Utc>) -> Result<GivenBack, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        call_id: Uuid,
        subscription_id: Uuid,
        component_key: String,
        starts_at: DateTime<Utc>,
        amount_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "UPDATE allowance_hold h SET state = 'settled', closed_at = $2
             FROM (SELECT DISTINCT * FROM unnest($3::uuid[], $4::text[]) AS u (call_id, component_key)) u
             WHERE h.tenant_id = $1 AND h.call_id = u.call_id AND h.component_key = u.component_key AND h.state = 'open'
             RETURNING h.call_id, h.subscription_id, h.component_key, h.starts_at, h.amount_micros",
            [
                tx.tenant_id().into(),
                now.into(),
                uses.iter().map(|used| used.call_id.uuid()).collect::<Vec<_>>().into(),
                uses.iter().map(|used| used.key.component_key.clone()).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    let mut given = GivenBack::new();
    for row in rows {
        let key = AllowanceKey {
            subscription_id: row.subscription_id.into(),
            component_key: row.component_key.clone(),
            starts_at: row.starts_at,
        };
        let id = (row.call_id.into(), row.component_key);
        given.entry(id).or_default().push((key, Units::from_micros(row.amount_micros)));
    }
    Ok(given)
}

pub async fn extend_lease(tx: &TenantTx, call_id: CallId, until: DateTime<Utc>) -> Result<u64, LedgerError> {
    let touched = tx
        .run(
            "UPDATE allowance_hold SET lease_until = greatest(lease_until, $3)
             WHERE tenant_id = $1 AND call_id = $2 AND state = 'open'",
            [tx.tenant_id().into(), call_id.into(), until.into()],
        )
        .await?;
    Ok(touched)
}

/// Gives a call's open holds back to these allowances, whose rows must be locked.
pub async fn release(
    tx: &TenantTx,
    keys: &[AllowanceKey],
    call_id: CallId,
    now: DateTime<Utc>,
) -> Result<u64, LedgerError> {
    give_back(tx, keys, ("released", "h.call_id = $7", call_id.into()), now).await
}

/// Gives back to these allowances what is due, and to no others: their rows must be locked.
pub async fn expire(tx: &TenantTx, keys: &[AllowanceKey], now: DateTime<Utc>) -> Result<u64, LedgerError> {
    give_back(tx, keys, ("expired", "h.lease_until < $7", now.into()), now).await
}

async fn give_back(
    tx: &TenantTx,
    keys: &[AllowanceKey],
    (state, which, value): (&str, &str, Value),
    now: DateTime<Utc>,
) -> Result<u64, LedgerError> {
    let closed: Option<i64> = tx
        .value(
            &format!(
                "WITH closed AS (
                   UPDATE allowance_hold h SET state = $6, closed_at = $2
                   FROM unnest($3::uuid[], $4::text[], $5::timestamptz[]) AS k (subscription_id, component_key, starts_at)
                   WHERE h.tenant_id = $1 AND h.state = 'open' AND h.subscription_id = k.subscription_id
                     AND h.component_key = k.component_key AND h.starts_at = k.starts_at AND {which}
                   RETURNING h.subscription_id, h.component_key, h.starts_at, h.amount_micros
                 ), given_back AS (
                   UPDATE allowance a SET reserved_micros = a.reserved_micros - c.amount_micros
                   FROM (SELECT subscription_id, component_key, starts_at, sum(amount_micros)::bigint AS amount_micros
                         FROM closed GROUP BY 1, 2, 3) c
                   WHERE a.tenant_id = $1 AND a.subscription_id = c.subscription_id AND a.component_key = c.component_key
                     AND a.starts_at = c.starts_at
                 )
                 SELECT count(*) AS v FROM closed"
            ),
            [
                tx.tenant_id().into(),
                now.into(),
                keys.iter().map(|key| key.subscription_id.uuid()).collect::<Vec<_>>().into(),
                keys.iter().map(|key| key.component_key.clone()).collect::<Vec<_>>().into(),
                keys.iter().map(|key| key.starts_at).collect::<Vec<_>>().into(),
                state.into(),
                value,
            ],
        )
        .await?;
    Ok(closed.map_or(0, i64::unsigned_abs))
}
