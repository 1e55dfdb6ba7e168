//! Asterisk's `Master.csv`: rows without names, local times.

use super::record::{CallRecord, Fault, Found, Rule, fault};
use super::rows::{Reading, Row, lines, unreadable};
use super::time::{self, TimeFormat};
use std::collections::BTreeMap;

const SRC: usize = 1;
const DST: usize = 2;
const DSTCHANNEL: usize = 6;
const START: usize = 9;
const ANSWER: usize = 10;
const END: usize = 11;
const BILLSEC: usize = 13;
const DISPOSITION: usize = 14;
const UNIQUEID: usize = 16;
const USERFIELD: usize = 17;

pub(super) fn rows<'a>(bytes: &'a [u8], reading: Reading<'a>) -> impl Iterator<Item = Row> + 'a {
    let rows = lines(bytes, b',').filter(|(.., line)| !line.as_ref().is_ok_and(is_header));
    rows.map(move |(row, end, line)| {
        let record = line.map_err(|error| unreadable(&error)).and_then(|line| record(&line, &reading));
        Row::new(row, end, record)
    })
}

/// Some put the names on top.
fn is_header(line: &csv::StringRecord) -> bool {
    line.get(0) == Some("accountcode") && line.get(SRC) == Some("src")
}

fn record(line: &csv::StringRecord, reading: &Reading<'_>) -> Result<CallRecord, Fault> {
    let at = |place: usize| line.get(place).unwrap_or_default().trim();
    if line.len() <= UNIQUEID {
        // Without `loguniqueid` a call cannot be told from another.
        return Err(fault("uniqueid", Rule::MustBeThere, &format!("{} columns", line.len())));
    }
    let time = |field: &str, place: usize| time::read(field, at(place), &TimeFormat::Iso, reading.zone);
    let is_answered = at(DISPOSITION) == "ANSWERED" && !at(ANSWER).is_empty();
    // A queue rings several phones, each a row under the same id.
    let id = match at(DSTCHANNEL) {
        "" => at(UNIQUEID).to_owned(),
        channel => format!("{}/{channel}", at(UNIQUEID)),
    };
    let found = Found {
        id: ("uniqueid", id),
        caller: ("src", at(SRC).to_owned()),
        called: ("dst", at(DST).to_owned()),
        direction: reading.settings.direction,
        account: Some(at(0).to_owned()),
        digit: topic(at(USERFIELD)).map(|digit| ("userfield", digit.to_owned())),
        agent: Some(phone(at(DSTCHANNEL)).to_owned()),
        started_at: time("start", START)?,
        answered_at: if is_answered { Some(time("answer", ANSWER)?) } else { None },
        bridged_at: None,
        tells_bridge: false,
        ended_at: ("end", time("end", END)?),
        answered_ms: Some(("billsec", time::duration_ms("billsec", at(BILLSEC), 1_000, false)?)),
        cause: at(DISPOSITION).to_owned(),
        dimensions: BTreeMap::new(),
    };
    found.record(reading.country())
}

/// `topic=3` in the field that Asterisk leaves to its users.
pub(super) fn topic(userfield: &str) -> Option<&str> {
    userfield.split([';', ',']).find_map(|part| part.trim().strip_prefix("topic="))
}

/// `PJSIP/anna-0000002a` is anna's phone.
pub(super) fn phone(channel: &str) -> &str {
    let name = channel.split_once('/').map_or("", |(_, name)| name);
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}
