//! What a subscription has used of its running month.

use crate::error::PageResult;
use crate::format;
use chrono::{DateTime, Utc};
use db::TenantTx;
use money::Decimal;
use std::collections::BTreeMap;
use subscription::{Component, ComponentKind, History};
use usage_metering::{Aggregate, UsageOf, UsageQuery};

/// "1,254 minutes", "5 seats": one for each component that counts something.
pub async fn so_far(
    tx: &TenantTx,
    history: &History,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> PageResult<Vec<String>> {
    let of = UsageOf::NamedOrNone(history.subscription.id);
    let components: Vec<&Component> = history.components_at(now).collect();
    let mut words: Vec<Option<String>> = Vec::new();
    let mut queries = Vec::new();
    for component in &components {
        match counted(component) {
            Some((meter, aggregate, _)) => {
                let filter = component.filter.clone();
                let customer_id = history.subscription.customer_id;
                queries
                    .push((UsageQuery { customer_id, of, meter: meter.to_owned(), filter, from, to: now }, aggregate));
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
        "share" => format!("{} as revenue share", format::quantity(quantity.round_dp(2))),
        "charge" => format!("{} of charges", format::quantity(quantity.round_dp(2))),
        _ => format!("{} {unit}", format::quantity(quantity.round_dp(1))),
    };
    if component.included.is_zero() {
        used
    } else {
        format!("{used} of {} included", format::quantity(component.included))
    }
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
        UsageQuery { customer_id, of: UsageOf::Customer, meter: meter.to_owned(), filter: BTreeMap::new(), from, to };
    Ok(usage_metering::quantity(tx, &query, Aggregate::Sum).await?)
}
