use super::record::Direction;
use super::time::TimeFormat;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// FreeSWITCH `mod_json_cdr`: objects one behind the other, in lines or in an array.
    FreeswitchJson,
    /// FreeSWITCH `mod_xml_cdr`: `<cdr>` elements.
    FreeswitchXml,
    /// Asterisk `Master.csv`.
    AsteriskCsv,
    /// Asterisk channel events as CSV, folded to calls.
    AsteriskCel,
    /// Kamailio and OpenSIPS accounting as JSON: finished calls, or transactions to be paired.
    AccJson,
    /// Any CSV file, by a mapping of its columns.
    Csv,
}

impl Format {
    /// All of them, in the order of a list.
    pub const ALL: [Self; 6] =
        [Self::FreeswitchJson, Self::FreeswitchXml, Self::AsteriskCsv, Self::AsteriskCel, Self::AccJson, Self::Csv];

    /// As stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FreeswitchJson => "freeswitch_json",
            Self::FreeswitchXml => "freeswitch_xml",
            Self::AsteriskCsv => "asterisk_csv",
            Self::AsteriskCel => "asterisk_cel",
            Self::AccJson => "acc_json",
            Self::Csv => "csv",
        }
    }

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::FreeswitchJson => "FreeSWITCH, JSON",
            Self::FreeswitchXml => "FreeSWITCH, XML",
            Self::AsteriskCsv => "Asterisk, Master.csv",
            Self::AsteriskCel => "Asterisk, channel events (CEL)",
            Self::AccJson => "Kamailio or OpenSIPS, acc as JSON",
            Self::Csv => "CSV with columns of your own",
        }
    }

    /// By its stored word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// What its records are keyed by where nobody names the switch.
    pub const fn source(self) -> &'static str {
        match self {
            Self::FreeswitchJson | Self::FreeswitchXml => "freeswitch",
            Self::AsteriskCsv => "asterisk",
            Self::AsteriskCel => "asterisk-cel",
            Self::AccJson => "sip-proxy",
            Self::Csv => "csv",
        }
    }
}

/// What a column of a CSV file can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    Id,
    Caller,
    Called,
    Start,
    Answer,
    End,
    /// From start to end.
    Duration,
    /// From answer to end.
    Billsec,
    Direction,
    Account,
    Digit,
    Agent,
    Cause,
}

impl Column {
    /// All of them, in the order of a form.
    pub const ALL: [Self; 13] = [
        Self::Id,
        Self::Caller,
        Self::Called,
        Self::Start,
        Self::Answer,
        Self::End,
        Self::Duration,
        Self::Billsec,
        Self::Direction,
        Self::Account,
        Self::Digit,
        Self::Agent,
        Self::Cause,
    ];

    /// As stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Caller => "caller",
            Self::Called => "called",
            Self::Start => "start",
            Self::Answer => "answer",
            Self::End => "end",
            Self::Duration => "duration",
            Self::Billsec => "billsec",
            Self::Direction => "direction",
            Self::Account => "account",
            Self::Digit => "digit",
            Self::Agent => "agent",
            Self::Cause => "cause",
        }
    }
}

/// In what a file counts durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DurationUnit {
    #[default]
    Seconds,
    Milliseconds,
}

impl DurationUnit {
    pub(super) const fn ms(self) -> i64 {
        match self {
            Self::Seconds => 1_000,
            Self::Milliseconds => 1,
        }
    }
}

/// Which column of a CSV file is what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// One character.
    #[serde(default = "comma")]
    pub separator: char,
    /// The first row names the columns; without it they are called 1, 2, 3 ..
    #[serde(default = "yes")]
    pub has_header: bool,
    #[serde(default)]
    pub decimal_comma: bool,
    /// The column's name in the file, by what it is.
    pub columns: BTreeMap<Column, String>,
    /// Further columns, by the dimension that they become.
    #[serde(default)]
    pub dimensions: BTreeMap<String, String>,
    #[serde(default = "iso")]
    pub time_format: TimeFormat,
    #[serde(default)]
    pub duration_unit: DurationUnit,
}

fn comma() -> char {
    ','
}

fn yes() -> bool {
    true
}

fn iso() -> TimeFormat {
    TimeFormat::Iso
}

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub format: Format,
    /// Name of the switch: with it and its own id a call is known.
    pub source: String,
    /// IANA zone of local times.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `49`: of national numbers.
    #[serde(default)]
    pub country_code: Option<String>,
    /// The topic of calls whose record names none.
    #[serde(default)]
    pub digit: Option<u8>,
    /// Of all calls of the file; without it the book's own numbers decide.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Of [`Format::Csv`].
    #[serde(default)]
    pub mapping: Option<Mapping>,
}

