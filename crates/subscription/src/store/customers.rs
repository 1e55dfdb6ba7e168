use crate::customer::{CUSTOMERS_PER_PAGE_MAX, Customer, CustomerEvent, CustomerFilter, NewCustomer};
use crate::entity::{customer, customer_event};
use crate::error::{Result, taken};
use crate::words::{Billing, TaxTreatment};
use chrono::{DateTime, Utc};
use db::{CustomerEventId, CustomerId, TenantId, TenantTx};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, PaginatorTrait, QueryFilter};
use uuid::Uuid;

pub(crate) async fn insert(tx: &TenantTx, id: CustomerId, new: &NewCustomer, now: DateTime<Utc>) -> Result<()> {
    let row = customer::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(id.uuid()),
        customer_no: Set(new.customer_no.clone()),
        name: Set(new.name.clone()),
        email: Set(new.email.clone()),
        organisation_id: Set(new.organisation_id.map(TenantId::uuid)),
        billing: Set(new.billing.as_str().to_owned()),
        currency: Set(new.currency.code().to_owned()),
        time_zone: Set(new.time_zone.clone()),
        country: Set(new.country.clone()),
        address_lines: Set(new.address_lines.clone()),
        tax_id: Set(new.tax_id.clone()),
        tax_treatment: Set(new.tax_treatment.as_str().to_owned()),
        payment_terms_days: Set(new.payment_terms_days.into()),
        anchor_on: Set(new.anchor_on),
        created_at: Set(now),
        closed_at: Set(None),
    };
    customer::Entity::insert(row).exec_without_returning(tx).await.map_err(|error| match new.organisation_id {
        Some(organisation) if db::constraint_of(&error).as_deref() == Some("customer_of_organisation") => {
            taken(error, "customer_of_organisation", "organisation_id", organisation)
        }
        _ => taken(error, "customer_tenant_id_customer_no_key", "customer_no", &new.customer_no),
    })?;
    Ok(())
}

pub(crate) async fn update_details(tx: &TenantTx, id: CustomerId, details: &NewCustomer) -> Result<(), db::DbError> {
    customer::Entity::update_many()
        .set(customer::ActiveModel {
            name: Set(details.name.clone()),
            email: Set(details.email.clone()),
            time_zone: Set(details.time_zone.clone()),
            country: Set(details.country.clone()),
            address_lines: Set(details.address_lines.clone()),
            tax_id: Set(details.tax_id.clone()),
            tax_treatment: Set(details.tax_treatment.as_str().to_owned()),
            payment_terms_days: Set(details.payment_terms_days.into()),
            ..Default::default()
        })
        .filter(customer::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(customer::Column::Id.eq(id.uuid()))
        .exec(tx)
        .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct ZoneRow {
    time_zone: String,
    since: DateTime<Utc>,
}

pub(crate) async fn zones(tx: &TenantTx) -> Result<Vec<(String, DateTime<Utc>)>, db::DbError> {
    let rows: Vec<ZoneRow> = tx
        .rows(
            "SELECT time_zone, min(created_at) AS since FROM customer WHERE tenant_id = $1 GROUP BY time_zone",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.time_zone, row.since)).collect())
}

pub(crate) async fn close(tx: &TenantTx, id: CustomerId, now: DateTime<Utc>) -> Result<()> {
    customer::Entity::update_many()
        .set(customer::ActiveModel { closed_at: Set(Some(now)), ..Default::default() })
        .filter(customer::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(customer::Column::Id.eq(id.uuid()))
        .exec(tx)
        .await?;
    Ok(())
}

fn of_book(tx: &TenantTx) -> sea_orm::Select<customer::Entity> {
    customer::Entity::find().filter(customer::Column::TenantId.eq(tx.tenant_id().uuid()))
}

pub(crate) async fn by_id(tx: &TenantTx, id: CustomerId) -> Result<Option<Customer>> {
    of_book(tx).filter(customer::Column::Id.eq(id.uuid())).one(tx).await?.map(domain).transpose()
}

/// NO KEY: rows that refer to the customer may be written meanwhile.
pub(crate) async fn lock(tx: &TenantTx, id: CustomerId) -> Result<Option<Customer>> {
    let row: Option<customer::Model> = tx
        .row(
            "SELECT * FROM customer WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
            [tx.tenant_id().into(), id.into()],
        )
        .await?;
    row.map(domain).transpose()
}

pub(crate) async fn by_no(tx: &TenantTx, customer_no: &str) -> Result<Option<Customer>> {
    of_book(tx).filter(customer::Column::CustomerNo.eq(customer_no)).one(tx).await?.map(domain).transpose()
}

pub(crate) async fn by_organisation(tx: &TenantTx, organisation_id: TenantId) -> Result<Option<Customer>> {
    let found = of_book(tx)
        .filter(customer::Column::OrganisationId.eq(organisation_id.uuid()))
        .filter(customer::Column::ClosedAt.is_null())
        .one(tx)
        .await?;
    found.map(domain).transpose()
}

pub(crate) async fn by_ids(tx: &TenantTx, ids: &[CustomerId]) -> Result<Vec<Customer>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<customer::Model> = tx
        .rows("SELECT * FROM customer WHERE tenant_id = $1 AND id = ANY($2)", [tx.tenant_id().into(), ids.into()])
        .await?;
    rows.into_iter().map(domain).collect()
}

