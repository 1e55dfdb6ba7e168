//! What the book lets out: its sell deck and margin, what everybody may spend, which classes of destinations are open, and what
//! reached a limit lately.

use super::carriers::{broken, call_table};
use super::decks::tabs;
use super::shell;
use super::words::customer_names;
use crate::answer::{SeeOther, see_other};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::read;
use crate::shell::Section;
use crate::views::book::TableCard;
use crate::views::fields::{Control, Field};
use crate::views::form::{Choice, Choices, Fields};
use crate::views::panels::{FormCard, Panel, Panels};
use crate::views::parts::{Heading, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use actix_web::{Either, web};
use call_control::{DestinationClass, LimitOf, LossGuard, OutgoingFilter, OutgoingPolicy, SpendLimit};
use db::{DeckId, TenantTx};
use money::{Currency, Money};
use tenant::Role;
use usage_metering::DeckKind;

/// Alerts and flagged calls that are shown.
const SHOWN: u32 = 20;

/// `GET /admin/outgoing?class=`
pub async fn outgoing(member: Member, given: web::Query<Given>) -> PageResult<Panels> {
    page(&member, &given, &Faults::default()).await
}

pub(super) async fn page(member: &Member, given: &Given, faults: &Faults) -> PageResult<Panels> {
    let tx = member.tx().await?;
    let policy = call_control::outgoing_policy(&tx).await?;
    let everybody = call_control::usual_spend_limit(&tx).await?;
    let title = match (&policy, everybody.is_open) {
        (None, _) => "No call goes out of this book",
        (Some(_), true) => "Calls out are open for everybody",
        (Some(_), false) => "Calls out are open for whom you open them",
    };
    let classes = call_control::destination_classes(&tx).await?;
    let mut main = vec![Panel::Table(TableCard {
        title: "Classes of destinations".into(),
        all: None,
        table: class_table(member, &classes),
    })];
    main.push(Panel::Table(TableCard {
        title: "What was stopped lately".into(),
        all: None,
        table: alerts(member, &tx).await?,
    }));
    let filter = OutgoingFilter { only_flagged: true, limit: SHOWN, ..OutgoingFilter::default() };
    let flagged = call_control::outgoing_calls(&tx, &filter).await?;
    if !flagged.is_empty() {
        let table = call_table(member, &tx, &flagged).await?;
        main.push(Panel::Table(TableCard { title: "Calls to look at".into(), all: None, table }));
    }
    let mut side = Vec::new();
    if member.must(Role::Admin).is_ok() {
        let currency = member.session.organisation.currency;
        if let Some(class) = classes.iter().find(|class| class.code == given.get("class")) {
            side.push(Panel::Form(class_form(member, class, currency, given, faults)));
        }
        side.push(Panel::Form(policy_form(member, &tx, policy.as_ref(), given, faults).await?));
        let form = FormCard::post(
            "What each customer may spend",
            member.audience.outgoing_limits(),
            limit_fields(&tx, Some(&everybody), given, faults, currency).await?,
            "Save the limits",
        )
        .text("Unless a customer has limits of its own")
        .kept("form", "limits");
        side.push(Panel::Form(form));
        side.push(Panel::Form(super::outgoing_line::form(member, &tx, given, faults).await?));
    }
    Ok(Panels {
        shell: shell(member, &tx, "Calls out", Section::Numbers).await?,
        heading: Heading::new(title).facts("What the book sells, to where, and how much of it at most."),
        tabs: tabs(member.audience, "Limits"),
        note: None,
        stats: Stats::default(),
        main,
        side,
        pager: None,
    })
}

fn class_table(member: &Member, classes: &[DestinationClass]) -> Table {
    let columns = vec![
        Column::text("Class"),
        Column::text("Prefixes").full(),
        Column::figures("A day, each customer").label("A day"),
        Column::text("State"),
    ];
    let mut table = Table::new("Classes of destinations", columns, Empty::new("route", "No class", ""));
    let currency = member.session.organisation.currency;
    for class in classes {
        let state = match class.is_open {
            true => Badge::new("Open", Tone::Good),
            false => Badge::new("Closed until opened", Tone::Plain),
        };
        let more = class.prefixes.len().saturating_sub(8);
        let mut prefixes = class.prefixes.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 {
            prefixes = format!("{prefixes} and {more} more");
        }
        table.row(vec![
            Cell::name(&class.name).to(member.audience.outgoing_class(&class.code)),
            Cell::text(prefixes),
            class
                .day_limit(currency)
                .map_or_else(|| Cell::text("no limit").class("quiet"), |most| Cell::figure(most.human_bare())),
            Cell::none().with(state),
        ]);
    }
    table
}

async fn alerts(member: &Member, tx: &TenantTx) -> PageResult<Table> {
    let alerts = call_control::spend_alerts(tx, None, SHOWN.into()).await?;
    let names = customer_names(tx, alerts.iter().map(|alert| alert.customer_id)).await?;
    let columns = vec![Column::text("When"), Column::text("Customer"), Column::text("Why").full()];
    let empty = Empty::new(
        "check",
        "Nothing",
        "What reaches a limit, or calls what is closed, shows here; the customer is told by letter.",
    );
    let mut table = Table::new("What was stopped lately", columns, empty).dense();
    for alert in alerts {
        let name = names.get(&alert.customer_id).cloned().unwrap_or_default();
        table.row(vec![
            Cell::text(format::stamp(alert.at, &member.zone).text),
            Cell::name(name).to(member.audience.customer_outgoing(alert.customer_id)),
            Cell::text(alert.detail),
        ]);
    }
    Ok(table)
}

fn class_form(
    member: &Member,
    class: &DestinationClass,
    currency: Currency,
    given: &Given,
    faults: &Faults,
) -> FormCard {
    let is_sent = given.get("form") == "class";
    let text = |name: &str, usual: String| if is_sent { given.get(name).to_owned() } else { usual };
    let usual_day =
        class.day_limit(currency).map_or_else(String::new, |most| most.as_decimal().normalize().to_string());
    let is_open = if is_sent { given.get("is_open") == "yes" } else { class.is_open };
    let fields = Fields::new()
        .whole(Field::text("name", "Name", text("name", class.name.clone())).required().error(faults.at("name")))
        .whole(
            Field::text("prefixes", "Prefixes", text("prefixes", class.prefixes.join(" ")))
                .control(Control::Area)
                .hint("Digits, with blanks between")
                .error(faults.at("prefixes")),
        )
        .whole(
            Field::figure("day_limit", "Each customer in a day", text("day_limit", usual_day))
                .after(currency.code())
                .hint("Empty: no limit of its own")
                .error(faults.at("day_limit")),
        )
        .whole(Field::tick("is_open", "Everybody may call these", is_open));
    FormCard::post(class.name.clone(), member.audience.outgoing_classes(), fields, "Save the class")
        .text("Of two classes the longer prefix decides")
        .kept("code", &class.code)
        .kept("class", &class.code)
        .kept("form", "class")
}

async fn policy_form(
    member: &Member,
    tx: &TenantTx,
    policy: Option<&OutgoingPolicy>,
    given: &Given,
    faults: &Faults,
) -> PageResult<FormCard> {
    let is_sent = given.get("form") == "policy";
    let text = |name: &str, usual: String| if is_sent { given.get(name).to_owned() } else { usual };
    let percent = |of: Option<rust_decimal::Decimal>| of.unwrap_or_default().normalize().to_string();
    let guard = policy.map_or("refuse", |policy| policy.loss_guard.as_str()).to_owned();
    let choices = vec![
        Choice::new("refuse", "It does not go out"),
        Choice::new("flag", "It goes out and is flagged").note("by the way that loses least, after all others"),
    ];
    let deck = policy.and_then(|policy| policy.sell_deck).map_or_else(String::new, |id| id.to_string());
    let fields = Fields::new()
        .whole(sell_deck(tx, text("sell_deck", deck), "None: only who has a deck of its own", faults).await?)
        .half(
            Field::figure(
                "minimum_margin_percent",
                "Margin at least",
                text("minimum_margin_percent", percent(policy.map(|p| p.minimum_margin_percent))),
            )
            .after("%")
            .error(faults.at("minimum_margin_percent")),
        )
        .half(
            Field::figure(
                "minimum_answer_percent",
                "Answered at least",
                text("minimum_answer_percent", percent(policy.map(|p| p.minimum_answer_percent))),
            )
            .after("%")
            .error(faults.at("minimum_answer_percent")),
        )
        .choices(
            Choices::one("loss_guard", "A call that keeps less", text("loss_guard", guard), choices)
                .error(faults.at("loss_guard")),
        );
    Ok(FormCard::post("How calls are sold and routed", member.audience.outgoing(), fields, "Save")
        .text("A carrier is judged by the calls of its last 15 minutes, once there are ten")
        .kept("form", "policy"))
}

async fn sell_deck(tx: &TenantTx, chosen: String, none: &str, faults: &Faults) -> PageResult<Field> {
    let decks = usage_metering::decks(tx).await?;
    let sell = decks.into_iter().filter(|deck| deck.kind == DeckKind::Sell);
    let options =
        std::iter::once((String::new(), none.to_owned())).chain(sell.map(|deck| (deck.id.to_string(), deck.name)));
    Ok(Field::choice("sell_deck", "Sell deck", chosen, options).error(faults.at("sell_deck")))
}

/// The fields of somebody's limits.
pub(super) async fn limit_fields(
    tx: &TenantTx,
    limit: Option<&SpendLimit>,
    given: &Given,
    faults: &Faults,
    currency: Currency,
) -> PageResult<Fields> {
    let is_sent = given.get("form") == "limits";
    let text = |name: &str, usual: String| if is_sent { given.get(name).to_owned() } else { usual };
    let amount = |micros: Option<i64>| {
        micros.map_or_else(String::new, |micros| {
            Money::from_micros(micros, currency).as_decimal().normalize().to_string()
        })
    };
    let of = |pick: fn(&SpendLimit) -> Option<i64>| amount(limit.and_then(pick));
    let is_open = if is_sent { given.get("is_open") == "yes" } else { limit.is_some_and(|limit| limit.is_open) };
    let at_once = limit.and_then(|limit| limit.calls_at_once_max).map_or_else(String::new, |most| most.to_string());
    let deck = limit.and_then(|limit| limit.sell_deck).map_or_else(String::new, |id| id.to_string());
    let field = |name: &'static str, label: &str, usual: String| {
        Field::figure(name, label, text(name, usual))
            .after(currency.code())
            .hint("Empty: no limit")
            .error(faults.at(name))
    };
    Ok(Fields::new()
        .whole(Field::tick("is_open", "Calls out are open", is_open))
        .half(field("call_limit", "One call", of(|limit| limit.call_micros)))
        .half(field("hour_limit", "In an hour", of(|limit| limit.hour_micros)))
        .half(field("day_limit", "In 24 hours", of(|limit| limit.day_micros)))
        .half(
            Field::figure("calls_at_once_max", "Calls at once", text("calls_at_once_max", at_once))
                .hint("Empty: no limit")
                .error(faults.at("calls_at_once_max")),
        )
        .whole(sell_deck(tx, text("sell_deck", deck), "The book's", faults).await?))
}

