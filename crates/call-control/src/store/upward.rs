//! What of a call the books above must know.

use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};
use sea_orm::FromQueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A difference to a settled call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// An edge came back and knew better.
    Estimate,
    /// The charge is taken back.
    Reversal,
}

impl Correction {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Estimate => "estimate",
            Self::Reversal => "reversal",
        }
    }
}

/// A call, or a correction to one.
#[derive(Clone, Debug, FromQueryResult)]
pub struct FactRow {
    pub id: Uuid,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub called: String,
    pub number_id: Uuid,
    pub handled_by: Option<String>,
    pub holds_upward: bool,
    pub currency: Option<String>,
    /// `None`: never metered.
    pub billed_seconds: Option<i32>,
    pub net_micros: Option<i64>,
    pub collected_by: String,
    /// The kind of a correction.
    pub correction: Option<String>,
    pub direction: String,
    pub language: Option<String>,
    pub region: Option<String>,
    /// Of a call that went out: the book's number, who called, when the meter started, and the time that was settled first.
    pub caller: Option<String>,
    pub customer_id: Option<Uuid>,
    pub meter_started_at: Option<DateTime<Utc>>,
    pub metered_ms: Option<i64>,
    /// A deck prices it; else a plan covers it.
    pub has_deck: bool,
    /// On which day it counts: a call's start, a correction's own instant.
    pub counted_at: DateTime<Utc>,
}

impl FactRow {
    pub fn correction(&self) -> Option<Correction> {
        let word = self.correction.as_deref()?;
        [Correction::Estimate, Correction::Reversal].into_iter().find(|kind| kind.as_str() == word)
    }

    pub fn call_id(&self) -> CallId {
        self.id.into()
    }

    pub fn is_outbound(&self) -> bool {
        self.direction == "outbound"
    }

    /// As which leg it is written.
    pub fn leg_kind(&self) -> &'static str {
        match self.correction() {
            None => "seller",
            Some(Correction::Estimate) => "seller_correction",
            Some(Correction::Reversal) => "seller_reversal",
        }
    }

    /// When it counts in a ledger.
    pub fn effective_at(&self) -> DateTime<Utc> {
        if self.correction.is_some() { self.counted_at } else { self.ended_at }
    }
}

/// Ended calls, by their start.
pub async fn facts(tx: &TenantTx, ids: &[CallId]) -> Result<Vec<FactRow>> {
    let rows = tx
        .rows(
            "SELECT id, started_at, ended_at, called, number_id, handled_by, holds_upward, currency, billed_seconds, net_micros,
               collected_by, NULL::text AS correction, started_at AS counted_at, direction, language, region, caller, customer_id,
               meter_started_at, metered_ms, deck_id IS NOT NULL AS has_deck
             FROM call WHERE tenant_id = $1 AND id = ANY($2) AND ended_at IS NOT NULL ORDER BY started_at, id",
            [tx.tenant_id().into(), ids.iter().map(|id| id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    Ok(rows)
}

/// Corrections of calls, by the calls' start.
pub async fn correction_facts(tx: &TenantTx, corrections: &[(CallId, Correction)]) -> Result<Vec<FactRow>> {
    if corrections.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx
        .rows(
            "SELECT c.id, c.started_at, c.ended_at, c.called, c.number_id, c.handled_by, false AS holds_upward, c.currency,
               k.seconds AS billed_seconds, k.net_micros, c.collected_by, k.kind AS correction, k.at AS counted_at,
               c.direction, c.language, c.region, c.caller, c.customer_id, c.meter_started_at, c.metered_ms, c.deck_id IS NOT NULL AS has_deck
             FROM unnest($2::uuid[], $3::text[]) AS w (call_id, kind)
             JOIN call_correction k ON k.tenant_id = $1 AND k.call_id = w.call_id AND k.kind = w.kind
             JOIN call c ON c.tenant_id = $1 AND c.id = k.call_id AND c.ended_at IS NOT NULL
             ORDER BY c.started_at, c.id",
            [
                tx.tenant_id().into(),
                corrections.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>().into(),
                corrections.iter().map(|(_, kind)| kind.as_str().to_owned()).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    Ok(rows)
}

/// Is a message of this topic and key there, delivered or not?
pub async fn is_enqueued(tx: &TenantTx, topic: &str, key: &str) -> Result<bool> {
    let found: Option<bool> = tx
        .value(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE tenant_id = $1 AND topic = $2 AND key = $3) AS v",
            [tx.tenant_id().into(), topic.into(), key.into()],
        )
        .await?;
    Ok(found.unwrap_or(false))
}

/// Metered spans that touch `[from, to)`.
pub async fn spans(
    tx: &TenantTx,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>> {
    #[derive(FromQueryResult)]
    struct Row {
        starts_at: DateTime<Utc>,
        ends_at: DateTime<Utc>,
    }
    // A call lasts a day at most: the range on started_at lets the index answer.
    let rows: Vec<Row> = tx
        .rows(
            "SELECT coalesce(answered_at, started_at) AS starts_at, coalesce(ended_at, $3) AS ends_at FROM call
             WHERE tenant_id = $1 AND started_at >= $2 - interval '1 day' AND started_at < $3 AND coalesce(ended_at, $3) > $2",
            [tx.tenant_id().into(), from.into(), to.into()],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.starts_at, row.ends_at)).collect())
}
