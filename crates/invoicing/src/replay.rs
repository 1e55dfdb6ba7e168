//! What real usage would have cost on other terms, by the code that bills. Never posted.

use crate::bill::{Billing, Seller};
use crate::billed::BilledBefore;
use crate::content::Line;
use crate::due::{Due, Month};
use crate::error::Result;
use crate::parts::Splitter;
use crate::preview::must_be;
use crate::rate::Quantities;
use crate::subscribed::Subscribed;
use crate::usage::{self, Read};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, SubscriptionId, TenantTx};
use money::{Decimal, Money};
use pricing::start_of_day;
use subscription::{Attached, Billed, Component, Customer, History, PlanVersion, ServicePeriod, Subscription};
use usage_metering::UsageOf;

/// Terms to replay usage through.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    pub version: PlanVersion,
    pub add_ons: Vec<PlanVersion>,
    pub seats: u32,
}

/// One month of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayedMonth {
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
    /// Net, before tax; what is charged once is left out.
    pub lines: Vec<Line>,
    pub total: Money,
}

/// What usage would have cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    pub months: Vec<ReplayedMonth>,
    pub total: Money,
    /// Calls that a component charged and the other terms leave to tariffs: what they would cost is not known.
    pub calls_left_to_tariffs: Decimal,
}

/// Real usage of a customer through other terms, month by month from one day to another; neither a trial nor what is charged
/// once is in it. Calls that a tariff charged cost their tariff where the terms do not cover them.
pub async fn replay(
    tx: &TenantTx,
    customer_id: CustomerId,
    terms: &Replay,
    from_on: NaiveDate,
    to_on: NaiveDate,
) -> Result<Replayed> {
    let customer = must_be(tx, customer_id).await?;
    let seller = crate::gather::seller(tx).await?;
    let stage = Stage::of(&customer, terms, from_on, to_on)?;
    let quantities = usage::answer(tx, &stage.due.reads).await?;
    stage.play(&seller, &quantities, Decimal::ONE)
}

/// A replay whose usage may be read with that of others.
pub(crate) struct Stage {
    customer: Customer,
    subscribed: Vec<Subscribed>,
    pub due: Due,
    /// For each month, places of what tariffs charged, and of calls that a component charged.
    tariffs: Vec<(usize, usize)>,
    covered: Vec<Component>,
    is_assumed: bool,
    of: UsageOf,
}

impl Stage {
    pub(crate) fn of(customer: &Customer, terms: &Replay, from_on: NaiveDate, to_on: NaiveDate) -> Result<Stage> {
        let zone = &customer.time_zone;
        let (from, to) = (start_of_day(from_on, zone)?, start_of_day(to_on, zone)?);
        let begun = Subscription {
            id: SubscriptionId::new(),
            customer_id: customer.id,
            first_plan_version_id: terms.version.id,
            anchor_on: from_on,
            time_zone: zone.clone(),
            first_seats: terms.seats,
            started_at: from,
            trial_ends_at: None,
            cancelled_at: None,
            ended_by: None,
            past_due_since: None,
            trial_end: None,
        };
        let mut history = History::begin(begun, in_arrears(&terms.version))?;
        for version in &terms.add_ons {
            history.attached.push(Attached {
                version: in_arrears(version),
                is_add_on: true,
                is_free: false,
                from,
                until: None,
                terms_from: from,
            });
        }
        let own = Subscribed::with_periods(history, Vec::new(), to)?;
        let periods: Vec<ServicePeriod> = own.periods.iter().filter(|period| period.ends_at <= to).copied().collect();
        let versions = std::iter::once(&terms.version).chain(&terms.add_ons);
        Stage::new(customer, own, &periods, Some(covering(versions)), UsageOf::Customer)
    }

    /// Periods of a subscription. `covered` are the components that would charge calls, whoever charged them really; without
    /// them calls stay what they were. `of`: whose part of the customer's usage.
    pub(crate) fn new(
        customer: &Customer,
        own: Subscribed,
        periods: &[ServicePeriod],
        covered: Option<Vec<Component>>,
        of: UsageOf,
    ) -> Result<Stage> {
        let mut stage = Stage {
            customer: customer.clone(),
            subscribed: vec![own],
            due: Due::default(),
            tariffs: Vec::new(),
            is_assumed: covered.is_some(),
            covered: covered.unwrap_or_default(),
            of,
        };
        for period in periods {
            stage.month(*period)?;
        }
        Ok(stage)
    }

