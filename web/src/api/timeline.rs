//! What happened to a customer, and what the clock will do to a subscription: told before and after.

use super::estimates::Newest;
use super::list::{self, At, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Nothing, Route, Shown, get};
use super::{customers, subscriptions};
use chrono::{DateTime, Months, Utc};
use db::CustomerEventId;
use serde::Serialize;
use subscription::{LoyaltyReward, LoyaltyRule, Milestone, MilestoneKind};
use tenant::ScopeGroup;
use utoipa::ToSchema;

/// How far ahead the clock is told: three years hold most loyalty rules.
const MONTHS_AHEAD: u32 = 36;

pub fn routes() -> Vec<Route> {
    vec![
        get(
            "/v1/customers/{customer_id}/events",
            ScopeGroup::Customers,
            "List a customer's timeline, the newest first",
            events,
        ),
        get(
            "/v1/subscriptions/{subscription_id}/milestones",
            ScopeGroup::Subscriptions,
            "List what the clock will do within three years: trial, renewals, loyalty, end",
            milestones,
        ),
    ]
}

/// Something that happened to a customer.
#[derive(Serialize, ToSchema)]
struct CustomerEvent {
    #[schema(example = "customer_event")]
    object: &'static str,
    id: String,
    at: DateTime<Utc>,
    /// `subscribed`, `plan_changed`, `trial_ending`, `loyalty`, `renewed`, `invoice`, `payment` and others.
    #[schema(example = "loyalty")]
    kind: String,
    /// One sentence for people.
    text: String,
}

impl Shown for CustomerEvent {}

async fn events(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<CustomerEvent>> {
    let customer = customers::find(&ask.tx, ask.id("customer_id")?).await?;
    let limit = list::limit(asked.limit)?;
    let after = list::after::<At<CustomerEventId>>(asked.starting_after.as_deref())?.map(|At(at, id)| (at, id));
    let found = subscription::customer_events_page(&ask.tx, customer.id, after, limit + 1).await?;
    let (found, next) = list::cut(found, limit, |last| list::place(At(last.at, last.id)));
    let shown = found.into_iter().map(|of| CustomerEvent {
        object: "customer_event",
        id: of.id.to_string(),
        at: of.at,
        kind: of.kind,
        text: of.text,
    });
    Ok(List::page(shown.collect(), next))
}

/// Something that the clock will do.
#[derive(Serialize, ToSchema)]
#[schema(as = Milestone)]
struct Ahead {
    #[schema(example = "milestone")]
    object: &'static str,
    at: DateTime<Utc>,
    /// `begins`, `trial_ending`, `trial_ended`, `change_takes_effect`, `renewed`, `loyalty_ahead` (a month before), `loyalty`, `ended`
    /// or `expired`.
    #[schema(example = "loyalty")]
    kind: &'static str,
    /// Of a change that takes effect: which.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<String>,
    /// Of loyalty: what it brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    loyalty: Option<Reward>,
}

impl Shown for Ahead {}

/// What staying brings: one of the three.
#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltyReward)]
struct Reward {
    after_months: u32,
    /// 10 is 10%.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_off: Option<String>,
    /// Version of the add-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_add_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<String>,
}

fn reward(rule: LoyaltyRule) -> Reward {
    let none = Reward { after_months: rule.after_months, percent_off: None, free_add_on: None, feature: None };
    match rule.reward {
        LoyaltyReward::PercentOff(percent) => {
            Reward { percent_off: Some(percent.as_decimal().normalize().to_string()), ..none }
        }
        LoyaltyReward::FreeAddOn(version) => Reward { free_add_on: Some(version.to_string()), ..none },
        LoyaltyReward::Feature(feature) => Reward { feature: Some(feature), ..none },
    }
}

fn ahead(of: Milestone) -> Ahead {
    let none = Ahead { object: "milestone", at: of.at, kind: of.kind.event(), change: None, loyalty: None };
    match of.kind {
        MilestoneKind::Takes(change) => Ahead { change: Some(change.to_string()), ..none },
        MilestoneKind::Loyalty(rule) | MilestoneKind::LoyaltyAhead(rule) => {
            Ahead { loyalty: Some(reward(rule)), ..none }
        }
        MilestoneKind::Begins
        | MilestoneKind::TrialEnding
        | MilestoneKind::TrialEnded
        | MilestoneKind::Renewed
        | MilestoneKind::Ended(_) => none,
    }
}

async fn milestones(ask: &Ask, _: Nothing) -> ApiResult<List<Ahead>> {
    let history = subscriptions::find(ask, ask.id("subscription_id")?).await?;
    let until = ask.now.checked_add_months(Months::new(MONTHS_AHEAD)).ok_or_else(|| Problem::failed("no such year"))?;
    Ok(List::whole(history.milestones(ask.now, until)?.into_iter().map(ahead).collect()))
}
