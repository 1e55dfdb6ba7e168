//! What this book owes its partners, month by month: the list and one statement. What may be done with one is in
//! `settlement_moves.rs`.

use super::words::{customer_names, day};
use super::{pdf_answer, settlement_moves, shell};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given};
use crate::shell::{Section, Shell};
use crate::urls::{Audience, with_query};
use crate::views::book::{List, TableCard};
use crate::views::parts::{Fact, Facts, Heading, PagePath, Pager, Stat, Stats, SumRow, Sums};
use crate::views::settlements::SettlementPage;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use actix_web::{HttpResponse, web};
use chrono::NaiveDate;
use db::{SettlementId, TenantTx};
use invoicing::{Settlement, SettlementFilter, SettlementState, Statement, StatementRow};
use jiff::tz::TimeZone;
use money::{Decimal, Money};
use serde::Deserialize;
use tenant::Role;

/// Statements of one page.
pub const SHOWN: u64 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    state: String,
    /// The last statement of the page before.
    pub after: String,
}

/// `GET /ops/settlements`
pub async fn settlements(member: Member, asked: web::Query<Asked>) -> PageResult<List> {
    let tx = member.tx().await?;
    let state = SettlementState::ALL.into_iter().find(|state| state.as_str() == asked.state);
    let filter =
        SettlementFilter { state, after: place(&asked.after), limit: SHOWN + 1, ..SettlementFilter::default() };
    let (found, next) = cut(invoicing::settlements(&tx, &filter).await?);
    let names = customer_names(&tx, found.iter().map(|settlement| settlement.customer_id)).await?;
    let audience = member.audience;
    let name = |settlement: &Settlement| names.get(&settlement.customer_id).cloned().unwrap_or_default();
    let table = table("Partner", &found, name, |settlement| audience.settlement(settlement.id));
    let here = |after: &str| with_query(&audience.settlements(), &[("state", &asked.state), ("after", after)]);
    let tab = |word: &str, value: &str| {
        (word.to_owned(), with_query(&audience.settlements(), &[("state", value)]), asked.state == value)
    };
    Ok(List {
        shell: shell(&member, &tx, "Settlements", Section::Settlements).await?,
        heading: Heading::new("Settlements")
            .facts("What the network collected for partners. A month is drafted by itself once it has ended."),
        stats: open_stats(&tx).await?,
        search: None,
        tabs: vec![
            tab("All", ""),
            tab("Drafts", "draft"),
            tab("Issued", "issued"),
            tab("Paid", "paid"),
            tab("Discarded", "discarded"),
        ],
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: Some(pager(found.len(), !asked.after.is_empty(), next, here)),
    })
}

/// What is owed and on no statement yet.
async fn open_stats(tx: &TenantTx) -> PageResult<Stats> {
    let open = ledger::unsettled(tx).await?;
    let mut stats: Vec<(Money, i64)> = Vec::new();
    for (_, owed) in open {
        match stats.iter_mut().find(|(sum, _)| sum.currency() == owed.currency()) {
            Some((sum, partners)) => (*sum, *partners) = (sum.checked_add(owed)?, *partners + 1),
            None => stats.push((owed, 1)),
        }
    }
    let stat = |(owed, partners): (Money, i64)| {
        Stat::new("Owed, on no statement yet", owed.human())
            .note(format::counted(partners, "partner", "partners"), Tone::Plain)
    };
    Ok(Stats(stats.into_iter().map(stat).collect()))
}

/// The place that a link names; what is none is the beginning.
pub fn place(text: &str) -> Option<(NaiveDate, SettlementId)> {
    let (on, id) = text.split_once('.')?;
    Some((on.parse().ok()?, id.parse().ok()?))
}

/// A page without the row that only says that there is more, and the place after it.
pub fn cut(mut found: Vec<Settlement>) -> (Vec<Settlement>, Option<String>) {
    let has_more = found.len() as u64 > SHOWN;
    found.truncate(SHOWN as usize);
    let last = found.last().filter(|_| has_more);
    let next = last.map(|last| format!("{}.{}", last.period_starts_on, last.id));
    (found, next)
}

/// The way through a list.
pub fn pager(count: usize, is_later: bool, next: Option<String>, here: impl Fn(&str) -> String) -> Pager {
    Pager {
        shown: format!("{}, newest first", format::counted(count as i64, "statement", "statements")),
        first: is_later.then(|| here("")),
        next: next.map(|next| here(&next)),
    }
}

