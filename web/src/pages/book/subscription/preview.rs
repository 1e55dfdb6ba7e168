//! What the next document of a customer will say, by the code that writes it, as a page shows it.

use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::book::lines::{self, Of};
use crate::pages::book::shell;
use crate::pages::book::words::day;
use crate::shell::Section;
use crate::views::parts::{Fact, Facts, Heading, PagePath, SumRow, Sums};
use crate::views::subscriptions::{BillPreview, NextBill};
use crate::views::table::{Cell, Column, Empty, Table};
use actix_web::web;
use chrono::{DateTime, Days, NaiveDate, Utc};
use db::{CustomerId, TenantTx};
use invoicing::{DraftContent, Line, LineSource, Preview};
use money::{Currency, Money};
use sha2::{Digest, Sha256};
use subscription::{Customer, History};

/// What a confirmation stands on: the lines that do not move while somebody looks at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures(String);

impl Figures {
    fn of(preview: &Preview) -> Figures {
        let stands = |source: &LineSource| match source {
            LineSource::None => true,
            // Assigned seats move only when somebody changes them; active and peak ones with every log-in.
            LineSource::Seats { measure, .. } => measure == "assigned",
            LineSource::TariffCalls { .. } | LineSource::Usage { .. } => false,
        };
        let fixed = |line: &&Line| stands(&line.source) && line.component_key.is_some();
        let documents = [&preview.next, &preview.following];
        let lines = documents.into_iter().flatten().flat_map(|document| document.lines.iter().filter(fixed));
        let told = lines.map(|line| {
            let (key, service) = (line.component_key.as_deref().unwrap_or_default(), line.service);
            format!("{key} {} {} {};", service.starts_on, service.ends_on, line.amount)
        });
        let all: String =
            std::iter::once(format!("{} {};", preview.until_on, preview.following_on)).chain(told).collect();
        Figures(hex::encode(&Sha256::digest(all.as_bytes())[..12]))
    }

    /// As a form carries it.
    pub fn print(&self) -> String {
        self.0.clone()
    }
}

/// With a subscription as it would be, beside what the document comes to as it is.
pub async fn of_change(
    tx: &TenantTx,
    customer: &Customer,
    after: &History,
    now: DateTime<Utc>,
) -> PageResult<(BillPreview, Figures)> {
    let as_it_is = invoicing::preview(tx, customer.id, &[], now).await?;
    let preview = invoicing::preview(tx, customer.id, std::slice::from_ref(after), now).await?;
    let without = as_it_is.next.as_ref().map(|document| document.totals.gross);
    Ok((shown(&preview, customer.currency, without)?, Figures::of(&preview)))
}

/// In a transaction in which a subscription has begun.
pub async fn of_start(tx: &TenantTx, customer: &Customer, now: DateTime<Utc>) -> PageResult<(BillPreview, Figures)> {
    let preview = invoicing::preview(tx, customer.id, &[], now).await?;
    Ok((shown(&preview, customer.currency, None)?, Figures::of(&preview)))
}

/// As it is.
pub async fn bill(tx: &TenantTx, customer: &Customer, now: DateTime<Utc>) -> PageResult<(BillPreview, Preview)> {
    let preview = invoicing::preview(tx, customer.id, &[], now).await?;
    Ok((shown(&preview, customer.currency, None)?, preview))
}

/// `GET /admin/customers/{customer_id}/next-bill`
pub async fn next_bill(member: Member, path: web::Path<String>) -> PageResult<NextBill> {
    let id: CustomerId = path.parse()?;
    let tx = member.tx().await?;
    let customer = subscription::customer(&tx, id).await?.ok_or(PageError::NotFound)?;
    let (bill, preview) = bill(&tx, &customer, member.now).await?;
    let gross = preview.next.as_ref().map_or(Money::zero(customer.currency), |document| document.totals.gross);
    let path = PagePath::under(&customer.name, member.audience.customer(id), "Next invoice");
    Ok(NextBill {
        shell: shell(&member, &tx, "Next invoice", Section::Customers).await?,
        heading: Heading::new(format!("{} so far for {}", gross.human(), customer.name)).path(path),
        facts: Facts(vec![
            Fact::new("Bills what is over before", day(preview.until_on)),
            Fact::new("Usage until", format::stamp(member.now, &member.zone).text),
            Fact::new("The one after", day(preview.following_on)),
        ]),
        bill,
    })
}