/// Why a file cannot be read by these settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}: {value:?}")]
pub struct SettingsFault {
    pub field: String,
    pub rule: &'static str,
    pub value: String,
}

impl Settings {
    /// As a format is read by itself.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            source: format.source().to_owned(),
            time_zone: None,
            country_code: None,
            digit: None,
            direction: None,
            mapping: None,
        }
    }

    /// The rules that a file is taken by: those of [`Settings::check_form`], and every column that a call needs is known.
    pub fn check(&self) -> Result<(), SettingsFault> {
        self.check_form()?;
        self.mapping.as_ref().map_or(Ok(()), Mapping::check_needed)
    }

    /// The rules that settings keep, though a column that a call needs may not be known yet; the first that they break.
    pub fn check_form(&self) -> Result<(), SettingsFault> {
        let must = |holds: bool, field: &str, rule: &'static str, value: &str| {
            let fault = || SettingsFault { field: field.to_owned(), rule, value: value.chars().take(80).collect() };
            if holds { Ok(()) } else { Err(fault()) }
        };
        let is_short = |text: &str| (1..=60).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        must(is_short(&self.source), "source", "must have 1 to 60 characters", &self.source)?;
        if let Some(zone) = &self.time_zone {
            must(jiff::tz::TimeZone::get(zone).is_ok(), "time_zone", "must be a time zone, as Europe/Berlin", zone)?;
        }
        if let Some(code) = &self.country_code {
            let is_code = (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit());
            must(is_code && !code.starts_with('0'), "country_code", "must be a country code, as 49", code)?;
        }
        if let Some(digit) = self.digit {
            must(digit <= 9, "digit", "must be a digit 0 to 9", &digit.to_string())?;
        }
        match (&self.mapping, self.format) {
            (Some(mapping), Format::Csv) => mapping.check(must),
            (None, Format::Csv) => must(false, "mapping", "must say which column is what", ""),
            (Some(_), _) => must(false, "mapping", "must be left out: this format has its own columns", ""),
            (None, _) => Ok(()),
        }
    }
}

impl Mapping {
    fn check_needed(&self) -> Result<(), SettingsFault> {
        let is_known = |column: &Column| self.columns.get(column).is_some_and(|name| !name.is_empty());
        let fault =
            |field: Column, rule| SettingsFault { field: field.as_str().to_owned(), rule, value: String::new() };
        if let Some(missing) = [Column::Id, Column::Called, Column::Start].iter().find(|column| !is_known(column)) {
            return Err(fault(*missing, "must be mapped to a column"));
        }
        match [Column::End, Column::Duration, Column::Billsec].iter().any(is_known) {
            true => Ok(()),
            false => Err(fault(Column::End, "must be mapped to a column, or duration or billsec must be")),
        }
    }

    fn check(
        &self,
        must: impl Fn(bool, &str, &'static str, &str) -> Result<(), SettingsFault>,
    ) -> Result<(), SettingsFault> {
        let separator = self.separator;
        let is_separator =
            separator.is_ascii() && !separator.is_alphanumeric() && !matches!(separator, '"' | '\n' | '\r');
        must(is_separator, "separator", "must be one character, as ; or a tab", &separator.to_string())?;
        let columns = self.columns.iter().map(|(column, name)| (column.as_str(), name));
        for (field, name) in columns.chain(self.dimensions.iter().map(|(name, column)| (name.as_str(), column))) {
            must(name.chars().count() <= 200, field, "must be the name of a column", name)?;
            let is_place = self.has_header || name.parse::<usize>().is_ok_and(|place| (1..=1_000).contains(&place));
            must(is_place, field, "must be the number of a column, from 1, in a file without names", name)?;
        }
        for name in self.dimensions.keys() {
            must((1..=60).contains(&name.len()), "dimensions", "must have names of 1 to 60 characters", name)?;
        }
        must(self.dimensions.len() <= 8, "dimensions", "must be at most eight", &self.dimensions.len().to_string())?;
        if let TimeFormat::Written(format) = &self.time_format {
            let is_format = (2..=60).contains(&format.len()) && format.contains('%');
            must(is_format, "time_format", "must be a format as %d.%m.%Y %H:%M:%S", format)?;
        }
        Ok(())
    }
}
