//! What the book says about each event of a batch, before anything is written.

use crate::error::UsageError;
use crate::event::{Outcome, Rejection, UsageEvent};
use crate::hour::{hour_in, zone};
use crate::meter::{Aggregation, Meter, VALUE};
use crate::suspense::{NewSuspense, SuspenseCause};
use crate::{meter, store};
use chrono::{DateTime, Months, TimeDelta, Utc};
use db::fault::{Guard, is_left_out};
use db::{CustomerId, SubscriptionId, TenantTx};
use jiff::tz::TimeZone;
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use subscription::{Attached, Component, History, LateUsage};

/// An event may say that it occurs so long after it came: clocks differ.
pub(crate) const AHEAD_HOURS_MAX: i64 = 24;
/// Keys are kept so long; an event that is older could be known without anybody knowing it any more.
pub(crate) const AGE_MONTHS_MAX: u32 = 13;
/// What is counted while it lasts ends within a day.
const SPAN_SECONDS_MAX: u32 = 86_400;
/// Usage of a period may come so long after its end without being late: its last calls end, and what moves up the tree arrives.
pub const PERIOD_SETTLES: TimeDelta = TimeDelta::hours(2);

/// What events are judged by.
pub(crate) struct Book {
    /// By the type of the events that they count; of one type in the order of their codes.
    meters: HashMap<String, Vec<Meter>>,
    pub zones: HashMap<CustomerId, TimeZone>,
    /// Of customers whose events come from outside: their subscriptions, and what charges by a meter.
    subscriptions: HashMap<CustomerId, HashSet<SubscriptionId>>,
    charging: HashMap<CustomerId, Vec<History>>,
    is_from_outside: bool,
    /// Does a person take what is late, whatever its plan says?
    takes_late: bool,
}

/// One event on one meter, ready to be stored.
pub(crate) struct Row<'a> {
    /// Its place in the caller's batch.
    pub index: usize,
    pub event: &'a UsageEvent,
    /// Where it counts; `None` in suspense for want of a meter.
    pub meter: Option<&'a Meter>,
    pub hash: [u8; 32],
    pub subscription_id: Option<SubscriptionId>,
    /// As the meter counts it.
    pub quantity: Decimal,
    /// Why it goes to suspense; then the rest says nothing.
    pub cause: Option<(SuspenseCause, String)>,
    pub hour: DateTime<Utc>,
}

/// A batch, sorted by key: two batches with the same keys then wait for each other in one order and cannot deadlock.
pub(crate) struct Prepared<'a> {
    pub rows: Vec<Row<'a>>,
    /// The same events on the second of their meters, the third ..: they have no key of their own.
    pub further: Vec<Row<'a>>,
    /// Answers that are known already, by place; `None` where the keys decide.
    pub outcomes: Vec<Option<Outcome>>,
    /// Second events of one key within the batch, with another payload.
    pub conflicts: Vec<NewSuspense>,
}

