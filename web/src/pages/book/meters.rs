//! Meters: what the book counts, and the form of a new one, tried on what came before.

use super::shell;
use super::words::spoken;
use crate::answer::{SeeOther, see_other};
use crate::api::meters::{PREVIEW_DAYS, field_of};
use crate::error::{PageResult, sentence};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given};
use crate::shell::Section;
use crate::views::book::{List, TableCard};
use crate::views::fields::Field;
use crate::views::form::{Choice, Choices, Fields, FormPart, Kept};
use crate::views::parts::{Heading, PagePath, Stats};
use crate::views::subscriptions::{Decide, Outcome};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Link;
use actix_web::web;
use chrono::TimeDelta;
use db::TenantTx;
use std::collections::BTreeMap;
use tenant::Role;
use usage_metering::{Aggregation, Meter, MeterPreview};

const FIELDS: [&str; 9] =
    ["code", "name", "unit", "event_type", "aggregation", "of_dimension", "percent", "filter", "dimensions"];

fn said(aggregation: Aggregation) -> &'static str {
    match aggregation {
        Aggregation::Sum => "Sum of their quantities",
        Aggregation::Count => "Their number",
        Aggregation::Max => "The largest of an hour",
        Aggregation::Unique => "Different values",
        Aggregation::Percentile => "A percentile of their quantities",
        Aggregation::Peak => "How many at once",
    }
}

/// "Different values of caller"
fn how(meter: &Meter) -> String {
    match (&meter.of_dimension, meter.percent) {
        (Some(dimension), _) => format!("Different values of {dimension}"),
        (_, Some(percent)) => format!("What {percent}% do not exceed"),
        (None, None) => said(meter.aggregation).to_owned(),
    }
}

/// `GET /admin/meters`
pub async fn meters(member: Member) -> PageResult<List> {
    let tx = member.tx().await?;
    let meters = usage_metering::meters(&tx).await?;
    let may_change = member.must(Role::Admin).is_ok();
    let columns = vec![
        Column::text("Meter"),
        Column::text("Counts").full(),
        Column::text("How").hidden(),
        Column::text("Unit").hidden(),
        Column::text("Kept by").full(),
    ];
    let mut empty = Empty::new("hash", "No meter yet", "A meter counts the events of one type.");
    empty.action = may_change.then(|| Link::new("New meter", member.audience.meter_new()));
    let mut table = Table::new("Meters", columns, empty);
    for meter in &meters {
        table.row(vec![
            Cell::name(&meter.name).sub(&meter.code),
            Cell::text(counted(meter)),
            Cell::text(how(meter)),
            Cell::text(&meter.unit),
            Cell::text(meter.dimensions.join(", ")),
        ]);
    }
    let heading = Heading::new("Meters").facts("What this book counts of the events that come in.");
    Ok(List {
        shell: shell(&member, &tx, "Meters", Section::Usage).await?,
        heading: if may_change { heading.action("New meter", member.audience.meter_new()) } else { heading },
        stats: Stats::default(),
        search: None,
        tabs: tabs(&member, "Meters"),
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: None,
    })
}

/// What was used, what counts it, how it comes in, and what could not be counted.
pub(super) fn tabs(member: &Member, here: &str) -> Vec<(String, String, bool)> {
    let audience = member.audience;
    [
        ("Usage", audience.usage()),
        ("Meters", audience.meters()),
        ("Imports", audience.imports()),
        ("In suspense", audience.suspense()),
    ]
    .into_iter()
    .map(|(text, href)| (text.to_owned(), href, text == here))
    .collect()
}

/// "minutes with topic law"
fn counted(meter: &Meter) -> String {
    let filter: Vec<String> = meter.filter.iter().map(|(name, value)| format!("{name} {value}")).collect();
    match filter.is_empty() {
        true => meter.event_type.clone(),
        false => format!("{} with {}", meter.event_type, filter.join(", ")),
    }
}

/// `GET /admin/meters/new`
pub async fn form(member: Member, given: web::Query<Given>) -> PageResult<Decide> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let outcome = match given.get("sent") == "yes" {
        true => tried(&member, &tx, &given, &mut faults).await?,
        false => None,
    };
    Ok(Decide {
        shell: shell(&member, &tx, "A new meter", Section::Usage).await?,
        heading: Heading::new("A new meter").path(PagePath::under("Meters", member.audience.meters(), "New")),
        tabs: Vec::new(),
        note: None,
        action: member.audience.meter_new(),
        kept: Kept(vec![("sent".into(), "yes".into())]),
        parts: parts(&given, &faults),
        outcome,
        back_href: member.audience.meters(),
    })
}

async fn tried(member: &Member, tx: &TenantTx, given: &Given, faults: &mut Faults) -> PageResult<Option<Outcome>> {
    let Some(meter) = read(tx, given, faults).await? else { return Ok(None) };
    let from = member.now - TimeDelta::days(PREVIEW_DAYS);
    let preview = match usage_metering::preview_meter(tx, &meter, from, member.now).await {
        Ok(preview) => preview,
        Err(error) => match field_of(&error) {
            Some((field, _)) => {
                faults.say(field, sentence(&error));
                return Ok(None);
            }
            None => return Err(error.into()),
        },
    };
    let mut kept = given.kept();
    kept.retain(|(name, _)| FIELDS.contains(&name.as_str()));
    Ok(Some(Outcome {
        changes: Some(table(&meter, &preview)),
        bill: None,
        action: member.audience.meters(),
        kept: Kept(kept),
        confirm: format!("Count {} from now on", meter.name),
        is_danger: false,
        remark: match preview.waiting {
            0 => format!("What it would have counted in the last {PREVIEW_DAYS} days; the past is not counted anew."),
            n => format!("{} in suspense; counted when you try them again there.", waiting(n)),
        },
    }))
}

