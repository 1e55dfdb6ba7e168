//! Stretches: what a service period is billed in. A change splits the period; usage counts in the stretch whose hours it
//! touches, and what is fixed (prices per period, included units, bounds of tiers) counts by civil days.
//!
//! A civil day belongs to one stretch of a plan: the last one that touches it. So a change at noon gives the whole day to the
//! new terms, while a day that was begun and that nothing follows was used.

use super::history::{Attached, History};
use super::period::ServicePeriod;
use crate::error::Result;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use pricing::{DateRange, Proration, civil_date};

/// Time in a service period in which one plan version is served, without a change to its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Position in [`History::attached`].
    pub attached: usize,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// The civil days that are its own; none where a later stretch of the same day took them.
    pub days: DateRange,
    /// Civil days of the whole period.
    pub of_days: u32,
}

impl Stretch {
    /// Its days of the days of the period: the share of what is fixed.
    pub fn share(&self) -> Proration {
        Proration { days: self.days.days().unwrap_or(0), of_days: self.of_days }
    }

    /// The share of included units and of bounds of tiers: hours without a day of their own count as one day, so that what is
    /// used in them is priced as on any other day.
    pub fn share_of_usage(&self) -> Proration {
        let share = self.share();
        Proration { days: share.days.max(1), ..share }
    }

    /// The same stretch in pieces, cut at instants that lie inside it. The day of a cut belongs to the later piece.
    pub fn cut(&self, at: &[DateTime<Utc>], time_zone: &str) -> Result<Vec<Stretch>> {
        let mut inside: Vec<DateTime<Utc>> = at.iter().copied().filter(|at| self.from < *at && *at < self.to).collect();
        inside.sort_unstable();
        inside.dedup();
        let mut pieces = Vec::with_capacity(inside.len() + 1);
        let mut rest = *self;
        for at in inside {
            let on = civil_date(at, time_zone)?.clamp(rest.days.from, self.days.to.max(rest.days.from));
            pieces.push(Stretch { to: at, days: DateRange { from: rest.days.from, to: on }, ..rest });
            rest = Stretch { from: at, days: DateRange { from: on, to: self.days.to.max(on) }, ..rest };
        }
        pieces.push(rest);
        Ok(pieces)
    }
}

