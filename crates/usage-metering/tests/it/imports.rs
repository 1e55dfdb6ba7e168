//! Each format's file, row by row: what it says, or which field breaks which rule.

use proptest::prelude::*;
use std::collections::BTreeMap;
use usage_metering::{CallRecord, Column, Direction, Format, Mapping, Reader, Row, Settings, TimeFormat};

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/fixtures/cdr/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn settings(format: Format) -> Settings {
    Settings { time_zone: Some("Europe/Berlin".into()), country_code: Some("49".into()), ..Settings::new(format) }
}

fn german() -> Mapping {
    let columns = [
        (Column::Id, "Anruf"),
        (Column::Caller, "Von"),
        (Column::Called, "Nach"),
        (Column::Start, "Beginn"),
        (Column::Duration, "Dauer"),
        (Column::Billsec, "Gespräch"),
        (Column::Direction, "Richtung"),
        (Column::Account, "Kunde"),
    ];
    Mapping {
        separator: ';',
        has_header: true,
        decimal_comma: true,
        columns: columns.into_iter().map(|(column, name)| (column, name.to_owned())).collect(),
        dimensions: BTreeMap::from([("language".to_owned(), "Sprache".to_owned())]),
        time_format: TimeFormat::Written("%d.%m.%Y %H:%M:%S".into()),
        duration_unit: Default::default(),
    }
}

fn read(name: &str, settings: &Settings) -> Vec<Row> {
    assert_eq!(settings.check(), Ok(()));
    Reader::new(&file(name), settings).rows().collect()
}

/// `row id caller>called start +answer +bridge +end talk`, times in seconds from the start; or `row field rule value`.
fn told(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("{} {}", row.row, row.record.as_ref().map_or_else(refusal, call))).collect()
}

fn refusal(refusal: &usage_metering::Refusal) -> String {
    format!("{} {} {}", refusal.field, refusal.rule.as_str(), refusal.value).trim().to_owned()
}

fn call(call: &CallRecord) -> String {
    let after = |at: Option<chrono::DateTime<chrono::Utc>>| match at {
        Some(at) => format!("+{}", (at - call.started_at).num_milliseconds() as f64 / 1000.0),
        None => "-".to_owned(),
    };
    format!(
        "{} {}>{} {} {} {} {} {}ms",
        call.id,
        call.caller.as_deref().unwrap_or("withheld"),
        call.called,
        call.started_at.format("%d %H:%M:%S"),
        after(call.answered_at),
        after(call.bridged_at),
        after(Some(call.ended_at)),
        call.answered_ms,
    )
}

#[test]
fn freeswitch_tells_a_leg_alike_in_json_and_in_xml() {
    let expected = [
        "1 7c1d7f0e-4c3a-4f5d-9a53-0a1f6d2b9f10 +4915112345678>+49301234567 02 09:00:00 +2 +9.5 +190.5 188500ms",
        "2 0b9cf9c7-6dd7-4a5f-8f0f-7f7ac8a4c111 +4915112345678>+49301234567 02 09:10:00 - - +18 0ms",
        "3 originator leg_must_be_the_callers 7c1d7f0e-4c3a-4f5d-9a53-0a1f6d2b9f10",
    ];
    let last = "5 end_uepoch end_must_not_precede_start 2026-03-02T09:18:20+00:00";
    let json = read("freeswitch.json", &settings(Format::FreeswitchJson));
    assert_eq!(told(&json)[..3], expected);
    assert_eq!(told(&json)[3..], ["4 row row_must_be_readable {\"core-uuid\": broken", last]);
    let xml = read("freeswitch.xml", &settings(Format::FreeswitchXml));
    assert_eq!(told(&xml)[..3], expected);
    assert_eq!(told(&xml)[3..], ["4 row row_must_be_readable not XML", last]);
    assert_eq!(json[0].record, xml[0].record);
    let first = json[0].record.as_ref().unwrap();
    assert_eq!((first.digit, first.agent.as_deref(), first.cause.as_str()), (Some(1), Some("anna"), "NORMAL_CLEARING"));
}

