//! What payees are owed for a month: drafted from the shares that stand on no statement, issued by a person as a self-billed
//! document in the payee's own series, paid out once. Nothing that was issued changes: what comes late, and what is taken back, is
//! an adjustment on the next. Start at [`draft_settlements`]; the payee's side of it is in `received.rs`.

use crate::error::{InvoicingError, Result};
use crate::print::Party;
use crate::store::settlements as store;
use crate::tax;
use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use db::{CustomerId, Db, DocumentId, SettlementId, TenantId, TenantTx};
use ledger::{PartnerShare, ShareKind};
use money::{Currency, Decimal, Money, Percent, Rounding};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use subscription::{Customer, TaxTreatment};
use tenant::Organisation;

/// What calls of a number come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatementRow {
    pub called: String,
    /// Empty for the month's own calls; for adjustments what is adjusted, and of which month.
    pub note: String,
    pub calls: i64,
    pub seconds: i64,
    /// What was collected, net of tax.
    pub gross: Money,
    /// What carriers had; told, not split.
    pub carrier_cost: Money,
    /// The seller's share.
    pub kept: Money,
    /// The payee's share.
    pub owed: Money,
}

/// Who is paid, as it was when the statement was drafted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Payee {
    pub party: Party,
    pub bank: Vec<(String, String)>,
    pub country: String,
    pub language: String,
}

/// Everything that a statement says beside its sums.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// By number: the calls of the month.
    pub rows: Vec<StatementRow>,
    /// What belongs to earlier months, and what was corrected or taken back.
    pub adjustments: Vec<StatementRow>,
    pub payee: Payee,
    /// EN 16931 letter, by the payee's status.
    pub tax_category: String,
    pub tax_percent: Decimal,
    /// "Agreement of 14 May 2026".
    pub agreement: String,
}

impl Statement {
    /// The month's rows, then the adjustments.
    pub fn all(&self) -> impl Iterator<Item = &StatementRow> {
        self.rows.iter().chain(&self.adjustments)
    }

    /// Sums of rows in a currency.
    pub fn sum<'a>(currency: Currency, rows: impl Iterator<Item = &'a StatementRow>) -> Result<StatementRow> {
        let zero = Money::zero(currency);
        let mut sum = StatementRow {
            called: String::new(),
            note: String::new(),
            calls: 0,
            seconds: 0,
            gross: zero,
            carrier_cost: zero,
            kept: zero,
            owed: zero,
        };
        for row in rows {
            sum.calls += row.calls;
            sum.seconds += row.seconds;
            sum.gross = sum.gross.checked_add(row.gross)?;
            sum.carrier_cost = sum.carrier_cost.checked_add(row.carrier_cost)?;
            sum.kept = sum.kept.checked_add(row.kept)?;
            sum.owed = sum.owed.checked_add(row.owed)?;
        }
        Ok(sum)
    }
}

/// How far a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettlementState {
    Draft,
    Issued,
    Paid,
    /// Its shares are free again.
    Discarded,
}

impl SettlementState {
    /// All, in the order of a statement's life.
    pub const ALL: [SettlementState; 4] = [Self::Draft, Self::Issued, Self::Paid, Self::Discarded];

    /// As sent and filtered by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Issued => "issued",
            Self::Paid => "paid",
            Self::Discarded => "discarded",
        }
    }
}

/// When and under which reference a statement was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    pub on: NaiveDate,
    pub reference: String,
    /// Who recorded it.
    pub by: String,
}

/// When, by whom and why a draft was thrown away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discard {
    pub at: DateTime<Utc>,
    pub by: String,
    pub reason: String,
}

/// A payee's statement for a month.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    pub id: SettlementId,
    pub customer_id: CustomerId,
    /// First day of the month, and the first day after it, in the payee's zone.
    pub period_starts_on: NaiveDate,
    pub period_ends_on: NaiveDate,
    /// What the shares sum to, to the micro.
    pub owed: Money,
    /// That, rounded once.
    pub net: Money,
    pub tax: Money,
    /// What is paid out.
    pub gross: Money,
    pub statement: Statement,
    pub drafted_at: DateTime<Utc>,
    pub document_id: Option<DocumentId>,
    pub issued_at: Option<DateTime<Utc>>,
    pub issued_by: Option<String>,
    pub payout: Option<Payout>,
    pub discarded: Option<Discard>,
}

impl Settlement {
    pub fn state(&self) -> SettlementState {
        match (&self.payout, self.document_id, &self.discarded) {
            (Some(_), ..) => SettlementState::Paid,
            (None, Some(_), _) => SettlementState::Issued,
            (None, None, Some(_)) => SettlementState::Discarded,
            (None, None, None) => SettlementState::Draft,
        }
    }
}

