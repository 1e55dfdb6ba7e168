//! The book's accounts: the trial balance with its checks, and the movements of one account.

use super::customer::movements;
use super::shell;
use super::words::{self, ACCOUNT_GROUPS};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::book::{List, TableCard};
use crate::views::fields::{Control, Field};
use crate::views::parts::{Heading, Item, Items, PagePath, Pager, Stat, Stats, SumRow, Sums};
use crate::views::runs::Ledger;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Tone;
use actix_web::web;
use chrono::{DateTime, TimeDelta, Utc};
use db::CustomerId;
use ledger::{AccountKind, AccountRef, TrialBalanceLine, Violation};
use money::{Currency, Money};
use serde::Deserialize;

const MOVEMENTS_SHOWN: u64 = 100;
/// How far back the movements of an account go.
const MOVEMENT_DAYS: i64 = 400;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    currency: String,
    /// The trial balance at the end of this day.
    on: String,
    customer: String,
    /// Movements before this instant, in microseconds.
    before: String,
}

/// `GET /admin/ledger`
pub async fn ledger(member: Member, asked: web::Query<Asked>) -> PageResult<Ledger> {
    let tx = member.tx().await?;
    let now = member.now;
    let zone = &member.session.organisation.time_zone;
    let on = if asked.on.is_empty() { None } else { crate::read::day(&asked.on).ok() };
    let at = match on.and_then(|on| on.checked_add_days(chrono::Days::new(1))) {
        // What counts in the day's last microsecond counts.
        Some(after) => words::midnight(after, zone)? - TimeDelta::microseconds(1),
        None => now,
    };
    let lines = ledger::trial_balance(&tx, at).await?;
    let own = member.session.organisation.currency;
    let currency = asked.currency.parse().unwrap_or(own);
    let mut currencies: Vec<Currency> = vec![own];
    for line in &lines {
        if !currencies.contains(&line.balance.currency()) {
            currencies.push(line.balance.currency());
        }
    }
    let lines: Vec<TrialBalanceLine> = lines.into_iter().filter(|line| line.balance.currency() == currency).collect();
    let violations = ledger::check(&tx, now).await?;
    let audience = member.audience;
    let link = |of: &Currency| {
        let href = with_query(&audience.ledger(), &[("currency", of.code()), ("on", &asked.on)]);
        (of.code().to_owned(), href, *of == currency)
    };
    let (debits, credits) = sides(&lines, currency)?;
    let holds = debits == credits;
    Ok(Ledger {
        shell: shell(&member, &tx, "Trial balance", Section::Ledger).await?,
        heading: Heading::new("Trial balance")
            .badge(if holds { "Balances" } else { "Does not balance" }, if holds { Tone::Good } else { Tone::Wrong })
            .facts(format!("The book of {}, {currency}", member.session.organisation.name))
            .at(format::stamp(at, &member.zone))
            .action("Entries", audience.ledger_entries()),
        on: Field::text("on", "At the end of", &asked.on)
            .control(Control::Date)
            .error((!asked.on.is_empty() && on.is_none()).then_some("Must be a day, as in 2026-11-30.")),
        on_action: audience.ledger(),
        currency: currency.code().to_owned(),
        currencies: currencies.iter().map(link).collect(),
        stats: stats(&lines, debits, credits)?,
        accounts: accounts(audience, &lines, debits, credits, currency)?,
        checks_note: note(&violations),
        checks: checks(&violations, holds),
        clearing: clearing(&lines, currency),
    })
}

/// The sums of the two sides; both positive.
fn sides(lines: &[TrialBalanceLine], currency: Currency) -> PageResult<(Money, Money)> {
    let (mut debits, mut credits) = (Money::zero(currency), Money::zero(currency));
    for line in lines {
        if line.balance.is_negative() {
            debits = debits.checked_sub(line.balance)?;
        } else {
            credits = credits.checked_add(line.balance)?;
        }
    }
    Ok((debits, credits))
}

fn stats(lines: &[TrialBalanceLine], debits: Money, credits: Money) -> PageResult<Stats> {
    let accounts: u64 = lines.iter().map(|line| line.accounts).sum();
    Ok(Stats(vec![
        Stat::new("Debits", debits.human()),
        Stat::new("Credits", credits.human()),
        Stat::new("Difference", debits.checked_sub(credits)?.human()).note("must be zero", Tone::Plain),
        Stat::new("Accounts", format::count(i64::try_from(accounts).unwrap_or(i64::MAX)))
            .note("with entries", Tone::Plain),
    ]))
}

fn accounts(
    audience: Audience,
    lines: &[TrialBalanceLine],
    debits: Money,
    credits: Money,
    currency: Currency,
) -> PageResult<Table> {
    let columns = vec![
        Column::text("Account"),
        Column::figures(format!("Debit, {currency}")).label("Debit"),
        Column::figures(format!("Credit, {currency}")).label("Credit"),
    ];
    let empty = Empty::new("scale", "No entries yet", "The first payment or call posts here.");
    let mut table = Table::new("Accounts", columns, empty).dense();
    for group in ACCOUNT_GROUPS {
        let of_group: Vec<&TrialBalanceLine> =
            lines.iter().filter(|line| words::account(line.kind).1 == group).collect();
        if of_group.is_empty() {
            continue;
        }
        table.group(group);
        for line in of_group {
            let (name, _) = words::account(line.kind);
            let cell = match line.kind.is_per_customer() {
                true => Cell::text(name).sub(format::counted(
                    i64::try_from(line.accounts).unwrap_or(i64::MAX),
                    "customer",
                    "customers",
                )),
                false => Cell::text(name)
                    .to(with_query(&audience.ledger_account(line.kind.code()), &[("currency", currency.code())])),
            };
            let amount = Cell::figure(line.balance.checked_abs()?.human_bare());
            let (debit, credit) =
                if line.balance.is_negative() { (amount, Cell::none()) } else { (Cell::none(), amount) };
            table.row(vec![cell, debit, credit]);
        }
    }
    if !lines.is_empty() {
        table.total(vec![Cell::text("Sum"), Cell::figure(debits.human_bare()), Cell::figure(credits.human_bare())]);
    }
    Ok(table)
}

