use crate::error::Result;
use crate::number::{Number, NumberSetting, NumberTerms};
use crate::topic;
use crate::words::{Collection, NumberKind, ShareOf, UnknownCallers};
use chrono::{DateTime, Utc};
use db::{CustomerId, NumberId, PlatformTx, TenantId, TenantTx};
use money::{Decimal, Percent};
use sea_orm::FromQueryResult;
use uuid::Uuid;

pub(crate) async fn add(ptx: &PlatformTx, e164: &str, kind: NumberKind) -> Result<NumberId> {
    let id = NumberId::new();
    let stored: Option<Uuid> = ptx
        .value(
            "INSERT INTO number (id, e164, kind) VALUES ($1, $2, $3)
             ON CONFLICT (e164) DO UPDATE SET kind = number.kind RETURNING id AS v",
            [id.into(), e164.into(), kind.as_str().into()],
        )
        .await?;
    Ok(stored.map_or(id, NumberId::from_uuid))
}

pub(crate) async fn holder_at(ptx: &PlatformTx, number_id: NumberId, at: DateTime<Utc>) -> Result<Option<TenantId>> {
    let holder: Option<Uuid> = ptx
        .value(
            "SELECT organisation_id AS v FROM number_assignment WHERE number_id = $1 AND during @> $2",
            [number_id.into(), at.into()],
        )
        .await?;
    Ok(holder.map(TenantId::from_uuid))
}

/// Ends the assignment that holds the instant; `false` when it began at that very instant, so that nothing would be left of it.
pub(crate) async fn end_assignment(ptx: &PlatformTx, number_id: NumberId, at: DateTime<Utc>) -> Result<bool> {
    ptx.run(
        "UPDATE number_assignment SET during = tstzrange(lower(during), $2) WHERE number_id = $1 AND during @> $2 AND lower(during) < $2",
        [number_id.into(), at.into()],
    )
    .await?;
    Ok(holder_at(ptx, number_id, at).await?.is_none())
}

