//! Three past months and today: calls, seats, hours, top-ups, invoice runs and payments, day by day in their own time.

use super::World;
use super::callers::{Cast, Centre};
use super::catalogue::PlanCode;
use super::random::Random;
use anyhow::Context;
use call_control::{FinishedCall, HandledBy};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, TimeZone, Utc, Weekday};
use db::{AgentId, CallId, Db, PlatformReason, TenantId, TenantTx};
use money::Money;
use payments::{Method, NewPayment};
use rust_decimal::Decimal;
use sip_media::EndCause;
use std::collections::BTreeMap;
use subscription::Billing;
use tenant::SeatClosedBy;
use usage_metering::UsageEvent;

/// What a caller keeps in the wallet for each of its calls in a week.
const WEEK_PER_CALL_MICROS: i64 = 45_000_000;
/// What is left in the wallet of the caller who took the rest back.
const NEARLY_EMPTY_MICROS: i64 = 3_400_000;

/// Full months before this one.
const MONTHS: u32 = 3;

/// The first instant of the world: the first of a month, three months before this one, at midnight in UTC.
pub fn first_day(now: DateTime<Utc>) -> DateTime<Utc> {
    let first = now.date_naive().with_day(1).expect("every month has a first day");
    midnight(first - Months::new(MONTHS))
}

/// Plays the world from its first day up to `now`.
pub async fn play(
    db: &Db,
    world: &World,
    cast: &[Cast],
    began: DateTime<Utc>,
    now: DateTime<Utc>,
    say: &impl Fn(&str),
) -> anyhow::Result<()> {
    let tx = db.platform(PlatformReason::Provision).await?;
    usage_metering::ensure_partitions(&tx, began.date_naive(), MONTHS + 3).await?;
    tx.commit().await?;
    for months in 0..=MONTHS {
        let from = began.date_naive() + Months::new(months);
        let to = (from + Months::new(1)).min(now.date_naive() + Days::new(1));
        say(&format!("calls and hours of {}", from.format("%B %Y")));
        month(db, world, cast, from, to, now).await?;
        if to > now.date_naive() {
            break;
        }
        say(&format!("invoices for {}", from.format("%B %Y")));
        super::billing::close_month(db, world, to, now).await?;
        super::partners::close_month(db, world, to, now).await?;
    }
    if let Some(cast) = cast.iter().find(|cast| cast.caller.customer_no == super::callers::MOVES_AWAY) {
        takes_the_rest_back(db, cast, cast.caller.centre.tenant_id(world), now).await?;
    }
    Ok(())
}

