use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Somebody called a number of the book.
    Inbound,
    /// A number of the book called somebody.
    Outbound,
}

impl Direction {
    /// As stored, and as the dimension of usage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// A call as a switch recorded it: what all formats come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The switch's id of the call; with the source it is the call's key.
    pub id: String,
    /// E.164; `None` when it was withheld.
    pub caller: Option<String>,
    /// E.164
    pub called: String,
    /// Where the record says it; else the book's own numbers decide.
    pub direction: Option<Direction>,
    /// The number of the customer's account, where the switch knows it.
    pub account: Option<String>,
    /// The topic that the caller chose.
    pub digit: Option<u8>,
    /// The phone of the agent who took it.
    pub agent: Option<String>,
    pub started_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    /// When caller and agent were put together, where the switch tells it apart from the answer.
    pub bridged_at: Option<DateTime<Utc>>,
    /// Does the switch tell it apart? Then without a time nobody was put through.
    pub tells_bridge: bool,
    pub ended_at: DateTime<Utc>,
    /// From the answer to the end.
    pub answered_ms: u64,
    /// The switch's own word for how it ended.
    pub cause: String,
    /// What else usage is told apart by.
    pub dimensions: BTreeMap<String, String>,
}

impl CallRecord {
    /// SHA-256 of the whole record: the same id with another hash is a conflict.
    pub fn payload_hash(&self) -> [u8; 32] {
        // A record is plain data in a fixed order, which serialises always and always alike.
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }
}

/// Why a row is no call record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rule {
    #[error("must be there")]
    MustBeThere,
    #[error("must be a number in international form, as +49301234567")]
    NumberMustBeInternational,
    #[error("must be a time of the format that was given")]
    TimeMustBeReadable,
    #[error("must be a time that the clock showed on that day")]
    TimeMustExist,
    #[error("must be a time that the clock showed once on that day, or the record must tell a duration")]
    TimeMustBeOne,
    #[error("must come with a time zone: the record has local times")]
    ZoneMustBeGiven,
    #[error("must be a duration")]
    DurationMustBeReadable,
    #[error("must not lie before the start")]
    EndMustNotPrecedeStart,
    #[error("must not be longer than the call")]
    AnsweredMustNotExceedCall,
    #[error("must be a digit 0 to 9")]
    DigitMustBeOneOfTen,
    #[error("must say whether the call was answered, as ANSWERED or NO ANSWER, or a column must say when or how long")]
    AnswerMustBeTold,
    #[error("must be inbound or outbound")]
    DirectionMustBeKnown,
    #[error("must have at most 200 characters, none of them a control character")]
    TextMustBePlain,
    #[error("must be a column of the file")]
    ColumnMustExist,
    #[error("must be a row of this format")]
    RowMustBeReadable,
    #[error("must be the leg of the caller: the call stands in the record of that leg")]
    LegMustBeTheCallers,
    #[error("must be a call that has ended, with its beginning in the same file")]
    CallMustBeWhole,
    #[error("must be the record of a call")]
    MustBeACall,
}

impl Rule {
    /// In one word, for reports and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MustBeThere => "must_be_there",
            Self::NumberMustBeInternational => "number_must_be_international",
            Self::TimeMustBeReadable => "time_must_be_readable",
            Self::TimeMustExist => "time_must_exist",
            Self::TimeMustBeOne => "time_must_be_one",
            Self::ZoneMustBeGiven => "zone_must_be_given",
            Self::DurationMustBeReadable => "duration_must_be_readable",
            Self::EndMustNotPrecedeStart => "end_must_not_precede_start",
            Self::AnsweredMustNotExceedCall => "answered_must_not_exceed_call",
            Self::DigitMustBeOneOfTen => "digit_must_be_one_of_ten",
            Self::AnswerMustBeTold => "answer_must_be_told",
            Self::DirectionMustBeKnown => "direction_must_be_known",
            Self::TextMustBePlain => "text_must_be_plain",
            Self::ColumnMustExist => "column_must_exist",
            Self::RowMustBeReadable => "row_must_be_readable",
            Self::LegMustBeTheCallers => "leg_must_be_the_callers",
            Self::CallMustBeWhole => "call_must_be_whole",
            Self::MustBeACall => "must_be_a_call",
        }
    }
}

/// A row that is no call record: where, which field, which rule, what stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The line of a CSV file; else the place of the record in the file, from 1.
    pub row: u64,
    pub field: String,
    pub rule: Rule,
    pub value: String,
}

/// Characters of a refused value that are kept.
const VALUE_CHARS_MAX: usize = 80;

/// What is wrong with one field; the row is added by who knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub field: String,
    pub rule: Rule,
    pub value: String,
}

