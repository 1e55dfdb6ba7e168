//! A rate deck as it comes: lines of a table with commas, semicolons or tabs. Every line that is wrong is named with its field,
//! the rule and the value; a file with one of them is not taken.

use crate::deck::DeckRow;
use money::parse_decimal;
use pricing::Tariff;
use rust_decimal::Decimal;
use std::collections::HashMap;

/// Rows of one version.
pub const DECK_ROWS_MAX: usize = 1_000_000;
/// A minute costs no more than this, and no connection does, in any currency: a slip must not be sold.
const RATE_MAX: u32 = 1_000_000;
/// Lines that are named; the others are counted.
const FAULTS_NAMED_MAX: usize = 50;

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeckFault {
    /// As a text editor counts: from 1, the heading included.
    pub line: u64,
    /// `prefix`, `rate`, `connection` ..
    pub field: &'static str,
    /// What it must be.
    pub rule: String,
    /// What stands there.
    pub value: String,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeckFaults {
    /// The first of them.
    pub named: Vec<DeckFault>,
    pub count: u64,
}

/// A file that is right.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadDeck {
    /// By prefix.
    pub rows: Vec<DeckRow>,
    /// Lines that say the same as one before.
    pub repeated: u64,
}

/// Columns by the names under which carriers send them.
const COLUMNS: [(&str, &[&str]); 7] = [
    ("prefix", &["prefix", "code", "dial code", "dialcode", "dial_code", "destination code"]),
    ("rate", &["rate", "price", "rate per minute", "per_minute", "price per minute", "rate_per_minute"]),
    ("destination", &["destination", "name", "description", "country"]),
    ("connection", &["connection", "connect_fee", "setup", "connection_fee", "connect fee"]),
    ("first_increment", &["first_increment", "first increment", "minimum", "initial increment", "interval_1"]),
    ("increment", &["increment", "interval", "next increment", "interval_n"]),
    ("tariff", &["tariff"]),
];

/// Reads a file. Without a heading its columns are prefix, rate and destination.
pub fn read_deck(text: &str) -> Result<ReadDeck, DeckFaults> {
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b'\t', b';', b','].into_iter().find(|byte| first.as_bytes().contains(byte)).unwrap_or(b',');
    let mut lines = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut faults = Faults::default();
    let mut rows: Vec<DeckRow> = Vec::new();
    let mut places: HashMap<Box<str>, (usize, u64)> = HashMap::new();
    let mut repeated = 0;
    let mut columns: Option<Columns> = None;
    for record in lines.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                faults.say(line, "line", "must be a line of a table", &error.to_string());
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let Some(columns) = &columns else {
            let (found, is_heading) = Columns::of(&record);
            columns = Some(found.map_err(|missing| Faults::one(line, missing, "must be a column", first))?);
            if !is_heading
                && let Some(row) = columns.as_ref().and_then(|columns| columns.row(&record, line, &mut faults))
            {
                places.insert(row.prefix.clone(), (0, line));
                rows.push(row);
            }
            continue;
        };
        let Some(row) = columns.row(&record, line, &mut faults) else { continue };
        match places.get(&row.prefix) {
            None => {
                places.insert(row.prefix.clone(), (rows.len(), line));
                rows.push(row);
            }
            Some((place, _)) if is_same(&rows[*place], &row) => repeated += 1,
            Some((_, before)) => {
                faults.say(
                    line,
                    "prefix",
                    &format!("must be there once: line {before} has another price"),
                    &row.prefix,
                );
            }
        }
    }
    if rows.len() > DECK_ROWS_MAX {
        faults.say(0, "prefix", &format!("must be at most {DECK_ROWS_MAX}"), &rows.len().to_string());
    }
    if rows.is_empty() && faults.count == 0 {
        faults.say(1, "prefix", "must be there at least once", "");
    }
    if faults.count > 0 {
        return Err(DeckFaults { named: faults.named, count: faults.count });
    }
    rows.sort_unstable_by(|a, b| a.prefix.cmp(&b.prefix));
    Ok(ReadDeck { rows, repeated })
}

fn is_same(one: &DeckRow, other: &DeckRow) -> bool {
    one.rate == other.rate && one.tariff == other.tariff
}