/// One caller moves away and asks for what is left, but for the price of a short call: somebody's wallet is nearly empty.
async fn takes_the_rest_back(db: &Db, cast: &Cast, tenant_id: TenantId, now: DateTime<Utc>) -> anyhow::Result<()> {
    let tx = db.tenant(tenant_id).await?;
    let keeps = Money::from_micros(NEARLY_EMPTY_MICROS, super::euro());
    for payment in payments::payments_of(&tx, cast.customer_id).await? {
        let Some(wallet) = ledger::wallet_of(&tx, cast.customer_id).await? else { break };
        let amount = wallet.available()?.checked_sub(keeps)?.min(payment.left()?)?;
        let whole = amount.micros() / 10_000 * 10_000;
        if whole <= 0 {
            break;
        }
        let refund = payments::NewRefund {
            payment_id: payment.id,
            amount: Money::from_micros(whole, super::euro()),
            reference: format!("REFUND {}", payment.reference),
            by: "Henrik Bauer".into(),
        };
        payments::refund(&tx, &refund, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn month(
    db: &Db,
    world: &World,
    cast: &[Cast],
    from: NaiveDate,
    to: NaiveDate,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for centre in [Centre::Nordlicht, Centre::Brightline] {
        let tenant_id = centre.tenant_id(world);
        let cast: Vec<&Cast> = cast.iter().filter(|cast| cast.caller.centre == centre).collect();
        let tx = db.tenant(tenant_id).await?;
        let agents: Vec<AgentId> = tenant::agents(&tx).await?.into_iter().map(|agent| agent.id).collect();
        let network = super::partners::network(&tx).await?.context("a demo number is collected by the network")?;
        for day in days(from, to) {
            top_ups(&tx, &cast, day, now).await?;
            seats(&tx, &agents, day, now).await?;
            let known = cast.iter().flat_map(|cast| calls_of_day(cast, &agents, day, now));
            let strangers = super::partners::calls_of_day(centre, network, &agents, day, now);
            let calls = known.chain(strangers).collect();
            settle(&tx, calls, now).await?;
        }
        usage_metering::ingest_in(&tx, &hours(&tx, &cast, from, to, now).await?, now).await?;
        tx.commit().await?;
        upward(db, tenant_id, from, to, now).await?;
    }
    upward(db, world.reseller, from, to, now).await
}

async fn settle(tx: &TenantTx, mut calls: Vec<FinishedCall>, now: DateTime<Utc>) -> anyhow::Result<()> {
    calls.sort_by_key(|call| call.started_at);
    let settled_at = calls.iter().map(|call| call.ended_at).max().unwrap_or(now) + TimeDelta::seconds(1);
    call_control::settle_finished(tx, &calls, settled_at.min(now)).await?;
    Ok(())
}

/// Lets usage rise to the books above, and folds what has come in.
async fn upward(
    db: &Db,
    tenant_id: TenantId,
    from: NaiveDate,
    to: NaiveDate,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    while call_control::deliver_upward(db, tenant_id, now).await? > 0 {}
    call_control::deliver_seats_between(db, tenant_id, midnight(from), midnight(to).min(now), now).await?;
    while call_control::deliver_upward(db, tenant_id, now).await? > 0 {}
    let tx = db.tenant(tenant_id).await?;
    while usage_metering::fold(&tx, now).await? > 0 {}
    tx.commit().await?;
    Ok(())
}

/// On Mondays everybody fills the wallet up to what a week needs.
async fn top_ups(tx: &TenantTx, cast: &[&Cast], day: NaiveDate, now: DateTime<Utc>) -> anyhow::Result<()> {
    let received_at = at(day, 7, 15);
    let is_first = day.day() == 1;
    if received_at > now || !(day.weekday() == Weekday::Mon || is_first) {
        return Ok(());
    }
    for cast in cast.iter().filter(|cast| cast.caller.billing == Billing::Prepaid) {
        let full = Money::from_micros(i64::from(cast.caller.calls_a_week) * WEEK_PER_CALL_MICROS, super::euro());
        let Some(wallet) = ledger::wallet_of(tx, cast.customer_id).await? else { continue };
        // Whole euros: people do not transfer cents.
        let missing = full.checked_sub(wallet.balance)?.micros() / money::MICROS_PER_UNIT;
        let amount = Money::from_micros(missing * money::MICROS_PER_UNIT, super::euro());
        if !amount.is_positive() {
            continue;
        }
        let payment = NewPayment {
            customer_id: cast.customer_id,
            amount,
            method: Method::BankTransfer,
            reference: format!("TOP-UP {} {day}", cast.caller.customer_no),
            received_at,
            by: "bank statement".into(),
        };
        payments::top_up(tx, &payment, received_at).await?;
    }
    Ok(())
}

/// Agents sit from nine to five, some shorter; on weekends two of them, and the fifth joins only in some weeks.
async fn seats(tx: &TenantTx, agents: &[AgentId], day: NaiveDate, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut random = Random::of(&format!("seats {day}"));
    let seated = if is_weekend(day) { 2 } else { 4 + usize::from(random.between(0, 2) == 0) };
    for agent in agents.iter().take(seated) {
        let opened_at = at(day, 7, random.between(0, 40));
        let closed_at = opened_at + TimeDelta::minutes(i64::from(random.between(420, 510)));
        if closed_at < now {
            tenant::open_seat(tx, *agent, opened_at).await?;
            tenant::close_seat(tx, *agent, SeatClosedBy::SignOut, closed_at).await?;
        }
    }
    Ok(())
}

/// A customer's calls of a day, as far as they are over.
fn calls_of_day(cast: &Cast, agents: &[AgentId], day: NaiveDate, now: DateTime<Utc>) -> Vec<FinishedCall> {
    let mut random = Random::of(&format!("calls {} {day}", cast.caller.customer_no));
    // Today is never empty, whatever day it is.
    let busy = if is_weekend(day) && day != now.date_naive() { 2 } else { 8 };
    let count =
        cast.caller.calls_a_week * busy / 20 + u32::from(random.between(1, 20) <= cast.caller.calls_a_week * busy % 20);
    let calls = (0..count).map(|nth| call(cast, agents, day, nth, &mut random));
    calls.filter(|call| call.ended_at < now).collect()
}

fn call(cast: &Cast, agents: &[AgentId], day: NaiveDate, nth: u32, random: &mut Random) -> FinishedCall {
    let caller = cast.caller;
    let called = match (caller.centre, caller.billing) {
        (Centre::Brightline, _) => super::BRIGHTLINE_HELP,
        (Centre::Nordlicht, Billing::Prepaid) => super::NORDLICHT_ADVICE,
        (Centre::Nordlicht, Billing::Postpaid) => super::NORDLICHT_SUPPORT,
    };
    let started_at = at(day, 6 + random.between(0, 10), random.between(0, 59))
        + TimeDelta::seconds(i64::from(random.between(0, 59)));
    let waited = TimeDelta::seconds(i64::from(random.between(14, 55)));
    let talk_ms = u64::from(random.between(45, 1_650)) * 1_000 + u64::from(random.between(0, 999));
    let handled_by = if random.between(1, 5) == 1 { HandledBy::Overflow } else { HandledBy::Core };
    let meter_started_at = started_at + waited;
    FinishedCall {
        call_id: CallId::from_uuid(uuid::Uuid::new_v5(
            &uuid::Uuid::NAMESPACE_OID,
            format!("{} {day} {nth}", caller.customer_no).as_bytes(),
        )),
        called: called.into(),
        caller: Some(caller.phone.into()),
        customer_id: cast.customer_id,
        digit: random.between(1, 9) as u8,
        agent_id: Some(*random.pick(&agents[..4])),
        handled_by,
        started_at,
        answered_at: Some(started_at + TimeDelta::seconds(2)),
        meter_started_at: Some(meter_started_at),
        ended_at: meter_started_at + TimeDelta::milliseconds(talk_ms as i64),
        metered_ms: talk_ms,
        end_cause: if random.between(1, 4) == 1 { EndCause::AgentHungUp } else { EndCause::CallerHungUp },
        language: None,
        region: None,
    }
}

/// Hours logged for the client companies whose plans charge for them.
async fn hours(
    tx: &TenantTx,
    cast: &[&Cast],
    from: NaiveDate,
    to: NaiveDate,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<UsageEvent>> {
    let mut events = Vec::new();
    for cast in cast.iter().filter(|cast| matches!(cast.caller.plan, Some(PlanCode::PerHour | PlanCode::Mixed))) {
        let subscription = subscription::subscriptions_of(tx, cast.customer_id).await?.into_iter().next();
        for day in days(from, to).filter(|day| !is_weekend(*day)) {
            let mut random = Random::of(&format!("hours {} {day}", cast.caller.customer_no));
            let occurred_at = at(day, 15, 30);
            if occurred_at > now {
                continue;
            }
            let mut works = vec![("dedicated_team", random.between(24, 32))];
            if random.between(1, 8) == 1 && cast.caller.plan == Some(PlanCode::PerHour) {
                works.push(("escalation", random.between(2, 6)));
            }
            events.extend(works.into_iter().map(|(work, quarters)| UsageEvent {
                source: "time-sheet".into(),
                id: format!("{} {day} {work}", cast.caller.customer_no),
                meter: "hours".into(),
                customer_id: cast.customer_id,
                subscription_id: subscription.as_ref().map(|subscription| subscription.id),
                quantity: Decimal::new(i64::from(quarters) * 25, 2),
                dimensions: BTreeMap::from([("work".to_owned(), work.to_owned())]),
                occurred_at,
            }));
        }
    }
    Ok(events)
}

fn days(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().take_while(move |day| *day < to)
}

fn is_weekend(day: NaiveDate) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    at(day, 0, 0)
}

/// An hour and minute of a day, in UTC.
pub fn at(day: NaiveDate, hour: u32, minute: u32) -> DateTime<Utc> {
    Utc.from_utc_datetime(&day.and_hms_opt(hour, minute, 0).expect("hours below 24 and minutes below 60"))
}
