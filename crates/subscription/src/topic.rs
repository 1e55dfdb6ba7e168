//! Tariffs in versions, and the topics 0-9 of a number that point to them.

use crate::error::{Refusal, Result, Rule, SubscriptionError, must, same_currency};
use crate::number;
use crate::rules;
use crate::store::tariffs as store;
use crate::words::MeterStarts;
use chrono::{DateTime, Utc};
use db::{NumberId, TariffId, TenantTx, TopicId};
use money::Currency;
use pricing::Tariff;
use std::collections::HashMap;

/// A published version of a tariff; it never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTariff {
    pub id: TariffId,
    pub name: String,
    /// Counts from 1 within the name.
    pub version: u32,
    pub currency: Currency,
    /// Prices include tax.
    pub tariff: Tariff,
    pub published_at: DateTime<Utc>,
}

/// A choice of a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    pub id: TopicId,
    pub number_id: NumberId,
    /// 0 to 9.
    pub digit: u8,
    pub name: String,
    pub tariff_id: TariffId,
    pub meter_starts: MeterStarts,
    pub removed_at: Option<DateTime<Utc>>,
}

/// A topic to be, or what an existing one becomes.
#[derive(Clone, Debug)]
pub struct NewTopic {
    pub number_id: NumberId,
    pub digit: u8,
    pub name: String,
    pub tariff_id: TariffId,
    pub meter_starts: MeterStarts,
}

/// Publishes the next version of the tariff of this name. Its currency is the organisation's: calls are charged in that one.
pub async fn publish_tariff(
    tx: &TenantTx,
    name: &str,
    currency: Currency,
    tariff: &Tariff,
    now: DateTime<Utc>,
) -> Result<TariffId> {
    rules::not_empty("name", name)?;
    let organisation = tenant::organisation(tx).await?;
    same_currency("currency", organisation.currency, currency)?;
    let document = serde_json::to_value(tariff)
        .map_err(|error| SubscriptionError::StoredDocumentUnreadable { kind: "tariff", reason: error.to_string() })?;
    // Read back strictly: a tariff that was put together in code keeps the rules of one that was written by hand.
    if let Err(refused) = Tariff::from_json(&document) {
        let value = document.pointer(&refused.pointer).map(ToString::to_string).unwrap_or_default();
        return Err(
            Refusal { field: format!("tariff{}", refused.pointer), rule: Rule::Document(refused.rule), value }.into()
        );
    }
    store::insert_tariff(tx, name, currency, document, now).await
}

/// One version of a tariff.
pub async fn tariff(tx: &TenantTx, id: TariffId) -> Result<Option<StoredTariff>> {
    store::tariff(tx, id).await
}

/// Every version of every tariff: by name, the newest first.
pub async fn tariffs(tx: &TenantTx) -> Result<Vec<StoredTariff>> {
    store::tariffs(tx).await
}

/// Sets what a digit of a number offers. A topic that is there keeps its id and its calls; its price is the new tariff's from now
/// on, and calls that began before are charged as it was, however late they are heard of.
pub async fn set_topic(tx: &TenantTx, new: &NewTopic, now: DateTime<Utc>) -> Result<TopicId> {
    must(new.digit <= 9, "digit", Rule::MustBeDigit, new.digit)?;
    rules::not_empty("name", &new.name)?;
    number::must_be_set(tx, new.number_id).await?;
    if tariff(tx, new.tariff_id).await?.is_none() {
        return Err(SubscriptionError::not_found("tariff", new.tariff_id));
    }
    store::upsert_topic(tx, new, now).await
}

/// Takes a topic away; its calls keep it. `false` when it was not there.
pub async fn remove_topic(tx: &TenantTx, id: TopicId, now: DateTime<Utc>) -> Result<bool> {
    store::remove_topic(tx, id, now).await
}

/// What a digit of a number offers.
pub async fn topic(tx: &TenantTx, number_id: NumberId, digit: u8) -> Result<Option<Topic>> {
    store::topic_at(tx, number_id, digit).await
}

/// One topic, removed ones included.
pub async fn topic_by_id(tx: &TenantTx, id: TopicId) -> Result<Option<Topic>> {
    store::topic(tx, id).await
}

/// The topics that are offered, by number and digit.
pub async fn topics(tx: &TenantTx) -> Result<Vec<Topic>> {
    store::topics(tx, false).await
}

/// Every topic that ever was, removed ones included: to name the calls of the past.
pub async fn topics_ever(tx: &TenantTx) -> Result<Vec<Topic>> {
    store::topics(tx, true).await
}

/// What the numbers of a book offered at any time.
pub struct TopicHistory(HashMap<NumberId, Vec<store::Term>>);

impl TopicHistory {
    /// What a digit offered to a call that began then.
    pub fn at(&self, number_id: NumberId, digit: u8, at: DateTime<Utc>) -> Option<&Topic> {
        self.offered(number_id, at).find(|topic| topic.digit == digit)
    }

    /// All that was offered to a call that began then.
    pub fn offered(&self, number_id: NumberId, at: DateTime<Utc>) -> impl Iterator<Item = &Topic> {
        let terms = self.0.get(&number_id).map_or(&[][..], Vec::as_slice).iter();
        let stands = move |term: &&store::Term| {
            term.since.is_none_or(|since| since <= at) && term.until.is_none_or(|until| at < until)
        };
        terms.filter(stands).map(|term| &term.topic)
    }
}

/// Every topic with what it offered at its time. The first of a digit also stands for the time before it was made.
pub async fn topic_history(tx: &TenantTx) -> Result<TopicHistory> {
    let mut terms: HashMap<NumberId, Vec<store::Term>> = HashMap::new();
    for term in store::topic_terms(tx).await? {
        terms.entry(term.topic.number_id).or_default().push(term);
    }
    Ok(TopicHistory(terms))
}
