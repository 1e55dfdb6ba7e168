//! The form of an estimate before anybody has typed: a sample, and nothing at all.

use super::forecast::DAYS;
use crate::sheet::Sheet;
use pricing::ChannelKind;

/// What the form shows until somebody types: a service line of a small centre, marked as a sample on the page.
const SAMPLE: [(&str, &str); 26] = [
    ("currency", "EUR"),
    ("zone", "Europe/Berlin"),
    ("phone/per_month", "31,710"),
    ("phone/talk", "2:30"),
    ("phone/after", "0:30"),
    ("phone/target", "80"),
    ("phone/within", "20"),
    ("email/per_month", "2,400"),
    ("email/talk", "5:00"),
    ("email/within_hours", "24"),
    ("hours/mon/from", "08:00"),
    ("hours/mon/to", "20:00"),
    ("profile/hours", "0 0 0 0 0 0 0 0 62 118 176 200 164 128 142 178 154 96 58 34 0 0 0 0"),
    ("profile/days", "115 105 100 95 85 0 0"),
    ("busy", "85"),
    ("away", "30"),
    ("contract_hours", "160"),
    ("core", "80"),
    ("agent_hour", "19.50"),
    ("overhead", "12"),
    ("line", "4.50"),
    ("refused", "1"),
    ("margin", "35"),
    ("risk", "8"),
    ("training_hours", "24"),
    ("fixed", "1,500"),
];

/// The form before anybody has typed.
pub fn sample() -> Sheet {
    let mut sheet = Sheet::of_fields(SAMPLE);
    for (day, _) in &DAYS[1..5] {
        sheet.set(&format!("hours/{day}/from"), "08:00");
        sheet.set(&format!("hours/{day}/to"), "20:00");
    }
    sheet
}

/// An empty form: nothing arrives, the usual rules stand.
pub fn blank() -> Sheet {
    let sample = sample();
    let kept = sample.fields().into_iter().filter(|(name, _)| {
        !name.ends_with("per_month")
            && !name.starts_with("profile/")
            && !matches!(name.as_str(), "training_hours" | "fixed")
    });
    let kept: Vec<(String, String)> = kept.collect();
    Sheet::of_fields(kept.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

/// Does the form say nothing yet of what arrives?
pub fn is_untouched(sheet: &Sheet) -> bool {
    ChannelKind::ALL.iter().all(|kind| sheet.text(&format!("{}/per_month", kind.name())).is_empty())
}
