//! Drafts become documents, in blocks: checked first, then one transaction takes as many numbers as there are documents, writes
//! them with their lines, tax groups and claims, and posts them. Numbers have no gap: a transaction that is lost gives
//! its numbers back with the counter's row lock (I6).

use crate::content::{Claim, DraftContent, Ledgered, StandsOn};
use crate::document::{DocumentKind, Frozen};
use crate::draft::{Draft, DraftState};
use crate::error::{InvoicingError, Result};
use crate::run::{Item, ItemState, Phase, Run};
use crate::store::finals::NewDocument;
use crate::store::{billed, drafts, finals, runs};
use crate::{settle, words};
use chrono::{DateTime, Days, Utc};
use db::{CustomerId, DocumentId, DraftId, RunId, TenantTx};
use ledger::{AccountKind, AccountRef, Posting, post_many};
use std::collections::{BTreeMap, HashMap, HashSet};
use subscription::{Customer, customers_by_id};
use tenant::Organisation;

/// Finalises the next drafts of a run, at most `limit`, and returns how the run stands. Several workers may do so at once.
/// Call until the phase is done.
pub async fn finalise_some(tx: &TenantTx, run_id: RunId, limit: u64, now: DateTime<Utc>) -> Result<Run> {
    runs::share(tx, run_id).await?;
    let run = runs::by_id(tx, run_id).await?;
    match run.phase {
        Phase::Done => return Ok(run),
        Phase::Planned | Phase::Drafting => {
            return Err(InvoicingError::RunMustBeDrafted { waiting: run.counts.waiting });
        }
        Phase::Ready | Phase::Finalising => {}
    }
    let claimed = runs::claim(tx, run_id, ItemState::Drafted, limit).await?;
    let ids: Vec<DraftId> = claimed.iter().filter_map(|(_, draft_id)| *draft_id).collect();
    let (items, current) = finalise_block(tx, &ids, now).await?;
    runs::settle_items(tx, run_id, &items).await?;
    let drafted = runs::counts(tx, &[run_id]).await?.remove(&run_id).unwrap_or_default().drafted;
    if run.phase == Phase::Ready {
        runs::set_phase(tx, run_id, Phase::Finalising, current.as_deref(), now).await?;
    }
    if drafted == 0 || run.phase != Phase::Ready {
        let phase = if drafted == 0 { Phase::Done } else { Phase::Finalising };
        runs::set_phase(tx, run_id, phase, current.as_deref(), now).await?;
    }
    runs::by_id(tx, run_id).await
}

/// Finalises one draft by hand.
pub async fn finalise(tx: &TenantTx, draft_id: DraftId, now: DateTime<Utc>) -> Result<DocumentId> {
    let draft = drafts::lock(tx, &[draft_id]).await?.pop().ok_or(InvoicingError::UnknownDraft(draft_id))?;
    draft.must_be_open()?;
    if let Some(refusal) = refused(tx, std::slice::from_ref(&draft)).await?.remove(&draft_id) {
        return Err(refusal);
    }
    let run_id = draft.run_id;
    let items = write(tx, vec![draft], now).await?;
    let document_id = items.first().and_then(|item| item.document_id).ok_or(InvoicingError::UnknownDraft(draft_id))?;
    if let Some(run_id) = run_id {
        runs::settle_items(tx, run_id, &items).await?;
    }
    Ok(document_id)
}

/// The block's items, and the name of its last customer.
async fn finalise_block(tx: &TenantTx, ids: &[DraftId], now: DateTime<Utc>) -> Result<(Vec<Item>, Option<String>)> {
    if ids.is_empty() {
        return Ok((Vec::new(), None));
    }
    let locked = drafts::lock(tx, ids).await?;
    let mut refusals = refused(tx, &locked).await?;
    let mut items = Vec::with_capacity(locked.len());
    let mut good = Vec::with_capacity(locked.len());
    for draft in locked {
        match refusals.remove(&draft.id) {
            Some(refusal) => items.push(Item::failed(draft.customer_id, Some(draft.id), refusal.to_string())),
            None if draft.state == DraftState::Void => {
                items.push(Item { draft_id: Some(draft.id), ..Item::of(draft.customer_id, ItemState::Voided) })
            }
            None if draft.state == DraftState::Final => {}
            None => good.push(draft),
        }
    }
    let written = write(tx, good, now).await?;
    let current = match written.last() {
        Some(last) => customers_by_id(tx, &[last.customer_id]).await?.pop().map(|customer| customer.name),
        None => None,
    };
    items.extend(written);
    Ok((items, current))
}