pub(crate) async fn is_assigned_from(ptx: &PlatformTx, number_id: NumberId, from: DateTime<Utc>) -> Result<bool> {
    let found: Option<bool> = ptx
        .value(
            "SELECT EXISTS (SELECT 1 FROM number_assignment WHERE number_id = $1 AND (upper_inf(during) OR upper(during) > $2)) AS v",
            [number_id.into(), from.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

pub(crate) async fn assign(
    ptx: &PlatformTx,
    number_id: NumberId,
    organisation: TenantId,
    from: DateTime<Utc>,
) -> Result<()> {
    ptx.run(
        "INSERT INTO number_assignment (number_id, organisation_id, during) VALUES ($1, $2, tstzrange($3, NULL))",
        [number_id.into(), organisation.into(), from.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct OwnerRow {
    id: Uuid,
    organisation_id: Uuid,
}

pub(crate) async fn owner(ptx: &PlatformTx, e164: &str, at: DateTime<Utc>) -> Result<Option<(NumberId, TenantId)>> {
    let row: Option<OwnerRow> = ptx
        .row(
            "SELECT n.id, a.organisation_id FROM number n JOIN number_assignment a ON a.number_id = n.id
             WHERE n.e164 = $1 AND a.during @> $2",
            [e164.into(), at.into()],
        )
        .await?;
    Ok(row.map(|row| (row.id.into(), row.organisation_id.into())))
}

#[derive(FromQueryResult)]
struct ListedRow {
    id: Uuid,
    e164: String,
    kind: String,
    organisation_id: Option<Uuid>,
}

pub(crate) async fn all(
    ptx: &PlatformTx,
    at: DateTime<Utc>,
) -> Result<Vec<(NumberId, String, NumberKind, Option<TenantId>)>> {
    let rows: Vec<ListedRow> = ptx
        .rows(
            "SELECT n.id, n.e164, n.kind, a.organisation_id FROM number n
             LEFT JOIN number_assignment a ON a.number_id = n.id AND a.during @> $1 ORDER BY n.e164",
            [at.into()],
        )
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok((row.id.into(), row.e164, NumberKind::stored(&row.kind)?, row.organisation_id.map(TenantId::from_uuid)))
        })
        .collect()
}

/// The policy shows a tenant the numbers that it has or had.
pub(crate) async fn is_visible(tx: &TenantTx, number_id: NumberId) -> Result<bool> {
    let found: Option<bool> = tx
        .value(
            "SELECT EXISTS (SELECT 1 FROM number_assignment WHERE organisation_id = $1 AND number_id = $2) AS v",
            [tx.tenant_id().into(), number_id.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

pub(crate) async fn is_set(tx: &TenantTx, number_id: NumberId) -> Result<bool> {
    let found: Option<bool> = tx
        .value(
            "SELECT EXISTS (SELECT 1 FROM number_setting WHERE tenant_id = $1 AND number_id = $2) AS v",
            [tx.tenant_id().into(), number_id.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

pub(crate) async fn set(tx: &TenantTx, setting: &NumberSetting) -> Result<()> {
    tx.run(
        "INSERT INTO number_setting (tenant_id, number_id, label, language, unknown_callers) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, number_id) DO UPDATE SET label = $3, language = $4, unknown_callers = $5",
        [
            tx.tenant_id().into(),
            setting.number_id.into(),
            setting.label.as_str().into(),
            setting.language.as_str().into(),
            setting.unknown_callers.as_str().into(),
        ],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct NumberRow {
    id: Uuid,
    e164: String,
    kind: String,
    label: Option<String>,
    language: Option<String>,
    unknown_callers: Option<String>,
    network_customer: Option<Uuid>,
}

pub(crate) async fn of_tenant(tx: &TenantTx, at: DateTime<Utc>) -> Result<Vec<Number>> {
    let rows: Vec<NumberRow> = tx
        .rows(
            "SELECT n.id, n.e164, n.kind, s.label, s.language, s.unknown_callers, c.customer_id AS network_customer
             FROM number_assignment a JOIN number n ON n.id = a.number_id
             LEFT JOIN number_setting s ON s.tenant_id = a.organisation_id AND s.number_id = n.id
             LEFT JOIN number_collected c ON c.tenant_id = a.organisation_id AND c.number_id = n.id AND c.by_seller
             WHERE a.organisation_id = $1 AND a.during @> $2 ORDER BY n.e164",
            [tx.tenant_id().into(), at.into()],
        )
        .await?;
    let topics = topic::topics(tx).await?;
    let mut numbers = Vec::with_capacity(rows.len());
    for row in rows {
        let id = NumberId::from_uuid(row.id);
        numbers.push(Number {
            id,
            kind: NumberKind::stored(&row.kind)?,
            label: row.label.unwrap_or_else(|| row.e164.clone()),
            language: row.language.unwrap_or_else(|| "en".to_owned()),
            unknown_callers: row
                .unknown_callers
                .map_or(Ok(UnknownCallers::AskPin), |word| UnknownCallers::stored(&word))?,
            network_customer: row.network_customer.map(CustomerId::from_uuid),
            topics: topics.iter().filter(|topic| topic.number_id == id).cloned().collect(),
            e164: row.e164,
        });
    }
    Ok(numbers)
}

pub(crate) async fn set_share(
    tx: &TenantTx,
    number_id: NumberId,
    customer_id: CustomerId,
    share: Percent,
) -> Result<()> {
    tx.run(
        "INSERT INTO number_terms (tenant_id, number_id, customer_id, share_percent) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, number_id) DO UPDATE SET customer_id = $3, share_percent = $4, follows_customer = false",
        [tx.tenant_id().into(), number_id.into(), customer_id.into(), share.as_decimal().into()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn set_terms(tx: &TenantTx, terms: NumberTerms) -> Result<()> {
    tx.run(
        "INSERT INTO number_terms (tenant_id, number_id, customer_id, share_percent, collection, share_of, follows_customer)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, number_id) DO UPDATE SET customer_id = $3, share_percent = $4, collection = $5, share_of = $6,
           follows_customer = $7",
        [
            tx.tenant_id().into(),
            terms.number_id.into(),
            terms.customer_id.into(),
            terms.share.as_decimal().into(),
            terms.collection.as_str().into(),
            terms.of.as_str().into(),
            terms.follows_customer.into(),
        ],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct TermsRow {
    number_id: Uuid,
    customer_id: Uuid,
    share_percent: Decimal,
    collection: String,
    share_of: String,
    follows_customer: bool,
}

/// A number that follows its customer has the customer's terms as they are now.
const TERMS: &str = "SELECT n.number_id, n.customer_id, n.follows_customer,
       CASE WHEN n.follows_customer AND p.customer_id IS NOT NULL THEN p.share_percent ELSE n.share_percent END AS share_percent,
       CASE WHEN n.follows_customer AND p.customer_id IS NOT NULL THEN p.collection ELSE n.collection END AS collection,
       CASE WHEN n.follows_customer AND p.customer_id IS NOT NULL THEN p.share_of ELSE n.share_of END AS share_of
     FROM number_terms n LEFT JOIN partner_terms p ON p.tenant_id = n.tenant_id AND p.customer_id = n.customer_id
     WHERE n.tenant_id = $1";

pub(crate) async fn terms(tx: &TenantTx, number_id: NumberId) -> Result<Option<NumberTerms>> {
    let row: Option<TermsRow> =
        tx.row(&format!("{TERMS} AND n.number_id = $2"), [tx.tenant_id().into(), number_id.into()]).await?;
    row.map(terms_of).transpose()
}

pub(crate) async fn all_terms(tx: &TenantTx) -> Result<Vec<NumberTerms>> {
    let rows: Vec<TermsRow> = tx.rows(TERMS, [tx.tenant_id().into()]).await?;
    rows.into_iter().map(terms_of).collect()
}

fn terms_of(row: TermsRow) -> Result<NumberTerms> {
    Ok(NumberTerms {
        number_id: row.number_id.into(),
        customer_id: row.customer_id.into(),
        share: Percent::new(row.share_percent)?,
        collection: Collection::stored(&row.collection)?,
        of: ShareOf::stored(&row.share_of)?,
        follows_customer: row.follows_customer,
    })
}
