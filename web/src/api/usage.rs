//! What was used: sums of meters, never single events.

use super::body::{Number, Text};
use super::list::List;
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Nothing, Route, Shown, get};
use super::shapes;
use chrono::{DateTime, TimeDelta, Utc};
use db::CustomerId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tenant::ScopeGroup;
use usage_metering::{Aggregation, Meter as Defined};
use utoipa::{IntoParams, ToSchema};

/// A sum by more dimensions than this says less than the events.
const DIMENSIONS_MAX: usize = 4;
/// Days that a sum spans at most: a year and a day.
const SUM_DAYS_MAX: i64 = 366;
/// Days that are told hour by hour at most.
const HOURS_DAYS_MAX: i64 = 92;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Usage;
    vec![
        get("/v1/meters", group, "List meters", meters),
        get("/v1/usage", group, "Sum a meter, by dimensions if wanted", sums),
        get("/v1/usage/hours", group, "Sum a meter hour by hour, over all customers", hours),
    ]
}

/// What is counted.
#[derive(Serialize, ToSchema)]
pub struct Meter {
    #[schema(example = "meter")]
    object: &'static str,
    #[schema(example = "minutes")]
    code: String,
    name: String,
    unit: String,
    #[schema(schema_with = shapes::aggregation)]
    aggregation: &'static str,
    /// What sums are kept by.
    dimensions: Vec<String>,
    /// Type of the events that it counts.
    event_type: String,
    /// Only events with all of these dimensions.
    filter: BTreeMap<String, String>,
    /// Of `unique`: the dimension whose different values count.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_dimension: Option<String>,
    /// Of `percentile`: at least so many percent of the events are not above it.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<Number>,
    /// Of `peak`: hours that new events touch and that are not counted yet. A bill waits for its hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    dirty_hours: Option<u64>,
}

impl Shown for Meter {
    fn id(&self) -> String {
        self.code.clone()
    }
}

impl From<Defined> for Meter {
    fn from(meter: Defined) -> Self {
        Self {
            object: "meter",
            code: meter.code,
            name: meter.name,
            unit: meter.unit,
            aggregation: meter.aggregation.as_str(),
            dimensions: meter.dimensions,
            event_type: meter.event_type,
            filter: meter.filter,
            of_dimension: meter.of_dimension,
            percent: meter.percent.map(Number),
            dirty_hours: (meter.aggregation == Aggregation::Peak).then_some(0),
        }
    }
}

async fn meters(ask: &Ask, _: Nothing) -> ApiResult<List<Meter>> {
    let mut meters: Vec<Meter> = usage_metering::meters(&ask.tx).await?.into_iter().map(Meter::from).collect();
    for (code, hours) in usage_metering::dirty_hours(&ask.tx).await? {
        meters.iter_mut().filter(|meter| meter.code == code).for_each(|meter| meter.dirty_hours = Some(hours));
    }
    Ok(List::whole(meters))
}

/// Usage with the same values of the asked dimensions, or of one hour.
#[derive(Serialize, ToSchema)]
struct UsageSum {
    #[schema(example = "usage_sum")]
    object: &'static str,
    /// Of a sum by dimensions; a dimension that the usage did not have is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<BTreeMap<String, String>>,
    /// Of a sum by hours: when the hour began.
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<DateTime<Utc>>,
    quantity: Number,
    events: i64,
}

impl Shown for UsageSum {}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct SumsAsked {
    /// Code of the meter.
    meter: String,
    /// From this instant on (RFC 3339).
    #[param(value_type = String, format = DateTime)]
    from: Text<DateTime<Utc>>,
    /// Before this instant; at most 366 days later.
    #[param(value_type = String, format = DateTime)]
    to: Text<DateTime<Utc>>,
    /// Of this customer only.
    #[param(value_type = Option<String>)]
    customer: Option<Text<CustomerId>>,
    /// Dimensions, with commas between them.
    by: Option<String>,
}

async fn sums(ask: &Ask, Asked(asked): Asked<SumsAsked>) -> ApiResult<List<UsageSum>> {
    let meter = must_be_meter(ask, &asked.meter).await?;
    must_be_short_span(asked.from.0, asked.to.0, SUM_DAYS_MAX)?;
    let by: Vec<&str> = asked.by.as_deref().into_iter().flat_map(|by| by.split(',')).map(str::trim).collect();
    let known = |dimension: &&str| meter.dimensions.iter().any(|known| known == dimension);
    if by.len() > DIMENSIONS_MAX || !by.iter().all(known) {
        let rule = format!("must be at most {DIMENSIONS_MAX} of: {}", meter.dimensions.join(", "));
        return Err(Problem::invalid("/by", "must_be_known_dimension", rule).with_value(by.join(",")));
    }
    let customer = asked.customer.map(|customer| customer.0);
    let found = usage_metering::by_dimension(&ask.tx, customer, &meter.code, &by, asked.from.0, asked.to.0).await?;
    let shown = found.into_iter().map(|sum| UsageSum {
        object: "usage_sum",
        dimensions: Some(sum.dimensions),
        hour: None,
        quantity: Number(sum.quantity),
        events: sum.events,
    });
    Ok(List::whole(shown.collect()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HoursAsked {
    /// Code of the meter.
    meter: String,
    /// From this instant on (RFC 3339).
    #[param(value_type = String, format = DateTime)]
    from: Text<DateTime<Utc>>,
    /// Before this instant; at most 92 days later.
    #[param(value_type = String, format = DateTime)]
    to: Text<DateTime<Utc>>,
}

async fn hours(ask: &Ask, Asked(asked): Asked<HoursAsked>) -> ApiResult<List<UsageSum>> {
    let meter = must_be_meter(ask, &asked.meter).await?;
    must_be_short_span(asked.from.0, asked.to.0, HOURS_DAYS_MAX)?;
    let none = BTreeMap::new();
    let found = usage_metering::by_hour(&ask.tx, &meter.code, &none, asked.from.0, asked.to.0).await?;
    let shown = found.into_iter().map(|sum| UsageSum {
        object: "usage_sum",
        dimensions: None,
        hour: Some(sum.hour),
        quantity: Number(sum.quantity),
        events: sum.events,
    });
    Ok(List::whole(shown.collect()))
}

async fn must_be_meter(ask: &Ask, code: &str) -> ApiResult<Defined> {
    let meters = usage_metering::meters(&ask.tx).await?;
    let known = meters.iter().map(|meter| meter.code.as_str()).collect::<Vec<_>>().join(", ");
    let unknown =
        || Problem::invalid("/meter", "must_be_known_measure", format!("must be one of: {known}")).with_value(code);
    meters.iter().find(|meter| meter.code == code).cloned().ok_or_else(unknown)
}

/// Refuses a span that is longer than so many days: its sums are read hour by hour.
fn must_be_short_span(from: DateTime<Utc>, to: DateTime<Utc>, days_max: i64) -> ApiResult<()> {
    must_be_span(from, to)?;
    if to - from <= TimeDelta::days(days_max) {
        return Ok(());
    }
    let rule = format!("must lie at most {days_max} days after `from`");
    Err(Problem::invalid("/to", "must_lie_between", rule).with_value(to.to_rfc3339()))
}

/// Refuses a span that ends before it begins.
pub fn must_be_span(from: DateTime<Utc>, to: DateTime<Utc>) -> ApiResult<()> {
    if from <= to {
        return Ok(());
    }
    Err(Problem::invalid("/to", "end_before_beginning", "must not lie before `from`").with_value(to.to_rfc3339()))
}
