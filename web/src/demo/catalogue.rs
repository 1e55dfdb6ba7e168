//! What the demo world sells: one plan of each model, an annual term, three add-ons; tariffs, numbers and their topics.

use super::{BRIGHTLINE_HELP, NORDLICHT_ADVICE, NORDLICHT_SUPPORT, World, euro};
use anyhow::Context;
use chrono::{DateTime, Utc};
use db::{CustomerId, Db, NumberId, PlanVersionId, PlatformReason, TariffId, TenantId, TenantTx};
use money::{Money, Percent};
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeMap;
use subscription::{
    Billed, Change, Component, ComponentKind, LoyaltyReward, LoyaltyRule, MeterStarts, NewPlanVersion, NewSubscription,
    NewTopic, NumberKind, NumberSetting, UnknownCallers, When,
};

/// The plans, by the code that they have in each book that sells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanCode {
    PerSeat,
    PerSeatAnnual,
    PerEvent,
    PerHour,
    Mixed,
    Channels,
    CrmConnector,
    CallAnalytics,
    RecordingStorage,
    WhiteLabel,
}

use PlanCode::{
    CallAnalytics, Channels, CrmConnector, Mixed, PerEvent, PerHour, PerSeat, PerSeatAnnual, RecordingStorage,
    WhiteLabel,
};

impl PlanCode {
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            PerSeat => ("agents", "Agents", "For each agent who logs in during the month. Cancel any month."),
            PerSeatAnnual => ("agents-annual", "Agents, annual", "The same for a year, with 15% off the fixed part."),
            PerEvent => ("per-event", "Per event", "For each call that we take, with a small monthly minimum."),
            PerHour => ("per-hour", "Per hour", "A dedicated team by the hour, whatever it takes."),
            Mixed => (
                "mixed",
                "Core team and overflow",
                "Your own team by the hour; calls it cannot take are taken and charged one by one.",
            ),
            Channels => ("channels", "Channels", "500 calls at once for a fixed fee, more when you need them."),
            CrmConnector => ("crm-connector", "CRM connector", "Calls and notes appear in Odoo, Salesforce or Zoho."),
            CallAnalytics => ("call-analytics", "Call analytics", "Reports by topic, agent and hour."),
            RecordingStorage => ("recording-storage", "Recording storage", "Recordings kept for a year."),
            WhiteLabel => ("white-label", "White label", "Your own name, colours and domain on every page."),
        }
    }

    fn is_add_on(self) -> bool {
        matches!(self, CrmConnector | CallAnalytics | RecordingStorage | WhiteLabel)
    }

    fn terms(self) -> NewPlanVersion {
        let monthly = NewPlanVersion::monthly(euro(), self.components());
        match self {
            PerSeatAnnual => NewPlanVersion {
                term_months: 12,
                term_discount_percent: percent(15),
                loyalty: vec![LoyaltyRule { after_months: 12, reward: LoyaltyReward::PercentOff(percent(5)) }],
                ..monthly
            },
            PerEvent => NewPlanVersion { commitment: Money::from_micros(60_000_000, euro()), ..monthly },
            CrmConnector => NewPlanVersion { features: vec!["crm".into()], trial_days: 0, ..monthly },
            CallAnalytics => NewPlanVersion { features: vec!["call_analytics".into()], trial_days: 0, ..monthly },
            RecordingStorage => NewPlanVersion { features: vec!["recording_storage".into()], trial_days: 0, ..monthly },
            WhiteLabel => NewPlanVersion { features: vec!["white_label".into()], trial_days: 0, ..monthly },
            _ => monthly,
        }
    }

    fn components(self) -> Vec<Component> {
        match self {
            PerSeat => vec![
                part("platform", ComponentKind::Flat, "Platform", None, "29.00", Billed::InAdvance),
                part("agents", ComponentKind::Seat, "Active agents", Some("active"), "49.00", Billed::InArrears),
                part("minutes", ComponentKind::Usage, "Minutes", Some("minutes"), "0.0040", Billed::InArrears),
                part("share", ComponentKind::Usage, "Revenue share", Some("share"), "1", Billed::InArrears),
            ],
            PerSeatAnnual => vec![
                part("platform", ComponentKind::Flat, "Platform", None, "29.00", Billed::InAdvance),
                part("numbers", ComponentKind::Flat, "Two local numbers", None, "8.00", Billed::InAdvance),
                part("agents", ComponentKind::Seat, "Active agents", Some("active"), "49.00", Billed::InArrears),
                part("minutes", ComponentKind::Usage, "Minutes", Some("minutes"), "0.0040", Billed::InArrears),
                part("share", ComponentKind::Usage, "Revenue share", Some("share"), "1", Billed::InArrears),
            ],
            Channels => vec![
                part("package", ComponentKind::Flat, "500 channels", None, "1450.00", Billed::InAdvance),
                Component {
                    included: Decimal::from(500),
                    ..part(
                        "channels",
                        ComponentKind::Channels,
                        "Channels above 500",
                        Some("channel_peak"),
                        "4.50",
                        Billed::InArrears,
                    )
                },
                part("minutes", ComponentKind::Usage, "Minutes", Some("minutes"), "0.0025", Billed::InArrears),
                part("share", ComponentKind::Usage, "Revenue share", Some("share"), "1", Billed::InArrears),
            ],
            PerEvent => {
                vec![part("calls", ComponentKind::Usage, "Calls taken", Some("calls"), "1.35", Billed::InArrears)]
            }
            PerHour => vec![
                work("dedicated", "Dedicated team", "dedicated_team", "28.00"),
                work("escalation", "Escalation", "escalation", "42.00"),
            ],
            Mixed => vec![
                work("dedicated", "Core team", "dedicated_team", "26.00"),
                taken_by("core_calls", "Calls taken by the core team", "core", "0"),
                taken_by("overflow_calls", "Calls in overflow", "overflow", "1.60"),
                taken_by("music_calls", "Calls with music only", "music", "0"),
                Component {
                    price: price(json!({"model": "percent", "rate": "8"})),
                    ..part("management", ComponentKind::Percent, "Project management", None, "0", Billed::InArrears)
                },
            ],
            CrmConnector => {
                vec![part("crm_connector", ComponentKind::Flat, "CRM connector", None, "19.00", Billed::InAdvance)]
            }
            CallAnalytics => {
                vec![part("call_analytics", ComponentKind::Flat, "Call analytics", None, "12.00", Billed::InAdvance)]
            }
            WhiteLabel => {
                vec![part("white_label", ComponentKind::Flat, "White label", None, "99.00", Billed::InAdvance)]
            }
            RecordingStorage => vec![part(
                "recording_storage",
                ComponentKind::Flat,
                "Recording storage",
                None,
                "9.00",
                Billed::InAdvance,
            )],
        }
    }
}

