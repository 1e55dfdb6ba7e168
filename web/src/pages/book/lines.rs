//! The lines of a document or draft and its tax, as tables. Every line that sums something opens to it.

use super::beneath::opens;
use super::words::{self, line_group, period};
use crate::format;
use crate::urls::Audience;
use crate::views::invoices::{Beneath, InvoiceLine, LineCalls, LineGroup};
use crate::views::table::{Cell, Column, Empty, Table};
use db::{DocumentId, DraftId, LineId};
use invoicing::{Grouped, Line, LineSource, PERCENT_UNIT, TaxRow, Totals};
use money::{Currency, Decimal};

/// Where the lines of a page lead.
#[derive(Clone, Copy)]
pub enum Of {
    Document(Audience, DocumentId),
    Draft(Audience, DraftId),
    /// A bill that the reader got from its seller.
    Account(Audience, DocumentId),
    /// A preview: its lines are kept nowhere, so nothing can be asked about one.
    Closed,
}

impl Of {
    fn beneath(self, line: LineId) -> Option<Beneath> {
        let (open_href, part_href, close_href) = match self {
            Of::Document(audience, id) => {
                (audience.invoice_opened(id, line), audience.invoice_line(id, line), audience.invoice(id))
            }
            Of::Draft(audience, id) => {
                (audience.draft_opened(id, line), audience.draft_line(id, line), audience.draft(id))
            }
            Of::Account(audience, id) => (
                audience.account_invoice_opened(id, line),
                audience.account_invoice_line(id, line),
                audience.account_invoice(id),
            ),
            Of::Closed => return None,
        };
        Some(Beneath { open_href, part_href, close_href })
    }
}

/// Lines under their headings, one of them open.
pub fn groups(groups: &[Grouped], of: Of, mut opened: Option<(LineId, LineCalls)>) -> Vec<LineGroup> {
    let mut shown = Vec::with_capacity(groups.len());
    for group in groups {
        let mut lines = Vec::with_capacity(group.lines.len());
        for line in &group.lines {
            let is_open = opened.as_ref().is_some_and(|(id, _)| *id == line.id);
            let calls = if is_open { opened.take().map(|(_, calls)| calls) } else { None };
            lines.push(shown_line(line, of, calls));
        }
        shown.push(LineGroup { name: line_group(group.group).into(), lines });
    }
    shown
}

fn shown_line(line: &Line, of: Of, opened: Option<LineCalls>) -> InvoiceLine {
    let currency: Currency = line.amount.currency();
    let is_percent = line.unit == PERCENT_UNIT;
    let quantity = match (is_percent, line.unit.as_str()) {
        (true, _) => format!("of {}", format::quantity(line.quantity.round_dp(2))),
        (false, "") => format::quantity(line.quantity.round_dp(2)),
        (false, unit) => {
            let (quantity, unit) = (line.quantity.round_dp(2), words::spoken(unit).to_lowercase());
            // "1 call": the units that every book has are plurals in English.
            let one = quantity == Decimal::ONE && ["calls", "minutes", "hours"].contains(&unit.as_str());
            let unit = if one { unit.trim_end_matches('s') } else { unit.as_str() };
            format!("{} {unit}", format::quantity(quantity))
        }
    };
    let price = match line.unit_price {
        Some(percent) if is_percent => format!("{}%", format::quantity(percent)),
        Some(price) => currency.human_rate(price),
        None if matches!(line.source, LineSource::TariffCalls { .. }) => "by call".to_owned(),
        None => String::new(),
    };
    let service = period(line.service.starts_on, line.service.ends_on);
    InvoiceLine {
        id: line.id.to_string(),
        text: line.text.clone(),
        sub: if line.detail.is_empty() { service } else { format!("{service} · {}", line.detail) },
        mark: if line.tax_percent.is_zero() { "no VAT".into() } else { String::new() },
        quantity,
        price,
        net: line.amount.human_bare(),
        beneath: of.beneath(line.id).filter(|_| opens(line)),
        opened,
    }
}

/// Tax by category and rate.
pub fn tax(rows: &[TaxRow], totals: &Totals) -> Table {
    let code = totals.gross.currency();
    let columns = vec![
        Column::text("Treatment"),
        Column::figures("Rate").label("Rate"),
        Column::figures(format!("Base, {code}")).label("Base"),
        Column::figures(format!("Tax, {code}")).label("Tax"),
    ];
    let mut table = Table::new("Tax", columns, Empty::new("scale", "No tax", "No line carries tax.")).dense();
    for row in rows {
        table.row(vec![
            Cell::text(treatment(&row.category)),
            Cell::figure(format!("{}%", format::quantity(row.percent))),
            Cell::figure(row.base.human_bare()),
            Cell::figure(row.tax.human_bare()),
        ]);
    }
    if !rows.is_empty() {
        table.total(vec![
            Cell::text("All"),
            Cell::none(),
            Cell::figure(totals.net.human_bare()),
            Cell::figure(totals.tax.human_bare()),
        ]);
    }
    table
}

/// EN 16931 letters in words.
fn treatment(category: &str) -> String {
    match category {
        "S" => "Standard".into(),
        "Z" => "Zero rate".into(),
        "E" => "Exempt".into(),
        "AE" => "Reverse charge".into(),
        "O" => "Out of scope".into(),
        other => other.to_owned(),
    }
}