#[test]
fn asterisk_tells_local_times_and_a_time_that_no_clock_showed_is_refused() {
    let rows = read("asterisk_master.csv", &settings(Format::AsteriskCsv));
    assert_eq!(
        told(&rows),
        [
            "1 1772442000.17/PJSIP/anna-00000012 +4915112345678>+49301234567 02 09:00:00 +9 - +190 181000ms",
            "2 1772442600.19/PJSIP/anna-00000014 +4915112345678>+49301234567 02 09:10:00 - - +18 0ms",
            "3 start time_must_exist 2026-03-29 02:30:00",
            "4 dst number_must_be_international 1001",
        ]
    );
    let first = rows[0].record.as_ref().unwrap();
    assert_eq!((first.digit, first.agent.as_deref()), (Some(1), Some("anna")));
    let without = Settings { time_zone: None, ..settings(Format::AsteriskCsv) };
    assert_eq!(told(&read("asterisk_master.csv", &without))[0], "1 start zone_must_be_given 2026-03-02 10:00:00");
}

#[test]
fn channel_events_are_folded_to_the_call_of_their_linked_id() {
    assert_eq!(
        told(&read("asterisk_cel.csv", &settings(Format::AsteriskCel))),
        [
            "1 1772442000.17 +4915112345678>+49301234567 02 09:00:00 +2 +9.5 +190.5 188500ms",
            "13 linkedid call_must_be_whole 9.9",
            // Its beginning stands on line 4, and its end nowhere.
            "4 linkedid call_must_be_whole 1772442600.19",
        ]
    );
}

#[test]
fn accounting_is_read_as_finished_calls_and_as_pairs_of_transactions() {
    assert_eq!(
        told(&read("acc.json", &settings(Format::AccJson))),
        [
            "3 5f3c@198.51.100.7 +4915112345678>+49301234567 02 09:00:02 +0 - +181 181000ms",
            "4 method must_be_a_call MESSAGE",
            "5 9b1e@203.0.113.5 +4915112345678>+49301234567 02 09:05:00 +4 - +64.64 60640ms",
            "6 kam1@203.0.113.5 withheld>+49301234567 02 09:10:00 +0 - +60 60000ms",
            "2 77aa@198.51.100.7 failed 1772442060 +4915112345678>+49301234567 02 09:01:00 - - +0 0ms",
            "7 callid call_must_be_whole open@198.51.100.7",
        ]
    );
}

#[test]
fn an_invite_that_fails_before_or_inside_a_call_is_not_the_call() {
    let at = |time: &str, method: &str, code: u32| {
        format!(
            r#"{{"callid":"c1","time":"2026-03-02 {time}","method":"{method}","sip_code":"{code}","caller":"4915112345678","callee":"49301234567"}}"#
        )
    };
    let lines = [
        at("10:00:00", "INVITE", 407), // the password is asked for
        at("10:00:00", "INVITE", 480), // the first gateway does not take it
        at("10:00:02", "INVITE", 200),
        at("10:03:00", "INVITE", 488), // a fax inside the call is refused
        at("10:05:00", "INVITE", 491), // both sides at once
        at("10:10:02", "BYE", 200),
        at("10:10:02", "INVITE", 481), // it crossed the BYE
    ];
    let read = |lines: &[String]| -> Vec<Row> {
        Reader::new(lines.join("\n").as_bytes(), &settings(Format::AccJson)).rows().collect()
    };
    // One call of ten minutes.
    assert_eq!(told(&read(&lines)), ["6 c1 +4915112345678>+49301234567 02 09:00:02 +0 - +600 600000ms"]);
    assert_eq!(told(&read(&lines[..1])), Vec::<String>::new());
    assert_eq!(
        told(&read(&lines[..2])),
        ["2 c1 failed 1772442000 +4915112345678>+49301234567 02 09:00:00 - - +0 0ms"],
        "nobody took it; its id leaves the call's free"
    );
}

