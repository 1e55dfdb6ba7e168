//! Discounts on what is charged ahead: the term's and loyalty's on what recurs, coupons' on all of it, month by month of service,
//! by what is known when it is charged.

use crate::ahead::Book;
use crate::bill::Billing;
use crate::chain::Entry;
use crate::content::Service;
use crate::discounts::{Discount, coupons, percent_where};
use crate::due::{COUPON_AHEAD, LOYALTY_AHEAD, TERM_DISCOUNT_AHEAD};
use crate::error::Result;
use crate::stack::{Base, Off};
use crate::words;
use chrono::{DateTime, Utc};
use money::Percent;
use pricing::{Exact, Proration};
use std::collections::BTreeMap;
use subscription::{CouponOff, LoyaltyReward};

/// Discounts, what they take off the bases, and which coupon each is.
#[derive(Default)]
pub(crate) struct AheadDiscounts {
    pub discounts: Vec<Discount>,
    pub offs: Vec<Off>,
    pub coupons: Vec<Option<usize>>,
}

/// What was charged at one instant.
pub(crate) struct ChargedAt<'a> {
    pub of: usize,
    pub at: DateTime<Utc>,
    pub entries: &'a [Entry],
    /// Month by month, with the entry's place in the chain.
    pub bases: &'a [(usize, Base)],
    /// Days of each month that are charged.
    pub shares: &'a BTreeMap<u32, Proration>,
}

impl Billing<'_> {
    pub(crate) fn discounts_ahead(&self, charged: &ChargedAt<'_>, book: &Book) -> Result<AheadDiscounts> {
        let mut found = AheadDiscounts::default();
        self.term_discounts_ahead(charged, &mut found);
        self.loyalty_ahead(charged, &mut found);
        self.coupons_ahead(charged, book, &mut found)?;
        Ok(found)
    }

    fn service_of_all(&self, charged: &ChargedAt<'_>, holds: impl Fn(&Entry) -> bool) -> Option<Service> {
        let entries = charged.bases.iter().map(|(index, _)| &charged.entries[*index]).filter(|entry| holds(entry));
        let service = |entry: &Entry| Service {
            starts_at: entry.at,
            ends_at: entry.ends_at,
            starts_on: entry.days.from,
            ends_on: entry.days.to,
        };
        entries.map(service).reduce(|a, b| Service {
            starts_at: a.starts_at,
            ends_at: a.ends_at.max(b.ends_at),
            starts_on: a.starts_on.min(b.starts_on),
            ends_on: a.ends_on.max(b.ends_on),
        })
    }

    fn term_discounts_ahead(&self, charged: &ChargedAt<'_>, found: &mut AheadDiscounts) {
        let own = &self.subscribed[charged.of];
        let mut attached: Vec<usize> =
            charged.bases.iter().map(|(index, _)| charged.entries[*index].state.attached).collect();
        attached.sort_unstable();
        attached.dedup();
        for attached in attached {
            let version = &own.attached(attached).version;
            let percent = version.term_discount_percent;
            let holds = |entry: &Entry| entry.state.attached == attached && !entry.is_once;
            let Some(service) = self.service_of_all(charged, holds).filter(|_| percent != Percent::ZERO) else {
                continue;
            };
            found.discounts.push(Discount {
                kind: pricing::Discount::Term,
                key: format!("{TERM_DISCOUNT_AHEAD}{}", own.scope(attached)),
                text: words::term_discount(&self.seller.language, percent.as_decimal(), version.term_months),
                percent: Some(percent),
                service,
                attached,
                claimed_at: charged.at,
            });
            let percents =
                charged.bases.iter().map(|(index, _)| percent_where(percent, holds(&charged.entries[*index])));
            found.offs.push(Off::Percents(percents.collect()));
            found.coupons.push(None);
        }
    }

    /// By the plan's rules when it is charged: a month of the term that reaches a rule has its percentage.
    fn loyalty_ahead(&self, charged: &ChargedAt<'_>, found: &mut AheadDiscounts) {
        let own = &self.subscribed[charged.of];
        let rules = &own.history.plan_at(charged.at).loyalty;
        let percent_in = |month: u32| {
            let reached = rules.iter().filter(|rule| rule.after_months <= month);
            let percents = reached.filter_map(|rule| match rule.reward {
                LoyaltyReward::PercentOff(percent) => Some((rule.after_months, percent)),
                _ => None,
            });
            percents.max_by_key(|(after, _)| *after).map_or(Percent::ZERO, |(_, percent)| percent)
        };
        let recurring: Vec<(Percent, bool)> = charged
            .bases
            .iter()
            .map(|(index, base)| (percent_in(base.month), !charged.entries[*index].is_once))
            .collect();
        let holding: Vec<Percent> =
            recurring.iter().filter(|(_, recurs)| *recurs).map(|(percent, _)| *percent).collect();
        let service = self.service_of_all(charged, |entry| !entry.is_once);
        let Some(service) = service.filter(|_| holding.iter().any(|percent| *percent != Percent::ZERO)) else {
            return;
        };
        let first = holding[0];
        let same = holding.iter().all(|percent| *percent == first).then_some(first);
        found.discounts.push(Discount {
            kind: pricing::Discount::Loyalty,
            key: LOYALTY_AHEAD.to_owned(),
            text: words::loyalty(&self.seller.language, same.map(|percent| percent.as_decimal())),
            percent: same,
            service,
            attached: charged.entries[charged.bases[0].0].state.attached,
            claimed_at: charged.at,
        });
        found
            .offs
            .push(Off::Percents(recurring.iter().map(|(percent, recurs)| percent_where(*percent, *recurs)).collect()));
        found.coupons.push(None);
    }

    fn coupons_ahead(&self, charged: &ChargedAt<'_>, book: &Book, found: &mut AheadDiscounts) -> Result<()> {
        let own = &self.subscribed[charged.of];
        let position = charged.entries[charged.bases[0].0].position;
        for (coupon, percent) in coupons(&own.history.redeemed, self.currency()) {
            let Some(place) = own.history.redeemed.iter().position(|redeemed| redeemed == coupon) else { continue };
            let lowers = |month: u32| coupon.lowers_ahead(position, month, charged.at);
            let holds: Vec<bool> = charged.bases.iter().map(|(_, base)| lowers(base.month)).collect();
            let service = self.service_of_all(charged, |_| true);
            let Some(service) = service.filter(|_| holds.contains(&true)) else { continue };
            found.offs.push(match coupon.coupon.off {
                CouponOff::Percent(percent) => {
                    Off::Percents(holds.iter().map(|holds| percent_where(percent, *holds)).collect())
                }
                CouponOff::Amount(amount) => {
                    let mut by_month = BTreeMap::new();
                    for (month, share) in charged.shares.iter().filter(|(month, _)| lowers(**month)) {
                        // Its days' share, and no more than earlier charges of the month have left of it.
                        let whole = Exact::from(amount);
                        let left = whole.minus(&book.coupon_used(place, *month)).max(Exact::zero());
                        by_month.insert(*month, share.of(&whole)?.min(left));
                    }
                    Off::Amounts { by_month, bases: holds }
                }
            });
            found.discounts.push(Discount {
                kind: pricing::Discount::Coupon,
                key: format!("{COUPON_AHEAD}{}", coupon.coupon.id),
                text: words::coupon(&self.seller.language, &coupon.coupon.name),
                percent: percent.filter(|_| charged.shares.keys().all(|month| lowers(*month))),
                service,
                attached: charged.entries[charged.bases[0].0].state.attached,
                claimed_at: charged.at,
            });
            found.coupons.push(Some(place));
        }
        Ok(())
    }
}
