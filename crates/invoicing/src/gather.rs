//! Everything that the documents of a block of customers are made of, read in a handful of statements however many they are.

use crate::assemble::{Outcome, assemble};
use crate::bill::{Billing, Seller};
use crate::billed::{BilledBefore, LateDays};
use crate::chain::Does;
use crate::content::{Claim, Claimed, LineGroup};
use crate::due::{Due, due};
use crate::error::Result;
use crate::rate::Quantities;
use crate::store::billed::{self, At};
use crate::subscribed::Subscribed;
use crate::{usage, words};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, TenantTx};
use money::Currency;
use pricing::start_of_day;
use std::collections::{BTreeSet, HashMap};
use subscription::{Customer, histories, open_periods_of_many, subscriptions_of_many, topics_ever};
use uuid::Uuid;

/// A customer to be billed, and how far.
pub(crate) struct Billed {
    pub customer: Customer,
    pub subscribed: Vec<Subscribed>,
    /// The beginning of the run's day in the customer's zone.
    pub until: DateTime<Utc>,
}

/// One customer's part.
pub(crate) struct Gathered {
    pub customer: Customer,
    pub subscribed: Vec<Subscribed>,
    pub billed: BilledBefore,
    pub due: Due,
    pub quantities: Vec<Quantities>,
    pub until: DateTime<Utc>,
}

impl Gathered {
    /// Its document, or that nothing is due.
    pub(crate) fn outcome(&self, seller: &Seller) -> Result<Outcome> {
        let mut billing = Billing {
            seller,
            customer: &self.customer,
            subscribed: &self.subscribed,
            billed: &self.billed,
            reads: &self.due.reads,
            quantities: &self.quantities,
            books: Vec::new(),
        };
        let bill = billing.lines(&self.due)?;
        assemble(&billing, bill, self.until)
    }
}

impl Gathered {
    /// The same, with differences and credits at the tax at which the service was billed before: only they need to ask for it.
    pub(crate) async fn document(&mut self, tx: &TenantTx, seller: &Seller) -> Result<Outcome> {
        let outcome = self.outcome(seller)?;
        let Outcome::Draft(content) = &outcome else { return Ok(outcome) };
        let is_late = content.lines.iter().any(|line| line.group == LineGroup::Late);
        let credits = |claim: &&Claim| Claimed::of_kind(&claim.kind) == Claimed::Credit;
        if !is_late && !content.claims.iter().any(|claim| credits(&claim)) {
            return Ok(outcome);
        }
        let mut starts: BTreeSet<(Uuid, DateTime<Utc>)> = BTreeSet::new();
        for claim in &content.claims {
            starts.insert((claim.billed_id, claim.service_starts_at));
        }
        for claim in content.claims.iter().filter(credits) {
            starts.extend(self.charges_of(claim).map(|at| (claim.billed_id, at)));
        }
        let starts: Vec<(Uuid, DateTime<Utc>)> = starts.into_iter().collect();
        for line in billed::first_lines(tx, &starts).await? {
            self.billed.put_first(line);
        }
        self.outcome(seller)
    }

    /// When that was charged which is credited at the instant of a claim.
    fn charges_of(&self, claim: &Claim) -> impl Iterator<Item = DateTime<Utc>> {
        let chains = self.subscribed.iter().zip(&self.due.chains).filter(|(own, _)| own.id() == claim.billed_id);
        chains.flat_map(|(_, entries)| {
            let credits = entries.iter().filter(|entry| entry.at == claim.service_starts_at);
            credits.filter_map(|entry| match entry.does {
                Does::Credits(charge) => Some(entries[charge].at),
                _ => None,
            })
        })
    }
}

/// What all documents of the book have in common.
pub(crate) async fn seller(tx: &TenantTx) -> Result<Seller> {
    let organisation = tenant::organisation(tx).await?;
    let topics = topics_ever(tx).await?.into_iter().map(|topic| (topic.id.to_string(), topic.name)).collect();
    let plans = subscription::plans(tx).await?.into_iter().map(|plan| (plan.id, plan.name)).collect();
    Ok(Seller {
        plans,
        language: words::spoken(&organisation.language).to_owned(),
        tax_percent: organisation.tax_percent,
        topics,
    })
}