fn csv(text: &str) -> Vec<String> {
    let guessed = Settings { mapping: Some(Mapping::guess(text.as_bytes())), ..settings(Format::Csv) };
    told(&Reader::new(text.as_bytes(), &guessed).rows().collect::<Vec<_>>())
}

#[test]
fn a_column_that_is_not_known_by_its_name_is_never_another_one() {
    // "seconds" is no usual name. The first column is no duration: 90,061 s would be 1,501 minutes.
    let text = "call_id,from,to,start,seconds\n90061,+491701000001,+4930900100,2026-03-02 10:00:00,60\n";
    let guessed = Mapping::guess(text.as_bytes());
    assert_eq!(guessed.columns.get(&Column::Duration), None);
    let fault = Settings { mapping: Some(guessed), ..settings(Format::Csv) }.check().unwrap_err();
    assert_eq!(
        (fault.field.as_str(), fault.rule),
        ("end", "must be mapped to a column, or duration or billsec must be")
    );
    assert_eq!(csv(text), ["2 end must_be_there"], "and its first rows say so");
    let nothing = Settings { mapping: Some(Mapping::guess(b"a;b\n1;2\n")), ..settings(Format::Csv) };
    assert_eq!((nothing.check_form(), nothing.check().unwrap_err().field.as_str()), (Ok(()), "id"));
}

#[test]
fn a_call_whose_end_says_that_nobody_took_it_is_not_charged_for_its_ringing() {
    let header = "uniqueid,calldate,src,dst,duration,disposition\n";
    let row = |id: &str, word: &str| format!("{id},2026-03-02 10:00:00,+491701000001,+4930900100,28,{word}\n");
    let words = ["ANSWERED", "NO ANSWER", "BUSY", "FAILED", "Ausgang 7", ""];
    let rows: String = words.iter().enumerate().map(|(place, word)| row(&format!("d{place}"), word)).collect();
    assert_eq!(
        csv(&(header.to_owned() + &rows)),
        [
            "2 d0 +491701000001>+4930900100 02 09:00:00 +0 - +28 28000ms",
            "3 d1 +491701000001>+4930900100 02 09:00:00 - - +28 0ms",
            "4 d2 +491701000001>+4930900100 02 09:00:00 - - +28 0ms",
            "5 d3 +491701000001>+4930900100 02 09:00:00 - - +28 0ms",
            "6 disposition answer_must_be_told Ausgang 7",
            "7 disposition answer_must_be_told",
        ]
    );
}

#[test]
fn the_length_of_a_call_is_not_taken_from_times_of_the_hour_that_comes_twice() {
    // 25 October 2026: 02:10 comes twice. From 01:50 to the second of them are 80 minutes, and to the first 20.
    let row = |id: &str, start: &str, end: &str, more: &str| {
        format!("{id},+491701000001,+4930900100,2026-10-25 {start},2026-10-25 {end}{more}\n")
    };
    let times = "id,from,to,start,end\n".to_owned()
        + &row("1", "01:50:00", "02:10:00", "")
        + &row("2", "02:50:00", "03:10:00", "")
        + &row("3", "01:10:00", "01:30:00", "");
    assert_eq!(
        csv(&times),
        [
            "2 end time_must_be_one 2026-10-25 02:10:00",
            "3 start time_must_be_one 2026-10-25 02:50:00",
            "4 3 +491701000001>+4930900100 24 23:10:00 +0 - +1200 1200000ms",
        ]
    );
    let told = "id,from,to,start,end,duration\n".to_owned() + &row("1", "01:50:00", "02:10:00", ",4800");
    assert_eq!(csv(&told), ["2 1 +491701000001>+4930900100 24 23:50:00 +0 - +4800 4800000ms"]); // 80 minutes
}

