//! A document's content from its lines: tax, sums, what was settled already, and what is to be posted.

use crate::bill::{Bill, Billing};
use crate::content::{Claim, DraftContent, Ledgered, Line, LineGroup, Service, TaxRow, Totals};
use crate::due::Due;
use crate::error::{InvoicingError, Result};
use crate::tax::{Taxed, tax};
use chrono::{DateTime, Utc};
use money::{Currency, Money};
use subscription::Billing as Pays;

/// What a customer's turn in a run ends with.
pub(crate) enum Outcome {
    /// No document; the periods are closed all the same.
    NothingDue(Vec<Claim>),
    Draft(Box<DraftContent>),
}

/// Prices and sums everything that is due for a customer.
pub(crate) fn assemble(billing: &Billing<'_>, due: &Due, until: DateTime<Utc>) -> Result<Outcome> {
    let Bill { mut lines, claims } = billing.lines(due)?;
    let currency = billing.currency();
    let taxed = tax(currency, &mut lines)?;
    if lines.iter().all(|line| line.amount.is_zero() && line.gross.is_none_or(|gross| gross.is_zero())) {
        return Ok(Outcome::NothingDue(claims));
    }
    let totals = totals(currency, &taxed, billing.customer.billing)?;
    for total in [totals.gross, totals.due] {
        if total.is_negative() {
            return Err(InvoicingError::TotalMustNotBeNegative(total));
        }
    }
    let ledgered = ledgered(&totals, &taxed, billing.customer.billing)?;
    let Some(period) = period_of(&lines, until) else { return Ok(Outcome::NothingDue(claims)) };
    let time_zone = billing.customer.time_zone.clone();
    let content = DraftContent { lines, taxes: taxed.rows, totals, period, time_zone, claims, ledgered };
    content.must_sum()?;
    Ok(Outcome::Draft(Box::new(content)))
}

fn totals(currency: Currency, taxed: &Taxed, pays: Pays) -> Result<Totals> {
    let net = Money::sum(currency, taxed.rows.iter().map(|row| row.base))?;
    let tax = Money::sum(currency, taxed.rows.iter().map(|row| row.tax))?;
    let gross = net.checked_add(tax)?;
    let settled = if pays == Pays::Prepaid { taxed.gross_of_calls } else { Money::zero(currency) };
    Ok(Totals { net, tax, gross, settled, due: gross.checked_sub(settled)? })
}

/// A prepaid call has moved its gross from the wallet to unbilled: that becomes revenue and tax now. A postpaid one has
/// accrued its net as revenue against unbilled: that becomes part of the receivable. Components are new revenue.
fn ledgered(totals: &Totals, taxed: &Taxed, pays: Pays) -> Result<Ledgered> {
    let (unbilled, revenue) = match pays {
        Pays::Prepaid => (taxed.exact_of_calls.checked_neg()?, totals.net),
        Pays::Postpaid => (taxed.accrued_of_calls, taxed.net_of_components),
    };
    let rounding = totals.due.checked_sub(unbilled)?.checked_sub(revenue)?.checked_sub(totals.tax)?;
    Ok(Ledgered { unbilled, revenue, rounding })
}

/// The period printed at the head: of what has ended, else of what is billed ahead. Differences for earlier months print
/// their own.
fn period_of(lines: &[Line], until: DateTime<Utc>) -> Option<Service> {
    let current = |line: &&Line| line.group != LineGroup::Late;
    let ended: Vec<&Line> = lines.iter().filter(current).filter(|line| line.service.ends_at <= until).collect();
    let chosen = if ended.is_empty() { lines.iter().filter(current).collect() } else { ended };
    let chosen = if chosen.is_empty() { lines.iter().collect() } else { chosen };
    chosen.into_iter().map(|line| line.service).reduce(|a, b| Service {
        starts_at: a.starts_at.min(b.starts_at),
        ends_at: a.ends_at.max(b.ends_at),
        starts_on: a.starts_on.min(b.starts_on),
        ends_on: a.ends_on.max(b.ends_on),
    })
}

impl DraftContent {
    /// I9: lines sum to the net, groups to net and tax, net and tax to the gross, and the posting to zero.
    pub(crate) fn must_sum(&self) -> Result<()> {
        let Totals { net, tax, gross, settled, due } = self.totals;
        let sum = |amounts: Vec<Money>| Money::sum(net.currency(), amounts);
        let agree = |found: Money, expected: Money, what| {
            if found == expected { Ok(()) } else { Err(InvoicingError::SumsMustAgree(what)) }
        };
        agree(sum(self.lines.iter().map(|line| line.amount).collect())?, net, "the lines are not the net total")?;
        agree(
            sum(self.taxes.iter().map(|row: &TaxRow| row.base).collect())?,
            net,
            "the tax bases are not the net total",
        )?;
        agree(sum(self.taxes.iter().map(|row| row.tax).collect())?, tax, "the tax groups are not the tax total")?;
        agree(net.checked_add(tax)?, gross, "net and tax are not the gross total")?;
        agree(gross.checked_sub(settled)?, due, "gross less what was settled is not the amount due")?;
        let Ledgered { unbilled, revenue, rounding } = self.ledgered;
        agree(sum(vec![unbilled, revenue, rounding, tax])?, due, "the posting is not the document")
    }
}