fn checks(violations: &[Violation], balances: bool) -> Items {
    let check =
        |invariant: &str, promise: &str| match violations.iter().find(|violation| violation.invariant == invariant) {
            None => Item::new("circle-check", Tone::Good, promise),
            Some(first) => Item::new("alert-circle", Tone::Wrong, promise).note(first.detail.clone()),
        };
    let sums = if balances {
        Item::new("circle-check", Tone::Good, "Debits equal credits")
    } else {
        Item::new("alert-circle", Tone::Wrong, "Debits equal credits")
    };
    Items(vec![
        sums,
        check("I1", "Every posting sums to zero"),
        check("I2", "Wallets equal their entries"),
        check("I3", "No wallet is below its floor"),
        check("I8", "What partners are owed sums to what was collected"),
        check("I14", "No reservation outlives its lease"),
    ])
}

fn note(violations: &[Violation]) -> String {
    match violations.len() {
        0 => "All hold, checked just now.".into(),
        n => format!("{} found just now.", format::counted(n as i64, "violation", "violations")),
    }
}

fn clearing(lines: &[TrialBalanceLine], currency: Currency) -> Sums {
    let of = |kind: AccountKind| {
        lines.iter().find(|line| line.kind == kind).map_or(Money::zero(currency), |line| line.balance)
    };
    let kinds = [AccountKind::ProcessorClearing, AccountKind::Unbilled, AccountKind::Exchange, AccountKind::Rounding];
    Sums(kinds.into_iter().map(|kind| SumRow::plain(words::account(kind).0, of(kind).human_bare())).collect())
}

/// `GET /admin/ledger/{account}`: an account of the book, or with `?customer=` one of a customer's.
pub async fn statement(member: Member, path: web::Path<String>, asked: web::Query<Asked>) -> PageResult<List> {
    let kind: AccountKind = path.parse().map_err(|_| PageError::NotFound)?;
    let tx = member.tx().await?;
    let customer = match asked.customer.is_empty() {
        true => None,
        false => {
            let id: CustomerId = asked.customer.parse()?;
            Some(subscription::customer(&tx, id).await?.ok_or(PageError::NotFound)?)
        }
    };
    let account = match (&customer, kind.is_per_customer()) {
        (Some(customer), true) => AccountRef::Customer(kind, customer.id),
        (None, false) => AccountRef::Book(kind),
        _ => return Err(PageError::NotFound),
    };
    let default = customer.as_ref().map_or(member.session.organisation.currency, |customer| customer.currency);
    let currency: Currency = asked.currency.parse().unwrap_or(default);
    let before = asked.before.parse().ok().and_then(DateTime::<Utc>::from_timestamp_micros);
    let to = before.unwrap_or(member.now + TimeDelta::seconds(1));
    let lines =
        ledger::statement(&tx, account, currency, to - TimeDelta::days(MOVEMENT_DAYS), to, MOVEMENTS_SHOWN).await?;
    let balance = ledger::balance(&tx, account, currency, member.now).await?;
    let columns = vec![
        Column::text("When"),
        Column::text("What").full(),
        Column::figures(format!("Amount, {currency}")),
        Column::figures(format!("Balance, {currency}")).label("Balance"),
    ];
    let empty = Empty::new("scale", "No movement", "What is posted to this account shows here.");
    let table = movements("Movements", columns, empty, &lines, Some(member.audience), &member.zone);
    let name = words::account(kind).0;
    let title = customer.as_ref().map_or_else(|| name.to_owned(), |customer| format!("{name}: {}", customer.name));
    let here = member.audience.ledger_account(kind.code());
    let href = |before: &str| {
        with_query(&here, &[("customer", &asked.customer), ("currency", currency.code()), ("before", before)])
    };
    let next = lines
        .last()
        .filter(|_| lines.len() as u64 == MOVEMENTS_SHOWN)
        .map(|line| href(&line.at.timestamp_micros().to_string()));
    Ok(List {
        shell: shell(&member, &tx, name, Section::Ledger).await?,
        heading: Heading::new(format!("{title}, {}", balance.human_balance()))
            .path(PagePath::under("Trial balance", member.audience.ledger(), name))
            .facts("Credits are positive, debits negative."),
        stats: Stats::default(),
        search: None,
        tabs: Vec::new(),
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: Some(Pager {
            shown: format!("{}, newest first", format::counted(lines.len() as i64, "movement", "movements")),
            first: before.map(|_| href("")),
            next,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_stands_on_the_side_that_its_sign_says() {
        let line = |kind, amount: &str| TrialBalanceLine {
            kind,
            accounts: 1,
            balance: Money::parse(amount, Currency::EUR).unwrap(),
        };
        let lines =
            [line(AccountKind::Receivable, "-119"), line(AccountKind::Revenue, "100"), line(AccountKind::Tax, "19")];
        let (debits, credits) = sides(&lines, Currency::EUR).unwrap();
        assert_eq!((debits.human(), credits.human()), ("€119.00".to_owned(), "€119.00".to_owned()));
    }
}
