//! Any CSV file, by what somebody says of its columns.

use super::record::{CallRecord, Direction, Fault, Found, Rule, fault};
use super::rows::{Reading, Row, lines, unreadable};
use super::settings::{Column, Mapping};
use super::time;
use std::collections::BTreeMap;

/// What switches call the end of a call that was answered, without case and without what is no letter or digit.
const ANSWERED: [&str; 9] =
    ["answered", "answer", "completed", "connected", "normalclearing", "normalcallclearing", "16", "200", "200ok"];
/// The same of a call that nobody took.
const UNANSWERED: [&str; 26] = [
    "noanswer",
    "notanswered",
    "unanswered",
    "missed",
    "abandoned",
    "busy",
    "userbusy",
    "failed",
    "failure",
    "cancel",
    "canceled",
    "cancelled",
    "originatorcancel",
    "congestion",
    "nouserresponse",
    "callrejected",
    "rejected",
    "unallocatednumber",
    "noroutedestination",
    "17",
    "18",
    "19",
    "21",
    "404",
    "486",
    "487",
];

/// Where the columns stand.
struct Places {
    names: Vec<String>,
    of: BTreeMap<Column, usize>,
    dimensions: Vec<(String, usize)>,
}

pub(super) fn rows<'a>(bytes: &'a [u8], reading: Reading<'a>) -> Box<dyn Iterator<Item = Row> + Send + 'a> {
    let Some(mapping) = reading.settings.mapping.as_ref() else { return Box::new(std::iter::empty()) };
    let mut lines = lines(bytes, u8::try_from(mapping.separator).unwrap_or(b','));
    let names = match mapping.has_header {
        false => None,
        true => match lines.next() {
            None => return Box::new(std::iter::empty()),
            Some((_, _, Ok(names))) => Some(names),
            Some((row, end, Err(error))) => {
                return Box::new(std::iter::once(Row::new(row, end, Err(unreadable(&error)))));
            }
        },
    };
    let places = match Places::find(mapping, names.as_ref()) {
        Ok(places) => places,
        Err(fault) => return Box::new(std::iter::once(Row::new(1, bytes.len() as u64, Err(fault)))),
    };
    Box::new(lines.map(move |(row, end, line)| {
        let line = line.map_err(|error| unreadable(&error));
        Row::new(row, end, line.and_then(|line| Cells { mapping, places: &places, line: &line }.record(&reading)))
    }))
}

impl Places {
    fn find(mapping: &Mapping, names: Option<&csv::StringRecord>) -> Result<Self, Fault> {
        let place = |wanted: &String| match names {
            Some(names) => {
                let mut found = names.iter().enumerate().filter(|(_, name)| name.trim() == wanted.trim());
                // Of two columns with one name nobody knows which is meant.
                match (found.next(), found.next()) {
                    (Some((place, _)), None) => Ok(place),
                    _ => Err(fault(wanted, Rule::ColumnMustExist, &names.iter().collect::<Vec<_>>().join(","))),
                }
            }
            None => match wanted.parse::<usize>() {
                Ok(place @ 1..) => Ok(place - 1),
                _ => Err(fault(wanted, Rule::ColumnMustExist, "")),
            },
        };
        let mut of = BTreeMap::new();
        for (column, name) in mapping.columns.iter().filter(|(_, name)| !name.is_empty()) {
            of.insert(*column, place(name)?);
        }
        let mut dimensions = Vec::new();
        for (dimension, name) in &mapping.dimensions {
            dimensions.push((dimension.clone(), place(name)?));
        }
        let names = names.map(|names| names.iter().map(|name| name.trim().to_owned()).collect()).unwrap_or_default();
        Ok(Self { names, of, dimensions })
    }

    /// As the file calls it.
    fn name(&self, column: Column) -> String {
        let place = self.of.get(&column).copied();
        match place {
            Some(place) => self.names.get(place).cloned().unwrap_or_else(|| format!("column {}", place + 1)),
            None => column.as_str().to_owned(),
        }
    }
}

struct Cells<'a> {
    mapping: &'a Mapping,
    places: &'a Places,
    line: &'a csv::StringRecord,
}

