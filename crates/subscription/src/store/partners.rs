use crate::error::Result;
use crate::partner::{PartnerTerms, Split};
use crate::words::{Collection, ShareOf};
use db::{CustomerId, NumberId, TenantTx};
use money::{Decimal, Percent};
use sea_orm::FromQueryResult;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct Row {
    customer_id: Uuid,
    share_percent: Decimal,
    collection: String,
    share_of: String,
    agreement: String,
}

fn terms_of(row: Row) -> Result<PartnerTerms> {
    Ok(PartnerTerms {
        customer_id: row.customer_id.into(),
        split: Split {
            share: Percent::new(row.share_percent)?,
            collection: Collection::stored(&row.collection)?,
            of: ShareOf::stored(&row.share_of)?,
        },
        agreement: row.agreement,
    })
}

pub(crate) async fn all(tx: &TenantTx) -> Result<Vec<PartnerTerms>> {
    let rows: Vec<Row> = tx
        .rows(
            "SELECT customer_id, share_percent, collection, share_of, agreement FROM partner_terms WHERE tenant_id = $1",
            [tx.tenant_id().into()],
        )
        .await?;
    rows.into_iter().map(terms_of).collect()
}

pub(crate) async fn terms(tx: &TenantTx, customer_id: CustomerId) -> Result<Option<PartnerTerms>> {
    let row: Option<Row> = tx
        .row(
            "SELECT customer_id, share_percent, collection, share_of, agreement FROM partner_terms
             WHERE tenant_id = $1 AND customer_id = $2",
            [tx.tenant_id().into(), customer_id.into()],
        )
        .await?;
    row.map(terms_of).transpose()
}

pub(crate) async fn set(tx: &TenantTx, terms: &PartnerTerms) -> Result<()> {
    tx.run(
        "INSERT INTO partner_terms (tenant_id, customer_id, share_percent, collection, share_of, agreement)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, customer_id) DO UPDATE SET share_percent = $3, collection = $4, share_of = $5, agreement = $6",
        [
            tx.tenant_id().into(),
            terms.customer_id.into(),
            terms.split.share.as_decimal().into(),
            terms.split.collection.as_str().into(),
            terms.split.of.as_str().into(),
            terms.agreement.as_str().into(),
        ],
    )
    .await?;
    Ok(())
}

pub(crate) async fn is_collected(tx: &TenantTx, number_id: NumberId) -> Result<bool> {
    let found: Option<bool> = tx
        .value(
            "SELECT by_seller AS v FROM number_collected WHERE tenant_id = $1 AND number_id = $2",
            [tx.tenant_id().into(), number_id.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

pub(crate) async fn collected(tx: &TenantTx) -> Result<Vec<(NumberId, CustomerId)>> {
    #[derive(FromQueryResult)]
    struct Collected {
        number_id: Uuid,
        customer_id: Uuid,
    }
    let rows: Vec<Collected> = tx
        .rows(
            "SELECT number_id, customer_id FROM number_collected WHERE tenant_id = $1 AND by_seller",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.number_id.into(), row.customer_id.into())).collect())
}

pub(crate) async fn set_collected(
    tx: &TenantTx,
    number_id: NumberId,
    by_seller: bool,
    customer_id: CustomerId,
) -> Result<()> {
    tx.run(
        "INSERT INTO number_collected (tenant_id, number_id, by_seller, customer_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, number_id) DO UPDATE SET by_seller = $3",
        [tx.tenant_id().into(), number_id.into(), by_seller.into(), customer_id.into()],
    )
    .await?;
    Ok(())
}
