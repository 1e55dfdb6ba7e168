//! Policies, limits, classes of destinations, and what reached a limit.

use crate::destination::DestinationClass;
use crate::error::{CallError, Result};
use crate::policy::{LossGuard, OutgoingPolicy, SpendAlert, SpendLimit};
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx};
use money::Decimal;
use sea_orm::FromQueryResult;
use std::collections::HashMap;
use uuid::Uuid;

/// A book's policy; `None` before it has one, and then no call goes out.
pub async fn policy(tx: &TenantTx) -> Result<Option<OutgoingPolicy>> {
    #[derive(FromQueryResult)]
    struct Row {
        sell_deck_id: Option<Uuid>,
        loss_guard: String,
        minimum_margin_percent: Decimal,
        minimum_answer_percent: Decimal,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT sell_deck_id, loss_guard, minimum_margin_percent, minimum_answer_percent FROM outgoing_policy WHERE tenant_id = $1",
            [tx.tenant_id().into()],
        )
        .await?;
    let policy = |row: Row| {
        let unknown = || CallError::StoredMustRead { what: "loss guard", reason: row.loss_guard.clone() };
        Ok(OutgoingPolicy {
            sell_deck: row.sell_deck_id.map(Into::into),
            loss_guard: LossGuard::from_word(&row.loss_guard).ok_or_else(unknown)?,
            minimum_margin_percent: row.minimum_margin_percent,
            minimum_answer_percent: row.minimum_answer_percent,
        })
    };
    rows.into_iter().next().map(policy).transpose()
}

