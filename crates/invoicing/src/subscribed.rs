//! A customer's subscription with its periods: what its documents are made of.

use crate::error::Result;
use chrono::{DateTime, Utc};
use pricing::{Periods, civil_date};
use subscription::{Attached, Billed, Component, ComponentKind, History, ServicePeriod};
use uuid::Uuid;

/// A subscription with everything dated about it.
#[derive(Clone, Debug)]
pub(crate) struct Subscribed {
    pub history: History,
    /// All that have begun, in order.
    pub periods: Vec<ServicePeriod>,
}

impl Subscribed {
    pub(crate) fn id(&self) -> Uuid {
        self.history.subscription.id.uuid()
    }

    pub(crate) fn attached(&self, index: usize) -> &Attached {
        &self.history.attached[index]
    }

    pub(crate) fn component(&self, attached: usize, component: usize) -> &Component {
        &self.history.attached[attached].version.components[component]
    }

    pub(crate) fn time_zone(&self) -> &str {
        &self.history.subscription.time_zone
    }

    /// Everything that it ever charged for, with the plan version that did.
    pub(crate) fn components(&self) -> impl Iterator<Item = (&Attached, &Component)> {
        self.history
            .attached
            .iter()
            .flat_map(|attached| attached.version.components.iter().map(move |part| (attached, part)))
    }

    /// Is a key only ever billed ahead?
    pub(crate) fn is_ahead(&self, key: &str) -> bool {
        let mut of_key = self.components().filter(|(_, component)| component.key == key).peekable();
        of_key.peek().is_some() && of_key.all(|(_, component)| component.billed == Billed::InAdvance)
    }

    /// Tells an add-on's derived lines (commitment, discounts) from the plan's own, which have the same subscription.
    pub(crate) fn scope(&self, attached: usize) -> String {
        let attached = self.attached(attached);
        if attached.is_add_on { format!(":{}", attached.version.id) } else { String::new() }
    }

    /// What is charged once is charged with the first of the versions that have it one after the other: moving to another
    /// version or plan with the same key sets nothing up again.
    pub(crate) fn charges_once(&self, attached: usize, key: &str) -> bool {
        let from = self.attached(attached).from;
        let before =
            self.components().filter(|(other, _)| other.from < from && other.until.is_none_or(|until| until >= from));
        !before.into_iter().any(|(_, part)| part.kind == ComponentKind::OneOff && part.key == key)
    }

    /// The months of the subscription, as many as one asks for: those that are open keep their bounds.
    pub(crate) fn months(&self) -> Result<Months> {
        Ok(Months { periods: Periods::new(self.history.subscription.anchor_on, 1, self.time_zone())? })
    }

    /// The position of the first month of the terms that a plan version counts.
    pub(crate) fn terms_position(&self, attached: usize) -> Result<u32> {
        Ok(self.history.period_at(self.attached(attached).terms_from)?.position)
    }

    /// The end that was known when something was billed ahead: it is billed no further.
    pub(crate) fn end_known_at(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        use subscription::{Change, EndedBy};
        let ended = self.history.ended.filter(|ended| ended.at > instant)?;
        let mut asked = self.history.changes.iter().filter(|dated| matches!(dated.change, Change::Cancel { .. }));
        let is_known = match ended.by {
            EndedBy::Expiry => true,
            EndedBy::Cancellation => asked.next_back().is_none_or(|dated| dated.asked_at <= instant),
        };
        is_known.then_some(ended.at)
    }
}

/// Months counted from the anchor of a subscription, also those that are not open yet.
pub(crate) struct Months {
    periods: Periods,
}

impl Months {
    pub(crate) fn at(&self, position: u32) -> Result<ServicePeriod> {
        let index = i64::from(position);
        Ok(ServicePeriod {
            position,
            starts_at: self.periods.bound_at(index)?,
            ends_at: self.periods.bound_at(index + 1)?,
            starts_on: self.periods.bound_on(index)?,
            ends_on: self.periods.bound_on(index + 1)?,
        })
    }

    /// First day of a month and the day after its last.
    pub(crate) fn days(&self, position: u32) -> Result<pricing::DateRange> {
        let index = i64::from(position);
        Ok(pricing::DateRange { from: self.periods.bound_on(index)?, to: self.periods.bound_on(index + 1)? })
    }
}

/// The day on which service ends: a day begun was used.
pub(crate) fn last_day_after(end: DateTime<Utc>, time_zone: &str) -> Result<chrono::NaiveDate> {
    let last = civil_date(end - chrono::TimeDelta::microseconds(1), time_zone)?;
    Ok(last.succ_opt().unwrap_or(last))
}