fn part(key: &str, kind: ComponentKind, name: &str, measure: Option<&str>, unit: &str, billed: Billed) -> Component {
    Component {
        key: key.into(),
        kind,
        name: name.into(),
        measure: measure.map(Into::into),
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price: price(json!({"model": "per_unit", "unit": unit})),
        billed,
    }
}

fn work(key: &str, name: &str, kind_of_work: &str, unit: &str) -> Component {
    let filter = BTreeMap::from([("work".to_owned(), kind_of_work.to_owned())]);
    Component { filter, ..part(key, ComponentKind::Hours, name, Some("hours"), unit, Billed::InArrears) }
}

fn taken_by(key: &str, name: &str, handled_by: &str, unit: &str) -> Component {
    let filter = BTreeMap::from([("handled_by".to_owned(), handled_by.to_owned())]);
    Component { filter, ..part(key, ComponentKind::Usage, name, Some("calls"), unit, Billed::InArrears) }
}

fn price(document: serde_json::Value) -> pricing::Price {
    serde_json::from_value(document).expect("the demo world's prices follow the grammar")
}

fn percent(whole: u32) -> Percent {
    Percent::new(whole.into()).expect("a whole percent is one")
}

/// The newest version of a plan in this book.
pub async fn version_of(tx: &TenantTx, code: PlanCode) -> anyhow::Result<PlanVersionId> {
    let plans = subscription::plans(tx).await?;
    let plan = plans.into_iter().find(|plan| plan.code == code.words().0).context("the demo world sells this plan")?;
    Ok(plan.newest.context("a demo plan is published")?.id)
}

