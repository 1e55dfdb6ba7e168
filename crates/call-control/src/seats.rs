//! Seats and channels of a tenant as usage in the books above it: seat-days all the way up, the peaks of each hour to its seller.

use crate::error::{CallError, Result};
use crate::peaks::{Span, hours, peak};
use crate::retry::retry;
use crate::store::upward as store;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::{AgentId, Db, PlatformReason, TenantId};
use money::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use tenant::{SeatSession, Upward};
use usage_metering::SumRow;

/// Outbox topic: an hour of seats and channels. Its messages are also the memory of what was sent.
const HOUR: &str = "seats_upward";
/// After an absence this much is made up for.
const LOOK_BACK_HOURS: i64 = 48;
/// Hours of one round of the worker.
const HOURS_PER_ROUND: u64 = 24;

/// Sends the hours that have ended since the last time; how many. Cheap when there is nothing to do, safe to repeat.
pub async fn deliver_seats_upward(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> Result<u64> {
    let this_hour = usage_metering::local_hour(now, "UTC")?;
    // A seat's last heartbeat may come a little late: the hour rests a few minutes.
    let until = if now - this_hour < TimeDelta::minutes(5) { this_hour - TimeDelta::hours(1) } else { this_hour };
    let last = until - TimeDelta::hours(1);
    let tx = db.tenant(tenant_id).await?;
    if !store::is_enqueued(&tx, HOUR, &key(last)).await? {
        for (hour, _) in hours(until - TimeDelta::hours(LOOK_BACK_HOURS), until) {
            db::enqueue(&tx, HOUR, &key(hour), serde_json::json!({ "hour": hour }), now).await?;
        }
    }
    tx.commit().await?;
    retry(|| deliver_due(db, tenant_id, now)).await
}

fn key(hour: DateTime<Utc>) -> String {
    hour.format("%Y-%m-%dT%HZ").to_string()
}

async fn deliver_due(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> Result<u64> {
    let tx = db.tenant(tenant_id).await?;
    let messages = db::claim_outbox(&tx, HOUR, HOURS_PER_ROUND, now).await?;
    for message in &messages {
        let hour: DateTime<Utc> = serde_json::from_value(message.payload["hour"].clone())
            .map_err(|error| CallError::StoredMustRead { what: "message of an hour", reason: error.to_string() })?;
        deliver_seats_between(db, tenant_id, hour, hour + TimeDelta::hours(1), now).await?;
    }
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    db::finish_outbox(&tx, &ids, now).await?;
    tx.commit().await?;
    Ok(ids.len() as u64)
}

/// Sends the whole hours of `[from, to)`, for history and after long absences. What was sent before changes nothing: each
/// (agent, day) and each hour is a batch of its own by key.
pub async fn deliver_seats_between(
    db: &Db,
    tenant_id: TenantId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let tx = db.tenant(tenant_id).await?;
    let sessions = tenant::seat_sessions(&tx, from, to).await?;
    let spans = store::spans(&tx, from, to).await?;
    tx.commit().await?;
    if sessions.is_empty() && spans.is_empty() {
        return Ok(());
    }
    let ptx = db.platform(PlatformReason::WalkTheTree).await?;
    let chain = tenant::chain_at(&ptx, tenant_id, from).await?;
    ptx.commit().await?;
    for step in chain {
        let is_seller = step.child == tenant_id;
        retry(|| into_book(db, tenant_id, &step, &sessions, is_seller.then_some(&spans), from..to, now)).await?;
    }
    Ok(())
}

async fn into_book(
    db: &Db,
    origin: TenantId,
    step: &Upward,
    sessions: &[SeatSession],
    channels: Option<&Vec<Span>>,
    range: std::ops::Range<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    let tx = db.tenant(step.book).await?;
    let Some(child) = subscription::customer(&tx, step.customer_id).await? else { return Ok(()) };
    for (agent_id, day) in agent_days(sessions, &child.time_zone, &range)? {
        let hour = pricing::start_of_day(day, &child.time_zone)?;
        let row = row(step, "seat_days", hour, BTreeMap::from([("agent".to_owned(), agent_id.to_string())]), 1);
        usage_metering::take_batch(&tx, &format!("seat_day:{origin}:{agent_id}:{day}"), &[row], now).await?;
    }
    let Some(channels) = channels else { return Ok(tx.commit().await?) };
    let stays: Vec<Span> = sessions.iter().map(|session| (session.opened_at, session.known_until())).collect();
    for (from, to) in hours(range.start, range.end) {
        let mut rows = Vec::new();
        for (meter, spans) in [("seat_peak", &stays), ("channel_peak", channels)] {
            let most = peak(spans, from, to);
            if most > 0 {
                let hour = usage_metering::local_hour(from, &child.time_zone)?;
                rows.push(row(step, meter, hour, BTreeMap::new(), most));
            }
        }
        if !rows.is_empty() {
            usage_metering::take_batch(&tx, &format!("peaks:{origin}:{}", key(from)), &rows, now).await?;
        }
    }
    Ok(tx.commit().await?)
}

fn row(step: &Upward, meter: &str, hour: DateTime<Utc>, dimensions: BTreeMap<String, String>, quantity: u64) -> SumRow {
    SumRow {
        customer_id: step.customer_id,
        subscription_id: None,
        meter: meter.to_owned(),
        hour,
        dimensions,
        quantity: Decimal::from(quantity),
        events: 1,
    }
}

/// The civil days of a zone on which each agent was on a seat, within the range.
fn agent_days(
    sessions: &[SeatSession],
    zone: &str,
    range: &std::ops::Range<DateTime<Utc>>,
) -> Result<BTreeSet<(AgentId, NaiveDate)>> {
    let mut days = BTreeSet::new();
    for session in sessions {
        let from = session.opened_at.max(range.start);
        let until = session.known_until().min(range.end);
        if from >= until {
            continue;
        }
        let last = pricing::civil_date(until - TimeDelta::microseconds(1), zone)?;
        let mut day = pricing::civil_date(from, zone)?;
        while day <= last {
            days.insert((session.agent_id, day));
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
    }
    Ok(days)
}