impl History {
    /// The stretches of a period: for each attached plan version the time in which it is served, in their order. Seats and the
    /// end of a trial do not split them: they split single components ([`Stretch::cut`]).
    pub fn stretches(&self, period: &ServicePeriod) -> Result<Vec<Stretch>> {
        let zone = &self.subscription.time_zone;
        let mut stretches = Vec::new();
        for (index, attached) in self.attached.iter().enumerate() {
            for (from, to) in self.served(attached, period) {
                stretches.push((index, from, to));
            }
        }
        let follows = |index: usize, to: DateTime<Utc>, on: NaiveDate| -> Result<bool> {
            for (other, from, _) in &stretches {
                let same_place = self.same_place(&self.attached[index], &self.attached[*other]);
                if same_place && *from >= to && civil_date(*from, zone)? == on {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let of_days = DateRange { from: period.starts_on, to: period.ends_on }.days()?;
        let mut all = Vec::with_capacity(stretches.len());
        for (index, from, to) in &stretches {
            let first = civil_date(*from, zone)?.max(period.starts_on);
            let last = civil_date(*to - TimeDelta::microseconds(1), zone)?;
            let after =
                if follows(*index, *to, last)? { last } else { last.checked_add_days(Days::new(1)).unwrap_or(last) };
            let days = DateRange { from: first, to: after.clamp(first, period.ends_on.max(first)) };
            all.push(Stretch { attached: *index, from: *from, to: *to, days, of_days });
        }
        Ok(all)
    }

    /// When a plan version is served within a period: its own time without the pauses.
    fn served(&self, attached: &Attached, period: &ServicePeriod) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let mut from = period.starts_at.max(attached.from);
        let to = attached.until.map_or(period.ends_at, |until| until.min(period.ends_at));
        let mut served = Vec::new();
        for pause in &self.pauses {
            let until = pause.until.unwrap_or(to);
            if until <= from {
                continue;
            }
            if from < pause.from.min(to) {
                served.push((from, pause.from.min(to)));
            }
            from = from.max(until);
        }
        if from < to {
            served.push((from, to));
        }
        served
    }

    /// Plans follow one another, and so do versions of one add-on.
    fn same_place(&self, one: &Attached, other: &Attached) -> bool {
        match (one.is_add_on, other.is_add_on) {
            (false, false) => true,
            (true, true) => one.version.plan_id == other.version.plan_id,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{NewPlanVersion, PlanVersion};
    use crate::change::Change;
    use crate::life::subscription::Subscription;
    use db::{CustomerId, PlanId, SubscriptionId};
    use money::Currency;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn version() -> PlanVersion {
        NewPlanVersion::monthly(Currency::EUR, Vec::new()).assumed(PlanId::new(), at("2026-01-01T00:00:00Z"))
    }

    /// On one plan since the first of April, in Berlin.
    fn since_april() -> History {
        let version = version();
        let begun = Subscription {
            id: SubscriptionId::new(),
            customer_id: CustomerId::new(),
            first_plan_version_id: version.id,
            anchor_on: "2026-04-01".parse().unwrap(),
            time_zone: "Europe/Berlin".to_owned(),
            first_seats: 0,
            started_at: at("2026-03-31T22:00:00Z"),
            trial_ends_at: None,
            cancelled_at: None,
            ended_by: None,
            past_due_since: None,
            trial_end: None,
        };
        History::begin(begun, version).unwrap()
    }

    fn changed(changes: &[(Change, &str)], versions: &[&PlanVersion]) -> History {
        let mut history = since_april();
        for (change, instant) in changes {
            let named = versions.iter().find(|version| Some(version.id) == change.version()).copied();
            history = history.with_change(change, named, at(instant)).unwrap();
        }
        history
    }

    /// `first day-day after the last` of each stretch of April.
    fn april(history: &History) -> Vec<String> {
        let period = history.period_at(at("2026-04-10T00:00:00Z")).unwrap();
        let days = |stretch: Stretch| format!("{}-{}", stretch.days.from.format("%d"), stretch.days.to.format("%d.%m"));
        history.stretches(&period).unwrap().into_iter().map(days).collect()
    }

    #[test]
    fn each_day_of_a_period_belongs_to_the_last_terms_that_touch_it() {
        let next = version();
        let (midnight, noon) = ("2026-04-09T22:00:00Z", "2026-04-10T10:00:00Z");
        let moved = Change::Plan { version: next.id, seats: None };
        let cancelled = Change::Cancel { credit: false };
        let again = "2026-04-10T15:00:00Z";
        for (changes, expected) in [
            (vec![], vec!["01-01.05"]),
            (vec![(moved.clone(), midnight)], vec!["01-10.04", "10-01.05"]),
            (vec![(moved.clone(), noon)], vec!["01-10.04", "10-01.05"]), // the day of the change is of the new terms
            (vec![(cancelled.clone(), midnight)], vec!["01-10.04"]),
            (vec![(cancelled, noon)], vec!["01-11.04"]), // a day begun that nothing follows was used
            (vec![(Change::Pause, noon)], vec!["01-11.04"]),
            (vec![(Change::Pause, noon), (Change::Resume, again)], vec!["01-10.04", "10-01.05"]),
            (vec![(Change::Pause, midnight), (Change::Resume, "2026-04-19T22:00:00Z")], vec!["01-10.04", "20-01.05"]),
            (vec![(moved, "2026-04-01T10:00:00Z")], vec!["01-01.04", "01-01.05"]), // twelve hours without a day
        ] {
            assert_eq!(april(&changed(&changes, &[&next])), expected, "{changes:?}");
        }
    }

    #[test]
    fn a_cut_gives_its_day_to_what_comes_later() {
        let history = since_april();
        let period = history.period_at(at("2026-04-10T00:00:00Z")).unwrap();
        let whole = history.stretches(&period).unwrap()[0];
        let cuts = [at("2026-04-20T09:00:00Z"), at("2026-04-09T22:00:00Z"), at("2026-06-01T00:00:00Z")];
        let days = whole.cut(&cuts, "Europe/Berlin").unwrap();
        assert_eq!(days.iter().map(|piece| piece.share().days).collect::<Vec<_>>(), [9, 10, 11]); // 1-9, 10-19, 20-30
        assert_eq!((days[0].from, days[2].to), (whole.from, whole.to));
    }
}