async fn publish(tx: &TenantTx, codes: &[PlanCode], began: DateTime<Utc>) -> anyhow::Result<()> {
    for code in codes {
        let (word, name, description) = code.words();
        let plan = subscription::create_plan(tx, word, name, description, code.is_add_on()).await?;
        subscription::publish_version(tx, plan, &code.terms(), began).await?;
    }
    Ok(())
}

/// Publishes all of it, and subscribes the organisations at their sellers.
pub async fn create(db: &Db, world: &World, began: DateTime<Utc>) -> anyhow::Result<()> {
    for seller in [world.operator, world.reseller] {
        let tx = db.tenant(seller).await?;
        publish(
            &tx,
            &[
                PerSeat,
                PerSeatAnnual,
                PerEvent,
                PerHour,
                Mixed,
                Channels,
                CrmConnector,
                CallAnalytics,
                RecordingStorage,
                WhiteLabel,
            ],
            began,
        )
        .await?;
        tx.commit().await?;
    }
    for centre in [world.nordlicht, world.brightline] {
        let tx = db.tenant(centre).await?;
        publish(&tx, &[PerEvent, PerHour, Mixed], began).await?;
        tx.commit().await?;
    }
    subscribe(db, world.operator, world.reseller_as_customer, Channels, &[CallAnalytics, WhiteLabel], false, began)
        .await?;
    subscribe(
        db,
        world.operator,
        world.nordlicht_as_customer,
        PerSeatAnnual,
        &[CrmConnector, RecordingStorage],
        false,
        began,
    )
    .await?;
    subscribe(db, world.reseller, world.brightline_as_customer, PerSeat, &[CrmConnector], true, began).await?;
    numbers(db, world, began).await
}

