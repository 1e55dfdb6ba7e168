//! A quote: terms, for whom, until when. What is offered is checked like what is sold, before anybody sees it.

use super::accept::Acceptance;
use super::link;
use crate::catalogue::{Measure, NewPlanVersion};
use crate::customer::{NewCustomer, must_exist};
use crate::error::{Refusal, Result, Rule, SubscriptionError, instant, must, refuse, same_currency};
use crate::life::{must_count_seats, seats_fit};
use crate::rules;
use crate::store::quotes as store;
use crate::words::{Billing, TaxTreatment};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, EstimateId, PlanId, PlanVersionId, QuoteId, SubscriptionId, TenantTx};
use money::{Currency, Money};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whom a quote is for.
#[derive(Clone, Debug, PartialEq)]
pub enum QuotedCustomer {
    /// Somebody who is a customer already.
    Known(CustomerId),
    /// Somebody who becomes one by accepting.
    New(Prospect),
}

/// The details of a customer to be, in the currency of the terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prospect {
    pub name: String,
    #[serde(default)]
    pub email: Option<String>,
    pub time_zone: String,
    /// ISO 3166, two capital letters.
    pub country: String,
    #[serde(default)]
    pub address_lines: Vec<String>,
    #[serde(default)]
    pub tax_id: Option<String>,
    pub payment_terms_days: u16,
    /// Before, from a wallet that is opened when the quote is accepted; or after, by invoice.
    #[serde(default = "postpaid")]
    pub billing: Billing,
}

fn postpaid() -> Billing {
    Billing::Postpaid
}

impl Prospect {
    /// Every rule of a customer's details that these break.
    pub fn refusals(&self, currency: Currency, today: NaiveDate) -> Vec<Refusal> {
        self.customer("to be", currency, today).refusals()
    }

    pub(super) fn customer(&self, customer_no: &str, currency: Currency, anchor_on: NaiveDate) -> NewCustomer {
        NewCustomer {
            customer_no: customer_no.to_owned(),
            name: self.name.clone(),
            email: self.email.clone(),
            organisation_id: None,
            billing: self.billing,
            currency,
            time_zone: self.time_zone.clone(),
            country: self.country.clone(),
            address_lines: self.address_lines.clone(),
            tax_id: self.tax_id.clone(),
            tax_treatment: TaxTreatment::Standard,
            payment_terms_days: self.payment_terms_days,
            anchor_on,
            floor: Money::zero(currency),
        }
    }
}

/// A quote to be.
#[derive(Clone, Debug)]
pub struct NewQuote {
    pub plan_name: String,
    pub plan_description: String,
    pub terms: NewPlanVersion,
    pub seats: u32,
    /// By component: the month that the reader is shown. One that is not named is zero.
    pub quantities: BTreeMap<String, Decimal>,
    /// Begin with the trial of the terms.
    pub with_trial: bool,
    pub customer: QuotedCustomer,
    pub estimate_id: Option<EstimateId>,
    /// For the reader.
    pub note: String,
    /// The first instant at which it can no longer be accepted.
    pub valid_until: DateTime<Utc>,
}

/// Where a quote stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteState {
    Open,
    Accepted,
    Withdrawn,
    /// Nobody accepted it in time.
    Expired,
}

impl QuoteState {
    /// `open`, `accepted`, `withdrawn`, `expired`.
    pub const fn as_str(self) -> &'static str {
        match self {
            QuoteState::Open => "open",
            QuoteState::Accepted => "accepted",
            QuoteState::Withdrawn => "withdrawn",
            QuoteState::Expired => "expired",
        }
    }
}

/// A quote.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    pub id: QuoteId,
    /// As printed: `Q-00042`.
    pub number: String,
    pub plan_name: String,
    pub plan_description: String,
    pub terms: NewPlanVersion,
    pub seats: u32,
    pub quantities: BTreeMap<String, Decimal>,
    pub with_trial: bool,
    pub customer: QuotedCustomer,
    pub estimate_id: Option<EstimateId>,
    pub note: String,
    pub valid_until: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    /// When it was last sent, and to whom.
    pub sent_at: Option<DateTime<Utc>>,
    pub sent_to: Option<String>,
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub accepted_by: Option<String>,
    /// What was written then.
    pub acceptance: Option<Acceptance>,
    pub plan_version_id: Option<PlanVersionId>,
    pub subscription_id: Option<SubscriptionId>,
}

impl Quote {
    /// Where it stands at an instant.
    pub fn state_at(&self, instant: DateTime<Utc>) -> QuoteState {
        if self.accepted_at.is_some() {
            QuoteState::Accepted
        } else if self.withdrawn_at.is_some() {
            QuoteState::Withdrawn
        } else if self.valid_until <= instant {
            QuoteState::Expired
        } else {
            QuoteState::Open
        }
    }
}

