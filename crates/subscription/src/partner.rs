//! How revenue is split with a child that has numbers: for each number, or for the customer wherever its numbers do not differ;
//! and the projection of it into the child's own book, where a call has to know at once who collects it.

use crate::customer::{self, NewCustomer, must_exist};
use crate::error::{Result, Rule, must};
use crate::number::{self, NumberTerms};
use crate::rules;
use crate::store::{numbers, partners as store};
use crate::words::{Collection, ShareOf};
use chrono::{DateTime, Utc};
use db::{CustomerId, Db, NumberId, TenantTx};
use money::{Decimal, Percent};
use serde_json::json;
use uuid::Uuid;

/// The seller keeps 30 of 100 unless something else is agreed.
pub const SHARE_BY_DEFAULT: Decimal = Decimal::from_parts(30, 0, 0, false, 0);
/// The customer that stands for everybody who calls a number that the seller collects.
pub const NETWORK_CUSTOMER_NO: &str = "NETWORK";
const NETWORK_CUSTOMER_NAME: &str = "Callers billed by their network";
/// Outbox topic: somebody else collects what a number earns.
const COLLECTION: &str = "number_collection";
/// Messages of one round.
const PER_ROUND: u64 = 100;
const AGREEMENT_LENGTH_MAX: i64 = 200;

/// How what a number earns is split between a seller and its child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// What the seller keeps.
    pub share: Percent,
    pub collection: Collection,
    pub of: ShareOf,
}

/// A customer's split, for those of its numbers that have none of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerTerms {
    pub customer_id: CustomerId,
    pub split: Split,
    /// What a self-billed statement refers to: "Agreement of 14 May 2026".
    pub agreement: String,
}

/// A customer's terms; those that everybody has until something else is agreed: 30 of 100, collected by the tenant.
pub async fn partner_terms(tx: &TenantTx, customer_id: CustomerId) -> Result<PartnerTerms> {
    if let Some(terms) = store::terms(tx, customer_id).await? {
        return Ok(terms);
    }
    let split = Split { share: Percent::new(SHARE_BY_DEFAULT)?, collection: Collection::Tenant, of: ShareOf::Received };
    Ok(PartnerTerms { customer_id, split, agreement: String::new() })
}

/// What was agreed with customers of this book.
pub async fn all_partner_terms(tx: &TenantTx) -> Result<Vec<PartnerTerms>> {
    store::all(tx).await
}

/// Agrees a customer's split. Calls that have arrived keep what they arrived with.
pub async fn set_partner_terms(tx: &TenantTx, terms: &PartnerTerms, now: DateTime<Utc>) -> Result<()> {
    let share = terms.split.share;
    must(share <= Percent::WHOLE, "share_percent", Rule::MustNotExceedWhole, share)?;
    rules::between("agreement", terms.agreement.chars().count() as i64, 0, AGREEMENT_LENGTH_MAX)?;
    must_exist(tx, terms.customer_id).await?;
    store::set(tx, terms).await?;
    for number in number::all_number_terms(tx).await? {
        if number.customer_id == terms.customer_id && number.follows_customer {
            tell(tx, number.number_id, now).await?;
        }
    }
    Ok(())
}

/// In the seller's book: this customer has the number, on terms of the number's own.
pub async fn set_split(
    tx: &TenantTx,
    number_id: NumberId,
    customer_id: CustomerId,
    split: Split,
    now: DateTime<Utc>,
) -> Result<()> {
    must(split.share <= Percent::WHOLE, "share_percent", Rule::MustNotExceedWhole, split.share)?;
    write(tx, number_id, customer_id, split, false, now).await
}

/// In the seller's book: this customer has the number, on the customer's terms, whatever they become.
pub async fn follow_customer(
    tx: &TenantTx,
    number_id: NumberId,
    customer_id: CustomerId,
    now: DateTime<Utc>,
) -> Result<()> {
    let split = partner_terms(tx, customer_id).await?.split;
    write(tx, number_id, customer_id, split, true, now).await
}

async fn write(
    tx: &TenantTx,
    number_id: NumberId,
    customer_id: CustomerId,
    split: Split,
    follows_customer: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    must_exist(tx, customer_id).await?;
    let Split { share, collection, of } = split;
    let terms = NumberTerms { number_id, customer_id, share, collection, of, follows_customer };
    numbers::set_terms(tx, terms).await?;
    tell(tx, number_id, now).await
}

/// The child's book learns who collects through the outbox.
async fn tell(tx: &TenantTx, number_id: NumberId, now: DateTime<Utc>) -> Result<()> {
    let key = format!("{number_id}:{}", Uuid::now_v7());
    db::enqueue(tx, COLLECTION, &key, json!({ "number_id": number_id }), now).await?;
    Ok(())
}

/// Takes who collects a number into the child's book, as the terms are now; how many messages were dealt with.
pub async fn deliver_collections(db: &Db, seller: db::TenantId, now: DateTime<Utc>) -> Result<u64> {
    let tx = db.tenant(seller).await?;
    let messages = db::claim_outbox(&tx, COLLECTION, PER_ROUND, now).await?;
    for message in &messages {
        let Ok(number_id) = serde_json::from_value::<NumberId>(message.payload["number_id"].clone()) else { continue };
        let Some(terms) = number::number_terms(&tx, number_id).await? else { continue };
        let child = must_exist(&tx, terms.customer_id).await?;
        let Some(organisation) = child.organisation_id else { continue };
        let child = db.tenant(organisation).await?;
        set_collected(&child, number_id, terms.collection, now).await?;
        child.commit().await?;
    }
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id).collect();
    db::finish_outbox(&tx, &ids, now).await?;
    tx.commit().await?;
    Ok(ids.len() as u64)
}

/// Numbers of this book whose calls its seller collects.
pub async fn collected_numbers(tx: &TenantTx) -> Result<Vec<NumberId>> {
    Ok(store::collected(tx).await?.into_iter().map(|(number_id, _)| number_id).collect())
}

/// The same, each with the customer that stands for everybody who calls it.
pub async fn network_customers(tx: &TenantTx) -> Result<Vec<(NumberId, CustomerId)>> {
    store::collected(tx).await
}

/// In the child's book: who collects what a number of it earns, from now on.
pub async fn set_collected(
    tx: &TenantTx,
    number_id: NumberId,
    collection: Collection,
    now: DateTime<Utc>,
) -> Result<()> {
    let by_seller = collection == Collection::Seller;
    if !by_seller && !store::is_collected(tx, number_id).await? {
        return Ok(());
    }
    let network = match customer::customer_by_no(tx, NETWORK_CUSTOMER_NO).await? {
        Some(customer) => customer.id,
        None => {
            let book = tenant::organisation(tx).await?;
            let on = pricing::civil_date(now, &book.time_zone)?;
            let (no, name) = (NETWORK_CUSTOMER_NO, NETWORK_CUSTOMER_NAME);
            let new = NewCustomer::postpaid(no, name, book.currency, &book.time_zone, &book.country, on);
            customer::create_customer(tx, &new, now).await?
        }
    };
    store::set_collected(tx, number_id, by_seller, network).await
}
