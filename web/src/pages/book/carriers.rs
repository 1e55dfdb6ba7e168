//! Carriers: how each does now, the form of one, and the calls that it was given.

use super::decks::tabs;
use super::route_words::{rate, refusal_word};
use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::read;
use crate::shell::Section;
use crate::views::book::{List, TableCard};
use crate::views::fields::Field;
use crate::views::form::Fields;
use crate::views::panels::{FormCard, Panel, Panels};
use crate::views::parts::{Heading, PagePath, Stat, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Link, Tone};
use actix_web::{Either, web};
use call_control::{CallError, Carrier, CarrierQuality, NewCarrier, OutgoingFilter, OutgoingView};
use db::{CarrierId, TenantTx};
use tenant::Role;
use usage_metering::{DeckKind, RateDeck};

/// Calls of one carrier that are shown.
const SHOWN: u32 = 50;

/// `GET /ops/carriers`
pub async fn carriers(member: Member) -> PageResult<List> {
    let tx = member.tx().await?;
    let carriers = call_control::carriers(&tx).await?;
    let quality = call_control::carrier_quality(&tx, member.now).await?;
    let decks = usage_metering::decks(&tx).await?;
    let may_change = member.must(Role::Admin).is_ok();
    let mut empty = Empty::new(
        "route",
        "No carrier yet",
        "A carrier takes calls to the world, each prefix for what its cost deck says.",
    );
    empty.action = may_change.then(|| Link::new("New carrier", member.audience.carrier_new()));
    let columns = vec![
        Column::text("Carrier"),
        Column::text("Cost deck").full(),
        Column::figures("Answered").label("Answered"),
        Column::figures("Calls now").label("Calls now"),
        Column::figures("Priority").hidden(),
        Column::text("State"),
    ];
    let mut table = Table::new("Carriers", columns, empty);
    for carrier in &carriers {
        let quality = quality.get(&carrier.id).copied().unwrap_or_default();
        table.row(vec![
            Cell::name(&carrier.of.name).to(member.audience.carrier(carrier.id)).sub(&carrier.of.code),
            Cell::text(deck_name(&decks, carrier)),
            Cell::figure(answered(&quality)),
            Cell::figure(running(carrier, &quality)),
            Cell::figure(carrier.of.priority.to_string()),
            Cell::none().with(state(carrier)),
        ]);
    }
    let heading =
        Heading::new("Carriers").facts("The cheapest that is up, answers and keeps the margin is tried first.");
    Ok(List {
        shell: shell(&member, &tx, "Carriers", Section::Numbers).await?,
        heading: if may_change { heading.action("New carrier", member.audience.carrier_new()) } else { heading },
        stats: Stats::default(),
        search: None,
        tabs: tabs(member.audience, "Carriers"),
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: None,
    })
}

fn deck_name(decks: &[RateDeck], carrier: &Carrier) -> String {
    decks.iter().find(|deck| deck.id == carrier.of.cost_deck).map_or_else(String::new, |deck| deck.name.clone())
}

fn answered(quality: &CarrierQuality) -> String {
    let calls = format::counted(i64::try_from(quality.attempts).unwrap_or(i64::MAX), "call", "calls");
    match quality.answer_percent() {
        Some(percent) => format!("{percent}% of {calls}"),
        None if quality.attempts == 0 => "no call".to_owned(),
        None => format!("{} of {calls}", quality.answers),
    }
}

fn running(carrier: &Carrier, quality: &CarrierQuality) -> String {
    match carrier.of.channels_max {
        Some(most) => format!("{} of {}", quality.running, format::count(most.into())),
        None => quality.running.to_string(),
    }
}

fn state(carrier: &Carrier) -> Badge {
    if carrier.of.is_up { Badge::new("Up", Tone::Good) } else { Badge::new("Down", Tone::Wrong) }
}

/// `GET /ops/carriers/new`
pub async fn form(member: Member) -> PageResult<Panels> {
    member.must(Role::Admin)?;
    page(&member, None, &Given::default(), &Faults::default()).await
}

/// `GET /ops/carriers/{carrier_id}`
pub async fn carrier(member: Member, path: web::Path<String>) -> PageResult<Panels> {
    page(&member, Some(path.parse()?), &Given::default(), &Faults::default()).await
}

