//! The form of an estimate: what is typed, as the document of a forecast, and the document's refusals back at the fields.

pub use super::forecast_sample::{blank, is_untouched, sample};
use crate::pages::form::Faults;
use crate::sheet::Sheet;
use crate::{read, rules};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use pricing::{ChannelKind, Day, DocumentError, Forecast};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Days of the week as fields and documents call them, and their names.
pub const DAYS: [(&str, &str); 7] = [
    ("mon", "Monday"),
    ("tue", "Tuesday"),
    ("wed", "Wednesday"),
    ("thu", "Thursday"),
    ("fri", "Friday"),
    ("sat", "Saturday"),
    ("sun", "Sunday"),
];

/// The forecast that the form describes, or what is wrong at which field.
pub fn forecast(sheet: &Sheet, now: DateTime<Utc>) -> Result<Forecast, Faults> {
    let mut reader = Reader { sheet, faults: Faults::default(), places: Vec::new() };
    let document = reader.document(now);
    if !reader.faults.none() {
        return Err(reader.faults);
    }
    Forecast::from_json(&document).map_err(|refused| reader.refused(&refused))
}

/// A refusal of the calculation itself, at its field.
pub fn refused(sheet: &Sheet, error: &DocumentError, now: DateTime<Utc>) -> Faults {
    let mut reader = Reader { sheet, faults: Faults::default(), places: Vec::new() };
    reader.document(now);
    reader.refused(error)
}

struct Reader<'a> {
    sheet: &'a Sheet,
    faults: Faults,
    /// Where a place of the document came from: `/channels/0/target` is `phone/target`.
    places: Vec<(String, String)>,
}

