//! What a customer may use now, how much of it is used, and what is left.

use super::body::{Number, Text};
use super::customers;
use super::problem::ApiResult;
use super::route::{Ask, Asked, One, Route, Shown, get};
use db::CustomerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tenant::ScopeGroup;
use usage_metering::{Aggregate, UsageOf, UsageQuery};
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    vec![get("/v1/entitlements", ScopeGroup::Subscriptions, "What a customer may use now", entitlements)]
}

/// What a customer may use, by all of its subscriptions together.
#[derive(Serialize, ToSchema)]
#[schema(as = Entitlements)]
struct Entitlements {
    #[schema(example = "entitlements")]
    object: &'static str,
    customer: String,
    /// By name; what is not here may not be used.
    features: BTreeMap<String, Feature>,
    seats: Seats,
}

impl Shown for Entitlements {}

/// One feature.
#[derive(Serialize, ToSchema)]
struct Feature {
    /// Plans and add-ons that grant it.
    granted_by: Vec<String>,
    /// Null: as much as one likes.
    limit: Option<Number>,
    /// Null where it is not known.
    used: Option<Number>,
    remaining: Option<Number>,
}

/// Seats that a customer may assign.
#[derive(Serialize, ToSchema)]
struct Seats {
    /// Null: as many as one likes.
    limit: Option<u32>,
    /// Beyond the limit a seat is charged and not refused.
    sells_more: bool,
    assigned: u32,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Whose {
    /// Whose entitlements.
    #[param(value_type = String)]
    customer: Text<CustomerId>,
}

async fn entitlements(ask: &Ask, Asked(asked): Asked<Whose>) -> ApiResult<One<Entitlements>> {
    let customer = customers::find(&ask.tx, asked.customer.0).await?;
    let mut found = subscription::entitlements(&ask.tx, customer.id, ask.now).await?;
    // The catalogue knows no usage: what meters have counted is added here, in one read.
    let metered =
        found.features.iter().filter_map(|(name, of)| of.metered.clone().map(|metered| (name.clone(), metered)));
    let (names, metered): (Vec<_>, Vec<_>) = metered.unzip();
    let query = |of: &subscription::Metered| UsageQuery {
        customer_id: customer.id,
        of: UsageOf::NamedOrNone(of.subscription_id),
        meter: of.meter.clone(),
        filter: BTreeMap::new(),
        from: of.from,
        to: of.to,
    };
    let queries: Vec<_> = metered.iter().map(|of| (query(of), Aggregate::Sum)).collect();
    for (name, used) in names.iter().zip(usage_metering::quantities(&ask.tx, &queries).await?) {
        found = found.with_used(name, used);
    }
    let feature = |(name, of): (String, subscription::Entitled)| {
        let shown = Feature {
            granted_by: of.granted_by,
            limit: of.limit.map(Number),
            used: of.used.map(Number),
            remaining: of.remaining.map(Number),
        };
        (name, shown)
    };
    Ok(One(Entitlements {
        object: "entitlements",
        customer: customer.id.to_string(),
        features: found.features.into_iter().map(feature).collect(),
        seats: Seats { limit: found.seats.limit, sells_more: found.seats.sells_more, assigned: found.seats.assigned },
    }))
}
