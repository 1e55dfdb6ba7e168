//! Everything dated that decides what a subscription is charged: worked out from how it began and from its changes, so that
//! what is previewed and what is billed are one sum.

use super::fold::fold;
use super::period::{self, ServicePeriod};
use super::subscription::Subscription;
use super::transition;
use crate::catalogue::{Component, LoyaltyReward, PlanVersion, Redeemed, plan_versions};
use crate::change::Change;
use crate::error::{Result, SubscriptionError};
use crate::store::{changes, coupons};
use crate::words::{EndedBy, SubscriptionStatus};
use chrono::{DateTime, Utc};
use db::{ChangeId, PlanVersionId, SubscriptionId, TenantTx};
use money::Percent;
use std::collections::{BTreeSet, HashMap};

/// A plan version that a subscription has, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Attached {
    pub version: PlanVersion,
    pub is_add_on: bool,
    /// A loyalty rule's gift: its components cost nothing.
    pub is_free: bool,
    pub from: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
    /// Terms of n months are counted from the service period that holds this instant: a new version, or another plan with the
    /// same term, goes on with the term that is running; another term begins a new one.
    pub terms_from: DateTime<Utc>,
}

impl Attached {
    /// Is it there at an instant?
    pub fn holds(&self, instant: DateTime<Utc>) -> bool {
        self.from <= instant && self.until.is_none_or(|until| instant < until)
    }
}

/// Assigned seats from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatCount {
    pub from: DateTime<Utc>,
    pub seats: u32,
}

/// When a subscription is neither served nor charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    pub from: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
}

/// How a subscription is over, or will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub at: DateTime<Utc>,
    pub by: EndedBy,
    /// What was billed in advance beyond the end is credited.
    pub with_credit: bool,
}

/// A change and when it takes effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated {
    /// `None`: a change that is only asked about.
    pub id: Option<ChangeId>,
    pub change: Change,
    /// The version that the change names.
    pub version: Option<PlanVersion>,
    pub at: DateTime<Utc>,
    pub asked_at: DateTime<Utc>,
    pub asked_by: String,
    pub billed_at: Option<DateTime<Utc>>,
}

/// Everything dated that decides what a subscription is charged.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// With its end and the end of its trial as the changes have them.
    pub subscription: Subscription,
    /// The plan's spans first, contiguous and by time; then the add-ons', by start.
    pub attached: Vec<Attached>,
    /// By time; the first from the start on.
    pub seats: Vec<SeatCount>,
    /// By time, without overlap. Between an end and a reactivation it is paused, too.
    pub pauses: Vec<Pause>,
    pub redeemed: Vec<Redeemed>,
    pub ended: Option<Ended>,
    /// The changes that all this was worked out from, by effect; undone ones are not among them.
    pub changes: Vec<Dated>,
    begun: Subscription,
    first: PlanVersion,
}

impl History {
    /// A subscription on which nothing has changed yet.
    pub fn begin(begun: Subscription, first: PlanVersion) -> Result<History> {
        History::of(begun, first, Vec::new())
    }

    /// A subscription with the changes that were made, in any order.
    pub(crate) fn of(begun: Subscription, first: PlanVersion, mut changes: Vec<Dated>) -> Result<History> {
        // By effect; of two at one instant the one that was asked later comes later.
        changes.sort_by_key(|dated| (dated.at, dated.asked_at, dated.id.is_none(), dated.id));
        let folded = fold(&begun, &first, &changes)?;
        let mut subscription = begun.clone();
        subscription.trial_ends_at = folded.trial_ends_at;
        subscription.cancelled_at = folded.ended.map(|ended| ended.at);
        subscription.ended_by = folded.ended.map(|ended| ended.by);
        Ok(History {
            subscription,
            attached: folded.attached,
            seats: folded.seats,
            pauses: folded.pauses,
            redeemed: Vec::new(),
            ended: folded.ended,
            changes,
            begun,
            first,
        })
    }

    /// What the subscription would be with one change more, from an instant on; refused where the change breaks a rule.
    ///
    /// `version` is the one that the change names. Nothing is read or written: previews, dry runs and the advisor use it.
    pub fn with_change(&self, change: &Change, version: Option<&PlanVersion>, at: DateTime<Utc>) -> Result<History> {
        transition::check(self, change, version, at)?;
        let mut changes = self.changes.clone();
        changes.retain(|other| !change.replaces(version, other, at));
        let asked_at = changes.iter().map(|other| other.asked_at).fold(at, DateTime::max);
        changes.push(Dated {
            id: None,
            change: change.clone(),
            version: version.cloned(),
            at,
            asked_at,
            asked_by: String::new(),
            billed_at: None,
        });
        let after = self.refolded(changes)?;
        transition::check_result(&after, at)?;
        Ok(after)
    }

