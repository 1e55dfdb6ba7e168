use super::record::{CallRecord, Fault, Refusal, Rule, fault};
use super::settings::{Format, Settings};
use super::time::Zone;
use super::{acc, asterisk, cel, freeswitch, mapped};
use jiff::tz::TimeZone;

/// A row of a file, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line of a CSV file; else the place of the record in the file, from 1.
    pub row: u64,
    /// How much of the file is read with it: what progress is told by.
    pub end_byte: u64,
    pub record: Result<CallRecord, Refusal>,
}

impl Row {
    pub(super) fn new(row: u64, end_byte: u64, record: Result<CallRecord, Fault>) -> Self {
        Self { row, end_byte, record: record.map_err(|fault| fault.at(row)) }
    }
}

/// What every format's reader gets.
pub(super) struct Reading<'a> {
    pub zone: Zone<'a>,
    pub settings: &'a Settings,
}

impl Reading<'_> {
    pub fn country(&self) -> Option<&str> {
        self.settings.country_code.as_deref()
    }
}

/// Reads a file; ready to be read from any row on.
pub struct Reader<'a> {
    bytes: &'a [u8],
    settings: &'a Settings,
    zone: Option<TimeZone>,
}

impl<'a> Reader<'a> {
    /// A file, by settings that keep their rules: a zone that is not known is as none.
    pub fn new(bytes: &'a [u8], settings: &'a Settings) -> Self {
        let zone = settings.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        // A mark of byte order is no part of the first column's name.
        Self { bytes: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), settings, zone }
    }

    /// Its rows, in an order that is always the same: what was read before is skipped by its count.
    pub fn rows(&self) -> Box<dyn Iterator<Item = Row> + Send + '_> {
        let reading = Reading { zone: self.zone.as_ref(), settings: self.settings };
        match self.settings.format {
            Format::FreeswitchJson => Box::new(freeswitch::json_rows(self.bytes, reading)),
            Format::FreeswitchXml => Box::new(freeswitch::xml_rows(self.bytes, reading)),
            Format::AsteriskCsv => Box::new(asterisk::rows(self.bytes, reading)),
            Format::AsteriskCel => Box::new(cel::rows(self.bytes, reading)),
            Format::AccJson => Box::new(acc::rows(self.bytes, reading)),
            Format::Csv => Box::new(mapped::rows(self.bytes, reading)),
        }
    }
}

/// The columns of one row of CSV, by name or place.
pub(super) type Line = Result<csv::StringRecord, csv::Error>;

/// Rows of CSV, with their line and where each ends. Quotes may hold line ends; rows may have any length.
pub(super) fn lines(bytes: &[u8], separator: u8) -> impl Iterator<Item = (u64, u64, Line)> + '_ {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(bytes);
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let mut record = csv::StringRecord::new();
        let before = reader.position().line();
        let read = reader.read_record(&mut record);
        let end_byte = reader.position().byte();
        match read {
            Ok(false) => None,
            Ok(true) => Some((record.position().map_or(before, csv::Position::line), end_byte, Ok(record))),
            Err(error) => {
                // What is no text is one row's fault; anything else ends the file.
                is_over = !matches!(error.kind(), csv::ErrorKind::Utf8 { .. });
                let line = error.position().map_or(before, csv::Position::line);
                Some((line, end_byte, Err(error)))
            }
        }
    })
}

pub(super) fn unreadable(error: &csv::Error) -> Fault {
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8",
        _ => "not CSV",
    };
    fault("row", Rule::RowMustBeReadable, what)
}

/// Bytes of one JSON value: records of switches have some ten thousand.
const VALUE_BYTES_MAX: usize = 256 * 1024;

/// JSON values one behind the other: in an array, in lines, or just so. What is no JSON ends with its line, so that a record that
/// was cut off does not take the next with it; two lines that break at one place are read on from there, and what has no end
/// within [`VALUE_BYTES_MAX`] is left out whole: reading takes time by the bytes of the file, whatever they are.
pub(super) fn json_values(bytes: &[u8]) -> impl Iterator<Item = (u64, u64, Result<&str, Fault>)> + '_ {
    let (mut at, mut row, mut broke_at) = (0, 0, 0);
    std::iter::from_fn(move || {
        let between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']');
        at += bytes[at..].iter().take_while(|byte| between(byte)).count();
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        row += 1;
        let part = &rest[..rest.len().min(VALUE_BYTES_MAX)];
        let mut values = serde_json::Deserializer::from_slice(part).into_iter::<&serde_json::value::RawValue>();
        let found = match values.next() {
            Some(Ok(value)) => {
                at += values.byte_offset().max(1);
                Ok(value.get())
            }
            error => {
                let next_line = part.iter().position(|byte| *byte == b'\n').map_or(part.len(), |end| end + 1);
                let breaks = error.and_then(Result::err);
                let is_endless = part.len() < rest.len() && breaks.as_ref().is_some_and(serde_json::Error::is_eof);
                let breaks = at + breaks.map_or(0, |error| line_start(part, error.line()));
                at = match is_endless {
                    // After its last whole line, so that the next part begins with one.
                    true => at + part.iter().rposition(|byte| *byte == b'\n').map_or(part.len(), |end| end + 1),
                    false if breaks == broke_at => breaks.max(at + next_line),
                    false => at + next_line,
                };
                broke_at = breaks;
                let shown = String::from_utf8_lossy(&part[..part.len().min(80)]).into_owned();
                Err(fault("row", Rule::RowMustBeReadable, shown.lines().next().unwrap_or_default()))
            }
        };
        Some((row, at as u64, found))
    })
}

/// Where a line begins, counted from 1.
fn line_start(bytes: &[u8], line: usize) -> usize {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    line.checked_sub(2).and_then(|before| ends.map(|(place, _)| place + 1).nth(before)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u64, Option<String>)> {
        json_values(text.as_bytes()).map(|(row, _, value)| (row, value.ok().map(str::to_owned))).collect()
    }

    #[test]
    fn a_record_that_was_cut_off_does_not_take_the_next_with_it() {
        let good = r#"{"a":1}"#;
        assert_eq!(
            read(&format!("{{\"b\":\n{good}\n{good}\n")),
            [(1, None), (2, Some(good.to_owned())), (3, Some(good.to_owned()))]
        );
    }

    #[test]
    fn a_file_that_opens_and_never_closes_is_read_once_and_not_once_for_each_line() {
        // Each line opens an object inside the one before. Read to the end from each of them, that would be n x n / 2 lines.
        for (n, last, rows) in [(1_000_000, "", 30), (40_000, "!", 4)] {
            let text = "{\"a\":\n".repeat(n) + last;
            assert!(read(&text).len() < rows, "{n} lines {last}: {}", read(&text).len());
        }
    }
}