/// Writes a quote and returns it with the token of its link, which is shown now and never again. Its components may charge by
/// the meters that every book has and by those named here.
pub async fn create_quote(
    tx: &TenantTx,
    new: &NewQuote,
    own_meters: &[Measure],
    by: &str,
    now: DateTime<Utc>,
) -> Result<(QuoteId, String)> {
    rules::not_empty("plan_name", &new.plan_name)?;
    new.terms.check(own_meters)?;
    check_quantities(new)?;
    must(new.valid_until > now, "valid_until", Rule::MustLieAhead, instant(&new.valid_until))?;
    rules::within_ten_years("valid_until", new.valid_until.date_naive(), now.date_naive())?;
    must(!new.with_trial || new.terms.trial_days > 0, "with_trial", Rule::TrialNeedsDays, &new.plan_name)?;
    seats_fit(new.terms.seat_limit, new.terms.sells_extra_seats, new.seats)?;
    must_count_seats(new.terms.seat_limit, &new.terms.components, new.seats)?;
    match &new.customer {
        QuotedCustomer::Known(id) => {
            let customer = must_exist(tx, *id).await?;
            must(customer.closed_at.is_none(), "customer_id", Rule::CustomerMustBeOpen, &customer.customer_no)?;
            same_currency("terms/currency", customer.currency, new.terms.currency)?;
        }
        QuotedCustomer::New(prospect) => {
            prospect.customer("to be", new.terms.currency, now.date_naive()).check()?;
        }
    }
    if let Some(id) = new.estimate_id {
        let known = store::estimate(tx, id).await?.is_some();
        if !known {
            return Err(SubscriptionError::not_found("estimate", id));
        }
    }
    let (token, hash) = link::new(tx.tenant_id());
    let id = store::insert(tx, new, hash, by, now).await?;
    Ok((id, token))
}

/// Quantities are of components that have one.
fn check_quantities(new: &NewQuote) -> Result<()> {
    for (key, quantity) in &new.quantities {
        let field = format!("quantities/{key}");
        let is_counted = new.terms.components.iter().any(|part| part.key == *key && part.is_counted());
        must(is_counted, field.clone(), Rule::MustBeCountedComponent, key)?;
        must(*quantity >= Decimal::ZERO, field.clone(), Rule::MustNotBeNegative, quantity)?;
        // As much as a meter takes: more cannot be priced.
        let most = i64::MAX / 100_000_000;
        must(*quantity <= Decimal::from(most), field, Rule::MustLieBetween(0, most), quantity)?;
    }
    Ok(())
}

/// One quote.
pub async fn quote(tx: &TenantTx, id: QuoteId) -> Result<Option<Quote>> {
    store::by_id(tx, id).await
}

/// Plans that accepted quotes have become: each was agreed with one customer.
pub async fn quoted_plans(tx: &TenantTx) -> Result<Vec<PlanId>> {
    store::plans(tx).await
}

/// Quotes, newest first, from the one after this place on.
pub async fn quotes(tx: &TenantTx, after: Option<(DateTime<Utc>, QuoteId)>, limit: u64) -> Result<Vec<Quote>> {
    store::newest(tx, after, limit).await
}

/// Makes one more link to an open quote and returns its token, which is shown now and never again.
pub async fn link_quote(tx: &TenantTx, id: QuoteId, by: &str, now: DateTime<Utc>) -> Result<String> {
    open(tx, id, now).await?;
    let (token, hash) = link::new(tx.tenant_id());
    store::insert_link(tx, id, hash, by, now).await?;
    Ok(token)
}

/// Notes that an open quote goes to this address.
pub async fn send_quote(tx: &TenantTx, id: QuoteId, to: &str, now: DateTime<Utc>) -> Result<()> {
    rules::email("email", to)?;
    open(tx, id, now).await?;
    store::sent(tx, id, to, now).await
}

async fn open(tx: &TenantTx, id: QuoteId, now: DateTime<Utc>) -> Result<Quote> {
    let quote = store::lock(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("quote", id))?;
    match quote.state_at(now) {
        QuoteState::Open => Ok(quote),
        state => refuse("quote_id", Rule::MustBeOpenQuote, state.as_str()),
    }
}

/// The quote that a link leads to.
pub async fn quote_by_token(tx: &TenantTx, token: &str) -> Result<Option<Quote>> {
    store::by_hash(tx, link::hash(token)).await
}

/// Takes an open quote back. Twice is once; an accepted one is a subscription and stays.
pub async fn withdraw_quote(tx: &TenantTx, id: QuoteId, now: DateTime<Utc>) -> Result<()> {
    let quote = store::lock(tx, id).await?.ok_or_else(|| SubscriptionError::not_found("quote", id))?;
    match quote.state_at(now) {
        QuoteState::Withdrawn => Ok(()),
        QuoteState::Open | QuoteState::Expired => store::withdraw(tx, id, now).await,
        QuoteState::Accepted => refuse("quote_id", Rule::MustBeOpenQuote, QuoteState::Accepted.as_str()),
    }
}