impl Book {
    /// Reads what a batch needs: its customers' zones, the meters and, for events from outside, who charges them.
    pub async fn for_batch(tx: &TenantTx, events: &[UsageEvent], is_from_outside: bool) -> Result<Book, UsageError> {
        let ids: HashSet<CustomerId> = events.iter().map(|event| event.customer_id).collect();
        let ids: Vec<CustomerId> = ids.into_iter().collect();
        let mut zones = HashMap::with_capacity(ids.len());
        let mut by_name: HashMap<String, TimeZone> = HashMap::new();
        for customer in subscription::customers_by_id(tx, &ids).await? {
            let known = match by_name.entry(customer.time_zone) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => {
                    let found = zone(new.key())?;
                    new.insert(found).clone()
                }
            };
            zones.insert(customer.id, known);
        }
        let mut meters: HashMap<String, Vec<Meter>> = HashMap::new();
        for meter in meter::meters(tx).await? {
            meters.entry(meter.event_type.clone()).or_default().push(meter);
        }
        let mut book = Book {
            meters,
            zones,
            subscriptions: HashMap::new(),
            charging: HashMap::new(),
            is_from_outside,
            takes_late: false,
        };
        if is_from_outside {
            book.read_subscriptions(tx, &ids).await?;
        }
        Ok(book)
    }

    async fn read_subscriptions(&mut self, tx: &TenantTx, ids: &[CustomerId]) -> Result<(), UsageError> {
        let subscriptions = subscription::subscriptions_of_many(tx, ids).await?;
        for history in subscription::histories(tx, &subscriptions).await? {
            let customer_id = history.subscription.customer_id;
            self.subscriptions.entry(customer_id).or_default().insert(history.subscription.id);
            self.charging.entry(customer_id).or_default().push(history);
        }
        Ok(())
    }

    /// The same book for events about which a person has decided that they count, though they are late.
    pub fn taking_late(self) -> Book {
        Book { takes_late: true, ..self }
    }

    /// Judges a whole batch.
    pub fn prepare<'a>(&'a self, events: &'a [UsageEvent], now: DateTime<Utc>) -> Prepared<'a> {
        let mut prepared = Prepared {
            rows: Vec::with_capacity(events.len()),
            further: Vec::new(),
            outcomes: vec![None; events.len()],
            conflicts: Vec::new(),
        };
        let mut seen: HashMap<(&str, &str), [u8; 32]> = HashMap::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            if let Some(rejection) = self.rejection(event) {
                prepared.outcomes[index] = Some(Outcome::Rejected(rejection));
                continue;
            }
            let hash = event.payload_hash();
            match seen.entry((&event.source, &event.id)) {
                Entry::Vacant(new) => {
                    new.insert(hash);
                    let (row, further) = self.judge(index, event, hash, now);
                    prepared.rows.push(row);
                    prepared.further.extend(further);
                }
                Entry::Occupied(first) if *first.get() == hash => prepared.outcomes[index] = Some(Outcome::Duplicate),
                Entry::Occupied(_) => {
                    prepared.outcomes[index] = Some(Outcome::Conflict);
                    let detail = "the same key came twice in one batch with another payload".to_owned();
                    prepared.conflicts.push(NewSuspense::of(event, &hash, SuspenseCause::Conflict, detail));
                }
            }
        }
        prepared.rows.sort_by(|a, b| (&a.event.source, &a.event.id).cmp(&(&b.event.source, &b.event.id)));
        prepared
    }

    fn rejection(&self, event: &UsageEvent) -> Option<Rejection> {
        // Only our own corrections may take something back.
        let negative = self.is_from_outside && event.quantity.is_sign_negative() && !event.quantity.is_zero();
        let uncounted = self.is_from_outside && event.quantity != Decimal::ONE && self.counts_one_by_one(event);
        let rejection = event.rejection().or(negative.then_some(Rejection::QuantityMustNotBeNegative));
        let rejection = rejection.or(self.lasts_too_long(event).then_some(Rejection::SpanMustEnd));
        rejection.or(uncounted.then_some(Rejection::QuantityMustBeOne))
    }

    /// Does no meter look at the quantity of such an event? 1,200 calls in one event would be one call.
    fn counts_one_by_one(&self, event: &UsageEvent) -> bool {
        let of_type = self.meters.get(&event.meter).into_iter().flatten();
        let mut counting = of_type.filter(|meter| meter.counts(event)).peekable();
        counting.peek().is_some() && counting.all(|meter| meter.aggregation.takes_each_as_one())
    }

    /// A span stands in each hour that it touches: a day of them is enough.
    fn lasts_too_long(&self, event: &UsageEvent) -> bool {
        let of_type = self.meters.get(&event.meter).into_iter().flatten();
        let mut peaks = of_type.filter(|meter| meter.aggregation == Aggregation::Peak && meter.counts(event));
        event.quantity > Decimal::from(SPAN_SECONDS_MAX) && peaks.next().is_some()
    }

    /// An event on each of its meters. What one of them cannot take waits as a whole: then there is one row, with its cause.
    pub fn judge<'a>(
        &'a self,
        index: usize,
        event: &'a UsageEvent,
        hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> (Row<'a>, Vec<Row<'a>>) {
        let mut counting = self.meters.get(&event.meter).into_iter().flatten().filter(|meter| meter.counts(event));
        let mut first = self.row(index, event, counting.next(), hash, now);
        let further: Vec<Row<'a>> = counting.map(|meter| self.row(index, event, Some(meter), hash, now)).collect();
        if first.cause.is_none() {
            first.cause = further.iter().find_map(|row| row.cause.clone());
        }
        if first.cause.is_some() { (first, Vec::new()) } else { (first, further) }
    }

    fn row<'a>(
        &self,
        index: usize,
        event: &'a UsageEvent,
        meter: Option<&'a Meter>,
        hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> Row<'a> {
        let quantity = match meter {
            Some(meter) if meter.aggregation.takes_each_as_one() => Decimal::ONE,
            _ => event.quantity.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero),
        };
        let hour =
            self.zones.get(&event.customer_id).map_or(event.occurred_at, |zone| hour_in(event.occurred_at, zone));
        let (subscription_id, cause) = match (self.cause(event, meter, now), meter) {
            (None, Some(meter)) => self.charged_by(event, meter, now),
            (cause, _) => (event.subscription_id, cause),
        };
        Row { index, event, meter, hash, subscription_id, quantity, cause, hour }
    }

    fn cause(&self, event: &UsageEvent, meter: Option<&Meter>, now: DateTime<Utc>) -> Option<(SuspenseCause, String)> {
        if !self.zones.contains_key(&event.customer_id) {
            return Some((SuspenseCause::UnknownCustomer, format!("no customer {}", event.customer_id)));
        }
        if meter.is_none() {
            let code: String = event.meter.chars().filter(|c| !c.is_control()).take(80).collect();
            let detail = match self.meters.contains_key(&event.meter) {
                true => format!("no meter of {code:?} counts these dimensions"),
                false => format!("no meter {code:?}"),
            };
            return Some((SuspenseCause::UnknownMeter, detail));
        }
        let earliest = now.checked_sub_months(Months::new(AGE_MONTHS_MAX)).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let is_early = event.occurred_at > now + TimeDelta::hours(AHEAD_HOURS_MAX) && !is_left_out(Guard::EarlyEvent);
        if is_early || event.occurred_at < earliest {
            return Some((SuspenseCause::AbsurdTime, format!("it occurred at {}", event.occurred_at)));
        }
        None
    }

    /// The subscription that it names, else the only one that charges for it, else nobody's: then a tariff or nothing does.
    fn charged_by(
        &self,
        event: &UsageEvent,
        meter: &Meter,
        now: DateTime<Utc>,
    ) -> (Option<SubscriptionId>, Option<(SuspenseCause, String)>) {
        if !self.is_from_outside {
            return (event.subscription_id, None);
        }
        if let Some(named) = event.subscription_id {
            let is_theirs = self.subscriptions.get(&event.customer_id).is_some_and(|theirs| theirs.contains(&named));
            let cause =
                (SuspenseCause::UnknownSubscription, format!("{named} is not a subscription of {}", event.customer_id));
            let late = || {
                let mut charging = self.charging(event, meter);
                charging.find(|(history, _)| history.subscription.id == named).and_then(|by| self.late(event, by, now))
            };
            return (Some(named), if is_theirs { late() } else { Some(cause) });
        }
        let mut charging = self.charging(event, meter);
        match (charging.next(), charging.next()) {
            (Some(_), Some(_)) => {
                (None, Some((SuspenseCause::SeveralSubscriptions, "several components charge for it".to_owned())))
            }
            (None, _) if self.is_out_of_service(event) => {
                (None, Some((SuspenseCause::NoSubscription, "no subscription ran at that time".to_owned())))
            }
            (Some(only), None) => (Some(only.0.subscription.id), self.late(event, only, now)),
            (None, _) => (None, None),
        }
    }

    /// Is the period over in which it occurred, and does the plan that charges for it leave that to a person?
    fn late(
        &self,
        event: &UsageEvent,
        (history, attached): (&History, &Attached),
        now: DateTime<Utc>,
    ) -> Option<(SuspenseCause, String)> {
        let ended_at = left_to_a_person(history, attached, event.occurred_at, now).filter(|_| !self.takes_late)?;
        Some((SuspenseCause::LateUsage, format!("its period ended at {ended_at}")))
    }

    /// Has the customer subscribed, and did nothing run when it happened? Who never did is charged by tariffs, or by nobody.
    fn is_out_of_service(&self, event: &UsageEvent) -> bool {
        let of_customer = self.charging.get(&event.customer_id);
        of_customer.is_some_and(|all| !all.iter().any(|history| history.is_served_at(event.occurred_at)))
    }

    /// The same question as `subscription::coverage`, asked of what was read once for the whole batch: each component that
    /// charges, by whose it is.
    fn charging(&self, event: &UsageEvent, meter: &Meter) -> impl Iterator<Item = (&History, &Attached)> {
        let of_customer = self.charging.get(&event.customer_id).into_iter().flatten();
        of_customer.flat_map(move |history| {
            let charges = |component: &&Component| component.charges(&meter.code, &event.dimensions);
            let attached = history.attached_at(event.occurred_at);
            attached.flat_map(move |attached| {
                attached.version.components.iter().filter(charges).map(move |_| (history, attached))
            })
        })
    }

    /// What the rows add to each hour, in a fixed order.
    pub fn sums(rows: &[&Row<'_>]) -> Result<Vec<store::sum::NewSum>, UsageError> {
        let mut sums: HashMap<SumKey, (Decimal, i64)> = HashMap::new();
        for row in rows {
            // What has no meter waits, and is not among these.
            let Some(meter) = row.meter else { continue };
            let key = (row.event.customer_id, row.subscription_id, meter.code.as_str(), row.hour, row.kept(meter));
            let (sum, events) = sums.entry(key).or_insert((Decimal::ZERO, 0));
            *sum = match meter.aggregation {
                Aggregation::Sum | Aggregation::Count => sum.checked_add(row.quantity).ok_or(UsageError::SumMustFit)?,
                // The sweep says it when all that touches the hour is there.
                Aggregation::Peak => Decimal::ZERO,
                _ if *events == 0 => row.quantity,
                _ => (*sum).max(row.quantity),
            };
            *events += 1;
        }
        let sum = |(key, (quantity, events)): (SumKey<'_>, (Decimal, i64))| {
            let (customer_id, subscription_id, meter, hour, dimensions) = key;
            store::sum::NewSum {
                customer_id,
                subscription_id,
                meter: meter.to_owned(),
                hour,
                dimensions: json_of(&dimensions),
                quantity,
                events,
            }
        };
        let mut sums: Vec<store::sum::NewSum> = sums.into_iter().map(sum).collect();
        sums.sort_by(|a, b| {
            (a.customer_id, &a.meter, a.hour, &a.dimensions).cmp(&(b.customer_id, &b.meter, b.hour, &b.dimensions))
        });
        Ok(sums)
    }
}