    /// The same without one of its changes.
    pub(crate) fn without(&self, id: ChangeId) -> Result<History> {
        let changes = self.changes.iter().filter(|dated| dated.id != Some(id)).cloned().collect();
        self.refolded(changes)
    }

    fn refolded(&self, changes: Vec<Dated>) -> Result<History> {
        let redeemed = self.redeemed.clone();
        Ok(History { redeemed, ..History::of(self.begun.clone(), self.first.clone(), changes)? })
    }

    /// What it is at an instant.
    pub fn status_at(&self, instant: DateTime<Utc>) -> SubscriptionStatus {
        if let Some(ended) = self.ended.filter(|ended| ended.at <= instant) {
            return match ended.by {
                EndedBy::Cancellation => SubscriptionStatus::Cancelled,
                EndedBy::Expiry => SubscriptionStatus::Expired,
            };
        }
        if instant < self.subscription.started_at {
            SubscriptionStatus::Scheduled
        } else if self.is_paused_at(instant) {
            SubscriptionStatus::Paused
        } else if self.subscription.in_trial_at(instant) {
            SubscriptionStatus::Trial
        } else if self.subscription.past_due_since.is_some_and(|since| since <= instant) {
            SubscriptionStatus::PastDue
        } else {
            SubscriptionStatus::Active
        }
    }

    /// Is it paused?
    pub fn is_paused_at(&self, instant: DateTime<Utc>) -> bool {
        self.pauses.iter().any(|pause| pause.from <= instant && pause.until.is_none_or(|until| instant < until))
    }

    /// Has it begun, not ended, and is it not paused?
    pub fn is_served_at(&self, instant: DateTime<Utc>) -> bool {
        self.subscription.in_service_at(instant) && !self.is_paused_at(instant)
    }

    /// The plan at an instant; before the start the first one, after the end the last.
    pub fn plan_at(&self, instant: DateTime<Utc>) -> &PlanVersion {
        self.plan_span_at(instant).map_or(&self.first, |span| &span.version)
    }

    pub(crate) fn plan_span_at(&self, instant: DateTime<Utc>) -> Option<&Attached> {
        let plans = || self.attached.iter().filter(|attached| !attached.is_add_on);
        plans().rev().find(|span| span.from <= instant).or_else(|| plans().next())
    }

    /// The plan and the add-ons that hold at an instant; nothing while it is not served.
    pub fn attached_at(&self, instant: DateTime<Utc>) -> impl Iterator<Item = &Attached> {
        let served = self.is_served_at(instant);
        self.attached.iter().filter(move |attached| served && attached.holds(instant))
    }

    /// The components that hold at an instant, add-ons' included.
    pub fn components_at(&self, instant: DateTime<Utc>) -> impl Iterator<Item = &Component> {
        self.attached_at(instant).flat_map(|attached| &attached.version.components)
    }

