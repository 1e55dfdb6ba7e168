//! The price of one call, known while it runs: connection fee, steps by length, bands by day and time, increments, a maximum.

use std::fmt;

use chrono::NaiveDate;
use money::Decimal;
use serde::{Deserialize, Serialize, Serializer};

use crate::PricingError;

/// A tariff document. Rates and fees are in main units of the currency that it is compiled for.
///
/// Read and checked by [`Tariff::from_json`]; priced after [`crate::CompiledTariff::compile`], which checks again, so that a
/// tariff built in code obeys the same rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tariff {
    /// Charged once for an answered call, unless the band in which it began says otherwise.
    pub connection: Decimal,
    /// What a rate is for.
    pub per: Per,
    /// Rates by length of the call, where no band holds. The first begins at second 0.
    pub steps: Vec<RateStep>,
    /// Length of the first increment in seconds; absent: the increment in force at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_increment: Option<u32>,
    /// Length of each next increment in seconds.
    pub increment: u32,
    /// The billed length is at least this.
    pub minimum_seconds: u32,
    /// Taken off before anything is billed.
    pub free_seconds: u32,
    /// Caps the whole charge, connection included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Decimal>,
    /// Other prices at some times of some days; the first that matches holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Band>,
    /// Local dates that take the bands for holidays, where there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<NaiveDate>,
}

/// A rate from some second of the call on, counted from answer (the metered time).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateStep {
    /// The first second at this rate.
    pub from_second: u32,
    /// Main units per [`Per`].
    pub rate: Decimal,
    /// An increment of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub increment: Option<u32>,
}

/// Other prices between two times of day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Band {
    /// The days on which it begins.
    pub days: Vec<Day>,
    /// Its first instant.
    pub from: TimeOfDay,
    /// The instant after its last; before `from` means on the next day, equal to `from` means the whole day.
    pub to: TimeOfDay,
    /// Its connection fee; absent: the tariff's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<Decimal>,
    /// Its rates by length of the call, counted from answer too.
    pub steps: Vec<RateStep>,
}

/// What a rate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// One second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
}

/// A day of the week, or a date that the tariff names as a holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
    /// A date of the tariff's `holidays`.
    Holiday,
}

/// A local time of day to the minute, `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    minutes: u16,
}

impl Per {
    /// Seconds that a rate is for.
    pub fn seconds(self) -> u32 {
        match self {
            Per::Second => 1,
            Per::Minute => 60,
            Per::Hour => 3600,
        }
    }

    /// `a second`, `a minute` or `an hour`, for explanations.
    pub fn each(self) -> &'static str {
        match self {
            Per::Second => "a second",
            Per::Minute => "a minute",
            Per::Hour => "an hour",
        }
    }

    /// `second`, `minute` or `hour`.
    pub fn name(self) -> &'static str {
        match self {
            Per::Second => "second",
            Per::Minute => "minute",
            Per::Hour => "hour",
        }
    }
}

impl Day {
    /// Monday to Sunday.
    pub const WEEK: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];

    /// The short name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Day::Mon => "mon",
            Day::Tue => "tue",
            Day::Wed => "wed",
            Day::Thu => "thu",
            Day::Fri => "fri",
            Day::Sat => "sat",
            Day::Sun => "sun",
            Day::Holiday => "holiday",
        }
    }
}

impl TimeOfDay {
    /// An hour of 0 to 24 and a minute; 24 only with minute 0.
    pub fn new(hour: u16, minute: u16) -> Result<TimeOfDay, PricingError> {
        let minutes = hour.saturating_mul(60).saturating_add(minute);
        if minute > 59 || minutes > 24 * 60 {
            return Err(PricingError::MustBeTimeOfDay);
        }
        Ok(TimeOfDay { minutes })
    }

    /// Seconds since midnight, 0 to 86,400.
    pub fn seconds(self) -> u32 {
        u32::from(self.minutes) * 60
    }

    /// Reads `18:00`.
    pub fn parse(text: &str) -> Result<TimeOfDay, PricingError> {
        let digit = |index: usize| {
            text.as_bytes().get(index).filter(|byte| byte.is_ascii_digit()).map(|byte| u16::from(byte - b'0'))
        };
        let (Some(a), Some(b), Some(c), Some(d)) = (digit(0), digit(1), digit(3), digit(4)) else {
            return Err(PricingError::MustBeTimeOfDay);
        };
        if text.len() != 5 || text.as_bytes()[2] != b':' {
            return Err(PricingError::MustBeTimeOfDay);
        }
        TimeOfDay::new(a * 10 + b, c * 10 + d)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Band {
    /// `mon tue 18:00–08:00`, for explanations.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for day in &self.days {
            write!(f, "{} ", day.name())?;
        }
        write!(f, "{}–{}", self.from, self.to)
    }
}

impl Tariff {
    /// One rate, by the second, no fee: the shortest tariff.
    pub fn flat(rate: Decimal, per: Per) -> Tariff {
        Tariff {
            connection: Decimal::ZERO,
            per,
            steps: vec![RateStep { from_second: 0, rate, increment: None }],
            first_increment: None,
            increment: 1,
            minimum_seconds: 0,
            free_seconds: 0,
            maximum: None,
            bands: Vec::new(),
            holidays: Vec::new(),
        }
    }

    /// The highest rate that any second can have: what a bill is bounded by before it is known.
    pub fn highest_rate(&self) -> Decimal {
        let steps = self.steps.iter().chain(self.bands.iter().flat_map(|band| &band.steps));
        steps.map(|step| step.rate).max().unwrap_or_default()
    }
}