/// Statements as rows.
pub fn table(
    of: &'static str,
    settlements: &[Settlement],
    name: impl Fn(&Settlement) -> String,
    href: impl Fn(&Settlement) -> String,
) -> Table {
    let columns = vec![
        Column::text("Month"),
        Column::text(of).full(),
        Column::figures("Calls").label("Calls"),
        Column::figures("Payable").label("Payable"),
        Column::text("State"),
    ];
    let empty = Empty::new(
        "building-bank",
        "No statement yet",
        "One is drafted after a month in which calls were collected by the network.",
    );
    let mut table = Table::new("Settlements", columns, empty);
    for settlement in settlements {
        let calls: i64 = settlement.statement.all().map(|row| row.calls).sum();
        table.row(vec![
            Cell::name(month(settlement)).to(href(settlement)),
            Cell::text(name(settlement)),
            Cell::figure(format::count(calls)),
            Cell::figure(settlement.gross.human()),
            Cell::none().with(badge(settlement)),
        ]);
    }
    table
}

fn month(settlement: &Settlement) -> String {
    settlement.period_starts_on.format("%B %Y").to_string()
}

fn badge(settlement: &Settlement) -> Badge {
    match settlement.state() {
        SettlementState::Draft => Badge::new("Draft", Tone::Soon),
        SettlementState::Issued => Badge::new("To be paid", Tone::On),
        SettlementState::Paid => Badge::new("Paid", Tone::Good),
        SettlementState::Discarded => Badge::new("Discarded", Tone::Plain),
    }
}

/// `GET /ops/settlements/{settlement_id}`
pub async fn settlement(member: Member, path: web::Path<String>) -> PageResult<SettlementPage> {
    let tx = member.tx().await?;
    let settlement = invoicing::settlement(&tx, path.parse()?).await?;
    page(&member, &tx, &settlement, &Given::default(), &Faults::default()).await
}

/// A statement as its seller sees it, with what was typed.
pub async fn page(
    member: &Member,
    tx: &TenantTx,
    settlement: &Settlement,
    given: &Given,
    faults: &Faults,
) -> PageResult<SettlementPage> {
    let audience = member.audience;
    let names = customer_names(tx, [settlement.customer_id]).await?;
    let name = names.get(&settlement.customer_id).cloned().unwrap_or_default();
    let may = member.must(Role::Billing).is_ok();
    let shell = shell(member, tx, &month(settlement), Section::Settlements).await?;
    // The calls themselves are in the partner's own book.
    let mut page = statement(shell, tx, settlement, ("Kept", "Owed"), |_| String::new(), &member.zone).await?;
    page.heading = Heading::new(format!("{name}, {}", month(settlement)))
        .path(PagePath::under("Settlements", audience.settlements(), settlement.id.to_string()).id())
        .badge(badge(settlement).word, badge(settlement).tone);
    page.facts.0.insert(0, Fact::new("Partner", name).to(audience.customer(settlement.customer_id)));
    page.pdf_href = settlement.document_id.map(|_| audience.settlement_pdf(settlement.id));
    if may {
        page.moves = settlement_moves::moves(member, settlement, given, faults)?;
    }
    Ok(page)
}