fn waiting(n: u64) -> String {
    let count = format::counted(i64::try_from(n).unwrap_or(i64::MAX), "event", "events");
    format!("{count} of these {}", if n == 1 { "waits" } else { "wait" })
}

fn table(meter: &Meter, preview: &MeterPreview) -> Table {
    let columns = vec![
        Column::text("By its dimensions"),
        Column::figures("Events").label("Events"),
        Column::figures(spoken(&meter.unit)),
    ];
    let empty = Empty::new("hash", "Nothing of the last 30 days", "No event of this type passes the filter.");
    let mut table = Table::new("What it would have counted", columns, empty);
    let events = |n: u64| format::count(i64::try_from(n).unwrap_or(i64::MAX));
    for sum in &preview.by_dimension {
        let said: Vec<&str> = sum.dimensions.values().map(String::as_str).collect();
        table.row(vec![
            Cell::text(if said.is_empty() { "All".to_owned() } else { said.join(", ") }),
            Cell::figure(events(sum.events.unsigned_abs())),
            Cell::figure(format::quantity(sum.quantity)),
        ]);
    }
    if preview.events > 0 {
        table.total(vec![
            Cell::name("Last 30 days"),
            Cell::figure(events(preview.events)),
            Cell::figure(format::quantity(preview.quantity)),
        ]);
    }
    table
}

fn parts(given: &Given, faults: &Faults) -> Vec<FormPart> {
    let text = |name: &'static str, label: &str| Field::text(name, label, given.get(name)).error(faults.at(name));
    let named = Fields::new()
        .half(text("name", "Name").required())
        .half(text("code", "Code").hint("1 to 60 of a-z, 0-9, _ and .; stays for ever").required())
        .half(text("unit", "Unit").hint("One of them: minute, message").required());
    let choices = Aggregation::ALL.map(|aggregation| Choice::new(aggregation.as_str(), said(aggregation)));
    let which = Fields::new()
        .half(text("event_type", "Event type").hint("As the sender calls it; empty for the meter's code"))
        .half(text("filter", "Only with").hint("As topic=law, language=de; empty for all"))
        .choices(
            Choices::one("aggregation", "Counts", given.or("aggregation", "sum"), choices.to_vec())
                .error(faults.at("aggregation")),
        )
        .half(text("of_dimension", "Different values of").hint("A dimension, such as caller; only where these count"))
        .half(text("percent", "Percent").hint("Such as 95; only for a percentile"))
        .whole(text("dimensions", "Kept by").hint("Dimensions to tell sums apart by, with commas; at most eight"));
    vec![
        FormPart { title: "What it is", text: "As it stands on plans and invoices.", fields: named },
        FormPart {
            title: "What it counts",
            text: "Several meters may count the same events. How many are at once goes by when each occurred and by its quantity, in seconds.",
            fields: which,
        },
    ]
}

async fn read(tx: &TenantTx, given: &Given, faults: &mut Faults) -> PageResult<Option<Meter>> {
    let code = given.get("code").to_owned();
    if usage_metering::meters(tx).await?.iter().any(|known| known.code == code) {
        faults.say("code", format!("Another meter has the code {code}."));
    }
    let aggregation = Aggregation::ALL.into_iter().find(|known| known.as_str() == given.get("aggregation"));
    let Some(aggregation) = aggregation else {
        faults.say("aggregation", "Must be one of these.");
        return Ok(None);
    };
    let mut filter = BTreeMap::new();
    for pair in given.get("filter").split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) => {
                filter.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            None => faults.say("filter", format!("Must be pairs such as topic=law, not {pair}.")),
        }
    }
    let of_dimension = Some(given.get("of_dimension").trim()).filter(|name| !name.is_empty()).map(str::to_owned);
    let percent = match given.get("percent").trim() {
        "" => None,
        text => faults.keep(
            "percent",
            money::parse_decimal(text).map_err(|_| format!("Must be a number such as 95, not {text}.")),
        ),
    };
    let dimensions = given.get("dimensions").split(',').map(str::trim).filter(|name| !name.is_empty());
    let event_type = Some(given.get("event_type")).filter(|kind| !kind.is_empty()).unwrap_or(&code).to_owned();
    Ok(faults.none().then(|| Meter {
        name: given.get("name").to_owned(),
        unit: given.get("unit").to_owned(),
        aggregation,
        dimensions: dimensions.map(str::to_owned).collect(),
        event_type,
        filter,
        of_dimension,
        percent: percent.map(|percent| percent.normalize()),
        code,
    }))
}

/// `POST /admin/meters`
pub async fn define(member: Member, given: web::Form<Given>) -> PageResult<SeeOther> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let Some(meter) = read(&tx, &given, &mut faults).await? else {
        return Ok(see_other(member.audience.meter_new()).warning(faults.first()));
    };
    match usage_metering::create_meter(&tx, &meter).await {
        Ok(()) => {}
        Err(error) if field_of(&error).is_some() => {
            return Ok(see_other(member.audience.meter_new()).warning(sentence(&error)));
        }
        Err(error) => return Err(error.into()),
    }
    let payload = serde_json::json!({ "event_type": meter.event_type, "filter": meter.filter });
    tenant::record_audit(&tx, &member.actor(), "meter.define", &meter.code, payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.meters()).notice(format!("{} are counted from now on.", meter.name)))
}
