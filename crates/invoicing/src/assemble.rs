//! A document's content from its lines: tax, sums, what was settled already, and what is to be posted.

use crate::bill::{Bill, Billing};
use crate::content::{Claim, DraftContent, Ledgered, Line, LineGroup, LineSource, Service, StandsOn, TaxRow, Totals};
use crate::document::DocumentKind;
use crate::due::WALLET;
use crate::error::{InvoicingError, Result};
use crate::tax::{Taxed, tax};
use chrono::{DateTime, Utc};
use money::{Currency, Money, Rounding};
use pricing::{Exact, RoundTo};
use subscription::Billing as Pays;

/// What a customer's turn in a run ends with.
pub(crate) enum Outcome {
    /// No document; the periods are closed all the same.
    NothingDue {
        claims: Vec<Claim>,
        stands_on: Vec<StandsOn>,
    },
    Draft(Box<DraftContent>),
}

/// Sums the lines that are due.
pub(crate) fn assemble(billing: &Billing<'_>, bill: Bill, until: DateTime<Utc>) -> Result<Outcome> {
    let Bill { mut lines, claims, paid, stands_on } = bill;
    let currency = billing.currency();
    let taxed = tax(currency, &mut lines)?;
    let is_nothing = |line: &Line| line.amount.is_zero() && line.gross.is_none_or(|gross| gross.is_zero());
    let Some(period) = period_of(&lines, until).filter(|_| !lines.iter().all(is_nothing)) else {
        // What a wallet has paid waits for a document that posts it.
        let claims = claims.into_iter().filter(|claim| claim.component_key != WALLET).collect();
        return Ok(Outcome::NothingDue { claims, stands_on });
    };
    let paid = paid.unwrap_or_else(|| Money::zero(currency));
    let settled = match billing.customer.billing {
        Pays::Prepaid => taxed.gross_of_calls.checked_add(settled_of_components(&lines, paid)?)?,
        Pays::Postpaid => Money::zero(currency),
    };
    let totals = totals(currency, &taxed, settled)?;
    let ledgered = ledgered(&totals, &taxed, billing.customer.billing, paid)?;
    let time_zone = billing.customer.time_zone.clone();
    let kind = DocumentKind::Invoice;
    let content =
        DraftContent { kind, lines, taxes: taxed.rows, totals, period, time_zone, claims, ledgered, stands_on };
    let content = if content.is_owed_to_the_customer() { content.into_credit_note()? } else { content };
    content.must_sum()?;
    Ok(Outcome::Draft(Box::new(content)))
}

impl DraftContent {
    /// Is it below zero? What is due decides, and where nothing is (calls that a wallet has paid), what it comes to.
    fn is_owed_to_the_customer(&self) -> bool {
        let Totals { due, gross, .. } = self.totals;
        due.is_negative() || due.is_zero() && gross.is_negative()
    }

    /// The same as a credit note, whose amounts are positive because they are credited. What is posted stays what it is.
    fn into_credit_note(mut self) -> Result<DraftContent> {
        self.kind = DocumentKind::CreditNote;
        for line in &mut self.lines {
            line.amount = line.amount.checked_neg()?;
            line.gross = line.gross.map(Money::checked_neg).transpose()?;
            line.quantity = -line.quantity;
        }
        for row in &mut self.taxes {
            (row.base, row.tax) = (row.base.checked_neg()?, row.tax.checked_neg()?);
        }
        let Totals { net, tax, gross, settled, due } = self.totals;
        self.totals = Totals {
            net: net.checked_neg()?,
            tax: tax.checked_neg()?,
            gross: gross.checked_neg()?,
            settled: settled.checked_neg()?,
            due: due.checked_neg()?,
        };
        Ok(self)
    }
}

/// Does a component charge calls by this line, so that a prepaid caller's wallet has paid it call by call?
pub(crate) fn is_of_calls(line: &Line) -> bool {
    match &line.source {
        LineSource::Usage { meter, .. } => matches!(meter.as_str(), "minutes" | "calls"),
        _ => false,
    }
}

/// What of the lines of components a wallet has paid, call by call. The document rounds once and the wallet with each call: where
/// they are not a minor unit apart for each line, the lines are paid.
fn settled_of_components(lines: &[Line], paid: Money) -> Result<Money> {
    let (mut gross, mut minor) = (Money::zero(paid.currency()), Money::zero(paid.currency()));
    let one = Money::from_minor(1, paid.currency())?;
    for line in lines.iter().filter(|line| is_of_calls(line)) {
        let whole = Exact::integer(1).plus(&Exact::from(line.tax_percent).hundredths());
        let with_tax = Exact::from(line.amount).times(&whole).to_money(paid.currency(), RoundTo::Minor)?;
        (gross, minor) = (gross.checked_add(with_tax)?, minor.checked_add(one)?);
    }
    let apart = gross.checked_sub(paid)?;
    let is_paid = !paid.is_zero() && minor.at_least(apart)? && apart.checked_add(minor)?.micros() >= 0;
    if is_paid { Ok(gross) } else { Ok(paid.to_minor(Rounding::HalfAwayFromZero)?.0) }
}

fn totals(currency: Currency, taxed: &Taxed, settled: Money) -> Result<Totals> {
    let net = Money::sum(currency, taxed.rows.iter().map(|row| row.base))?;
    let tax = Money::sum(currency, taxed.rows.iter().map(|row| row.tax))?;
    let gross = net.checked_add(tax)?;
    Ok(Totals { net, tax, gross, settled, due: gross.checked_sub(settled)? })
}

/// A prepaid call has moved its gross from the wallet to unbilled: that becomes revenue and tax now. A postpaid one has
/// accrued its net as revenue against unbilled: that becomes part of the receivable. Components are new revenue, paid from
/// the wallet already or not.
fn ledgered(totals: &Totals, taxed: &Taxed, pays: Pays, paid: Money) -> Result<Ledgered> {
    let (unbilled, revenue) = match pays {
        Pays::Prepaid => (taxed.exact_of_calls.checked_add(paid)?.checked_neg()?, totals.net),
        Pays::Postpaid => (taxed.accrued_of_calls, taxed.net_of_components),
    };
    let rounding = totals.due.checked_sub(unbilled)?.checked_sub(revenue)?.checked_sub(totals.tax)?;
    Ok(Ledgered { wallet: None, unbilled, revenue, rounding })
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
        let Ledgered { wallet, unbilled, revenue, rounding } = self.ledgered;
        let posted = sum([unbilled, revenue, rounding].into_iter().chain(wallet).collect())?;
        let owed = match self.kind {
            DocumentKind::CreditNote => due.checked_sub(tax)?.checked_neg()?,
            DocumentKind::Invoice => due.checked_sub(tax)?,
            // What is posted of a statement is worked out of its totals: only rounding is told beside them.
            DocumentKind::Settlement => rounding,
        };
        agree(posted, owed, "the posting is not the document")
    }
}
