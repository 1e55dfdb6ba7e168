//! Quotes: terms, for whom, until when; an accepted one becomes plan and subscription.

use super::estimates::Newest;
use super::list::{self, At, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Pdf, Route, Shown, get, post};
use super::shapes;
use super::terms::{Terms, checked, own_meters, problems};
use crate::mail;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use db::{CustomerId, EstimateId, QuoteId};
use invoicing::InvoicingError;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use subscription::{Acceptance, Billing, NewPlanVersion, NewQuote, Prospect, QuotedCustomer, SubscriptionError};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Quotes;
    vec![
        get("/v1/quotes", group, "List quotes, newest first", quotes),
        post("/v1/quotes", group, "Write a quote and make the link by which it is accepted", create),
        get("/v1/quotes/{quote_id}", group, "Read a quote", quote),
        get("/v1/quotes/{quote_id}/pdf", group, "Read a quote as PDF", pdf),
        post("/v1/quotes/{quote_id}/links", group, "Make a further link by which it is read and accepted", link),
        post("/v1/quotes/{quote_id}/sendings", group, "Send a letter with a link of its own", send),
        post("/v1/quotes/{quote_id}/withdrawal", group, "Take an open quote back", withdraw),
        post("/v1/quote-acceptances", group, "Accept a quote by the token of its link", accept),
    ]
}

/// A quote.
#[derive(Serialize, ToSchema)]
#[schema(as = Quote)]
struct Quote {
    #[schema(example = "quote")]
    object: &'static str,
    id: String,
    /// As printed.
    #[schema(example = "Q-00042")]
    number: String,
    #[schema(schema_with = shapes::quote_state)]
    state: &'static str,
    plan_name: String,
    plan_description: String,
    terms: Terms,
    seats: u32,
    /// By component: the month that the reader is shown.
    #[schema(value_type = BTreeMap<String, String>)]
    quantities: BTreeMap<String, Decimal>,
    with_trial: bool,
    /// Of somebody who is a customer already.
    customer: Option<String>,
    /// Somebody who becomes a customer by accepting.
    prospect: Option<Buyer>,
    estimate: Option<String>,
    note: String,
    /// The first instant at which it can no longer be accepted.
    valid_until: DateTime<Utc>,
    created_at: DateTime<Utc>,
    created_by: String,
    sent_at: Option<DateTime<Utc>>,
    sent_to: Option<String>,
    withdrawn_at: Option<DateTime<Utc>>,
    accepted_at: Option<DateTime<Utc>>,
    accepted_by: Option<String>,
    plan_version: Option<String>,
    subscription: Option<String>,
    /// Of its link: in the answer to the making of it or of a further one, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Shown for Quote {
    fn id(&self) -> String {
        self.id.clone()
    }
}

/// The details of a customer to be, in the currency of the terms.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Prospect)]
struct Buyer {
    name: String,
    #[serde(default)]
    email: Option<String>,
    time_zone: String,
    /// ISO 3166, two letters.
    country: String,
    #[serde(default)]
    address_lines: Vec<String>,
    #[serde(default)]
    tax_id: Option<String>,
    #[serde(default = "two_weeks")]
    payment_terms_days: u16,
    /// Before, from a wallet that is opened when the quote is accepted; or after, by invoice.
    #[serde(default = "postpaid")]
    #[schema(schema_with = shapes::billing)]
    billing: Billing,
}

fn postpaid() -> Billing {
    Billing::Postpaid
}

fn two_weeks() -> u16 {
    14
}