    /// Does usage that names no subscription count for a component in `[from, to)`? It counts once: for the one of the customer's
    /// subscriptions that began first, of those that count the same in that time.
    pub fn takes_unnamed<'a>(
        &self,
        component: &Component,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        of_customer: impl IntoIterator<Item = &'a History>,
    ) -> bool {
        let rank = |history: &History| (history.subscription.started_at, history.subscription.id);
        let earlier = of_customer.into_iter().filter(|other| rank(other) < rank(self));
        let alive = earlier.filter(|other| other.ended.is_none_or(|ended| ended.at > from));
        let attached = alive.flat_map(|other| &other.attached);
        let mut holding =
            attached.filter(|attached| attached.from < to && attached.until.is_none_or(|until| until > from));
        !holding.any(|attached| attached.version.components.iter().any(|other| component.counts_with(other)))
    }

    /// Assigned seats at an instant; before the start those that it begins with.
    pub fn seats_at(&self, instant: DateTime<Utc>) -> u32 {
        let last = self.seats.iter().rev().find(|count| count.from <= instant);
        last.or(self.seats.first()).map_or(0, |count| count.seats)
    }

    /// Every instant strictly between two at which something changes: plan, add-ons, seats, a pause, the end of the trial, the
    /// end. Sorted, without repetition: a period is split at them.
    pub fn bounds(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let spans = self.attached.iter().flat_map(|attached| [Some(attached.from), attached.until]);
        let seats = self.seats.iter().map(|count| Some(count.from));
        let pauses = self.pauses.iter().flat_map(|pause| [Some(pause.from), pause.until]);
        let own = [Some(self.subscription.started_at), self.subscription.trial_ends_at, self.subscription.cancelled_at];
        let all: BTreeSet<DateTime<Utc>> = spans.chain(seats).chain(pauses).chain(own).flatten().collect();
        all.into_iter().filter(|instant| from < *instant && *instant < to).collect()
    }

    /// What loyalty takes off recurring components in the service period at a position: the rule reached last.
    pub fn loyalty_percent_in(&self, period: &ServicePeriod) -> Percent {
        let rules = self.plan_at(period.starts_at).loyalty.iter();
        let reached = rules.filter(|rule| rule.after_months <= period.position);
        let percents = reached.filter_map(|rule| match rule.reward {
            LoyaltyReward::PercentOff(percent) => Some((rule.after_months, percent)),
            _ => None,
        });
        percents.max_by_key(|(after_months, _)| *after_months).map_or(Percent::ZERO, |(_, percent)| percent)
    }

    /// What a subscriber may use at an instant: the features of its plan, its add-ons and its loyalty.
    pub fn features_at(&self, instant: DateTime<Utc>) -> Result<BTreeSet<String>> {
        let mut features: BTreeSet<String> =
            self.attached_at(instant).flat_map(|attached| attached.version.features.iter().cloned()).collect();
        if self.is_served_at(instant) {
            let position = self.period_at(instant)?.position;
            let reached = self.plan_at(instant).loyalty.iter().filter(|rule| rule.after_months <= position);
            features.extend(reached.filter_map(|rule| match &rule.reward {
                LoyaltyReward::Feature(feature) => Some(feature.clone()),
                _ => None,
            }));
        }
        Ok(features)
    }

    /// The service period that holds an instant; the first one for what lies before the start.
    pub fn period_at(&self, instant: DateTime<Utc>) -> Result<ServicePeriod> {
        let instant = instant.max(self.subscription.started_at);
        period::containing(self.subscription.anchor_on, &self.subscription.time_zone, instant)
    }

    /// The first instant after the term that is running.
    pub fn term_end(&self, instant: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let running = self.period_at(instant)?.position;
        let (terms_from, months) = self
            .plan_span_at(instant)
            .map_or((self.subscription.started_at, 1), |span| (span.terms_from, span.version.term_months.max(1)));
        let first = self.period_at(terms_from)?.position;
        let next = first + (running.saturating_sub(first) / months + 1) * months;
        Ok(period::at_position(self.subscription.anchor_on, &self.subscription.time_zone, next)?.starts_at)
    }
}

/// Everything dated about many subscriptions, in their order, in four reads however many they are.
pub async fn histories(tx: &TenantTx, subscriptions: &[Subscription]) -> Result<Vec<History>> {
    let mut changed = changes::of(tx, subscriptions).await?;
    let mut redeemed = coupons::redeemed(tx, subscriptions).await?;
    let begun = subscriptions.iter().map(|subscription| subscription.first_plan_version_id);
    let named = changed.values().flatten().filter_map(|row| row.change.version());
    let ids: BTreeSet<PlanVersionId> = begun.chain(named).collect();
    let versions = plan_versions(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    let versions: HashMap<PlanVersionId, PlanVersion> =
        versions.into_iter().map(|version| (version.id, version)).collect();
    let known =
        |id: PlanVersionId| versions.get(&id).cloned().ok_or_else(|| SubscriptionError::not_found("plan version", id));
    let mut all = Vec::with_capacity(subscriptions.len());
    for subscription in subscriptions {
        let mut dated = changed.remove(&subscription.id).unwrap_or_default();
        for dated in &mut dated {
            dated.version = dated.change.version().map(known).transpose()?;
        }
        let first = known(subscription.first_plan_version_id)?;
        let mut history = History::of(subscription.clone(), first, dated)?;
        for (coupon, redeemed_at, ended_at) in redeemed.remove(&subscription.id).unwrap_or_default() {
            let first_position = history.period_at(redeemed_at)?.position;
            history.redeemed.push(Redeemed { coupon, redeemed_at, ended_at, first_position });
        }
        all.push(history);
    }
    Ok(all)
}

/// Everything dated about one subscription.
pub async fn history(tx: &TenantTx, id: SubscriptionId) -> Result<Option<History>> {
    let Some(subscription) = super::subscription::subscription(tx, id).await? else { return Ok(None) };
    Ok(histories(tx, &[subscription]).await?.pop())
}
