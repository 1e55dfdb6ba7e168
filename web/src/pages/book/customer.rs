//! One customer: what it is, has, subscribed to, was billed, paid and did.

use super::subscription::{Leads, Subscribed, Subscriptions, card, entitled, upcoming};
use super::words::{self, agent_names, payment_status, period, spoken};
use super::{calls, methods, payment, shell};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::Given;
use crate::shell::{Section, Shell};
use crate::urls::{Audience, with_query};
use crate::views::customers::{Customer as CustomerView, WalletCard};
use crate::views::parts::{Fact, Facts, Happening, Heading, PagePath, Stat, Stats, Timeline};
use crate::views::subscriptions::SubscriptionCard;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Link, Tone};
use actix_web::web;
use call_control::CallFilter;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CustomerId, DocumentId, TenantTx};
use invoicing::{Document, DocumentFilter, DocumentKind};
use jiff::tz::TimeZone;
use ledger::{AccountKind, AccountRef, StatementLine, Wallet};
use payments::{OpenItems, Payment, PaymentStatus};
use std::collections::BTreeMap;
use subscription::{Billing, Customer, CustomerEvent};
use tenant::Role;

/// Newest movements, invoices, payments and calls that the page shows.
const SHOWN: u64 = 10;
/// Calls of this many days.
const CALL_DAYS: i64 = 90;

/// Everything that a book keeps of one customer, as its pages show it; read by the seller or by the customer itself.
pub struct Record {
    pub customer: Customer,
    pub wallet: Option<Wallet>,
    pub entries: Vec<StatementLine>,
    pub subscriptions: Subscriptions,
    pub entitlements: Table,
    pub documents: Vec<Document>,
    pub statuses: BTreeMap<DocumentId, PaymentStatus>,
    pub payments: Vec<Payment>,
    pub open: OpenItems,
    pub events: Vec<CustomerEvent>,
}

impl Record {
    /// Reads it; `None` when there is no such customer.
    pub async fn read(tx: &TenantTx, id: CustomerId, now: DateTime<Utc>) -> PageResult<Option<Record>> {
        let Some(customer) = subscription::customer(tx, id).await? else { return Ok(None) };
        let wallet = ledger::wallet_of(tx, id).await?;
        let entries = match wallet {
            Some(wallet) => {
                let account = AccountRef::Customer(AccountKind::Wallet, id);
                let currency = wallet.balance.currency();
                ledger::statement(tx, account, currency, customer.created_at, now + TimeDelta::seconds(1), SHOWN)
                    .await?
            }
            None => Vec::new(),
        };
        let filter = DocumentFilter { customer_id: Some(id), limit: SHOWN, ..DocumentFilter::default() };
        let documents = invoicing::documents(tx, &filter).await?;
        let ids: Vec<DocumentId> = documents.iter().map(|document| document.id).collect();
        let mut payments = payments::payments_of(tx, id).await?;
        payments.truncate(SHOWN as usize);
        Ok(Some(Record {
            wallet,
            entries,
            subscriptions: Subscriptions::read(tx, id, now).await?,
            entitlements: entitled(tx, id, now).await?,
            statuses: payments::status_of(tx, &ids, now).await?,
            documents,
            payments,
            open: payments::open_items(tx, id, now).await?,
            events: subscription::customer_events(tx, id, SHOWN).await?,
            customer,
        }))
    }
}

