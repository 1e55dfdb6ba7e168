//! Calls as pages and documents read them.

use crate::entity::call::{Column, Entity, Model};
use crate::error::Result;
use crate::reading::CallFilter;
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};
use rust_decimal::Decimal;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Value};
use uuid::Uuid;

/// A condition in SQL with its values, for statements whose first value is the tenant.
struct Wanted {
    text: String,
    values: Vec<Value>,
}

impl Wanted {
    fn new(tx: &TenantTx) -> Self {
        Self { text: "c.tenant_id = $1".to_owned(), values: vec![tx.tenant_id().into()] }
    }

    /// `condition` names its value as `?`.
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let place = format!("${}", self.values.len());
        self.text = format!("{} AND {}", self.text, condition.replace('?', &place));
    }

    fn of(tx: &TenantTx, filter: &CallFilter) -> Self {
        let mut wanted = Self::new(tx);
        wanted.and("c.started_at >= ?", filter.from);
        wanted.and("c.started_at < ?", filter.to);
        if let Some(id) = filter.customer {
            wanted.and("c.customer_id = ?", id);
        }
        if let Some(id) = filter.topic {
            wanted.and("c.topic_id = ?", id);
        }
        if let Some(id) = filter.agent {
            wanted.and("c.agent_id = ?", id);
        }
        if let Some(id) = filter.number {
            wanted.and("c.number_id = ?", id);
        }
        if let Some(state) = filter.state {
            wanted.and("c.state = ?", state.as_str());
        }
        if let Some(charged_by) = filter.charged_by {
            wanted.and("c.charged_by = ?", charged_by.as_str());
        }
        if let Some(is_metered) = filter.is_metered {
            wanted.and("(c.billed_seconds IS NOT NULL) = ?", is_metered);
        }
        if let Some((subscription_id, key)) = &filter.component {
            wanted.and("c.subscription_id = ?", *subscription_id);
            wanted.and("c.component_key = ?", key.clone());
        }
        wanted
    }
}

/// One page, newest first.
pub async fn page(tx: &TenantTx, filter: &CallFilter) -> Result<Vec<Model>> {
    let mut wanted = Wanted::of(tx, filter);
    if let Some((started_at, id)) = filter.after {
        wanted.and("c.started_at <= ?", started_at);
        wanted.and("(c.started_at, c.id) < (?", started_at);
        wanted.values.push(id.into());
        wanted.text = format!("{}, ${})", wanted.text, wanted.values.len());
    }
    wanted.values.push(i64::try_from(filter.limit).unwrap_or(i64::MAX).into());
    let text = format!(
        "SELECT c.* FROM call c WHERE {} ORDER BY c.started_at DESC, c.id DESC LIMIT ${}",
        wanted.text,
        wanted.values.len()
    );
    Ok(tx.rows(&text, wanted.values).await?)
}

/// Sums of calls.
#[derive(FromQueryResult)]
pub struct TotalRow {
    pub calls: i64,
    pub metered_calls: i64,
    pub metered_ms: Decimal,
    pub billed_seconds: i64,
    pub charge_micros: Decimal,
    pub net_micros: Decimal,
}

const TOTALS: &str = "count(*) AS calls, count(c.billed_seconds) AS metered_calls, coalesce(sum(c.metered_ms), 0)::numeric AS metered_ms,
  coalesce(sum(c.billed_seconds), 0)::bigint AS billed_seconds, coalesce(sum(c.charge_micros), 0)::numeric AS charge_micros,
  coalesce(sum(c.net_micros), 0)::numeric AS net_micros";

pub async fn totals(tx: &TenantTx, filter: &CallFilter) -> Result<Option<TotalRow>> {
    #[derive(FromQueryResult)]
    struct Corrected {
        charge_micros: Decimal,
        net_micros: Decimal,
    }
    let wanted = Wanted::of(tx, filter);
    let values = wanted.values.clone();
    let settled: Option<TotalRow> =
        tx.row(&format!("SELECT {TOTALS} FROM call c WHERE {}", wanted.text), values).await?;
    let corrected: Option<Corrected> = tx
        .row(
            &format!(
                "SELECT coalesce(sum(k.amount_micros), 0)::numeric AS charge_micros, coalesce(sum(k.net_micros), 0)::numeric AS net_micros
                 FROM call_correction k JOIN call c ON c.tenant_id = k.tenant_id AND c.id = k.call_id
                 WHERE k.tenant_id = $1 AND {}",
                wanted.text
            ),
            wanted.values,
        )
        .await?;
    Ok(settled.zip(corrected).map(|(settled, corrected)| TotalRow {
        charge_micros: settled.charge_micros + corrected.charge_micros,
        net_micros: settled.net_micros + corrected.net_micros,
        ..settled
    }))
}

