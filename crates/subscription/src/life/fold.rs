//! How a beginning and a list of dated changes become spans. Pure; what is asked too often or too late changes nothing here,
//! since the rules were checked when it was asked.

use super::history::{Attached, Dated, Ended, Pause, SeatCount};
use super::period;
use super::subscription::Subscription;
use crate::catalogue::PlanVersion;
use crate::change::Change;
use crate::error::Result;
use crate::words::EndedBy;
use chrono::{DateTime, Utc};
use db::PlanId;

/// What the changes come to.
pub(super) struct Folded {
    pub attached: Vec<Attached>,
    pub seats: Vec<SeatCount>,
    pub pauses: Vec<Pause>,
    pub ended: Option<Ended>,
    pub trial_ends_at: Option<DateTime<Utc>>,
}

/// Walks through the changes, which are sorted by effect.
pub(super) fn fold(begun: &Subscription, first: &PlanVersion, changes: &[Dated]) -> Result<Folded> {
    let mut walk = Walk {
        begun,
        plans: vec![span(first, false, begun.started_at, begun.started_at)],
        add_ons: Vec::new(),
        seats: vec![SeatCount { from: begun.started_at, seats: begun.first_seats }],
        pauses: Vec::new(),
        ended: None,
        trial_ends_at: begun.trial_ends_at,
    };
    for dated in changes {
        // A change at the very end of a fixed term still finds it alive: that is how it is prolonged.
        walk.expire(|expiry| expiry < dated.at)?;
        walk.apply(dated)?;
    }
    walk.expire(|_| true)?;
    Ok(walk.folded())
}

struct Walk<'a> {
    begun: &'a Subscription,
    plans: Vec<Attached>,
    add_ons: Vec<Attached>,
    seats: Vec<SeatCount>,
    pauses: Vec<Pause>,
    ended: Option<Ended>,
    trial_ends_at: Option<DateTime<Utc>>,
}

fn span(version: &PlanVersion, is_add_on: bool, from: DateTime<Utc>, terms_from: DateTime<Utc>) -> Attached {
    Attached { version: version.clone(), is_add_on, is_free: false, from, until: None, terms_from }
}