impl Reader<'_> {
    fn document(&mut self, now: DateTime<Utc>) -> Value {
        let channels = self.channels();
        let hours = self.hours();
        let (languages, regions) = (self.languages(), self.regions());
        let mut document = json!({
            "currency": self.word("currency", "/currency").to_uppercase(),
            "time_zone": self.word("zone", "/time_zone"),
            "week_of": week_of(now).to_string(),
            "hours": hours,
            "channels": channels,
            "maximum_occupancy": self.share("busy", "/maximum_occupancy", "85"),
            "shrinkage": self.share("away", "/shrinkage", "0"),
            "cost_per_agent_hour": self.amount("agent_hour", "/cost_per_agent_hour", "0"),
            "overhead_percent": self.percent("overhead", "/overhead_percent", "0"),
            "cost_per_channel": self.amount("line", "/cost_per_channel", "0"),
            "margin_percent": self.percent("margin", "/margin_percent", "0"),
            "risk_percent": self.percent("risk", "/risk_percent", "0"),
            "maximum_blocking": self.share("refused", "/maximum_blocking", "1"),
            "hours_per_agent_month": self.amount("contract_hours", "/hours_per_agent_month", "160"),
            "core_share": self.share("core", "/core_share", "80"),
            "implementation": {
                "hours_per_agent": self.amount("training_hours", "/implementation/hours_per_agent", "0"),
                "fixed": self.amount("fixed", "/implementation/fixed", "0"),
            },
        });
        for (name, list) in [("languages", languages), ("regions", regions)] {
            if !list.is_empty() {
                document[name] = Value::Array(list);
            }
        }
        document
    }

    /// Each channel on which something arrives.
    fn channels(&mut self) -> Vec<Value> {
        let mut channels = Vec::new();
        for kind in ChannelKind::ALL {
            let name = kind.name();
            if self.sheet.text(&format!("{name}/per_month")).is_empty() {
                continue;
            }
            let at = format!("/channels/{}", channels.len());
            let mut channel = json!({
                "channel": name,
                "per_month": self.amount(&format!("{name}/per_month"), &format!("{at}/per_month"), "0"),
                "talk_seconds": self.seconds(&format!("{name}/talk"), &format!("{at}/talk_seconds")),
                "after_seconds": self.seconds(&format!("{name}/after"), &format!("{at}/after_seconds")),
            });
            if kind.is_live() {
                channel["target"] = self.share(&format!("{name}/target"), &format!("{at}/target"), "80");
                channel["within_seconds"] = self.seconds(&format!("{name}/within"), &format!("{at}/within_seconds"));
            } else {
                channel["within_seconds"] = self.hours_allowed(name, &format!("{at}/within_seconds"));
            }
            if kind == ChannelKind::Chat && !self.sheet.text("chat/at_once").is_empty() {
                channel["at_once"] = self.amount("chat/at_once", &format!("{at}/at_once"), "1");
            }
            if let Some(profile) = self.profile(&at) {
                channel["profile"] = profile;
            }
            channels.push(channel);
        }
        if channels.is_empty() {
            self.faults.say("phone/per_month", "Must be above zero on one channel at least.");
        }
        channels
    }

    /// Stretches of opening: days with the same hours are one stretch.
    fn hours(&mut self) -> Vec<Value> {
        let mut stretches: Vec<(String, String, Vec<&str>)> = Vec::new();
        for (day, _) in DAYS {
            let (from, to) = (format!("hours/{day}/from"), format!("hours/{day}/to"));
            let (opens, closes) = (self.sheet.text(&from).to_owned(), self.sheet.text(&to).to_owned());
            match (opens.is_empty(), closes.is_empty()) {
                (true, true) => continue,
                (true, false) => self.faults.say(&from, "Must say when it opens."),
                (false, true) => self.faults.say(&to, "Must say when it closes."),
                (false, false) => match stretches.iter_mut().find(|(a, b, _)| *a == opens && *b == closes) {
                    Some((_, _, days)) => days.push(day),
                    None => {
                        let at = format!("/hours/{}", stretches.len());
                        self.places.push((format!("{at}/from"), from));
                        self.places.push((format!("{at}/to"), to));
                        stretches.push((opens, closes, vec![day]));
                    }
                },
            }
        }
        if stretches.is_empty() {
            self.faults.say("hours/mon/from", "Must be open on one day at least.");
        }
        stretches.into_iter().map(|(from, to, days)| json!({ "days": days, "from": from, "to": to })).collect()
    }

    fn languages(&mut self) -> Vec<Value> {
        let mut languages = Vec::new();
        for place in self.sheet.entries("languages") {
            if self.is_blank(&place) {
                continue;
            }
            let at = format!("/languages/{}", languages.len());
            let mut language = json!({
                "name": self.word(&format!("{place}/name"), &format!("{at}/name")),
                "share": self.share(&format!("{place}/share"), &format!("{at}/share"), ""),
            });
            if !self.sheet.text(&format!("{place}/cost")).is_empty() {
                language["cost_per_agent_hour"] =
                    self.amount(&format!("{place}/cost"), &format!("{at}/cost_per_agent_hour"), "");
            }
            languages.push(language);
        }
        self.places.push(("/languages".into(), "languages/0/share".into()));
        languages
    }

    fn regions(&mut self) -> Vec<Value> {
        let mut regions = Vec::new();
        for place in self.sheet.entries("regions") {
            if self.is_blank(&place) {
                continue;
            }
            let at = format!("/regions/{}", regions.len());
            let mut region = json!({
                "name": self.word(&format!("{place}/name"), &format!("{at}/name")),
                "share": self.share(&format!("{place}/share"), &format!("{at}/share"), ""),
                "carriage_per_minute":
                    self.amount(&format!("{place}/carriage"), &format!("{at}/carriage_per_minute"), "0"),
            });
            let zone = self.word(&format!("{place}/zone"), &format!("{at}/time_zone"));
            if !zone.is_empty() {
                region["time_zone"] = Value::String(zone);
            }
            regions.push(region);
        }
        self.places.push(("/regions".into(), "regions/0/share".into()));
        regions
    }

    /// Weights of hours and days; the same for every channel.
    fn profile(&mut self, channel: &str) -> Option<Value> {
        let mut profile = Map::new();
        for (name, count) in [("hours", 24), ("days", 7)] {
            let place = format!("profile/{name}");
            self.places.push((format!("{channel}/profile/{name}"), place.clone()));
            let text = self.sheet.text(&place);
            if text.is_empty() {
                continue;
            }
            let weights: Vec<&str> = text
                .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
                .filter(|part| !part.is_empty())
                .collect();
            if weights.len() != count {
                self.faults.say(&place, format!("Must be {count} numbers; here are {}.", weights.len()));
            } else if let Err(why) = weights.iter().try_for_each(|weight| read::amount(weight).map(drop)) {
                self.faults.say(&place, why);
            } else {
                profile.insert(name.into(), json!(weights));
            }
        }
        Some(Value::Object(profile)).filter(|profile| profile != &json!({}))
    }

    fn is_blank(&self, place: &str) -> bool {
        ["name", "share", "cost", "zone", "carriage"]
            .iter()
            .all(|part| self.sheet.text(&format!("{place}/{part}")).is_empty())
    }

    fn word(&mut self, field: &str, pointer: &str) -> String {
        self.places.push((pointer.into(), field.into()));
        self.sheet.text(field).to_owned()
    }

    /// What is read from a field; what is wrong is said there and a zero stands in, so that the rest is read too.
    fn number(
        &mut self,
        field: &str,
        pointer: &str,
        usual: &str,
        read: fn(&str) -> Result<Decimal, String>,
    ) -> Decimal {
        self.places.push((pointer.into(), field.into()));
        let text = match self.sheet.text(field) {
            "" => usual,
            text => text,
        };
        self.faults.keep(field, read(text)).unwrap_or_default()
    }

    fn amount(&mut self, field: &str, pointer: &str, usual: &str) -> Value {
        Value::String(self.number(field, pointer, usual, read::amount).to_string())
    }

    fn percent(&mut self, field: &str, pointer: &str, usual: &str) -> Value {
        Value::String(self.number(field, pointer, usual, read::amount).to_string())
    }

    /// Percent on the form, a share of one in the document.
    fn share(&mut self, field: &str, pointer: &str, usual: &str) -> Value {
        let percent = self.number(field, pointer, usual, read::percent);
        Value::String((percent / Decimal::ONE_HUNDRED).to_string())
    }

    fn seconds(&mut self, field: &str, pointer: &str) -> Value {
        Value::String(self.number(field, pointer, "0", read::seconds).to_string())
    }

    fn hours_allowed(&mut self, channel: &str, pointer: &str) -> Value {
        let hours = self.number(&format!("{channel}/within_hours"), pointer, "24", read::amount);
        Value::String(hours.checked_mul(Decimal::from(3600)).unwrap_or(Decimal::MAX).to_string())
    }

    /// A refusal of the document, at the field that it came from; else over the whole form.
    fn refused(mut self, error: &DocumentError) -> Faults {
        let under = |pointer: &str| error.pointer == pointer || error.pointer.starts_with(&format!("{pointer}/"));
        let field = self.places.iter().rev().find(|(pointer, _)| under(pointer)).map(|(_, field)| field.clone());
        self.faults.say(&field.unwrap_or_default(), rules::of_pricing(&error.rule));
        self.faults
    }
}

