//! What the clock does to a subscription: known in advance, so that a timeline shows it before and after.

use super::history::{Attached, Dated, History};
use super::period;
use crate::catalogue::{LoyaltyReward, LoyaltyRule};
use crate::change::Change;
use crate::error::Result;
use crate::words::EndedBy;
use chrono::{DateTime, Days, Utc};
use db::{ChangeId, PlanVersionId};

/// How many days before a trial's end its customer is reminded; a trial that is no longer is told about on its first day.
pub const TRIAL_REMINDER_DAYS: u64 = 3;

/// Something that happens by the clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Milestone {
    pub at: DateTime<Utc>,
    pub kind: MilestoneKind,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum MilestoneKind {
    /// A subscription that was made for later begins.
    Begins,
    /// The trial is over in some days.
    TrialEnding,
    TrialEnded,
    /// A change that was asked for earlier takes effect.
    Takes(ChangeId),
    /// A term of several months follows another. (A month that follows another is no news.)
    Renewed,
    /// Loyalty brings this in a month.
    LoyaltyAhead(LoyaltyRule),
    /// Loyalty brings this from here on.
    Loyalty(LoyaltyRule),
    Ended(EndedBy),
}

impl MilestoneKind {
    /// Its name in the timeline.
    pub fn event(&self) -> &'static str {
        match self {
            MilestoneKind::Begins => "begins",
            MilestoneKind::TrialEnding => "trial_ending",
            MilestoneKind::TrialEnded => "trial_ended",
            MilestoneKind::Takes(_) => "change_takes_effect",
            MilestoneKind::Renewed => "renewed",
            MilestoneKind::LoyaltyAhead(_) => "loyalty_ahead",
            MilestoneKind::Loyalty(_) => "loyalty",
            MilestoneKind::Ended(EndedBy::Cancellation) => "ended",
            MilestoneKind::Ended(EndedBy::Expiry) => "expired",
        }
    }

    /// Its natural key within a subscription and an instant: it is told once.
    pub(crate) fn key(&self) -> String {
        match self {
            MilestoneKind::Takes(id) => format!("{} {id}", self.event()),
            MilestoneKind::LoyaltyAhead(rule) | MilestoneKind::Loyalty(rule) => {
                format!("{} {}", self.event(), told(&rule.reward))
            }
            _ => self.event().to_owned(),
        }
    }
}

fn told(reward: &LoyaltyReward) -> String {
    match reward {
        LoyaltyReward::PercentOff(percent) => format!("{percent} off"),
        LoyaltyReward::FreeAddOn(version) => format!("add-on {version}"),
        LoyaltyReward::Feature(feature) => feature.clone(),
    }
}

impl Milestone {
    /// As people read it. `plan` names the plan of a version.
    pub fn said(&self, history: &History, plan: impl Fn(PlanVersionId) -> String) -> Result<String> {
        let on = |at| Ok::<_, crate::SubscriptionError>(pricing::civil_date(at, &history.subscription.time_zone)?);
        let name = || plan(history.plan_at(self.at).id);
        let reward = |rule: &LoyaltyRule| match &rule.reward {
            LoyaltyReward::PercentOff(percent) => format!("{percent} off fixed fees"),
            LoyaltyReward::FreeAddOn(version) => format!("{} free of charge", plan(*version)),
            LoyaltyReward::Feature(feature) => feature.replace('_', " "),
        };
        Ok(match &self.kind {
            MilestoneKind::Begins => format!("{} begins.", name()),
            MilestoneKind::TrialEnding => {
                let ends_on = on(history.subscription.trial_ends_at.unwrap_or(self.at))?;
                format!("The trial of {} ends on {ends_on}.", name())
            }
            MilestoneKind::TrialEnded => format!("The trial of {} is over.", name()),
            MilestoneKind::Takes(id) => {
                let taken = history.changes.iter().find(|dated| dated.id == Some(*id));
                let what = taken.map_or("change", |dated| dated.change.kind().as_str()).replace('_', " ");
                let of = taken
                    .and_then(|dated| dated.change.version())
                    .map_or_else(String::new, |version| format!(": {}", plan(version)));
                format!("In effect: {what}{of}.")
            }
            MilestoneKind::Renewed => {
                let months = history.plan_at(self.at).term_months;
                format!("{} was renewed for {months} months.", name())
            }
            MilestoneKind::LoyaltyAhead(rule) => {
                format!("In a month, after {} months: {}.", rule.after_months, reward(rule))
            }
            MilestoneKind::Loyalty(rule) => {
                format!("Thank you for {} months: {}.", rule.after_months, reward(rule))
            }
            MilestoneKind::Ended(EndedBy::Cancellation) => format!("{} has ended.", name()),
            MilestoneKind::Ended(EndedBy::Expiry) => format!("The fixed term of {} has ended.", name()),
        })
    }
}

