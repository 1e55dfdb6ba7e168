use crate::error::UsageError;
use crate::store;
use db::TenantTx;

/// How events of an hour become its quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// The sum of their quantities.
    Sum,
    /// Their number.
    Count,
    /// The largest of their quantities.
    Max,
}

impl Aggregation {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Count => "count",
            Self::Max => "max",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, UsageError> {
        [Self::Sum, Self::Count, Self::Max]
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
}

/// Defines a meter, or gives it another name, unit or dimensions from now on. How it adds up cannot change.
pub async fn define_meter(tx: &TenantTx, meter: &Meter) -> Result<(), UsageError> {
    let code = &meter.code;
    let is_simple = (1..=60).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.'));
    if !is_simple {
        return Err(UsageError::MeterCodeMustBeSimple(code.chars().take(80).collect()));
    }
    match store::meter::put(tx, meter).await? {
        true => Ok(()),
        false => Err(UsageError::MeterMustKeepItsAggregation(code.clone())),
    }
}

/// The meters of this book, by code.
pub async fn meters(tx: &TenantTx) -> Result<Vec<Meter>, UsageError> {
    store::meter::all(tx).await
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
        let (name, unit) = (name.to_owned(), unit.to_owned());
        define_meter(
            tx,
            &Meter {
                code: measure.code,
                name,
                unit,
                aggregation,
                dimensions: measure.dimensions.into_iter().collect(),
            },
        )
        .await?;
    }
    Ok(())
}
