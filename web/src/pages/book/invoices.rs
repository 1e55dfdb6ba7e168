//! Documents and drafts of the book.

use super::shell;
use super::words::{cursor, customer_names, day, from_cursor, payment_status, period};
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
use db::{CustomerId, DocumentId, TenantTx};
use invoicing::{Document, DocumentFilter, DocumentKind, Draft};
use money::Money;
use payments::{OpenItem, PaymentStatus};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

const SHOWN: u64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Nothing, `late` or `draft`.
    state: String,
    q: String,
    /// Only those of a run.
    run: String,
    after: String,
}

/// `GET /admin/invoices`
pub async fn invoices(member: Member, asked: web::Query<Asked>) -> PageResult<List> {
    let asked = asked.into_inner();
    let tx = member.tx().await?;
    let open = payments::all_open_items(&tx, member.now).await?;
    let (table, pager) = match asked.state.as_str() {
        "draft" => drafts(&member, &tx, &asked).await?,
        "late" => late(&member, &tx, &open).await?,
        _ => issued(&member, &tx, &asked).await?,
    };
    let audience = member.audience;
    let tab = |text: &str, state: &str| {
        (text.to_owned(), with_query(&audience.invoices(), &[("state", state)]), asked.state == state)
    };
    Ok(List {
        shell: shell(&member, &tx, "Invoices", Section::Invoices).await?,
        heading: Heading::new("Invoices").facts(owed(&open)?),
        stats: Stats::default(),
        search: Some((audience.invoices(), asked.q.clone())),
        tabs: vec![tab("Issued", ""), tab("Late", "late"), tab("Drafts", "draft")],
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: Some(pager),
    })
}

/// "€3,572.34 open, €1,190.00 late", for each currency.
fn owed(open: &[OpenItem]) -> PageResult<String> {
    let mut sums: BTreeMap<String, (Money, Money)> = BTreeMap::new();
    for item in open {
        let nothing = Money::zero(item.open.currency());
        let (all, late) = sums.entry(item.open.currency().code().to_owned()).or_insert((nothing, nothing));
        *all = all.checked_add(item.open)?;
        if item.status == PaymentStatus::Overdue {
            *late = late.checked_add(item.open)?;
        }
    }
    if sums.is_empty() {
        return Ok("Everything is paid".into());
    }
    let words: Vec<String> =
        sums.values().map(|(all, late)| format!("{} open, {} late", all.human(), late.human())).collect();
    Ok(words.join(" · "))
}

fn columns() -> Vec<Column> {
    vec![
        Column::text("Number"),
        Column::text("Customer").full(),
        Column::text("Period").hidden(),
        Column::text("Due").hidden(),
        Column::figures("Total"),
        Column::text("State"),
    ]
}

async fn issued(member: &Member, tx: &TenantTx, asked: &Asked) -> PageResult<(Table, Pager)> {
    let wanted = asked.q.trim();
    let mut found = if wanted.is_empty() {
        let run_id = asked.run.parse().ok();
        let filter =
            DocumentFilter { run_id, after: from_cursor(&asked.after), limit: SHOWN + 1, ..DocumentFilter::default() };
        invoicing::documents(tx, &filter).await?
    } else {
        invoicing::document_by_number(tx, wanted).await?.into_iter().collect()
    };
    let has_more = found.len() as u64 > SHOWN;
    found.truncate(SHOWN as usize);
    let ids: Vec<DocumentId> = found.iter().map(|document| document.id).collect();
    let statuses = payments::status_of(tx, &ids, member.now).await?;
    let names = customer_names(tx, found.iter().map(|document| document.customer_id)).await?;
    let href = |after: &str| with_query(&member.audience.invoices(), &[("run", &asked.run), ("after", after)]);
    let pager = Pager {
        shown: format!("{}, newest first", format::counted(found.len() as i64, "document", "documents")),
        first: (!asked.after.is_empty()).then(|| href("")),
        next: found.last().filter(|_| has_more).map(|last| href(&cursor(last.issued_at, last.id))),
    };
    Ok((issued_table(member.audience, &found, &statuses, &names), pager))
}

