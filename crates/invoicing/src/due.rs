//! What a customer's next document must look at: which service periods are due, what is billed ahead, and what usage has to be
//! read for them. Decided from dates and from what is billed already; nothing is priced in here.

use crate::billed::{BilledBefore, LATE_PERIODS, LateDays};
use crate::chain::{Entry, chain};
use crate::content::{Claimed, Service};
use crate::error::Result;
use crate::parts::{Billable, Splitter};
use crate::subscribed::Subscribed;
use crate::usage::{Counted, Read};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use subscription::{Billing, Customer, ServicePeriod, billing_period_of_customer};
use usage_metering::UsageOf;

/// Key of the claim that closes a customer's monthly period of tariff calls.
pub(crate) const CALLS: &str = "*calls";
/// Key of the claim on what a prepaid customer's wallet has paid of a period's components, call by call, tax included.
pub(crate) const WALLET: &str = "*wallet";
/// Key of a commitment's true-up.
pub(crate) const COMMITMENT: &str = "*commitment";
/// Key of what a cap leaves out.
pub(crate) const FEE_CAP: &str = "*fee_cap";
/// Key of the term discount on what a period bills in arrears.
pub(crate) const TERM_DISCOUNT: &str = "*term_discount";
pub(crate) const LOYALTY: &str = "*loyalty";
/// Before a coupon's id.
pub(crate) const COUPON: &str = "*coupon:";
/// The same on what is billed in advance.
pub(crate) const TERM_DISCOUNT_AHEAD: &str = "*term_discount_advance";
pub(crate) const LOYALTY_AHEAD: &str = "*loyalty_advance";
pub(crate) const COUPON_AHEAD: &str = "*coupon_advance:";

/// A service period that is over, to be priced whole: what is new in it is billed, what was billed is compared.
pub(crate) struct Month {
    /// Among the customer's subscriptions.
    pub of: usize,
    pub period: ServicePeriod,
    pub is_new: bool,
    pub stretches: Vec<Billable>,
    /// The read of what a prepaid customer's wallet has paid of it.
    pub paid: Option<usize>,
}

/// A customer's ended month of tariff calls.
pub(crate) struct CallsMonth {
    pub service: Service,
    pub is_new: bool,
    pub charge: usize,
    pub calls: usize,
    pub minutes: usize,
}

/// All that a customer's document is made of.
#[derive(Default)]
pub(crate) struct Due {
    /// What begins before it is looked at.
    pub until: DateTime<Utc>,
    pub months: Vec<Month>,
    /// What is billed ahead, for each subscription.
    pub chains: Vec<Vec<Entry>>,
    pub calls: Vec<CallsMonth>,
    pub reads: Vec<Read>,
}

/// Decides what is due before `until`.
pub(crate) fn due(
    customer: &Customer,
    subscribed: &[Subscribed],
    billed: &BilledBefore,
    late: &LateDays,
    until: DateTime<Utc>,
) -> Result<Due> {
    let mut due = Due { until, ..Due::default() };
    for (of, own) in subscribed.iter().enumerate() {
        due.chains.push(chain(own, until)?);
        for (period, is_new) in months(own, billed, late, until) {
            let mut splitter = Splitter { customer, all: subscribed, of, period: &period, reads: &mut due.reads };
            let stretches = splitter.split()?;
            let paid = (customer.billing == Billing::Prepaid).then(|| push_paid(customer, own, &period, &mut due));
            due.months.push(Month { of, period, is_new, stretches, paid });
        }
    }
    calls(customer, billed, late, until, &mut due)?;
    Ok(due)
}

