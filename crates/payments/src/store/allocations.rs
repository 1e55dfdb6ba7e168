use crate::allocation::Share;
use crate::error::PaymentError;
use db::{CustomerId, DocumentId, PaymentId, TenantTx};
use money::{Currency, Money};
use sea_orm::FromQueryResult;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(crate) async fn insert(tx: &TenantTx, customer_id: CustomerId, shares: &[Share]) -> Result<(), PaymentError> {
    if shares.is_empty() {
        return Ok(());
    }
    let payments: Vec<Uuid> = shares.iter().map(|share| share.payment_id.uuid()).collect();
    let documents: Vec<Uuid> = shares.iter().map(|share| share.document_id.uuid()).collect();
    let amounts: Vec<i64> = shares.iter().map(|share| share.amount.micros()).collect();
    tx.run(
        "INSERT INTO payment_allocation (tenant_id, payment_id, document_id, seq, customer_id, amount_micros)
         SELECT $1, share.payment_id, share.document_id,
           1 + coalesce((SELECT max(seq) FROM payment_allocation a
             WHERE a.tenant_id = $1 AND a.payment_id = share.payment_id AND a.document_id = share.document_id), 0),
           $2, share.amount_micros
         FROM unnest($3::uuid[], $4::uuid[], $5::bigint[]) AS share (payment_id, document_id, amount_micros)",
        [tx.tenant_id().into(), customer_id.into(), payments.into(), documents.into(), amounts.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct PaidRow {
    document_id: Uuid,
    currency: String,
    paid_micros: i64,
}

pub(crate) async fn paid(tx: &TenantTx, documents: &[DocumentId]) -> Result<BTreeMap<DocumentId, Money>, PaymentError> {
    let ids: Vec<Uuid> = documents.iter().map(|id| id.uuid()).collect();
    let rows: Vec<PaidRow> = tx
        .rows(
            "SELECT a.document_id, p.currency, sum(a.amount_micros)::bigint AS paid_micros
             FROM payment_allocation a JOIN payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id
             WHERE a.tenant_id = $1 AND a.document_id = ANY($2) GROUP BY a.document_id, p.currency",
            [tx.tenant_id().into(), ids.into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| Ok((row.document_id.into(), Money::from_micros(row.paid_micros, row.currency.parse()?))))
        .collect()
}

#[derive(FromQueryResult)]
struct ShareRow {
    payment_id: Uuid,
    document_id: Uuid,
    currency: String,
    amount_micros: i64,
}

/// What each of a customer's payments pays of each document, in the order of the payments.
pub(crate) async fn of_customer(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<Share>, PaymentError> {
    let rows: Vec<ShareRow> = tx
        .rows(
            "SELECT a.payment_id, a.document_id, p.currency, sum(a.amount_micros)::bigint AS amount_micros
             FROM payment_allocation a JOIN payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id
             WHERE a.tenant_id = $1 AND a.customer_id = $2
             GROUP BY a.payment_id, a.document_id, p.currency, p.received_at, p.id
             HAVING sum(a.amount_micros) <> 0 ORDER BY p.received_at, p.id, a.document_id",
            [tx.tenant_id().into(), customer_id.into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            let amount = Money::from_micros(row.amount_micros, row.currency.parse()?);
            Ok(Share { payment_id: row.payment_id.into(), document_id: row.document_id.into(), amount })
        })
        .collect()
}

#[derive(FromQueryResult)]
struct UsedRow {
    id: Uuid,
    currency: String,
    amount_micros: i64,
    used_micros: i64,
}

/// Payments of which more is used than there was: the payment, its amount and what is used.
pub(crate) async fn overdrawn(tx: &TenantTx) -> Result<Vec<(PaymentId, Money, Money)>, PaymentError> {
    let rows: Vec<UsedRow> = tx
        .rows(
            "SELECT id, currency, amount_micros, used_micros FROM (
               SELECT p.id, p.currency, p.amount_micros,
                 (coalesce((SELECT sum(a.amount_micros) FROM payment_allocation a WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id), 0)
                 + coalesce((SELECT sum(r.amount_micros) FROM refund r WHERE r.tenant_id = p.tenant_id AND r.payment_id = p.id), 0))::bigint AS used_micros
               FROM payment p WHERE p.tenant_id = $1) used
             WHERE used_micros > amount_micros ORDER BY id",
            [tx.tenant_id().into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency = row.currency.parse()?;
            let amount = |micros| Money::from_micros(micros, currency);
            Ok((row.id.into(), amount(row.amount_micros), amount(row.used_micros)))
        })
        .collect()
}

/// Money that came in or went back, and whose posting moves another amount: what it is, its amount, what the ledger moved.
pub(crate) async fn posted_otherwise(tx: &TenantTx) -> Result<Vec<(String, Money, Money)>, PaymentError> {
    #[derive(FromQueryResult)]
    struct Row {
        what: String,
        currency: String,
        amount_micros: i64,
        posted_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT * FROM (
               SELECT m.what, m.currency, m.amount_micros, coalesce((SELECT sum(e.amount_micros) FROM ledger_entry e
                 WHERE e.tenant_id = $1 AND e.transaction_id = m.transaction_id AND e.amount_micros > 0), 0)::bigint AS posted_micros
               FROM (
                 SELECT 'payment ' || p.id AS what, p.currency, p.amount_micros, p.transaction_id FROM payment p WHERE p.tenant_id = $1
                 UNION ALL
                 SELECT 'refund ' || r.reference, p.currency, r.amount_micros, r.transaction_id FROM refund r
                 JOIN payment p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id WHERE r.tenant_id = $1
               ) m
             ) posted WHERE posted_micros <> amount_micros ORDER BY what",
            [tx.tenant_id().into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency = row.currency.parse()?;
            let amount = |micros| Money::from_micros(micros, currency);
            Ok((row.what, amount(row.amount_micros), amount(row.posted_micros)))
        })
        .collect()
}

#[derive(FromQueryResult)]
struct CustomerRow {
    customer_id: Uuid,
}

pub(crate) async fn customers_with_allocations(tx: &TenantTx) -> Result<Vec<CustomerId>, PaymentError> {
    let rows: Vec<CustomerRow> = tx
        .rows(
            "SELECT DISTINCT customer_id FROM payment_allocation WHERE tenant_id = $1 ORDER BY customer_id",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.customer_id.into()).collect())
}
