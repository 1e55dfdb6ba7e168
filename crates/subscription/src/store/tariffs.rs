use super::catalogue::{count, unreadable};
use crate::entity::{tariff, topic};
use crate::error::Result;
use crate::topic::{NewTopic, StoredTariff, Topic};
use crate::words::MeterStarts;
use chrono::{DateTime, Utc};
use db::{NumberId, TariffId, TenantTx, TopicId};
use money::Currency;
use pricing::Tariff;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder};
use std::collections::HashMap;
use uuid::Uuid;

/// Versions of one name are numbered under a lock on the name, so that two at once do not collide.
pub(crate) async fn insert_tariff(
    tx: &TenantTx,
    name: &str,
    currency: Currency,
    document: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<TariffId> {
    let id = TariffId::new();
    tx.run(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        [format!("tariff {} {name}", tx.tenant_id()).into()],
    )
    .await?;
    tx.run(
        "INSERT INTO tariff (tenant_id, id, name, version, currency, document, published_at)
         SELECT $1, $2, $3, coalesce(max(version), 0) + 1, $4, $5, $6 FROM tariff WHERE tenant_id = $1 AND name = $3",
        [tx.tenant_id().into(), id.into(), name.into(), currency.code().into(), document.into(), now.into()],
    )
    .await?;
    Ok(id)
}

pub(crate) async fn tariff(tx: &TenantTx, id: TariffId) -> Result<Option<StoredTariff>> {
    let row = tariff::Entity::find()
        .filter(tariff::Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(tariff::Column::Id.eq(id.uuid()))
        .one(tx)
        .await?;
    row.map(tariff_of).transpose()
}

pub(crate) async fn tariffs(tx: &TenantTx) -> Result<Vec<StoredTariff>> {
    let rows = tariff::Entity::find()
        .filter(tariff::Column::TenantId.eq(tx.tenant_id().uuid()))
        .order_by_asc(tariff::Column::Name)
        .order_by_desc(tariff::Column::Version)
        .all(tx)
        .await?;
    rows.into_iter().map(tariff_of).collect()
}

fn tariff_of(row: tariff::Model) -> Result<StoredTariff> {
    Ok(StoredTariff {
        id: row.id.into(),
        name: row.name,
        version: count(row.version),
        currency: row.currency.parse()?,
        tariff: Tariff::from_json(&row.document).map_err(|error| unreadable("tariff", error))?,
        published_at: row.published_at,
    })
}

pub(crate) async fn upsert_topic(tx: &TenantTx, new: &NewTopic, now: DateTime<Utc>) -> Result<TopicId> {
    let id = TopicId::new();
    tx.run(
        "INSERT INTO topic_before (tenant_id, topic_id, until, name, tariff_id, meter_starts)
         SELECT tenant_id, id, $4, name, tariff_id, meter_starts FROM topic
         WHERE tenant_id = $1 AND number_id = $2 AND digit = $3 AND removed_at IS NULL
           AND (name, tariff_id, meter_starts) IS DISTINCT FROM ($5, $6, $7) FOR UPDATE
         ON CONFLICT DO NOTHING",
        [
            tx.tenant_id().into(),
            new.number_id.into(),
            i32::from(new.digit).into(),
            now.into(),
            new.name.as_str().into(),
            new.tariff_id.into(),
            new.meter_starts.as_str().into(),
        ],
    )
    .await?;
    let stored: Option<Uuid> = tx
        .value(
            "INSERT INTO topic (tenant_id, id, number_id, digit, name, tariff_id, meter_starts, since)
             SELECT $1, $2, $3, $4, $5, $6, $7, max($8::timestamptz) FILTER (WHERE removed_at IS NOT NULL) FROM topic
             WHERE tenant_id = $1 AND number_id = $3 AND digit = $4
             ON CONFLICT (tenant_id, number_id, digit) WHERE removed_at IS NULL
             DO UPDATE SET name = $5, tariff_id = $6, meter_starts = $7 RETURNING id AS v",
            [
                tx.tenant_id().into(),
                id.into(),
                new.number_id.into(),
                i32::from(new.digit).into(),
                new.name.as_str().into(),
                new.tariff_id.into(),
                new.meter_starts.as_str().into(),
                now.into(),
            ],
        )
        .await?;
    Ok(stored.map_or(id, TopicId::from_uuid))
}

pub(crate) async fn remove_topic(tx: &TenantTx, id: TopicId, now: DateTime<Utc>) -> Result<bool> {
    let removed = tx
        .run(
            "UPDATE topic SET removed_at = $3 WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL",
            [tx.tenant_id().into(), id.into(), now.into()],
        )
        .await?;
    Ok(removed > 0)
}

fn topics_of_book(tx: &TenantTx) -> sea_orm::Select<topic::Entity> {
    topic::Entity::find().filter(topic::Column::TenantId.eq(tx.tenant_id().uuid()))
}

pub(crate) async fn topic_at(tx: &TenantTx, number_id: NumberId, digit: u8) -> Result<Option<Topic>> {
    let row = topics_of_book(tx)
        .filter(topic::Column::NumberId.eq(number_id.uuid()))
        .filter(topic::Column::Digit.eq(i32::from(digit)))
        .filter(topic::Column::RemovedAt.is_null())
        .one(tx)
        .await?;
    row.map(topic_of).transpose()
}

pub(crate) async fn topic(tx: &TenantTx, id: TopicId) -> Result<Option<Topic>> {
    topics_of_book(tx).filter(topic::Column::Id.eq(id.uuid())).one(tx).await?.map(topic_of).transpose()
}

pub(crate) async fn topics(tx: &TenantTx, with_removed: bool) -> Result<Vec<Topic>> {
    let mut query = topics_of_book(tx).order_by_asc(topic::Column::NumberId).order_by_asc(topic::Column::Digit);
    if !with_removed {
        query = query.filter(topic::Column::RemovedAt.is_null());
    }
    query.all(tx).await?.into_iter().map(topic_of).collect()
}

/// What a topic offered in a part of its time, until it was changed or removed.
pub(crate) struct Term {
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub topic: Topic,
}

/// Every term of every topic that ever was.
pub(crate) async fn topic_terms(tx: &TenantTx) -> Result<Vec<Term>> {
    #[derive(FromQueryResult)]
    struct Before {
        topic_id: Uuid,
        until: DateTime<Utc>,
        name: String,
        tariff_id: Uuid,
        meter_starts: String,
    }
    let rows: Vec<Before> = tx
        .rows(
            "SELECT topic_id, until, name, tariff_id, meter_starts FROM topic_before WHERE tenant_id = $1 ORDER BY topic_id, until",
            [tx.tenant_id().into()],
        )
        .await?;
    let mut before: HashMap<Uuid, Vec<Before>> = HashMap::new();
    for row in rows {
        before.entry(row.topic_id).or_default().push(row);
    }
    let mut terms = Vec::new();
    for row in topics_of_book(tx).all(tx).await? {
        let (mut since, until) = (row.since, row.removed_at);
        let changes = before.remove(&row.id).unwrap_or_default();
        let topic = topic_of(row)?;
        for change in changes {
            let meter_starts = MeterStarts::stored(&change.meter_starts)?;
            let (name, tariff_id) = (change.name, change.tariff_id.into());
            let then = Topic { name, tariff_id, meter_starts, ..topic.clone() };
            terms.push(Term { since, until: Some(change.until), topic: then });
            since = Some(change.until);
        }
        terms.push(Term { since, until, topic });
    }
    Ok(terms)
}

fn topic_of(row: topic::Model) -> Result<Topic> {
    Ok(Topic {
        id: row.id.into(),
        number_id: row.number_id.into(),
        digit: u8::try_from(row.digit).map_err(|error| unreadable("topic", error))?,
        name: row.name,
        tariff_id: row.tariff_id.into(),
        meter_starts: MeterStarts::stored(&row.meter_starts)?,
        removed_at: row.removed_at,
    })
}