/// `GET /admin/customers/{customer_id}`
pub async fn customer(member: Member, path: web::Path<String>) -> PageResult<CustomerView> {
    let id: CustomerId = path.parse()?;
    let tx = member.tx().await?;
    let record = Record::read(&tx, id, member.now).await?.ok_or(PageError::NotFound)?;
    let customer = &record.customer;
    let calls = match member.audience {
        Audience::Tenant => Some(calls_of(&member, &tx, id).await?),
        Audience::Operator | Audience::Reseller => None,
    };
    let phones = subscription::phones_of(&tx, id).await?;
    let word = member.audience.customers_word();
    let mut heading = heading(&record).path(PagePath::under(word, member.audience.customers(), id.to_string()).id());
    let mut facts = facts(&record);
    if !phones.is_empty() {
        let phones: Vec<String> = phones.iter().map(|phone| format::phone(phone)).collect();
        facts.0.push(Fact::new("Calls from", phones.join(", ")));
    }
    let kind = match customer.billing {
        Billing::Prepaid => AccountKind::Wallet,
        Billing::Postpaid => AccountKind::Receivable,
    };
    let account = member.audience.ledger_account(kind.code());
    facts.0.push(Fact::new("Account", "Statement").to(with_query(&account, &[("customer", &id.to_string())])));
    if member.audience == Audience::Tenant {
        let calls = with_query(&member.audience.calls(), &[("q", &id.to_string())]);
        facts.0.push(Fact::new("Calls", "All of the last 30 days").to(calls));
    }
    let shell = shell(&member, &tx, &customer.name, Section::Customers).await?;
    let form = payment::form(&member, customer, shell.token());
    let means = methods::card(&member, &tx, customer, shell.token()).await?;
    let audience = member.audience;
    let may_change = member.must(Role::Billing).is_ok();
    let subscribe_href = audience.customer_subscription_new(id);
    heading = heading.action("Calls out", audience.customer_outgoing(id));
    if !record.subscriptions.all.is_empty() {
        heading = heading.action("Advisor", audience.customer_advice(id));
    }
    if may_change && customer.organisation_id.is_some() && audience != Audience::Tenant {
        heading = heading.action("Revenue split", audience.customer_split(id));
    }
    if record.wallet.is_some() {
        heading = heading.action("Credit and limits", audience.customer_wallet(id));
    }
    let may_subscribe = may_change && customer.closed_at.is_none();
    let has_ended = |of: &Subscribed| of.history.subscription.cancelled_at.is_some_and(|at| at <= member.now);
    let may_close =
        may_subscribe && customer.organisation_id.is_none() && record.subscriptions.all.iter().all(has_ended);
    if may_subscribe && !record.subscriptions.all.is_empty() {
        heading = heading.action("Subscribe to a plan", &subscribe_href);
    }
    Ok(CustomerView {
        heading,
        facts,
        wallet: wallet_card(&record, Some(audience), &member.zone)?,
        subscriptions: cards(&member, &record, &shell)?,
        subscribe_href: Some(subscribe_href).filter(|_| may_subscribe),
        entitlements: record.entitlements.clone(),
        next_bill_href: Some(audience.customer_next_bill(id)),
        invoices: invoices(&record, |id| audience.invoice(id)),
        payments: payments_table(&record, &member.zone),
        calls,
        payment: Some(form),
        means: Some(means),
        close_href: may_close.then(|| audience.customer_closure(id)),
        timeline: timeline(&record, &member.zone, member.now)?,
        shell,
    })
}

/// `POST /admin/customers/{customer_id}/closure`: for good, once the tick says that this is known.
pub async fn close(member: Member, path: web::Path<String>, given: web::Form<Given>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: CustomerId = path.parse()?;
    let tx = member.tx().await?;
    subscription::customer(&tx, id).await?.ok_or(PageError::NotFound)?;
    let back = see_other(member.audience.customer(id));
    if given.get("known") != "yes" {
        return Ok(back.warning("Nothing was closed. Tick that a closed customer is not opened again, then close it."));
    }
    if let Err(error) = subscription::close_customer(&tx, id, member.now).await {
        let Some(refusal) = error.refusal() else { return Err(error.into()) };
        return Ok(back.warning(format!("Nothing was closed. The customer {}.", refusal.rule)));
    }
    tenant::record_audit(&tx, &member.actor(), "customer.close", &id.to_string(), serde_json::json!({}), member.now)
        .await?;
    tx.commit().await?;
    Ok(back.notice("The customer is closed."))
}

