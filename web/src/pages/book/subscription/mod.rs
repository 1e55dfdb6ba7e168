//! What a customer has subscribed to: read once for the customer's page, the account page and the portal, and changed here.
//! A change is asked for on one page: its form, then what it would do and cost, then the confirmation.

mod card;
mod change;
mod entitled;
mod names;
mod preview;
mod so_far;
mod start;

pub use card::{Leads, card, coupon_off, upcoming};
pub use change::{ask, decide, prices_in_short, undo};
pub use entitled::entitled;
pub use names::{Names, seats_said};
pub use preview::{bill, next_bill};
pub use so_far::quantity_of;
pub use start::{begin, start};

use crate::error::PageResult;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx};
use subscription::{Asked, History, ServicePeriod};

/// A subscription as it stands.
pub struct Subscribed {
    pub history: History,
    /// The running month; `None` before it begins and after it ended.
    pub period: Option<ServicePeriod>,
    /// "1,254 minutes", "2 seats".
    pub so_far: Vec<String>,
    /// What was asked of it, the newest first.
    pub asked: Vec<Asked>,
}

/// Everything that a customer has subscribed to, the oldest first, and what it is called.
pub struct Subscriptions {
    pub all: Vec<Subscribed>,
    pub names: Names,
}

impl Subscriptions {
    pub async fn read(tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> PageResult<Subscriptions> {
        let subscriptions = subscription::subscriptions_of(tx, customer_id).await?;
        let histories = subscription::histories(tx, &subscriptions).await?;
        let mut all = Vec::with_capacity(histories.len());
        for history in histories {
            let is_served = history.subscription.in_service_at(now);
            let period = if is_served { Some(history.period_at(now)?) } else { None };
            let so_far = match &period {
                Some(period) => so_far::so_far(tx, &history, period.starts_at, now).await?,
                None => Vec::new(),
            };
            let asked = subscription::changes_of(tx, history.subscription.id).await?;
            all.push(Subscribed { history, period, so_far, asked });
        }
        let histories: Vec<&History> = all.iter().map(|subscribed| &subscribed.history).collect();
        let asked: Vec<Asked> = all.iter().flat_map(|subscribed| subscribed.asked.iter().cloned()).collect();
        let names = Names::read(tx, &histories, &asked).await?;
        Ok(Subscriptions { all, names })
    }
}
