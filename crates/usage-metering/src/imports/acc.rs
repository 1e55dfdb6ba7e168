//! Accounting of Kamailio and OpenSIPS as JSON: a finished call in one object (`duration` stands in it), or the transactions of
//! a call, whose INVITE and BYE are paired by Call-ID. An INVITE that failed is a call that nobody took only if none of its
//! Call-ID was taken before or after: the same call is asked for a password, tried elsewhere, put on hold.

use super::record::{CallRecord, Fault, Found, Rule, fault};
use super::rows::{Reading, Row, json_values};
use super::time::{self, TimeFormat};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

type Fields = BTreeMap<String, String>;

/// A call that was answered and goes on.
struct Open {
    row: u64,
    answered_at: DateTime<Utc>,
    fields: Fields,
}

/// An INVITE that failed, as long as no other of its Call-ID is taken.
struct Failed {
    row: u64,
    record: CallRecord,
}

struct Calls<'a, V> {
    values: V,
    reading: Reading<'a>,
    open: BTreeMap<String, Open>,
    failed: BTreeMap<String, Failed>,
    /// Calls that are told already.
    over: BTreeSet<String>,
    left: Option<VecDeque<Row>>,
    end_byte: u64,
}

pub(super) fn rows<'a>(bytes: &'a [u8], reading: Reading<'a>) -> impl Iterator<Item = Row> + 'a {
    Calls {
        values: json_values(bytes),
        reading,
        open: BTreeMap::new(),
        failed: BTreeMap::new(),
        over: BTreeSet::new(),
        left: None,
        end_byte: 0,
    }
}

impl<'v, V: Iterator<Item = (u64, u64, Result<&'v str, Fault>)>> Iterator for Calls<'_, V> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while self.left.is_none() {
            let Some((row, end_byte, text)) = self.values.next() else {
                self.left = Some(self.unfinished());
                break;
            };
            self.end_byte = end_byte;
            match text.and_then(fields).and_then(|fields| self.transaction(row, fields)) {
                Ok(None) => {}
                Ok(Some(record)) => return Some(Row::new(row, end_byte, Ok(record))),
                Err(fault) => return Some(Row::new(row, end_byte, Err(fault))),
            }
        }
        self.left.as_mut()?.pop_front()
    }
}

/// Texts and numbers of an object. An event of OpenSIPS wraps them in `params`.
fn fields(text: &str) -> Result<Fields, Fault> {
    let unreadable = || fault("row", Rule::RowMustBeReadable, text);
    let document: serde_json::Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let object = document.get("params").unwrap_or(&document).as_object().ok_or_else(unreadable)?;
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Ok(object.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect())
}

/// The first of these that is there, with its name. Extra fields are called as each site likes: these are the usual names.
fn first<'n>(fields: &Fields, names: &[&'n str]) -> (&'n str, String) {
    let found = names.iter().find_map(|name| Some((*name, fields.get(*name).filter(|value| !value.is_empty())?)));
    found.map_or((names.first().copied().unwrap_or_default(), String::new()), |(name, value)| (name, value.clone()))
}

const CALLER: [&str; 5] = ["caller", "src_user", "from_user", "fU", "from_uri"];
const CALLED: [&str; 6] = ["callee", "dst_ouser", "dst_user", "to_user", "rU", "to_uri"];