/// Where each field stands in a line.
struct Columns(HashMap<&'static str, usize>);

impl Columns {
    /// By the first line; true when it is a heading.
    fn of(first: &csv::StringRecord) -> (Result<Columns, &'static str>, bool) {
        let is_data = first
            .get(0)
            .is_some_and(|text| text.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit()) && !text.is_empty());
        if is_data {
            return (Ok(Columns(HashMap::from([("prefix", 0), ("rate", 1), ("destination", 2)]))), false);
        }
        let mut places = HashMap::new();
        for (place, head) in first.iter().enumerate() {
            let head = head.to_ascii_lowercase();
            if let Some((field, _)) = COLUMNS.iter().find(|(_, names)| names.contains(&head.as_str())) {
                places.entry(*field).or_insert(place);
            }
        }
        let needs = if places.contains_key("tariff") { &["prefix"][..] } else { &["prefix", "rate"][..] };
        match needs.iter().find(|field| !places.contains_key(**field)) {
            Some(missing) => (Err(missing), true),
            None => (Ok(Columns(places)), true),
        }
    }

    fn text<'a>(&self, record: &'a csv::StringRecord, field: &str) -> &'a str {
        self.0.get(field).and_then(|place| record.get(*place)).unwrap_or_default()
    }

    fn row(&self, record: &csv::StringRecord, line: u64, faults: &mut Faults) -> Option<DeckRow> {
        let before = faults.count;
        let prefix = self.text(record, "prefix").trim_start_matches('+');
        if !(1..=15).contains(&prefix.len()) || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            faults.say(line, "prefix", "must be 1 to 15 digits", self.text(record, "prefix"));
        }
        let destination = self.text(record, "destination");
        if destination.chars().count() > 120 || destination.chars().any(char::is_control) {
            faults.say(line, "destination", "must have at most 120 characters", destination);
        }
        let document = self.text(record, "tariff");
        let tariff = if document.is_empty() {
            self.by_columns(record, line, faults)
        } else {
            read_tariff(document, line, faults)
                .map(|tariff| (per_minute(&tariff), Some(Box::new(tariff))))
                .filter(|(rate, _)| must_be_a_rate(*rate, line, faults))
        };
        let (rate, tariff) = tariff.filter(|_| faults.count == before)?;
        Some(DeckRow { prefix: prefix.into(), destination: destination.into(), rate, tariff })
    }

    /// A rate, and what stands beside it.
    fn by_columns(
        &self,
        record: &csv::StringRecord,
        line: u64,
        faults: &mut Faults,
    ) -> Option<(Decimal, Option<Box<Tariff>>)> {
        let amount = |field: &'static str, faults: &mut Faults| {
            let text = self.text(record, field);
            // 2e5 is a number, and a slip: nobody writes a rate so.
            let written = Some(text).filter(|text| !text.contains(['e', 'E']));
            let read = written.and_then(|text| parse_decimal(text).ok()).filter(|amount| !amount.is_sign_negative());
            match read {
                None => faults.say(line, field, "must be a number of zero or more, such as 0.055", text),
                Some(amount) if amount > Decimal::from(RATE_MAX) => {
                    faults.say(line, field, &format!("must be at most {RATE_MAX}"), text);
                    return None;
                }
                Some(_) => {}
            }
            read
        };
        let seconds = |field: &'static str, faults: &mut Faults| match self.text(record, field) {
            "" => Some(None),
            text => match text.parse::<u32>().ok().filter(|seconds| (1..=3600).contains(seconds)) {
                Some(seconds) => Some(Some(seconds)),
                None => {
                    faults.say(line, field, "must be 1 to 3600 seconds", text);
                    None
                }
            },
        };
        let rate = amount("rate", faults);
        let connection = match self.text(record, "connection") {
            "" => Some(Decimal::ZERO),
            _ => amount("connection", faults),
        };
        let (first, next) = (seconds("first_increment", faults), seconds("increment", faults));
        let (rate, connection, first, next) = (rate?, connection?, first?, next?);
        let increment = next.unwrap_or(1);
        let first = first.filter(|first| *first != increment);
        if connection.is_zero() && increment == 1 && first.is_none() {
            return Some((rate, None));
        }
        let tariff =
            Tariff { connection, first_increment: first, increment, ..Tariff::flat(rate, pricing::Per::Minute) };
        Some((rate, Some(Box::new(tariff))))
    }
}

fn must_be_a_rate(rate: Decimal, line: u64, faults: &mut Faults) -> bool {
    let is_one = rate <= Decimal::from(RATE_MAX);
    if !is_one {
        faults.say(line, "tariff", &format!("must cost at most {RATE_MAX} a minute"), &rate.to_string());
    }
    is_one
}

fn read_tariff(document: &str, line: u64, faults: &mut Faults) -> Option<Tariff> {
    let read = serde_json::from_str(document)
        .map_err(|error| error.to_string())
        .and_then(|json| Tariff::from_json(&json).map_err(|error| format!("{} ({})", error.rule, error.pointer)));
    read.map_err(|why| faults.say(line, "tariff", &format!("must be a tariff: {why}"), document)).ok()
}

