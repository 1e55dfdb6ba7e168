use crate::account::{AccountKind, AccountRef};
use crate::entries::{EntryFilter, EntryLine, EntryPlace};
use crate::error::LedgerError;
use crate::store::money;
use ::money::Money;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx};
use sea_orm::FromQueryResult;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Row {
    effective_at: DateTime<Utc>,
    transaction_id: Uuid,
    position: i32,
    kind: String,
    key: String,
    memo: String,
    account_kind: String,
    customer_id: Option<Uuid>,
    currency: String,
    amount_micros: i64,
}

/// Of some accounts: by the index of their entries. Of all: by the index of transactions, whose instant is that of their entries.
const OF_ACCOUNTS: &str = "account a JOIN ledger_entry e ON e.tenant_id = $1 AND e.account_id = a.id AND e.effective_at >= $5 AND e.effective_at < $6
       JOIN ledger_transaction t ON t.tenant_id = $1 AND t.id = e.transaction_id";
const OF_ALL: &str = "ledger_transaction t JOIN ledger_entry e ON e.tenant_id = $1 AND e.transaction_id = t.id
       JOIN account a ON a.tenant_id = $1 AND a.id = e.account_id";

pub async fn page(tx: &TenantTx, filter: &EntryFilter) -> Result<Vec<EntryLine>, LedgerError> {
    let is_whole = filter.account.is_none() && filter.customer_id.is_none();
    let (from, wall) = if is_whole {
        (OF_ALL, "t.tenant_id = $1 AND t.effective_at >= greatest($5, coalesce($7, $5)) AND t.effective_at < $6")
    } else {
        (OF_ACCOUNTS, "a.tenant_id = $1")
    };
    let rows: Vec<Row> = tx
        .rows(
            &format!(
                "SELECT e.effective_at, e.transaction_id, e.position, t.kind, t.key, t.memo, a.kind AS account_kind, a.customer_id, a.currency,
                   e.amount_micros
                 FROM {from}
                 WHERE {wall} AND a.currency = $2 AND ($3::text IS NULL OR a.kind = $3) AND ($4::uuid IS NULL OR a.customer_id = $4)
                   AND ($7::timestamptz IS NULL OR (e.effective_at, e.transaction_id, e.position) > ($7, $8, $9))
                 ORDER BY e.effective_at, e.transaction_id, e.position LIMIT $10"
            ),
            [
                tx.tenant_id().into(),
                filter.currency.code().into(),
                filter.account.map(AccountKind::code).map(str::to_owned).into(),
                filter.customer_id.map(CustomerId::uuid).into(),
                filter.from.into(),
                filter.to.into(),
                filter.after.map(|place| place.at).into(),
                filter.after.map(|place| place.transaction_id.uuid()).into(),
                filter.after.map(|place| place.position).into(),
                i64::try_from(filter.limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    let line = |row: Row| {
        let kind: AccountKind = row.account_kind.parse()?;
        Ok(EntryLine {
            place: EntryPlace {
                at: row.effective_at,
                transaction_id: row.transaction_id.into(),
                position: row.position,
            },
            kind: row.kind,
            key: row.key,
            memo: row.memo,
            account: row.customer_id.map_or(AccountRef::Book(kind), |id| AccountRef::Customer(kind, id.into())),
            amount: money(row.amount_micros, &row.currency)?,
        })
    };
    rows.into_iter().map(line).collect()
}

pub async fn balance_before(tx: &TenantTx, filter: &EntryFilter, at: DateTime<Utc>) -> Result<Money, LedgerError> {
    let micros: Option<i64> = tx
        .value(
            "SELECT coalesce(sum(e.amount_micros), 0)::bigint AS v FROM account a
             JOIN ledger_entry e ON e.tenant_id = $1 AND e.account_id = a.id AND e.effective_at < $5
             WHERE a.tenant_id = $1 AND a.currency = $2 AND ($3::text IS NULL OR a.kind = $3) AND ($4::uuid IS NULL OR a.customer_id = $4)",
            [
                tx.tenant_id().into(),
                filter.currency.code().into(),
                filter.account.map(AccountKind::code).map(str::to_owned).into(),
                filter.customer_id.map(CustomerId::uuid).into(),
                at.into(),
            ],
        )
        .await?;
    Ok(Money::from_micros(micros.unwrap_or(0), filter.currency))
}
