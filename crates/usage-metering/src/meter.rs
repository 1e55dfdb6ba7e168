use crate::error::UsageError;
use crate::event::{TEXT_CHARS_MAX, UsageEvent};
use crate::reading::DimensionSum;
use crate::store;
use chrono::{DateTime, Utc};
use db::TenantTx;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use subscription::Measure;

/// How events become a quantity, those of an hour as those of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// The sum of their quantities.
    Sum,
    /// Their number.
    Count,
    /// The largest of their quantities.
    Max,
    /// How many different values of one dimension they have.
    Unique,
    /// The quantity that so many percent of them do not exceed.
    Percentile,
    /// How many were at once: each begins when it occurred and lasts as many seconds as its quantity says.
    Peak,
}

impl Aggregation {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Sum, Self::Count, Self::Max, Self::Unique, Self::Percentile, Self::Peak];

    /// Do the quantities of hours, customers and dimensions add up to that of all of them?
    pub fn adds_up(self) -> bool {
        matches!(self, Self::Sum | Self::Count)
    }

    /// Is it the same whatever quantity an event has?
    pub(crate) fn takes_each_as_one(self) -> bool {
        matches!(self, Self::Count | Self::Unique)
    }

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Max => "max",
            Self::Unique => "unique",
            Self::Percentile => "percentile",
            Self::Peak => "peak",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, UsageError> {
        Self::ALL
            .into_iter()
            .find(|aggregation| aggregation.as_str() == text)
            .ok_or_else(|| UsageError::StoredValueMustBeKnown { what: "aggregation", found: text.to_owned() })
    }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meter {
    pub code: String,
    pub name: String,
    pub unit: String,
    pub aggregation: Aggregation,
    /// What sums are kept by; other dimensions stay with the event only.
    pub dimensions: Vec<String>,
    /// Type of the events that it counts; several meters may count the same events.
    pub event_type: String,
    /// Only events with all of these dimensions.
    pub filter: BTreeMap<String, String>,
    /// The dimension whose different values count: of [`Aggregation::Unique`] and of no other.
    pub of_dimension: Option<String>,
    /// Above 0, at most 100: of [`Aggregation::Percentile`] and of no other.
    pub percent: Option<Decimal>,
}

impl Meter {
    /// Counts every event that is called like itself.
    pub fn new(code: &str, name: &str, unit: &str, aggregation: Aggregation, dimensions: &[&str]) -> Meter {
        Meter {
            code: code.to_owned(),
            name: name.to_owned(),
            unit: unit.to_owned(),
            aggregation,
            dimensions: dimensions.iter().map(|dimension| (*dimension).to_owned()).collect(),
            event_type: code.to_owned(),
            filter: BTreeMap::new(),
            of_dimension: None,
            percent: None,
        }
    }

    /// Does it count an event of this type with these dimensions?
    pub(crate) fn counts(&self, event: &UsageEvent) -> bool {
        self.event_type == event.meter
            && self.filter.iter().all(|(name, wanted)| event.dimensions.get(name) == Some(wanted))
    }

