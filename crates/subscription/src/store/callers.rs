use super::customers::domain;
use crate::customer::Customer;
use crate::entity::{customer, customer_phone};
use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use uuid::Uuid;

/// The customer that has the number afterwards: this one, or another that had it before.
pub(crate) async fn claim_phone(tx: &TenantTx, customer_id: CustomerId, e164: &str) -> Result<CustomerId> {
    let holder: Option<Uuid> = tx
        .value(
            "INSERT INTO customer_phone (tenant_id, e164, customer_id) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, e164) DO UPDATE SET customer_id = customer_phone.customer_id
             RETURNING customer_id AS v",
            [tx.tenant_id().into(), e164.into(), customer_id.into()],
        )
        .await?;
    Ok(holder.map_or(customer_id, CustomerId::from_uuid))
}

pub(crate) async fn delete_phone(tx: &TenantTx, customer_id: CustomerId, e164: &str) -> Result<bool> {
    let deleted = customer_phone::Entity::delete_many()
        .filter(customer_phone::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(customer_phone::Column::CustomerId.eq(customer_id.uuid()))
        .filter(customer_phone::Column::E164.eq(e164))
        .exec(tx)
        .await?;
    Ok(deleted.rows_affected > 0)
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
