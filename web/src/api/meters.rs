//! A book's own meters: defined, and tried on what came before.

use super::body::Number;
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Created, Given, One, Route, Shown, post, reckon};
use super::shapes;
use super::usage::Meter;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tenant::ScopeGroup;
use usage_metering::{Aggregation, UsageError};
use utoipa::ToSchema;

/// Days that a preview looks back.
pub const PREVIEW_DAYS: i64 = 30;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Usage;
    vec![
        post("/v1/meters", group, "Define a meter; it counts from now on", define),
        reckon("/v1/meter-previews", group, "What a meter would have counted in the last 30 days", preview),
    ]
}

/// A meter to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMeter {
    /// 1 to 60 of a-z, 0-9, _ and .
    #[schema(example = "chat_minutes")]
    code: String,
    name: String,
    #[schema(example = "minute")]
    unit: String,
    #[schema(schema_with = shapes::aggregation)]
    aggregation: String,
    /// Type of the events that it counts; without it, its own code.
    event_type: Option<String>,
    /// Only events with all of these dimensions.
    #[serde(default)]
    filter: BTreeMap<String, String>,
    /// What its sums are kept by; at most eight, and none of `peak`.
    #[serde(default)]
    dimensions: Vec<String>,
    /// Of `unique`, and of no other: the dimension whose different values count.
    of_dimension: Option<String>,
    /// Of `percentile`, and of no other: above 0, at most 100, with three decimals.
    percent: Option<Number>,
}

impl NewMeter {
    fn read(self) -> ApiResult<usage_metering::Meter> {
        let words = Aggregation::ALL.map(Aggregation::as_str).join(", ");
        let aggregation =
            Aggregation::ALL.into_iter().find(|known| known.as_str() == self.aggregation).ok_or_else(|| {
                Problem::invalid("/aggregation", "unknown_word", format!("must be one of: {words}"))
                    .with_value(&self.aggregation)
            })?;
        Ok(usage_metering::Meter {
            event_type: self.event_type.unwrap_or_else(|| self.code.clone()),
            code: self.code,
            name: self.name,
            unit: self.unit,
            aggregation,
            dimensions: self.dimensions,
            filter: self.filter,
            of_dimension: self.of_dimension,
            percent: self.percent.map(|percent| percent.0.normalize()),
        })
    }
}

async fn define(ask: &Ask, Given(new): Given<NewMeter>) -> ApiResult<Created<Meter>> {
    let meter = new.read()?;
    usage_metering::create_meter(&ask.tx, &meter).await.map_err(refused)?;
    Ok(Created(meter.into()))
}

/// What a meter would have counted.
#[derive(Serialize, ToSchema)]
struct MeterPreview {
    #[schema(example = "meter_preview")]
    object: &'static str,
    quantity: Number,
    events: u64,
    /// Of these, so many wait in suspense because no meter counts them.
    waiting: u64,
    /// By the dimensions that it would keep, the largest first: at most twenty.
    by_dimension: Vec<PreviewSum>,
}

/// A part of it.
#[derive(Serialize, ToSchema)]
struct PreviewSum {
    dimensions: BTreeMap<String, String>,
    quantity: Number,
    events: i64,
}

impl Shown for MeterPreview {}

async fn preview(ask: &Ask, Given(new): Given<NewMeter>) -> ApiResult<One<MeterPreview>> {
    let from = ask.now - TimeDelta::days(PREVIEW_DAYS);
    let preview = usage_metering::preview_meter(&ask.tx, &new.read()?, from, ask.now).await.map_err(refused)?;
    let part = |sum: usage_metering::DimensionSum| PreviewSum {
        dimensions: sum.dimensions,
        quantity: Number(sum.quantity),
        events: sum.events,
    };
    Ok(One(MeterPreview {
        object: "meter_preview",
        quantity: Number(preview.quantity),
        events: preview.events,
        waiting: preview.waiting,
        by_dimension: preview.by_dimension.into_iter().map(part).collect(),
    }))
}

fn refused(error: UsageError) -> Problem {
    match field_of(&error) {
        Some((field, code)) => Problem::invalid(format!("/{field}"), code, error.to_string()),
        None => error.into(),
    }
}

/// The field of a definition that a rule is about, and the rule's name.
pub fn field_of(error: &UsageError) -> Option<(&'static str, &'static str)> {
    match error {
        UsageError::MeterCodeMustBeSimple(_) => Some(("code", "must_be_simple")),
        UsageError::MeterTextMustBeShort { field, .. } => Some((field, "must_have_a_length")),
        UsageError::MeterDimensionsMustBeFew(_) => Some(("dimensions", "must_be_few")),
        UsageError::MeterDimensionMustHaveNoComma(_) => Some(("dimensions", "must_have_no_comma")),
        UsageError::MeterCodeMustBeFree(_) => Some(("code", "must_be_free")),
        UsageError::MeterFilterMustBeShort(_) => Some(("filter", "must_be_few")),
        UsageError::MeterMustNameItsValues => Some(("of_dimension", "must_name_its_values")),
        UsageError::MeterMustSayItsPercent => Some(("percent", "must_lie_between")),
        UsageError::MeterOfPeaksMustKeepNoDimensions => Some(("dimensions", "must_be_none")),
        UsageError::MeterDimensionMustBeAnEvents => Some(("dimensions", "must_be_an_events")),
        UsageError::MeterMustKeepItsAggregation(_) => Some(("aggregation", "must_stay")),
        _ => None,
    }
}
