//! Premium-rate lines: the callers' networks collect, the money comes down level by level, and each month ends with a statement.

use super::{World, catalogue, history};
use call_control::{FinishedCall, HandledBy};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use db::{AgentId, CallId, CustomerId, Db, NumberId, PlatformReason, TenantId, TenantTx};
use invoicing::{Payout, SettlementFilter, SettlementState};
use money::Percent;
use sip_media::EndCause;
use subscription::{Collection, NumberKind, PartnerTerms, ShareOf, Split};

use super::callers::Centre;
use super::random::Random;

/// Nordlicht's line that anybody may call; the operator collects what it earns.
pub const NORDLICHT_PREMIUM: &str = "+499001555014";
/// Brightline's: the operator owes the reseller, and the reseller owes Brightline.
pub const BRIGHTLINE_PREMIUM: &str = "+3531580555014";
/// What a seller keeps of what it gets, in percent; the rest goes on down.
const KEPT_OF_A_CENTRE: u32 = 30;
const KEPT_OF_THE_RESELLER: u32 = 20;

/// Where strangers call from.
const STRANGERS: [&str; 6] =
    ["+491601110217", "+491522004418", "+491739920166", "+353851110244", "+353872201193", "+353861930077"];
/// A statement is issued and paid this many days after its month.
const ISSUED_AFTER_DAYS: u64 = 2;
const PAID_AFTER_DAYS: u64 = 9;
/// And a caller who was wrongly advised gets the money back after it.
const TAKEN_BACK_AFTER_DAYS: u64 = 12;

/// Numbers, what is asked there, and who gets which part of it.
pub async fn create(db: &Db, world: &World, began: DateTime<Utc>) -> anyhow::Result<()> {
    let nordlicht = line(db, world.nordlicht, NORDLICHT_PREMIUM, "Advice for everybody", began).await?;
    let brightline = line(db, world.brightline, BRIGHTLINE_PREMIUM, "Quick answers", began).await?;
    for (seller, customer_id, keeps, number) in [
        (world.operator, world.nordlicht_as_customer, KEPT_OF_A_CENTRE, nordlicht),
        (world.operator, world.reseller_as_customer, KEPT_OF_THE_RESELLER, brightline),
        (world.reseller, world.brightline_as_customer, KEPT_OF_A_CENTRE, brightline),
    ] {
        let tx = db.tenant(seller).await?;
        let share = Percent::new(keeps.into())?;
        let split = Split { share, collection: Collection::Seller, of: ShareOf::Received };
        let agreement = format!("Agreement of {}", began.format("%-d %B %Y"));
        subscription::set_partner_terms(&tx, &PartnerTerms { customer_id, split, agreement }, began).await?;
        subscription::follow_customer(&tx, number, customer_id, began).await?;
        tx.commit().await?;
        subscription::deliver_collections(db, seller, began).await?;
    }
    Ok(())
}

async fn line(db: &Db, owner: TenantId, e164: &str, label: &str, began: DateTime<Utc>) -> anyhow::Result<NumberId> {
    let tx = db.platform(PlatformReason::Provision).await?;
    let id = subscription::add_number(&tx, e164, NumberKind::Premium).await?;
    subscription::assign_number(&tx, id, owner, began).await?;
    tx.commit().await?;
    let tx = db.tenant(owner).await?;
    catalogue::topics(&tx, id, label, &catalogue::PREMIUM_TOPICS, began).await?;
    tx.commit().await?;
    Ok(id)
}

/// The customer that stands for all who call a line that their network bills.
pub async fn network(tx: &TenantTx) -> anyhow::Result<Option<CustomerId>> {
    let customer = subscription::customer_by_no(tx, subscription::NETWORK_CUSTOMER_NO).await?;
    Ok(customer.map(|customer| customer.id))
}

