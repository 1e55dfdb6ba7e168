//! Usage as a page looks at it: one meter over days, of the whole book or of one customer. Days are civil days of the customer's
//! own clock. What it costs follows the days and dimensions that are looked at, never the events.

use crate::error::UsageError;
use crate::reading::DimensionSum;
use crate::store;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, TenantTx};
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Which usage is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageSeen {
    pub meter: String,
    /// Of this customer only.
    pub customer: Option<CustomerId>,
    /// Only usage with all of these dimensions.
    pub filter: BTreeMap<String, String>,
    pub from_on: NaiveDate,
    /// The last day.
    pub until_on: NaiveDate,
}

/// Usage of one civil day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySum {
    pub on_day: NaiveDate,
    pub quantity: Decimal,
    pub events: i64,
}

/// Usage of one hour of a civil day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayHourSum {
    pub on_day: NaiveDate,
    pub hour: DateTime<Utc>,
    pub quantity: Decimal,
    pub events: i64,
}

/// Usage of one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerSum {
    pub customer_id: CustomerId,
    pub quantity: Decimal,
    pub events: i64,
}

/// All of it, quantity and events: of different values each once, and of a percentile that of all.
pub async fn seen_total(tx: &TenantTx, seen: &UsageSeen) -> Result<(Decimal, i64), UsageError> {
    Ok(store::seen::total(tx, seen).await?.unwrap_or_default())
}

/// Day by day; days without usage are left out.
pub async fn seen_by_day(tx: &TenantTx, seen: &UsageSeen) -> Result<Vec<DaySum>, UsageError> {
    Ok(store::seen::by_day(tx, seen).await?)
}

/// Hour by hour; hours without usage are left out.
pub async fn seen_by_hour(tx: &TenantTx, seen: &UsageSeen) -> Result<Vec<DayHourSum>, UsageError> {
    Ok(store::seen::by_hour(tx, seen).await?)
}

/// By the values of one dimension, the largest first; what does not have it stands under no value.
pub async fn seen_by_dimension(
    tx: &TenantTx,
    seen: &UsageSeen,
    dimension: &str,
    limit: u64,
) -> Result<Vec<DimensionSum>, UsageError> {
    store::seen::by_dimension(tx, seen, dimension, limit).await
}

/// By customer, the largest first, and how many there are in all.
pub async fn seen_by_customer(
    tx: &TenantTx,
    seen: &UsageSeen,
    limit: u64,
) -> Result<(Vec<CustomerSum>, u64), UsageError> {
    Ok(store::seen::by_customer(tx, seen, limit).await?)
}
