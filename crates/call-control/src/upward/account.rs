//! What the calls of a batch move in the ledger of one book: one posting for each civil day of the child, whatever their number.
//! A prepaid child pays from its wallet, at once, and that closes what was held for each call; of a postpaid one what it bought by
//! decks is accrued, and its shares wait for its document as usage. Carriers are owed what they ask.

use crate::error::Result;
use crate::outgoing::settle::cost_entries;
use crate::store::upward::{Correction, FactRow};
use crate::upward::Batch;
use crate::upward::sold::Sold;
use crate::upward::split::Share;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CallId, TenantTx};
use ledger::{AccountKind, AccountRef, Leg, Posting, Together};
use money::Money;
use std::collections::{BTreeMap, HashMap};
use subscription::{Billing, Customer};

const KIND: &str = "calls_upward";

/// What wallets could not pay, by call and leg.
pub(super) type Unpaid = HashMap<(CallId, &'static str), i64>;

pub(super) struct Account<'a> {
    child: &'a Customer,
    days: BTreeMap<NaiveDate, Day>,
}

/// The calls of a day.
struct Day {
    effective_at: DateTime<Utc>,
    calls: u64,
    /// What each costs a prepaid child.
    charges: Vec<(CallId, Money)>,
    legs: Vec<&'static str>,
    entries: Vec<(AccountRef, Money)>,
    is_taken_back: bool,
}

impl<'a> Account<'a> {
    pub fn new(child: &'a Customer) -> Self {
        Self { child, days: BTreeMap::new() }
    }

    fn day(&mut self, fact: &FactRow) -> Result<&mut Day> {
        let at = fact.effective_at();
        let new = || Day {
            effective_at: at,
            calls: 0,
            charges: Vec::new(),
            legs: Vec::new(),
            entries: Vec::new(),
            is_taken_back: fact.correction() == Some(Correction::Reversal),
        };
        let day = self.days.entry(pricing::civil_date(at, &self.child.time_zone)?).or_insert_with(new);
        day.effective_at = day.effective_at.max(at);
        day.calls += 1;
        Ok(day)
    }

    /// A share of a call in; of a call that is taken back, what the wallet had not paid of it does not come back to it.
    pub fn share(&mut self, fact: &FactRow, share: Option<&Share>, unpaid_micros: i64) -> Result<()> {
        if self.child.billing != Billing::Prepaid {
            return Ok(());
        }
        // Where this book collects, the child has nothing to pay.
        let share = share.filter(|share| share.owed.is_none()).map(|share| share.amount);
        if share.is_none() && !fact.holds_upward {
            return Ok(());
        }
        let amount = share.unwrap_or(Money::zero(self.child.currency));
        let wallet = AccountRef::Customer(AccountKind::Wallet, self.child.id);
        let day = self.day(fact)?;
        // It is paid, and on no document: it is earned at once.
        day.entries.push((AccountRef::Book(AccountKind::Revenue), amount));
        if day.is_taken_back {
            let unpaid = Money::from_micros(unpaid_micros, amount.currency());
            day.entries.push((wallet, amount.checked_neg()?.checked_sub(unpaid)?));
            day.entries.push((AccountRef::Book(AccountKind::BadDebt), unpaid));
        } else {
            day.charges.push((fact.call_id(), amount));
            day.legs.push(fact.leg_kind());
        }
        Ok(())
    }

    /// A call out that was sold to the child: its document says what of it is revenue and what is tax.
    pub fn sold(&mut self, fact: &FactRow, sold: &Sold) -> Result<()> {
        let unbilled = AccountRef::Customer(AccountKind::Unbilled, self.child.id);
        let is_prepaid = self.child.billing == Billing::Prepaid;
        let day = self.day(fact)?;
        if is_prepaid {
            day.entries.push((unbilled, sold.charge));
            day.charges.push((fact.call_id(), sold.charge));
            day.legs.push(fact.leg_kind());
        } else {
            day.entries.push((unbilled, sold.net.checked_neg()?));
            day.entries.push((AccountRef::Book(AccountKind::Revenue), sold.net));
        }
        if let Some(asked) = &sold.asked {
            day.entries.extend(cost_entries(asked.amount)?);
        }
        Ok(())
    }

    /// Posts it, once by the batch's name.
    pub async fn post(self, tx: &TenantTx, batch: &Batch, now: DateTime<Utc>) -> Result<Unpaid> {
        let mut unpaid = Unpaid::new();
        for (on, day) in self.days {
            let (key, memo) = (format!("{}:{on}", batch.name), day.memo(on));
            let Day { effective_at, charges, legs, entries, .. } = day;
            if charges.is_empty() {
                let posting = Posting::new(KIND, key, memo, effective_at, ledger::summed(entries)?)?;
                if !posting.entries().is_empty() {
                    ledger::post(tx, &posting, now).await?;
                }
                continue;
            }
            let calls: Vec<CallId> = charges.iter().map(|(call_id, _)| *call_id).collect();
            let (customer_id, leg) = (self.child.id, Leg::Seller);
            let together = Together { customer_id, leg, charges, kind: KIND, key, memo, effective_at, entries };
            let settled = ledger::settle_together(tx, &together, now).await?;
            let owed = calls.into_iter().zip(legs).zip(settled.unpaid).filter(|(_, owed)| owed.is_positive());
            unpaid.extend(owed.map(|(leg, owed)| (leg, owed.micros())));
        }
        Ok(unpaid)
    }
}

impl Day {
    fn memo(&self, on: NaiveDate) -> String {
        let calls = if self.calls == 1 { "1 call".to_owned() } else { format!("{} calls", self.calls) };
        if self.is_taken_back { format!("{calls} taken back on {on}") } else { format!("{calls} of {on}") }
    }
}
