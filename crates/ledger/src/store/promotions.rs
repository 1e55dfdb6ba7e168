use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::promotion::{Debit, Grant, Promotion};
use crate::store::money;
use crate::wallet::Wallet;
use ::money::Money;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx, TransactionId};
use sea_orm::FromQueryResult;
use uuid::Uuid;

pub async fn insert(
    tx: &TenantTx,
    id: TransactionId,
    promotion: &Promotion,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    tx.run(
        "INSERT INTO promotional_grant (tenant_id, id, customer_id, currency, amount_micros, granted_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            tx.tenant_id().into(),
            id.into(),
            promotion.customer_id.into(),
            promotion.amount.currency().code().into(),
            promotion.amount.micros().into(),
            now.into(),
            promotion.expires_at.into(),
        ],
    )
    .await?;
    Ok(())
}

/// All grants of a customer, by time; what is left of them is not known in here.
pub async fn of_customer(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<Grant>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        currency: String,
        amount_micros: i64,
        granted_at: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
        expired_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, currency, amount_micros, granted_at, expires_at, expired_micros FROM promotional_grant
             WHERE tenant_id = $1 AND customer_id = $2 ORDER BY granted_at, id",
            [tx.tenant_id().into(), customer_id.into()],
        )
        .await?;
    let read = |row: Row| {
        let amount = money(row.amount_micros, &row.currency)?;
        Ok(Grant {
            id: row.id.into(),
            amount,
            left: Money::zero(amount.currency()),
            granted_at: row.granted_at,
            expires_at: row.expires_at,
            expired: money(row.expired_micros, &row.currency)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// What has left a wallet since the first of these grants: one sum from each grant to the next, for between two grants the
/// order of debits makes no difference. Money paid back to the customer, and credit that expired, are not a use of credit.
pub async fn debits(tx: &TenantTx, wallet: &Wallet, grants: &[Grant]) -> Result<Vec<Debit>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        at: DateTime<Utc>,
        micros: i64,
    }
    if grants.is_empty() {
        return Ok(Vec::new());
    }
    // By time already: `of_customer` reads them so.
    let begins: Vec<DateTime<Utc>> = grants.iter().map(|grant| grant.granted_at).collect();
    let account =
        AccountRef::Customer(AccountKind::Wallet, wallet.customer_id).id(tx.tenant_id(), wallet.balance.currency());
    let rows: Vec<Row> = tx
        .rows(
            "SELECT min(t.posted_at) AS at, -sum(e.amount_micros)::bigint AS micros FROM ledger_entry e
             JOIN ledger_transaction t ON t.tenant_id = $1 AND t.id = e.transaction_id
             WHERE e.tenant_id = $1 AND e.account_id = $2 AND e.amount_micros < 0 AND t.posted_at >= ($3::timestamptz[])[1]
               AND t.kind NOT IN ('refund', 'promotion_expired', 'reversal')
             GROUP BY width_bucket(t.posted_at, $3::timestamptz[]) ORDER BY 1",
            [tx.tenant_id().into(), account.into(), begins.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| Debit { at: row.at, micros: row.micros }).collect())
}

/// Customers with a grant that has expired and is not closed.
pub async fn customers_due(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<CustomerId>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        customer_id: Uuid,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT DISTINCT customer_id FROM promotional_grant
             WHERE tenant_id = $1 AND closed_at IS NULL AND expires_at <= $2",
            [tx.tenant_id().into(), now.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.customer_id.into()).collect())
}

pub async fn add_expired(tx: &TenantTx, id: TransactionId, taken: Money) -> Result<(), LedgerError> {
    tx.run(
        "UPDATE promotional_grant SET expired_micros = expired_micros + $3 WHERE tenant_id = $1 AND id = $2",
        [tx.tenant_id().into(), id.into(), taken.micros().into()],
    )
    .await?;
    Ok(())
}

pub async fn close(tx: &TenantTx, id: TransactionId, now: DateTime<Utc>) -> Result<u64, LedgerError> {
    let closed = tx
        .run(
            "UPDATE promotional_grant SET closed_at = $3 WHERE tenant_id = $1 AND id = $2 AND closed_at IS NULL",
            [tx.tenant_id().into(), id.into(), now.into()],
        )
        .await?;
    Ok(closed)
}
