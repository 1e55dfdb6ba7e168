//! The form of each move, with what was given or, before anything was given, what the subscription has now.

use super::kind::Kind;
use crate::error::{PageError, PageResult};
use crate::format;
use crate::pages::book::prices;
use crate::pages::book::subscription::card::add_ons;
use crate::pages::book::subscription::names::{seats_said, seats_word};
use crate::pages::book::words::{civil_day, day};
use crate::pages::form::{Faults, Given};
use crate::views::fields::{Control, Field};
use crate::views::form::{Choice, Choices, Fields, FormPart};
use chrono::{DateTime, Utc};
use money::{Currency, Decimal};
use subscription::{Component, ComponentKind, History, Plan, PlanVersion, When};

/// The choice of a day that is typed, beside those that are reckoned.
pub const ON_A_DAY: &str = "day";

/// What the form is about and its fields.
pub fn parts(
    kind: Kind,
    given: &Given,
    history: &History,
    sold: &[Plan],
    faults: &Faults,
    now: DateTime<Utc>,
) -> PageResult<Vec<FormPart>> {
    let part = |title, text, fields| FormPart { title, text, fields };
    let when =
        |offered: &[(&'static str, When)], day: Option<Choice>| when_field(given, history, offered, day, faults, now);
    let when_or_day =
        |offered: &[(&'static str, When)]| Ok::<_, PageError>(with_day(when(offered, Some(a_day()))?, given, faults));
    let seats = || seats_field(given, history, faults, now);
    let soon = &[("now", When::Now), ("period_end", When::PeriodEnd)];
    let any = &[("now", When::Now), ("period_end", When::PeriodEnd), ("term_end", When::TermEnd)];
    Ok(match kind {
        Kind::Plan => vec![
            part(
                "Another plan",
                "Another model, another term, or the newest version.",
                plan_fields(given, history, sold, faults, now),
            ),
            part("When", "", when_or_day(any)?),
        ],
        Kind::Seats => vec![
            part("Seats", "Charged by the day from when they are there.", Fields::new().half(seats())),
            part("When", "", when_or_day(soon)?),
        ],
        Kind::AddOns => vec![
            part(
                "Add-ons",
                "Ticked ones are there, the others are not.",
                add_on_fields(given, history, sold, faults, now),
            ),
            part("When", "", when_or_day(soon)?),
        ],
        Kind::Pause => {
            let until =
                Field::text("until", "Until", given.get("until")).control(Control::Date).error(faults.at("until"));
            vec![
                part("Pause", "Neither served nor charged until it is resumed.", when_or_day(soon)?),
                part("Resume", "", Fields::new().half(until.hint("Empty: until somebody resumes it"))),
            ]
        }
        Kind::Resume => vec![part("Resume", "Served and charged again.", when_or_day(soon)?)],
        Kind::End => {
            let credit = Field::tick(
                "credit",
                "Credit what was billed in advance and is not used",
                given.get("credit") == "yes",
            );
            vec![
                part("End", "What is billed stays billed.", when_or_day(any)?),
                part("Credit", "For the time after the end.", Fields::new().whole(credit)),
            ]
        }
        Kind::Reactivate => vec![part(
            "Reactivate",
            "It goes on as it was; the time between is not charged.",
            Fields::new().choices(when(&soon[..1], None)?),
        )],
        Kind::EndTrial => vec![part(
            "End the trial",
            "What recurs is charged from then on.",
            Fields::new().choices(when(&soon[..1], None)?),
        )],
    })
}

fn a_day() -> Choice {
    Choice::new(ON_A_DAY, "On a day").note("Which one, says the field below")
}

/// What may take effect later does so on any day, too.
fn with_day(when: Choices, given: &Given, faults: &Faults) -> Fields {
    let on = Field::text("on", "Day", given.get("on")).control(Control::Date).error(faults.at("on"));
    Fields::new().choices(when).half(on.hint("For “On a day” only; with its first instant"))
}

fn seats_field(given: &Given, history: &History, faults: &Faults, now: DateTime<Utc>) -> Field {
    let (seats, plan) = (history.seats_at(now), history.plan_at(now));
    let now_there = seats_word(seats);
    let said = seats_said(plan);
    let hint = if said.is_empty() { format!("{now_there} now") } else { format!("{now_there} now; {said}") };
    Field::figure("seats", "Seats", given.or("seats", &seats.to_string()))
        .hint(hint)
        .error(faults.at("seats"))
        .required()
}

fn when_field(
    given: &Given,
    history: &History,
    offered: &[(&'static str, When)],
    day_of_choice: Option<Choice>,
    faults: &Faults,
    now: DateTime<Utc>,
) -> PageResult<Choices> {
    let zone = &history.subscription.time_zone;
    let mut seen = Vec::new();
    let mut choices = Vec::new();
    for (word, when) in offered {
        let at = when.instant(history, now)?;
        // The end of the term is the end of the month where terms are months.
        if seen.contains(&at) {
            continue;
        }
        seen.push(at);
        let on = day(civil_day(at, zone)?);
        choices.push(match when {
            When::PeriodEnd => Choice::new(*word, format!("With the next month, on {on}")),
            When::TermEnd => Choice::new(*word, format!("With the next term, on {on}")),
            _ => Choice::new(*word, "Now").note("Prorated by the day"),
        });
    }
    choices.extend(day_of_choice);
    Ok(Choices::one("when", "Takes effect", given.or("when", "now"), choices).error(faults.at("when")))
}

fn plan_fields(given: &Given, history: &History, sold: &[Plan], faults: &Faults, now: DateTime<Utc>) -> Fields {
    let held = history.plan_at(now);
    let offered = sold.iter().filter(|plan| !plan.is_add_on).filter_map(|plan| Some((plan, plan.newest.as_ref()?)));
    let choices =
        offered.filter(|(_, newest)| newest.id != held.id && newest.currency == held.currency).map(|(plan, newest)| {
            let same = if newest.plan_id == held.plan_id {
                format!(" (version {}, you have {})", newest.version, held.version)
            } else {
                String::new()
            };
            Choice::new(newest.id.to_string(), format!("{}{same}", plan.name)).note(prices_in_short(newest))
        });
    let seats = Field::figure("seats", "Seats", given.get("seats")).error(faults.at("seats"));
    Fields::new()
        .choices(Choices::one("version", "Plan", given.get("version"), choices.collect()).error(faults.at("version")))
        .half(seats.hint(format!("Empty: {} as now", seats_word(history.seats_at(now)))))
}

fn add_on_fields(given: &Given, history: &History, sold: &[Plan], faults: &Faults, now: DateTime<Utc>) -> Fields {
    let held: Vec<&PlanVersion> = add_ons(history, now).map(|attached| &attached.version).collect();
    let is_held = |plan: &Plan| held.iter().any(|version| version.plan_id == plan.id);
    let currency = history.plan_at(now).currency;
    let is_offered = |plan: &&Plan| {
        plan.is_add_on && (is_held(plan) || plan.newest.as_ref().is_some_and(|newest| newest.currency == currency))
    };
    let offered: Vec<&Plan> = sold.iter().filter(is_offered).collect();
    let choice = |plan: &&Plan| {
        let version = held.iter().copied().find(|version| version.plan_id == plan.id).or(plan.newest.as_ref());
        let note = version.map(prices_in_short).unwrap_or_default();
        Choice::new(plan.id.to_string(), &plan.name).note(note)
    };
    let choices = offered.iter().map(choice).collect();
    let now_held: Vec<String> = held.iter().map(|version| version.plan_id.to_string()).collect();
    let chosen: Vec<&str> =
        if given.has("sent") { given.all("add_on").collect() } else { now_held.iter().map(String::as_str).collect() };
    let group = Choices::any("add_on", "Add-ons", chosen.into_iter(), choices).error(faults.at("add_on"));
    Fields::new().choices(if offered.is_empty() { group.hint("No add-on is sold in this currency.") } else { group })
}

/// "€29.00 Platform, €49.00 for each of Active agents, 12 months"
pub fn prices_in_short(version: &PlanVersion) -> String {
    let mut words: Vec<String> =
        version.components.iter().take(4).map(|part| component_in_short(part, version.currency)).collect();
    if version.components.len() > 4 {
        words.push(format!("{} more", version.components.len() - 4));
    }
    if version.term_months > 1 {
        words.push(format!("for {}", format::counted(version.term_months.into(), "month", "months")));
    }
    words.join(", ")
}

fn component_in_short(part: &Component, currency: Currency) -> String {
    let unit = match &part.price.model {
        pricing::Model::PerUnit { unit } => Some(*unit),
        _ => None,
    };
    match (part.kind, unit) {
        (ComponentKind::Flat | ComponentKind::OneOff, Some(unit)) => {
            format!("{} {}", part.name, currency.human_rate(unit))
        }
        (_, Some(unit)) if unit == Decimal::ZERO => format!("{} included", part.name),
        (_, Some(unit)) => format!("{} {} each", part.name, currency.human_rate(unit)),
        (_, None) => format!("{} ({})", part.name, prices::in_short(&part.price, "", currency)),
    }
}
