//! How a file is read, as a form.

use crate::pages::form::{Faults, Given};
use crate::views::fields::Field;
use crate::views::form::{Fields, FormPart};
use std::collections::BTreeMap;
use usage_metering::{Column, Direction, DurationUnit, Format, Mapping, Settings, TimeFormat};

/// Separators by their word in the form.
const SEPARATORS: [(&str, char, &str); 4] =
    [("comma", ',', "Comma"), ("semicolon", ';', "Semicolon"), ("tab", '\t', "Tab"), ("pipe", '|', "Vertical bar")];

fn word(column: Column) -> &'static str {
    match column {
        Column::Id => "Id of the call",
        Column::Caller => "Caller",
        Column::Called => "Called number",
        Column::Start => "Start",
        Column::Answer => "Answer",
        Column::End => "End",
        Column::Duration => "Duration",
        Column::Billsec => "Talk time",
        Column::Direction => "Direction",
        Column::Account => "Customer number",
        Column::Digit => "Topic (digit)",
        Column::Agent => "Agent",
        Column::Cause => "Cause of the end",
    }
}

/// The form's field of a column.
fn name(column: Column) -> String {
    format!("column/{}", column.as_str())
}

/// The form's field of what is wrong with settings.
pub fn field_of(field: &str) -> &str {
    match field {
        "source" | "time_zone" | "country_code" | "digit" | "separator" | "time_format" | "dimensions" => field,
        "id" => "column/id",
        "caller" => "column/caller",
        "called" => "column/called",
        "start" => "column/start",
        "end" => "column/end",
        "answer" => "column/answer",
        "duration" => "column/duration",
        "billsec" => "column/billsec",
        "direction" => "column/direction",
        "account" => "column/account",
        "agent" => "column/agent",
        "cause" => "column/cause",
        // A dimension is named by its own name.
        _ => "dimensions",
    }
}

/// What the form says, once it is right.
pub fn read(given: &Given, format: Format, faults: &mut Faults) -> Option<Settings> {
    let some = |name: &str| Some(given.get(name).to_owned()).filter(|text| !text.is_empty());
    let digit = match given.get("digit") {
        "" => None,
        text => {
            let digit = text.parse::<u8>().ok().filter(|digit| *digit <= 9);
            faults.keep("digit", digit.ok_or_else(|| "Must be a digit 0 to 9.".to_owned()))
        }
    };
    let direction = match given.get("direction") {
        "" => None,
        "inbound" => Some(Direction::Inbound),
        "outbound" => Some(Direction::Outbound),
        _ => {
            faults.say("direction", "Must be one of these.");
            None
        }
    };
    let mapping = (format == Format::Csv).then(|| mapping(given, faults));
    let settings = Settings {
        format,
        source: given.get("source").to_owned(),
        time_zone: some("time_zone"),
        country_code: some("country_code").map(|code| code.trim_start_matches(['+', '0']).to_owned()),
        digit,
        direction,
        mapping,
    };
    faults.none().then_some(settings)
}

fn mapping(given: &Given, faults: &mut Faults) -> Mapping {
    let separator = SEPARATORS.iter().find(|(word, ..)| *word == given.get("separator"));
    if separator.is_none() {
        faults.say("separator", "Must be one of these.");
    }
    let time_format = match given.get("time_format") {
        "iso" => TimeFormat::Iso,
        "epoch_seconds" => TimeFormat::EpochSeconds,
        "epoch_millis" => TimeFormat::EpochMillis,
        _ => TimeFormat::Written(given.get("time_written").to_owned()),
    };
    let columns = Column::ALL.into_iter().map(|column| (column, given.get(&name(column)).to_owned()));
    Mapping {
        separator: separator.map_or(',', |(_, separator, _)| *separator),
        has_header: given.get("has_header") == "yes",
        decimal_comma: given.get("decimal_comma") == "yes",
        columns: columns.filter(|(_, name)| !name.is_empty()).collect(),
        dimensions: dimensions(given.get("dimensions"), faults),
        time_format,
        duration_unit: match given.get("duration_unit") {
            "milliseconds" => DurationUnit::Milliseconds,
            _ => DurationUnit::Seconds,
        },
    }
}

/// `language=Sprache, region=Gebiet`
fn dimensions(text: &str, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((name, column)) => {
                found.insert(name.trim().to_owned(), column.trim().to_owned());
            }
            None => faults.say("dimensions", format!("Must be pairs such as language=Language, not {pair}.")),
        }
    }
    found
}