/// The Monday of a week: it decides how far zones lie apart.
fn week_of(now: DateTime<Utc>) -> NaiveDate {
    let today = now.date_naive();
    today - TimeDelta::days(today.weekday().num_days_from_monday().into())
}

/// The name of a day of the week.
pub fn day_name(day: Day) -> &'static str {
    match day {
        Day::Mon => "Monday",
        Day::Tue => "Tuesday",
        Day::Wed => "Wednesday",
        Day::Thu => "Thursday",
        Day::Fri => "Friday",
        Day::Sat => "Saturday",
        Day::Sun => "Sunday",
        Day::Holiday => "Holidays",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-20T13:00:00Z".parse().unwrap()
    }

    fn faulty(field: &str, text: &str) -> Option<String> {
        let mut sheet = sample();
        sheet.set(field, text);
        forecast(&sheet, now()).err().and_then(|faults| faults.at(field))
    }

    #[test]
    fn the_sample_is_a_forecast() {
        let forecast = forecast(&sample(), now()).expect("the sample reads");
        assert_eq!(forecast.channels.len(), 2);
        assert_eq!(forecast.hours.len(), 1, "five days alike are one stretch");
        assert_eq!(forecast.week_of.to_string(), "2026-11-16");
        let estimate = pricing::estimate(&forecast).expect("the sample can be staffed");
        assert!(estimate.peak_scheduled > 10 && estimate.cost.total.is_positive());
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (field, text, words) in [
            ("phone/per_month", "many", "number"),
            ("phone/target", "120", "0 to 100"),
            ("phone/target", "100", "below 100"),
            ("phone/talk", "2:75", "minutes and seconds"),
            ("phone/talk", "0", "above zero"),
            ("zone", "Europe/Nowhere", "time zone"),
            ("currency", "euro", "ISO 4217"),
            ("hours/mon/to", "", "closes"),
            ("hours/mon/to", "25:00", "time of day"),
            ("profile/hours", "1 2 3", "24 numbers; here are 3"),
            ("profile/days", "1 1 1 1 1 1 -1", "negative"),
            ("away", "100", "below 100"),
            ("margin", "100", "below 100"),
            ("busy", "0", "above zero"),
        ] {
            let said = faulty(field, text).unwrap_or_default();
            assert!(said.contains(words), "{field} = {text}: {said}");
        }
    }

    #[test]
    fn languages_and_regions_divide_the_volume_wholly() {
        let mut sheet = sample();
        for (place, text) in [
            ("languages/0/name", "German"),
            ("languages/0/share", "70"),
            ("languages/1/name", "English"),
            ("languages/1/share", "20"),
        ] {
            sheet.set(place, text);
        }
        // Lists are made of fields, so they are read back as lists.
        let fields = sheet.fields();
        let sheet = Sheet::of_fields(fields.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        let faults = forecast(&sheet, now()).expect_err("70 and 20 are not 100");
        assert_eq!(faults.at("languages/0/share").as_deref(), Some("All shares together must be 100."));
    }

    #[test]
    fn an_empty_form_says_what_is_missing() {
        let faults = forecast(&blank(), now()).expect_err("nothing arrives");
        assert!(faults.at("phone/per_month").is_some_and(|said| said.contains("above zero")));
    }
}
