//! The return calculator: what a service that earns by the minute brings in, and how far that lies from the ceiling.

use super::estimate::{address, not_computed};
use super::public_shell;
use crate::charts::{Chart, Drawn};
use crate::error::PageResult;
use crate::extract::SignedIn;
use crate::host::Site;
use crate::pages::form::{Faults, Given};
use crate::sheet::Sheet;
use crate::shell::Section;
use crate::views::fields::Field;
use crate::views::parts::{Note, Stat, Stats, SumRow, Sums};
use crate::views::public::{Outcome, ReturnPage, ReturnResult};
use crate::views::ui::Tone;
use crate::{format, read, rules, urls};
use actix_web::{HttpRequest, web};
use money::Money;
use pricing::{Operation, Return};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::json;

const SAMPLE: [(&str, &str); 9] = [
    ("currency", "EUR"),
    ("days", "21"),
    ("hours", "8"),
    ("margin", "0.10"),
    ("calls", "10"),
    ("occupancy", "71.4286"),
    ("away", "30"),
    ("fixed", "590"),
    ("investment", "12,000"),
];

/// `GET /roi`
pub async fn page(
    request: HttpRequest,
    site: Site,
    given: web::Query<Given>,
    signed_in: PageResult<SignedIn>,
) -> PageResult<ReturnPage> {
    let shell = public_shell(&request, &site, "Return calculator", Section::Return, signed_in.as_ref().ok());
    let is_sample = !given.has("days");
    let kept = given.kept();
    let sheet = match is_sample {
        true => Sheet::of_fields(SAMPLE),
        false => Sheet::of_fields(kept.iter().map(|(name, text)| (name.as_str(), text.as_str()))),
    };
    let note = is_sample
        .then(|| Note { lead: "Sample data.".into(), ..Note::plain("Change any figure; the result follows.") });
    let (outcome, faults) = match read(&sheet) {
        Ok(operation) => match pricing::return_on(&operation) {
            Ok(earned) => (Outcome::Found(Box::new(result(&sheet, &operation, &earned))), Faults::default()),
            Err(error) => wrong(refused(&error)),
        },
        Err(faults) => wrong(faults),
    };
    let rows = rows(&sheet, &faults);
    let outcome = outcome.named(rows.iter().flatten());
    Ok(ReturnPage { shell, note, action: urls::RETURN, is_sample, rows, outcome })
}

fn wrong(faults: Faults) -> (Outcome<ReturnResult>, Faults) {
    (Outcome::Nothing(not_computed(&faults)), faults)
}

/// Field, place in the document, how it is read.
type Read = fn(&str) -> Result<Decimal, String>;
const NUMBERS: [(&str, &str, Read); 8] = [
    ("days", "days", read::amount),
    ("hours", "hours_per_day", read::amount),
    ("margin", "margin_per_minute", read::amount),
    ("calls", "calls_at_once", read::amount),
    ("occupancy", "occupancy", read::percent),
    ("away", "shrinkage", read::percent),
    ("fixed", "fixed_per_month", read::amount),
    ("investment", "investment", read::amount),
];

fn read(sheet: &Sheet) -> Result<Operation, Faults> {
    let mut faults = Faults::default();
    let mut document = json!({ "currency": sheet.text("currency").to_uppercase() });
    for (field, place, read) in NUMBERS {
        let text = match (sheet.text(field), field) {
            ("", "fixed" | "investment") => "0",
            (text, _) => text,
        };
        let number = faults.keep(field, read(text)).unwrap_or_default();
        let is_share = matches!(field, "occupancy" | "away");
        let number = if is_share { number / Decimal::ONE_HUNDRED } else { number };
        document[place] = json!(number.to_string());
    }
    if !faults.none() {
        return Err(faults);
    }
    Operation::from_json(&document).map_err(|error| refused(&error))
}

fn refused(error: &pricing::DocumentError) -> Faults {
    let mut faults = Faults::default();
    let place = error.pointer.trim_start_matches('/');
    let field = NUMBERS.iter().find(|(_, of, _)| *of == place).map_or(place, |(field, ..)| field);
    faults.say(field, rules::of_pricing(&error.rule));
    faults
}

fn rows(sheet: &Sheet, faults: &Faults) -> Vec<Vec<Field>> {
    let figure = |name: &str, label: &str| Field::figure(name, label, sheet.text(name)).error(faults.at(name));
    vec![
        vec![figure("days", "Days a month"), figure("hours", "Hours a day").after("h")],
        vec![figure("calls", "Calls at once"), figure("margin", "Margin a minute")],
        vec![
            figure("occupancy", "Talking").after("%").hint("Of the time at the seat; 100 shows the ceiling"),
            figure("away", "Away").after("%").hint("0 when the hours are productive already"),
        ],
        vec![figure("fixed", "Fixed a month"), figure("investment", "To begin with")],
        vec![Field::text("currency", "Currency", sheet.text("currency")).error(faults.at("currency"))],
    ]
}

