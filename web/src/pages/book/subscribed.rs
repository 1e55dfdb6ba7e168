//! What a customer has subscribed to, the period that runs, and what it used of it so far.

use super::words::{self, period};
use crate::error::{PageError, PageResult};
use crate::format;
use crate::views::table::{Cell, Column, Empty, Table};
use chrono::{DateTime, NaiveDate, Utc};
use db::{PlanId, TenantTx};
use money::Decimal;
use std::collections::{BTreeMap, HashMap};
use subscription::{Component, ComponentKind, History, PlanVersion, Subscription, SubscriptionStatus};
use usage_metering::{Aggregate, UsageQuery};

/// A subscription as it stands.
pub struct Subscribed {
    pub subscription: Subscription,
    pub status: SubscriptionStatus,
    /// The plan, then its add-ons that hold now.
    pub names: Vec<(PlanId, String, u32)>,
    /// The running period, `[starts, ends)`; `None` before it begins and after it ended.
    pub period_on: Option<(NaiveDate, NaiveDate)>,
    /// "1,254 minutes", "2 seats".
    pub so_far: Vec<String>,
}

/// Reads a customer's subscriptions, the oldest first.
pub async fn subscribed(tx: &TenantTx, customer_id: db::CustomerId, now: DateTime<Utc>) -> PageResult<Vec<Subscribed>> {
    let subscriptions = subscription::subscriptions_of(tx, customer_id).await?;
    let plans: HashMap<PlanId, String> =
        subscription::plans(tx).await?.into_iter().map(|plan| (plan.id, plan.name)).collect();
    let mut all = Vec::with_capacity(subscriptions.len());
    for history in subscription::histories(tx, &subscriptions).await? {
        let plan = history.plan_at(now);
        let add_ons = history.attached.iter().filter(|a| a.is_add_on && a.holds(now)).map(|a| &a.version);
        let holding: Vec<&PlanVersion> = std::iter::once(plan).chain(add_ons).collect();
        let name = |version: &PlanVersion| plans.get(&version.plan_id).cloned().unwrap_or_else(|| "A plan".into());
        let names = holding.iter().map(|version| (version.plan_id, name(version), version.version)).collect();
        let subscription = &history.subscription;
        let running = if subscription.in_service_at(now) { Some(running(subscription, now)?) } else { None };
        let components: Vec<&Component> = holding.iter().flat_map(|version| &version.components).collect();
        let so_far = match running {
            Some((from, _, _)) => used(tx, &history, &components, from, now).await?,
            None => Vec::new(),
        };
        all.push(Subscribed {
            status: history.status_at(now),
            subscription: history.subscription,
            names,
            period_on: running.map(|(_, from_on, until_on)| (from_on, until_on)),
            so_far,
        });
    }
    Ok(all)
}

/// The monthly period that holds an instant: where it starts, its first day and the day after its last.
fn running(subscription: &Subscription, now: DateTime<Utc>) -> PageResult<(DateTime<Utc>, NaiveDate, NaiveDate)> {
    let bounds = || {
        let periods = pricing::Periods::new(subscription.anchor_on, 1, &subscription.time_zone)?;
        let (index, _) = periods.containing(now)?;
        Ok((periods.bound_at(index)?, periods.bound_on(index)?, periods.bound_on(index + 1)?))
    };
    bounds().map_err(|error: pricing::PricingError| PageError::failed(error))
}

