//! What is on documents for terms that did not come about: a change that was undone, a plan that was corrected or given up from its
//! very start. It comes to nothing, and the difference is billed.

use crate::bill::Billing;
use crate::billed::BilledSum;
use crate::chain::{Does, Entry};
use crate::content::{Claimed, LineGroup};
use crate::due::{
    COMMITMENT, COUPON, COUPON_AHEAD, FEE_CAP, LOYALTY, LOYALTY_AHEAD, Month, TERM_DISCOUNT, TERM_DISCOUNT_AHEAD,
    WALLET, service_of,
};
use crate::error::Result;
use crate::subscribed::Subscribed;
use crate::target::{Derived, Target, derived};
use crate::words;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

impl Billing<'_> {
    /// Of a period that is over: what was billed in it and is none of its targets.
    pub(crate) fn orphans(&self, month: &Month, targets: &[Target]) -> Vec<Target> {
        let own = &self.subscribed[month.of];
        let known: BTreeSet<(&str, DateTime<Utc>)> =
            targets.iter().map(|target| (target.key.as_str(), target.claimed_at)).collect();
        let (from, to) = (month.period.starts_at, month.period.ends_at);
        let of_arrears = |key: &str| key != WALLET && !own.is_ahead(key) && !key.starts_with(TERM_DISCOUNT_AHEAD);
        let billed = self.billed.between(own.id(), from, to).filter(|(key, at, claimed, sum)| {
            *claimed == Claimed::Arrears && of_arrears(key) && !sum.amount.is_zero() && !known.contains(&(*key, *at))
        });
        let nothing = |(key, at, _, _): (&str, DateTime<Utc>, Claimed, &BilledSum)| {
            let what = Derived {
                key: key.to_owned(),
                group: LineGroup::Late,
                text: self.title(own, key, at),
                steps: Vec::new(),
            };
            derived(what, 0, service_of(&month.period), at, self.nothing())
        };
        billed.map(nothing).collect()
    }

    /// Of what is billed ahead before an instant: charges and credits that the chain does not have any more. What a credit note
    /// has given back of them stays given back; who ends without credit keeps what was billed.
    pub(crate) fn orphans_ahead(
        &self,
        of: usize,
        chain: &[Entry],
        targets: &[Target],
        until: DateTime<Utc>,
    ) -> Result<Vec<Target>> {
        let own = &self.subscribed[of];
        let is_kept = |at| own.history.ended.is_some_and(|ended| !ended.with_credit && ended.at <= at);
        let mut orphans = Vec::new();
        for (key, at, claimed, sum) in self.billed.between(own.id(), DateTime::UNIX_EPOCH, until) {
            let is_ahead = matches!(claimed, Claimed::Ahead | Claimed::Credit);
            if !is_ahead || sum.amount.is_zero() || self.billed.is_closed(own.id(), at) || is_kept(at) {
                continue;
            }
            let is_entry = |entry: &Entry| {
                let does = if matches!(entry.does, Does::Charges) { Claimed::Ahead } else { Claimed::Credit };
                // A credit's own line and its part of a discount stand or fall together.
                entry.at == at
                    && does == claimed
                    && (entry.key == key || key.starts_with('*') && does == Claimed::Credit)
            };
            let is_target = |target: &Target| target.claimed == claimed && target.claimed_at == at && target.key == key;
            if chain.iter().any(is_entry) || targets.iter().any(is_target) {
                continue;
            }
            let returned = match claimed {
                Claimed::Ahead => self.billed.of(own.id(), key, at, Claimed::Returned),
                _ => None,
            };
            let left = returned.map_or(Ok(self.nothing()), |returned| returned.amount.checked_neg())?;
            let what = Derived {
                key: key.to_owned(),
                group: LineGroup::Late,
                text: self.title(own, key, at),
                steps: Vec::new(),
            };
            let service = service_of(&own.history.period_at(at)?);
            orphans.push(Target { claimed, ..derived(what, 0, service, at, left) });
        }
        Ok(orphans)
    }

    /// What a key's line is called, whatever became of its terms: as it was when it was billed, where that is known.
    fn title(&self, own: &Subscribed, key: &str, at: DateTime<Utc>) -> String {
        if let Some(text) = self.billed.text_at(own.id(), at, key) {
            return text;
        }
        let language = &self.seller.language;
        let versions = || own.history.attached.iter().map(|attached| &attached.version);
        let coupon = key.strip_prefix(COUPON_AHEAD).or(key.strip_prefix(COUPON));
        if let Some((_, part)) = own.components().find(|(_, part)| part.key == key) {
            return part.name.clone();
        }
        if let Some(coupon) = coupon {
            let redeemed = own.history.redeemed.iter().find(|redeemed| redeemed.coupon.id.to_string() == coupon);
            return words::coupon(language, redeemed.map_or("", |redeemed| &redeemed.coupon.name));
        }
        if key.starts_with(LOYALTY) || key.starts_with(LOYALTY_AHEAD) {
            return words::loyalty(language, None);
        }
        let title = if key.starts_with(TERM_DISCOUNT) {
            let version = versions().find(|version| !version.term_discount_percent.as_decimal().is_zero());
            version.map(|of| words::term_discount(language, of.term_discount_percent.as_decimal(), of.term_months))
        } else if key.starts_with(COMMITMENT) {
            let version = versions().find(|version| version.commitment.is_positive());
            version.map(|of| words::commitment(language, of.commitment))
        } else if key.starts_with(FEE_CAP) {
            versions().find_map(|version| version.fee_cap).map(|cap| words::fee_cap(language, cap))
        } else {
            None
        };
        // A key of terms that nothing tells of any more.
        title.unwrap_or_else(|| words::late(language).to_owned())
    }
}
