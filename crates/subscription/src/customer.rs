//! Customers of a book: callers, client companies, and child organisations.

use crate::error::{Refusal, Result, Rule, SubscriptionError, must, same_currency};
use crate::life::{ServicePeriod, containing, subscriptions_of};
use crate::rules;
use crate::store::customers as store;
use crate::words::{Billing, TaxTreatment};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerEventId, CustomerId, TenantId, TenantTx};
use money::{Currency, Money};

/// Most customers on one page.
pub const CUSTOMERS_PER_PAGE_MAX: u64 = 500;

/// Somebody who is charged in this book.
#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    pub id: CustomerId,
    /// As people know it; unique in the book.
    pub customer_no: String,
    pub name: String,
    pub email: Option<String>,
    /// The child organisation that this customer is, if it is one.
    pub organisation_id: Option<TenantId>,
    pub billing: Billing,
    /// The one currency in which this customer is charged and pays.
    pub currency: Currency,
    /// IANA zone in which its days and periods are counted.
    pub time_zone: String,
    /// ISO 3166, two letters.
    pub country: String,
    pub address_lines: Vec<String>,
    pub tax_id: Option<String>,
    pub tax_treatment: TaxTreatment,
    pub payment_terms_days: u16,
    /// Anchor of the monthly period in which its tariff calls are put on a document.
    pub anchor_on: NaiveDate,
    pub created_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
}

/// A customer to be.
#[derive(Clone, Debug)]
pub struct NewCustomer {
    pub customer_no: String,
    pub name: String,
    pub email: Option<String>,
    pub organisation_id: Option<TenantId>,
    pub billing: Billing,
    pub currency: Currency,
    pub time_zone: String,
    pub country: String,
    pub address_lines: Vec<String>,
    pub tax_id: Option<String>,
    pub tax_treatment: TaxTreatment,
    pub payment_terms_days: u16,
    pub anchor_on: NaiveDate,
    /// How low a prepaid customer's wallet may go: zero, or minus a credit limit. Zero for postpaid.
    pub floor: Money,
}

impl NewCustomer {
    /// A prepaid customer with an empty wallet and no credit; change the fields that differ.
    pub fn prepaid(
        customer_no: &str,
        name: &str,
        currency: Currency,
        time_zone: &str,
        country: &str,
        anchor_on: NaiveDate,
    ) -> NewCustomer {
        NewCustomer {
            customer_no: customer_no.to_owned(),
            name: name.to_owned(),
            email: None,
            organisation_id: None,
            billing: Billing::Prepaid,
            currency,
            time_zone: time_zone.to_owned(),
            country: country.to_owned(),
            address_lines: Vec::new(),
            tax_id: None,
            tax_treatment: TaxTreatment::Standard,
            payment_terms_days: 14,
            anchor_on,
            floor: Money::zero(currency),
        }
    }

    /// A postpaid customer with 14 days to pay; change the fields that differ.
    pub fn postpaid(
        customer_no: &str,
        name: &str,
        currency: Currency,
        time_zone: &str,
        country: &str,
        anchor_on: NaiveDate,
    ) -> NewCustomer {
        let prepaid = Self::prepaid(customer_no, name, currency, time_zone, country, anchor_on);
        NewCustomer { billing: Billing::Postpaid, ..prepaid }
    }

    /// Refuses the details when they break a rule: the first one.
    pub(crate) fn check(&self) -> Result<()> {
        self.refusals().into_iter().next().map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Every rule that the details break, at most one of each field.
    pub fn refusals(&self) -> Vec<Refusal> {
        let floor = || {
            same_currency("floor", self.currency, self.floor.currency())?;
            must(!self.floor.is_positive(), "floor", Rule::FloorMustNotBePositive, self.floor)?;
            let fits = self.billing == Billing::Prepaid || self.floor.is_zero();
            must(fits, "floor", Rule::PostpaidHasNoFloor, self.floor)
        };
        let fields = [
            rules::not_empty("customer_no", &self.customer_no),
            rules::name("name", &self.name),
            self.email.as_ref().map_or(Ok(()), |email| rules::email("email", email)),
            rules::time_zone("time_zone", &self.time_zone),
            rules::country("country", &self.country),
            rules::between("payment_terms_days", self.payment_terms_days.into(), 0, 365),
            floor(),
        ];
        fields.into_iter().filter_map(Result::err).filter_map(|error| error.refusal().cloned()).collect()
    }
}

/// Which customers to list.
#[derive(Clone, Debug)]
pub struct CustomerFilter {
    /// Beginning of the name, in any case.
    pub prefix: Option<String>,
    /// The last customer of the page before.
    pub after: Option<CustomerId>,
    /// At most [`CUSTOMERS_PER_PAGE_MAX`].
    pub limit: u64,
}

impl Default for CustomerFilter {
    fn default() -> Self {
        CustomerFilter { prefix: None, after: None, limit: 50 }
    }
}

/// One entry of a customer's timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerEvent {
    pub id: CustomerEventId,
    pub at: DateTime<Utc>,
    /// `created`, `subscribed`, `top_up`, `invoice`, `payment` ..
    pub kind: String,
    /// One sentence for people.
    pub text: String,
}

