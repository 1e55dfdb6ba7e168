use crate::account::{AccountKind, AccountRef};
use crate::entity::wallet;
use crate::error::LedgerError;
use crate::store::money;
use crate::wallet::Wallet;
use ::money::Money;
use db::{CustomerId, TenantTx, WalletId};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    customer_id: Uuid,
    currency: String,
    balance_micros: i64,
    reserved_micros: i64,
    floor_micros: i64,
}

impl TryFrom<Row> for Wallet {
    type Error = LedgerError;
    fn try_from(row: Row) -> Result<Self, LedgerError> {
        Ok(Wallet {
            id: row.id.into(),
            customer_id: row.customer_id.into(),
            balance: money(row.balance_micros, &row.currency)?,
            reserved: money(row.reserved_micros, &row.currency)?,
            floor: money(row.floor_micros, &row.currency)?,
        })
    }
}

/// Opens the wallet and the two accounts that every charge of it touches; an open one stays as it is.
pub async fn open(tx: &TenantTx, customer_id: CustomerId, floor: Money) -> Result<(), LedgerError> {
    let (tenant_id, currency) = (tx.tenant_id(), floor.currency());
    let account = AccountRef::Customer(AccountKind::Wallet, customer_id).id(tenant_id, currency);
    let unbilled = AccountRef::Customer(AccountKind::Unbilled, customer_id).id(tenant_id, currency);
    tx.run(
        "WITH opened AS (
           INSERT INTO account (tenant_id, id, kind, customer_id, currency)
           SELECT $1, a.id, a.kind, $2, $3 FROM (VALUES ($4::uuid, 'wallet'), ($5::uuid, 'unbilled')) AS a (id, kind)
           WHERE NOT EXISTS (SELECT 1 FROM wallet w WHERE w.tenant_id = $1 AND w.customer_id = $2) ORDER BY a.id
           ON CONFLICT DO NOTHING
         )
         INSERT INTO wallet (tenant_id, id, customer_id, account_id, currency, floor_micros)
         SELECT $1, $6, $2, $4, $3, $7
         WHERE NOT EXISTS (SELECT 1 FROM wallet w WHERE w.tenant_id = $1 AND w.customer_id = $2)
         ON CONFLICT (tenant_id, customer_id, currency) DO NOTHING",
        [
            tenant_id.into(),
            customer_id.into(),
            currency.code().into(),
            account.into(),
            unbilled.into(),
            WalletId::new().into(),
            floor.micros().into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn of_customer(tx: &TenantTx, customer_id: CustomerId) -> Result<Option<Wallet>, LedgerError> {
    let found = wallet::Entity::find()
        .filter(wallet::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(wallet::Column::CustomerId.eq(customer_id.uuid()))
        .one(tx)
        .await?;
    found
        .map(|model| {
            Row {
                id: model.id,
                customer_id: model.customer_id,
                currency: model.currency,
                balance_micros: model.balance_micros,
                reserved_micros: model.reserved_micros,
                floor_micros: model.floor_micros,
            }
            .try_into()
        })
        .transpose()
}

/// Which of these customers have something available.
pub async fn with_credit(tx: &TenantTx, customers: &[CustomerId]) -> Result<Vec<CustomerId>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Owner {
        customer_id: Uuid,
    }
    let ids: Vec<Uuid> = customers.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Owner> = tx
        .rows(
            "SELECT DISTINCT customer_id FROM wallet
             WHERE tenant_id = $1 AND customer_id = ANY($2) AND balance_micros - reserved_micros - floor_micros > 0",
            [tx.tenant_id().into(), ids.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.customer_id.into()).collect())
}

/// Wallets with less available than an amount of their currency, the emptiest first.
pub async fn below(tx: &TenantTx, below: Money, limit: u64) -> Result<Vec<Wallet>, LedgerError> {
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, customer_id, currency, balance_micros, reserved_micros, floor_micros FROM wallet
             WHERE tenant_id = $1 AND currency = $2 AND balance_micros - reserved_micros - floor_micros < $3
             ORDER BY balance_micros - reserved_micros - floor_micros, id LIMIT $4",
            [
                tx.tenant_id().into(),
                below.currency().code().into(),
                below.micros().into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Takes the rows of these customers' wallets, in id order, until the transaction ends.
pub async fn lock_by_customer(
    tx: &TenantTx,
    customers: impl Iterator<Item = CustomerId>,
) -> Result<Vec<Wallet>, LedgerError> {
    let mut customers: Vec<Uuid> = customers.map(CustomerId::uuid).collect();
    customers.sort_unstable();
    customers.dedup();
    let rows: Vec<Row> = tx
        .rows(
            "SELECT id, customer_id, currency, balance_micros, reserved_micros, floor_micros FROM wallet
             WHERE tenant_id = $1 AND customer_id = ANY($2) ORDER BY id FOR NO KEY UPDATE",
            [tx.tenant_id().into(), customers.into()],
        )
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

pub async fn set_floor(tx: &TenantTx, customer_id: CustomerId, floor: Money) -> Result<u64, LedgerError> {
    let touched = tx
        .run(
            "UPDATE wallet SET floor_micros = $4 WHERE tenant_id = $1 AND customer_id = $2 AND currency = $3",
            [tx.tenant_id().into(), customer_id.into(), floor.currency().code().into(), floor.micros().into()],
        )
        .await?;
    Ok(touched)
}