fn shown(preview: &Preview, currency: Currency, without: Option<Money>) -> PageResult<BillPreview> {
    let lines = match &preview.next {
        Some(document) => line_table(document.lines.clone(), currency)?,
        None => line_table(Vec::new(), currency)?,
    };
    let mut sums = match &preview.next {
        Some(document) => sums(document)?,
        None => vec![SumRow::sum("Total", Money::zero(currency).human())],
    };
    if let Some(without) = without {
        // Below the total that it is compared with, not below what a wallet leaves of it.
        let total = sums.iter().position(|row| matches!(row, SumRow::Sum(..))).map_or(sums.len(), |at| at + 1);
        sums.insert(total, SumRow::Note(format!("Without the change: {}", without.human())));
    }
    let following = preview.following.as_ref().map(|document| {
        let title = format!("The month after, on the invoice of {}", day(preview.following_on));
        let mut rows: Vec<SumRow> =
            document.lines.iter().map(|line| SumRow::plain(&line.text, line.amount.human_bare())).collect();
        rows.extend(tax_rows(document));
        rows.push(SumRow::sum("Total", document.totals.gross.human()));
        (title, Sums(rows))
    });
    Ok(BillPreview {
        title: format!("On the invoice of {}", day(preview.until_on)),
        sub: format!("What is over before that day and what is paid ahead, until {}", last_day(preview.until_on)),
        lines,
        sums: Sums(sums),
        then: following,
        remark: "Usage counts as it is now; what comes until then is added. By the code that writes the invoice."
            .into(),
    })
}

fn last_day(until_on: NaiveDate) -> String {
    day(until_on.checked_sub_days(Days::new(1)).unwrap_or(until_on))
}

fn line_table(all: Vec<Line>, currency: Currency) -> PageResult<Table> {
    let columns = vec![
        Column::text("Line"),
        Column::figures("Quantity").hidden(),
        Column::figures("Price").hidden(),
        Column::figures(format!("Net, {currency}")),
    ];
    let empty = Empty::new("receipt", "Nothing is due", "Nothing is charged by then as it stands.");
    let mut table = Table::new("Lines of the next invoice", columns, empty);
    for group in lines::groups(&invoicing::grouped(all)?, Of::Closed, None) {
        table.group(group.name);
        for line in group.lines {
            table.row(vec![
                Cell::name(line.text).sub(line.sub),
                Cell::figure(line.quantity),
                Cell::figure(line.price),
                Cell::figure(line.net),
            ]);
        }
    }
    Ok(table)
}

/// Credit and charge apart, tax by group, the total.
fn sums(document: &DraftContent) -> PageResult<Vec<SumRow>> {
    let currency = document.totals.gross.currency();
    let amounts = || document.lines.iter().map(|line| line.amount);
    let credit = Money::sum(currency, amounts().filter(Money::is_negative))?;
    let charge = Money::sum(currency, amounts().filter(|amount| !amount.is_negative()))?;
    let mut rows = Vec::new();
    if !credit.is_zero() {
        rows.push(SumRow::plain("Credit", credit.human_bare()));
        rows.push(SumRow::plain("Charge", charge.human_bare()));
    }
    rows.push(SumRow::plain("Net", document.totals.net.human_bare()));
    rows.extend(tax_rows(document));
    rows.push(SumRow::sum("Total", document.totals.gross.human()));
    if !document.totals.settled.is_zero() {
        rows.push(SumRow::plain(
            "Paid by the wallet, call by call",
            document.totals.settled.checked_neg()?.human_bare(),
        ));
        rows.push(SumRow::sum("To pay", document.totals.due.human()));
    }
    Ok(rows)
}

fn tax_rows(document: &DraftContent) -> Vec<SumRow> {
    let row = |tax: &invoicing::TaxRow| {
        let label = format!("VAT {}% of {}", format::quantity(tax.percent), tax.base.human_bare());
        SumRow::plain(label, tax.tax.human_bare())
    };
    document.taxes.iter().map(row).collect()
}
