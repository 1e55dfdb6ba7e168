//! What a quote offers, in the words that its seller and its reader see alike.

use super::book::prices_of;
use crate::error::PageResult;
use crate::format;
use crate::views::parts::{SumRow, Sums};
use crate::views::quotes::Offer;
use crate::views::ui::{Badge, Tone};
use chrono::{DateTime, Utc};
use db::{PlanId, TenantTx};
use invoicing::{Quoted, SampleLine, TaxRow};
use money::Money;
use subscription::{Component, ComponentKind, LoyaltyReward, Quote, QuoteState};

/// Reads what a quote comes to and puts it into words.
pub async fn offer(tx: &TenantTx, quote: &Quote, now: DateTime<Utc>) -> PageResult<Offer> {
    // An old quote may name more than money is kept in: its terms show, its sum does not.
    let (month, once) = match invoicing::quoted(tx, quote).await {
        Ok(quoted) => (month(quote, &quoted), once(&quoted)),
        Err(error) if error.is_too_large() => {
            (Sums(vec![SumRow::Note("Its quantities are too large to be reckoned.".into())]), Sums::default())
        }
        Err(error) => return Err(error.into()),
    };
    let mut assumed = quote.terms.assumed(PlanId::new(), now);
    if !quote.with_trial {
        assumed.trial_days = 0;
    }
    let gifts = assumed.loyalty.iter().filter_map(|rule| match rule.reward {
        LoyaltyReward::FreeAddOn(id) => Some(id),
        _ => None,
    });
    let names = subscription::plan_names(tx, &gifts.collect::<Vec<_>>()).await?;
    let (terms, components) = prices_of(&assumed, |id| names.get(&id).cloned());
    let words = [&quote.plan_description, &quote.note].into_iter().flat_map(|text| text.lines());
    Ok(Offer {
        words: words.filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
        terms,
        month,
        once,
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