pub(super) fn read_deck(given: &Given, faults: &mut Faults) -> Option<Option<DeckId>> {
    match given.get("sell_deck") {
        "" => Some(None),
        id => faults.keep("sell_deck", crate::pages::form::id(id)).map(Some),
    }
}

/// What somebody may spend, as a form says it.
pub(super) fn read_limit(given: &Given, currency: Currency, faults: &mut Faults) -> Option<SpendLimit> {
    let amount = |name: &'static str, faults: &mut Faults| match given.get(name) {
        "" => Some(None),
        text => faults.keep(name, read::money(text, currency)).map(|amount| Some(amount.micros())),
    };
    let (call, hour, day) = (amount("call_limit", faults), amount("hour_limit", faults), amount("day_limit", faults));
    let at_once = match given.get("calls_at_once_max") {
        "" => Some(None),
        text => faults.keep("calls_at_once_max", read::count(text, 0, 1_000_000)).map(Some),
    };
    let sell_deck = read_deck(given, faults);
    Some(SpendLimit {
        is_open: given.get("is_open") == "yes",
        sell_deck: sell_deck?,
        call_micros: call?,
        hour_micros: hour?,
        day_micros: day?,
        calls_at_once_max: at_once?,
    })
}

/// `POST /admin/outgoing`
pub async fn set_policy(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let mut faults = Faults::default();
    let guard = LossGuard::from_word(given.get("loss_guard")).ok_or_else(|| "Must be one of these.".to_owned());
    let guard = faults.keep("loss_guard", guard);
    let margin = faults.keep("minimum_margin_percent", read::percent(given.get("minimum_margin_percent")));
    let answers = faults.keep("minimum_answer_percent", read::percent(given.get("minimum_answer_percent")));
    let deck = read_deck(&given, &mut faults);
    if let (Some(loss_guard), Some(margin), Some(answers), Some(sell_deck)) = (guard, margin, answers, deck) {
        let policy =
            OutgoingPolicy { sell_deck, loss_guard, minimum_margin_percent: margin, minimum_answer_percent: answers };
        let tx = member.tx().await?;
        match call_control::set_outgoing_policy(&tx, &policy, member.now).await {
            Ok(()) => {
                return Ok(Either::Left(
                    saved(&member, tx, "outgoing.policy", "", "It holds from the next call on.").await?,
                ));
            }
            Err(error) => broken(error, &mut faults)?,
        }
    }
    Ok(again(page(&member, &given, &faults).await?))
}