#[test]
fn any_csv_is_read_by_what_somebody_says_of_its_columns() {
    let by_mapping = Settings { mapping: Some(german()), ..settings(Format::Csv) };
    let rows = read("mapped.csv", &by_mapping);
    assert_eq!(
        told(&rows),
        [
            "2 A-1 +4915112345678>+49301234567 02 09:00:00 +7.5 - +190.5 183000ms",
            "3 A-2 +4915112345678>+49301234567 02 09:10:00 - - +18 0ms",
            "4 Beginn time_must_be_readable 02.13.2026 10:10:00",
            "5 Gespräch answered_must_not_exceed_call 500000 ms",
            "6 Richtung direction_must_be_known sideways",
            "7 Anruf must_be_there",
            "8 A-6 +49301234567>+4312345678 02 11:00:00 +1 - +61 60000ms",
        ]
    );
    let (first, last) = (rows[0].record.as_ref().unwrap(), rows[6].record.as_ref().unwrap());
    assert_eq!((first.account.as_deref(), first.dimensions["language"].as_str()), (Some("K-1001"), "de"));
    assert_eq!((last.direction, last.account.as_deref()), (Some(Direction::Outbound), Some("K-1002")));
    let mut other = german();
    other.columns.insert(Column::Agent, "Agent".into());
    let missing = Settings { mapping: Some(other), ..settings(Format::Csv) };
    let refused = &read("mapped.csv", &missing)[0].record.as_ref().unwrap_err().clone();
    assert_eq!((refused.field.as_str(), refused.rule.as_str()), ("Agent", "column_must_exist"));
}

#[test]
fn a_mapping_that_cannot_make_a_call_is_refused_with_its_field() {
    let with = |change: fn(&mut Mapping)| {
        let mut mapping = german();
        change(&mut mapping);
        Settings { mapping: Some(mapping), ..settings(Format::Csv) }.check().unwrap_err().field
    };
    assert_eq!(with(|mapping| mapping.separator = 'a'), "separator");
    assert_eq!(with(|mapping| drop(mapping.columns.remove(&Column::Id))), "id");
    assert_eq!(with(|mapping| mapping.has_header = false), "id");
    assert_eq!(with(|mapping| mapping.time_format = TimeFormat::Written("when".into())), "time_format");
    let no_end = |mapping: &mut Mapping| {
        mapping.columns.retain(|column, _| !matches!(column, Column::Duration | Column::Billsec))
    };
    assert_eq!(with(no_end), "end");
    assert_eq!(Settings::new(Format::Csv).check().unwrap_err().field, "mapping");
    let mars = Settings { time_zone: Some("Mars/Olympus".into()), ..Settings::new(Format::AccJson) };
    assert_eq!(mars.check().unwrap_err().field, "time_zone");
}

/// A file of a format, damaged anywhere, and bytes that are nothing at all.
fn damaged() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let files =
        ["freeswitch.json", "freeswitch.xml", "asterisk_master.csv", "asterisk_cel.csv", "acc.json", "mapped.csv"];
    let one = proptest::sample::select(Format::ALL.into_iter().zip(files).collect::<Vec<_>>());
    let wounds = prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..6)), 0..12);
    (one, wounds, prop::collection::vec(any::<u8>(), 0..400), any::<bool>()).prop_map(
        |((format, name), wounds, noise, is_file)| {
            let mut bytes = if is_file { file(name) } else { noise };
            for (place, wound) in wounds {
                if !bytes.is_empty() {
                    let at = place.index(bytes.len());
                    bytes.splice(at..(at + 2).min(bytes.len()), wound);
                }
            }
            (format, bytes)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_stop_a_reader_and_reading_again_tells_the_same((format, bytes) in damaged()) {
        let mapping = (format == Format::Csv).then(german);
        let settings = Settings { mapping, ..settings(format) };
        let reader = Reader::new(&bytes, &settings);
        let rows: Vec<Row> = reader.rows().collect();
        prop_assert!(rows.len() <= bytes.len());
        prop_assert!(rows.windows(2).all(|pair| pair[0].end_byte <= pair[1].end_byte), "progress goes on");
        prop_assert_eq!(&reader.rows().collect::<Vec<_>>(), &rows);
        for record in rows.iter().filter_map(|row| row.record.as_ref().ok()) {
            prop_assert!(record.ended_at >= record.started_at && record.called.starts_with('+'));
        }
    }
}
