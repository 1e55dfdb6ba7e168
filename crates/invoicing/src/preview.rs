//! What the next document will say, by the code that will write it: with the subscriptions as they are, or as they would be
//! after a change. Nothing is written.

use crate::assemble::Outcome;
use crate::bill::Seller;
use crate::content::{Claim, DraftContent};
use crate::error::Result;
use crate::gather::{Billed, gather_terms, seller};
use crate::subscribed::Subscribed;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, TenantTx};
use pricing::start_of_day;
use subscription::{Customer, History, ServicePeriod, SubscriptionError, histories, subscriptions_of};

/// Two documents to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The run that writes the first: it bills what is over before this day.
    pub until_on: NaiveDate,
    /// The document of that run, with what was used up to now; `None`: nothing is due.
    pub next: Option<DraftContent>,
    /// The day of the run after it, a month later.
    pub following_on: NaiveDate,
    /// What the period after costs, before anything is used in it.
    pub following: Option<DraftContent>,
}

/// What a customer's next document says at the end of the period that is running, to the cent, if nothing more is used and
/// nothing more is changed. A subscription of `what_if` stands in for the stored one, or is one more.
pub async fn preview(
    tx: &TenantTx,
    customer_id: CustomerId,
    what_if: &[History],
    now: DateTime<Utc>,
) -> Result<Preview> {
    let customer = must_be(tx, customer_id).await?;
    let histories = assumed(tx, customer_id, what_if).await?;
    let running = running(&customer, &histories, now)?;
    let seller = seller(tx).await?;
    let following_on = end_after(&customer, &histories, &running)?;
    let next = document(tx, &seller, &customer, &histories, running.ends_on, &[]).await?;
    let (next, claims) = parted(next);
    let following = document(tx, &seller, &customer, &histories, following_on, &claims).await?;
    Ok(Preview { until_on: running.ends_on, next, following_on, following: parted(following).0 })
}

/// The document of a run until a day, with subscriptions as they are or would be.
pub async fn preview_until(
    tx: &TenantTx,
    customer_id: CustomerId,
    what_if: &[History],
    until_on: NaiveDate,
) -> Result<Option<DraftContent>> {
    let customer = must_be(tx, customer_id).await?;
    let histories = assumed(tx, customer_id, what_if).await?;
    let seller = seller(tx).await?;
    Ok(parted(document(tx, &seller, &customer, &histories, until_on, &[]).await?).0)
}

pub(crate) async fn must_be(tx: &TenantTx, id: CustomerId) -> Result<Customer> {
    let found = subscription::customer(tx, id).await?;
    Ok(found.ok_or(SubscriptionError::NotFound { kind: "customer", id: id.to_string() })?)
}

async fn assumed(tx: &TenantTx, customer_id: CustomerId, what_if: &[History]) -> Result<Vec<History>> {
    let mut all = histories(tx, &subscriptions_of(tx, customer_id).await?).await?;
    for assumed in what_if {
        match all.iter_mut().find(|known| known.subscription.id == assumed.subscription.id) {
            Some(known) => *known = assumed.clone(),
            None => all.push(assumed.clone()),
        }
    }
    Ok(all)
}

/// The period of the customer's subscriptions that ends first; without one, that of its calls.
fn running(customer: &Customer, histories: &[History], now: DateTime<Utc>) -> Result<ServicePeriod> {
    let served = histories
        .iter()
        .filter(|history| history.subscription.cancelled_at.is_none_or(|cancelled_at| cancelled_at > now));
    let periods = served.map(|history| history.period_at(now)).collect::<std::result::Result<Vec<_>, _>>()?;
    match periods.into_iter().min_by_key(|period| period.ends_at) {
        Some(period) => Ok(period),
        None => Ok(subscription::billing_period_of_customer(customer, now)?),
    }
}

fn end_after(customer: &Customer, histories: &[History], running: &ServicePeriod) -> Result<NaiveDate> {
    let first = histories
        .iter()
        .find(|history| history.period_at(running.starts_at).is_ok_and(|period| period.ends_at == running.ends_at));
    Ok(match first {
        Some(history) => history.period_at(running.ends_at)?.ends_on,
        None => subscription::billing_period_of_customer(customer, running.ends_at)?.ends_on,
    })
}

async fn document(
    tx: &TenantTx,
    seller: &Seller,
    customer: &Customer,
    histories: &[History],
    until_on: NaiveDate,
    beside: &[Claim],
) -> Result<Outcome> {
    let until = start_of_day(until_on, &customer.time_zone)?;
    let mut subscribed = Vec::with_capacity(histories.len());
    for history in histories {
        subscribed.push(Subscribed::assumed(tx, history.clone(), until).await?);
    }
    let billed = Billed { customer: customer.clone(), subscribed, until };
    let mut gathered = gather_terms(tx, vec![billed], beside).await?;
    match gathered.pop() {
        Some(mut gathered) => gathered.document(tx, seller).await,
        None => Ok(Outcome::NothingDue { claims: Vec::new(), stands_on: Vec::new() }),
    }
}

fn parted(outcome: Outcome) -> (Option<DraftContent>, Vec<Claim>) {
    match outcome {
        Outcome::NothingDue { claims, .. } => (None, claims),
        Outcome::Draft(content) => {
            let claims = content.claims.clone();
            (Some(*content), claims)
        }
    }
}

impl Subscribed {
    /// A history with its periods up to an instant: frozen ones as they are, later ones as they would open. None is opened.
    pub(crate) async fn assumed(tx: &TenantTx, history: History, until: DateTime<Utc>) -> Result<Subscribed> {
        let frozen = subscription::periods(tx, &history.subscription).await?;
        Subscribed::with_periods(history, frozen, until)
    }

    /// The same with these frozen periods.
    pub(crate) fn with_periods(
        history: History,
        frozen: Vec<ServicePeriod>,
        until: DateTime<Utc>,
    ) -> Result<Subscribed> {
        let mut own = Subscribed { history, periods: frozen };
        let until = own.history.subscription.cancelled_at.map_or(until, |end| end.min(until));
        own.periods.retain(|period| period.starts_at < until);
        let months = own.months()?;
        for position in own.periods.len() as u32.. {
            let month = months.at(position)?;
            if month.starts_at >= until {
                break;
            }
            own.periods.push(month);
        }
        Ok(own)
    }
}
