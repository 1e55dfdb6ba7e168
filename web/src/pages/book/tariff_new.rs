//! The form of a tariff to be, with what calls of some lengths would cost by it, reckoned by the engine that charges them.

use super::{prices, shell};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageResult, sentence};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{self, Faults, Given, again};
use crate::read;
use crate::shell::Section;
use crate::views::fields::{Control, Field};
use crate::views::form::{Choice, Choices, Fields, FormPart, Kept};
use crate::views::parts::{Heading, PagePath};
use crate::views::subscriptions::{Decide, Outcome};
use crate::views::table::{Cell, Column, Empty, Table};
use actix_web::{Either, web};
use db::TenantTx;
use pricing::{Band, CompiledTariff, DocumentError, Tariff};
use serde_json::{Map, Value, json};
use tenant::Role;

const FIELDS: [&str; 15] = [
    "name",
    "connection",
    "per",
    "rate",
    "after",
    "rate_after",
    "first_increment",
    "increment",
    "minimum_seconds",
    "free_seconds",
    "maximum",
    "night_from",
    "night_to",
    "night_rate",
    "weekend_rate",
];
/// Lengths of the calls that the preview prices, minutes.
const MINUTES: [u32; 3] = [1, 5, 10];
const SECONDS_MAX: u32 = 86_400;

/// `GET /admin/tariffs/new`
pub async fn form(member: Member, given: web::Query<Given>) -> PageResult<Decide> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let outcome = match given.get("sent") == "yes" {
        true => tried(&member, &tx, &given, &mut faults).await?,
        false => None,
    };
    page(&member, &tx, &given, &faults, outcome).await
}

async fn page(
    member: &Member,
    tx: &TenantTx,
    given: &Given,
    faults: &Faults,
    outcome: Option<Outcome>,
) -> PageResult<Decide> {
    Ok(Decide {
        shell: shell(member, tx, "A new tariff", Section::Plans).await?,
        heading: Heading::new("A new tariff")
            .path(PagePath::under("Plans and tariffs", member.audience.plans(), "New tariff"))
            .facts("Under a name that is there it becomes the next version; topics keep theirs."),
        tabs: Vec::new(),
        note: None,
        action: member.audience.tariff_new(),
        kept: Kept(vec![("sent".into(), "yes".into())]),
        parts: parts(member, given, faults),
        outcome,
        back_href: member.audience.plans(),
    })
}

async fn tried(member: &Member, tx: &TenantTx, given: &Given, faults: &mut Faults) -> PageResult<Option<Outcome>> {
    let Some((name, tariff)) = read_tariff(member, given, faults) else { return Ok(None) };
    let known = subscription::tariffs(tx).await?;
    let version = known.iter().filter(|known| known.name == name).map(|known| known.version).max().unwrap_or(0) + 1;
    let mut kept = given.kept();
    kept.retain(|(name, _)| FIELDS.contains(&name.as_str()));
    let currency = member.session.organisation.currency;
    let words = prices::tariff_words(&tariff, currency);
    Ok(Some(Outcome {
        changes: Some(table(member, &tariff)?),
        bill: None,
        action: member.audience.tariffs(),
        kept: Kept(kept),
        confirm: match version {
            1 => format!("Publish {name}"),
            _ => format!("Publish version {version} of {name}"),
        },
        is_danger: false,
        remark: format!("{words}; {}. It never changes once it is published.", prices::tariff_rules(&tariff, currency)),
    }))
}

/// A price of its own for each time at which there is one: the tariff's, then those of its bands.
fn by_time(tariff: &Tariff) -> Vec<(String, Tariff)> {
    let plain = Tariff { bands: Vec::new(), ..tariff.clone() };
    let at = |band: &Band| {
        let connection = band.connection.unwrap_or(tariff.connection);
        (prices::band_words(band), Tariff { connection, steps: band.steps.clone(), ..plain.clone() })
    };
    let usual = if tariff.bands.is_empty() { "Costs" } else { "Usually" };
    std::iter::once((usual.to_owned(), plain.clone())).chain(tariff.bands.iter().map(at)).collect()
}