#[derive(FromQueryResult)]
pub struct TopicRow {
    pub topic_id: Uuid,
    pub topic_name: String,
    #[sea_orm(nested)]
    pub totals: TotalRow,
}

/// By topic, with what corrected its calls, the largest charge first.
pub async fn by_topic(tx: &TenantTx, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<TopicRow>> {
    let text = format!(
        "SELECT t.topic_id, t.topic_name, t.calls, t.metered_calls, t.metered_ms, t.billed_seconds,
                t.charge_micros + coalesce(k.charge_micros, 0) AS charge_micros, t.net_micros + coalesce(k.net_micros, 0) AS net_micros
         FROM (SELECT c.topic_id, max(c.topic_name) AS topic_name, {TOTALS} FROM call c
               WHERE c.tenant_id = $1 AND c.started_at >= $2 AND c.started_at < $3 AND c.topic_id IS NOT NULL
               GROUP BY c.topic_id) t
         LEFT JOIN (SELECT c.topic_id, sum(k.amount_micros)::numeric AS charge_micros, sum(k.net_micros)::numeric AS net_micros
                    FROM call_correction k JOIN call c ON c.tenant_id = k.tenant_id AND c.id = k.call_id
                    WHERE k.tenant_id = $1 AND c.started_at >= $2 AND c.started_at < $3
                    GROUP BY c.topic_id) k USING (topic_id)
         ORDER BY 7 DESC, t.calls DESC"
    );
    Ok(tx.rows(&text, [tx.tenant_id().into(), from.into(), to.into()]).await?)
}

#[derive(FromQueryResult)]
pub struct RevenueRow {
    pub from_at: DateTime<Utc>,
    pub net_micros: i64,
}

/// What calls were sold for, with what corrected it, by the half hour in which they began: local hours of every zone are made of those.
pub async fn revenue(tx: &TenantTx, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<RevenueRow>> {
    let text = "SELECT date_bin('30 minutes', s.started_at, 'epoch') AS from_at, sum(s.net_micros)::bigint AS net_micros FROM (
           SELECT c.started_at, c.net_micros FROM call c
           WHERE c.tenant_id = $1 AND c.started_at >= $2 AND c.started_at < $3 AND c.net_micros <> 0
           UNION ALL SELECT c.started_at, k.net_micros FROM call_correction k JOIN call c ON c.tenant_id = $1 AND c.id = k.call_id
           WHERE k.tenant_id = $1 AND c.started_at >= $2 AND c.started_at < $3 AND k.net_micros <> 0) s GROUP BY 1 ORDER BY 1";
    Ok(tx.rows(text, [tx.tenant_id().into(), from.into(), to.into()]).await?)
}

/// What calls cost the book, in micros of a currency.
pub async fn costs(tx: &TenantTx, currency: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<i64> {
    #[derive(FromQueryResult)]
    struct Row {
        micros: i64,
    }
    let row: Option<Row> = tx
        .row(
            "SELECT coalesce(sum(l.amount_micros), 0)::bigint AS micros
             FROM call c JOIN call_cost l ON l.tenant_id = $1 AND l.call_id = c.id
             WHERE c.tenant_id = $1 AND c.started_at >= $2 AND c.started_at < $3 AND l.currency = $4",
            [tx.tenant_id().into(), from.into(), to.into(), currency.into()],
        )
        .await?;
    Ok(row.map_or(0, |row| row.micros))
}

/// Calls that have not ended, oldest first.
pub async fn live(tx: &TenantTx) -> Result<Vec<Model>> {
    let rows = tx
        .rows(
            "SELECT c.* FROM call c WHERE c.tenant_id = $1 AND c.ended_at IS NULL ORDER BY c.started_at, c.id",
            [tx.tenant_id().into()],
        )
        .await?;
    Ok(rows)
}

/// What a tariff made of a call.
#[derive(FromQueryResult)]
pub struct TariffCharge {
    pub id: Uuid,
    pub tariff_id: Uuid,
    pub meter_started_at: DateTime<Utc>,
    pub metered_ms: i64,
    pub charge_micros: i64,
}

/// The calls that a tariff charged, by id, after this one.
pub async fn charged_by_tariff(tx: &TenantTx, after: Option<CallId>, limit: i64) -> Result<Vec<TariffCharge>> {
    Ok(tx
        .rows(
            "SELECT id, tariff_id, meter_started_at, metered_ms, charge_micros FROM call
             WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id > $2) AND charged_by = 'tariff' AND tariff_id IS NOT NULL
               AND meter_started_at IS NOT NULL AND metered_ms IS NOT NULL AND charge_micros IS NOT NULL
             ORDER BY id LIMIT $3",
            [tx.tenant_id().into(), after.map(CallId::uuid).into(), limit.into()],
        )
        .await?)
}

/// Calls that a rate deck charged, by id.
pub async fn charged_by_deck(tx: &TenantTx, after: Option<CallId>, limit: u64) -> Result<Vec<Model>> {
    let mut query = Entity::find()
        .filter(Column::TenantId.eq(tx.tenant_id().uuid()))
        .filter(Column::DeckId.is_not_null())
        .filter(Column::ChargeMicros.is_not_null());
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.uuid()));
    }
    Ok(query.order_by_asc(Column::Id).limit(limit).all(tx).await?)
}

