//! What is on documents already, by whom or what it was billed for, by key and by start.

use crate::content::{Claim, Claimed};
use crate::error::Result;
use crate::store::billed::FirstLine;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use money::{Decimal, Money};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

/// How many of the newest billed periods are looked at again for usage that arrived after their document. Of older ones those are
/// that have a day on which usage is known to have come late.
pub(crate) const LATE_PERIODS: usize = 2;
/// How far before its newest claim a customer's claims are read at least: three months, of which late usage may change two.
pub(crate) const READ_BACK: TimeDelta = TimeDelta::days(100);

/// Civil days of a customer whose usage came so late that the newest billed periods may not hold them.
#[derive(Clone, Debug, Default)]
pub(crate) struct LateDays(BTreeSet<NaiveDate>);

impl LateDays {
    pub(crate) fn new(days: BTreeSet<NaiveDate>) -> LateDays {
        LateDays(days)
    }

    /// Is one of them in these days? A day more on both sides: the customer's clock may have been another one then.
    pub(crate) fn touch(&self, from: NaiveDate, to: NaiveDate) -> bool {
        self.0.range(from - TimeDelta::days(1)..=to + TimeDelta::days(1)).next().is_some()
    }

    /// From where on claims are read for them: their period began a month earlier at most.
    pub(crate) fn read_from(&self) -> Option<DateTime<Utc>> {
        self.0.first().map(|day| (*day - TimeDelta::days(35)).and_time(NaiveTime::MIN).and_utc())
    }
}

/// What was billed for one key from one start on, all documents together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BilledSum {
    pub amount: Money,
    pub quantity: Decimal,
    /// Documents that billed it: one, and one for each difference.
    pub times: i64,
    /// Where its service ends: bounds of a period are what they were when it was billed.
    pub ends_at: DateTime<Utc>,
}

/// The claims of one subscription, or of a customer for its tariff calls.
#[derive(Clone, Debug, Default)]
struct Of {
    sums: BTreeMap<(DateTime<Utc>, String, Claimed), BilledSum>,
    newest: Option<DateTime<Utc>>,
    /// Where it was read from an earlier instant on than others.
    read_from: Option<DateTime<Utc>>,
    /// The lines that billed from a start on first, where they were asked for.
    first: BTreeMap<(DateTime<Utc>, String), FirstLine>,
}

/// Everything that was billed lately. What is older than [`READ_BACK`] is closed, unless [`LateDays`] lie before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct BilledBefore(HashMap<Uuid, Of>);

impl BilledBefore {
    pub(crate) fn insert(&mut self, id: Uuid, key: String, at: DateTime<Utc>, claimed: Claimed, sum: BilledSum) {
        let of = self.0.entry(id).or_default();
        of.newest = of.newest.max(Some(at));
        of.sums.insert((at, key, claimed), sum);
    }

    /// As if a draft with these claims were final.
    pub(crate) fn add(&mut self, claims: &[Claim]) -> Result<()> {
        for claim in claims {
            let (id, key, at) = (claim.billed_id, claim.component_key.clone(), claim.service_starts_at);
            let claimed = Claimed::of_kind(&claim.kind);
            let ends_at = claim.service_ends_at;
            let mut sum = BilledSum { amount: claim.amount, quantity: claim.quantity, times: 1, ends_at };
            if let Some(before) = self.of(id, &key, at, claimed) {
                sum.amount = sum.amount.checked_add(before.amount)?;
                sum.quantity += before.quantity;
                sum.times += before.times;
            }
            self.insert(id, key, at, claimed, sum);
        }
        Ok(())
    }

    /// What was billed under this key from this start on.
    pub(crate) fn of(&self, id: Uuid, key: &str, at: DateTime<Utc>, claimed: Claimed) -> Option<&BilledSum> {
        self.0.get(&id)?.sums.get(&(at, key.to_owned(), claimed))
    }

    /// Everything of a subscription that was billed with a start in `[from, to)`.
    pub(crate) fn between(
        &self,
        id: Uuid,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> impl Iterator<Item = (&str, DateTime<Utc>, Claimed, &BilledSum)> {
        let from = (from, String::new(), Claimed::Arrears);
        let sums = self.0.get(&id).into_iter().flat_map(move |of| of.sums.range(from.clone()..));
        let within = sums.take_while(move |((at, _, _), _)| *at < to);
        within.map(|((at, key, claimed), sum)| (key.as_str(), *at, *claimed, sum))
    }

    /// From when to when a key was billed, in order.
    pub(crate) fn spans_of(&self, id: Uuid, key: &str) -> BTreeSet<(DateTime<Utc>, DateTime<Utc>)> {
        let sums = self.0.get(&id).into_iter().flat_map(|of| &of.sums);
        sums.filter(|((_, known, _), _)| known == key).map(|((at, _, _), sum)| (*at, sum.ends_at)).collect()
    }

    /// Is this start older than what was read? Then it was billed, or nothing was due.
    pub(crate) fn is_closed(&self, id: Uuid, at: DateTime<Utc>) -> bool {
        let Some(of) = self.0.get(&id) else { return false };
        let Some(newest) = of.newest else { return false };
        at < of.read_from.map_or(newest - READ_BACK, |from| from.min(newest - READ_BACK))
    }

    pub(crate) fn put_read_from(&mut self, id: Uuid, from: DateTime<Utc>) {
        self.0.entry(id).or_default().read_from = Some(from);
    }

    /// What a credit note gave back of an older charge.
    pub(crate) fn put_returned(&mut self, id: Uuid, key: String, at: DateTime<Utc>, sum: BilledSum) {
        self.0.entry(id).or_default().sums.insert((at, key, Claimed::Returned), sum);
    }

    pub(crate) fn put_first(&mut self, line: FirstLine) {
        self.0.entry(line.billed_id).or_default().first.insert((line.at, line.key.clone()), line);
    }

    /// What the line was called that billed a key first from a start on.
    pub(crate) fn text_at(&self, id: Uuid, at: DateTime<Utc>, key: &str) -> Option<String> {
        self.0.get(&id)?.first.get(&(at, key.to_owned()))?.text.clone()
    }

    /// The tax at which a key was billed first from a start on; of a key that was not, that of the others from there on: of what
    /// was served, which is billed later than what was billed ahead.
    pub(crate) fn tax_at(&self, id: Uuid, at: DateTime<Utc>, key: &str) -> Option<(String, Decimal)> {
        let first = &self.0.get(&id)?.first;
        let of_start =
            || first.range((at, String::new())..).take_while(|((start, _), _)| *start == at).map(|(_, line)| line);
        first.get(&(at, key.to_owned())).or_else(|| of_start().last()).map(|line| line.tax.clone())
    }

    /// The part of one subscription or customer.
    pub(crate) fn take(&mut self, id: Uuid, into: &mut BilledBefore) {
        if let Some(of) = self.0.remove(&id) {
            into.0.insert(id, of);
        }
    }
}
