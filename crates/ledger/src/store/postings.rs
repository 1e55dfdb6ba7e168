use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::posting::Posting;
use crate::store::{money, plan_for_size};
use ::money::Money;
use chrono::{DateTime, Utc};
use db::{AccountId, TenantTx, TransactionId};
use sea_orm::FromQueryResult;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Transactions, the accounts they need, their entries and the wallets they move: one statement, so that the trigger sees every
/// transaction whole. The nil UUID stands for NULL in arrays.
const WRITE: &str = "
WITH posted AS (
  INSERT INTO ledger_transaction (tenant_id, id, kind, key, effective_at, posted_at, memo, customer_id, reverses)
  SELECT $1, p.id, p.kind, p.key, p.effective_at, $2, p.memo, nullif(p.customer_id, $3), nullif(p.reverses, $3)
  FROM unnest($4::uuid[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::uuid[], $10::uuid[])
    AS p (id, kind, key, effective_at, memo, customer_id, reverses)
  ORDER BY p.kind, p.key
  ON CONFLICT (tenant_id, kind, key) DO NOTHING
  RETURNING id, effective_at
), entry AS MATERIALIZED (
  SELECT e.*, posted.effective_at FROM unnest($11::uuid[], $12::int[], $13::uuid[], $14::text[], $15::uuid[], $16::text[], $17::bigint[])
    AS e (transaction_id, position, account_id, account_kind, customer_id, currency, amount_micros)
  JOIN posted ON posted.id = e.transaction_id
), opened AS (
  INSERT INTO account (tenant_id, id, kind, customer_id, currency)
  SELECT DISTINCT $1, e.account_id, e.account_kind, nullif(e.customer_id, $3), e.currency FROM entry e ORDER BY 2
  ON CONFLICT DO NOTHING
), moved AS (
  UPDATE wallet w SET balance_micros = w.balance_micros + m.amount_micros, reserved_micros = w.reserved_micros - m.freed_micros
  FROM (
    SELECT x.account_id, sum(x.amount_micros)::bigint AS amount_micros, sum(x.freed_micros)::bigint AS freed_micros FROM (
      SELECT e.account_id, e.amount_micros, 0 AS freed_micros FROM entry e WHERE e.account_kind = 'wallet'
      UNION ALL SELECT f.account_id, 0, f.freed_micros FROM unnest($18::uuid[], $19::bigint[]) AS f (account_id, freed_micros)
    ) x GROUP BY 1
  ) m WHERE w.tenant_id = $1 AND w.account_id = m.account_id
), written AS (
  INSERT INTO ledger_entry (tenant_id, transaction_id, position, account_id, customer_id, currency, amount_micros, effective_at)
  SELECT $1, e.transaction_id, e.position, e.account_id, nullif(e.customer_id, $3), e.currency, e.amount_micros, e.effective_at
  FROM entry e
)
SELECT id FROM posted";

/// Up to here any plan will do.
const SMALL_BATCH: usize = 10;

#[derive(FromQueryResult)]
struct IdRow {
    id: Uuid,
}

/// Writes the postings whose key is not known yet, under these ids; the ids that were written. Wallets must be locked. `freed` is
/// what wallets no longer hold: it leaves their reserved part by the same update, for a wallet updated twice is checked twice.
pub async fn write(
    tx: &TenantTx,
    ids: &[TransactionId],
    postings: &[Posting],
    freed: &[(AccountId, i64)],
    now: DateTime<Utc>,
) -> Result<HashSet<TransactionId>, LedgerError> {
    if postings.len() > SMALL_BATCH {
        plan_for_size(tx).await?;
    }
    let tenant_id = tx.tenant_id();
    let count: usize = postings.iter().map(|posting| posting.entries().len()).sum();
    let (mut transactions, mut positions, mut accounts) =
        (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut kinds, mut customers) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut currencies, mut amounts) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (id, posting) in ids.iter().zip(postings) {
        for (index, (account, amount)) in posting.entries().iter().enumerate() {
            transactions.push(id.uuid());
            positions.push(index as i32 + 1);
            accounts.push(account.id(tenant_id, amount.currency()).uuid());
            kinds.push(account.kind().code().to_owned());
            customers.push(account.customer_id().map_or(Uuid::nil(), |id| id.uuid()));
            currencies.push(amount.currency().code().to_owned());
            amounts.push(amount.micros());
        }
    }
    let each = |text: fn(&Posting) -> String| postings.iter().map(text).collect::<Vec<_>>();
    let rows: Vec<IdRow> = tx
        .rows(
            WRITE,
            [
                tenant_id.into(),
                now.into(),
                Uuid::nil().into(),
                ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into(),
                each(|posting| posting.kind().to_owned()).into(),
                each(|posting| posting.key().to_owned()).into(),
                postings.iter().map(Posting::effective_at).collect::<Vec<_>>().into(),
                each(|posting| posting.memo().to_owned()).into(),
                postings.iter().map(|p| p.customer_id().map_or(Uuid::nil(), |id| id.uuid())).collect::<Vec<_>>().into(),
                postings.iter().map(|p| p.reverses().map_or(Uuid::nil(), |id| id.uuid())).collect::<Vec<_>>().into(),
                transactions.into(),
                positions.into(),
                accounts.into(),
                kinds.into(),
                customers.into(),
                currencies.into(),
                amounts.into(),
                freed.iter().map(|(account_id, _)| account_id.uuid()).collect::<Vec<_>>().into(),
                freed.iter().map(|(_, micros)| *micros).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    Ok(rows.into_iter().map(|row| TransactionId::from_uuid(row.id)).collect())
}

/// The stored transactions of these (kind, key) pairs.
pub async fn ids_of_keys<'a>(
    tx: &TenantTx,
    keys: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<HashMap<(String, String), TransactionId>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        kind: String,
        key: String,
    }
    let (kinds, keys): (Vec<String>, Vec<String>) = keys.map(|(kind, key)| (kind.to_owned(), key.to_owned())).unzip();
    let rows: Vec<Row> = tx
        .rows(
            "SELECT t.id, t.kind, t.key FROM ledger_transaction t
             JOIN (SELECT DISTINCT * FROM unnest($2::text[], $3::text[]) AS k (kind, key)) k ON t.kind = k.kind AND t.key = k.key
             WHERE t.tenant_id = $1",
            [tx.tenant_id().into(), kinds.into(), keys.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| ((row.kind, row.key), TransactionId::from_uuid(row.id))).collect())
}

/// The reversal of a transaction, if there is one, and its key.
pub async fn reversal_of(tx: &TenantTx, id: TransactionId) -> Result<Option<(TransactionId, String)>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        key: String,
    }
    let row: Option<Row> = tx
        .row(
            "SELECT id, key FROM ledger_transaction WHERE tenant_id = $1 AND reverses = $2",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    Ok(row.map(|row| (TransactionId::from_uuid(row.id), row.key)))
}

/// The entries of a transaction, in their order.
pub async fn entries_of(tx: &TenantTx, id: TransactionId) -> Result<Vec<(AccountRef, Money)>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        kind: String,
        customer_id: Option<Uuid>,
        currency: String,
        amount_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT a.kind, a.customer_id, e.currency, e.amount_micros FROM ledger_entry e
             JOIN account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id
             WHERE e.tenant_id = $1 AND e.transaction_id = $2 ORDER BY e.position",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    let read = |row: Row| {
        let kind: AccountKind = row.kind.parse()?;
        let account = row.customer_id.map_or(AccountRef::Book(kind), |id| AccountRef::Customer(kind, id.into()));
        Ok((account, money(row.amount_micros, &row.currency)?))
    };
    rows.into_iter().map(read).collect()
}