fn issued_table(
    audience: Audience,
    documents: &[Document],
    statuses: &BTreeMap<DocumentId, PaymentStatus>,
    names: &HashMap<CustomerId, String>,
) -> Table {
    let empty = Empty::new(
        "receipt",
        "No invoice here",
        "An invoice run drafts what is due; issuing gives it a number. Search takes a whole number.",
    );
    let mut table = Table::new("Invoices", columns(), empty);
    for document in documents {
        let state = match (document.kind, statuses.get(&document.id)) {
            (DocumentKind::CreditNote, _) => Badge::new("Credit note", Tone::Plain),
            (DocumentKind::Settlement, _) | (_, None) => Badge::new("Settlement", Tone::Plain),
            (DocumentKind::Invoice, Some(status)) => payment_status(*status),
        };
        table.row(vec![
            Cell::name(&document.number).to(audience.invoice(document.id)),
            Cell::text(names.get(&document.customer_id).cloned().unwrap_or_default()),
            Cell::text(period(document.period_starts_on, document.period_ends_on)),
            if document.totals.due.is_zero() { Cell::none() } else { Cell::text(day(document.due_on)) },
            Cell::figure(document.totals.gross.human()),
            Cell::none().with(state),
        ]);
    }
    table
}

async fn late(member: &Member, tx: &TenantTx, open: &[OpenItem]) -> PageResult<(Table, Pager)> {
    let late: Vec<&OpenItem> = open.iter().filter(|item| item.status == PaymentStatus::Overdue).take(200).collect();
    let names = customer_names(tx, late.iter().map(|item| item.customer_id)).await?;
    let empty = Empty::new("circle-check", "Nothing is late", "What is not paid by its due date shows here.");
    let columns = vec![
        Column::text("Number"),
        Column::text("Customer").full(),
        Column::figures("Late").label("Late"),
        Column::figures("To pay").label("To pay"),
    ];
    let mut table = Table::new("Late invoices", columns, empty);
    for item in &late {
        table.row(vec![
            Cell::name(&item.number)
                .to(member.audience.invoice(item.document_id))
                .sub(format!("due {}", day(item.due_on))),
            Cell::text(names.get(&item.customer_id).cloned().unwrap_or_default())
                .to(member.audience.customer(item.customer_id)),
            Cell::figure(format::counted(item.days_overdue.into(), "day", "days")),
            Cell::figure(item.open.human()),
        ]);
    }
    let shown = format!("{}, the first due first", format::counted(late.len() as i64, "invoice", "invoices"));
    Ok((table, Pager { shown, first: None, next: None }))
}

async fn drafts(member: &Member, tx: &TenantTx, asked: &Asked) -> PageResult<(Table, Pager)> {
    let found: Vec<Draft> = invoicing::drafts(tx, asked.run.parse().ok(), None, SHOWN).await?;
    let names = customer_names(tx, found.iter().map(|draft| draft.customer_id)).await?;
    let empty = Empty::new("file-invoice", "No drafts", "The next invoice run drafts what is due.");
    let columns =
        vec![Column::text("Customer"), Column::text("Period").full(), Column::figures("Total"), Column::text("State")];
    let mut table = Table::new("Drafts", columns, empty);
    for draft in &found {
        let content = &draft.content;
        table.row(vec![
            Cell::name(names.get(&draft.customer_id).cloned().unwrap_or_default()).to(member.audience.draft(draft.id)),
            Cell::text(period(content.period.starts_on, content.period.ends_on)),
            Cell::figure(content.totals.gross.human()),
            Cell::badge("Draft", Tone::On),
        ]);
    }
    let shown = format!("{}, newest first", format::counted(found.len() as i64, "draft", "drafts"));
    Ok((table, Pager { shown, first: None, next: None }))
}
