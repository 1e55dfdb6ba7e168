//! I16: what documents billed of service that is over is what rating its usage again, all of it at once, comes to now. Usage that
//! came in after a customer's newest document waits for the next one. That the hours which are read hold what the stored events
//! say is I4; charges that are older than those that a run still looks at are closed for good.

use crate::bill::Billing;
use crate::billed::BilledBefore;
use crate::calls;
use crate::content::Claimed;
use crate::error::Result;
use crate::gather::{Billed, Gathered, gather_terms, seller};
use crate::store::drafts;
use crate::subscribed::Subscribed;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, TenantTx};
use money::Money;
use std::collections::HashMap;
use subscription::{Customer, CustomerFilter, customers, histories, subscriptions_of_many};

/// Customers that are rated at once.
const BLOCK: u64 = 200;

/// What a document says, and what its usage comes to.
pub(crate) struct Rerated {
    pub what: String,
    pub starts_on: NaiveDate,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub billed: Money,
    pub rated: Money,
}

/// All differences in a book, as sentences.
pub(crate) async fn differences(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = customers(tx, &CustomerFilter { prefix: None, after, limit: BLOCK }).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        found.extend(of_block(tx, page, now).await?);
    }
}

async fn of_block(tx: &TenantTx, page: Vec<Customer>, now: DateTime<Utc>) -> Result<Vec<String>> {
    let seller = seller(tx).await?;
    let mut found = Vec::new();
    for gathered in gather_terms(tx, with_terms(tx, page, now).await?, &[]).await? {
        let mut billing = Billing {
            seller: &seller,
            customer: &gathered.customer,
            subscribed: &gathered.subscribed,
            billed: &gathered.billed,
            reads: &gathered.due.reads,
            quantities: &gathered.quantities,
            books: Vec::new(),
        };
        let rerated = billing.rerated(&gathered)?;
        // What a child used comes as sums from its own book, which do not tell when they came: it may be late.
        if rerated.is_empty() || gathered.customer.organisation_id.is_some() {
            continue;
        }
        let customer_id = gathered.customer.id;
        let billed_at = drafts::newest_final_at(tx, customer_id).await?.unwrap_or(DateTime::UNIX_EPOCH);
        for Rerated { what, starts_on, starts_at, ends_at, billed, rated } in rerated {
            // A period that was billed before it was over, because it seemed to end, is looked at again by the next run.
            if ends_at > billed_at {
                continue;
            }
            if !usage_metering::is_received_since(tx, customer_id, starts_at, ends_at, billed_at).await? {
                let name = &gathered.customer.name;
                found.push(format!("{name}: {what} from {starts_on} is billed {billed}, its usage comes to {rated}"));
            }
        }
    }
    Ok(found)
}

/// The customers with everything dated about their subscriptions. Nothing is opened or written.
async fn with_terms(tx: &TenantTx, page: Vec<Customer>, now: DateTime<Utc>) -> Result<Vec<Billed>> {
    let ids: Vec<CustomerId> = page.iter().map(|customer| customer.id).collect();
    let mut all: HashMap<CustomerId, Vec<Subscribed>> = HashMap::new();
    for history in histories(tx, &subscriptions_of_many(tx, &ids).await?).await? {
        let of = all.entry(history.subscription.customer_id).or_default();
        of.push(Subscribed::with_periods(history, Vec::new(), now)?);
    }
    let with =
        |customer: Customer| Billed { subscribed: all.remove(&customer.id).unwrap_or_default(), until: now, customer };
    Ok(page.into_iter().map(with).collect())
}

impl Billing<'_> {
    /// What of the periods that are billed already would be billed otherwise now.
    fn rerated(&mut self, gathered: &Gathered) -> Result<Vec<Rerated>> {
        self.open_books(&gathered.due)?;
        let mut rerated = Vec::new();
        for month in gathered.due.months.iter().filter(|month| !month.is_new) {
            for target in self.targets_of(month)? {
                let id = self.subscribed[month.of].id();
                let billed = amount_of(self.billed, id, &target.key, target.claimed_at, self.nothing());
                if billed != target.amount {
                    rerated.push(Rerated {
                        what: target.text,
                        starts_on: target.service.starts_on,
                        starts_at: month.period.starts_at,
                        ends_at: month.period.ends_at,
                        billed,
                        rated: target.amount,
                    });
                }
            }
        }
        for month in gathered.due.calls.iter().filter(|month| !month.is_new) {
            for (topic, rated) in calls::charged(self, month)? {
                let starts_at = month.service.starts_at;
                let billed = amount_of(self.billed, self.customer.id.uuid(), &topic, starts_at, self.nothing());
                if billed != rated {
                    let what = self.seller.topics.get(&topic).cloned().unwrap_or_else(|| "calls".to_owned());
                    let (starts_on, ends_at) = (month.service.starts_on, month.service.ends_at);
                    rerated.push(Rerated { what, starts_on, starts_at, ends_at, billed, rated });
                }
            }
        }
        Ok(rerated)
    }
}

fn amount_of(billed: &BilledBefore, id: uuid::Uuid, key: &str, at: DateTime<Utc>, nothing: Money) -> Money {
    billed.of(id, key, at, Claimed::Arrears).map_or(nothing, |sum| sum.amount)
}
