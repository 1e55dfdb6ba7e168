//! FreeSWITCH: one record for each leg, as JSON or as XML; the names are the same in both, and values are URL-encoded.

use super::record::{CallRecord, Fault, Found, Rule, fault};
use super::rows::{Reading, Row, json_values};
use super::time;
use chrono::{DateTime, Utc};
use quick_xml::events::Event;
use std::collections::BTreeMap;

pub(super) fn json_rows<'a>(bytes: &'a [u8], reading: Reading<'a>) -> impl Iterator<Item = Row> + 'a {
    json_values(bytes).map(move |(row, end, text)| {
        let record = text.and_then(Leg::of_json).and_then(|leg| leg.record(&reading));
        Row::new(row, end, record)
    })
}

pub(super) fn xml_rows<'a>(bytes: &'a [u8], reading: Reading<'a>) -> impl Iterator<Item = Row> + 'a {
    elements(bytes).enumerate().map(move |(place, (end, element))| {
        let record = Leg::of_xml(element).and_then(|leg| leg.record(&reading));
        Row::new(place as u64 + 1, end, record)
    })
}

/// The `<cdr ..>` elements of a file. Their values are encoded, so the mark stands nowhere else.
fn elements(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let begins = |from: usize| {
        let rest = bytes.get(from..)?;
        let marks = rest
            .windows(5)
            .position(|five| &five[..4] == b"<cdr" && matches!(five[4], b'>' | b' ' | b'\t' | b'\n' | b'\r'));
        marks.map(|at| from + at)
    };
    let mut next = begins(0);
    // A file without any is one row that cannot be read, and an empty file none.
    let mut is_without = next.is_none() && bytes.iter().any(|byte| !byte.is_ascii_whitespace());
    std::iter::from_fn(move || {
        if std::mem::take(&mut is_without) {
            return Some((bytes.len() as u64, bytes));
        }
        let start = next?;
        next = begins(start + 4);
        let end = next.unwrap_or(bytes.len());
        Some((end as u64, &bytes[start..end]))
    })
}

/// A leg's variables, and its own caller's profile where there is one.
struct Leg {
    variables: BTreeMap<String, String>,
    profile: BTreeMap<String, String>,
}

fn unreadable(what: &str) -> Fault {
    fault("row", Rule::RowMustBeReadable, what)
}

impl Leg {
    fn of_json(text: &str) -> Result<Self, Fault> {
        let document: serde_json::Value = serde_json::from_str(text).map_err(|_| unreadable(text))?;
        let variables = document.get("variables").map(texts);
        let variables = variables.ok_or_else(|| fault("variables", Rule::MustBeThere, ""))?;
        // An array since 1.6, an object before. The first is the leg as it ended.
        let flow = document.get("callflow").map(|flow| flow.get(0).unwrap_or(flow));
        let profile = flow.and_then(|flow| flow.get("caller_profile")).map(texts).unwrap_or_default();
        Ok(Self { variables, profile })
    }