/// What the first minute's rate is; to twelve decimals where an hour's is not exact by the minute.
pub(crate) fn per_minute(tariff: &Tariff) -> Decimal {
    let first = tariff.steps.first().map(|step| step.rate).unwrap_or_default();
    let minute = Decimal::from(60) / Decimal::from(tariff.per.seconds());
    first.checked_mul(minute).unwrap_or(Decimal::MAX).round_dp(12).normalize()
}

#[derive(Default)]
struct Faults {
    named: Vec<DeckFault>,
    count: u64,
}

impl Faults {
    fn say(&mut self, line: u64, field: &'static str, rule: &str, value: &str) {
        self.count += 1;
        if self.named.len() < FAULTS_NAMED_MAX {
            let value = value.chars().take(60).collect();
            self.named.push(DeckFault { line, field, rule: rule.to_owned(), value });
        }
    }

    fn one(line: u64, field: &'static str, rule: &str, value: &str) -> DeckFaults {
        let mut faults = Faults::default();
        faults.say(line, field, rule, value);
        DeckFaults { named: faults.named, count: faults.count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(text: &str) -> Vec<(String, String)> {
        let read = read_deck(text).unwrap();
        read.rows.iter().map(|row| (row.prefix.to_string(), row.rate.to_string())).collect()
    }

    #[test]
    fn a_deck_is_read_with_and_without_heading_and_by_any_delimiter() {
        let expected = vec![("49".to_owned(), "0.02".to_owned()), ("4915".to_owned(), "0.10".to_owned())];
        for text in [
            "prefix,rate,destination\n49,0.02,Germany\n4915,0.10,\"Germany, mobile\"\n",
            "Destination;Code;Price\r\nGermany mobile;+4915;0.10\r\nGermany;49;0.02\r\n",
            "49\t0.02\tGermany\n4915\t0.10\tGermany mobile",
        ] {
            assert_eq!(rates(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_beside_a_rate_makes_a_tariff() {
        let text = "prefix,rate,connection,first_increment,increment\n49,0.02,,,\n44,0.03,0.05,30,6\n33,0.04,0,60,60";
        let read = read_deck(text).unwrap();
        let tariff = |at: usize| read.rows[at].tariff.as_deref();
        assert_eq!(tariff(2), None, "49 is by the second");
        let britain = tariff(1).unwrap();
        assert_eq!(
            (britain.connection, britain.first_increment, britain.increment),
            ("0.05".parse().unwrap(), Some(30), 6)
        );
        assert_eq!(tariff(0).map(|france| (france.first_increment, france.increment)), Some((None, 60)));
        let text = "prefix;tariff\n39;\"{\"\"per\"\":\"\"hour\"\",\"\"rate\"\":\"\"6\"\"}\"";
        assert_eq!(rates(text), [("39".to_owned(), "0.1".to_owned())]); // 6 an hour / 60
    }

    #[test]
    fn each_wrong_line_is_named_with_field_rule_and_value() {
        let text = "prefix,rate,increment\n49,\"0,02\",1\n4x,0.1,1\n33,0.1,0\n44,0.1,1\n44,0.2,1\n44,0.1,1\n,0.1,1\n";
        let faults = read_deck(text).unwrap_err();
        let named: Vec<_> = faults.named.iter().map(|fault| (fault.line, fault.field, fault.value.as_str())).collect();
        let expected =
            [(2, "rate", "0,02"), (3, "prefix", "4x"), (4, "increment", "0"), (6, "prefix", "44"), (8, "prefix", "")];
        assert_eq!(named, expected);
        assert_eq!(faults.count, 5, "the repeated line 7 says what line 5 says");
        assert_eq!(read_deck("name,price\nGermany,0.1").unwrap_err().named[0].field, "prefix");
        assert_eq!(read_deck("").unwrap_err().named[0].rule, "must be there at least once");
        assert_eq!(read_deck("49,-1").unwrap_err().named[0].field, "rate");
        // 2e5 for 0.25, a point that was forgotten, and the same by the second
        for (slip, rule) in
            [("2e5", "such as 0.055"), ("1000000.01", "at most 1000000"), ("9999999999999999999", "at most")]
        {
            let faults = read_deck(&format!("prefix,rate,connection\n49,{slip},0\n44,0.1,{slip}")).unwrap_err();
            let named: Vec<_> = faults.named.iter().map(|fault| (fault.line, fault.field)).collect();
            assert_eq!(named, [(2, "rate"), (3, "connection")], "{slip}");
            assert!(faults.named[0].rule.contains(rule), "{}", faults.named[0].rule);
        }
        let dear = "prefix;tariff\n39;\"{\"\"per\"\":\"\"second\"\",\"\"rate\"\":\"\"17000\"\"}\"";
        assert_eq!(read_deck(dear).unwrap_err().named[0].value, "1020000"); // 17,000 x 60
        assert_eq!(rates("49,1000000"), [("49".to_owned(), "1000000".to_owned())]);
    }
}