fn shown(of: subscription::Quote, now: DateTime<Utc>) -> Quote {
    let state = of.state_at(now).as_str();
    let (customer, prospect) = match of.customer {
        QuotedCustomer::Known(id) => (Some(id.to_string()), None),
        QuotedCustomer::New(of) => (
            None,
            Some(Buyer {
                name: of.name,
                email: of.email,
                time_zone: of.time_zone,
                country: of.country,
                address_lines: of.address_lines,
                tax_id: of.tax_id,
                payment_terms_days: of.payment_terms_days,
                billing: of.billing,
            }),
        ),
    };
    Quote {
        object: "quote",
        id: of.id.to_string(),
        number: of.number,
        state,
        plan_name: of.plan_name,
        plan_description: of.plan_description,
        terms: Terms(of.terms.to_document()),
        seats: of.seats,
        quantities: of.quantities,
        with_trial: of.with_trial,
        customer,
        prospect,
        estimate: of.estimate_id.map(|id| id.to_string()),
        note: of.note,
        valid_until: of.valid_until,
        created_at: of.created_at,
        created_by: of.created_by,
        sent_at: of.sent_at,
        sent_to: of.sent_to,
        withdrawn_at: of.withdrawn_at,
        accepted_at: of.accepted_at,
        accepted_by: of.accepted_by,
        plan_version: of.plan_version_id.map(|id| id.to_string()),
        subscription: of.subscription_id.map(|id| id.to_string()),
        token: None,
    }
}