/// Each check of [`crate::audit`]: (invariant, query of what breaks it with $1 tenant and $2 instant).
const CHECKS: [(&str, &str); 8] = [
    (
        "I5",
        "SELECT format('call %s was metered and has no caller leg', c.id) AS v FROM call c
         WHERE c.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND c.billed_seconds IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM call_leg l WHERE l.tenant_id = $1 AND l.call_id = c.id AND l.book_id = $1 AND l.kind = 'caller')",
    ),
    (
        "I5",
        "SELECT format('call %s is charged %s micros and its ledger transaction moves %s', c.id, c.charge_micros, coalesce(e.micros, 0)) AS v
         FROM call c JOIN customer k ON k.tenant_id = $1 AND k.id = c.customer_id AND k.billing = 'prepaid'
         LEFT JOIN LATERAL (SELECT sum(e.amount_micros) AS micros FROM ledger_entry e
           JOIN account a ON a.tenant_id = $1 AND a.id = e.account_id AND a.kind = 'unbilled'
           WHERE e.tenant_id = $1 AND e.transaction_id = c.transaction_id) e ON true
         WHERE c.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND c.charge_micros IS NOT NULL
           AND c.charge_micros <> coalesce(e.micros, 0)",
    ),
    (
        "I5",
        "SELECT format('call %s ended without being settled', c.id) AS v FROM call c
         WHERE c.tenant_id = $1 AND c.ended_at < $2 AND c.settled_at IS NULL",
    ),
    (
        "I8",
        "SELECT format('call %s: the share of %s micros is not %s%% of %s', l.call_id, l.amount_micros, l.share_percent, c.net_micros) AS v
         FROM call_cost l JOIN call c ON c.tenant_id = $1 AND c.id = l.call_id
         WHERE l.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND l.share_percent IS NOT NULL AND l.kind = 'seller' AND l.owed_micros IS NULL
           AND abs(l.amount_micros - c.net_micros * l.share_percent / 100) > 1",
    ),
    (
        "I8",
        "SELECT format('call %s: %s micros are kept and %s owed of %s', l.call_id, l.amount_micros, l.owed_micros, l.base_micros) AS v
         FROM call_leg l WHERE l.book_id = $1 AND $2::timestamptz IS NOT NULL AND l.owed_micros IS NOT NULL
           AND l.base_micros IS DISTINCT FROM l.amount_micros + l.owed_micros",
    ),
    (
        "I8",
        "SELECT format('call %s: %s micros stay above and %s are owed of the %s that were charged', l.call_id, l.amount_micros, l.owed_micros, c.net_micros) AS v
         FROM call_cost l JOIN call c ON c.tenant_id = $1 AND c.id = l.call_id
         WHERE l.tenant_id = $1 AND $2::timestamptz IS NOT NULL AND l.kind = 'seller' AND l.owed_micros IS NOT NULL
           AND c.net_micros IS DISTINCT FROM l.amount_micros + l.owed_micros",
    ),
    (
        "I8",
        "SELECT format('call %s was taken back, and %s micros kept and %s owed are left', l.call_id, sum(l.amount_micros), sum(l.owed_micros)) AS v
         FROM call_leg l WHERE l.book_id = $1 AND $2::timestamptz IS NOT NULL
           AND l.kind IN ('seller', 'seller_correction', 'seller_reversal')
           AND EXISTS (SELECT 1 FROM call_leg r WHERE r.book_id = $1 AND r.tenant_id = l.tenant_id AND r.call_id = l.call_id AND r.kind = 'seller_reversal')
         GROUP BY l.tenant_id, l.call_id HAVING sum(l.amount_micros) <> 0 OR sum(l.owed_micros) <> 0",
    ),
    (
        "I14",
        "SELECT format('call %s has not been heard of since %s and is open', c.id, c.last_seen_at) AS v FROM call c
         WHERE c.tenant_id = $1 AND c.ended_at IS NULL AND c.last_seen_at < $2",
    ),
];

pub async fn violations(tx: &TenantTx, silent_since: DateTime<Utc>) -> Result<Vec<(&'static str, String)>> {
    #[derive(FromQueryResult)]
    struct Row {
        v: String,
    }
    let mut found = Vec::new();
    for (invariant, query) in CHECKS {
        let rows: Vec<Row> = tx.rows(query, [tx.tenant_id().into(), silent_since.into()]).await?;
        found.extend(rows.into_iter().map(|row| (invariant, row.v)));
    }
    Ok(found)
}