async fn calls_of(member: &Member, tx: &TenantTx, id: CustomerId) -> PageResult<Table> {
    let filter = CallFilter {
        customer: Some(id),
        limit: SHOWN,
        ..CallFilter::between(member.now - TimeDelta::days(CALL_DAYS), member.now + TimeDelta::seconds(1))
    };
    let page = call_control::calls(tx, &filter).await?;
    let agents = agent_names(tx).await?;
    Ok(calls::table_of_one(&page.calls, &agents, member.session.organisation.currency, &member.zone))
}

/// The heading says what the customer has or owes.
pub fn heading(record: &Record) -> Heading {
    let customer = &record.customer;
    let answer = match &record.wallet {
        Some(wallet) => format!("{} has {}", customer.name, wallet.balance.human_balance()),
        None if record.open.open.is_positive() => format!("{} owes {}", customer.name, record.open.open.human()),
        None => format!("{} owes nothing", customer.name),
    };
    let heading = Heading::new(answer);
    match (customer.closed_at, record.open.overdue.is_positive()) {
        (Some(_), _) => heading.badge("Closed", Tone::Plain),
        (None, true) => heading.badge("Late", Tone::Wrong),
        (None, false) => heading,
    }
}

pub fn facts(record: &Record) -> Facts {
    let customer = &record.customer;
    let mut facts = vec![
        Fact::new("Customer number", &customer.customer_no),
        Fact::new("Pays", if customer.billing == Billing::Prepaid { "from a wallet" } else { "by invoice" }).quiet(
            match customer.billing {
                Billing::Prepaid => String::new(),
                Billing::Postpaid => format!("in {} days", customer.payment_terms_days),
            },
        ),
        Fact::new("Tax", spoken(customer.tax_treatment.as_str())).quiet(customer.tax_id.clone().unwrap_or_default()),
        Fact::new("Country", &customer.country).quiet(&customer.time_zone),
        Fact::new("Currency", customer.currency.code()),
    ];
    if let Some(email) = &customer.email {
        facts.push(Fact::new("E-mail", email));
    }
    if record.open.credit.is_positive() {
        facts.push(Fact::new("Paid ahead", record.open.credit.human()));
    }
    Facts(facts)
}

/// `of` is whose book it is, for the links from a movement to what made it; `None` for a reader of another's.
pub fn wallet_card(record: &Record, of: Option<Audience>, zone: &TimeZone) -> PageResult<Option<WalletCard>> {
    let Some(wallet) = &record.wallet else { return Ok(None) };
    let figures = Stats(vec![
        Stat::new("Balance", wallet.balance.human_balance()),
        Stat::new("Reserved", wallet.reserved.human()).note("by calls that run", Tone::Plain),
        Stat::new("Available", wallet.available()?.human_balance()),
        Stat::new("Floor", wallet.floor.human()).note("the balance never goes below", Tone::Plain),
    ]);
    let code = wallet.balance.currency();
    let columns = vec![
        Column::text("When"),
        Column::text("What").full(),
        Column::figures(format!("Amount, {code}")),
        Column::figures(format!("Balance, {code}")).label("Balance"),
    ];
    let empty = Empty::new("wallet", "No movement yet", "The first top-up shows here.");
    Ok(Some(WalletCard {
        figures,
        entries: movements("Movements of the wallet", columns, empty, &record.entries, of, zone),
    }))
}

/// Movements of an account with the balance after each.
pub fn movements(
    caption: &str,
    columns: Vec<Column>,
    empty: Empty,
    lines: &[StatementLine],
    of: Option<Audience>,
    zone: &TimeZone,
) -> Table {
    let mut table = Table::new(caption, columns, empty).dense();
    for line in lines {
        let sign = if line.amount.is_positive() { "+" } else { "" };
        table.row(vec![
            Cell::text(format::stamp(line.at, zone).text),
            of.and_then(|audience| cause(audience, line))
                .into_iter()
                .fold(Cell::text(spoken(&line.kind)), Cell::to)
                .sub(format::with_phones(&line.memo)),
            Cell::figure(format!("{sign}{}", line.amount.human_bare())),
            Cell::figure(line.balance_after.human_balance_bare()),
        ]);
    }
    table
}