pub(super) fn fault(field: &str, rule: Rule, value: &str) -> Fault {
    let plain = value.chars().filter(|c| !c.is_control()).take(VALUE_CHARS_MAX).collect();
    Fault { field: field.to_owned(), rule, value: plain }
}

impl Fault {
    pub fn at(self, row: u64) -> Refusal {
        Refusal { row, field: self.field, rule: self.rule, value: self.value }
    }
}

/// What each format finds of a call, to be joined by the rules that all have in common.
pub(super) struct Found<'a> {
    pub id: (&'a str, String),
    pub caller: (&'a str, String),
    pub called: (&'a str, String),
    pub direction: Option<Direction>,
    pub account: Option<String>,
    pub digit: Option<(&'a str, String)>,
    pub agent: Option<String>,
    pub started_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    pub bridged_at: Option<DateTime<Utc>>,
    pub tells_bridge: bool,
    pub ended_at: (&'a str, DateTime<Utc>),
    /// As the switch counts it; else from the answer to the end.
    pub answered_ms: Option<(&'a str, u64)>,
    pub cause: String,
    pub dimensions: BTreeMap<String, String>,
}

/// Switches count whole seconds and round each time by itself: so much may a duration be longer than its ends are apart.
const ROUNDING_MS: i64 = 1_000;
const TEXT_CHARS_MAX: usize = 200;
const DIMENSIONS_MAX: usize = 12;

impl Found<'_> {
    /// The record, if it keeps the rules.
    pub fn record(self, country_code: Option<&str>) -> Result<CallRecord, Fault> {
        let id = plain(self.id.0, self.id.1)?.ok_or_else(|| fault(self.id.0, Rule::MustBeThere, ""))?;
        let called = super::number::international(self.called.0, &self.called.1, country_code)?
            .ok_or_else(|| fault(self.called.0, Rule::MustBeThere, &self.called.1))?;
        let caller = match super::number::international(self.caller.0, &self.caller.1, country_code) {
            // Who calls from inside the switch has an extension and no number.
            Err(_) if self.direction == Some(Direction::Outbound) => None,
            found => found?,
        };
        let digit = match self.digit.filter(|(_, text)| !text.is_empty()) {
            None => None,
            Some((field, text)) => {
                let digit = text.parse::<u8>().ok().filter(|digit| *digit <= 9);
                Some(digit.ok_or_else(|| fault(field, Rule::DigitMustBeOneOfTen, &text))?)
            }
        };
        let (end_field, ended_at) = self.ended_at;
        if ended_at < self.started_at || self.answered_at.is_some_and(|at| at > ended_at) {
            return Err(fault(end_field, Rule::EndMustNotPrecedeStart, &ended_at.to_rfc3339()));
        }
        let span = |from: DateTime<Utc>| (ended_at - from).num_milliseconds();
        let answered_ms = match (self.answered_ms, self.answered_at) {
            (_, None) => 0,
            (None, Some(at)) => span(at).unsigned_abs(),
            (Some((field, ms)), Some(_)) => {
                if i64::try_from(ms).unwrap_or(i64::MAX) > span(self.started_at) + ROUNDING_MS {
                    return Err(fault(field, Rule::AnsweredMustNotExceedCall, &format!("{ms} ms")));
                }
                ms
            }
        };
        if self.dimensions.len() > DIMENSIONS_MAX {
            return Err(fault("dimensions", Rule::TextMustBePlain, &self.dimensions.len().to_string()));
        }
        let mut dimensions = BTreeMap::new();
        for (name, value) in self.dimensions {
            if let Some(value) = plain(&name, value)? {
                dimensions.insert(name, value);
            }
        }
        Ok(CallRecord {
            id,
            caller,
            called,
            direction: self.direction,
            account: optional("account", self.account)?,
            digit,
            agent: optional("agent", self.agent)?,
            started_at: self.started_at,
            answered_at: self.answered_at,
            bridged_at: self.bridged_at.filter(|at| *at <= ended_at),
            tells_bridge: self.tells_bridge,
            ended_at,
            answered_ms,
            cause: optional("cause", Some(self.cause))?.unwrap_or_default(),
            dimensions,
        })
    }
}

fn plain(field: &str, text: String) -> Result<Option<String>, Fault> {
    let trimmed = text.trim();
    if trimmed.chars().count() > TEXT_CHARS_MAX || trimmed.chars().any(char::is_control) {
        return Err(fault(field, Rule::TextMustBePlain, trimmed));
    }
    Ok((!trimmed.is_empty()).then(|| trimmed.to_owned()))
}

fn optional(field: &str, text: Option<String>) -> Result<Option<String>, Fault> {
    text.map_or(Ok(None), |text| plain(field, text))
}
