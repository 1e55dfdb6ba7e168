//! When a wallet asks for money by itself: the terms, what was asked, and the breaker that a person closes.

use super::wallet::{find, page};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageResult, sentence};
use crate::extract::Member;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::recharge::WAITS_DAYS;
use crate::views::fields::Field;
use crate::views::parts::Note;
use crate::views::settlements::{Move, WalletPage};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use crate::{format, read};
use actix_web::{Either, web};
use db::TenantTx;
use jiff::tz::TimeZone;
use ledger::{AutoRecharge, AutoRechargeState, LedgerError, RechargeState};
use money::Currency;
use serde_json::json;
use subscription::Customer;
use tenant::Role;

/// Attempts of one page.
const SHOWN: u64 = 20;
const SECONDS_PER_HOUR: u32 = 3_600;
/// Longest pause between two attempts: thirty days.
const PAUSE_HOURS_MAX: u32 = 720;
const PAUSE_HOURS_BY_DEFAULT: u32 = 24;

/// The forms, as they are agreed or as they were typed.
pub fn moves(
    member: &Member,
    customer: &Customer,
    state: Option<&AutoRechargeState>,
    given: &Given,
    faults: &Faults,
) -> Vec<Move> {
    let terms = state.map(|state| &state.terms);
    let symbol = customer.currency.symbol();
    let money = |name: &str, label: &str, stands: Option<String>| {
        let stands = stands.unwrap_or_default();
        Field::figure(name, label, given.or(name, &stands)).before(symbol.clone()).error(faults.at(name)).required()
    };
    let pause = terms.map_or(PAUSE_HOURS_BY_DEFAULT, |terms| terms.cool_off_seconds / SECONDS_PER_HOUR).to_string();
    // Nobody is asked for money by a box that nobody has ticked.
    let is_on = if given.has("below") { given.has("is_on") } else { terms.is_some_and(|terms| terms.is_on) };
    let agree = Move {
        title: "Asks by itself",
        text: "When less is available, a letter asks for a transfer; the top-up answers it.",
        action: member.audience.customer_recharge(customer.id),
        fields: vec![
            Field::tick("is_on", "It asks by itself", is_on).error(faults.at("is_on")),
            money("below", "When less is available than", terms.map(|terms| terms.below.format_plain())),
            money("amount", "It asks for", terms.map(|terms| terms.amount.format_plain())),
            money("day_cap", "At most in 24 hours", terms.map(|terms| terms.day_cap.format_plain())),
            money("month_cap", "At most in 30 days", terms.map(|terms| terms.month_cap.format_plain())),
            Field::figure("pause", "Pause between two letters", given.or("pause", &pause))
                .after("hours")
                .error(faults.at("pause"))
                .required(),
        ],
        hidden: Vec::new(),
        button: "Agree".into(),
        is_usual: false,
    };
    let reset = Move {
        title: "Let it ask again",
        text: "Nobody has been asked since it stopped.",
        action: member.audience.customer_recharge_reset(customer.id),
        fields: Vec::new(),
        hidden: Vec::new(),
        button: "Let it ask again".into(),
        is_usual: true,
    };
    let is_open = state.is_some_and(|state| state.breaker.is_some());
    if is_open { vec![reset, agree] } else { vec![agree] }
}

/// That the breaker is open, and why.
pub fn note(state: &AutoRechargeState, zone: &TimeZone) -> Option<Note> {
    let (at, why) = state.breaker.as_ref()?;
    Some(Note::wrong("It no longer asks by itself.", format!("Since {}: {why}.", format::stamp(*at, zone).text)))
}

pub async fn attempts(tx: &TenantTx, customer: &Customer, zone: &TimeZone) -> PageResult<Table> {
    let columns = vec![
        Column::text("Asked").full(),
        Column::figures("Amount").label("Amount"),
        Column::figures("Available then").label("Available then"),
        Column::text("State"),
    ];
    let empty = Empty::new("repeat", "Never asked", "When the wallet runs low and asks by itself, it shows here.");
    let mut table = Table::new("Asked for by itself", columns, empty);
    for attempt in ledger::recharges_of(tx, customer.id, SHOWN).await? {
        let badge = match attempt.state {
            RechargeState::Asked => Badge::new(format!("Waits up to {WAITS_DAYS} days"), Tone::On),
            RechargeState::Paid => Badge::new("Paid", Tone::Good),
            RechargeState::Failed => Badge::new("Not answered", Tone::Soon),
        };
        table.row(vec![
            Cell::name(format::stamp(attempt.decided_at, zone).text),
            Cell::figure(attempt.amount.human()),
            Cell::figure(attempt.available.human_balance()),
            Cell::none().with(badge),
        ]);
    }
    Ok(table)
}

fn read_terms(customer: &Customer, given: &Given, faults: &mut Faults) -> Option<AutoRecharge> {
    let currency: Currency = customer.currency;
    let mut money = |name: &str| faults.keep(name, read::money(given.get(name), currency));
    let (below, amount) = (money("below"), money("amount"));
    let (day_cap, month_cap) = (money("day_cap"), money("month_cap"));
    let pause = faults.keep("pause", read::count(given.get("pause"), 0, PAUSE_HOURS_MAX));
    Some(AutoRecharge {
        customer_id: customer.id,
        below: below?,
        amount: amount?,
        day_cap: day_cap?,
        month_cap: month_cap?,
        cool_off_seconds: pause? * SECONDS_PER_HOUR,
        is_on: given.has("is_on"),
    })
}

/// `POST /admin/customers/{customer_id}/wallet/recharge`
pub async fn agree(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, WalletPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    let mut faults = Faults::default();
    let terms = read_terms(&customer, &given, &mut faults);
    if customer.email.is_none() && given.has("is_on") {
        faults.say("is_on", "Needs the customer’s e-mail address: it asks by letter.");
    }
    let (Some(terms), true) = (terms, faults.none()) else {
        return Ok(again(page(&member, &tx, &customer, &given, &faults).await?));
    };
    match ledger::set_auto_recharge(&tx, &terms, member.now).await {
        Ok(()) => {}
        Err(LedgerError::AmountMustBePositive(_)) => faults.say("amount", "Must be above zero."),
        Err(error @ LedgerError::CapsMustRise) => faults.say("day_cap", sentence(error)),
        Err(error) => return Err(error.into()),
    }
    if !faults.none() {
        return Ok(again(page(&member, &tx, &customer, &given, &faults).await?));
    }
    let payload = json!({ "below": terms.below.to_string(), "amount": terms.amount.to_string(), "is_on": terms.is_on });
    tenant::record_audit(&tx, &member.actor(), "wallet.recharge", &customer.id.to_string(), payload, member.now)
        .await?;
    tx.commit().await?;
    let notice = match terms.is_on {
        true => {
            format!("The wallet asks for {} when less than {} is available.", terms.amount.human(), terms.below.human())
        }
        false => "The wallet does not ask by itself.".to_owned(),
    };
    Ok(Either::Left(see_other(member.audience.customer_wallet(customer.id)).notice(notice)))
}

/// `POST /admin/customers/{customer_id}/wallet/recharge/reset`
pub async fn reset(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    ledger::close_breaker(&tx, customer.id, member.now).await?;
    let id = customer.id.to_string();
    tenant::record_audit(&tx, &member.actor(), "wallet.recharge_reset", &id, json!({}), member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.customer_wallet(customer.id)).notice("The wallet may ask again."))
}