/// What strangers call in a day, as far as it is over.
pub fn calls_of_day(
    centre: Centre,
    network: CustomerId,
    agents: &[AgentId],
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Vec<FinishedCall> {
    let called = match centre {
        Centre::Nordlicht => NORDLICHT_PREMIUM,
        Centre::Brightline => BRIGHTLINE_PREMIUM,
    };
    let mut random = Random::of(&format!("premium {called} {day}"));
    let count = random.between(1, 4);
    let mut call = |nth: u32| {
        let started_at = history::at(day, 6 + random.between(0, 11), random.between(0, 59));
        let meter_started_at = started_at + TimeDelta::seconds(i64::from(random.between(6, 30)));
        let talk_ms = u64::from(random.between(30, 900)) * 1_000;
        FinishedCall {
            call_id: call_id(called, day, nth),
            called: called.into(),
            caller: Some((*random.pick(&STRANGERS)).into()),
            customer_id: network,
            digit: random.between(1, 2) as u8,
            agent_id: Some(*random.pick(&agents[..4])),
            handled_by: HandledBy::Core,
            started_at,
            answered_at: Some(started_at + TimeDelta::seconds(2)),
            meter_started_at: Some(meter_started_at),
            ended_at: meter_started_at + TimeDelta::milliseconds(talk_ms as i64),
            metered_ms: talk_ms,
            end_cause: EndCause::CallerHungUp,
            language: None,
            region: None,
        }
    };
    let calls: Vec<FinishedCall> = (0..count).map(&mut call).collect();
    calls.into_iter().filter(|call| call.ended_at < now).collect()
}

fn call_id(called: &str, day: NaiveDate, nth: u32) -> CallId {
    let name = format!("premium {called} {day} {nth}");
    CallId::from_uuid(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()))
}

/// Drafts the statements of a month that has ended. Earlier ones were issued, and paid; of the newest the operator has looked at
/// one and left the other, and the reseller has yet to pay its own.
pub async fn close_month(db: &Db, world: &World, until_on: NaiveDate, now: DateTime<Utc>) -> anyhow::Result<()> {
    let drafted_at = history::at(until_on, 6, 0);
    let issued_at = history::at(until_on + Days::new(ISSUED_AFTER_DAYS), 9, 20);
    let paid_on = until_on + Days::new(PAID_AFTER_DAYS);
    let paid_at = history::at(paid_on, 10, 30);
    let is_newest = paid_at + TimeDelta::days(31) > now;
    for seller in [world.operator, world.reseller] {
        invoicing::draft_settlements(db, seller, until_on, drafted_at).await?;
        let tx = db.tenant(seller).await?;
        let filter = SettlementFilter { state: Some(SettlementState::Draft), limit: 10, ..SettlementFilter::default() };
        for draft in invoicing::settlements(&tx, &filter).await? {
            let waits = is_newest && draft.customer_id == world.nordlicht_as_customer;
            if waits || issued_at > now {
                continue;
            }
            invoicing::issue_settlement(&tx, draft.id, "Henrik Bauer", issued_at).await?;
            if !is_newest && paid_at <= now {
                let reference = format!("PAYOUT {}", draft.period_starts_on.format("%Y-%m"));
                let payout = Payout { on: paid_on, reference, by: "Henrik Bauer".into() };
                invoicing::record_payout(&tx, draft.id, &payout, paid_at).await?;
            }
        }
        tx.commit().await?;
        invoicing::deliver_settlements(db, seller, paid_at.min(now)).await?;
    }
    let at = history::at(until_on + Days::new(TAKEN_BACK_AFTER_DAYS), 11, 5);
    if at <= now && !is_newest {
        take_back(db, world, until_on, at).await?;
    }
    Ok(())
}

/// The first call of the month before this day is taken back, after it was paid out.
async fn take_back(db: &Db, world: &World, until_on: NaiveDate, at: DateTime<Utc>) -> anyhow::Result<()> {
    let Some(day) = until_on.checked_sub_months(chrono::Months::new(1)) else { return Ok(()) };
    let tx = db.tenant(world.nordlicht).await?;
    call_control::reverse_call(&tx, call_id(NORDLICHT_PREMIUM, day, 0), "the caller's network charged it back", at)
        .await?;
    tx.commit().await?;
    while call_control::deliver_upward(db, world.nordlicht, at).await? > 0 {}
    Ok(())
}
