//! Whose carrier took a call that came in whole. It is found out after the call is charged, for every book above must be asked what
//! it would have asked: a seller that was cheaper than the book's own carriers took it.

use crate::error::Result;
use crate::outgoing::plan::{self as planning, Way, Wish};
use crate::outgoing::settle::{self, Talk, decision};
use crate::price::started_seconds;
use crate::retry::retry;
use crate::store::calls;
use crate::store::carriers::{self, Place};
use crate::store::outgoing::{self as store, OutgoingRow, Over};
use chrono::{DateTime, Utc};
use db::{CallId, Db, TenantId};

/// Decides it for those of these calls that have no route yet, each in a transaction of its own: what is decided stays decided,
/// however often the way up is tried.
pub(crate) async fn route_late(db: &Db, tenant_id: TenantId, ids: &[CallId], now: DateTime<Utc>) -> Result<()> {
    let tx = db.tenant(tenant_id).await?;
    let rows = store::find_many(&tx, tenant_id, ids).await?;
    tx.commit().await?;
    for row in rows.values().filter(|row| row.carrier_id.is_none() && row.charge_micros.is_some()) {
        if decision(row)?.routes.offers.is_empty() {
            retry(|| route(db, tenant_id, row, now)).await?;
        }
    }
    Ok(())
}

async fn route(db: &Db, tenant_id: TenantId, row: &OutgoingRow, now: DateTime<Utc>) -> Result<()> {
    let place = Place { origin: tenant_id, call_id: row.call_id.into() };
    let tx = db.tenant(tenant_id).await?;
    let Some(call) = calls::find(&tx, place.call_id).await? else { return Ok(()) };
    tx.commit().await?;
    let (customer_id, is_covered) = (row.customer_id.into(), call.deck_id.is_none());
    let wish = Wish { place, customer_id, called: &row.called, at: row.started_at, is_covered, is_live: false };
    let plan = planning::plan(db, &wish).await?;
    let taken = plan.ways.first().filter(|way| way.picks.len() == 1).and_then(Way::carrier);
    let mut decided = decision(row)?;
    decided.routes = plan.levels.into_iter().next().map(|level| level.decision.routes).unwrap_or_default();
    let tx = db.tenant(tenant_id).await?;
    store::route(&tx, place, taken, decided.stored()?).await?;
    if let (Some(carrier_id), Some(start)) = (taken, call.meter_started_at) {
        carriers::begin_attempt(&tx, place, carrier_id, row.started_at).await?;
        carriers::end_attempt(&tx, place, true, None).await?;
        let ended_at = call.ended_at.unwrap_or(now);
        let mut over = Over { call_id: place.call_id, charge_micros: 0, cost_micros: None, flag: None, ended_at };
        let seconds = started_seconds(call.metered_ms.unwrap_or(0).unsigned_abs());
        let talk = Talk { began: call.started_at, start, before: None, seconds };
        settle::by_carrier(&tx, &call, carrier_id, (&talk, call.net_micros), &mut over, now).await?;
        store::end(&tx, tenant_id, &[over]).await?;
    }
    Ok(tx.commit().await?)
}
