//! What is billed ahead, as a chain of entries for each key: a charge for the rest of a term, and, where something changes
//! before it is over, a credit for what is unused and a charge for what comes instead. Made from the dates alone, so that it is
//! the same whenever a run looks at it, and what was billed of it stays what it was. Nothing is priced in here.

use crate::error::Result;
use crate::parts::lasts;
use crate::subscribed::{Months, Subscribed, last_day_after};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use pricing::{DateRange, civil_date, start_of_day};
use std::collections::BTreeSet;
use subscription::{Billed, ComponentKind};

/// Terms of one key in a time in which nothing about them changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub attached: usize,
    pub component: usize,
    pub seats: u32,
    /// Position of the first month of its terms.
    terms_position: u32,
}

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Charges,
    /// Gives back what is unused of the charge at this place of the chain.
    Credits(usize),
}

/// One link of the chain.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub does: Does,
    /// When it is due, and what its claim names.
    pub at: DateTime<Utc>,
    /// The civil days that are charged or credited.
    pub days: DateRange,
    pub ends_at: DateTime<Utc>,
    pub state: State,
    /// Position of the period that holds its first day.
    pub position: u32,
    /// Charged once, whatever the days.
    pub is_once: bool,
}

/// The chain of a subscription up to an instant, key by key.
pub(crate) fn chain(of: &Subscribed, until: DateTime<Utc>) -> Result<Vec<Entry>> {
    let mut keys: Vec<&str> = Vec::new();
    for (_, component) in of.components() {
        let is_ahead = component.billed == Billed::InAdvance && component.is_recurring();
        if is_ahead && !keys.contains(&component.key.as_str()) {
            keys.push(&component.key);
        }
    }
    let mut entries = Vec::new();
    let months = of.months()?;
    for key in keys {
        Walk { of, key, months: &months, entries: &mut entries, open: None, used_until: NaiveDate::MIN }.walk(until)?;
    }
    once(of, until, &mut entries)?;
    Ok(entries)
}

/// What is charged once and before it is served.
fn once(of: &Subscribed, until: DateTime<Utc>, entries: &mut Vec<Entry>) -> Result<()> {
    for (index, attached) in of.history.attached.iter().enumerate().filter(|(_, attached)| attached.from < until) {
        for (component, part) in attached.version.components.iter().enumerate() {
            let is_ahead = part.kind == ComponentKind::OneOff && part.billed == Billed::InAdvance;
            if !is_ahead || attached.is_free || !of.charges_once(index, &part.key) {
                continue;
            }
            let period = of.history.period_at(attached.from)?;
            entries.push(Entry {
                key: part.key.clone(),
                does: Does::Charges,
                at: attached.from,
                days: DateRange { from: civil_date(attached.from, of.time_zone())?, to: period.ends_on },
                ends_at: period.ends_at,
                state: State { attached: index, component, seats: 0, terms_position: period.position },
                position: period.position,
                is_once: true,
            });
        }
    }
    Ok(())
}

/// A charge that is not used up yet.
struct Open {
    entry: usize,
    state: State,
    days: DateRange,
    ends_at: DateTime<Utc>,
}

struct Walk<'a> {
    of: &'a Subscribed,
    key: &'a str,
    months: &'a Months,
    entries: &'a mut Vec<Entry>,
    open: Option<Open>,
    /// The first day that nothing has been charged for.
    used_until: NaiveDate,
}

