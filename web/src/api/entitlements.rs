//! What a customer may use now, how much of it is used, and what is left.

use super::body::{Number, Text};
use super::customers;
use super::problem::ApiResult;
use super::route::{Ask, Asked, One, Route, Shown, get};
use db::CustomerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tenant::ScopeGroup;
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    vec![get("/v1/entitlements", ScopeGroup::Subscriptions, "What a customer may use now", entitlements)]
}

/// What a customer may use, by all of its subscriptions together. What is asked of them counts from the next answer on; the names
/// of plans may be a minute old.
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
    let found = ask.app.entitled.of(&ask.tx, customer.id, ask.now).await?;
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