async fn subscribe(
    db: &Db,
    seller: TenantId,
    customer_id: CustomerId,
    code: PlanCode,
    add_ons: &[PlanCode],
    trial: bool,
    began: DateTime<Utc>,
) -> anyhow::Result<()> {
    let tx = db.tenant(seller).await?;
    let plan_version_id = version_of(&tx, code).await?;
    let wish = NewSubscription {
        customer_id,
        plan_version_id,
        seats: 5,
        anchor_on: began.date_naive(),
        starts_at: began,
        trial,
    };
    let id = subscription::subscribe(&tx, &wish, began).await?;
    for add_on in add_ons {
        let add_on = Change::AddOn { version: version_of(&tx, *add_on).await? };
        subscription::change(&tx, id, &add_on, When::Now, "demo", began).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn numbers(db: &Db, world: &World, began: DateTime<Utc>) -> anyhow::Result<()> {
    let tx = db.platform(PlatformReason::Provision).await?;
    let mut ids: Vec<NumberId> = Vec::new();
    for (e164, kind, owner) in [
        (NORDLICHT_ADVICE, NumberKind::Premium, world.nordlicht),
        (NORDLICHT_SUPPORT, NumberKind::Local, world.nordlicht),
        (BRIGHTLINE_HELP, NumberKind::Local, world.brightline),
    ] {
        let id = subscription::add_number(&tx, e164, kind).await?;
        subscription::assign_number(&tx, id, owner, began).await?;
        ids.push(id);
    }
    tx.commit().await?;

    let tx = db.tenant(world.nordlicht).await?;
    topics(&tx, ids[0], "Advice line", &ADVICE_TOPICS, began).await?;
    topics(&tx, ids[1], "Support line", &SUPPORT_TOPICS, began).await?;
    tx.commit().await?;
    let tx = db.tenant(world.brightline).await?;
    topics(&tx, ids[2], "Help line", &HELP_TOPICS, began).await?;
    tx.commit().await?;

    let tx = db.tenant(world.operator).await?;
    subscription::set_terms(&tx, ids[0], world.nordlicht_as_customer, percent(30)).await?;
    subscription::set_terms(&tx, ids[1], world.nordlicht_as_customer, percent(0)).await?;
    // The operator's share is of what the reseller received, not of the caller's gross.
    subscription::set_terms(&tx, ids[2], world.reseller_as_customer, percent(20)).await?;
    tx.commit().await?;
    let tx = db.tenant(world.reseller).await?;
    subscription::set_terms(&tx, ids[2], world.brightline_as_customer, percent(30)).await?;
    tx.commit().await?;
    Ok(())
}

const STEPPED: &str = "Advice, stepped";
const HOURLY: &str = "Expert, by the hour";
const SERVICE: &str = "Service line";
const FREE: &str = "Free of charge";

const ADVICE_TOPICS: [(&str, &str); 10] = [
    ("Billing questions", FREE),
    ("Family law", STEPPED),
    ("Tenancy law", STEPPED),
    ("Employment law", STEPPED),
    ("Tax and accounts", HOURLY),
    ("Inheritance", STEPPED),
    ("Traffic law", STEPPED),
    ("Company formation", HOURLY),
    ("Data protection", HOURLY),
    ("Anything else", SERVICE),
];
/// Of lines that strangers call.
pub const PREMIUM_TOPICS: [(&str, &str); 3] =
    [("Reception", FREE), ("A quick question", SERVICE), ("A longer talk", STEPPED)];
const SUPPORT_TOPICS: [(&str, &str); 10] = [
    ("Reception", FREE),
    ("Orders", SERVICE),
    ("Returns", SERVICE),
    ("IT help", SERVICE),
    ("Accounts", SERVICE),
    ("Bookings", SERVICE),
    ("Delivery", SERVICE),
    ("Technical expert", HOURLY),
    ("Complaints", SERVICE),
    ("Anything else", SERVICE),
];
const HELP_TOPICS: [(&str, &str); 10] = [
    ("Reception", FREE),
    ("Bookings", SERVICE),
    ("Freight and customs", STEPPED),
    ("IT help", SERVICE),
    ("Accounts", SERVICE),
    ("Returns", SERVICE),
    ("Engineer on call", HOURLY),
    ("Travel", SERVICE),
    ("Complaints", SERVICE),
    ("Anything else", SERVICE),
];

/// What callers of a number can choose.
pub async fn topics(
    tx: &TenantTx,
    number_id: NumberId,
    label: &str,
    topics: &[(&str, &str)],
    began: DateTime<Utc>,
) -> anyhow::Result<()> {
    let setting = NumberSetting {
        number_id,
        label: label.into(),
        language: "en".into(),
        unknown_callers: UnknownCallers::AskPin,
    };
    subscription::set_number(tx, &setting).await?;
    for (digit, (name, tariff)) in (0u8..).zip(topics) {
        let tariff_id = tariff_of(tx, tariff, began).await?;
        let topic =
            NewTopic { number_id, digit, name: (*name).into(), tariff_id, meter_starts: MeterStarts::AgentJoined };
        subscription::set_topic(tx, &topic, began).await?;
    }
    Ok(())
}

/// The tariff of this name in the book, published when first asked for.
async fn tariff_of(tx: &TenantTx, name: &str, began: DateTime<Utc>) -> anyhow::Result<TariffId> {
    if let Some(known) = subscription::tariffs(tx).await?.into_iter().find(|tariff| tariff.name == name) {
        return Ok(known.id);
    }
    let document = match name {
        STEPPED => json!({
            "connection": "5.00", "per": "minute", "increment": 6,
            "steps": [{"from_second": 0, "rate": "0.50"}, {"from_second": 1200, "rate": "0.25"}],
        }),
        HOURLY => json!({"per": "hour", "rate": "50.00"}),
        FREE => json!({"rate": "0"}),
        _ => json!({
            "per": "minute", "rate": "0.49", "first_increment": 60, "increment": 60,
            "bands": [{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "18:00", "to": "08:00", "rate": "0.29"},
                      {"days": ["sat", "sun"], "from": "00:00", "to": "24:00", "rate": "0.29"}],
        }),
    };
    let tariff: pricing::Tariff = serde_json::from_value(document)?;
    Ok(subscription::publish_tariff(tx, name, euro(), &tariff, began).await?)
}