/// Which statements to list.
#[derive(Clone, Debug, Default)]
pub struct SettlementFilter {
    pub customer_id: Option<CustomerId>,
    pub state: Option<SettlementState>,
    /// Drafts are the seller's alone.
    pub issued_only: bool,
    /// The last statement of the page before.
    pub after: Option<(NaiveDate, SettlementId)>,
    pub limit: u64,
}

/// Statements, the newest month first.
pub async fn settlements(tx: &TenantTx, filter: &SettlementFilter) -> Result<Vec<Settlement>> {
    store::page(tx, filter).await
}

/// One statement.
pub async fn settlement(tx: &TenantTx, id: SettlementId) -> Result<Settlement> {
    store::by_id(tx, id).await?.ok_or(InvoicingError::UnknownSettlement(id))
}

/// Drafts the statements of all months that ended before a day and have none, not even one that was discarded; how many. Safe to repeat, and in
/// several processes at once: a share stands on one statement, and a payee has one statement for a month.
pub async fn draft_settlements(db: &Db, seller: TenantId, until_on: NaiveDate, now: DateTime<Utc>) -> Result<u64> {
    let tx = db.tenant(seller).await?;
    let payees = ledger::payees(&tx, until_on).await?;
    drop(tx);
    let mut drafted = 0;
    for (customer_id, first_on) in payees {
        let mut starts_on = first_on.with_day(1).unwrap_or(first_on);
        while starts_on < until_on {
            let Some(ends_on) = starts_on.checked_add_months(Months::new(1)) else { break };
            if ends_on > until_on {
                break;
            }
            drafted += u64::from(draft_one(db, seller, customer_id, (starts_on, ends_on), now).await?);
            starts_on = ends_on;
        }
    }
    Ok(drafted)
}

async fn draft_one(
    db: &Db,
    seller: TenantId,
    customer_id: CustomerId,
    (starts_on, ends_on): (NaiveDate, NaiveDate),
    now: DateTime<Utc>,
) -> Result<bool> {
    let tx = db.tenant(seller).await?;
    if store::exists(&tx, customer_id, starts_on).await? {
        return Ok(false);
    }
    let is_drafted = write(db, &tx, customer_id, (starts_on, ends_on), now).await?.is_some();
    if is_drafted {
        tx.commit().await?;
    }
    Ok(is_drafted)
}

/// Drafts the month of a discarded statement again, as everything is now.
pub async fn draft_again(db: &Db, tx: &TenantTx, id: SettlementId, now: DateTime<Utc>) -> Result<SettlementId> {
    let old = store::lock(tx, id).await?.ok_or(InvoicingError::UnknownSettlement(id))?;
    if old.state() != SettlementState::Discarded {
        return Err(InvoicingError::SettlementMustBeDiscarded(old.state().as_str()));
    }
    let period = (old.period_starts_on, old.period_ends_on);
    write(db, tx, old.customer_id, period, now).await?.ok_or(InvoicingError::SettlementMustOweSomething)
}

/// Claims what is open and writes the draft over it. `None` when there is nothing to pay, or somebody was faster: then nothing
/// may be committed.
async fn write(
    db: &Db,
    tx: &TenantTx,
    customer_id: CustomerId,
    (starts_on, ends_on): (NaiveDate, NaiveDate),
    now: DateTime<Utc>,
) -> Result<Option<SettlementId>> {
    let id = SettlementId::new();
    let shares = ledger::claim_shares(tx, customer_id, ends_on, id).await?;
    let Some(customer) = subscription::customer(tx, customer_id).await? else { return Ok(None) };
    let currency = customer.currency;
    let owed = Money::sum(currency, shares.iter().map(|share| share.owed))?;
    let (net, _) = owed.to_minor(Rounding::HalfAwayFromZero)?;
    // What comes to nothing or less stays open, and lessens the next statement.
    let Some(organisation_id) = customer.organisation_id.filter(|_| net.is_positive()) else { return Ok(None) };
    let child = db.tenant(organisation_id).await?;
    let payee = tenant::organisation(&child).await?;
    drop(child);
    let own = tenant::organisation(tx).await?;
    let (category, percent) = tax_status(&payee, &own);
    let tax = Percent::new(percent)?.of(net)?.to_minor(Rounding::HalfAwayFromZero)?.0;
    let (rows, adjustments) = rows_of(&shares, starts_on, &payee.language)?;
    let settlement = Settlement {
        id,
        customer_id,
        period_starts_on: starts_on,
        period_ends_on: ends_on,
        owed,
        net,
        tax,
        gross: net.checked_add(tax)?,
        statement: Statement {
            rows,
            adjustments,
            payee: payee_of(payee, &customer),
            tax_category: category.to_owned(),
            tax_percent: percent,
            agreement: subscription::partner_terms(tx, customer_id).await?.agreement,
        },
        drafted_at: now,
        document_id: None,
        issued_at: None,
        issued_by: None,
        payout: None,
        discarded: None,
    };
    // Another worker may have been faster: then its statement stands, and these shares wait for the next.
    Ok(store::insert(tx, &settlement).await?.then_some(id))
}