/// What stands in the form: the settings that are kept, or what was sent and is wrong.
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// As they are kept.
    pub fn of(settings: &Settings) -> Self {
        let mut values = BTreeMap::new();
        let mut put = |name: &str, value: String| {
            values.insert(name.to_owned(), value);
        };
        put("source", settings.source.clone());
        put("time_zone", settings.time_zone.clone().unwrap_or_default());
        put("country_code", settings.country_code.clone().unwrap_or_default());
        put("digit", settings.digit.map(|digit| digit.to_string()).unwrap_or_default());
        put("direction", settings.direction.map(|direction| direction.as_str().to_owned()).unwrap_or_default());
        if let Some(mapping) = &settings.mapping {
            let separator = SEPARATORS.iter().find(|(_, separator, _)| *separator == mapping.separator);
            put("separator", separator.map_or("comma", |(word, ..)| *word).to_owned());
            put("has_header", if mapping.has_header { "yes".into() } else { String::new() });
            put("decimal_comma", if mapping.decimal_comma { "yes".into() } else { String::new() });
            let (format, written) = match &mapping.time_format {
                TimeFormat::Iso => ("iso", String::new()),
                TimeFormat::EpochSeconds => ("epoch_seconds", String::new()),
                TimeFormat::EpochMillis => ("epoch_millis", String::new()),
                TimeFormat::Written(written) => ("written", written.clone()),
            };
            put("time_format", format.to_owned());
            put("time_written", written);
            let unit = if mapping.duration_unit == DurationUnit::Seconds { "seconds" } else { "milliseconds" };
            put("duration_unit", unit.to_owned());
            let pairs = mapping.dimensions.iter().map(|(name, column)| format!("{name}={column}"));
            put("dimensions", pairs.collect::<Vec<_>>().join(", "));
            for (column, at) in &mapping.columns {
                put(&name(*column), at.clone());
            }
        }
        Self(values)
    }

    /// As they were sent.
    pub fn sent(given: &Given) -> Self {
        Self(given.kept().into_iter().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// The form. `columns` are the names in the file's first line, or the places of its columns.
pub fn parts(format: Format, values: &Values, columns: &[String], faults: &Faults) -> Vec<FormPart> {
    let text = |name: &'static str, label: &str| Field::text(name, label, values.get(name)).error(faults.at(name));
    let directions = [("", "As the numbers say"), ("inbound", "All came in"), ("outbound", "All went out")];
    let switch = Fields::new()
        .half(text("source", "Switch").hint("With its own id a call is known by this name, for good").required())
        .half(text("time_zone", "Time zone").hint("Of times without an offset, as Europe/Berlin"))
        .half(text("country_code", "Country code").hint("Of national numbers, as 49; empty to refuse them"))
        .half(text("digit", "Topic").hint("Digit of calls whose record names none"))
        .half(
            Field::choice("direction", "Direction", values.get("direction"), directions).error(faults.at("direction")),
        );
    let mut parts = vec![FormPart { title: "The switch", text: "What its records leave open.", fields: switch }];
    if format == Format::Csv {
        parts.extend(columns_parts(values, columns, faults));
    }
    let keep = Fields::new()
        .whole(text("save_as", "Keep it as").hint("A name, to read the next file the same way; empty to keep nothing"));
    parts.push(FormPart { title: "Keep this way", text: "", fields: keep });
    parts
}

fn columns_parts(values: &Values, columns: &[String], faults: &Faults) -> [FormPart; 2] {
    let choice = |name: &'static str, label: &str, options: Vec<(&'static str, &'static str)>| {
        Field::choice(name, label, values.get(name), options).error(faults.at(name))
    };
    let tick = |name: &'static str, label: &str| Field::tick(name, label, !values.get(name).is_empty());
    let times = vec![
        ("iso", "2026-03-02 10:00:00"),
        ("epoch_seconds", "Seconds since 1970"),
        ("epoch_millis", "Milliseconds since 1970"),
        ("written", "As written beside"),
    ];
    let file = Fields::new()
        .half(choice(
            "separator",
            "Columns are separated by",
            SEPARATORS.iter().map(|(word, _, said)| (*word, *said)).collect(),
        ))
        .half(choice(
            "duration_unit",
            "Durations are in",
            vec![("seconds", "Seconds"), ("milliseconds", "Milliseconds")],
        ))
        .half(choice("time_format", "Times are", times))
        .half(
            Field::text("time_written", "Written as", values.get("time_written"))
                .hint("As %d.%m.%Y %H:%M:%S")
                .error(faults.at("time_written")),
        )
        .half(tick("has_header", "The first line names the columns"))
        .half(tick("decimal_comma", "Decimals stand behind a comma"));
    let mut fields = Fields::new();
    for column in Column::ALL {
        let field = name(column);
        let none = std::iter::once((String::new(), "None".to_owned()));
        // A column that is not in the file stays visible, so that it is seen to be missing.
        let chosen = values.get(&field).to_owned();
        let missing = (!chosen.is_empty() && !columns.contains(&chosen)).then(|| (chosen.clone(), chosen.clone()));
        let options = none.chain(columns.iter().map(|name| (name.clone(), name.clone()))).chain(missing);
        fields = fields.half(Field::choice(field.clone(), word(column), chosen, options).error(faults.at(&field)));
    }
    fields = fields.whole(
        Field::text("dimensions", "Further dimensions", values.get("dimensions"))
            .hint("As language=Sprache, region=Gebiet; at most eight")
            .error(faults.at("dimensions")),
    );
    [
        FormPart { title: "The file", text: "How rows and times are written.", fields: file },
        FormPart {
            title: "The columns",
            text: "What each is; id, called number, start and an end are needed.",
            fields,
        },
    ]
}
