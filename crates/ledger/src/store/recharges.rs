use crate::error::LedgerError;
use crate::recharge::{AutoRecharge, AutoRechargeState, Recharge, RechargeState};
use crate::store::money;
use ::money::Money;
use chrono::{DateTime, Utc};
use db::{CustomerId, RechargeId, TenantTx};
use sea_orm::FromQueryResult;
use uuid::Uuid;

pub async fn set(tx: &TenantTx, terms: &AutoRecharge, now: DateTime<Utc>) -> Result<(), LedgerError> {
    tx.run(
        "INSERT INTO auto_recharge (tenant_id, customer_id, currency, below_micros, amount_micros, day_cap_micros, month_cap_micros,
           cool_off_seconds, is_on, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (tenant_id, customer_id) DO UPDATE SET currency = excluded.currency, below_micros = excluded.below_micros,
           amount_micros = excluded.amount_micros, day_cap_micros = excluded.day_cap_micros, month_cap_micros = excluded.month_cap_micros,
           cool_off_seconds = excluded.cool_off_seconds, is_on = excluded.is_on, changed_at = excluded.changed_at",
        [
            tx.tenant_id().into(),
            terms.customer_id.into(),
            terms.amount.currency().code().into(),
            terms.below.micros().into(),
            terms.amount.micros().into(),
            terms.day_cap.micros().into(),
            terms.month_cap.micros().into(),
            i32::try_from(terms.cool_off_seconds).unwrap_or(i32::MAX).into(),
            terms.is_on.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct TermsRow {
    customer_id: Uuid,
    currency: String,
    below_micros: i64,
    amount_micros: i64,
    day_cap_micros: i64,
    month_cap_micros: i64,
    cool_off_seconds: i32,
    is_on: bool,
    failures: i32,
    breaker_opened_at: Option<DateTime<Utc>>,
    breaker_reason: Option<String>,
    available_micros: i64,
}

const TERMS: &str = "r.customer_id, r.currency, r.below_micros, r.amount_micros, r.day_cap_micros, r.month_cap_micros, \
                     r.cool_off_seconds, r.is_on, r.failures, r.breaker_opened_at, r.breaker_reason, \
                     coalesce(w.balance_micros - w.reserved_micros - w.floor_micros, 0) AS available_micros";

fn terms(row: &TermsRow) -> Result<AutoRecharge, LedgerError> {
    Ok(AutoRecharge {
        customer_id: row.customer_id.into(),
        below: money(row.below_micros, &row.currency)?,
        amount: money(row.amount_micros, &row.currency)?,
        day_cap: money(row.day_cap_micros, &row.currency)?,
        month_cap: money(row.month_cap_micros, &row.currency)?,
        cool_off_seconds: row.cool_off_seconds.unsigned_abs(),
        is_on: row.is_on,
    })
}

pub async fn of_customer(tx: &TenantTx, id: CustomerId) -> Result<Option<AutoRechargeState>, LedgerError> {
    let row: Option<TermsRow> = tx
        .row(
            &format!(
                "SELECT {TERMS} FROM auto_recharge r
                 LEFT JOIN wallet w ON w.tenant_id = r.tenant_id AND w.customer_id = r.customer_id AND w.currency = r.currency
                 WHERE r.tenant_id = $1 AND r.customer_id = $2"
            ),
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let terms = terms(&row)?;
    let breaker = row.breaker_opened_at.zip(row.breaker_reason);
    Ok(Some(AutoRechargeState { terms, failures: row.failures.unsigned_abs(), breaker }))
}

/// A wallet that has run low.
pub struct Low {
    pub terms: AutoRecharge,
    pub available: Money,
}

/// Wallets that have run low and may ask; their terms are locked, those that another round looks at are left to it.
pub async fn lock_low(tx: &TenantTx) -> Result<Vec<Low>, LedgerError> {
    let rows: Vec<TermsRow> = tx
        .rows(
            &format!(
                "SELECT {TERMS} FROM auto_recharge r
                 JOIN wallet w ON w.tenant_id = r.tenant_id AND w.customer_id = r.customer_id AND w.currency = r.currency
                 WHERE r.tenant_id = $1 AND r.is_on AND r.breaker_opened_at IS NULL
                   AND w.balance_micros - w.reserved_micros - w.floor_micros < r.below_micros
                   AND NOT EXISTS (SELECT 1 FROM recharge_attempt a
                     WHERE a.tenant_id = $1 AND a.customer_id = r.customer_id AND a.state = 'asked')
                 ORDER BY r.customer_id FOR NO KEY UPDATE OF r SKIP LOCKED"
            ),
            [tx.tenant_id().into()],
        )
        .await?;
    let low = |row: TermsRow| Ok(Low { terms: terms(&row)?, available: money(row.available_micros, &row.currency)? });
    rows.into_iter().map(low).collect()
}

/// What was asked for and has not failed, and when it was asked last.
pub struct Asked {
    pub micros: i64,
    pub last_at: Option<DateTime<Utc>>,
}

pub async fn asked_since(tx: &TenantTx, id: CustomerId, since: DateTime<Utc>) -> Result<Asked, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        micros: i64,
        last_at: Option<DateTime<Utc>>,
    }
    let row: Option<Row> = tx
        .row(
            "SELECT coalesce(sum(amount_micros) FILTER (WHERE state <> 'failed'), 0)::bigint AS micros, max(decided_at) AS last_at
             FROM recharge_attempt WHERE tenant_id = $1 AND customer_id = $2 AND decided_at > $3",
            [tx.tenant_id().into(), id.into(), since.into()],
        )
        .await?;
    Ok(row.map_or(Asked { micros: 0, last_at: None }, |row| Asked { micros: row.micros, last_at: row.last_at }))
}

/// False where another round was quicker: an attempt of the customer is open.
pub async fn insert(tx: &TenantTx, attempt: &Recharge) -> Result<bool, LedgerError> {
    let inserted = tx
        .run(
            "INSERT INTO recharge_attempt (tenant_id, id, customer_id, currency, amount_micros, available_micros, state, decided_at)
             VALUES ($1, $4, $2, $3, $5, $6, 'asked', $7) ON CONFLICT (tenant_id, customer_id) WHERE state = 'asked' DO NOTHING",
            [
                tx.tenant_id().into(),
                attempt.customer_id.into(),
                attempt.amount.currency().code().into(),
                attempt.id.into(),
                attempt.amount.micros().into(),
                attempt.available.micros().into(),
                attempt.decided_at.into(),
            ],
        )
        .await?;
    Ok(inserted > 0)
}

pub async fn asked_before(tx: &TenantTx, before: DateTime<Utc>) -> Result<Vec<RechargeId>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id FROM recharge_attempt WHERE tenant_id = $1 AND state = 'asked' AND decided_at < $2 ORDER BY id",
            [tx.tenant_id().into(), before.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.id.into()).collect())
}