impl Walk<'_> {
    fn walk(&mut self, until: DateTime<Utc>) -> Result<()> {
        let begins = self.of.history.subscription.started_at;
        let mut instants: BTreeSet<DateTime<Utc>> =
            self.of.history.bounds(begins - TimeDelta::microseconds(1), until).into_iter().collect();
        instants.insert(begins);
        while let Some(at) = instants.pop_first().filter(|at| *at < until) {
            if let Some(over) = self.open.take_if(|open| open.ends_at <= at) {
                self.used_until = over.days.to;
            }
            let state = self.state_at(at)?;
            if let Some(open) = self.open.take_if(|open| !state.is_some_and(|state| self.of.stays(&open.state, &state)))
            {
                let is_followed =
                    state.is_some() || self.gives_way_to_a_plan(&open.state, at) || self.is_followed_in_arrears(at)?;
                self.credit(open, at, is_followed)?;
            }
            if let (None, Some(state)) = (&self.open, state) {
                instants.insert(self.charge(state, at)?);
            }
        }
        Ok(())
    }

    /// What is charged for the key from an instant on; nothing in a trial, in a pause, after the end, or where it is a gift.
    fn state_at(&self, at: DateTime<Utc>) -> Result<Option<State>> {
        let history = &self.of.history;
        if !history.is_served_at(at) || history.subscription.in_trial_at(at) {
            return Ok(None);
        }
        for (index, attached) in history.attached.iter().enumerate().filter(|(_, attached)| attached.holds(at)) {
            let found = attached.version.components.iter().position(|part| part.key == self.key);
            let is_ahead = |place: &usize| {
                let part = &attached.version.components[*place];
                part.billed == Billed::InAdvance && part.is_recurring() && !attached.is_free
            };
            if let Some(component) = found.filter(is_ahead) {
                let is_seat = attached.version.components[component].kind == ComponentKind::Seat;
                let seats = if is_seat { history.seats_at(at) } else { 0 };
                let terms_position = self.of.terms_position(index)?;
                return Ok(Some(State { attached: index, component, seats, terms_position }));
            }
        }
        Ok(None)
    }

    /// Does another plan begin where that of an open charge ends? Then the day is the new plan's, whatever its keys are.
    fn gives_way_to_a_plan(&self, open: &State, at: DateTime<Utc>) -> bool {
        let history = &self.of.history;
        let begins = |attached: &subscription::Attached| !attached.is_add_on && attached.from == at;
        !self.of.attached(open.attached).is_add_on && history.is_served_at(at) && history.attached.iter().any(begins)
    }

    /// Is the key served in arrears later on the day of an instant? Then that day is charged there.
    fn is_followed_in_arrears(&self, at: DateTime<Utc>) -> Result<bool> {
        let (history, zone) = (&self.of.history, self.of.time_zone());
        let tomorrow = last_day_after(at + TimeDelta::microseconds(1), zone)?;
        let mut instants = history.bounds(at, start_of_day(tomorrow, zone)?);
        instants.push(at);
        let is_charged = |attached: &subscription::Attached| {
            let mut parts = attached.version.components.iter().filter(|part| part.key == self.key);
            !attached.is_free && parts.any(|part| part.billed == Billed::InArrears && lasts(part))
        };
        Ok(instants.into_iter().any(|instant| history.attached_at(instant).any(is_charged)))
    }

    /// Ends an open charge. The day of a change is of what comes instead; where nothing does, a day begun was used.
    fn credit(&mut self, open: Open, at: DateTime<Utc>, is_followed: bool) -> Result<()> {
        let zone = self.of.time_zone();
        let rest_from = if is_followed { civil_date(at, zone)? } else { last_day_after(at, zone)? };
        let rest_from = rest_from.max(open.days.from);
        let ended = self.of.history.ended.filter(|ended| ended.at == at);
        self.used_until = rest_from;
        if ended.is_some_and(|ended| !ended.with_credit) {
            self.used_until = open.days.to;
        } else if rest_from < open.days.to {
            self.entries.push(Entry {
                key: self.key.to_owned(),
                does: Does::Credits(open.entry),
                at,
                days: DateRange { from: rest_from, to: open.days.to },
                ends_at: open.ends_at,
                state: open.state,
                position: self.of.history.period_at(at)?.position,
                is_once: false,
            });
        }
        Ok(())
    }

    /// Charges the rest of the term that is running, as far as its end is known; returns when that is over.
    fn charge(&mut self, state: State, at: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let running = self.of.history.period_at(at)?.position;
        let months = self.of.attached(state.attached).version.term_months.max(1);
        let passed = running.saturating_sub(state.terms_position) / months;
        let last = self.months.at(state.terms_position + (passed + 1) * months - 1)?;
        let (mut ends_at, mut ends_on) = (last.ends_at, last.ends_on);
        if let Some(end) = self.of.end_known_at(at).filter(|end| *end < ends_at) {
            (ends_at, ends_on) = (end, last_day_after(end, self.of.time_zone())?);
        }
        let from = civil_date(at, self.of.time_zone())?.max(self.used_until);
        let days = DateRange { from, to: ends_on.max(from) };
        if days.from < days.to {
            self.entries.push(Entry {
                key: self.key.to_owned(),
                does: Does::Charges,
                at,
                days,
                ends_at,
                state,
                position: running,
                is_once: false,
            });
            self.open = Some(Open { entry: self.entries.len() - 1, state, days, ends_at });
        }
        Ok(ends_at)
    }
}

impl Subscribed {
    /// Do the terms of a key stay the same, so that what was charged goes on? Another version may say the same.
    fn stays(&self, before: &State, now: &State) -> bool {
        let (old, new) = (self.attached(before.attached), self.attached(now.attached));
        let (old_part, new_part) =
            (self.component(before.attached, before.component), self.component(now.attached, now.component));
        old_part.price == new_part.price
            && old_part.included == new_part.included
            && old_part.minimum_quantity == new_part.minimum_quantity
            && old_part.kind == new_part.kind
            && before.seats == now.seats
            && old.version.term_months == new.version.term_months
            && (old.version.term_months == 1 || before.terms_position == now.terms_position)
            && old.version.term_discount_percent == new.version.term_discount_percent
    }
}
