//! What a book owes to the level below for calls that it collected: sums by number and day, each with its posting, and each put on
//! one statement once.

use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::posting::{Posting, post_many};
use crate::store::partners as store;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, SettlementId, TenantTx};
use money::Money;
use uuid::Uuid;

/// Why something is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShareKind {
    Call,
    /// An edge knew better afterwards.
    Correction,
    /// A charge was taken back: all amounts are those of the call, mirrored.
    Reversal,
}

impl ShareKind {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Correction => "correction",
            Self::Reversal => "reversal",
        }
    }

    pub(crate) fn of_word(word: &str) -> Result<Self, LedgerError> {
        let known = [Self::Call, Self::Correction, Self::Reversal].into_iter().find(|kind| kind.as_str() == word);
        known.ok_or_else(|| LedgerError::UnknownShareKind(word.to_owned()))
    }
}

/// What calls of one number and day come to; `base` = `kept` + `owed`.
#[derive(Clone, Debug, PartialEq)]
pub struct PartnerShare {
    /// The calls that travelled upward together.
    pub batch_id: Uuid,
    /// Who is owed: a child, in the book that owes.
    pub customer_id: CustomerId,
    /// The called number.
    pub called: String,
    /// Civil day in the payee's zone.
    pub shared_on: NaiveDate,
    pub kind: ShareKind,
    pub calls: i64,
    pub seconds: i64,
    /// What is split, net of tax.
    pub base: Money,
    /// What carriers had for these calls; told, not split.
    pub carrier_cost: Money,
    pub kept: Money,
    pub owed: Money,
}

/// A share, where the book has it from, and the instant at which it counts.
#[derive(Clone, Debug)]
pub struct Owed {
    pub share: PartnerShare,
    /// How much of the base the level above owes; the rest is on its way from the callers' network.
    pub from_seller: Money,
    pub effective_at: DateTime<Utc>,
}

/// One key for a share in both books that it concerns.
const KIND: &str = "partner_share";

fn key(share: &PartnerShare) -> String {
    let PartnerShare { batch_id, customer_id, called, shared_on, kind, .. } = share;
    format!("{batch_id}:{customer_id}:{called}:{shared_on}:{}", kind.as_str())
}

fn memo(share: &PartnerShare) -> String {
    match share.kind {
        ShareKind::Call => format!("Shares of {} calls to {}", share.calls, share.called),
        ShareKind::Correction => format!("Corrected shares of calls to {}", share.called),
        ShareKind::Reversal => format!("Shares taken back of calls to {}", share.called),
    }
}

/// In the book that collected: what it got is split into what it keeps and what it owes. Repeated, it changes nothing.
pub async fn owe(tx: &TenantTx, shares: &[Owed], now: DateTime<Utc>) -> Result<(), LedgerError> {
    let mut postings = Vec::with_capacity(shares.len());
    for Owed { share, from_seller, effective_at } in shares {
        let entries = vec![
            (AccountRef::Book(AccountKind::ProcessorClearing), from_seller.checked_sub(share.base)?),
            (AccountRef::Book(AccountKind::DueFromSeller), from_seller.checked_neg()?),
            (AccountRef::Book(AccountKind::Revenue), share.kept),
            (AccountRef::Book(AccountKind::PartnerPayable), share.owed),
        ];
        postings.push(Posting::new(KIND, key(share), memo(share), *effective_at, entries)?);
    }
    let posted = post_many(tx, &postings, now).await?;
    let rows: Vec<_> = shares.iter().map(|owed| &owed.share).zip(posted.iter().map(|p| p.transaction_id)).collect();
    store::insert(tx, &rows).await
}

/// In the book of the last payee: what its seller owes it is what it earned. Repeated, it changes nothing.
pub async fn earn(tx: &TenantTx, shares: &[Owed], now: DateTime<Utc>) -> Result<(), LedgerError> {
    let mut postings = Vec::with_capacity(shares.len());
    for Owed { share, effective_at, .. } in shares {
        let entries = vec![
            (AccountRef::Book(AccountKind::DueFromSeller), share.owed.checked_neg()?),
            (AccountRef::Book(AccountKind::Revenue), share.owed),
        ];
        postings.push(Posting::new(KIND, key(share), memo(share), *effective_at, entries)?);
    }
    post_many(tx, &postings, now).await?;
    Ok(())
}

/// The first day of each payee from which something stands on no statement, of days before this one. Who is owed less than nothing
/// waits.
pub async fn payees(tx: &TenantTx, before_on: NaiveDate) -> Result<Vec<(CustomerId, NaiveDate)>, LedgerError> {
    store::payees(tx, before_on).await
}

/// Puts everything of days before this one that stands on no statement on this one; what was put there.
pub async fn claim_shares(
    tx: &TenantTx,
    customer_id: CustomerId,
    before_on: NaiveDate,
    settlement_id: SettlementId,
) -> Result<Vec<PartnerShare>, LedgerError> {
    store::claim(tx, customer_id, before_on, settlement_id).await
}

/// Takes everything off a statement that is discarded; it may stand on another.
pub async fn free_shares(tx: &TenantTx, settlement_id: SettlementId) -> Result<u64, LedgerError> {
    store::free(tx, settlement_id).await
}

/// What stands on a statement.
pub async fn shares_of(tx: &TenantTx, settlement_id: SettlementId) -> Result<Vec<PartnerShare>, LedgerError> {
    store::of_settlement(tx, settlement_id).await
}

/// What is owed and on no statement yet, by payee.
pub async fn unsettled(tx: &TenantTx) -> Result<Vec<(CustomerId, Money)>, LedgerError> {
    store::unsettled(tx).await
}

/// What stands on each statement.
pub async fn settled(tx: &TenantTx) -> Result<Vec<(SettlementId, Money)>, LedgerError> {
    store::settled(tx).await
}