/// Reads for a block of customers, and decides what is due for each before a day.
pub(crate) async fn gather(
    tx: &TenantTx,
    customers: Vec<Customer>,
    until_on: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Vec<Gathered>> {
    let ids: Vec<CustomerId> = customers.iter().map(|customer| customer.id).collect();
    let mut untils = HashMap::new();
    for customer in &customers {
        // West of the book's own zone its day may still be going on: what is not over is not billed.
        untils.insert(customer.id, start_of_day(until_on, &customer.time_zone)?.min(now));
    }
    let mut subscribed = subscribed(tx, &ids, &untils, now).await?;
    let billed = customers.into_iter().map(|customer| Billed {
        subscribed: subscribed.remove(&customer.id).unwrap_or_default(),
        until: untils[&customer.id],
        customer,
    });
    let billed = billed.collect();
    gather_terms(tx, billed, &[]).await
}

/// The same for terms that may be assumed; `beside` are claims of drafts that are taken as final.
pub(crate) async fn gather_terms(
    tx: &TenantTx,
    all: Vec<Billed>,
    beside: &[crate::content::Claim],
) -> Result<Vec<Gathered>> {
    let mut late = late_days(tx, &all).await?;
    let (mut currencies, mut earlier) = (HashMap::new(), HashMap::new());
    for Billed { customer, subscribed, .. } in &all {
        let read_from = late.get(&customer.id).and_then(LateDays::read_from);
        for id in [customer.id.uuid()].into_iter().chain(subscribed.iter().map(Subscribed::id)) {
            currencies.insert(id, customer.currency);
            earlier.extend(read_from.map(|from| (id, from)));
        }
    }
    let mut known = billed::before(tx, &currencies, &earlier).await?;
    known.add(beside)?;
    let mut gathered = Vec::with_capacity(all.len());
    for Billed { customer, subscribed, until } in all {
        let mut own = BilledBefore::default();
        known.take(customer.id.uuid(), &mut own);
        subscribed.iter().for_each(|subscribed| known.take(subscribed.id(), &mut own));
        let late = late.remove(&customer.id).unwrap_or_default();
        let due = due(&customer, &subscribed, &own, &late, until)?;
        gathered.push(Gathered { customer, subscribed, billed: own, due, quantities: Vec::new(), until });
    }
    read_returned(tx, &mut gathered, &currencies).await?;
    let reads: Vec<_> = gathered.iter().flat_map(|gathered| gathered.due.reads.iter().cloned()).collect();
    let mut answers = usage::answer(tx, &reads).await?.into_iter();
    for gathered in &mut gathered {
        gathered.quantities = answers.by_ref().take(gathered.due.reads.len()).collect();
    }
    Ok(gathered)
}

async fn late_days(tx: &TenantTx, all: &[Billed]) -> Result<HashMap<CustomerId, LateDays>> {
    let ids: Vec<CustomerId> = all.iter().map(|billed| billed.customer.id).collect();
    let Some(until) = all.iter().map(|billed| billed.until).max() else { return Ok(HashMap::new()) };
    let days = usage_metering::late_days(tx, &ids, until).await?;
    Ok(days.into_iter().map(|(id, days)| (id, LateDays::new(days))).collect())
}

/// What credit notes gave back of charges that are credited now: those may be older than the claims that are read anyway.
async fn read_returned(tx: &TenantTx, gathered: &mut [Gathered], currencies: &HashMap<Uuid, Currency>) -> Result<()> {
    let mut wanted = Vec::new();
    for (place, gathered) in gathered.iter().enumerate() {
        for (own, entries) in gathered.subscribed.iter().zip(&gathered.due.chains) {
            for entry in entries.iter().filter(|entry| !gathered.billed.is_closed(own.id(), entry.at)) {
                if let Does::Credits(charge) = entry.does {
                    wanted.push((place, At { id: own.id(), key: entry.key.clone(), at: entries[charge].at }));
                }
            }
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let keys: Vec<At> = wanted.iter().map(|(_, at)| at.clone()).collect();
    for (index, sum) in billed::returned(tx, &keys, currencies).await? {
        let (place, at) = &wanted[index];
        gathered[*place].billed.put_returned(at.id, at.key.clone(), at.at, sum);
    }
    Ok(())
}

async fn subscribed(
    tx: &TenantTx,
    ids: &[CustomerId],
    untils: &HashMap<CustomerId, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<HashMap<CustomerId, Vec<Subscribed>>> {
    let subscriptions = subscriptions_of_many(tx, ids).await?;
    let histories = histories(tx, &subscriptions).await?;
    let latest = untils.values().max().copied().unwrap_or(now);
    let periods = open_periods_of_many(tx, &subscriptions, latest, now).await?;
    let mut subscribed: HashMap<CustomerId, Vec<Subscribed>> = HashMap::new();
    for (history, periods) in histories.into_iter().zip(periods) {
        let customer_id = history.subscription.customer_id;
        let until = untils[&customer_id];
        let periods = periods.into_iter().filter(|period| period.starts_at < until).collect();
        subscribed.entry(customer_id).or_default().push(Subscribed { history, periods });
    }
    Ok(subscribed)
}
