use crate::entity::payment_method::{ActiveModel, Column, Entity, Model};
use crate::error::PaymentError;
use crate::iban::Iban;
use crate::method::{MethodKind, PaymentMethod};
use chrono::{DateTime, Utc};
use db::{CustomerId, PaymentMethodId, TenantTx};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use std::collections::HashSet;
use uuid::Uuid;

const DIRECT_DEBIT: &str = MethodKind::WORDS[0];
const ON_INVOICE: &str = MethodKind::WORDS[1];

fn word(kind: &MethodKind) -> &'static str {
    match kind {
        MethodKind::DirectDebit { .. } => DIRECT_DEBIT,
        MethodKind::OnInvoice => ON_INVOICE,
    }
}

fn domain(row: Model) -> Result<PaymentMethod, PaymentError> {
    let kind = match (row.kind.as_str(), row.holder, row.iban, row.mandate) {
        (DIRECT_DEBIT, Some(holder), Some(iban), Some(mandate)) => {
            MethodKind::DirectDebit { holder, iban: Iban::stored(iban), mandate }
        }
        (ON_INVOICE, ..) => MethodKind::OnInvoice,
        _ => return Err(PaymentError::StoredWordUnknown(row.kind)),
    };
    Ok(PaymentMethod {
        id: row.id.into(),
        customer_id: row.customer_id.into(),
        kind,
        added_at: row.added_at,
        added_by: row.added_by,
    })
}

pub(crate) async fn insert(tx: &TenantTx, method: &PaymentMethod) -> Result<(), PaymentError> {
    let (holder, iban, mandate) = match &method.kind {
        MethodKind::DirectDebit { holder, iban, mandate } => {
            (Some(holder.clone()), Some(iban.as_str().to_owned()), Some(mandate.clone()))
        }
        MethodKind::OnInvoice => (None, None, None),
    };
    let row = ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(method.id.uuid()),
        customer_id: Set(method.customer_id.uuid()),
        kind: Set(word(&method.kind).to_owned()),
        holder: Set(holder),
        iban: Set(iban),
        mandate: Set(mandate),
        added_at: Set(method.added_at),
        added_by: Set(method.added_by.clone()),
        removed_at: Set(None),
        removed_by: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub(crate) async fn on_file(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<PaymentMethod>, PaymentError> {
    let rows = Entity::find()
        .filter(Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(Column::CustomerId.eq(customer_id.uuid()))
        .filter(Column::RemovedAt.is_null())
        .order_by_desc(Column::Id)
        .all(tx)
        .await?;
    rows.into_iter().map(domain).collect()
}

/// Mandates that the customer ever gave.
pub(crate) async fn mandates(tx: &TenantTx, customer_id: CustomerId) -> Result<i64, PaymentError> {
    let count: Option<i64> = tx
        .value(
            "SELECT count(*) AS v FROM payment_method WHERE tenant_id = $1 AND customer_id = $2 AND mandate IS NOT NULL",
            [tx.tenant_id().into(), customer_id.into()],
        )
        .await?;
    Ok(count.unwrap_or_default())
}

/// Takes what the customer has of this kind off the file.
pub(crate) async fn remove_kind(
    tx: &TenantTx,
    customer_id: CustomerId,
    kind: &MethodKind,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), PaymentError> {
    tx.run(
        "UPDATE payment_method SET removed_at = $4, removed_by = $5
         WHERE tenant_id = $1 AND customer_id = $2 AND kind = $3 AND removed_at IS NULL",
        [tx.tenant_id().into(), customer_id.into(), word(kind).into(), now.into(), by.into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn remove(
    tx: &TenantTx,
    id: PaymentMethodId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), PaymentError> {
    tx.run(
        "UPDATE payment_method SET removed_at = $3, removed_by = $4 WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
        [tx.tenant_id().into(), id.into(), now.into(), by.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct CustomerRow {
    customer_id: Uuid,
}

pub(crate) async fn with_any(tx: &TenantTx, customers: &[CustomerId]) -> Result<HashSet<CustomerId>, PaymentError> {
    let ids: Vec<Uuid> = customers.iter().map(|id| id.uuid()).collect();
    let rows: Vec<CustomerRow> = tx
        .rows(
            "SELECT DISTINCT customer_id FROM payment_method
             WHERE tenant_id = $1 AND customer_id = ANY($2) AND removed_at IS NULL",
            [tx.tenant_id().into(), ids.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.customer_id.into()).collect())
}