pub(super) async fn page(member: &Member, id: Option<CarrierId>, given: &Given, faults: &Faults) -> PageResult<Panels> {
    let tx = member.tx().await?;
    let known = match id {
        Some(id) => Some(call_control::carrier(&tx, id).await?.ok_or(PageError::NotFound)?),
        None => None,
    };
    let title = match &known {
        Some(known) if known.of.is_up => format!("{} takes calls", known.of.name),
        Some(known) => format!("{} takes no calls", known.of.name),
        None => "A new carrier".to_owned(),
    };
    let path =
        PagePath::under("Carriers", member.audience.carriers(), known.as_ref().map_or("New", |known| &known.of.code));
    let mut heading = Heading::new(title).path(path);
    let mut main = Vec::new();
    let mut stats = Stats::default();
    if let Some(known) = &known {
        heading.badge = Some(state(known));
        let quality = call_control::carrier_quality(&tx, member.now).await?.remove(&known.id).unwrap_or_default();
        stats = Stats(vec![
            Stat::new("Answered", answered(&quality)).note("of the last 15 minutes", Tone::Plain),
            Stat::new("Calls now", running(known, &quality)),
        ]);
        main.push(calls(member, &tx, known.id).await?);
    }
    let mut side = Vec::new();
    if member.must(Role::Admin).is_ok() {
        side.push(Panel::Form(fields(member, &tx, known.as_ref(), given, faults).await?));
        if let Some(known) = &known {
            let trunk = call_control::trunk(&tx, known.id).await?;
            side.push(Panel::Form(super::carrier_trunk::form(member, known.id, trunk.as_ref(), given, faults)));
        }
    }
    let (main, side) = if known.is_none() { (side, Vec::new()) } else { (main, side) };
    Ok(Panels {
        shell: shell(member, &tx, "Carrier", Section::Numbers).await?,
        heading,
        tabs: tabs(member.audience, "Carriers"),
        note: None,
        stats,
        main,
        side,
        pager: None,
    })
}

async fn fields(
    member: &Member,
    tx: &TenantTx,
    known: Option<&Carrier>,
    given: &Given,
    faults: &Faults,
) -> PageResult<FormCard> {
    let of = known.map(|known| &known.of);
    let text = |name: &'static str, usual: String| if given.has(name) { given.get(name).to_owned() } else { usual };
    let whole = |most: Option<u32>| most.map_or_else(String::new, |most| most.to_string());
    let decks = usage_metering::decks(tx).await?;
    let costs: Vec<(String, String)> = decks
        .iter()
        .filter(|deck| deck.kind == DeckKind::Cost)
        .map(|deck| (deck.id.to_string(), format!("{}, {}", deck.name, deck.currency.code())))
        .collect();
    let is_sent = given.has("sent");
    let is_up = if is_sent { given.get("is_up") == "yes" } else { of.is_none_or(|of| of.is_up) };
    let name = Field::text("name", "Name", text("name", of.map_or_else(String::new, |of| of.name.clone()))).required();
    let deck = text("cost_deck", of.map_or_else(String::new, |of| of.cost_deck.to_string()));
    let mut fields = Fields::new().whole(name.error(faults.at("name")));
    if known.is_none() {
        let code = Field::text("code", "Code", text("code", String::new())).required();
        fields = fields.whole(code.hint("a-z, 0-9 and -; stays for ever").error(faults.at("code")));
    }
    let fields = fields
        .whole(Field::choice("cost_deck", "Cost deck", deck, costs).error(faults.at("cost_deck")))
        .half(
            Field::figure(
                "channels_max",
                "Calls at once",
                text("channels_max", whole(of.and_then(|of| of.channels_max))),
            )
            .hint("Empty: no limit")
            .error(faults.at("channels_max")),
        )
        .half(
            Field::figure(
                "calls_per_second_max",
                "Calls a second",
                text("calls_per_second_max", whole(of.and_then(|of| of.calls_per_second_max))),
            )
            .hint("Empty: no limit")
            .error(faults.at("calls_per_second_max")),
        )
        .whole(
            Field::figure("priority", "Priority", text("priority", of.map_or(100, |of| of.priority).to_string()))
                .hint("Of two that cost the same the lower one is first")
                .error(faults.at("priority")),
        )
        .whole(Field::tick("is_up", "It takes calls", is_up));
    let (title, action, button) = match known {
        Some(known) => ("Settings", member.audience.carrier(known.id), "Save the carrier"),
        None => ("What it is", member.audience.carriers(), "Make the carrier known"),
    };
    Ok(FormCard::post(title, action, fields, button).kept("sent", "yes").remark("From the next call on."))
}

async fn calls(member: &Member, tx: &TenantTx, id: CarrierId) -> PageResult<Panel> {
    let filter = OutgoingFilter { carrier: Some(id), limit: SHOWN, ..OutgoingFilter::default() };
    let calls = call_control::outgoing_calls(tx, &filter).await?;
    let table = call_table(member, tx, &calls).await?;
    Ok(Panel::Table(TableCard { title: "Calls that it was given".into(), all: None, table }))
}