/// What calls of some lengths cost, tax included.
fn table(member: &Member, tariff: &Tariff) -> PageResult<Table> {
    let book = &member.session.organisation;
    let times = by_time(tariff);
    let mut columns = vec![Column::text("A call of")];
    columns.extend(times.iter().map(|(when, _)| Column::figures(when)));
    let mut table = Table::new("What calls cost", columns, Empty::new("tag", "No call", "")).dense();
    let mut lengths: Vec<u32> = MINUTES.iter().map(|minutes| minutes * 60).collect();
    // Where a second price begins, as long again: to see it at work.
    lengths.extend(tariff.steps.get(1).map(|step| step.from_second.saturating_mul(2).min(SECONDS_MAX)));
    lengths.sort_unstable();
    lengths.dedup();
    for seconds in lengths {
        let mut cells = vec![Cell::name(format::duration_words(seconds.into()))];
        for (_, price) in &times {
            let charge = CompiledTariff::compile(price, book.currency, &book.time_zone)?.rate(member.now, seconds)?;
            cells.push(
                Cell::figure(charge.amount.human())
                    .sub(format!("{} billed", format::duration_words(charge.billed_seconds.into()))),
            );
        }
        table.row(cells);
    }
    Ok(table)
}

fn parts(member: &Member, given: &Given, faults: &Faults) -> Vec<FormPart> {
    let sign = member.session.organisation.currency.code();
    let figure = |name: &'static str, label: &str, usual: &str| {
        Field::figure(name, label, given.or(name, usual)).error(faults.at(name))
    };
    let time = |name: &'static str, label: &str| {
        Field::text(name, label, given.get(name)).control(Control::Time).error(faults.at(name))
    };
    let units =
        vec![Choice::new("minute", "A minute"), Choice::new("hour", "An hour"), Choice::new("second", "A second")];
    let price = Fields::new()
        .whole(Field::text("name", "Name", given.get("name")).error(faults.at("name")).required())
        .half(figure("connection", "To connect", "0").after(sign).hint("Once, when the meter starts"))
        .half(figure("rate", "Price", "").after(sign).required())
        .choices(Choices::one("per", "The price is for", given.or("per", "minute"), units).error(faults.at("per")))
        .half(figure("after", "Another price after", "").after("minutes").hint("Empty: one price for the whole call"))
        .half(figure("rate_after", "The price then", "").after(sign));
    let counting = Fields::new()
        .half(figure("first_increment", "First block", "").after("seconds").hint("Empty: as each next one"))
        .half(figure("increment", "Each next step", "1").after("seconds").hint("A step that has begun counts in full"))
        .half(figure("minimum_seconds", "At least", "0").after("seconds"))
        .half(figure("free_seconds", "Free", "0").after("seconds"))
        .half(figure("maximum", "At most a call", "").after(sign).hint("Empty: no limit"));
    let times = Fields::new()
        .half(time("night_from", "Monday to Friday from"))
        .half(time("night_to", "Until"))
        .half(figure("night_rate", "Price then", "").after(sign).hint("Empty: no other price"))
        .half(figure("weekend_rate", "Saturdays and Sundays", "").after(sign).hint("Empty: no other price"));
    vec![
        FormPart { title: "What it costs", text: "Tax included.", fields: price },
        FormPart { title: "How time is counted", text: "From when the meter starts.", fields: counting },
        FormPart { title: "Other times", text: "In the time zone of your organisation.", fields: times },
    ]
}

