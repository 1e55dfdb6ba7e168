//! What was used: the folded hours and the sums that are not folded yet, in one statement.

use crate::error::UsageError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{CustomerId, SubscriptionId, TenantTx};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Usage of one customer on one meter in `[from, to)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    pub customer_id: CustomerId,
    pub of: UsageOf,
    pub meter: String,
    /// Only usage with all of these dimensions.
    pub filter: BTreeMap<String, String>,
    /// Edges of local hours of the customer: midnights are.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// Whose part of a customer's usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageOf {
    /// All of it, whatever subscription it names.
    Customer,
    /// What names this subscription.
    Named(SubscriptionId),
    /// What names this subscription, and what names none.
    NamedOrNone(SubscriptionId),
}

impl UsageOf {
    /// The subscription, nil for all.
    pub(crate) fn subscription(self) -> uuid::Uuid {
        match self {
            UsageOf::Customer => uuid::Uuid::nil(),
            UsageOf::Named(id) | UsageOf::NamedOrNone(id) => id.uuid(),
        }
    }
}

/// How hours become one quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aggregate {
    Sum,
    /// The largest hour.
    Max,
    /// How many different values a dimension has, where the quantity is above zero.
    CountDistinct(String),
}

/// Usage of one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourSum {
    pub hour: DateTime<Utc>,
    pub quantity: Decimal,
    pub events: i64,
}

/// Usage with the same values of the asked dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DimensionSum {
    pub dimensions: BTreeMap<String, String>,
    pub quantity: Decimal,
    pub events: i64,
}

/// The quantity that a query finds; zero where nothing was used.
pub async fn quantity(tx: &TenantTx, query: &UsageQuery, aggregate: Aggregate) -> Result<Decimal, UsageError> {
    Ok(quantities(tx, &[(query.clone(), aggregate)]).await?.first().copied().unwrap_or_default())
}

/// Many quantities in one read, in the order of the queries: for runs.
pub async fn quantities(tx: &TenantTx, queries: &[(UsageQuery, Aggregate)]) -> Result<Vec<Decimal>, UsageError> {
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store::reading::quantities(tx, queries).await?)
}

/// Usage of a meter over all customers, hour by hour; hours without usage are left out.
pub async fn by_hour(
    tx: &TenantTx,
    meter: &str,
    filter: &BTreeMap<String, String>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<HourSum>, UsageError> {
    Ok(store::reading::by_hour(tx, meter, filter, from, to).await?)
}

/// Usage of a meter by the values of some dimensions, of one customer or of all, the largest quantity first.
/// A dimension that an event did not have is left out of its line.
pub async fn by_dimension(
    tx: &TenantTx,
    customer: Option<CustomerId>,
    meter: &str,
    dimensions: &[&str],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<DimensionSum>, UsageError> {
    store::reading::by_dimension(tx, customer, meter, dimensions, from, to).await
}

/// Many sums by dimension in one read, in the order of the queries: for runs. Each query asks for the dimensions beside it.
pub async fn sums_by_dimension(
    tx: &TenantTx,
    queries: &[(UsageQuery, Vec<String>)],
) -> Result<Vec<Vec<DimensionSum>>, UsageError> {
    if queries.is_empty() {
        return Ok(Vec::new());
    }
    store::reading::sums_by_dimension(tx, queries).await
}