async fn quotes(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<Quote>> {
    let limit = list::limit(asked.limit)?;
    let after = list::after::<At<QuoteId>>(asked.starting_after.as_deref())?.map(|At(at, id)| (at, id));
    let found = subscription::quotes(&ask.tx, after, limit + 1).await?;
    let (found, next) = list::cut(found, limit, |last| list::place(At(last.created_at, last.id)));
    Ok(List::page(found.into_iter().map(|quote| shown(quote, ask.now)).collect(), next))
}

async fn find(ask: &Ask, id: QuoteId) -> ApiResult<Quote> {
    let found = subscription::quote(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    Ok(shown(found, ask.now))
}

async fn quote(ask: &Ask, _: Nothing) -> ApiResult<One<Quote>> {
    Ok(One(find(ask, ask.id("quote_id")?).await?))
}

/// A quote to be, for a customer or for somebody who becomes one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewQuote)]
struct Creation {
    plan_name: String,
    #[serde(default)]
    plan_description: String,
    #[schema(value_type = Terms)]
    terms: Value,
    #[serde(default)]
    seats: u32,
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    quantities: BTreeMap<String, Decimal>,
    #[serde(default)]
    with_trial: bool,
    #[schema(value_type = Option<String>)]
    customer: Option<CustomerId>,
    prospect: Option<Buyer>,
    #[schema(value_type = Option<String>)]
    estimate: Option<EstimateId>,
    #[serde(default)]
    note: String,
    valid_until: DateTime<Utc>,
}

/// Terms and prospect by their rules; all that is wrong with both is told at once.
async fn must_hold(ask: &Ask, terms: &Terms, customer: &QuotedCustomer) -> ApiResult<NewPlanVersion> {
    let checked = checked(ask, terms).await.map_err(|problem| problem.below("/terms"));
    let QuotedCustomer::New(prospect) = customer else { return checked };
    // Without terms there is no currency; no rule of a prospect asks for one.
    let currency = checked.as_ref().map_or(ask.client.organisation.currency, |terms| terms.currency);
    let refusals = prospect.refusals(currency, ask.now.date_naive());
    if refusals.is_empty() {
        return checked;
    }
    let mut problem = Problem::of_refusals(&refusals).below("/prospect");
    match checked {
        Err(of_terms) if of_terms.status != StatusCode::UNPROCESSABLE_ENTITY => return Err(of_terms),
        Err(of_terms) => problem.fields.splice(0..0, of_terms.fields).for_each(drop),
        Ok(_) => {}
    }
    Err(Problem::of_fields(problem.fields))
}

async fn create(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<Created<Quote>> {
    let customer = match (given.customer, given.prospect) {
        (Some(id), None) => QuotedCustomer::Known(super::customers::named(&ask.tx, id, "/customer").await?.id),
        (None, Some(of)) => QuotedCustomer::New(Prospect {
            name: of.name,
            email: of.email,
            time_zone: of.time_zone,
            country: of.country,
            address_lines: of.address_lines,
            tax_id: of.tax_id,
            payment_terms_days: of.payment_terms_days,
            billing: of.billing,
        }),
        _ => return Err(Problem::invalid("/customer", "one_of_two", "give either customer or prospect")),
    };
    let document = Terms(given.terms);
    let terms = must_hold(ask, &document, &customer).await?;
    let new = NewQuote {
        plan_name: given.plan_name,
        plan_description: given.plan_description,
        terms,
        seats: given.seats,
        quantities: given.quantities,
        with_trial: given.with_trial,
        customer,
        estimate_id: given.estimate,
        note: given.note,
        valid_until: given.valid_until,
    };
    let meters = own_meters(ask).await?;
    let made = subscription::create_quote(&ask.tx, &new, &meters, &ask.actor(), ask.now).await;
    let (id, token) = made.map_err(|error| match error {
        SubscriptionError::NotFound { kind: kind @ "estimate", id } => Problem::unknown("/estimate", kind, id),
        other => super::subscriptions::named(other),
    })?;
    let written = subscription::quote(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    if let Err(error) = invoicing::must_be_reckoned(&ask.tx, &written).await {
        return Err(not_reckoned(error, &document));
    }
    Ok(Created(Quote { token: Some(token), ..shown(written, ask.now) }))
}

/// What makes the month too large: a quantity, or a price of the terms.
fn not_reckoned(error: InvoicingError, terms: &Terms) -> Problem {
    match error {
        InvoicingError::Subscription(SubscriptionError::Refused(refusal))
            if refusal.field.starts_with("components/") =>
        {
            Problem::of_fields(problems(&terms.0, &[refusal])).below("/terms")
        }
        other => other.into(),
    }
}

async fn pdf(ask: &Ask, _: Nothing) -> ApiResult<Pdf> {
    let quote = subscription::quote(&ask.tx, ask.id("quote_id")?).await?.ok_or_else(Problem::not_found)?;
    let bytes = invoicing::quote_pdf(&ask.tx, &quote, None).await?;
    Ok(Pdf { name: quote.number, bytes })
}

async fn link(ask: &Ask, _: Nothing) -> ApiResult<Created<Quote>> {
    let id = ask.id("quote_id")?;
    let quote = find(ask, id).await?;
    let token = subscription::link_quote(&ask.tx, id, &ask.actor(), ask.now).await?;
    Ok(Created(Quote { token: Some(token), ..quote }))
}

/// Where a quote's letter goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Sending)]
struct Sending {
    #[schema(example = "office@nordwind.example")]
    email: String,
}

async fn send(ask: &Ask, Given(given): Given<Sending>) -> ApiResult<Created<Quote>> {
    let id = ask.id("quote_id")?;
    find(ask, id).await?;
    if ask.app.mail.is_none() {
        let why = "No letters leave here: nobody has said over which server.";
        return Err(Problem::new(StatusCode::CONFLICT, "sends_no_letters", why));
    }
    let to = given.email.trim();
    subscription::send_quote(&ask.tx, id, to, ask.now).await?;
    mail::post_quote(&ask.tx, id, to, &ask.actor(), &ask.site.origin(&ask.app), ask.now).await?;
    Ok(Created(find(ask, id).await?))
}

async fn withdraw(ask: &Ask, _: Nothing) -> ApiResult<One<Quote>> {
    let id = ask.id("quote_id")?;
    subscription::withdraw_quote(&ask.tx, id, ask.now).await?;
    Ok(One(find(ask, id).await?))
}

/// Who accepts which quote.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Acceptance)]
struct Accepting {
    /// Of the quote's link.
    token: String,
    /// Name of who accepts it.
    accepted_by: String,
    #[serde(default)]
    email: Option<String>,
    /// What stands on the documents of a prospect; left out, as the quote has it.
    #[serde(default)]
    company: Option<String>,
    #[serde(default)]
    address_lines: Vec<String>,
    /// ISO 3166, two letters.
    #[serde(default)]
    country: Option<String>,
    #[serde(default)]
    tax_id: Option<String>,
}

async fn accept(ask: &Ask, Given(given): Given<Accepting>) -> ApiResult<One<Quote>> {
    let quote = subscription::quote_by_token(&ask.tx, &given.token).await?.ok_or_else(Problem::not_found)?;
    let acceptance = Acceptance {
        name: given.accepted_by,
        email: given.email,
        company: given.company,
        address_lines: given.address_lines,
        country: given.country,
        tax_id: given.tax_id,
    };
    let meters = own_meters(ask).await?;
    subscription::accept_quote(&ask.tx, &given.token, &acceptance, &meters, ask.now).await?;
    Ok(One(find(ask, quote.id).await?))
}