    fn month(&mut self, period: ServicePeriod) -> Result<()> {
        let first = self.due.reads.len();
        let mut splitter = Splitter {
            customer: &self.customer,
            all: &self.subscribed,
            of: 0,
            period: &period,
            reads: &mut self.due.reads,
        };
        let stretches = splitter.split()?;
        for read in &mut self.due.reads[first..] {
            (read.of, read.with_tariff_calls) = (self.of, self.is_assumed);
        }
        self.due.months.push(Month { of: 0, period, is_new: true, stretches, paid: None });
        let read = |meter: &str, charged_by: &str| Read {
            customer_id: self.customer.id,
            of: UsageOf::Customer,
            meter: meter.to_owned(),
            filter: [("charged_by".to_owned(), charged_by.to_owned())].into(),
            dimensions: ["number", "topic", "direction", "handled_by"].map(str::to_owned).to_vec(),
            counted: usage::Counted::Sum,
            with_tariff_calls: true,
            from: period.starts_at,
            to: period.ends_at,
        };
        let (charges, calls) = (read("charge", "tariff"), read("calls", "component"));
        self.due.reads.extend([charges, calls]);
        self.tariffs.push((self.due.reads.len() - 2, self.due.reads.len() - 1));
        Ok(())
    }

    /// Prices the replay, with all usage multiplied.
    pub(crate) fn play(&self, seller: &Seller, answers: &[Quantities], times: Decimal) -> Result<Replayed> {
        let scaled: Vec<Quantities> = answers
            .iter()
            .map(|answer| answer.iter().map(|(by, quantity)| (by.clone(), (*quantity * times).round_dp(6))).collect())
            .collect();
        let billing = Billing {
            seller,
            customer: &self.customer,
            subscribed: &self.subscribed,
            billed: &BilledBefore::default(),
            reads: &self.due.reads,
            quantities: &scaled,
            books: vec![crate::ahead::Book::default()],
        };
        let currency = self.customer.currency;
        let mut replayed =
            Replayed { months: Vec::new(), total: Money::zero(currency), calls_left_to_tariffs: Decimal::ZERO };
        for (month, (charges, calls)) in self.due.months.iter().zip(&self.tariffs) {
            let uncovered = |answer: &Quantities| -> Decimal {
                let left = answer.iter().filter(|(by, _)| !self.covered.iter().any(|part| part.matches(by)));
                left.map(|(_, quantity)| *quantity).sum()
            };
            let by_tariff = Money::from_decimal(uncovered(&scaled[*charges]), currency)?;
            replayed.calls_left_to_tariffs += uncovered(&scaled[*calls]);
            let lines = billing.replayed(month, by_tariff)?;
            let total = Money::sum(currency, lines.iter().map(|line| line.amount))?;
            replayed.total = replayed.total.checked_add(total)?;
            let (starts_on, ends_on) = (month.period.starts_on, month.period.ends_on);
            replayed.months.push(ReplayedMonth { starts_on, ends_on, lines, total });
        }
        Ok(replayed)
    }
}

/// What would charge calls.
pub(crate) fn covering<'a>(versions: impl Iterator<Item = &'a PlanVersion>) -> Vec<Component> {
    let of_calls = |part: &&Component| matches!(part.measure.as_deref(), Some("calls" | "minutes"));
    versions.flat_map(|version| &version.components).filter(of_calls).cloned().collect()
}

/// The same terms with each month's own part of what is billed ahead, and without what is charged once.
pub(crate) fn in_arrears(version: &PlanVersion) -> PlanVersion {
    let recurring = version.components.iter().filter(|part| !is_once(part, &version.components));
    let components = recurring.map(|part| Component { billed: Billed::InArrears, ..part.clone() }).collect();
    PlanVersion { components, fixed_terms: None, ..version.clone() }
}

/// Is it charged once, or a percentage of what is?
pub(crate) fn is_once(part: &Component, all: &[Component]) -> bool {
    use subscription::ComponentKind::{OneOff, Percent};
    let names = |other: &Component| Some(&other.key) == part.measure.as_ref() && other.kind == OneOff;
    part.kind == OneOff || part.kind == Percent && all.iter().any(names)
}

/// What the last full month before an instant was, and the months before it: the day after it, and its first day.
pub(crate) fn full_months(customer: &Customer, count: u32, now: DateTime<Utc>) -> Result<(NaiveDate, NaiveDate)> {
    use chrono::{Datelike, Months};
    let today = pricing::civil_date(now, &customer.time_zone)?;
    let to = today.with_day(1).unwrap_or(today);
    Ok((to.checked_sub_months(Months::new(count)).unwrap_or(to), to))
}