pub(crate) async fn count(tx: &TenantTx) -> Result<u64> {
    Ok(of_book(tx).filter(customer::Column::ClosedAt.is_null()).count(tx).await?)
}

/// The highest number, with the next one promised to this transaction until it ends.
pub(crate) async fn highest_no(tx: &TenantTx) -> Result<i64> {
    let own = format!("customer {}", tx.tenant_id());
    tx.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [own.into()]).await?;
    let highest = tx
        .value::<i64, _>(
            "SELECT coalesce(max(substring(customer_no FROM 3)::bigint), 0) AS v FROM customer
             WHERE tenant_id = $1 AND customer_no ~ '^C-[0-9]{5,12}$'",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(highest.unwrap_or(0))
}

/// The pattern operators compare bytes: only they reach an index under a policy, and no character sorts after U+10FFFF.
pub(crate) const PAGE: &str = "SELECT c.* FROM customer c
    LEFT JOIN customer seen ON seen.tenant_id = c.tenant_id AND seen.id = $4
    WHERE c.tenant_id = $1 AND c.name_key ~>=~ $2 AND c.name_key ~<~ $3
      AND (seen.id IS NULL OR c.name_key ~>~ seen.name_key OR (c.name_key = seen.name_key AND c.id > seen.id))
    ORDER BY c.name_key USING ~<~, c.id LIMIT $5";

pub(crate) async fn page(tx: &TenantTx, filter: &CustomerFilter) -> Result<Vec<Customer>> {
    let prefix = filter.prefix.as_deref().unwrap_or_default().to_lowercase();
    let beyond = format!("{prefix}\u{10FFFF}");
    let limit = filter.limit.min(CUSTOMERS_PER_PAGE_MAX) as i64;
    let after = filter.after.map(CustomerId::uuid);
    let rows: Vec<customer::Model> =
        tx.rows(PAGE, [tx.tenant_id().into(), prefix.into(), beyond.into(), after.into(), limit.into()]).await?;
    rows.into_iter().map(domain).collect()
}

pub(crate) async fn insert_event(
    tx: &TenantTx,
    customer_id: CustomerId,
    kind: &str,
    text: &str,
    at: DateTime<Utc>,
) -> Result<()> {
    let row = customer_event::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(Uuid::now_v7()),
        customer_id: Set(customer_id.uuid()),
        at: Set(at),
        kind: Set(kind.to_owned()),
        text: Set(text.to_owned()),
    };
    customer_event::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

pub(crate) async fn insert_events(
    tx: &TenantTx,
    kind: &str,
    events: &[(CustomerId, String)],
    at: DateTime<Utc>,
) -> Result<()> {
    let rows = events.iter().map(|(customer_id, text)| customer_event::ActiveModel {
        tenant_id: Set(tx.tenant_id().uuid()),
        id: Set(Uuid::now_v7()),
        customer_id: Set(customer_id.uuid()),
        at: Set(at),
        kind: Set(kind.to_owned()),
        text: Set(text.clone()),
    });
    customer_event::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

pub(crate) async fn events(
    tx: &TenantTx,
    customer_id: CustomerId,
    after: Option<(DateTime<Utc>, CustomerEventId)>,
    limit: u64,
) -> Result<Vec<CustomerEvent>> {
    let (at, id) = after.map_or((None, None), |(at, id)| (Some(at), Some(id.uuid())));
    let rows: Vec<customer_event::Model> = tx
        .rows(
            "SELECT * FROM customer_event WHERE tenant_id = $1 AND customer_id = $2
               AND ($3::timestamptz IS NULL OR (at, id) < ($3, $4))
             ORDER BY at DESC, id DESC LIMIT $5",
            [
                tx.tenant_id().into(),
                customer_id.into(),
                at.into(),
                id.into(),
                i64::try_from(limit).unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    let event =
        |row: customer_event::Model| CustomerEvent { id: row.id.into(), at: row.at, kind: row.kind, text: row.text };
    Ok(rows.into_iter().map(event).collect())
}

pub(crate) fn domain(row: customer::Model) -> Result<Customer> {
    Ok(Customer {
        id: row.id.into(),
        customer_no: row.customer_no,
        name: row.name,
        email: row.email,
        organisation_id: row.organisation_id.map(TenantId::from_uuid),
        billing: Billing::stored(&row.billing)?,
        currency: row.currency.parse()?,
        time_zone: row.time_zone,
        country: row.country,
        address_lines: row.address_lines,
        tax_id: row.tax_id,
        tax_treatment: TaxTreatment::stored(&row.tax_treatment)?,
        payment_terms_days: u16::try_from(row.payment_terms_days).unwrap_or_default(),
        anchor_on: row.anchor_on,
        created_at: row.created_at,
        closed_at: row.closed_at,
    })
}
