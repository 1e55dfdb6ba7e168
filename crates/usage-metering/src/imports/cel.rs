//! Asterisk's channel events: those of one linked id are one call. The columns are those of the sample `cel_custom.conf`.

use super::asterisk;
use super::record::{CallRecord, Fault, Found, Rule, fault};
use super::rows::{Line, Reading, Row, lines, unreadable};
use super::time::{self, TimeFormat};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, VecDeque};

const EVENT: usize = 0;
const TIME: usize = 1;
const CALLER: usize = 3;
const DIALLED: usize = 6;
const EXTEN: usize = 7;
const CHANNEL: usize = 9;
const ACCOUNT: usize = 13;
const UNIQUE_ID: usize = 14;
const LINKED_ID: usize = 15;
const USERFIELD: usize = 17;
const EXTRA: usize = 19;

/// A call as far as its events tell it.
struct Call {
    row: u64,
    caller: String,
    called: String,
    account: String,
    userfield: String,
    started_at: DateTime<Utc>,
    answered_at: Option<DateTime<Utc>>,
    bridged_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    agent: String,
    cause: String,
}

struct Calls<'a, L> {
    lines: L,
    reading: Reading<'a>,
    open: BTreeMap<String, Call>,
    left: Option<VecDeque<Row>>,
    end_byte: u64,
}

pub(super) fn rows<'a>(bytes: &'a [u8], reading: Reading<'a>) -> impl Iterator<Item = Row> + 'a {
    Calls { lines: lines(bytes, b','), reading, open: BTreeMap::new(), left: None, end_byte: 0 }
}

impl<L: Iterator<Item = (u64, u64, Line)>> Iterator for Calls<'_, L> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while self.left.is_none() {
            let Some((row, end_byte, line)) = self.lines.next() else {
                self.left = Some(self.unfinished());
                break;
            };
            self.end_byte = end_byte;
            match line.map_err(|error| unreadable(&error)).and_then(|line| self.event(row, &line)) {
                Ok(None) => {}
                Ok(Some((row, record))) => return Some(Row::new(row, end_byte, record)),
                Err(fault) => return Some(Row::new(row, end_byte, Err(fault))),
            }
        }
        self.left.as_mut()?.pop_front()
    }
}

impl<L> Calls<'_, L> {
    /// What an event ends, if it ends a call.
    #[allow(clippy::type_complexity, reason = "a row and its record")]
    fn event(&mut self, row: u64, line: &csv::StringRecord) -> Result<Option<(u64, Result<CallRecord, Fault>)>, Fault> {
        let at = |place: usize| line.get(place).unwrap_or_default().trim();
        let (linked_id, event) = (at(LINKED_ID), at(EVENT));
        if linked_id.is_empty() {
            return Err(fault("linkedid", Rule::MustBeThere, event));
        }
        let when = match time::read("eventtime", at(TIME), &TimeFormat::EpochSeconds, None) {
            Ok(when) => when,
            Err(_) => time::read("eventtime", at(TIME), &TimeFormat::Iso, self.reading.zone)?,
        };
        if event == "CHAN_START" && at(UNIQUE_ID) == linked_id {
            let called = if at(DIALLED).is_empty() { at(EXTEN) } else { at(DIALLED) };
            let call = Call {
                row,
                caller: at(CALLER).to_owned(),
                called: called.to_owned(),
                account: at(ACCOUNT).to_owned(),
                userfield: at(USERFIELD).to_owned(),
                started_at: when,
                answered_at: None,
                bridged_at: None,
                ended_at: None,
                agent: String::new(),
                cause: String::new(),
            };
            self.open.insert(linked_id.to_owned(), call);
            return Ok(None);
        }
        let Some(call) = self.open.get_mut(linked_id) else {
            return Err(fault("linkedid", Rule::CallMustBeWhole, linked_id));
        };
        let is_callers = at(UNIQUE_ID) == linked_id;
        match event {
            // The number is often known only after the channel has begun.
            "ANSWER" | "APP_START" | "BRIDGE_ENTER" if is_callers => {
                if call.caller.is_empty() {
                    call.caller = at(CALLER).to_owned();
                }
                if event == "ANSWER" {
                    call.answered_at.get_or_insert(when);
                } else if event == "BRIDGE_ENTER" {
                    call.bridged_at.get_or_insert(when);
                }
                if !at(USERFIELD).is_empty() {
                    call.userfield = at(USERFIELD).to_owned();
                }
            }
            "ANSWER" => call.agent = asterisk::phone(at(CHANNEL)).to_owned(),
            "HANGUP" | "CHAN_END" if is_callers => {
                call.ended_at.get_or_insert(when);
                if let Some(cause) = cause(at(EXTRA)) {
                    call.cause = cause;
                }
            }
            "LINKEDID_END" => {
                let Some(call) = self.open.remove(linked_id) else { return Ok(None) };
                return Ok(Some((call.row, record(call, linked_id, when, &self.reading))));
            }
            _ => {}
        }
        Ok(None)
    }

    fn unfinished(&mut self) -> VecDeque<Row> {
        let mut left: Vec<(u64, String)> =
            std::mem::take(&mut self.open).into_iter().map(|(id, call)| (call.row, id)).collect();
        left.sort();
        left.into_iter()
            .map(|(row, id)| Row::new(row, self.end_byte, Err(fault("linkedid", Rule::CallMustBeWhole, &id))))
            .collect()
    }
}

/// Q.850's number of why it ended.
fn cause(extra: &str) -> Option<String> {
    let extra: serde_json::Value = serde_json::from_str(extra).ok()?;
    extra.get("hangupcause").map(|cause| format!("Q.850 {cause}"))
}

fn record(call: Call, linked_id: &str, over_at: DateTime<Utc>, reading: &Reading<'_>) -> Result<CallRecord, Fault> {
    let found = Found {
        id: ("linkedid", linked_id.to_owned()),
        caller: ("cid_num", call.caller),
        called: ("exten", call.called),
        direction: reading.settings.direction,
        account: Some(call.account),
        digit: asterisk::topic(&call.userfield).map(|digit| ("userfield", digit.to_owned())),
        agent: Some(call.agent),
        started_at: call.started_at,
        answered_at: call.answered_at,
        bridged_at: call.bridged_at,
        tells_bridge: true,
        ended_at: ("eventtime", call.ended_at.unwrap_or(over_at)),
        answered_ms: None,
        cause: call.cause,
        dimensions: BTreeMap::new(),
    };
    found.record(reading.country())
}