    /// The rules that a definition keeps; the first that it breaks.
    fn check(&self) -> Result<(), UsageError> {
        let code = &self.code;
        let is_simple = (1..=60).contains(&code.len())
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.'));
        if !is_simple {
            return Err(UsageError::MeterCodeMustBeSimple(code.chars().take(80).collect()));
        }
        let is_short =
            |text: &str, most: usize| (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        for (field, text, most) in
            [("name", &self.name, 80), ("unit", &self.unit, 40), ("event_type", &self.event_type, TEXT_CHARS_MAX)]
        {
            if !is_short(text, most) {
                return Err(UsageError::MeterTextMustBeShort { field, characters_max: most });
            }
        }
        let are_short = self.dimensions.iter().all(|dimension| is_short(dimension, TEXT_CHARS_MAX));
        if self.dimensions.len() > DIMENSIONS_MAX || !are_short {
            return Err(UsageError::MeterDimensionsMustBeFew(DIMENSIONS_MAX));
        }
        if let Some(dimension) = self.dimensions.iter().find(|dimension| dimension.contains(',')) {
            return Err(UsageError::MeterDimensionMustHaveNoComma(dimension.clone()));
        }
        let is_plain =
            |(name, value): (&String, &String)| is_short(name, TEXT_CHARS_MAX) && is_short(value, TEXT_CHARS_MAX);
        if self.filter.len() > DIMENSIONS_MAX || !self.filter.iter().all(is_plain) {
            return Err(UsageError::MeterFilterMustBeShort(DIMENSIONS_MAX));
        }
        self.check_aggregation()
    }

    /// What its way to count needs, and nothing else.
    fn check_aggregation(&self) -> Result<(), UsageError> {
        let is_short =
            |name: &String| (1..=TEXT_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        let asks_values = self.aggregation == Aggregation::Unique;
        if self.of_dimension.is_some() != asks_values || !self.of_dimension.iter().all(is_short) {
            return Err(UsageError::MeterMustNameItsValues);
        }
        let is_share =
            |percent: &Decimal| *percent > Decimal::ZERO && *percent <= Decimal::ONE_HUNDRED && percent.scale() <= 3;
        let asks_percent = self.aggregation == Aggregation::Percentile;
        if self.percent.is_some() != asks_percent || !self.percent.iter().all(is_share) {
            return Err(UsageError::MeterMustSayItsPercent);
        }
        if self.aggregation == Aggregation::Peak && !self.dimensions.is_empty() {
            return Err(UsageError::MeterOfPeaksMustKeepNoDimensions);
        }
        let mut kept = self.dimensions.iter().chain(&self.of_dimension);
        if kept.any(|name| name == VALUE || name == WHOSE) {
            return Err(UsageError::MeterDimensionMustBeAnEvents);
        }
        Ok(())
    }
}

/// The dimension by which sums of a percentile keep the value itself. No dimension that a meter keeps is called so.
pub(crate) const VALUE: &str = "=";
/// The dimension by which a peak of an hour says that it is one of several subscriptions together; called so is none, either.
pub(crate) const WHOSE: &str = "=of";
/// Dimensions that a meter keeps its sums by: each multiplies the rows of an hour.
const DIMENSIONS_MAX: usize = 8;
/// What a preview looks at, at most: the newest.
pub const PREVIEW_EVENTS_MAX: u64 = 200_000;

/// What a meter would have counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterPreview {
    pub quantity: Decimal,
    pub events: u64,
    /// Of these, so many wait in suspense because no meter counts them: trying them again counts them.
    pub waiting: u64,
    /// By the dimensions that it would keep, the largest first: at most twenty.
    pub by_dimension: Vec<DimensionSum>,
}

/// What a meter would have counted of the events that occurred in `[from, to)`, and of those that wait for a meter. Nothing is
/// stored, and what is past is not counted anew when the meter is defined.
pub async fn preview_meter(
    tx: &TenantTx,
    meter: &Meter,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<MeterPreview, UsageError> {
    meter.check()?;
    store::preview::preview(tx, meter, from, to).await
}

/// Defines a meter that is new: of two who define one code at once, one is refused and changes nothing of the other's.
pub async fn create_meter(tx: &TenantTx, meter: &Meter) -> Result<(), UsageError> {
    meter.check()?;
    match store::meter::insert(tx, meter).await? {
        true => Ok(()),
        false => Err(UsageError::MeterCodeMustBeFree(meter.code.clone())),
    }
}

/// Defines a meter, or gives it another name, unit or dimensions from now on. How it adds up cannot change.
pub async fn define_meter(tx: &TenantTx, meter: &Meter) -> Result<(), UsageError> {
    meter.check()?;
    match store::meter::put(tx, meter).await? {
        true => Ok(()),
        false => Err(UsageError::MeterMustKeepItsAggregation(meter.code.clone())),
    }
}

/// The meters of this book, by code.
pub async fn meters(tx: &TenantTx) -> Result<Vec<Meter>, UsageError> {
    store::meter::all(tx).await
}

/// The meters that this book has beside those of every book, as the catalogue asks for them.
pub async fn own_measures(tx: &TenantTx) -> Result<Vec<Measure>, UsageError> {
    let standard = subscription::standard_measures();
    let own = meters(tx).await?.into_iter().filter(|meter| standard.iter().all(|known| known.code != meter.code));
    Ok(own.map(|meter| Measure { code: meter.code, dimensions: meter.dimensions.into_iter().collect() }).collect())
}

/// The meters that every book has; defining them again changes nothing.
pub async fn define_standard_meters(tx: &TenantTx) -> Result<(), UsageError> {
    for measure in subscription::standard_measures() {
        let (name, unit, aggregation) = match measure.code.as_str() {
            "calls" => ("Calls", "call", Aggregation::Count),
            "minutes" => ("Minutes", "minute", Aggregation::Sum),
            "charge" => ("Call charges", "amount", Aggregation::Sum),
            "hours" => ("Hours worked", "hour", Aggregation::Sum),
            "seat_days" => ("Seat days", "seat-day", Aggregation::Sum),
            "seat_peak" => ("Seats at once", "seat", Aggregation::Max),
            "channel_peak" => ("Calls at once", "channel", Aggregation::Max),
            "share" => ("Revenue share", "amount", Aggregation::Sum),
            other => (other, "unit", Aggregation::Sum),
        };
        let dimensions: Vec<&str> = measure.dimensions.iter().map(String::as_str).collect();
        define_meter(tx, &Meter::new(&measure.code, name, unit, aggregation, &dimensions)).await?;
    }
    Ok(())
}
