//! What a quote offers, in the words that its seller and its reader see alike.

use super::book::prices_of;
use crate::error::PageResult;
use crate::format;
use crate::views::catalogue::ComponentCard;
use crate::views::parts::{SumRow, Sums};
use crate::views::quotes::Offer;
use crate::views::ui::{Badge, Tone};
use chrono::{DateTime, Utc};
use db::{PlanId, TenantTx};
use invoicing::{Quoted, SampleLine, TaxRow};
use money::Money;
use subscription::{Component, ComponentKind, Quote, QuoteState};

/// Reads what a quote comes to and puts it into words.
pub async fn offer(tx: &TenantTx, quote: &Quote, now: DateTime<Utc>) -> PageResult<Offer> {
    let quoted = invoicing::quoted(tx, quote).await?;
    let mut assumed = quote.terms.assumed(PlanId::new(), now);
    if !quote.with_trial {
        assumed.trial_days = 0;
    }
    let (terms, mut components): (_, Vec<ComponentCard>) = prices_of(&assumed);
    for (card, component) in components.iter_mut().zip(&quote.terms.components) {
        card.basis = basis(component);
    }
    let words = [&quote.plan_description, &quote.note].into_iter().flat_map(|text| text.lines());
    Ok(Offer {
        words: words.filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
        terms,
        month: month(quote, &quoted),
        once: once(&quoted),
        components,
    })
}

/// Where it stands, as a badge.
pub fn state(state: QuoteState) -> Badge {
    match state {
        QuoteState::Open => Badge::new("Open", Tone::On),
        QuoteState::Accepted => Badge::new("Accepted", Tone::Good),
        QuoteState::Withdrawn => Badge::new("Withdrawn", Tone::Plain),
        QuoteState::Expired => Badge::new("Expired", Tone::Soon),
    }
}

fn month(quote: &Quote, quoted: &Quoted) -> Sums {
    let mut rows: Vec<SumRow> = quoted.month.lines.iter().map(|line| row(quote, line)).collect();
    rows.extend(sums("A month, net", "A month, with tax", quoted.month.total, &quoted.tax, quoted.gross));
    Sums(rows)
}

fn once(quoted: &Quoted) -> Sums {
    let Some(once) = &quoted.once else { return Sums::default() };
    let mut rows: Vec<SumRow> =
        quoted.month.once.iter().map(|line| SumRow::plain(&line.name, line.amount.human())).collect();
    rows.extend(sums("Once, net", "Once, with tax", once.tax.base, &once.tax, once.gross));
    Sums(rows)
}

fn sums(net_word: &str, gross_word: &str, net: Money, tax: &TaxRow, gross: Money) -> Vec<SumRow> {
    if tax.tax.is_zero() {
        return vec![SumRow::sum(net_word, net.human()), SumRow::Note("No tax is charged on it.".into())];
    }
    vec![
        SumRow::sum(net_word, net.human()),
        SumRow::plain(format!("Tax, {}%", format::quantity(tax.percent)), tax.tax.human()),
        SumRow::sum(gross_word, gross.human()),
    ]
}

fn row(quote: &Quote, line: &SampleLine) -> SumRow {
    let component = quote.terms.components.iter().find(|component| component.key == line.key);
    let label = match component.filter(|component| component.is_counted()) {
        Some(component) => format!("{}, {}", line.name, quantity(component, line)),
        None => line.name.clone(),
    };
    SumRow::plain(label, line.amount.human())
}

/// What a price is for, to somebody who knows nothing of meters: "per call, 100 included".
fn basis(component: &Component) -> String {
    let per = match (component.kind, component.measure.as_deref()) {
        (ComponentKind::Flat, _) => "a month",
        (ComponentKind::OneOff, _) => "once, at the start",
        (ComponentKind::Percent, _) => "a share of the amounts above",
        (ComponentKind::Hours, _) => "per hour",
        (ComponentKind::Channels, _) => "per call at once, the most of a month",
        (ComponentKind::Seat, Some("daily")) => "per agent and day",
        (ComponentKind::Seat, _) => "per agent and month",
        (_, Some("calls")) => "per call",
        (_, Some("minutes")) => "per minute",
        _ => "per unit used",
    };
    if component.included.is_zero() {
        return per.to_owned();
    }
    format!("{per}, {} included in a month", format::quantity(component.included))
}

/// "300", "160 hours", "12 seats"
fn quantity(component: &Component, line: &SampleLine) -> String {
    let number = format::quantity(line.quantity);
    let included = match component.included.is_zero() {
        true => String::new(),
        false => format!(", {} of them included", format::quantity(component.included.min(line.quantity))),
    };
    let unit = match component.kind {
        ComponentKind::Seat if component.measure.as_deref() == Some("daily") => " seat-days",
        ComponentKind::Seat => " seats",
        ComponentKind::Hours => " hours",
        ComponentKind::Channels => " at once",
        _ => "",
    };
    format!("{number}{unit}{included}")
}
