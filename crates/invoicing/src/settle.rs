//! Issuing and paying a statement: under the lock of its row, so that two clicks are one document and one payout.

use crate::content::{DraftContent, Ledgered, Line, LineGroup, LineSource, Service, TaxRow, Totals};
use crate::document::{DocumentKind, Frozen};
use crate::error::{InvoicingError, Result};
use crate::finalise::issue;
use crate::print::Party;
use crate::received;
use crate::settlement::{Discard, Payout, Settlement, SettlementState, Statement, StatementRow, fitted};
use crate::store::finals::NewDocument;
use crate::store::{drafts, settlements as store};
use crate::words;
use chrono::{DateTime, Days, NaiveDate, Utc};
use db::{DocumentId, DraftId, LineId, SettlementId, TenantTx};
use ledger::{AccountKind, AccountRef, Posting, post};
use money::{Decimal, Money};
use pricing::Explanation;
use subscription::Customer;
use tenant::Organisation;

const REFERENCE_LETTERS_MAX: usize = 140;
const REASON_LETTERS_MAX: usize = 200;

/// Issues a statement: a self-billed document with the next number of the payee's series.
pub async fn issue_settlement(tx: &TenantTx, id: SettlementId, by: &str, now: DateTime<Utc>) -> Result<DocumentId> {
    let settlement = store::lock(tx, id).await?.ok_or(InvoicingError::UnknownSettlement(id))?;
    if settlement.state() != SettlementState::Draft {
        return Err(InvoicingError::SettlementMustBeDraft(settlement.state().as_str()));
    }
    let organisation = tenant::organisation(tx).await?;
    let customer = subscription::customer(tx, settlement.customer_id).await?;
    let customer = customer.ok_or(InvoicingError::UnknownSettlement(id))?;
    let content = content_of(&settlement, &customer)?;
    content.must_sum()?;
    // A document is made of a draft; this one lives as long as the transaction.
    let draft_id = DraftId::new();
    drafts::insert(tx, None, &[(draft_id, customer.id, Box::new(content.clone()))], now).await?;
    drafts::mark_final(tx, &[draft_id], now).await?;
    let issued_on = pricing::civil_date(now, &organisation.time_zone)?;
    let terms = Days::new(customer.payment_terms_days.into());
    let document = NewDocument {
        id: DocumentId::new(),
        kind: DocumentKind::Settlement,
        series: String::new(),
        serial: 0,
        number: String::new(),
        customer_id: customer.id,
        draft_id,
        run_id: None,
        corrects: None,
        issued_on,
        issued_at: now,
        due_on: issued_on.checked_add_days(terms).unwrap_or(issued_on),
        frozen: frozen(&organisation, &customer, &settlement.statement),
        content,
        transaction_id: None,
    };
    let mut documents = [document];
    issue(tx, &series(&organisation, &customer), &mut documents, now).await?;
    let [document] = documents;
    store::mark_issued(tx, id, document.id, by, now).await?;
    let text = format!("Settlement {} over {}.", document.number, settlement.gross.human());
    subscription::add_customer_events(tx, "settlement", &[(customer.id, text)], now, now).await?;
    received::tell(tx, id, "issued", now).await?;
    Ok(document.id)
}

/// The payee's own series in the seller's book: numbers of a self-billed invoice are the supplier's.
fn series(organisation: &Organisation, customer: &Customer) -> String {
    format!("{}S-{}", organisation.series_prefix, customer.customer_no)
}

fn frozen(organisation: &Organisation, customer: &Customer, statement: &Statement) -> Frozen {
    let payee = &statement.payee;
    let recipient = Party { ..payee.party.clone() };
    let of = Frozen::of(organisation, customer, words::spoken(&payee.language));
    Frozen { recipient, bank: payee.bank.clone(), ..of }
}

fn content_of(settlement: &Settlement, customer: &Customer) -> Result<DraftContent> {
    let statement = &settlement.statement;
    let (net, tax, gross) = (settlement.net, settlement.tax, settlement.gross);
    let currency = net.currency();
    let zone = &customer.time_zone;
    let period = Service {
        starts_at: pricing::start_of_day(settlement.period_starts_on, zone)?,
        ends_at: pricing::start_of_day(settlement.period_ends_on, zone)?,
        starts_on: settlement.period_starts_on,
        ends_on: settlement.period_ends_on,
    };
    let owed: Vec<Money> = statement.all().map(|row| row.owed).collect();
    let amounts = fitted(currency, &owed)?;
    let line = |(row, amount): (&StatementRow, Money)| Line {
        id: LineId::new(),
        group: if row.note.is_empty() { LineGroup::Usage } else { LineGroup::Correction },
        subscription_id: None,
        component_key: None,
        topic_id: None,
        text: row.called.clone(),
        detail: row.note.clone(),
        service: period,
        quantity: minutes(row.seconds),
        unit: "minutes".to_owned(),
        unit_price: None,
        amount,
        gross: None,
        tax_category: statement.tax_category.clone(),
        tax_percent: statement.tax_percent,
        explanation: Explanation::default(),
        source: LineSource::None,
        corrects: None,
    };
    let zero = Money::zero(currency);
    Ok(DraftContent {
        kind: DocumentKind::Settlement,
        lines: statement.all().zip(amounts).map(line).collect(),
        taxes: vec![TaxRow {
            category: statement.tax_category.clone(),
            percent: statement.tax_percent,
            base: net,
            tax,
        }],
        totals: Totals { net, tax, gross, settled: zero, due: gross },
        period,
        time_zone: zone.clone(),
        claims: Vec::new(),
        ledgered: Ledgered { wallet: None, unbilled: zero, revenue: zero, rounding: settlement.owed.checked_sub(net)? },
        stands_on: Vec::new(),
    })
}