pub async fn put_policy(tx: &TenantTx, policy: &OutgoingPolicy, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO outgoing_policy (tenant_id, sell_deck_id, loss_guard, minimum_margin_percent, minimum_answer_percent, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id) DO UPDATE SET sell_deck_id = $2, loss_guard = $3, minimum_margin_percent = $4, minimum_answer_percent = $5, changed_at = $6",
        [
            tx.tenant_id().into(),
            policy.sell_deck.map(db::DeckId::uuid).into(),
            policy.loss_guard.as_str().into(),
            policy.minimum_margin_percent.into(),
            policy.minimum_answer_percent.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn limit(tx: &TenantTx, of: Uuid) -> Result<Option<SpendLimit>> {
    #[derive(FromQueryResult)]
    struct Row {
        is_open: bool,
        sell_deck_id: Option<Uuid>,
        call_micros: Option<i64>,
        hour_micros: Option<i64>,
        day_micros: Option<i64>,
        calls_at_once_max: Option<i32>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT is_open, sell_deck_id, call_micros, hour_micros, day_micros, calls_at_once_max FROM spend_limit
             WHERE tenant_id = $1 AND customer_id = $2",
            [tx.tenant_id().into(), of.into()],
        )
        .await?;
    let limit = |row: Row| SpendLimit {
        is_open: row.is_open,
        sell_deck: row.sell_deck_id.map(Into::into),
        call_micros: row.call_micros,
        hour_micros: row.hour_micros,
        day_micros: row.day_micros,
        calls_at_once_max: row.calls_at_once_max.map(i32::unsigned_abs),
    };
    Ok(rows.into_iter().next().map(limit))
}

pub async fn put_limit(tx: &TenantTx, of: Uuid, limit: &SpendLimit, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO spend_limit (tenant_id, customer_id, is_open, sell_deck_id, call_micros, hour_micros, day_micros, calls_at_once_max, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tenant_id, customer_id) DO UPDATE SET is_open = $3, sell_deck_id = $4, call_micros = $5, hour_micros = $6,
           day_micros = $7, calls_at_once_max = $8, changed_at = $9",
        [
            tx.tenant_id().into(),
            of.into(),
            limit.is_open.into(),
            limit.sell_deck.map(db::DeckId::uuid).into(),
            limit.call_micros.into(),
            limit.hour_micros.into(),
            limit.day_micros.into(),
            limit.calls_at_once_max.and_then(|most| i32::try_from(most).ok()).into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn remove_limit(tx: &TenantTx, of: Uuid) -> Result<()> {
    tx.run("DELETE FROM spend_limit WHERE tenant_id = $1 AND customer_id = $2", [tx.tenant_id().into(), of.into()])
        .await?;
    Ok(())
}

pub async fn classes(tx: &TenantTx) -> Result<Vec<DestinationClass>> {
    #[derive(FromQueryResult)]
    struct Row {
        code: String,
        name: String,
        prefixes: Vec<String>,
        is_open: bool,
        day_micros: Option<i64>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT code, name, prefixes, is_open, day_micros FROM destination_class WHERE tenant_id = $1 ORDER BY code",
            [tx.tenant_id().into()],
        )
        .await?;
    let class = |row: Row| {
        let Row { code, name, prefixes, is_open, day_micros } = row;
        DestinationClass { code, name, prefixes, is_open, day_micros }
    };
    Ok(rows.into_iter().map(class).collect())
}

pub async fn put_class(tx: &TenantTx, class: &DestinationClass, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO destination_class (tenant_id, code, name, prefixes, is_open, day_micros, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, code) DO UPDATE SET name = $3, prefixes = $4, is_open = $5, day_micros = $6, changed_at = $7",
        [
            tx.tenant_id().into(),
            class.code.clone().into(),
            class.name.clone().into(),
            class.prefixes.clone().into(),
            class.is_open.into(),
            class.day_micros.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// What was opened or closed for one customer, by code.
pub async fn customer_destinations(tx: &TenantTx, customer_id: CustomerId) -> Result<HashMap<String, bool>> {
    #[derive(FromQueryResult)]
    struct Row {
        code: String,
        is_open: bool,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT code, is_open FROM customer_destination WHERE tenant_id = $1 AND customer_id = $2",
            [tx.tenant_id().into(), customer_id.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.code, row.is_open)).collect())
}

pub async fn put_customer_destination(
    tx: &TenantTx,
    customer_id: CustomerId,
    code: &str,
    is_open: Option<bool>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(is_open) = is_open else {
        tx.run(
            "DELETE FROM customer_destination WHERE tenant_id = $1 AND customer_id = $2 AND code = $3",
            [tx.tenant_id().into(), customer_id.into(), code.into()],
        )
        .await?;
        return Ok(());
    };
    tx.run(
        "INSERT INTO customer_destination (tenant_id, customer_id, code, is_open, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, customer_id, code) DO UPDATE SET is_open = $4, changed_at = $5, changed_by = $6",
        [tx.tenant_id().into(), customer_id.into(), code.into(), is_open.into(), now.into(), by.into()],
    )
    .await?;
    Ok(())
}

/// Micros spent since an instant: what ended calls came to, and what running ones hold; one call may be left out.
pub async fn spent(
    tx: &TenantTx,
    customer_id: CustomerId,
    class: Option<&str>,
    (from, at): (DateTime<Utc>, DateTime<Utc>),
    without: Option<CallId>,
) -> Result<i64> {
    let sum: Option<i64> = tx
        .value(
            "SELECT coalesce(sum(CASE WHEN ended_at IS NOT NULL THEN coalesce(charge_micros, 0)
                                      WHEN lease_until > $4 THEN held_micros ELSE 0 END), 0)::bigint AS v
             FROM outgoing_call WHERE book_id = $1 AND customer_id = $2 AND started_at > $3 AND ($5::text IS NULL OR class = $5)
               AND ($6::uuid IS NULL OR call_id <> $6)",
            [
                tx.tenant_id().into(),
                customer_id.into(),
                from.into(),
                at.into(),
                class.map(str::to_owned).into(),
                without.map(CallId::uuid).into(),
            ],
        )
        .await?;
    Ok(sum.unwrap_or(0))
}

/// Calls of a customer that run.
pub async fn running(tx: &TenantTx, customer_id: CustomerId, without: CallId, at: DateTime<Utc>) -> Result<u64> {
    let count: Option<i64> = tx
        .value(
            "SELECT count(*) AS v FROM outgoing_call
             WHERE book_id = $1 AND customer_id = $2 AND ended_at IS NULL AND lease_until > $3 AND call_id <> $4",
            [tx.tenant_id().into(), customer_id.into(), at.into(), without.into()],
        )
        .await?;
    Ok(count.unwrap_or(0).unsigned_abs())
}

/// One call of a customer is decided at a time: what is left of a limit is not given twice.
pub async fn lock_customer(tx: &TenantTx, customer_id: CustomerId) -> Result<()> {
    let key = format!("outgoing {} {customer_id}", tx.tenant_id());
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [key.into()]).await?;
    Ok(())
}

/// True when it is the first of this customer, limit and hour.
pub async fn put_alert(tx: &TenantTx, alert: &SpendAlert) -> Result<bool> {
    let made = tx
        .run(
            "INSERT INTO spend_alert (tenant_id, customer_id, guard, hour, at, call_id, detail)
             VALUES ($1, $2, $3, date_trunc('hour', $4::timestamptz, 'UTC'), $4, $5, $6) ON CONFLICT DO NOTHING",
            [
                tx.tenant_id().into(),
                alert.customer_id.into(),
                alert.guard.clone().into(),
                alert.at.into(),
                alert.call_id.into(),
                alert.detail.clone().into(),
            ],
        )
        .await?;
    Ok(made > 0)
}

/// The newest alerts of the book, or of one customer.
pub async fn alerts(tx: &TenantTx, customer_id: Option<CustomerId>, limit: u64) -> Result<Vec<SpendAlert>> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
        guard: String,
        at: DateTime<Utc>,
        call_id: Uuid,
        detail: String,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT customer_id, guard, at, call_id, detail FROM spend_alert
             WHERE tenant_id = $1 AND ($2::uuid IS NULL OR customer_id = $2) ORDER BY at DESC LIMIT $3",
            [
                tx.tenant_id().into(),
                customer_id.map(CustomerId::uuid).into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    let alert = |row: Row| SpendAlert {
        customer_id: row.customer_id.into(),
        guard: row.guard,
        at: row.at,
        call_id: CallId::from_uuid(row.call_id),
        detail: row.detail,
    };
    Ok(rows.into_iter().map(alert).collect())
}