async fn used(
    tx: &TenantTx,
    history: &History,
    components: &[&Component],
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> PageResult<Vec<String>> {
    let mut words: Vec<Option<String>> = Vec::new();
    let mut queries = Vec::new();
    for component in components {
        match counted(component) {
            Some((meter, aggregate, _)) => {
                let filter = component.filter.clone();
                let customer_id = history.subscription.customer_id;
                queries.push((
                    UsageQuery { customer_id, subscription_id: None, meter: meter.to_owned(), filter, from, to: now },
                    aggregate,
                ));
                words.push(None);
            }
            None if component.kind == ComponentKind::Seat => {
                words.push(Some(format::counted(history.seats_at(now).into(), "seat", "seats")));
            }
            None => {}
        }
    }
    let mut quantities = usage_metering::quantities(tx, &queries).await?.into_iter();
    let measured =
        components.iter().filter(|component| component.kind == ComponentKind::Seat || counted(component).is_some());
    Ok(measured
        .zip(words)
        .map(|(component, word)| word.unwrap_or_else(|| told(component, quantities.next().unwrap_or_default())))
        .collect())
}

/// What a component counts: the meter, how its hours become one quantity, and the unit.
fn counted(component: &Component) -> Option<(&str, Aggregate, &str)> {
    let measure = component.measure.as_deref().unwrap_or_default();
    match (component.kind, measure) {
        (ComponentKind::Usage | ComponentKind::Hours, meter) if !meter.is_empty() => {
            Some((meter, Aggregate::Sum, meter))
        }
        (ComponentKind::Channels, _) => Some(("channel_peak", Aggregate::Max, "channels at once")),
        (ComponentKind::Seat, "daily") => Some(("seat_days", Aggregate::Sum, "seat days")),
        (ComponentKind::Seat, "active") => {
            Some(("seat_days", Aggregate::CountDistinct("agent".into()), "agents active"))
        }
        (ComponentKind::Seat, "peak") => Some(("seat_peak", Aggregate::Max, "seats at once")),
        _ => None,
    }
}

fn told(component: &Component, quantity: Decimal) -> String {
    let unit = counted(component).map_or("", |(_, _, unit)| unit);
    let used = match unit {
        // Meters of money: their quantity is an amount.
        "share" | "charge" => format!("{} as {unit}", format::quantity(quantity.round_dp(2))),
        _ => format!("{} {unit}", format::quantity(quantity.round_dp(1))),
    };
    if component.included.is_zero() {
        used
    } else {
        format!("{used} of {} included", format::quantity(component.included))
    }
}

/// The subscriptions as rows; `plan_href` leads to a plan where the reader may see it.
pub fn table(subscribed: &[Subscribed], plan_href: impl Fn(PlanId) -> Option<String>) -> Table {
    let columns = vec![
        Column::text("Plan"),
        Column::text("Running period").full(),
        Column::text("So far").full(),
        Column::text("State"),
    ];
    let empty = Empty::new("repeat", "No subscription", "Calls are charged one by one, by the tariff of their topic.");
    let mut table = Table::new("Subscriptions", columns, empty);
    for subscribed in subscribed {
        let mut names = subscribed.names.iter();
        let Some((plan_id, name, version)) = names.next() else { continue };
        let add_ons: Vec<&str> = names.map(|(_, name, _)| name.as_str()).collect();
        let sub = if add_ons.is_empty() {
            format!("version {version}")
        } else {
            format!("version {version}, with {}", add_ons.join(", "))
        };
        let name = match plan_href(*plan_id) {
            Some(href) => Cell::name(name).to(href),
            None => Cell::name(name),
        };
        let until = subscribed.subscription.cancelled_at.map(|at| format!("ends {}", at.date_naive()));
        table.row(vec![
            name.sub(sub),
            Cell::text(subscribed.period_on.map_or_else(|| "none".to_owned(), |(from, until)| period(from, until)))
                .sub(until.unwrap_or_default()),
            Cell::text(subscribed.so_far.join(", ")),
            Cell::none().with(words::subscription_status(subscribed.status)),
        ]);
    }
    table
}

/// Usage so far without any filter, for the strip of facts.
pub async fn quantity_of(
    tx: &TenantTx,
    customer_id: db::CustomerId,
    meter: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> PageResult<Decimal> {
    let query =
        UsageQuery { customer_id, subscription_id: None, meter: meter.to_owned(), filter: BTreeMap::new(), from, to };
    Ok(usage_metering::quantity(tx, &query, Aggregate::Sum).await?)
}
