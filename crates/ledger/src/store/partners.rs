use crate::error::LedgerError;
use crate::partner::{PartnerShare, ShareKind};
use crate::store::money;
use ::money::Money;
use chrono::NaiveDate;
use db::{CustomerId, SettlementId, TenantTx, TransactionId};
use sea_orm::FromQueryResult;
use uuid::Uuid;

const COLUMNS: &str =
    "batch_id, customer_id, called, shared_on, kind, currency, calls, seconds, base_micros, carrier_cost_micros,
       kept_micros, owed_micros";

#[derive(FromQueryResult)]
struct Row {
    batch_id: Uuid,
    customer_id: Uuid,
    called: String,
    shared_on: NaiveDate,
    kind: String,
    currency: String,
    calls: i64,
    seconds: i64,
    base_micros: i64,
    carrier_cost_micros: i64,
    kept_micros: i64,
    owed_micros: i64,
}

fn share_of(row: Row) -> Result<PartnerShare, LedgerError> {
    Ok(PartnerShare {
        batch_id: row.batch_id,
        customer_id: row.customer_id.into(),
        called: row.called,
        shared_on: row.shared_on,
        kind: ShareKind::of_word(&row.kind)?,
        calls: row.calls,
        seconds: row.seconds,
        base: money(row.base_micros, &row.currency)?,
        carrier_cost: money(row.carrier_cost_micros, &row.currency)?,
        kept: money(row.kept_micros, &row.currency)?,
        owed: money(row.owed_micros, &row.currency)?,
    })
}

pub async fn insert(tx: &TenantTx, shares: &[(&PartnerShare, TransactionId)]) -> Result<(), LedgerError> {
    if shares.is_empty() {
        return Ok(());
    }
    let amounts = |of: fn(&PartnerShare) -> i64| shares.iter().map(|(share, _)| of(share)).collect::<Vec<i64>>();
    let texts = |of: fn(&PartnerShare) -> String| shares.iter().map(|(share, _)| of(share)).collect::<Vec<_>>();
    tx.run(
        "INSERT INTO partner_share (tenant_id, batch_id, customer_id, called, shared_on, kind, currency, calls, seconds, base_micros,
           carrier_cost_micros, kept_micros, owed_micros, transaction_id)
         SELECT $1, s.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::date[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
           $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::uuid[]) s
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            shares.iter().map(|(share, _)| share.batch_id).collect::<Vec<_>>().into(),
            shares.iter().map(|(share, _)| share.customer_id.uuid()).collect::<Vec<_>>().into(),
            texts(|share| share.called.clone()).into(),
            shares.iter().map(|(share, _)| share.shared_on).collect::<Vec<_>>().into(),
            texts(|share| share.kind.as_str().to_owned()).into(),
            texts(|share| share.base.currency().code().to_owned()).into(),
            amounts(|share| share.calls).into(),
            amounts(|share| share.seconds).into(),
            amounts(|share| share.base.micros()).into(),
            amounts(|share| share.carrier_cost.micros()).into(),
            amounts(|share| share.kept.micros()).into(),
            amounts(|share| share.owed.micros()).into(),
            shares.iter().map(|(_, id)| id.uuid()).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn payees(tx: &TenantTx, before_on: NaiveDate) -> Result<Vec<(CustomerId, NaiveDate)>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Payee {
        customer_id: Uuid,
        first_on: NaiveDate,
    }
    let rows: Vec<Payee> = tx
        .rows(
            "SELECT customer_id, min(shared_on) AS first_on FROM partner_share
             WHERE tenant_id = $1 AND settlement_id IS NULL AND shared_on < $2
             GROUP BY 1 HAVING sum(owed_micros) > 0 ORDER BY 1",
            [tx.tenant_id().into(), before_on.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.customer_id.into(), row.first_on)).collect())
}

pub async fn claim(
    tx: &TenantTx,
    customer_id: CustomerId,
    before_on: NaiveDate,
    settlement_id: SettlementId,
) -> Result<Vec<PartnerShare>, LedgerError> {
    // Who comes second waits for the rows, and finds them taken.
    let rows: Vec<Row> = tx
        .rows(
            &format!(
                "UPDATE partner_share SET settlement_id = $4
                 WHERE tenant_id = $1 AND customer_id = $2 AND shared_on < $3 AND settlement_id IS NULL RETURNING {COLUMNS}"
            ),
            [tx.tenant_id().into(), customer_id.into(), before_on.into(), settlement_id.into()],
        )
        .await?;
    rows.into_iter().map(share_of).collect()
}

pub async fn free(tx: &TenantTx, settlement_id: SettlementId) -> Result<u64, LedgerError> {
    let freed = tx
        .run(
            "UPDATE partner_share SET settlement_id = NULL WHERE tenant_id = $1 AND settlement_id = $2",
            [tx.tenant_id().into(), settlement_id.into()],
        )
        .await?;
    Ok(freed)
}

pub async fn of_settlement(tx: &TenantTx, settlement_id: SettlementId) -> Result<Vec<PartnerShare>, LedgerError> {
    let rows: Vec<Row> = tx
        .rows(
            &format!(
                "SELECT {COLUMNS} FROM partner_share WHERE tenant_id = $1 AND settlement_id = $2
                 ORDER BY shared_on, called, kind, batch_id"
            ),
            [tx.tenant_id().into(), settlement_id.into()],
        )
        .await?;
    rows.into_iter().map(share_of).collect()
}

pub async fn unsettled(tx: &TenantTx) -> Result<Vec<(CustomerId, Money)>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Open {
        customer_id: Uuid,
        currency: String,
        owed_micros: i64,
    }
    let rows: Vec<Open> = tx
        .rows(
            "SELECT customer_id, currency, sum(owed_micros)::bigint AS owed_micros FROM partner_share
             WHERE tenant_id = $1 AND settlement_id IS NULL GROUP BY 1, 2 ORDER BY 1, 2",
            [tx.tenant_id().into()],
        )
        .await?;
    rows.into_iter().map(|row| Ok((row.customer_id.into(), money(row.owed_micros, &row.currency)?))).collect()
}

pub async fn settled(tx: &TenantTx) -> Result<Vec<(SettlementId, Money)>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Sum {
        settlement_id: Uuid,
        currency: String,
        owed_micros: i64,
    }
    let rows: Vec<Sum> = tx
        .rows(
            "SELECT settlement_id, currency, sum(owed_micros)::bigint AS owed_micros FROM partner_share
             WHERE tenant_id = $1 AND settlement_id IS NOT NULL GROUP BY 1, 2",
            [tx.tenant_id().into()],
        )
        .await?;
    rows.into_iter().map(|row| Ok((row.settlement_id.into(), money(row.owed_micros, &row.currency)?))).collect()
}