/// Drafts that must not become documents: their sums disagree, something in them is billed already (I7, I9), or a change that they
/// bill was undone since they were made.
async fn refused(tx: &TenantTx, locked: &[Draft]) -> Result<HashMap<DraftId, InvoicingError>> {
    let mut refusals = HashMap::new();
    let mut claims: Vec<&Claim> = Vec::new();
    let mut owners: Vec<&Draft> = Vec::new();
    let mut seen = HashSet::new();
    for draft in locked.iter().filter(|draft| draft.state == DraftState::Open) {
        if let Err(refusal) = draft.content.must_sum() {
            refusals.insert(draft.id, refusal);
            continue;
        }
        for claim in &draft.content.claims {
            // Twice in one block would be as wrong as twice in the table.
            if !seen.insert((claim.billed_id, &claim.component_key, claim.service_starts_at, &claim.kind)) {
                refusals.insert(draft.id, already_billed(draft, claim));
            }
            claims.push(claim);
            owners.push(draft);
        }
    }
    if !claims.is_empty() {
        for position in billed::taken(tx, &claims).await? {
            let (draft, claim) = (owners[position - 1], claims[position - 1]);
            refusals.insert(draft.id, already_billed(draft, claim));
        }
    }
    let open = || locked.iter().filter(|draft| draft.state == DraftState::Open);
    let stands_on: Vec<_> = open()
        .flat_map(|draft| draft.content.stands_on.iter().map(|on| (on.subscription_id, on.before, draft.created_at)))
        .collect();
    let undone: HashSet<_> = subscription::undone_since(tx, &stands_on).await?.into_iter().collect();
    for draft in open().filter(|draft| draft.content.stands_on.iter().any(|on| undone.contains(&on.subscription_id))) {
        refusals.entry(draft.id).or_insert(InvoicingError::DraftMustStandOnChanges);
    }
    Ok(refusals)
}

fn already_billed(draft: &Draft, claim: &Claim) -> InvoicingError {
    let is_claimed = |line: &&crate::content::Line| line.component_key.as_deref() == Some(&claim.component_key);
    let line = draft.content.lines.iter().find(is_claimed);
    let starts_on = line.map_or_else(|| claim.service_starts_at.date_naive(), |line| line.service.starts_on);
    InvoicingError::AlreadyBilled {
        component: line.map_or_else(|| claim.component_key.clone(), |line| line.text.clone()),
        starts_on,
    }
}

/// Numbers, posts and writes drafts that were checked and are locked.
async fn write(tx: &TenantTx, drafts_to_write: Vec<Draft>, now: DateTime<Utc>) -> Result<Vec<Item>> {
    if drafts_to_write.is_empty() {
        return Ok(Vec::new());
    }
    let organisation = tenant::organisation(tx).await?;
    let ids: Vec<CustomerId> = drafts_to_write.iter().map(|draft| draft.customer_id).collect();
    let customers: BTreeMap<CustomerId, Customer> =
        customers_by_id(tx, &ids).await?.into_iter().map(|customer| (customer.id, customer)).collect();
    let mut documents = Vec::with_capacity(drafts_to_write.len());
    for draft in drafts_to_write {
        let Some(customer) = customers.get(&draft.customer_id) else {
            return Err(InvoicingError::UnknownDraft(draft.id));
        };
        let mut document = document_of(&organisation, customer, draft, now)?;
        if document.kind == DocumentKind::CreditNote {
            document.corrects = billed::invoice_of(tx, &document.content.claims).await?;
        }
        documents.push(document);
    }
    // What comes to less than nothing is a credit note, with a number of its own series.
    let (mut documents, mut credit_notes): (Vec<NewDocument>, Vec<NewDocument>) =
        documents.into_iter().partition(|document| document.kind != DocumentKind::CreditNote);
    issue(tx, &organisation.series_prefix, &mut documents, now).await?;
    issue(tx, &credit_series(&organisation), &mut credit_notes, now).await?;
    for (kind, what, of) in [("invoice", "Invoice", &documents), ("credit_note", "Credit note", &credit_notes)] {
        let event = |document: &NewDocument| {
            let text = format!("{what} {} over {}.", document.number, document.content.totals.gross.human());
            (document.customer_id, text)
        };
        let events: Vec<(CustomerId, String)> = of.iter().map(event).collect();
        subscription::add_customer_events(tx, kind, &events, now, now).await?;
    }
    documents.extend(credit_notes);
    let done: Vec<DraftId> = documents.iter().map(|document| document.draft_id).collect();
    drafts::mark_final(tx, &done, now).await?;
    let stands_on: Vec<StandsOn> = documents.iter().flat_map(|document| document.content.stands_on.clone()).collect();
    settle_changes(tx, &stands_on, now).await?;
    Ok(documents
        .iter()
        .map(|document| Item {
            draft_id: Some(document.draft_id),
            document_id: Some(document.id),
            ..Item::of(document.customer_id, ItemState::Finalised)
        })
        .collect())
}

