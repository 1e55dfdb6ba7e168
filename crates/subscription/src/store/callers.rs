use super::customers::domain;
use crate::customer::Customer;
use crate::entity::{customer, customer_phone};
use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use uuid::Uuid;

/// The customer that has the number afterwards: this one, or another that had it before.
pub(crate) async fn claim_phone(
    tx: &TenantTx,
    customer_id: CustomerId,
    e164: &str,
    now: DateTime<Utc>,
) -> Result<CustomerId> {
    let holder: Option<Uuid> = tx
        .value(
            "INSERT INTO customer_phone (tenant_id, e164, customer_id, since)
             SELECT $1, $2, $3, max($4::timestamptz) FROM customer_phone_before WHERE tenant_id = $1 AND e164 = $2
             ON CONFLICT (tenant_id, e164) DO UPDATE SET customer_id = customer_phone.customer_id
             RETURNING customer_id AS v",
            [tx.tenant_id().into(), e164.into(), customer_id.into(), now.into()],
        )
        .await?;
    Ok(holder.map_or(customer_id, CustomerId::from_uuid))
}

pub(crate) async fn delete_phone(
    tx: &TenantTx,
    customer_id: CustomerId,
    e164: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let kept = tx
        .run(
            "WITH gone AS (DELETE FROM customer_phone WHERE tenant_id = $1 AND customer_id = $2 AND e164 = $3 RETURNING *)
             INSERT INTO customer_phone_before (tenant_id, e164, until, customer_id, since)
             SELECT tenant_id, e164, $4, customer_id, since FROM gone",
            [tx.tenant_id().into(), customer_id.into(), e164.into(), now.into()],
        )
        .await?;
    Ok(kept > 0)
}

/// Whose these numbers were at their time, and not closed by then; a place without one is left out.
pub(crate) async fn holders(tx: &TenantTx, calls: &[(String, DateTime<Utc>)]) -> Result<Vec<(usize, CustomerId)>> {
    #[derive(FromQueryResult)]
    struct Holder {
        place: i32,
        customer_id: Uuid,
    }
    let rows: Vec<Holder> = tx
        .rows(
            "SELECT u.place, c.id AS customer_id
             FROM unnest($2::int4[], $3::text[], $4::timestamptz[]) AS u (place, e164, at)
             LEFT JOIN LATERAL (
               SELECT b.customer_id, b.since, true AS is_past FROM customer_phone_before b
               WHERE b.tenant_id = $1 AND b.e164 = u.e164 AND b.until > u.at ORDER BY b.until LIMIT 1) past ON true
             LEFT JOIN customer_phone p ON p.tenant_id = $1 AND p.e164 = u.e164 AND past.is_past IS NULL
             JOIN customer c ON c.tenant_id = $1 AND c.id = coalesce(past.customer_id, p.customer_id)
             WHERE coalesce(past.since, p.since, '-infinity') <= u.at AND (c.closed_at IS NULL OR c.closed_at > u.at)",
            [
                tx.tenant_id().into(),
                (0i32..).take(calls.len()).collect::<Vec<_>>().into(),
                calls.iter().map(|(e164, _)| e164.clone()).collect::<Vec<_>>().into(),
                calls.iter().map(|(_, at)| *at).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    Ok(rows.into_iter().filter_map(|row| Some((usize::try_from(row.place).ok()?, row.customer_id.into()))).collect())
}

pub(crate) async fn phones_of(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<String>> {
    let rows = customer_phone::Entity::find()
        .filter(customer_phone::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(customer_phone::Column::CustomerId.eq(customer_id.uuid()))
        .order_by_asc(customer_phone::Column::E164)
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| row.e164).collect())
}

pub(crate) async fn by_phone(tx: &TenantTx, e164: &str) -> Result<Option<Customer>> {
    let row: Option<customer::Model> = tx
        .row(
            "SELECT c.* FROM customer_phone p JOIN customer c ON c.tenant_id = p.tenant_id AND c.id = p.customer_id
             WHERE p.tenant_id = $1 AND p.e164 = $2 AND c.closed_at IS NULL",
            [tx.tenant_id().into(), e164.into()],
        )
        .await?;
    row.map(domain).transpose()
}

/// An account as it is while its row is locked.
pub(crate) struct Account {
    pub(crate) customer_id: CustomerId,
    pub(crate) pin_hash: String,
    pub(crate) failed_attempts: i32,
    pub(crate) last_failed_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
struct AccountRow {
    customer_id: Uuid,
    pin_hash: String,
    failed_attempts: i32,
    last_failed_at: Option<DateTime<Utc>>,
}

/// The customer that has the account number afterwards; only its own row gets the new PIN.
pub(crate) async fn set_pin(
    tx: &TenantTx,
    customer_id: CustomerId,
    account_no: &str,
    pin_hash: &str,
) -> Result<CustomerId> {
    let holder: Option<Uuid> = tx
        .value(
            "INSERT INTO customer_pin (tenant_id, account_no, customer_id, pin_hash) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id, account_no) DO UPDATE SET
               pin_hash = CASE WHEN customer_pin.customer_id = $3 THEN $4 ELSE customer_pin.pin_hash END,
               failed_attempts = CASE WHEN customer_pin.customer_id = $3 THEN 0 ELSE customer_pin.failed_attempts END
             RETURNING customer_id AS v",
            [tx.tenant_id().into(), account_no.into(), customer_id.into(), pin_hash.into()],
        )
        .await?;
    Ok(holder.map_or(customer_id, CustomerId::from_uuid))
}

pub(crate) async fn lock_account(tx: &TenantTx, account_no: &str) -> Result<Option<Account>> {
    let row: Option<AccountRow> = tx
        .row(
            "SELECT customer_id, pin_hash, failed_attempts, last_failed_at FROM customer_pin
             WHERE tenant_id = $1 AND account_no = $2 FOR UPDATE",
            [tx.tenant_id().into(), account_no.into()],
        )
        .await?;
    Ok(row.map(|row| Account {
        customer_id: row.customer_id.into(),
        pin_hash: row.pin_hash,
        failed_attempts: row.failed_attempts,
        last_failed_at: row.last_failed_at,
    }))
}

pub(crate) async fn count_failure(tx: &TenantTx, account_no: &str, now: DateTime<Utc>) -> Result<()> {
    tx.run(
        "UPDATE customer_pin SET failed_attempts = failed_attempts + 1, last_failed_at = $3 WHERE tenant_id = $1 AND account_no = $2",
        [tx.tenant_id().into(), account_no.into(), now.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn forget_failures(tx: &TenantTx, account_no: &str) -> Result<()> {
    tx.run(
        "UPDATE customer_pin SET failed_attempts = 0 WHERE tenant_id = $1 AND account_no = $2",
        [tx.tenant_id().into(), account_no.into()],
    )
    .await?;
    Ok(())
}