/// The statement itself, for both sides of it; `words` are the seller's share and the partner's, `calls` is where those of the
/// month for a number are shown.
pub async fn statement(
    shell: Shell,
    tx: &TenantTx,
    settlement: &Settlement,
    words: (&'static str, &'static str),
    calls: impl Fn(&str) -> String,
    zone: &TimeZone,
) -> PageResult<SettlementPage> {
    let currency = settlement.gross.currency();
    let of = &settlement.statement;
    let mut facts = vec![Fact::new(
        "Calls of",
        format!("{} to {}", day(settlement.period_starts_on), day(last_day(settlement.period_ends_on))),
    )];
    if let Some(id) = settlement.document_id {
        facts.push(Fact::new("Number", invoicing::document(tx, id).await?.document.number));
    }
    if let Some(at) = settlement.issued_at {
        let by = settlement.issued_by.clone().unwrap_or_default();
        facts.push(Fact::new("Issued", format::stamp(at, zone).text).quiet(by));
    }
    if let Some(payout) = &settlement.payout {
        facts.push(Fact::new("Paid", day(payout.on)).quiet(payout.reference.clone()));
    }
    if let Some(discard) = &settlement.discarded {
        facts.push(Fact::new("Discarded", format::stamp(discard.at, zone).text).quiet(discard.by.clone()));
        facts.push(Fact::new("Because", discard.reason.clone()));
    }
    if !of.agreement.is_empty() {
        facts.push(Fact::new("Agreed in", of.agreement.clone()));
    }
    let owed = Statement::sum(currency, of.rows.iter())?.owed;
    let adjusted = Statement::sum(currency, of.adjustments.iter())?.owed;
    let tax = match of.tax_category.as_str() {
        "S" => format!("VAT {}%", format::quantity(of.tax_percent)),
        "AE" => "VAT, reverse charge".to_owned(),
        _ => "VAT, exempt".to_owned(),
    };
    let mut sums = vec![SumRow::plain("Share of the month's calls", format::exact(owed))];
    if !of.adjustments.is_empty() {
        sums.push(SumRow::plain("Adjustments", format::exact(adjusted)));
    }
    sums.extend([
        SumRow::sum("Net, rounded once", settlement.net.human()),
        SumRow::plain(tax, settlement.tax.human()),
        SumRow::sum("Payable", settlement.gross.human()),
    ]);
    if settlement.payout.is_some() {
        sums.push(SumRow::plain("Paid", settlement.gross.human()));
    }
    Ok(SettlementPage {
        shell,
        heading: Heading::new(month(settlement)),
        note: None,
        facts: Facts(facts),
        rows: rows("Calls of the month", currency, &of.rows, words, calls)?,
        adjustments: match of.adjustments.is_empty() {
            true => None,
            false => Some(rows("Adjustments", currency, &of.adjustments, words, |_| String::new())?),
        },
        sums: Sums(sums),
        pdf_href: None,
        csv_href: None,
        moves: Vec::new(),
    })
}

fn last_day(ends_on: NaiveDate) -> NaiveDate {
    ends_on.pred_opt().unwrap_or(ends_on)
}

fn rows(
    caption: &'static str,
    currency: money::Currency,
    rows: &[StatementRow],
    (kept, owed): (&'static str, &'static str),
    calls: impl Fn(&str) -> String,
) -> PageResult<Table> {
    let has_costs = rows.iter().any(|row| !row.carrier_cost.is_zero());
    let mut columns = vec![
        Column::text("Number"),
        Column::figures("Calls").label("Calls"),
        Column::figures("Minutes").label("Minutes"),
        Column::figures(format!("Collected, {currency}")).label("Collected"),
    ];
    if has_costs {
        columns.push(Column::figures("Carrier cost").label("Carrier cost"));
    }
    columns.extend([Column::figures(kept).label(kept), Column::figures(owed).label(owed)]);
    let empty = Empty::new("phone", "No calls", "Only adjustments of earlier months stand on this statement.");
    let mut table = Table::new(caption, columns, empty).dense();
    let cells = |name: Cell, row: &StatementRow| {
        let minutes = (Decimal::from(row.seconds) / Decimal::from(60)).round_dp(2);
        let mut cells = vec![
            name,
            Cell::figure(format::count(row.calls)),
            Cell::figure(format::quantity(minutes)),
            Cell::figure(format::exact(row.gross)),
        ];
        if has_costs {
            cells.push(Cell::figure(format::exact(row.carrier_cost)));
        }
        cells.extend([Cell::figure(format::exact(row.kept)), Cell::figure(format::exact(row.owed))]);
        cells
    };
    for row in rows {
        let number = Cell::name(format::phone(&row.called)).to(calls(&row.called)).sub(row.note.clone());
        table.row(cells(number, row));
    }
    if rows.len() > 1 {
        table.total(cells(Cell::text("Sum"), &Statement::sum(currency, rows.iter())?));
    }
    Ok(table)
}

/// `GET /ops/settlements/{settlement_id}/pdf`
pub async fn pdf(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let tx = member.tx().await?;
    let settlement = invoicing::settlement(&tx, path.parse()?).await?;
    let id = settlement.document_id.ok_or(PageError::NotFound)?;
    let number = invoicing::document(&tx, id).await?.document.number;
    let bytes = invoicing::pdf(&tx, id, None, member.now).await?;
    tx.commit().await?;
    Ok(pdf_answer(&number, bytes))
}

/// Both sides may be reached only where there is a level below, or above.
pub const SELLERS: &[Audience] = &[Audience::Operator, Audience::Reseller];
