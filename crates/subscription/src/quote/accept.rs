//! Accepting a quote by its link: plan, version, customer and subscription in one transaction, once.

use super::link;
use super::offer::{Prospect, Quote, QuoteState, QuotedCustomer};
use crate::catalogue::{Measure, create_plan, publish_version_measuring};
use crate::customer::{add_customer_event, create_customer, must_exist, next_customer_no};
use crate::error::{Result, Rule, SubscriptionError, refuse};
use crate::life::{NewSubscription, subscribe};
use crate::rules;
use crate::store::quotes as store;
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantTx};
use serde::{Deserialize, Serialize};

/// What an accepted quote has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub customer_id: CustomerId,
    pub plan_version_id: PlanVersionId,
    pub subscription_id: SubscriptionId,
}

/// Who accepts, and what is to stand on the documents. What is left out stays as the quote has it; of somebody who is a
/// customer already only the name and the address are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The person.
    pub name: String,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub company: Option<String>,
    #[serde(default)]
    pub address_lines: Vec<String>,
    /// ISO 3166, two capital letters.
    #[serde(default)]
    pub country: Option<String>,
    #[serde(default)]
    pub tax_id: Option<String>,
}

impl Acceptance {
    /// By somebody, to the details that the quote has.
    pub fn by(name: &str) -> Acceptance {
        Acceptance { name: name.to_owned(), ..Acceptance::default() }
    }

    fn details(&self, of: &Prospect) -> Prospect {
        let or = |given: &Option<String>, known: &Option<String>| given.clone().or_else(|| known.clone());
        Prospect {
            name: self.company.clone().unwrap_or_else(|| of.name.clone()),
            email: or(&self.email, &of.email),
            country: self.country.clone().unwrap_or_else(|| of.country.clone()),
            address_lines: if self.address_lines.is_empty() {
                of.address_lines.clone()
            } else {
                self.address_lines.clone()
            },
            tax_id: or(&self.tax_id, &of.tax_id),
            ..of.clone()
        }
    }
}

/// Accepts the quote that a link leads to. It begins at once. `own_meters` are the book's, beside those that every book has.
///
/// Accepted again, by a second click or a second reader, it is what it has become the first time. One that was withdrawn or
/// whose time is over is refused, and so is a token of no quote.
pub async fn accept_quote(
    tx: &TenantTx,
    token: &str,
    acceptance: &Acceptance,
    own_meters: &[Measure],
    now: DateTime<Utc>,
) -> Result<Accepted> {
    rules::not_empty("accepted_by", &acceptance.name)?;
    if let Some(email) = &acceptance.email {
        rules::email("email", email)?;
    }
    let found = store::by_hash(tx, link::hash(token)).await?;
    let found = found.ok_or_else(|| SubscriptionError::not_found("quote", "of this link"))?;
    // Under the row's lock: of many at once the first makes it, the others find it made.
    let quote = store::lock(tx, found.id).await?.ok_or_else(|| SubscriptionError::not_found("quote", found.id))?;
    match quote.state_at(now) {
        QuoteState::Open => become_subscription(tx, &quote, acceptance, own_meters, now).await,
        QuoteState::Accepted => already(tx, &quote).await,
        state => refuse("quote", Rule::MustBeOpenQuote, state.as_str()),
    }
}

async fn become_subscription(
    tx: &TenantTx,
    quote: &Quote,
    acceptance: &Acceptance,
    own_meters: &[Measure],
    now: DateTime<Utc>,
) -> Result<Accepted> {
    let code = quote.number.to_ascii_lowercase();
    let plan = create_plan(tx, &code, &quote.plan_name, &quote.plan_description, false).await?;
    let plan_version_id = publish_version_measuring(tx, plan, &quote.terms, own_meters, now).await?;
    let (customer_id, time_zone) = match &quote.customer {
        QuotedCustomer::Known(id) => (*id, must_exist(tx, *id).await?.time_zone),
        QuotedCustomer::New(prospect) => {
            let prospect = acceptance.details(prospect);
            let anchor_on = pricing::civil_date(now, &prospect.time_zone)?;
            let customer_no = next_customer_no(tx).await?;
            let customer = prospect.customer(&customer_no, quote.terms.currency, anchor_on);
            (create_customer(tx, &customer, now).await?, prospect.time_zone)
        }
    };
    let new = NewSubscription {
        customer_id,
        plan_version_id,
        seats: quote.seats,
        anchor_on: pricing::civil_date(now, &time_zone)?,
        starts_at: now,
        trial: quote.with_trial,
    };
    let subscription_id = subscribe(tx, &new, now).await?;
    let accepted = Accepted { customer_id, plan_version_id, subscription_id };
    store::accept(tx, quote.id, &accepted, acceptance, now).await?;
    let text = format!("Quote {} was accepted by {}.", quote.number, acceptance.name);
    add_customer_event(tx, customer_id, "quote_accepted", &text, now, now).await?;
    Ok(accepted)
}

async fn already(tx: &TenantTx, quote: &Quote) -> Result<Accepted> {
    let made = quote.plan_version_id.zip(quote.subscription_id);
    let (plan_version_id, subscription_id) = made.ok_or_else(|| SubscriptionError::not_found("quote", quote.id))?;
    let subscription = crate::life::subscription(tx, subscription_id).await?;
    let subscription = subscription.ok_or_else(|| SubscriptionError::not_found("subscription", subscription_id))?;
    Ok(Accepted { customer_id: subscription.customer_id, plan_version_id, subscription_id })
}