/// Where the page is of what made a movement: its call or its document.
fn cause(audience: Audience, line: &StatementLine) -> Option<String> {
    match line.kind.as_str() {
        "call" if audience == Audience::Tenant => line.key.split_once(':').map(|(id, _)| audience.call(id)),
        "invoice" | "credit_note" => Some(audience.invoice(&line.key)),
        _ => None,
    }
}

/// Documents as rows, each leading where `href` says.
pub fn invoices(record: &Record, href: impl Fn(DocumentId) -> String) -> Table {
    let columns = vec![
        Column::text("Number"),
        Column::text("Period").full(),
        Column::figures(format!("Total, {}", record.customer.currency)),
        Column::text("Due").hidden(),
        Column::text("State"),
    ];
    let empty = Empty::new("receipt", "No invoice yet", "The next invoice run writes one, when something is due.");
    let mut table = Table::new("Invoices", columns, empty);
    for document in &record.documents {
        let state = match (document.kind, record.statuses.get(&document.id)) {
            (DocumentKind::CreditNote, _) | (_, None) => Badge::new("Credit note", Tone::Plain),
            (_, Some(status)) => payment_status(*status),
        };
        table.row(vec![
            Cell::name(&document.number).to(href(document.id)),
            Cell::text(period(document.period_starts_on, document.period_ends_on)),
            Cell::figure(document.totals.gross.human_bare()),
            if document.totals.due.is_zero() { Cell::none() } else { Cell::text(words::day(document.due_on)) },
            Cell::none().with(state),
        ]);
    }
    table
}

pub fn payments_table(record: &Record, zone: &TimeZone) -> Table {
    let columns = vec![
        Column::text("Received"),
        Column::text("How").full(),
        Column::figures(format!("Amount, {}", record.customer.currency)),
    ];
    let empty = Empty::new("coins", "No payment yet", "Money that comes in shows here with its reference.");
    let mut table = Table::new("Payments", columns, empty).dense();
    for payment in &record.payments {
        table.row(vec![
            Cell::text(format::stamp(payment.received_at, zone).text),
            Cell::text(words::method(payment.method))
                .sub(format!("{}, recorded by {}", payment.reference, payment.recorded_by)),
            Cell::figure(payment.amount.human_bare()),
        ]);
    }
    table
}

/// What will happen, the farthest first, then what has happened.
pub fn timeline(record: &Record, zone: &TimeZone, now: DateTime<Utc>) -> PageResult<Timeline> {
    let mut coming = Vec::new();
    for subscribed in &record.subscriptions.all {
        coming.extend(upcoming(subscribed, &record.subscriptions.names, zone, now)?);
    }
    coming.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let step = |event: &CustomerEvent| Happening::new(format::dated(event.at, zone), &event.text, Tone::Plain);
    let steps = coming.into_iter().map(|(_, step)| step).chain(record.events.iter().map(step));
    Ok(Timeline { wide: true, steps: steps.collect() })
}

/// The cards of all subscriptions, with the moves that a member may make.
fn cards(member: &Member, record: &Record, shell: &Shell) -> PageResult<Vec<SubscriptionCard>> {
    let audience = member.audience;
    let may_change = member.must(Role::Billing).is_ok() && record.customer.closed_at.is_none();
    let card_of = |subscribed: &Subscribed| {
        let id = subscribed.history.subscription.id;
        let change = Link::new("Change", audience.subscription_change(id));
        let leads = Leads {
            plan: &|plan| Some(audience.plan(plan)),
            undo: &|change| may_change.then(|| audience.subscription_change_undo(id, change)),
            actions: if may_change { vec![change] } else { Vec::new() },
            is_reader: false,
        };
        card(subscribed, &record.subscriptions.names, leads, shell.token(), &member.zone, member.now)
    };
    record.subscriptions.all.iter().map(card_of).collect()
}
