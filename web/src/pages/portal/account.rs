//! The first page of the portal.

use super::prices::{price_lines, sold_topics};
use super::{customer_of, invoices::receipt_rows};
use crate::error::PageResult;
use crate::extract::PortalCustomer;
use crate::pages::book::prices::is_free;
use crate::shell::Section;
use crate::views::parts::{Item, Items};
use crate::views::portal::{Movement, Portal};
use crate::views::ui::{Link, Tone};
use crate::{format, urls};
use call_control::CallFilter;
use chrono::{TimeDelta, Utc};
use db::CustomerTx;
use jiff::tz::TimeZone;
use ledger::{AccountKind, AccountRef, Wallet};
use money::Money;
use pricing::CompiledTariff;
use subscription::{Customer, StoredTariff, Topic};

/// Movements and receipts on this page.
const SHOWN: u64 = 6;
/// How far back the movements go.
const DAYS: i64 = 92;

/// What stands at the top.
struct Balance {
    label: String,
    amount: String,
    note: String,
    reserved: String,
}

/// `GET /portal`
pub async fn account(who: PortalCustomer) -> PageResult<Portal> {
    let tx = who.tx().await?;
    let (customer, zone) = customer_of(&who, &tx).await?;
    let sold = sold_topics(&tx, who.now).await?;
    let wallet = ledger::wallet_of(&tx, customer.id).await?;
    let balance = match &wallet {
        Some(wallet) => {
            let first = sold.iter().find(|(_, _, stored)| !is_free(&stored.tariff));
            in_advance(&who, &customer, wallet, first.map(|(_, topic, tariff)| (topic, tariff)))?
        }
        None => on_account(&who, &tx, &customer).await?,
    };
    let movements = match &wallet {
        Some(wallet) => of_wallet(&who, &tx, &customer, wallet, &zone).await?,
        None => of_calls(&who, &tx, &zone).await?,
    };
    Ok(Portal {
        shell: who.shell("Your account", Section::Home),
        balance_label: balance.label,
        balance: balance.amount,
        balance_note: balance.note,
        reserved_note: balance.reserved,
        top_up: Items(top_up(&who, &customer)),
        lines: price_lines(&sold),
        movements,
        movements_all: Link::new("All calls", urls::PORTAL_CALLS),
        receipts: receipt_rows(&who, &tx, SHOWN).await?,
        receipts_all: Link::new("All", urls::PORTAL_INVOICES),
    })
}

fn in_advance(
    who: &PortalCustomer,
    customer: &Customer,
    wallet: &Wallet,
    first: Option<(&Topic, &StoredTariff)>,
) -> PageResult<Balance> {
    let name = customer.name.split_whitespace().next().unwrap_or(&customer.name);
    let free = wallet.available()?;
    let note = match first {
        Some((topic, stored)) if stored.currency == free.currency() => {
            let tariff = CompiledTariff::compile(&stored.tariff, stored.currency, &who.session.organisation.time_zone)?;
            match tariff.talk_time(free, who.now)? {
                Some(0) => format!("Not enough for a call on {}.", topic.name),
                Some(seconds) => format!(
                    "Enough for about {} on {}.",
                    format::counted(i64::from(seconds / 60), "minute", "minutes"),
                    topic.name
                ),
                None => String::new(),
            }
        }
        _ => String::new(),
    };
    Ok(Balance {
        label: format!("Your balance, {name}"),
        amount: wallet.balance.human_balance(),
        note,
        reserved: if wallet.reserved.is_zero() {
            String::new()
        } else {
            format!("{} of it is held for a call that runs.", wallet.reserved.human())
        },
    })
}