impl Cells<'_> {
    fn get(&self, column: Column) -> &str {
        self.places.of.get(&column).and_then(|place| self.line.get(*place)).unwrap_or_default().trim()
    }

    fn time(&self, column: Column, reading: &Reading<'_>) -> Result<Option<chrono::DateTime<chrono::Utc>>, Fault> {
        let text = self.get(column);
        if text.is_empty() || text == "0" || text.starts_with("0000-00-00") {
            return Ok(None);
        }
        time::read(&self.places.name(column), text, &self.mapping.time_format, reading.zone).map(Some)
    }

    fn duration(&self, column: Column) -> Result<Option<u64>, Fault> {
        let text = self.get(column);
        if text.is_empty() {
            return Ok(None);
        }
        let (name, unit) = (self.places.name(column), self.mapping.duration_unit.ms());
        time::duration_ms(&name, text, unit, self.mapping.decimal_comma).map(Some)
    }

    fn record(&self, reading: &Reading<'_>) -> Result<CallRecord, Fault> {
        let name = |column: Column| self.places.name(column);
        let missing = |column: Column| fault(&name(column), Rule::MustBeThere, self.get(column));
        let started_at = self.time(Column::Start, reading)?.ok_or_else(|| missing(Column::Start))?;
        let (duration, billed) = (self.duration(Column::Duration)?, self.duration(Column::Billsec)?);
        let answer = self.time(Column::Answer, reading)?;
        let end = self.time(Column::End, reading)?;
        if duration.is_none() && billed.is_none() {
            self.must_come_once(reading)?;
        }
        let ended_at = match (end, duration, answer, billed) {
            (_, Some(ms), ..) => time::after(started_at, ms),
            (Some(at), None, ..) => at,
            (None, None, at, Some(ms)) => time::after(at.unwrap_or(started_at), ms),
            (None, None, _, None) => return Err(missing(Column::End)),
        };
        let before_end = |ms: u64| (ended_at - (time::after(ended_at, ms) - ended_at)).max(started_at);
        let answered_at = match (answer, billed) {
            (_, Some(0)) => None,
            (Some(at), _) => Some(at),
            // Nothing says when it was answered, and something how long it was talked: until its end.
            (None, Some(ms)) => Some(before_end(ms)),
            // No column says when it was answered: at once, if the word of its end does not say that it was not.
            (None, None) if !self.knows_answers() && self.was_answered()? && ended_at > started_at => Some(started_at),
            (None, None) => None,
        };
        let (id, caller, called) = (name(Column::Id), name(Column::Caller), name(Column::Called));
        let (end_name, billsec, digit) = (name(Column::End), name(Column::Billsec), name(Column::Digit));
        let dimensions = self.places.dimensions.iter();
        let found = Found {
            id: (&id, self.get(Column::Id).to_owned()),
            caller: (&caller, self.get(Column::Caller).to_owned()),
            called: (&called, self.get(Column::Called).to_owned()),
            direction: self.direction()?.or(reading.settings.direction),
            account: Some(self.get(Column::Account).to_owned()),
            digit: Some((&digit, self.get(Column::Digit).to_owned())),
            agent: Some(self.get(Column::Agent).to_owned()),
            started_at,
            answered_at,
            bridged_at: None,
            tells_bridge: false,
            ended_at: (&end_name, ended_at),
            answered_ms: billed.map(|ms| (billsec.as_str(), ms)),
            cause: self.get(Column::Cause).to_owned(),
            dimensions: dimensions
                .map(|(dimension, place)| (dimension.clone(), self.line.get(*place).unwrap_or_default().to_owned()))
                .collect(),
        };
        found.record(reading.country())
    }

    /// From times alone the length of a call is known only where each of them is one instant: not in the hour that comes twice.
    fn must_come_once(&self, reading: &Reading<'_>) -> Result<(), Fault> {
        let twice = [Column::Start, Column::Answer, Column::End]
            .into_iter()
            .find(|column| time::comes_twice(self.get(*column), &self.mapping.time_format, reading.zone));
        match twice {
            Some(column) => Err(fault(&self.places.name(column), Rule::TimeMustBeOne, self.get(column))),
            None => Ok(()),
        }
    }

    /// What the word of its end says of a call of which nothing else does; without such a column all were answered.
    fn was_answered(&self) -> Result<bool, Fault> {
        if !self.places.of.contains_key(&Column::Cause) {
            return Ok(true);
        }
        let word: String =
            self.get(Column::Cause).chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        match word.as_str() {
            word if ANSWERED.contains(&word) => Ok(true),
            word if UNANSWERED.contains(&word) => Ok(false),
            _ => Err(fault(&self.places.name(Column::Cause), Rule::AnswerMustBeTold, self.get(Column::Cause))),
        }
    }

    fn knows_answers(&self) -> bool {
        [Column::Answer, Column::Billsec].iter().any(|column| self.places.of.contains_key(column))
    }

    fn direction(&self) -> Result<Option<Direction>, Fault> {
        let text = self.get(Column::Direction);
        match text.to_ascii_lowercase().as_str() {
            "" => Ok(None),
            "inbound" | "in" | "incoming" | "terminating" => Ok(Some(Direction::Inbound)),
            "outbound" | "out" | "outgoing" | "originating" => Ok(Some(Direction::Outbound)),
            _ => Err(fault(&self.places.name(Column::Direction), Rule::DirectionMustBeKnown, text)),
        }
    }
}
