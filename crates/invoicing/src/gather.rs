//! Everything that the documents of a block of customers are made of, read in a handful of statements however many they are.

use crate::bill::Seller;
use crate::due::{BilledBefore, Contract, Due, due, keys};
use crate::error::Result;
use crate::rate::Quantities;
use crate::store::billed;
use crate::{usage, words};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, TenantTx};
use pricing::start_of_day;
use std::collections::HashMap;
use subscription::{Customer, histories, open_periods_of_many, subscriptions_of_many, topics_ever};

/// One customer's part.
pub(crate) struct Gathered {
    pub customer: Customer,
    pub contracts: Vec<Contract>,
    pub billed: BilledBefore,
    pub due: Due,
    pub quantities: Vec<Quantities>,
    /// The beginning of the run's day in the customer's zone.
    pub until: DateTime<Utc>,
}

/// What all documents of the book have in common.
pub(crate) async fn seller(tx: &TenantTx) -> Result<Seller> {
    let organisation = tenant::organisation(tx).await?;
    let topics = topics_ever(tx).await?.into_iter().map(|topic| (topic.id.to_string(), topic.name)).collect();
    Ok(Seller {
        language: words::spoken(&organisation.language).to_owned(),
        tax_percent: organisation.tax_percent,
        topics,
    })
}

/// Reads for a block of customers, and decides what is due for each.
pub(crate) async fn gather(
    tx: &TenantTx,
    seller: &Seller,
    customers: Vec<Customer>,
    until_on: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Vec<Gathered>> {
    let ids: Vec<CustomerId> = customers.iter().map(|customer| customer.id).collect();
    let mut untils = HashMap::new();
    for customer in &customers {
        untils.insert(customer.id, start_of_day(until_on, &customer.time_zone)?);
    }
    let mut contracts = contracts(tx, &ids, &untils, now).await?;
    let topics: Vec<String> = seller.topics.keys().cloned().collect();
    let mut wanted = Vec::new();
    let mut currencies = HashMap::new();
    for customer in &customers {
        let own = contracts.get(&customer.id).map_or(&[][..], Vec::as_slice);
        wanted.extend(keys(customer, own, &topics));
        currencies.insert(customer.id.uuid(), customer.currency);
        currencies.extend(own.iter().map(|contract| (contract.subscription.id.uuid(), customer.currency)));
    }
    let mut billed = split(billed::before(tx, wanted, &currencies).await?);
    let mut gathered = Vec::with_capacity(customers.len());
    for customer in customers {
        let contracts = contracts.remove(&customer.id).unwrap_or_default();
        let mut own = BilledBefore::default();
        for id in contracts.iter().map(|contract| contract.subscription.id.uuid()).chain([customer.id.uuid()]) {
            own.0.extend(billed.remove(&id).unwrap_or_default().0);
        }
        let until = untils[&customer.id];
        let due = due(&customer, &contracts, &own, until)?;
        gathered.push(Gathered { customer, contracts, billed: own, due, quantities: Vec::new(), until });
    }
    let reads: Vec<_> = gathered.iter().flat_map(|gathered| gathered.due.reads.iter().cloned()).collect();
    let mut answers = usage::answer(tx, &reads).await?.into_iter();
    for gathered in &mut gathered {
        gathered.quantities = answers.by_ref().take(gathered.due.reads.len()).collect();
    }
    Ok(gathered)
}

async fn contracts(
    tx: &TenantTx,
    ids: &[CustomerId],
    untils: &HashMap<CustomerId, DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<HashMap<CustomerId, Vec<Contract>>> {
    let subscriptions = subscriptions_of_many(tx, ids).await?;
    let histories = histories(tx, &subscriptions).await?;
    let latest = untils.values().max().copied().unwrap_or(now);
    let periods = open_periods_of_many(tx, &subscriptions, latest, now).await?;
    let mut contracts: HashMap<CustomerId, Vec<Contract>> = HashMap::new();
    for (history, periods) in histories.into_iter().zip(periods) {
        let subscription = &history.subscription;
        let until = untils[&subscription.customer_id];
        let periods: Vec<_> = periods.into_iter().filter(|period| period.starts_at < until).collect();
        let own = contracts.entry(subscription.customer_id).or_default();
        own.extend(history.attached.iter().map(|attached| Contract {
            subscription: subscription.clone(),
            seats: history.seats_at(attached.from),
            attached: attached.clone(),
            periods: periods.clone(),
        }));
    }
    Ok(contracts)
}

fn split(billed: BilledBefore) -> HashMap<uuid::Uuid, BilledBefore> {
    let mut by_id: HashMap<uuid::Uuid, BilledBefore> = HashMap::new();
    for ((id, key), periods) in billed.0 {
        by_id.entry(id).or_default().0.insert((id, key), periods);
    }
    by_id
}
