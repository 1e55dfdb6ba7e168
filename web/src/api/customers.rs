//! Customers: callers, client companies, child organisations.

use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, get, patch, post};
use super::shapes;
use crate::api::body::Text;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, TenantTx};
use money::{Currency, Money};
use serde::{Deserialize, Serialize};
use subscription::{Billing, CustomerFilter, NewCustomer, TaxTreatment};
use tenant::ScopeGroup;
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Customers;
    vec![
        get("/v1/customers", group, "List customers by name", customers),
        post("/v1/customers", group, "Take a customer into the book", create),
        get("/v1/customers/{customer_id}", group, "Read a customer", customer),
        patch("/v1/customers/{customer_id}", group, "Change a customer's details", change),
        post("/v1/customers/{customer_id}/closure", group, "Close a customer for good", close),
    ]
}

/// Somebody who is charged in this book.
#[derive(Serialize, ToSchema)]
#[schema(as = Customer)]
pub struct Customer {
    #[schema(example = "customer")]
    object: &'static str,
    #[schema(example = "cus_0HwPjVuQ4pAVcJrmCZ5TXb")]
    id: String,
    /// As people know it; unique in the book.
    customer_no: String,
    name: String,
    email: Option<String>,
    /// The child organisation that this customer is, if it is one.
    organisation: Option<String>,
    #[schema(schema_with = shapes::billing)]
    billing: &'static str,
    /// ISO 4217: the one currency in which it is charged and pays.
    currency: String,
    /// IANA zone in which its days and periods are counted.
    time_zone: String,
    /// ISO 3166, two letters.
    country: String,
    address_lines: Vec<String>,
    tax_id: Option<String>,
    #[schema(schema_with = shapes::tax_treatment)]
    tax_treatment: &'static str,
    payment_terms_days: u16,
    /// Day from which the months of its call charges are counted.
    anchor_on: NaiveDate,
    created_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    /// In the answer to a closure and nowhere else, of a customer with a wallet: the balance that is left in it, promotional
    /// credit included. What of it was paid is to be given back; below zero, it is owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet_left: Option<shapes::Amount>,
}