/// The name and the tariff that the form says; what is wrong stands at its field.
fn read_tariff(member: &Member, given: &Given, faults: &mut Faults) -> Option<(String, Tariff)> {
    let name = faults.keep("name", form::text(given.get("name")));
    let mut document = Map::new();
    document.insert("per".into(), given.or("per", "minute").into());
    for field in ["connection", "maximum"] {
        if let Some(amount) = amount(given, field, faults) {
            document.insert(field.into(), amount);
        }
    }
    for (field, least) in [("first_increment", 1), ("increment", 1), ("minimum_seconds", 0), ("free_seconds", 0)] {
        if let Some(seconds) = whole(given, field, least, SECONDS_MAX, faults) {
            document.insert(field.into(), seconds.into());
        }
    }
    let rate = faults.keep("rate", read::amount(given.get("rate"))).map(|rate| rate.normalize().to_string());
    let mut steps = vec![json!({ "from_second": 0, "rate": rate })];
    let after = whole(given, "after", 1, SECONDS_MAX / 60, faults);
    match (after, amount(given, "rate_after", faults)) {
        (Some(minutes), Some(rate)) => steps.push(json!({ "from_second": minutes * 60, "rate": rate })),
        (Some(_), None) => faults.say("rate_after", "Must not be empty where another price begins."),
        (None, Some(_)) => faults.say("after", "Must not be empty where there is another price."),
        (None, None) => {}
    }
    document.insert("steps".into(), steps.into());
    document.insert("bands".into(), bands(given, faults).into());
    if !faults.none() {
        return None;
    }
    let book = &member.session.organisation;
    let read = Tariff::from_json(&Value::Object(document)).map_err(|error| say(&error, faults)).ok()?;
    match CompiledTariff::compile(&read, book.currency, &book.time_zone) {
        Ok(_) => Some((name?, read)),
        Err(rule) => {
            faults.say("rate", sentence(&rule));
            None
        }
    }
}

/// Evenings and nights of working days, then the weekend.
fn bands(given: &Given, faults: &mut Faults) -> Vec<Value> {
    let mut bands = Vec::new();
    if let Some(rate) = amount(given, "night_rate", faults) {
        for field in ["night_from", "night_to"] {
            if given.get(field).is_empty() {
                faults.say(field, "Must not be empty where there is another price.");
            }
        }
        bands.push(json!({
            "days": ["mon", "tue", "wed", "thu", "fri"], "rate": rate,
            "from": given.get("night_from"), "to": given.get("night_to"),
        }));
    }
    if let Some(rate) = amount(given, "weekend_rate", faults) {
        bands.push(json!({ "days": ["sat", "sun"], "from": "00:00", "to": "24:00", "rate": rate }));
    }
    bands
}

/// A rule of the document stands at the field that gave the value.
fn say(error: &DocumentError, faults: &mut Faults) {
    let field = match error.pointer.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["steps", "1", ..] => "after",
        ["bands", _, "from"] => "night_from",
        ["bands", _, "to"] => "night_to",
        [field, ..] => FIELDS.into_iter().find(|known| *known == field).unwrap_or("rate"),
        [] => "rate",
    };
    faults.say(field, sentence(&error.rule));
}

/// An amount as a text; nothing where nothing was typed, or what was typed is wrong.
fn amount(given: &Given, field: &str, faults: &mut Faults) -> Option<Value> {
    let typed = Some(given.get(field)).filter(|typed| !typed.is_empty())?;
    faults.keep(field, read::amount(typed)).map(|amount| amount.normalize().to_string().into())
}

fn whole(given: &Given, field: &str, least: u32, most: u32, faults: &mut Faults) -> Option<u32> {
    let typed = Some(given.get(field)).filter(|typed| !typed.is_empty())?;
    faults.keep(field, read::count(typed, least, most))
}

/// `POST /admin/tariffs`
pub async fn publish(member: Member, given: web::Form<Given>) -> PageResult<form::Outcome<SeeOther, Decide>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let Some((name, tariff)) = read_tariff(&member, &given, &mut faults) else {
        return Ok(again(page(&member, &tx, &given, &faults, None).await?));
    };
    let currency = member.session.organisation.currency;
    let id = subscription::publish_tariff(&tx, &name, currency, &tariff, member.now).await?;
    let payload = json!({ "name": name, "price": prices::tariff_words(&tariff, currency) });
    tenant::record_audit(&tx, &member.actor(), "tariff.publish", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let notice = format!("{name} is published. A topic of a number can point to it now.");
    Ok(Either::Left(see_other(member.audience.plans()).notice(notice)))
}
