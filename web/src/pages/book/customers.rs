//! Customers by name, with what each has or owes.

use super::needs::{LOW_WALLETS_SHOWN, low_wallet};
use super::shell;
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::book::{List, TableCard};
use crate::views::parts::{Heading, Pager, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use actix_web::web;
use db::CustomerId;
use ledger::Wallet;
use money::Money;
use serde::Deserialize;
use std::collections::HashMap;
use subscription::{Billing, Customer, CustomerFilter};
use tenant::Role;

const CUSTOMERS_SHOWN: u64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
    after: String,
    /// `low`: only wallets that are nearly empty.
    wallet: String,
}

/// A customer with its money.
struct Row {
    customer: Customer,
    wallet: Option<Wallet>,
    owed: Option<Money>,
}

/// `GET /admin/customers`
pub async fn customers(member: Member, asked: web::Query<Asked>) -> PageResult<List> {
    let tx = member.tx().await?;
    let is_low = asked.wallet == "low";
    let mut found = if is_low {
        let below = low_wallet(member.session.organisation.currency);
        let low = ledger::wallets_below(&tx, below, LOW_WALLETS_SHOWN).await?;
        let ids: Vec<CustomerId> = low.iter().map(|wallet| wallet.customer_id).collect();
        let mut found = subscription::customers_by_id(&tx, &ids).await?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    } else {
        let prefix = Some(asked.q.trim().to_owned()).filter(|prefix| !prefix.is_empty());
        let filter = CustomerFilter { prefix, after: asked.after.parse().ok(), limit: CUSTOMERS_SHOWN + 1 };
        subscription::customers(&tx, &filter).await?
    };
    let has_more = !is_low && found.len() as u64 > CUSTOMERS_SHOWN;
    found.truncate(if is_low { found.len() } else { CUSTOMERS_SHOWN as usize });
    let mut owed: HashMap<CustomerId, Money> = HashMap::new();
    for item in payments::all_open_items(&tx, member.now).await? {
        let sum = owed.entry(item.customer_id).or_insert(Money::zero(item.open.currency()));
        *sum = sum.checked_add(item.open)?;
    }
    let mut rows = Vec::with_capacity(found.len());
    for customer in found {
        let wallet = match customer.billing {
            Billing::Prepaid => ledger::wallet_of(&tx, customer.id).await?,
            Billing::Postpaid => None,
        };
        rows.push(Row { wallet, owed: owed.get(&customer.id).copied(), customer });
    }
    let count = subscription::customer_count(&tx).await?;
    let word = member.audience.customers_word();
    let href = |after: &str| with_query(&member.audience.customers(), &[("q", &asked.q), ("after", after)]);
    let next = rows.last().filter(|_| has_more).map(|row| href(&row.customer.id.to_string()));
    let pager = Pager {
        shown: format!("{}, by name", format::counted(rows.len() as i64, "customer", "customers")),
        first: (!asked.after.is_empty()).then(|| href("")),
        next,
    };
    let tabs = vec![
        ("All".to_owned(), member.audience.customers(), !is_low),
        ("Nearly empty".to_owned(), with_query(&member.audience.customers(), &[("wallet", "low")]), is_low),
    ];
    let counted = format::counted(i64::try_from(count).unwrap_or(i64::MAX), "customer", "customers");
    let heading = Heading::new(word).facts(counted);
    Ok(List {
        shell: shell(&member, &tx, word, Section::Customers).await?,
        heading: if member.must(Role::Billing).is_ok() {
            heading.action("New customer", member.audience.customer_new())
        } else {
            heading
        },
        stats: Stats::default(),
        search: Some((member.audience.customers(), asked.q.clone())),
        tabs,
        cards: vec![TableCard { title: String::new(), all: None, table: table(member.audience, &rows) }],
        pager: Some(pager),
    })
}

fn table(audience: Audience, rows: &[Row]) -> Table {
    let columns = vec![
        Column::text("Name"),
        Column::text("Pays").hidden(),
        Column::text("Country").hidden(),
        Column::figures("Available").label("Available"),
        Column::figures("To pay").label("To pay"),
        Column::text("State"),
    ];
    let empty = Empty::new(
        "users",
        "Nobody here",
        "Customers show here once they are taken into the book. Try another beginning of the name.",
    );
    let mut table = Table::new("Customers", columns, empty);
    for row in rows {
        let customer = &row.customer;
        let available =
            row.wallet.and_then(|wallet| wallet.available().ok()).map(|available| available.human_balance());
        let state = match customer.closed_at {
            Some(_) => Badge::new("Closed", Tone::Plain),
            None => Badge::new("Open", Tone::Good),
        };
        let pays = if customer.billing == Billing::Prepaid { "From a wallet" } else { "By invoice" };
        table.row(vec![
            Cell::name(&customer.name).to(audience.customer(customer.id)).sub(&customer.customer_no).sub_class("id"),
            Cell::text(pays),
            Cell::text(&customer.country),
            available.map_or_else(|| Cell::text("on account").class("quiet"), Cell::figure),
            Cell::figure(row.owed.map_or_else(|| "0.00".to_owned(), |owed| owed.human())),
            Cell::none().with(state),
        ]);
    }
    table
}