/// The payee is the one who supplies: without a tax id it charges none, across a border its buyer owes it, else at its own rate.
fn tax_status(payee: &Organisation, own: &Organisation) -> (&'static str, Decimal) {
    if payee.tax_id.is_none() {
        return tax::category(TaxTreatment::Exempt, payee.tax_percent);
    }
    if payee.country != own.country {
        return tax::category(TaxTreatment::ReverseCharge, payee.tax_percent);
    }
    tax::category(TaxTreatment::Standard, payee.tax_percent)
}

fn payee_of(payee: Organisation, customer: &Customer) -> Payee {
    let party = Party {
        name: if payee.legal_name.is_empty() { customer.name.clone() } else { payee.legal_name },
        lines: payee.address_lines,
        contact: Vec::new(),
        tax_id: payee.tax_id,
        tax_label: None,
        sender: None,
    };
    Payee { party, bank: payee.bank, country: payee.country, language: payee.language }
}

/// The month's own calls by number; all else by number, kind and month.
fn rows_of(
    shares: &[PartnerShare],
    starts_on: NaiveDate,
    language: &str,
) -> Result<(Vec<StatementRow>, Vec<StatementRow>)> {
    type Key<'a> = (&'a str, Option<(ShareKind, i32, u32)>);
    let mut sums: BTreeMap<Key<'_>, Vec<StatementRow>> = BTreeMap::new();
    for share in shares {
        let is_own = share.kind == ShareKind::Call && share.shared_on >= starts_on;
        let adjusts = (!is_own).then(|| (share.kind, share.shared_on.year(), share.shared_on.month()));
        sums.entry((&share.called, adjusts)).or_default().push(StatementRow {
            called: share.called.clone(),
            note: String::new(),
            calls: share.calls,
            seconds: share.seconds,
            gross: share.base,
            carrier_cost: share.carrier_cost,
            kept: share.kept,
            owed: share.owed,
        });
    }
    let (mut rows, mut adjustments) = (Vec::new(), Vec::new());
    for ((called, adjusts), parts) in sums {
        let sum = Statement::sum(parts[0].owed.currency(), parts.iter())?;
        let row = StatementRow { called: called.to_owned(), ..sum };
        match adjusts {
            None => rows.push(row),
            Some((kind, year, month)) => {
                adjustments.push(StatementRow { note: crate::words::adjustment(language, kind, year, month), ..row });
            }
        }
    }
    Ok((rows, adjustments))
}

/// Rounds amounts to the minor unit so that they sum to their own rounded sum: what is left goes to the largest.
pub(crate) fn fitted(currency: Currency, amounts: &[Money]) -> Result<Vec<Money>> {
    let (whole, _) = Money::sum(currency, amounts.iter().copied())?.to_minor(Rounding::HalfAwayFromZero)?;
    let mut rounded = Vec::with_capacity(amounts.len());
    for amount in amounts {
        rounded.push(amount.to_minor(Rounding::HalfAwayFromZero)?.0);
    }
    let left = whole.checked_sub(Money::sum(currency, rounded.iter().copied())?)?;
    if let Some(largest) = rounded.iter_mut().max_by_key(|amount| amount.micros().unsigned_abs()) {
        *largest = largest.checked_add(left)?;
    }
    Ok(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    #[test]
    fn rounded_amounts_sum_to_the_rounded_sum() {
        // 0.005 + 0.005 + 1.005 = 1.015, rounded 1.02; rounded one by one 0.01 + 0.01 + 1.01 = 1.03
        let amounts = [eur("0.005"), eur("0.005"), eur("1.005")];
        assert_eq!(fitted(Currency::EUR, &amounts).unwrap(), [eur("0.01"), eur("0.01"), eur("1.00")]);
        assert_eq!(fitted(Currency::EUR, &[]).unwrap(), []);
    }
}