/// Appended to the series of a book's invoices.
const CREDIT_SUFFIX: &str = "C";

pub(crate) fn credit_series(organisation: &Organisation) -> String {
    format!("{}{CREDIT_SUFFIX}", organisation.series_prefix)
}

/// What documents stand on can no longer be undone.
pub(crate) async fn settle_changes(tx: &TenantTx, stands_on: &[StandsOn], now: DateTime<Utc>) -> Result<()> {
    let settled: Vec<_> = stands_on.iter().map(|on| (on.subscription_id, on.before)).collect();
    Ok(subscription::changes_billed(tx, &settled, now).await?)
}

/// Takes numbers, posts, and writes. The counter's row is locked last of all rows that anybody else waits for.
pub(crate) async fn issue(
    tx: &TenantTx,
    series: &str,
    documents: &mut [NewDocument],
    now: DateTime<Utc>,
) -> Result<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let count = documents.len() as i64;
    let last = finals::take_numbers(tx, series, count).await?;
    for (serial, document) in (last - count + 1..).zip(documents.iter_mut()) {
        document.serial = serial;
        document.number = format!("{series}-{serial:06}");
        document.series = series.to_owned();
    }
    let postings = documents.iter().map(|document| posting(document, now)).collect::<Result<Vec<_>>>()?;
    let posted = post_many(tx, &postings, now).await?;
    for (document, posted) in documents.iter_mut().zip(posted) {
        document.transaction_id = Some(posted.transaction_id);
    }
    finals::insert(tx, documents).await?;
    let claims: Vec<(Option<DocumentId>, &Claim)> = documents
        .iter()
        .flat_map(|document| document.content.claims.iter().map(|claim| (Some(document.id), claim)))
        .collect();
    billed::insert(tx, &claims).await
}

fn document_of(
    organisation: &Organisation,
    customer: &Customer,
    draft: Draft,
    now: DateTime<Utc>,
) -> Result<NewDocument> {
    let issued_on = pricing::civil_date(now, &organisation.time_zone)?;
    let terms = u64::from(customer.payment_terms_days);
    Ok(NewDocument {
        id: DocumentId::new(),
        kind: draft.content.kind,
        series: String::new(),
        serial: 0,
        number: String::new(),
        customer_id: customer.id,
        draft_id: draft.id,
        run_id: draft.run_id,
        corrects: None,
        issued_on,
        issued_at: now,
        due_on: issued_on.checked_add_days(Days::new(terms)).unwrap_or(issued_on),
        frozen: Frozen::of(organisation, customer, words::spoken(&organisation.language)),
        content: draft.content,
        transaction_id: None,
    })
}

/// A settlement has entries of its own. An invoice: receivable -due, tax, what was unbilled, new revenue, and what rounding left; a credit note the other way round,
/// and what a wallet had paid goes back to it; Σ = 0.
fn posting(document: &NewDocument, now: DateTime<Utc>) -> Result<Posting> {
    if document.kind == DocumentKind::Settlement {
        let entries = settle::entries(&document.content.totals, document.content.ledgered.rounding)?;
        let memo = format!("Settlement {}", document.number);
        return Ok(Posting::new("settlement", document.id.to_string(), memo, now, entries)?);
    }
    let DraftContent { totals, ledgered: Ledgered { wallet, unbilled, revenue, rounding }, .. } = &document.content;
    let customer = |kind| AccountRef::Customer(kind, document.customer_id);
    let (kind, what, due, tax) = match document.kind {
        DocumentKind::CreditNote => ("credit_note", "Credit note", totals.due, totals.tax.checked_neg()?),
        DocumentKind::Invoice | DocumentKind::Settlement => {
            ("invoice", "Invoice", totals.due.checked_neg()?, totals.tax)
        }
    };
    let mut entries = vec![
        (customer(AccountKind::Receivable), due),
        (customer(AccountKind::Unbilled), *unbilled),
        (AccountRef::Book(AccountKind::Revenue), *revenue),
        (AccountRef::Book(AccountKind::Tax), tax),
        (AccountRef::Book(AccountKind::Rounding), *rounding),
    ];
    entries.extend(wallet.map(|wallet| (customer(AccountKind::Wallet), wallet)));
    Ok(Posting::new(kind, document.id.to_string(), format!("{what} {}", document.number), now, entries)?)
}