/// Is the period over in which something happened, and does the plan that charges for it leave that to a person? Then when that
/// period ended.
pub fn left_to_a_person(
    history: &History,
    attached: &Attached,
    occurred_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if attached.version.late_usage != LateUsage::Suspend {
        return None;
    }
    // A period that cannot be computed is none that was billed.
    let ended_at = history.period_at(occurred_at).ok()?.ends_at;
    (ended_at + PERIOD_SETTLES <= now).then_some(ended_at)
}

type SumKey<'a> = (CustomerId, Option<SubscriptionId>, &'a str, DateTime<Utc>, BTreeMap<String, String>);

impl Row<'_> {
    /// The dimensions that its meter keeps of it, and the value where values are counted.
    fn kept(&self, meter: &Meter) -> BTreeMap<String, String> {
        let is_kept = |name: &String| meter.dimensions.contains(name) || meter.of_dimension.as_ref() == Some(name);
        let kept = self.event.dimensions.iter().filter(|(name, _)| is_kept(name));
        let value = (meter.aggregation == Aggregation::Percentile)
            .then(|| (VALUE.to_owned(), self.quantity.normalize().to_string()));
        kept.map(|(name, value)| (name.clone(), value.clone())).chain(value).collect()
    }

    /// Code of the meter that it counts on; what its event says where no meter does.
    pub fn meter_code(&self) -> &str {
        self.meter.map_or(self.event.meter.as_str(), |meter| meter.code.as_str())
    }
}

pub(crate) fn json_of(dimensions: &BTreeMap<String, String>) -> String {
    serde_json::to_string(dimensions).unwrap_or_else(|_| "{}".to_owned())
}