/// The periods to look at: those that are over and not billed yet, the last ones that are, and older ones whose usage came late.
fn months(
    own: &Subscribed,
    billed: &BilledBefore,
    late: &LateDays,
    until: DateTime<Utc>,
) -> Vec<(ServicePeriod, bool)> {
    let end = own.history.subscription.cancelled_at;
    let is_over = |period: &&ServicePeriod| {
        period.ends_at <= until || end.is_some_and(|end| period.contains(end) && end <= until)
    };
    let has_news = |period: &ServicePeriod| late.touch(period.starts_on, period.ends_on);
    let open = own.periods.iter().filter(is_over).filter(|period| !billed.is_closed(own.id(), period.starts_at));
    let mut all: Vec<(ServicePeriod, bool)> = open.map(|period| (*period, !own.is_billed(period, billed))).collect();
    let closed = all.iter().filter(|(_, is_new)| !is_new).count();
    let mut beyond = closed.saturating_sub(LATE_PERIODS);
    all.retain(|(period, is_new)| {
        let is_old = !is_new && beyond > 0;
        beyond -= usize::from(is_old);
        !is_old || has_news(period)
    });
    all
}

impl Subscribed {
    /// Is something of what was served in a period on a document?
    fn is_billed(&self, period: &ServicePeriod, billed: &BilledBefore) -> bool {
        billed.between(self.id(), period.starts_at, period.ends_at).any(|(key, _, claimed, _)| {
            claimed == Claimed::Arrears && !self.is_ahead(key) && !key.starts_with(TERM_DISCOUNT_AHEAD)
        })
    }
}

fn calls(
    customer: &Customer,
    billed: &BilledBefore,
    late: &LateDays,
    until: DateTime<Utc>,
    due: &mut Due,
) -> Result<()> {
    let id = customer.id.uuid();
    let mut at = pricing::start_of_day(customer.anchor_on, &customer.time_zone)?;
    let spans = billed.spans_of(id, CALLS);
    if let Some((_, ends_at)) = spans.last() {
        let old = spans.len().saturating_sub(LATE_PERIODS);
        for (place, (starts_at, ends_at)) in spans.iter().enumerate() {
            let period = ServicePeriod { ends_at: *ends_at, ..calls_from(customer, *starts_at)? };
            if place >= old || late.touch(period.starts_on, period.ends_on) {
                push_calls(customer, &period, false, due);
            }
        }
        at = *ends_at;
    }
    loop {
        let period = calls_from(customer, at)?;
        if period.ends_at > until {
            return Ok(());
        }
        push_calls(customer, &period, true, due);
        at = period.ends_at;
    }
}

/// The month of calls that begins at an instant. Where the customer's zone was changed since the last one ended, that instant is
/// some hours before or after a day of the new zone: two weeks on it is surely in the month.
fn calls_from(customer: &Customer, starts_at: DateTime<Utc>) -> Result<ServicePeriod> {
    let period = billing_period_of_customer(customer, starts_at + TimeDelta::days(14))?;
    Ok(ServicePeriod { starts_at, ..period })
}

/// Calls that a component charged and that a wallet paid at their end, tax included.
fn push_paid(customer: &Customer, own: &Subscribed, period: &ServicePeriod, due: &mut Due) -> usize {
    due.reads.push(Read {
        customer_id: customer.id,
        of: UsageOf::Named(own.history.subscription.id),
        meter: "charge".to_owned(),
        filter: BTreeMap::from([("charged_by".to_owned(), "component".to_owned())]),
        dimensions: Vec::new(),
        counted: Counted::Sum,
        with_tariff_calls: true,
        from: period.starts_at,
        to: period.ends_at,
    });
    due.reads.len() - 1
}

fn push_calls(customer: &Customer, period: &ServicePeriod, is_new: bool, due: &mut Due) {
    let mut read = |meter: &str| {
        due.reads.push(Read {
            customer_id: customer.id,
            of: UsageOf::Customer,
            meter: meter.to_owned(),
            filter: BTreeMap::from([("charged_by".to_owned(), "tariff".to_owned())]),
            dimensions: vec!["topic".to_owned()],
            counted: Counted::Sum,
            with_tariff_calls: true,
            from: period.starts_at,
            to: period.ends_at,
        });
        due.reads.len() - 1
    };
    let (charge, calls, minutes) = (read("charge"), read("calls"), read("minutes"));
    due.calls.push(CallsMonth { service: service_of(period), is_new, charge, calls, minutes });
}

pub(crate) fn service_of(period: &ServicePeriod) -> Service {
    Service {
        starts_at: period.starts_at,
        ends_at: period.ends_at,
        starts_on: period.starts_on,
        ends_on: period.ends_on,
    }
}
