use crate::error::TenantError;
use crate::store;
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, PlatformTx, SeatSessionId, TenantId, TenantTx};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// What ended a stay on a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatClosedBy {
    SignOut,
    MissedHeartbeat,
    Admin,
}

impl SeatClosedBy {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignOut => "sign_out",
            Self::MissedHeartbeat => "missed_heartbeat",
            Self::Admin => "admin",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, TenantError> {
        [Self::SignOut, Self::MissedHeartbeat, Self::Admin]
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| TenantError::StoredValueMustBeKnown { what: "seat's end", found: text.to_owned() })
    }
}

/// One stay of an agent on a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatSession {
    pub id: SeatSessionId,
    pub agent_id: AgentId,
    pub opened_at: DateTime<Utc>,
    pub last_heartbeat_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    pub closed_by: Option<SeatClosedBy>,
}

impl SeatSession {
    /// Up to when the stay is known: its end, or the last sign of life. A stay lasts an instant at least.
    pub fn known_until(&self) -> DateTime<Utc> {
        self.closed_at.unwrap_or(self.last_heartbeat_at).max(self.opened_at + TimeDelta::microseconds(1))
    }
}

/// Seats of a time range, as plans bill them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeatUsage {
    /// Agents on a seat at least once.
    pub active: u64,
    /// Most agents on a seat at one instant.
    pub peak: u64,
    /// Agents on a seat per civil day of the zone, summed.
    pub daily: u64,
    /// The agents of each civil day.
    pub agents_by_day: BTreeMap<chrono::NaiveDate, BTreeSet<AgentId>>,
}

/// Waits for everybody else who is about to take a place in this book, until this transaction ends: who counts the places that are
/// left, and then takes one, counts after this.
pub async fn take_turn_for_a_place(tx: &TenantTx) -> Result<(), TenantError> {
    Ok(store::seat::take_turn(tx).await?)
}

/// Puts an agent on a seat. An open stay is kept: two windows, one seat. A new stay begins not ready.
pub async fn open_seat(tx: &TenantTx, agent_id: AgentId, now: DateTime<Utc>) -> Result<SeatSessionId, TenantError> {
    if !store::agent::exists(tx, agent_id).await? {
        return Err(TenantError::AgentMustExist);
    }
    let (id, is_new) = store::seat::open(tx, agent_id, now).await?;
    if is_new {
        store::agent::set_state(tx, agent_id, crate::AgentState::NotReady, None, now).await?;
    }
    Ok(id)
}

/// A sign of life from an agent's screen or phone; false when no seat is open (any more).
pub async fn heartbeat(tx: &TenantTx, agent_id: AgentId, now: DateTime<Utc>) -> Result<bool, TenantError> {
    Ok(store::seat::heartbeat(tx, agent_id, now).await? > 0)
}

/// Takes an agent off its seat. Without an open stay nothing changes.
pub async fn close_seat(
    tx: &TenantTx,
    agent_id: AgentId,
    by: SeatClosedBy,
    now: DateTime<Utc>,
) -> Result<(), TenantError> {
    if store::seat::close(tx, agent_id, by, now).await? > 0 {
        store::agent::set_state(tx, agent_id, crate::AgentState::NotReady, Some("signed out"), now).await?;
    }
    Ok(())
}