    fn of_xml(element: &[u8]) -> Result<Self, Fault> {
        let not_xml = || unreadable("not XML");
        let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(element).map_err(|_| not_xml())?);
        let mut leg = Self { variables: BTreeMap::new(), profile: BTreeMap::new() };
        let (mut path, mut profiles) = (Vec::<String>::new(), 0);
        loop {
            match reader.read_event().map_err(|_| not_xml())? {
                Event::Start(start) => {
                    path.push(start.name().as_ref().to_owned());
                    profiles += usize::from(path.last().is_some_and(|name| name == "caller_profile"));
                }
                Event::End(_) => {
                    path.pop();
                    if path.is_empty() {
                        let is_empty = leg.variables.is_empty();
                        return if is_empty { Err(fault("variables", Rule::MustBeThere, "")) } else { Ok(leg) };
                    }
                }
                Event::Text(text) => leg.say(&path, profiles, &text.xml10_content()),
                Event::CData(text) => leg.say(&path, profiles, &text.xml10_content()),
                Event::GeneralRef(name) => {
                    let named = quick_xml::escape::resolve_predefined_entity(&name.xml10_content()).map(str::to_owned);
                    let text = name.resolve_char_ref().ok().flatten().map(String::from).or(named);
                    leg.say(&path, profiles, &text.ok_or_else(not_xml)?);
                }
                Event::Eof => return Err(not_xml()),
                _ => {}
            }
        }
    }

    /// A piece of text at a place of the tree. Only the first profile is the leg as it ended.
    fn say(&mut self, path: &[String], profiles: usize, text: &str) {
        let [_, place @ .., name] = path else { return };
        let field = match place {
            [variables] if variables == "variables" => self.variables.entry(name.clone()),
            [flow, profile] if flow == "callflow" && profile == "caller_profile" && profiles == 1 => {
                self.profile.entry(name.clone())
            }
            _ => return,
        };
        field.or_default().push_str(text);
    }

    fn get(&self, name: &str) -> Option<String> {
        let value = self.variables.get(name).map(|value| decoded(value));
        value.filter(|value| !value.is_empty() && value != "_undef_")
    }

    /// A variable, else what the profile says.
    fn either(&self, name: &str) -> String {
        self.get(name).or_else(|| self.profile.get(name).map(|value| decoded(value))).unwrap_or_default()
    }

    /// Microseconds, else whole seconds; zero is never.
    fn time(&self, micros: &str, seconds: &str) -> Result<Option<DateTime<Utc>>, Fault> {
        if let Some(text) = self.get(micros) {
            return time::micros(micros, &text);
        }
        let Some(text) = self.get(seconds) else { return Ok(None) };
        let at = time::read(seconds, &text, &time::TimeFormat::EpochSeconds, None)?;
        Ok((at != DateTime::UNIX_EPOCH).then_some(at))
    }

    fn record(&self, reading: &Reading<'_>) -> Result<CallRecord, Fault> {
        let direction = self.get("direction").unwrap_or_default();
        let is_second = self.get("originator").or_else(|| self.get("originating_leg_uuid"));
        if let Some(first) = is_second.filter(|_| direction == "outbound") {
            return Err(fault("originator", Rule::LegMustBeTheCallers, &first));
        }
        let started_at = self.time("start_uepoch", "start_epoch")?;
        let ended_at = self.time("end_uepoch", "end_epoch")?;
        let answered_ms = match (self.get("billmsec"), self.get("billsec")) {
            (Some(text), _) => Some(("billmsec", time::duration_ms("billmsec", &text, 1, false)?)),
            (None, Some(text)) => Some(("billsec", time::duration_ms("billsec", &text, 1_000, false)?)),
            (None, None) => None,
        };
        let dimensions = ["language", "region", "channel"].into_iter();
        let found = Found {
            id: ("uuid", self.either("uuid")),
            caller: ("caller_id_number", self.either("caller_id_number")),
            called: ("destination_number", self.called()),
            direction: reading.settings.direction,
            account: self.get("accountcode"),
            digit: self.get("ringtill_topic").map(|digit| ("ringtill_topic", digit)),
            agent: self.get("ringtill_agent").or_else(|| self.get("cc_agent")),
            started_at: started_at.ok_or_else(|| fault("start_uepoch", Rule::MustBeThere, ""))?,
            answered_at: self.time("answer_uepoch", "answer_epoch")?,
            bridged_at: match self.time("bridge_uepoch", "bridge_epoch")? {
                Some(at) => Some(at),
                // A queue puts caller and agent together in its own way.
                None => self.time("cc_queue_answered_uepoch", "cc_queue_answered_epoch")?,
            },
            tells_bridge: true,
            ended_at: ("end_uepoch", ended_at.ok_or_else(|| fault("end_uepoch", Rule::MustBeThere, ""))?),
            answered_ms,
            cause: self.get("hangup_cause").unwrap_or_default(),
            dimensions: dimensions
                .filter_map(|name| Some((name.to_owned(), self.get(&format!("ringtill_{name}"))?)))
                .collect(),
        };
        found.record(reading.country())
    }

    /// What was dialled from outside: a dial plan that hands the call on changes `destination_number`.
    fn called(&self) -> String {
        let dialled = self.get("ringtill_called").or_else(|| self.get("sip_to_user").filter(|user| user.len() >= 7));
        dialled.unwrap_or_else(|| self.either("destination_number"))
    }
}

/// Texts and numbers of an object; what is deeper is not looked at.
fn texts(object: &serde_json::Value) -> BTreeMap<String, String> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let fields = object.as_object().into_iter().flatten();
    fields.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

/// Without its percent signs. A plus is a plus: it stands before numbers, and blanks are `%20`.
pub(super) fn decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let (bytes, mut plain) = (text.as_bytes(), Vec::with_capacity(text.len()));
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.filter(|_| bytes[at] == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}