impl Walk<'_> {
    fn apply(&mut self, dated: &Dated) -> Result<()> {
        let at = dated.at.max(self.begun.started_at);
        if let Change::Reactivate = dated.change {
            self.reactivate(at);
            return Ok(());
        }
        if self.ended.is_some() {
            return Ok(());
        }
        match (&dated.change, &dated.version) {
            (Change::Plan { seats, .. }, Some(version)) => {
                self.move_to(version, at);
                if let Some(seats) = seats {
                    self.seat(*seats, at);
                }
            }
            (Change::Seats(seats), _) => self.seat(*seats, at),
            (Change::AddOn { .. }, Some(version)) => self.attach(version, false, at),
            (Change::FreeAddOn { .. }, Some(version)) => {
                self.detach(at, |attached| attached.version.plan_id == version.plan_id);
                self.attach(version, true, at);
            }
            (Change::MoveAddOn { .. }, Some(version)) => self.move_add_on(version, at),
            // Whichever of its versions it has by now: it may have moved since that was asked.
            (Change::RemoveAddOn { version: id }, named) => {
                let plan = named.as_ref().map(|version| version.plan_id);
                self.detach(at, |attached| attached.version.id == *id || Some(attached.version.plan_id) == plan);
            }
            (Change::Pause, _) => self.pause(at),
            (Change::Resume, _) => self.resume(at),
            (Change::Cancel { credit }, _) => {
                self.end(Ended { at, by: EndedBy::Cancellation, with_credit: *credit });
            }
            (Change::EndTrial, _) => self.trial_ends_at = self.trial_ends_at.map(|ends_at| ends_at.min(at)),
            (
                Change::Plan { .. }
                | Change::AddOn { .. }
                | Change::FreeAddOn { .. }
                | Change::MoveAddOn { .. }
                | Change::Reactivate,
                _,
            ) => {}
        }
        Ok(())
    }

    fn move_to(&mut self, version: &PlanVersion, at: DateTime<Utc>) {
        let Some(last) = self.plans.last_mut() else { return };
        let same_term = last.version.term_months == version.term_months && version.fixed_terms.is_none();
        let terms_from = if same_term { last.terms_from } else { at };
        if last.from == at {
            *last = span(version, false, at, terms_from);
            return;
        }
        last.until = Some(at);
        self.plans.push(span(version, false, at, terms_from));
    }

    fn seat(&mut self, seats: u32, at: DateTime<Utc>) {
        self.seats.retain(|count| count.from < at);
        if self.seats.last().is_none_or(|last| last.seats != seats) {
            self.seats.push(SeatCount { from: at, seats });
        }
    }

    fn attach(&mut self, version: &PlanVersion, is_free: bool, at: DateTime<Utc>) {
        let is_there = |attached: &Attached| attached.until.is_none() && attached.version.plan_id == version.plan_id;
        if !self.add_ons.iter().any(is_there) {
            self.add_ons.push(Attached { is_free, ..span(version, true, at, at) });
        }
    }

    fn move_add_on(&mut self, version: &PlanVersion, at: DateTime<Utc>) {
        let is_it = |attached: &&mut Attached| attached.until.is_none() && attached.version.plan_id == version.plan_id;
        let Some(before) = self.add_ons.iter_mut().find(is_it) else { return };
        before.until = Some(at);
        let next = Attached { is_free: before.is_free, ..span(version, true, at, before.terms_from) };
        self.add_ons.push(next);
    }

    fn detach(&mut self, at: DateTime<Utc>, which: impl Fn(&Attached) -> bool) {
        for attached in self.add_ons.iter_mut().filter(|attached| attached.until.is_none() && which(attached)) {
            attached.until = Some(at);
        }
    }

    fn pause(&mut self, at: DateTime<Utc>) {
        if self.pauses.last().is_none_or(|last| last.until.is_some_and(|until| until <= at)) {
            self.pauses.push(Pause { from: at, until: None });
        }
    }

    fn resume(&mut self, at: DateTime<Utc>) {
        if let Some(running) = self.pauses.last_mut().filter(|pause| pause.until.is_none()) {
            running.until = Some(at);
        }
    }

    fn end(&mut self, ended: Ended) {
        self.resume(ended.at);
        self.ended = Some(ended);
    }

    /// What lies between the end and a reactivation is a pause; a fixed term begins anew.
    fn reactivate(&mut self, at: DateTime<Utc>) {
        let Some(ended) = self.ended.filter(|ended| ended.at <= at) else { return };
        self.ended = None;
        self.pauses.push(Pause { from: ended.at, until: Some(at) });
        if let Some(last) = self.plans.last().cloned().filter(|last| last.version.fixed_terms.is_some()) {
            self.move_to(&last.version, at);
        }
    }

    /// Ends a fixed term whose end passes the test.
    fn expire(&mut self, is_due: impl Fn(DateTime<Utc>) -> bool) -> Result<()> {
        let Some((plan, terms)) = self.plans.last().and_then(|plan| Some((plan, plan.version.fixed_terms?))) else {
            return Ok(());
        };
        if self.ended.is_some() {
            return Ok(());
        }
        let (anchor_on, zone) = (self.begun.anchor_on, &self.begun.time_zone);
        let first = period::containing(anchor_on, zone, plan.terms_from)?.position;
        let months = terms.saturating_mul(plan.version.term_months);
        let expiry = period::at_position(anchor_on, zone, first.saturating_add(months))?.starts_at;
        if is_due(expiry) {
            self.end(Ended { at: expiry, by: EndedBy::Expiry, with_credit: false });
        }
        Ok(())
    }

    fn folded(self) -> Folded {
        let end = self.ended.map(|ended| ended.at);
        let cut = |until: Option<DateTime<Utc>>| [until, end].into_iter().flatten().min();
        let mut attached = self.plans;
        // An add-on that was taken off at the instant at which it was added has never been there.
        attached.extend(self.add_ons.into_iter().filter(|add_on| add_on.until.is_none_or(|until| add_on.from < until)));
        for attached in &mut attached {
            attached.until = cut(attached.until);
        }
        Folded {
            attached,
            seats: self.seats,
            pauses: self.pauses,
            ended: self.ended,
            trial_ends_at: self.trial_ends_at,
        }
    }
}

/// The version of an add-on that is attached at an instant.
pub(super) fn add_on_of(attached: &[Attached], plan: PlanId, at: DateTime<Utc>) -> Option<&Attached> {
    attached.iter().find(|attached| attached.is_add_on && attached.version.plan_id == plan && attached.holds(at))
}

/// Is any version of an add-on attached at an instant?
pub(super) fn has_add_on(attached: &[Attached], plan: PlanId, at: DateTime<Utc>) -> bool {
    add_on_of(attached, plan, at).is_some()
}
