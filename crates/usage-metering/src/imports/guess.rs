//! What a CSV file's first line tells of its columns: a first proposal, for a person to look at.

use super::rows::lines;
use super::settings::{Column, Mapping};
use std::collections::BTreeMap;

const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];
/// Columns that are looked at.
const COLUMNS_MAX: usize = 100;

/// What switches and their reports call a column, without case and without what is no letter or digit.
const NAMES: [(Column, &[&str]); 13] = [
    (Column::Id, &["id", "callid", "uuid", "uniqueid", "cdrid", "recordid", "anruf", "anrufid"]),
    (Column::Caller, &["caller", "src", "source", "from", "calleridnumber", "callingnumber", "ani", "von", "anrufer"]),
    (
        Column::Called,
        &["called", "dst", "destination", "to", "destinationnumber", "callednumber", "did", "nach", "ziel"],
    ),
    (Column::Start, &["start", "startstamp", "starttime", "startingdate", "calldate", "begin", "date", "beginn"]),
    (Column::Answer, &["answer", "answerstamp", "answertime", "answered"]),
    (Column::End, &["end", "endstamp", "endtime", "ended", "ende"]),
    (Column::Duration, &["duration", "durationseconds", "dauer"]),
    (Column::Billsec, &["billsec", "talk", "talktime", "billableseconds", "conversation"]),
    (Column::Direction, &["direction", "richtung"]),
    (Column::Account, &["account", "accountcode", "customer", "customerno", "kunde", "kundennummer"]),
    (Column::Digit, &["topic", "digit", "choice", "thema"]),
    (Column::Agent, &["agent"]),
    (Column::Cause, &["hangupcause", "cause", "disposition", "status"]),
];

impl Mapping {
    /// A proposal: the separator that the first line has most of, and the columns that are called as usual. What is not found
    /// is left out: the first rows say so, and no file is taken before somebody has said which column it is.
    pub fn guess(bytes: &[u8]) -> Mapping {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let most = |separator: &char| first.iter().filter(|byte| char::from(**byte) == *separator).count();
        let separator = SEPARATORS.into_iter().rev().max_by_key(most).unwrap_or(',');
        let mut mapping = Mapping {
            separator,
            has_header: true,
            decimal_comma: false,
            columns: BTreeMap::new(),
            dimensions: BTreeMap::new(),
            time_format: super::TimeFormat::Iso,
            duration_unit: super::DurationUnit::Seconds,
        };
        let names = mapping.columns_of(bytes);
        for (column, usual) in NAMES {
            let found = names.iter().find(|name| usual.contains(&bare(name).as_str()));
            if let Some(name) = found {
                mapping.columns.insert(column, name.clone());
            }
        }
        mapping
    }

    /// The names in the first line of a file, or the places of its columns where it names none.
    pub fn columns_of(&self, bytes: &[u8]) -> Vec<String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let first = lines(bytes, u8::try_from(self.separator).unwrap_or(b',')).next();
        let Some((.., Ok(line))) = first else { return Vec::new() };
        let columns = line.iter().enumerate().take(COLUMNS_MAX);
        let named =
            columns.map(|(place, name)| if self.has_header { name.trim().to_owned() } else { (place + 1).to_string() });
        named.filter(|name| !name.is_empty() && name.chars().count() <= 200).collect()
    }
}

fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