/// Takes a customer into the book. A prepaid one gets its wallet in the same transaction.
pub async fn create_customer(tx: &TenantTx, new: &NewCustomer, now: DateTime<Utc>) -> Result<CustomerId> {
    new.check()?;
    let today = pricing::civil_date(now, &new.time_zone)?;
    must(new.anchor_on <= today, "anchor_on", Rule::MustNotLieAhead, new.anchor_on)?;
    rules::within_ten_years("anchor_on", new.anchor_on, today)?;
    let id = CustomerId::new();
    store::insert(tx, id, new, now).await?;
    if new.billing == Billing::Prepaid {
        ledger::open_wallet(tx, id, new.currency, new.floor, now).await?;
    }
    add_customer_event(tx, id, "created", &format!("{} became a customer.", new.name), now, now).await?;
    Ok(id)
}

/// Changes a customer's details. Number, currency, billing and the organisation behind it stay; `floor` is the ledger's.
pub async fn change_customer(tx: &TenantTx, id: CustomerId, details: &NewCustomer) -> Result<()> {
    details.check()?;
    must_exist(tx, id).await?;
    Ok(store::update_details(tx, id, details).await?)
}

/// Closes a customer for good: nothing new can be sold to it, and its phones call no more. What is billed, owed and left in its
/// wallet stays, and what it used until then is on its last documents. Twice is once.
pub async fn close_customer(tx: &TenantTx, id: CustomerId, now: DateTime<Utc>) -> Result<()> {
    let customer = lock_customer(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("customer", id))?;
    if customer.closed_at.is_some() {
        return Ok(());
    }
    let is_child = customer.organisation_id.is_some();
    must(!is_child, "customer", Rule::MustNotStandForOrganisation, &customer.customer_no)?;
    let subscriptions = subscriptions_of(tx, id).await?;
    let runs = subscriptions.iter().find(|of| of.cancelled_at.is_none_or(|ended_at| ended_at > now));
    if let Some(runs) = runs {
        return Err(SubscriptionError::Refused(Refusal {
            field: "customer".to_owned(),
            rule: Rule::SubscriptionsMustHaveEnded,
            value: runs.id.to_string(),
        }));
    }
    store::close(tx, id, now).await?;
    add_customer_event(tx, id, "closed", &format!("{} was closed.", customer.name), now, now).await
}

/// The zones of the book's customers, each with when its first customer came.
pub async fn customer_zones(tx: &TenantTx) -> Result<Vec<(String, DateTime<Utc>)>> {
    Ok(store::zones(tx).await?)
}

/// One customer.
pub async fn customer(tx: &TenantTx, id: CustomerId) -> Result<Option<Customer>> {
    store::by_id(tx, id).await
}

/// The customer that must exist.
pub(crate) async fn must_exist(tx: &TenantTx, id: CustomerId) -> Result<Customer> {
    customer(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("customer", id))
}

/// One customer, held until the transaction ends: what is done for one customer is done one after the other. Calls and
/// usage go on meanwhile, since only the row's other writers wait.
pub async fn lock_customer(tx: &TenantTx, id: CustomerId) -> Result<Option<Customer>> {
    store::lock(tx, id).await
}

/// The customer with this customer number.
pub async fn customer_by_no(tx: &TenantTx, customer_no: &str) -> Result<Option<Customer>> {
    store::by_no(tx, customer_no).await
}

/// The open customer that stands for a child organisation.
pub async fn customer_of_organisation(tx: &TenantTx, organisation_id: TenantId) -> Result<Option<Customer>> {
    store::by_organisation(tx, organisation_id).await
}

/// Customers by name, one page at a time.
pub async fn customers(tx: &TenantTx, filter: &CustomerFilter) -> Result<Vec<Customer>> {
    store::page(tx, filter).await
}

/// Customers with these ids, in no order: for lists that show many names at once.
pub async fn customers_by_id(tx: &TenantTx, ids: &[CustomerId]) -> Result<Vec<Customer>> {
    store::by_ids(tx, ids).await
}

/// The number of open customers.
pub async fn customer_count(tx: &TenantTx) -> Result<u64> {
    store::count(tx).await
}

/// The next customer number of the form `C-00042`. Who asks beside it waits until this transaction ends.
pub async fn next_customer_no(tx: &TenantTx) -> Result<String> {
    Ok(format!("C-{:05}", store::highest_no(tx).await? + 1))
}

/// Writes an entry of the customer's timeline: what has happened, hence never later than `now`.
pub async fn add_customer_event(
    tx: &TenantTx,
    customer_id: CustomerId,
    kind: &str,
    text: &str,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    store::insert_event(tx, customer_id, kind, text, at.min(now)).await
}

/// Writes an entry of one kind for each of many customers, in one statement: for runs.
pub async fn add_customer_events(
    tx: &TenantTx,
    kind: &str,
    events: &[(CustomerId, String)],
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    store::insert_events(tx, kind, events, at.min(now)).await
}

/// The newest entries of the customer's timeline.
pub async fn customer_events(tx: &TenantTx, customer_id: CustomerId, limit: u64) -> Result<Vec<CustomerEvent>> {
    store::events(tx, customer_id, None, limit).await
}

/// The same, from an entry on: those that stand below it in that order.
pub async fn customer_events_page(
    tx: &TenantTx,
    customer_id: CustomerId,
    after: Option<(DateTime<Utc>, CustomerEventId)>,
    limit: u64,
) -> Result<Vec<CustomerEvent>> {
    store::events(tx, customer_id, after, limit).await
}

/// The monthly period of the customer's tariff calls that holds an instant: from its anchor day, in its zone.
///
/// Position 0 begins on the anchor; an instant before it is refused by [`Rule::MustNotPrecedeStart`].
pub fn billing_period_of_customer(customer: &Customer, at: DateTime<Utc>) -> Result<ServicePeriod> {
    containing(customer.anchor_on, &customer.time_zone, at)
}
