use crate::entity::{payment, refund};
use crate::error::PaymentError;
use crate::payment::{NewPayment, Payment, PaymentFilter};
use crate::refund::{NewRefund, Refund};
use crate::words::{Method, PaymentKind};
use chrono::{DateTime, Utc};
use db::{CustomerId, PaymentId, TenantTx, TransactionId};
use money::{Currency, Money};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Value};
use uuid::Uuid;

pub(crate) async fn insert(
    tx: &TenantTx,
    kind: PaymentKind,
    new: &NewPayment,
    transaction_id: TransactionId,
) -> Result<PaymentId, PaymentError> {
    let id = PaymentId::new();
    let row = payment::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        customer_id: Set(new.customer_id.uuid()),
        kind: Set(kind.as_str().to_owned()),
        method: Set(new.method.as_str().to_owned()),
        reference: Set(new.reference.clone()),
        currency: Set(new.amount.currency().code().to_owned()),
        amount_micros: Set(new.amount.micros()),
        received_at: Set(new.received_at),
        recorded_by: Set(new.by.clone()),
        transaction_id: Set(transaction_id.uuid()),
    };
    payment::Entity::insert(row).exec_without_returning(tx).await.map_err(|error| {
        // Recorded for another customer at the same moment.
        let taken = db::constraint_of(&error).as_deref() == Some("payment_tenant_id_kind_reference_key");
        if taken { PaymentError::ReferenceIsTaken(new.reference.clone()) } else { error.into() }
    })?;
    Ok(id)
}

/// A payment with what is used of it.
const READ: &str = "SELECT p.*,
    coalesce((SELECT sum(a.amount_micros) FROM payment_allocation a WHERE a.tenant_id = p.tenant_id AND a.payment_id = p.id), 0)::bigint AS allocated_micros,
    coalesce((SELECT sum(r.amount_micros) FROM refund r WHERE r.tenant_id = p.tenant_id AND r.payment_id = p.id), 0)::bigint AS refunded_micros
  FROM payment p";

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    customer_id: Uuid,
    kind: String,
    method: String,
    reference: String,
    currency: String,
    amount_micros: i64,
    allocated_micros: i64,
    refunded_micros: i64,
    received_at: DateTime<Utc>,
    recorded_by: String,
    transaction_id: Uuid,
}

fn domain(row: Row) -> Result<Payment, PaymentError> {
    let currency: Currency = row.currency.parse()?;
    Ok(Payment {
        id: row.id.into(),
        customer_id: row.customer_id.into(),
        kind: PaymentKind::stored(&row.kind)?,
        method: Method::stored(&row.method)?,
        reference: row.reference,
        amount: Money::from_micros(row.amount_micros, currency),
        allocated: Money::from_micros(row.allocated_micros, currency),
        refunded: Money::from_micros(row.refunded_micros, currency),
        received_at: row.received_at,
        recorded_by: row.recorded_by,
        transaction_id: row.transaction_id.into(),
    })
}

pub(crate) async fn by_id(tx: &TenantTx, id: PaymentId) -> Result<Option<Payment>, PaymentError> {
    let query = format!("{READ} WHERE p.tenant_id = $1 AND p.id = $2");
    let row: Option<Row> = tx.row(&query, [tx.tenant_id().into(), id.into()]).await?;
    row.map(domain).transpose()
}

pub(crate) async fn by_reference(
    tx: &TenantTx,
    kind: PaymentKind,
    reference: &str,
) -> Result<Option<Payment>, PaymentError> {
    let query = format!("{READ} WHERE p.tenant_id = $1 AND p.kind = $2 AND p.reference = $3");
    let row: Option<Row> = tx.row(&query, [tx.tenant_id().into(), kind.as_str().into(), reference.into()]).await?;
    row.map(domain).transpose()
}