/// Minutes of seconds, to two decimals.
pub(crate) fn minutes(seconds: i64) -> Decimal {
    (Decimal::from(seconds) / Decimal::from(60)).round_dp(2)
}

/// What issuing moves: the payable becomes what the document says, tax included, and the tax comes back from the state.
pub(crate) fn entries(totals: &Totals, rounding: Money) -> Result<Vec<(AccountRef, Money)>> {
    Ok(vec![
        (AccountRef::Book(AccountKind::PartnerPayable), totals.tax.checked_sub(rounding)?),
        (AccountRef::Book(AccountKind::Rounding), rounding),
        (AccountRef::Book(AccountKind::Tax), totals.tax.checked_neg()?),
    ])
}

/// Throws a draft away, once: what stood on it is free for another.
pub async fn discard_settlement(
    tx: &TenantTx,
    id: SettlementId,
    reason: &str,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let settlement = store::lock(tx, id).await?.ok_or(InvoicingError::UnknownSettlement(id))?;
    if settlement.state() != SettlementState::Draft {
        return Err(InvoicingError::SettlementMustBeDraft(settlement.state().as_str()));
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_LETTERS_MAX {
        return Err(InvoicingError::DiscardMustHaveReason { longest: REASON_LETTERS_MAX });
    }
    ledger::free_shares(tx, id).await?;
    store::mark_discarded(tx, id, &Discard { at: now, by: by.to_owned(), reason: reason.to_owned() }).await
}

/// Records that a statement was paid, once; that closes what was owed.
pub async fn record_payout(tx: &TenantTx, id: SettlementId, payout: &Payout, now: DateTime<Utc>) -> Result<()> {
    let settlement = store::lock(tx, id).await?.ok_or(InvoicingError::UnknownSettlement(id))?;
    let (SettlementState::Issued, Some(issued_at)) = (settlement.state(), settlement.issued_at) else {
        return Err(InvoicingError::SettlementMustBeUnpaid(settlement.state().as_str()));
    };
    let reference = payout.reference.trim();
    if reference.is_empty() || reference.chars().count() > REFERENCE_LETTERS_MAX {
        return Err(InvoicingError::ReferenceMustBeGiven { longest: REFERENCE_LETTERS_MAX });
    }
    let zone = tenant::organisation(tx).await?.time_zone;
    let (first, last) = (pricing::civil_date(issued_at, &zone)?, pricing::civil_date(now, &zone)?);
    if !(first..=last).contains(&payout.on) {
        return Err(InvoicingError::PayoutMustFollowIssue { found: payout.on, first, last });
    }
    let at = effective_at(payout.on, issued_at, &zone)?;
    let number = match settlement.document_id {
        Some(id) => crate::store::documents::number_of(tx, id).await?,
        None => String::new(),
    };
    let entries = vec![
        (AccountRef::Book(AccountKind::PartnerPayable), settlement.gross.checked_neg()?),
        (AccountRef::Book(AccountKind::ProcessorClearing), settlement.gross),
    ];
    let memo = format!("Payout of {number}: {reference}");
    post(tx, &Posting::new("payout", id.to_string(), memo, at, entries)?, now).await?;
    store::mark_paid(tx, id, &Payout { reference: reference.to_owned(), ..payout.clone() }, now).await?;
    let text = format!("Settlement {number} paid out: {}, reference {reference}.", settlement.gross.human());
    subscription::add_customer_events(tx, "payout", &[(settlement.customer_id, text)], at, now).await?;
    received::tell(tx, id, "paid", now).await
}

/// A payout counts on its day, and never before what it pays.
pub(crate) fn effective_at(on: NaiveDate, issued_at: DateTime<Utc>, zone: &str) -> Result<DateTime<Utc>> {
    Ok(pricing::start_of_day(on, zone)?.max(issued_at))
}