/// What was paid into an attempt's wallet since it was decided, in micros. A payment may be dated back, by a month at most, and its
/// request may have begun a minute before; what calls give back is no payment.
pub async fn paid_in_since(tx: &TenantTx, id: RechargeId) -> Result<i64, LedgerError> {
    let micros: Option<i64> = tx
        .value(
            "SELECT coalesce(sum(e.amount_micros), 0)::bigint AS v FROM recharge_attempt a
             JOIN wallet w ON w.tenant_id = $1 AND w.customer_id = a.customer_id AND w.currency = a.currency
             JOIN ledger_entry e ON e.tenant_id = $1 AND e.account_id = w.account_id AND e.effective_at > a.decided_at - interval '31 days'
             JOIN ledger_transaction t ON t.tenant_id = $1 AND t.id = e.transaction_id AND t.kind = 'top_up' AND t.posted_at >= a.decided_at - interval '1 minute'
             WHERE a.tenant_id = $1 AND a.id = $2",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    Ok(micros.unwrap_or(0))
}

/// An attempt that was just closed.
pub struct Closed {
    pub customer_id: CustomerId,
    pub amount_micros: i64,
    pub failures: i32,
}

/// Closes an open attempt; `None` when it is closed, or not there.
pub async fn close(
    tx: &TenantTx,
    id: RechargeId,
    state: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<Closed>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
        amount_micros: i64,
        failures: i32,
    }
    let row: Option<Row> = tx
        .row(
            "WITH closed AS (
               UPDATE recharge_attempt SET state = $3, reason = $4, closed_at = $5
               WHERE tenant_id = $1 AND id = $2 AND state = 'asked' RETURNING customer_id, amount_micros
             )
             SELECT c.customer_id, c.amount_micros, r.failures FROM closed c
             JOIN auto_recharge r ON r.tenant_id = $1 AND r.customer_id = c.customer_id",
            [tx.tenant_id().into(), id.into(), state.into(), reason.map(str::to_owned).into(), now.into()],
        )
        .await?;
    Ok(row.map(|row| Closed {
        customer_id: row.customer_id.into(),
        amount_micros: row.amount_micros,
        failures: row.failures,
    }))
}

pub async fn count_failures(tx: &TenantTx, id: CustomerId, failures: i32) -> Result<(), LedgerError> {
    tx.run(
        "UPDATE auto_recharge SET failures = $3 WHERE tenant_id = $1 AND customer_id = $2",
        [tx.tenant_id().into(), id.into(), failures.into()],
    )
    .await?;
    Ok(())
}

pub async fn open_breaker(tx: &TenantTx, id: CustomerId, reason: &str, now: DateTime<Utc>) -> Result<(), LedgerError> {
    tx.run(
        "UPDATE auto_recharge SET breaker_opened_at = $3, breaker_reason = $4
         WHERE tenant_id = $1 AND customer_id = $2 AND breaker_opened_at IS NULL",
        [tx.tenant_id().into(), id.into(), now.into(), reason.into()],
    )
    .await?;
    Ok(())
}

pub async fn close_breaker(tx: &TenantTx, id: CustomerId, now: DateTime<Utc>) -> Result<(), LedgerError> {
    tx.run(
        "UPDATE auto_recharge SET breaker_opened_at = NULL, breaker_reason = NULL, failures = 0, changed_at = $3
         WHERE tenant_id = $1 AND customer_id = $2",
        [tx.tenant_id().into(), id.into(), now.into()],
    )
    .await?;
    Ok(())
}

pub async fn attempts(tx: &TenantTx, id: CustomerId, limit: u64) -> Result<Vec<Recharge>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        currency: String,
        amount_micros: i64,
        available_micros: i64,
        state: String,
        decided_at: DateTime<Utc>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, currency, amount_micros, available_micros, state, decided_at FROM recharge_attempt
             WHERE tenant_id = $1 AND customer_id = $2 ORDER BY decided_at DESC, id DESC LIMIT $3",
            [tx.tenant_id().into(), id.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()],
        )
        .await?;
    let read = |row: Row| {
        Ok(Recharge {
            id: row.id.into(),
            customer_id: id,
            amount: money(row.amount_micros, &row.currency)?,
            available: money(row.available_micros, &row.currency)?,
            state: match row.state.as_str() {
                "paid" => RechargeState::Paid,
                "failed" => RechargeState::Failed,
                _ => RechargeState::Asked,
            },
            decided_at: row.decided_at,
        })
    };
    rows.into_iter().map(read).collect()
}