impl History {
    /// Everything that happens by the clock from an instant up to and with another one, by time.
    pub fn milestones(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Milestone>> {
        let mut all: Vec<Milestone> = self.once()?;
        all.retain(|milestone| from <= milestone.at && milestone.at <= to);
        for span in self.attached.iter().filter(|attached| !attached.is_add_on) {
            let mut renewal = self.renewal_after(span, from - chrono::TimeDelta::microseconds(1))?;
            while let Some(at) = renewal.filter(|at| *at <= to) {
                all.push(Milestone { at, kind: MilestoneKind::Renewed });
                renewal = self.renewal_after(span, at)?;
            }
        }
        all.sort_by_key(|milestone| milestone.at);
        Ok(all)
    }

    /// When the clock next does something, after an instant.
    pub(crate) fn next_look_after(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let once = self.once()?.into_iter().map(|milestone| milestone.at);
        let mut renewals = Vec::new();
        for span in self.attached.iter().filter(|attached| !attached.is_add_on) {
            renewals.extend(self.renewal_after(span, now)?);
        }
        Ok(once.chain(renewals).filter(|at| *at > now).min())
    }

    /// The first end of a term of this span after an instant, while the span lasts; its own beginning is none.
    fn renewal_after(&self, span: &Attached, instant: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let months = span.version.term_months;
        if months <= 1 {
            return Ok(None);
        }
        let first = self.period_at(span.terms_from)?.position;
        // What a span takes over at its very beginning is its own renewal, hence the instant before counts.
        let before = instant.max(span.from - chrono::TimeDelta::microseconds(1));
        let running = self.period_at(before)?.position;
        let terms = running.saturating_sub(first) / months;
        let bound = |terms: u32| -> Result<DateTime<Utc>> {
            let (anchor_on, zone) = (self.subscription.anchor_on, &self.subscription.time_zone);
            Ok(period::at_position(anchor_on, zone, first + terms * months)?.starts_at)
        };
        let at = bound(terms + 1)?;
        Ok(Some(at).filter(|at| span.until.is_none_or(|until| *at < until)))
    }

    /// What happens once, in no order.
    fn once(&self) -> Result<Vec<Milestone>> {
        let subscription = &self.subscription;
        let ends_at = self.ended.map(|ended| ended.at);
        let mut all = vec![Milestone { at: subscription.started_at, kind: MilestoneKind::Begins }];
        if let Some(trial_ends_at) = subscription.trial_ends_at {
            let zone = &subscription.time_zone;
            let ends_on = pricing::civil_date(trial_ends_at, zone)?;
            let reminded_on = ends_on.checked_sub_days(Days::new(TRIAL_REMINDER_DAYS)).unwrap_or(ends_on);
            let reminded_at = pricing::start_of_day(reminded_on, zone)?.max(subscription.started_at);
            all.push(Milestone { at: reminded_at, kind: MilestoneKind::TrialEnding });
            all.push(Milestone { at: trial_ends_at, kind: MilestoneKind::TrialEnded });
        }
        // A gift has its own milestone.
        let is_told = |dated: &&Dated| !matches!(dated.change, Change::FreeAddOn { .. });
        let later = self.changes.iter().filter(|dated| dated.asked_at < dated.at).filter(is_told);
        all.extend(later.filter_map(|dated| Some(Milestone { at: dated.at, kind: MilestoneKind::Takes(dated.id?) })));
        all.extend(self.loyalty()?);
        all.retain(|milestone| ends_at.is_none_or(|ends_at| milestone.at < ends_at));
        if let Some(ended) = self.ended {
            all.push(Milestone { at: ended.at, kind: MilestoneKind::Ended(ended.by) });
        }
        Ok(all)
    }

    /// Where the rules of the plan that holds then are reached, and a month before.
    fn loyalty(&self) -> Result<Vec<Milestone>> {
        let subscription = &self.subscription;
        let bound = |position| {
            Ok::<_, crate::SubscriptionError>(
                period::at_position(subscription.anchor_on, &subscription.time_zone, position)?.starts_at,
            )
        };
        let mut all = Vec::new();
        for span in self.attached.iter().filter(|attached| !attached.is_add_on) {
            for rule in &span.version.loyalty {
                let (reached, ahead) = (bound(rule.after_months)?, bound(rule.after_months - 1)?);
                // Who comes to a plan after its time has what it gives at once.
                let at = reached.max(span.from);
                if span.until.is_none_or(|until| at < until) {
                    all.push(Milestone { at, kind: MilestoneKind::Loyalty(rule.clone()) });
                    if span.from <= ahead {
                        all.push(Milestone { at: ahead, kind: MilestoneKind::LoyaltyAhead(rule.clone()) });
                    }
                }
            }
        }
        Ok(all)
    }
}