pub(crate) async fn page(tx: &TenantTx, filter: &PaymentFilter, limit: u64) -> Result<Vec<Payment>, PaymentError> {
    let query = format!(
        "{READ} LEFT JOIN payment seen ON seen.tenant_id = p.tenant_id AND seen.id = $6
         WHERE p.tenant_id = $1 AND ($2::uuid IS NULL OR p.customer_id = $2) AND ($3::text IS NULL OR p.kind = $3)
           AND ($4::timestamptz IS NULL OR p.received_at >= $4) AND ($5::timestamptz IS NULL OR p.received_at < $5)
           AND (seen.id IS NULL OR (p.received_at, p.id) < (seen.received_at, seen.id))
         ORDER BY p.received_at DESC, p.id DESC LIMIT $7"
    );
    let values: [Value; 7] = [
        tx.tenant_id().into(),
        filter.customer_id.map(CustomerId::uuid).into(),
        filter.kind.map(|kind| kind.as_str().to_owned()).into(),
        filter.from.into(),
        filter.until.into(),
        filter.after.map(PaymentId::uuid).into(),
        (limit as i64).into(),
    ];
    let rows: Vec<Row> = tx.rows(&query, values).await?;
    rows.into_iter().map(domain).collect()
}

/// What is left of a customer's payments on its receivable, the oldest first; used up ones are left out.
pub(crate) async fn with_credit(
    tx: &TenantTx,
    customer_id: CustomerId,
) -> Result<Vec<(PaymentId, Money)>, PaymentError> {
    let query = format!(
        "{READ} WHERE p.tenant_id = $1 AND p.customer_id = $2 AND p.kind = 'payment' ORDER BY p.received_at, p.id"
    );
    let rows: Vec<Row> = tx.rows(&query, [tx.tenant_id().into(), customer_id.into()]).await?;
    let mut credits = Vec::new();
    for row in rows {
        let payment = domain(row)?;
        let left = payment.left()?;
        if left.is_positive() {
            credits.push((payment.id, left));
        }
    }
    Ok(credits)
}

#[derive(FromQueryResult)]
struct CustomerRow {
    customer_id: Uuid,
}

pub(crate) async fn customers_with_credit(tx: &TenantTx) -> Result<Vec<CustomerId>, PaymentError> {
    let query = format!(
        "SELECT DISTINCT customer_id FROM ({READ} WHERE p.tenant_id = $1 AND p.kind = 'payment') used
         WHERE amount_micros > allocated_micros + refunded_micros ORDER BY customer_id"
    );
    let rows: Vec<CustomerRow> = tx.rows(&query, [tx.tenant_id().into()]).await?;
    Ok(rows.into_iter().map(|row| row.customer_id.into()).collect())
}

pub(crate) async fn insert_refund(
    tx: &TenantTx,
    payment: &Payment,
    new: &NewRefund,
    transaction_id: TransactionId,
    now: DateTime<Utc>,
) -> Result<(), PaymentError> {
    let row = refund::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        payment_id: Set(payment.id.uuid()),
        reference: Set(new.reference.clone()),
        customer_id: Set(payment.customer_id.uuid()),
        currency: Set(new.amount.currency().code().to_owned()),
        amount_micros: Set(new.amount.micros()),
        refunded_at: Set(now),
        recorded_by: Set(new.by.clone()),
        transaction_id: Set(transaction_id.uuid()),
    };
    refund::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub(crate) async fn refunds_of(tx: &TenantTx, payment_id: PaymentId) -> Result<Vec<Refund>, PaymentError> {
    let rows = refund::Entity::find()
        .filter(refund::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(refund::Column::PaymentId.eq(payment_id.uuid()))
        .order_by_asc(refund::Column::RefundedAt)
        .all(tx)
        .await?;
    let domain = |row: refund::Model| {
        Ok(Refund {
            payment_id: row.payment_id.into(),
            reference: row.reference,
            amount: Money::from_micros(row.amount_micros, row.currency.parse()?),
            refunded_at: row.refunded_at,
            recorded_by: row.recorded_by,
            transaction_id: row.transaction_id.into(),
        })
    };
    rows.into_iter().map(domain).collect()
}