impl Shown for Customer {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl From<subscription::Customer> for Customer {
    fn from(of: subscription::Customer) -> Self {
        Self {
            object: "customer",
            id: of.id.to_string(),
            customer_no: of.customer_no,
            name: of.name,
            email: of.email,
            organisation: of.organisation_id.map(|id| id.to_string()),
            billing: of.billing.as_str(),
            currency: of.currency.code().to_owned(),
            time_zone: of.time_zone,
            country: of.country,
            address_lines: of.address_lines,
            tax_id: of.tax_id,
            tax_treatment: of.tax_treatment.as_str(),
            payment_terms_days: of.payment_terms_days,
            anchor_on: of.anchor_on,
            created_at: of.created_at,
            closed_at: of.closed_at,
            wallet_left: None,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ListAsked {
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
    /// The `next` of the page before.
    starting_after: Option<String>,
    /// Beginning of the name, in any case.
    name: Option<String>,
    /// The customer with this number, and no other.
    customer_no: Option<String>,
}

async fn customers(ask: &Ask, Asked(asked): Asked<ListAsked>) -> ApiResult<List<Customer>> {
    if let Some(no) = &asked.customer_no {
        let found = subscription::customer_by_no(&ask.tx, no).await?;
        return Ok(List::whole(found.into_iter().map(Customer::from).collect()));
    }
    let limit = list::limit(asked.limit)?;
    let after = list::after::<CustomerId>(asked.starting_after.as_deref())?;
    let filter = CustomerFilter { prefix: asked.name, after, limit: limit + 1 };
    let found = subscription::customers(&ask.tx, &filter).await?;
    let (found, next) = list::cut(found, limit, |customer| list::place(customer.id));
    Ok(List::page(found.into_iter().map(Customer::from).collect(), next))
}

async fn customer(ask: &Ask, _: Nothing) -> ApiResult<One<Customer>> {
    Ok(One(find(&ask.tx, ask.id("customer_id")?).await?.into()))
}

/// The customer, or 404.
pub async fn find(tx: &TenantTx, id: CustomerId) -> ApiResult<subscription::Customer> {
    subscription::customer(tx, id).await?.ok_or_else(Problem::not_found)
}

/// A customer whom a body names.
pub async fn named(tx: &TenantTx, id: CustomerId, pointer: &str) -> ApiResult<subscription::Customer> {
    let found = subscription::customer(tx, id).await?;
    found.ok_or_else(|| Problem::unknown(pointer, "customer", id))
}

/// Details that keep every rule; otherwise everything that is wrong with them.
fn must_hold(details: &NewCustomer) -> ApiResult<()> {
    let refusals = details.refusals();
    if refusals.is_empty() { Ok(()) } else { Err(Problem::of_refusals(&refusals)) }
}

/// A customer to be. What is left out is taken from the organisation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCustomer)]
struct Creation {
    /// The next free one when left out.
    customer_no: Option<String>,
    name: String,
    email: Option<String>,
    #[schema(schema_with = shapes::billing)]
    billing: Billing,
    #[schema(value_type = Option<String>)]
    currency: Option<Currency>,
    time_zone: Option<String>,
    country: Option<String>,
    #[serde(default)]
    address_lines: Vec<String>,
    tax_id: Option<String>,
    #[schema(schema_with = shapes::tax_treatment)]
    tax_treatment: Option<TaxTreatment>,
    /// 14 when left out.
    payment_terms_days: Option<u16>,
    /// Today when left out.
    anchor_on: Option<NaiveDate>,
    /// How low a prepaid customer's wallet may go: zero, or minus a credit limit.
    #[schema(value_type = Option<shapes::Amount>)]
    floor: Option<Money>,
}

async fn create(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<Created<Customer>> {
    let organisation = &ask.client.organisation;
    let customer_no = match given.customer_no {
        Some(no) => no,
        None => subscription::next_customer_no(&ask.tx).await?,
    };
    let currency = given.currency.unwrap_or(organisation.currency);
    let time_zone = given.time_zone.unwrap_or_else(|| organisation.time_zone.clone());
    let today = || pricing::civil_date(ask.now, &organisation.time_zone);
    let new = NewCustomer {
        customer_no,
        name: given.name,
        email: given.email,
        organisation_id: None,
        billing: given.billing,
        currency,
        time_zone,
        country: given.country.unwrap_or_else(|| organisation.country.clone()),
        address_lines: given.address_lines,
        tax_id: given.tax_id,
        tax_treatment: given.tax_treatment.unwrap_or(TaxTreatment::Standard),
        payment_terms_days: given.payment_terms_days.unwrap_or(14),
        anchor_on: given.anchor_on.map_or_else(today, Ok)?,
        floor: given.floor.unwrap_or(Money::zero(currency)),
    };
    must_hold(&new)?;
    let id = subscription::create_customer(&ask.tx, &new, ask.now).await?;
    Ok(Created(find(&ask.tx, id).await?.into()))
}

/// What is to be another; what is left out stays. Number, billing and currency never change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomerChange)]
struct Change {
    name: Option<String>,
    #[serde(default, with = "shapes::present")]
    #[schema(value_type = Option<String>)]
    email: Option<Option<String>>,
    time_zone: Option<String>,
    country: Option<String>,
    address_lines: Option<Vec<String>>,
    #[serde(default, with = "shapes::present")]
    #[schema(value_type = Option<String>)]
    tax_id: Option<Option<String>>,
    #[schema(schema_with = shapes::tax_treatment)]
    tax_treatment: Option<TaxTreatment>,
    payment_terms_days: Option<u16>,
}

async fn change(ask: &Ask, Given(given): Given<Change>) -> ApiResult<One<Customer>> {
    let id = ask.id("customer_id")?;
    let is = subscription::lock_customer(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    ask.must_match(&Customer::from(is.clone()))?;
    let details = NewCustomer {
        customer_no: is.customer_no,
        name: given.name.unwrap_or(is.name),
        email: given.email.unwrap_or(is.email),
        organisation_id: is.organisation_id,
        billing: is.billing,
        currency: is.currency,
        time_zone: given.time_zone.unwrap_or(is.time_zone),
        country: given.country.unwrap_or(is.country),
        address_lines: given.address_lines.unwrap_or(is.address_lines),
        tax_id: given.tax_id.unwrap_or(is.tax_id),
        tax_treatment: given.tax_treatment.unwrap_or(is.tax_treatment),
        payment_terms_days: given.payment_terms_days.unwrap_or(is.payment_terms_days),
        anchor_on: is.anchor_on,
        floor: Money::zero(is.currency),
    };
    must_hold(&details)?;
    subscription::change_customer(&ask.tx, id, &details).await?;
    Ok(One(find(&ask.tx, id).await?.into()))
}

async fn close(ask: &Ask, _: Nothing) -> ApiResult<One<Customer>> {
    let id = ask.id("customer_id")?;
    subscription::close_customer(&ask.tx, id, ask.now).await?;
    let closed = find(&ask.tx, id).await?;
    let wallet = ledger::wallet_of(&ask.tx, id).await?;
    let wallet_left = wallet.map(|wallet| wallet.balance.into());
    Ok(One(Customer { wallet_left, ..closed.into() }))
}