impl<V> Calls<'_, V> {
    fn transaction(&mut self, row: u64, fields: Fields) -> Result<Option<CallRecord>, Fault> {
        let id = first(&fields, &["callid", "call_id"]);
        if id.1.is_empty() {
            return Err(fault("callid", Rule::MustBeThere, ""));
        }
        if fields.contains_key("duration") || fields.contains_key("ms_duration") {
            let record = self.finished(&fields)?;
            self.failed.remove(&id.1);
            self.over.insert(id.1);
            return Ok(Some(record));
        }
        let code = fields.get("sip_code").cloned().unwrap_or_default();
        let at = self.time("time", &fields)?.ok_or_else(|| fault("time", Rule::MustBeThere, ""))?;
        match fields.get("method").map_or("", String::as_str) {
            "INVITE" if code.starts_with('2') => {
                // One inside the call, as for holding, is known by its tags; the first stands.
                self.failed.remove(&id.1);
                self.open.entry(id.1).or_insert(Open { row, answered_at: at, fields });
                Ok(None)
            }
            "INVITE" => self.failed(row, id.1, &fields, (at, &code)),
            "BYE" => {
                let open = self.open.remove(&id.1).ok_or_else(|| fault("callid", Rule::CallMustBeWhole, &id.1))?;
                self.over.insert(id.1);
                let started_at = self.time("created", &open.fields)?.unwrap_or(open.answered_at);
                self.call(&open.fields, started_at, Some(open.answered_at), at, None).map(Some)
            }
            "CANCEL" | "ACK" | "UPDATE" | "PRACK" | "INFO" => {
                Err(fault("method", Rule::MustBeACall, &fields["method"]))
            }
            other => Err(fault("method", Rule::MustBeACall, other)),
        }
    }

    /// Its id is its own: what is known of the call itself must not be taken for another record of it.
    fn failed(
        &mut self,
        row: u64,
        id: String,
        fields: &Fields,
        (at, code): (DateTime<Utc>, &str),
    ) -> Result<Option<CallRecord>, Fault> {
        if self.open.contains_key(&id) || self.over.contains(&id) {
            return Ok(None);
        }
        if matches!(code, "401" | "407") {
            // Not a call, but the question for a password before it.
            return Ok(None);
        }
        let mut record = self.call(fields, at, None, at, None)?;
        record.id = format!("{} failed {}", record.id, at.timestamp());
        self.failed.insert(id, Failed { row, record });
        Ok(None)
    }

    /// A call in one object: OpenSIPS says when it was created, how long it rang and how long it was talked; Kamailio says when
    /// it began and ended.
    fn finished(&self, fields: &Fields) -> Result<CallRecord, Fault> {
        let (field, duration_ms) = match (fields.get("ms_duration"), fields.get("duration")) {
            (Some(text), _) => ("ms_duration", time::duration_ms("ms_duration", text, 1, false)?),
            (None, text) => ("duration", time::duration_ms("duration", text.map_or("", String::as_str), 1_000, false)?),
        };
        let code = fields.get("sip_code").map_or("200", String::as_str);
        let setup_ms = match fields.get("setuptime") {
            Some(text) => time::duration_ms("setuptime", text, 1_000, false)?,
            None => 0,
        };
        let created = self.time("created", fields)?.or(self.time("start_time", fields)?);
        let started_at = match (created, self.time("time", fields)?) {
            (Some(at), _) => at,
            // What is left is when the call was answered.
            (None, Some(at)) => at - TimeDelta::milliseconds(i64::try_from(setup_ms).unwrap_or_default()),
            (None, None) => return Err(fault("start_time", Rule::MustBeThere, "")),
        };
        let answered_at = self.time("answer_time", fields)?.unwrap_or(time::after(started_at, setup_ms));
        let ended_at = self.time("end_time", fields)?.unwrap_or(time::after(answered_at, duration_ms));
        let is_answered = code.starts_with('2') && duration_ms > 0;
        self.call(fields, started_at, is_answered.then_some(answered_at), ended_at, Some((field, duration_ms)))
    }

    fn call(
        &self,
        fields: &Fields,
        started_at: DateTime<Utc>,
        answered_at: Option<DateTime<Utc>>,
        ended_at: DateTime<Utc>,
        answered_ms: Option<(&str, u64)>,
    ) -> Result<CallRecord, Fault> {
        let reason = first(fields, &["sip_reason"]).1;
        let found = Found {
            id: first(fields, &["callid", "call_id"]),
            caller: first(fields, &CALLER),
            called: first(fields, &CALLED),
            direction: self.reading.settings.direction,
            account: Some(first(fields, &["account", "accountcode"]).1),
            digit: fields.get("topic").map(|digit| ("topic", digit.clone())),
            agent: fields.get("agent").cloned(),
            started_at,
            answered_at,
            bridged_at: None,
            tells_bridge: false,
            ended_at: ("end_time", ended_at),
            answered_ms,
            cause: format!("{} {reason}", fields.get("sip_code").map_or("", String::as_str)),
            dimensions: BTreeMap::new(),
        };
        found.record(self.reading.country())
    }

    /// Seconds since 1970, or a local time: both are in use.
    fn time(&self, name: &str, fields: &Fields) -> Result<Option<DateTime<Utc>>, Fault> {
        let Some(text) = fields.get(name).filter(|text| !text.is_empty() && *text != "0") else { return Ok(None) };
        match time::read(name, text, &TimeFormat::EpochSeconds, None) {
            Ok(at) => Ok(Some(at)),
            Err(_) => time::read(name, text, &TimeFormat::Iso, self.reading.zone).map(Some),
        }
    }

    /// What the file's end leaves: calls without an end, and calls that nobody took.
    fn unfinished(&mut self) -> VecDeque<Row> {
        let open = std::mem::take(&mut self.open).into_iter();
        let failed = std::mem::take(&mut self.failed).into_values();
        let mut left: Vec<(u64, Result<CallRecord, Fault>)> = open
            .map(|(id, call)| (call.row, Err(fault("callid", Rule::CallMustBeWhole, &id))))
            .chain(failed.map(|failed| (failed.row, Ok(failed.record))))
            .collect();
        left.sort_by_key(|(row, _)| *row);
        left.into_iter().map(|(row, record)| Row::new(row, self.end_byte, record)).collect()
    }
}