fn result(sheet: &Sheet, operation: &Operation, earned: &Return) -> ReturnResult {
    let whole =
        |number: Decimal| format::quantity(number.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero));
    let percent = |share: Decimal| format::quantity((share * Decimal::ONE_HUNDRED).round_dp(4));
    let back = match earned.payback_months {
        Some(months) if months.is_zero() => "at once".into(),
        Some(months) => format!("{} months", format::quantity(months)),
        None => "never".into(),
    };
    let share = format::percent(earned.margin.micros(), earned.at_most.micros()).unwrap_or_else(|| "0.0%".into());
    let calculation = format!(
        "{} days × {} h × 60 × {} × {}",
        format::quantity(operation.days),
        format::quantity(operation.hours_per_day),
        operation.currency.human_rate(operation.margin_per_minute),
        format::quantity(operation.calls_at_once),
    );
    ReturnResult {
        title: format!("{} a month of {} at most", earned.margin.human(), earned.at_most.human()),
        badge: None,
        facts: format!("{} minutes talked a month. Tax excluded.", whole(earned.minutes)),
        share_href: address(urls::RETURN, sheet),
        stats: Stats(vec![
            Stat::new("Margin a month", earned.margin.human()).note(format!("{share} of the ceiling"), Tone::Plain),
            Stat::new("After fixed cost", earned.net.human())
                .note(format!("{} a month fixed", money(operation.fixed_per_month, operation)), Tone::Plain),
            Stat::new("Comes back", back)
                .note(format!("of {} to begin with", money(operation.investment, operation)), Tone::Plain),
        ]),
        steps: Sums(vec![
            SumRow::plain(calculation, earned.at_most.human()),
            SumRow::Note("If everybody talked all the time".into()),
            SumRow::plain(
                format!(
                    "× {}% talking × {}% there",
                    percent(operation.occupancy),
                    percent(Decimal::ONE - operation.shrinkage)
                ),
                earned.margin.human(),
            ),
            SumRow::plain("less what is fixed", money(operation.fixed_per_month, operation)),
            SumRow::sum("Left a month", earned.net.human()),
        ]),
        chart: chart(operation),
    }
}

fn money(amount: Decimal, operation: &Operation) -> String {
    Money::from_decimal(amount, operation.currency)
        .map_or_else(|_| operation.currency.human_rate(amount), |money| money.human())
}

/// What is left over the share of time that agents talk: where the fixed cost is earned, and where the reader is.
fn chart(operation: &Operation) -> Chart {
    let mark = (operation.occupancy * Decimal::ONE_HUNDRED).round_dp(1).normalize().to_string();
    let name = format!("You, {mark}%");
    let mut chart = Chart::lines(
        "talking",
        "What talking more is worth",
        "Margin of a month by the share of time talking",
        "Talking, %",
    )
    .note("Margin a month and what is left of it, by the share of the time at the seat that agents talk")
    .height(248)
    .unit(operation.currency.symbol().trim())
    .mark(mark, name)
    .series("Margin", Drawn::Line, "c1")
    .series("After fixed cost", Drawn::Line, "c2");
    for percent in (0..=100).step_by(10) {
        let occupancy = Decimal::from(percent) / Decimal::ONE_HUNDRED;
        let Ok(at) = pricing::return_on(&Operation { occupancy, ..*operation }) else { continue };
        let value = |money: Money| Some((money.as_decimal().to_string(), money.human_estimate()));
        chart.point_at(percent.to_string(), format!("{percent}%"), vec![value(at.margin), value(at.net)]);
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_half_of_its_ceiling() {
        let sheet = Sheet::of_fields(SAMPLE);
        let operation = read(&sheet).expect("the sample reads");
        let shown = result(&sheet, &operation, &pricing::return_on(&operation).unwrap());
        // 21 x 8 x 60 x 0.10 x 10 = 10,080; x 0.714286 x 0.7 = 5,040
        assert_eq!(shown.title, "€5,040.00 a month of €10,080.00 at most");
        assert_eq!(shown.stats.0[1].value, "€4,450.00"); // less 590
        assert_eq!(shown.stats.0[2].value, "2.7 months"); // 12,000 / 4,450
    }

    #[test]
    fn what_is_wrong_is_said_at_its_field() {
        for (field, text, words) in [
            ("days", "32", "at most 31"),
            ("hours", "25", "at most 24"),
            ("occupancy", "101", "0 to 100"),
            ("margin", "-1", "negative"),
            ("currency", "euro", "ISO 4217"),
            ("calls", "", "empty"),
        ] {
            let mut sheet = Sheet::of_fields(SAMPLE);
            sheet.set(field, text);
            let said = read(&sheet).err().and_then(|faults| faults.at(field)).unwrap_or_default();
            assert!(said.contains(words), "{field} = {text}: {said}");
        }
    }
}