async fn saved(member: &Member, tx: TenantTx, action: &str, subject: &str, notice: &str) -> PageResult<SeeOther> {
    tenant::record_audit(&tx, &member.actor(), action, subject, serde_json::json!({}), member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.outgoing()).notice(notice))
}

/// `POST /admin/outgoing/limits`
pub async fn set_limits(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let mut faults = Faults::default();
    if let Some(limit) = read_limit(&given, member.session.organisation.currency, &mut faults) {
        let tx = member.tx().await?;
        match call_control::set_spend_limit(&tx, LimitOf::Everybody, Some(&limit), member.now).await {
            Ok(()) => {
                return Ok(Either::Left(
                    saved(&member, tx, "outgoing.limits", "", "The limits hold from the next call on.").await?,
                ));
            }
            Err(error) => broken(error, &mut faults)?,
        }
    }
    Ok(again(page(&member, &given, &faults).await?))
}

/// `POST /admin/outgoing/classes`
pub async fn set_class(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let mut faults = Faults::default();
    let currency = member.session.organisation.currency;
    let day = match given.get("day_limit") {
        "" => Some(None),
        text => faults.keep("day_limit", read::money(text, currency)).map(|amount| Some(amount.micros())),
    };
    if let Some(day_micros) = day {
        let prefixes =
            given.get("prefixes").split(|c: char| c.is_whitespace() || c == ',').filter(|prefix| !prefix.is_empty());
        let class = DestinationClass {
            code: given.get("code").to_owned(),
            name: given.get("name").to_owned(),
            prefixes: prefixes.map(|prefix| prefix.trim_start_matches('+').to_owned()).collect(),
            is_open: given.get("is_open") == "yes",
            day_micros,
        };
        let tx = member.tx().await?;
        match call_control::set_destination_class(&tx, &class, member.now).await {
            Ok(()) => {
                return Ok(Either::Left(
                    saved(&member, tx, "outgoing.class", &class.code, "The class is saved.").await?,
                ));
            }
            Err(error) => broken(error, &mut faults)?,
        }
    }
    Ok(again(page(&member, &given, &faults).await?))
}
