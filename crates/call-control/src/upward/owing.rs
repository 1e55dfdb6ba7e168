//! What a book that collects owes for a batch of calls: one sum for each number, civil day of the payee and kind.

use crate::error::Result;
use crate::store::legs;
use crate::store::upward::{Correction, FactRow};
use crate::upward::split::{CollectedFrom, Share};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CallId, TenantTx};
use ledger::{Owed, PartnerShare, ShareKind};
use money::Money;
use std::collections::{BTreeMap, HashMap};
use subscription::Customer;
use uuid::Uuid;

type Key = (String, NaiveDate, ShareKind);

pub(crate) struct Owing<'a> {
    child: &'a Customer,
    batch_id: Uuid,
    sums: BTreeMap<Key, Owed>,
}

/// What carriers had for calls, in this book.
pub(crate) async fn carrier_costs(
    tx: &TenantTx,
    facts: impl Iterator<Item = &FactRow>,
) -> Result<HashMap<(CallId, String), i64>> {
    let collected = facts.filter(|fact| fact.collected_by == "seller" && fact.correction.is_none());
    let ids: Vec<CallId> = collected.map(|fact| CallId::from_uuid(fact.id)).collect();
    legs::carrier_costs(tx, &ids).await
}

impl<'a> Owing<'a> {
    pub(crate) fn new(child: &'a Customer, batch_id: Uuid) -> Self {
        Self { child, batch_id, sums: BTreeMap::new() }
    }

    /// Adds a call, if this book collected it; the day on which it counts.
    pub(crate) fn add(
        &mut self,
        fact: &FactRow,
        seconds: i32,
        share: Option<&Share>,
        carriers: &HashMap<(CallId, String), i64>,
    ) -> Result<NaiveDate> {
        let shared_on = pricing::civil_date(fact.counted_at, &self.child.time_zone)?;
        let Some((share, (owed, from))) = share.and_then(|share| Some((share, share.owed?))) else {
            return Ok(shared_on);
        };
        let (kind, calls) = match fact.correction() {
            None => (ShareKind::Call, 1),
            Some(Correction::Estimate) => (ShareKind::Correction, 0),
            Some(Correction::Reversal) => (ShareKind::Reversal, -1),
        };
        let currency = self.child.currency;
        let zero = Money::zero(currency);
        let new = || Owed {
            share: PartnerShare {
                batch_id: self.batch_id,
                customer_id: self.child.id,
                called: fact.called.clone(),
                shared_on,
                kind,
                calls: 0,
                seconds: 0,
                base: zero,
                carrier_cost: zero,
                kept: zero,
                owed: zero,
            },
            from_seller: zero,
            effective_at: fact.effective_at(),
        };
        let key = (fact.called.clone(), shared_on, kind);
        let sum = self.sums.entry(key).or_insert_with(new);
        let cost = carriers.get(&(fact.id.into(), currency.code().to_owned())).copied().unwrap_or(0);
        sum.effective_at = sum.effective_at.max(fact.effective_at());
        if from == CollectedFrom::Seller {
            sum.from_seller = sum.from_seller.checked_add(share.base)?;
        }
        let sum = &mut sum.share;
        sum.calls += calls;
        sum.seconds += i64::from(seconds);
        sum.base = sum.base.checked_add(share.base)?;
        sum.carrier_cost = sum.carrier_cost.checked_add(Money::from_micros(cost, currency))?;
        sum.kept = sum.kept.checked_add(share.amount)?;
        sum.owed = sum.owed.checked_add(owed)?;
        Ok(shared_on)
    }

    /// Writes and posts the sums; what they are.
    pub(crate) async fn put(self, tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Owed>> {
        let owed: Vec<Owed> = self.sums.into_values().collect();
        ledger::owe(tx, &owed, now).await?;
        Ok(owed)
    }
}