async fn on_account(who: &PortalCustomer, tx: &CustomerTx, customer: &Customer) -> PageResult<Balance> {
    let open = payments::open_items(tx, customer.id, who.now).await?;
    let note = match open.items.len() {
        0 => "Nothing is open.".to_owned(),
        n => format!("{} to pay.", format::counted(i64::try_from(n).unwrap_or(i64::MAX), "invoice", "invoices")),
    };
    let late = if open.overdue.is_zero() { String::new() } else { format!(" {} of it is late.", open.overdue.human()) };
    let credit =
        if open.credit.is_zero() { String::new() } else { format!("{} is paid in advance.", open.credit.human()) };
    Ok(Balance { label: "To pay".into(), amount: open.open.human(), note: format!("{note}{late}"), reserved: credit })
}

/// How money gets to the seller: to its bank, with the number that names this customer.
fn top_up(who: &PortalCustomer, customer: &Customer) -> Vec<Item> {
    let bank = &who.session.organisation.bank;
    let mut items: Vec<Item> =
        bank.iter().map(|(word, value)| Item::new("building-bank", Tone::Plain, value).note(word.clone())).collect();
    let reference = Item::new("hash", Tone::Plain, customer.customer_no.clone())
        .note("Reference; it shows here when the money arrives");
    items.push(reference);
    items.push(
        Item::new("wallet", Tone::Plain, "How you pay")
            .note("Direct debit from your bank")
            .action("Open", urls::PORTAL_PAYMENT),
    );
    items
}

async fn of_wallet(
    who: &PortalCustomer,
    tx: &CustomerTx,
    customer: &Customer,
    wallet: &Wallet,
    zone: &TimeZone,
) -> PageResult<Vec<Movement>> {
    let account = AccountRef::Customer(AccountKind::Wallet, customer.id);
    let until = who.now + TimeDelta::seconds(1);
    let lines =
        ledger::statement(tx, account, wallet.balance.currency(), who.now - TimeDelta::days(DAYS), until, SHOWN)
            .await?;
    let to_movement = |line: ledger::StatementLine| Movement {
        title: match line.kind.as_str() {
            "top_up" => "Top-up".to_owned(),
            // "Tenancy law · +493023125014": the topic is what the caller remembers.
            _ => line.memo.split(" · ").next().unwrap_or_default().to_owned(),
        },
        // A call is charged when it ends; the list of calls says when it began.
        note: format!(
            "{}{}{}",
            if line.kind == "call" { "ended " } else { "" },
            format::stamp(line.at, zone).text,
            note_of(&line)
        ),
        href: match (line.kind.as_str(), line.key.split_once(':')) {
            ("call", Some((id, _))) => urls::portal_call(id),
            _ => String::new(),
        },
        amount: line.amount.human_signed(),
        is_in: line.amount.is_positive(),
        balance: format!("balance {}", line.balance_after.human_balance()),
    };
    Ok(lines.into_iter().map(to_movement).collect())
}

fn note_of(line: &ledger::StatementLine) -> String {
    match (line.kind.as_str(), line.memo.split_once(" · ")) {
        ("call", Some((_, called))) => format!(" · {}", format::phone(called)),
        ("call", None) => String::new(),
        _ => format!(" · {}", line.memo),
    }
}

async fn of_calls(who: &PortalCustomer, tx: &CustomerTx, zone: &TimeZone) -> PageResult<Vec<Movement>> {
    let filter = CallFilter { customer: Some(who.customer_id), limit: SHOWN, ..between(who.now) };
    let found = call_control::calls(tx, &filter).await?;
    let to_movement = |call: &call_control::Call| Movement {
        title: call.topic_name.clone().unwrap_or_else(|| "Call".into()),
        note: format!(
            "{} · {}",
            format::stamp(call.started_at, zone).text,
            format::duration_words(call.metered_seconds.into())
        ),
        href: urls::portal_call(call.id),
        amount: call.charge.map_or_else(|| "in your plan".to_owned(), |charge: Money| charge.human()),
        is_in: false,
        balance: String::new(),
    };
    Ok(found.calls.iter().map(to_movement).collect())
}

fn between(now: chrono::DateTime<Utc>) -> CallFilter {
    CallFilter::between(now - TimeDelta::days(DAYS), now + TimeDelta::seconds(1))
}