/// Calls out as a book knows them, with what they brought and cost.
pub(super) async fn call_table(member: &Member, tx: &TenantTx, calls: &[OutgoingView]) -> PageResult<Table> {
    let names = super::words::customer_names(tx, calls.iter().map(|call| call.customer_id)).await?;
    let columns = vec![
        Column::text("Called"),
        Column::text("For").full(),
        Column::text("Began").hidden(),
        Column::figures("Sold, net a minute").label("Sold"),
        Column::figures("Charged").label("Charged"),
        Column::figures("Cost").label("Cost"),
        Column::text("State"),
    ];
    let empty = Empty::new("phone", "No call yet", "Each call out shows here with its price and its cost.");
    let mut table = Table::new("Calls out", columns, empty).dense();
    for call in calls {
        let mut called = Cell::name(format::phone(&format!("+{}", call.called))).class("strong tel");
        // A call's page is in the book where it happened.
        if call.origin == tx.tenant_id() {
            called = called.to(member.audience.call(call.call_id));
        }
        let state = match (call.decision.refusal, &call.flag, call.charge) {
            (_, Some(_), _) => Badge::new("To look at", Tone::Wrong),
            (Some(refusal), None, _) => Badge::new(refusal_word(refusal), Tone::Plain),
            (None, None, Some(_)) => Badge::new("Over", Tone::Good),
            (None, None, None) if call.ended_at.is_some() => Badge::new("Not answered", Tone::Plain),
            (None, None, None) => Badge::new("Runs", Tone::On),
        };
        let sold = call.decision.sold.as_ref();
        table.row(vec![
            called.sub(sold.map_or("", |sold| sold.destination.as_str())),
            Cell::text(names.get(&call.customer_id).cloned().unwrap_or_default())
                .sub(call.flag.clone().unwrap_or_default()),
            Cell::text(format::stamp(call.started_at, &member.zone).text),
            sold.map_or_else(Cell::none, |sold| Cell::figure(rate(sold.net_rate))),
            call.charge.map_or_else(Cell::none, |charge| Cell::figure(charge.human_bare())),
            call.cost.map_or_else(Cell::none, |cost| Cell::figure(cost.human_bare())),
            Cell::none().with(state),
        ]);
    }
    Ok(table)
}

fn read(given: &Given, code: &str, faults: &mut Faults) -> Option<NewCarrier> {
    let most = |name: &'static str, faults: &mut Faults| match given.get(name) {
        "" => Some(None),
        text => faults.keep(name, read::count(text, 1, 1_000_000)).map(Some),
    };
    let cost_deck = faults.keep("cost_deck", crate::pages::form::id(given.get("cost_deck")));
    let channels_max = most("channels_max", faults);
    let calls_per_second_max = most("calls_per_second_max", faults);
    let priority = faults.keep("priority", read::count(given.get("priority"), 0, 1000));
    Some(NewCarrier {
        code: code.to_owned(),
        name: given.get("name").to_owned(),
        cost_deck: cost_deck?,
        channels_max: channels_max?,
        calls_per_second_max: calls_per_second_max?,
        is_up: given.get("is_up") == "yes",
        priority: priority?,
    })
}

/// `POST /ops/carriers`
pub async fn create(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let mut faults = Faults::default();
    if let Some(new) = read(&given, given.get("code"), &mut faults) {
        let tx = member.tx().await?;
        match call_control::create_carrier(&tx, &new, member.now).await {
            Ok(id) => {
                let payload = serde_json::json!({ "code": new.code });
                tenant::record_audit(&tx, &member.actor(), "carrier.create", &id.to_string(), payload, member.now)
                    .await?;
                tx.commit().await?;
                let notice = format!("{} takes calls from now on.", new.name);
                return Ok(Either::Left(see_other(member.audience.carriers()).notice(notice)));
            }
            Err(error) => broken(error, &mut faults)?,
        }
    }
    Ok(again(page(&member, None, &given, &faults).await?))
}

/// What a rule of calls out refused stands at its field; all else goes on.
pub(super) fn broken(error: CallError, faults: &mut Faults) -> PageResult<()> {
    match error {
        CallError::RuleBroken { field, rule, value } => {
            let rule = format!("{}{}", rule[..1].to_uppercase(), &rule[1..]);
            let found = if value.is_empty() { "nothing".to_owned() } else { format!("“{value}”") };
            faults.say(field, format!("{rule}, not {found}."));
            Ok(())
        }
        other => Err(other.into()),
    }
}

/// `POST /ops/carriers/{carrier_id}`
pub async fn change(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let id: CarrierId = path.parse()?;
    let mut faults = Faults::default();
    if let Some(new) = read(&given, "", &mut faults) {
        let tx = member.tx().await?;
        match call_control::change_carrier(&tx, id, &new).await {
            Ok(()) => {
                let payload = serde_json::json!({ "is_up": new.is_up, "cost_deck": new.cost_deck });
                tenant::record_audit(&tx, &member.actor(), "carrier.change", &id.to_string(), payload, member.now)
                    .await?;
                tx.commit().await?;
                return Ok(Either::Left(see_other(member.audience.carrier(id)).notice("The carrier is saved.")));
            }
            Err(error) => broken(error, &mut faults)?,
        }
    }
    Ok(again(page(&member, Some(id), &given, &faults).await?))
}