/// Closes the stays without a sign of life since `older_than`. They end at that last sign, so nobody pays for a dead screen.
pub async fn close_missed_seats(
    tx: &TenantTx,
    older_than: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64, TenantError> {
    let closed = store::seat::close_missed(tx, older_than).await?;
    for agent_id in &closed {
        store::agent::set_state(tx, *agent_id, crate::AgentState::NotReady, Some("missed heartbeat"), now).await?;
    }
    Ok(closed.len() as u64)
}

/// Tenants that have a stay without a sign of life since `older_than`.
pub async fn tenants_with_open_seats(
    ptx: &PlatformTx,
    older_than: DateTime<Utc>,
) -> Result<Vec<TenantId>, TenantError> {
    store::seat::tenants_with_open(ptx, older_than).await
}

/// The stays that touch `[from, to)`, by their start.
pub async fn seat_sessions(
    tx: &TenantTx,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<SeatSession>, TenantError> {
    store::seat::touching(tx, from, to).await
}

/// Seats used in `[from, to)`; days are civil days of the zone.
pub async fn seats_used(
    tx: &TenantTx,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    time_zone: &str,
) -> Result<SeatUsage, TenantError> {
    let zone = TimeZone::get(time_zone).map_err(|_| TenantError::TimeZoneMustBeKnown(time_zone.to_owned()))?;
    Ok(usage_of_seats(&seat_sessions(tx, from, to).await?, from, to, &zone))
}

/// The same over given stays: pure.
pub fn usage_of_seats(sessions: &[SeatSession], from: DateTime<Utc>, to: DateTime<Utc>, zone: &TimeZone) -> SeatUsage {
    let mut usage = SeatUsage::default();
    let mut agents = BTreeSet::new();
    let mut changes: Vec<(DateTime<Utc>, i64)> = Vec::new();
    for session in sessions {
        let (start, end) = (session.opened_at.max(from), session.known_until().min(to));
        if start >= end {
            continue;
        }
        agents.insert(session.agent_id);
        changes.extend([(start, 1), (end, -1)]);
        // The end is not part of the stay: one that ends at midnight does not touch the day that begins.
        let last_day = civil_day(end - TimeDelta::microseconds(1), zone);
        let mut day = civil_day(start, zone);
        while day <= last_day {
            usage.agents_by_day.entry(day).or_default().insert(session.agent_id);
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
    }
    // At one instant ends come before starts (-1 sorts first): a seat handed over is one seat.
    changes.sort();
    let mut at_once = 0;
    for (_, change) in changes {
        at_once += change;
        usage.peak = usage.peak.max(at_once.unsigned_abs());
    }
    usage.active = agents.len() as u64;
    usage.daily = usage.agents_by_day.values().map(|day| day.len() as u64).sum();
    usage
}

fn civil_day(at: DateTime<Utc>, zone: &TimeZone) -> chrono::NaiveDate {
    let instant = Timestamp::from_microsecond(at.timestamp_micros()).unwrap_or_default();
    let date = zone.to_datetime(instant).date();
    chrono::NaiveDate::from_ymd_opt(
        i32::from(date.year()),
        date.month().unsigned_abs().into(),
        date.day().unsigned_abs().into(),
    )
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(agent: u128, opened: &str, closed: &str) -> SeatSession {
        let opened_at = opened.parse().unwrap();
        SeatSession {
            id: SeatSessionId::new(),
            agent_id: AgentId::from_uuid(uuid::Uuid::from_u128(agent)),
            opened_at,
            last_heartbeat_at: opened_at,
            closed_at: Some(closed.parse().unwrap()),
            closed_by: Some(SeatClosedBy::SignOut),
        }
    }

    #[test]
    fn seats_count_agents_their_days_and_the_most_at_once() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let (from, to) = ("2026-02-28T23:00:00Z".parse().unwrap(), "2026-03-31T22:00:00Z".parse().unwrap()); // March in Berlin
        let sessions = [
            stay(1, "2026-03-02T08:00:00Z", "2026-03-02T12:00:00Z"),
            stay(1, "2026-03-02T13:00:00Z", "2026-03-02T17:00:00Z"), // the same day again: one seat-day
            stay(2, "2026-03-02T12:00:00Z", "2026-03-02T14:00:00Z"), // with 1 between 13 and 14: two at once
            stay(3, "2026-03-02T14:00:00Z", "2026-03-02T15:00:00Z"), // takes over as 2 leaves: still two at once
            stay(2, "2026-03-03T22:00:00Z", "2026-03-04T23:00:00Z"), // 23:00 to 24:00 next day in Berlin: 3 and 4 March, not 5
            stay(4, "2026-03-31T22:00:00Z", "2026-03-31T23:00:00Z"), // starts at the end: April's
            stay(5, "2026-03-10T08:00:00Z", "2026-03-10T08:00:00Z"), // an instant is a stay
        ];
        let used = usage_of_seats(&sessions, from, to, &zone);
        assert_eq!(used.active, 4); // agents 1, 2, 3, 5
        assert_eq!(used.peak, 2);
        assert_eq!(used.daily, 3 + 1 + 1 + 1); // 2 March: 1, 2, 3; 3 March: 2; 4 March: 2; 10 March: 5
    }

    #[test]
    fn a_stay_across_the_edge_of_a_period_counts_in_both() {
        let zone = TimeZone::UTC;
        let sessions = [stay(1, "2026-03-31T20:00:00Z", "2026-04-01T04:00:00Z")];
        let edge: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        let day = TimeDelta::days(1);
        assert_eq!(usage_of_seats(&sessions, edge - day, edge, &zone).daily, 1);
        assert_eq!(usage_of_seats(&sessions, edge, edge + day, &zone).daily, 1);
        assert_eq!(usage_of_seats(&sessions, edge + day, edge + day + day, &zone), SeatUsage::default());
    }
}
