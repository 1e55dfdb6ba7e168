//! How what a number earns is split with the organisation below that has it: on terms of its own, or on its customer's.

use super::body::Number;
use super::customers;
use super::problem::{ApiResult, FieldProblem, Problem};
use super::route::{Ask, Given, Nothing, One, Route, Shown, get, put};
use super::shapes;
use db::{CustomerId, NumberId};
use money::Percent;
use serde::{Deserialize, Serialize};
use subscription::{Collection, NumberTerms, PartnerTerms, ShareOf, Split};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Settlements;
    vec![
        get("/v1/numbers/{number_id}/split", group, "Read how a number's revenue is split", of_number),
        put("/v1/numbers/{number_id}/split", group, "Agree how a number's revenue is split", agree_number),
        get("/v1/customers/{customer_id}/split", group, "Read how revenue is split with a customer", of_customer),
        put("/v1/customers/{customer_id}/split", group, "Agree how revenue is split with a customer", agree_customer),
    ]
}

/// How a number's revenue is split.
#[derive(Serialize, ToSchema)]
struct NumberSplit {
    #[schema(example = "number_split")]
    object: &'static str,
    number: String,
    /// Who has it.
    customer: String,
    /// These are the customer's terms, whatever they become.
    follows_customer: bool,
    /// What the seller keeps, net of tax.
    share_percent: Number,
    #[schema(schema_with = shapes::collection)]
    collection: &'static str,
    #[schema(schema_with = shapes::share_of)]
    of: &'static str,
}

impl Shown for NumberSplit {
    fn id(&self) -> String {
        self.number.clone()
    }
}

fn shown(of: NumberTerms) -> NumberSplit {
    NumberSplit {
        object: "number_split",
        number: of.number_id.to_string(),
        customer: of.customer_id.to_string(),
        follows_customer: of.follows_customer,
        share_percent: Number(of.share.as_decimal()),
        collection: of.collection.as_str(),
        of: of.of.as_str(),
    }
}

async fn find(ask: &Ask, id: NumberId) -> ApiResult<NumberTerms> {
    subscription::number_terms(&ask.tx, id).await?.ok_or_else(Problem::not_found)
}

async fn of_number(ask: &Ask, _: Nothing) -> ApiResult<One<NumberSplit>> {
    Ok(One(shown(find(ask, ask.id("number_id")?).await?)))
}

/// A number's split as it is to be: the customer's terms, or terms of its own, which are then given in full.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NumberSplitSetting {
    #[serde(default)]
    follows_customer: bool,
    /// What the seller keeps, net of tax: 0 to 100, with three decimals.
    share_percent: Option<Number>,
    #[schema(schema_with = shapes::collection)]
    collection: Option<Collection>,
    #[schema(schema_with = shapes::share_of)]
    of: Option<ShareOf>,
}

impl NumberSplitSetting {
    /// The terms of its own; `None` where it follows its customer.
    fn read(&self) -> ApiResult<Option<Split>> {
        if let (false, Some(share), Some(collection), Some(of)) =
            (self.follows_customer, self.share_percent, self.collection, self.of)
        {
            return Ok(Some(Split { share: percent(share)?, collection, of }));
        }
        let given = [
            ("share_percent", self.share_percent.is_some()),
            ("collection", self.collection.is_some()),
            ("of", self.of.is_some()),
        ];
        let (code, rule) = match self.follows_customer {
            true => ("must_be_absent", "must be left out where the customer's terms hold"),
            false => ("missing", "this field is missing"),
        };
        let wrong = given.iter().filter(|(_, is_given)| *is_given == self.follows_customer);
        let wrong: Vec<FieldProblem> =
            wrong.flat_map(|(name, _)| Problem::invalid(format!("/{name}"), code, rule).fields).collect();
        if wrong.is_empty() { Ok(None) } else { Err(Problem::of_fields(wrong)) }
    }
}

fn percent(of: Number) -> ApiResult<Percent> {
    Percent::new(of.0).map_err(|error| {
        let rule = pricing::PricingError::from(error);
        Problem::invalid("/share_percent", rule.code(), rule.to_string())
    })
}

async fn agree_number(ask: &Ask, Given(given): Given<NumberSplitSetting>) -> ApiResult<One<NumberSplit>> {
    let is = find(ask, ask.id("number_id")?).await?;
    ask.must_match(&shown(is))?;
    match given.read()? {
        Some(split) => subscription::set_split(&ask.tx, is.number_id, is.customer_id, split, ask.now).await?,
        None => subscription::follow_customer(&ask.tx, is.number_id, is.customer_id, ask.now).await?,
    }
    Ok(One(shown(find(ask, is.number_id).await?)))
}

/// How revenue is split with a customer, for its numbers without terms of their own.
#[derive(Serialize, ToSchema)]
struct CustomerSplit {
    #[schema(example = "customer_split")]
    object: &'static str,
    customer: String,
    /// What the seller keeps, net of tax.
    share_percent: Number,
    #[schema(schema_with = shapes::collection)]
    collection: &'static str,
    #[schema(schema_with = shapes::share_of)]
    of: &'static str,
    /// What a self-billed statement refers to.
    agreement: String,
}

impl Shown for CustomerSplit {
    fn id(&self) -> String {
        self.customer.clone()
    }
}

async fn of(ask: &Ask, id: CustomerId) -> ApiResult<CustomerSplit> {
    let terms = subscription::partner_terms(&ask.tx, id).await?;
    Ok(CustomerSplit {
        object: "customer_split",
        customer: id.to_string(),
        share_percent: Number(terms.split.share.as_decimal()),
        collection: terms.split.collection.as_str(),
        of: terms.split.of.as_str(),
        agreement: terms.agreement,
    })
}

async fn of_customer(ask: &Ask, _: Nothing) -> ApiResult<One<CustomerSplit>> {
    let customer = customers::find(&ask.tx, ask.id("customer_id")?).await?;
    Ok(One(of(ask, customer.id).await?))
}

/// A customer's split as it is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CustomerSplitSetting {
    /// What the seller keeps, net of tax: 0 to 100, with three decimals.
    share_percent: Number,
    #[schema(schema_with = shapes::collection)]
    collection: Collection,
    #[schema(schema_with = shapes::share_of)]
    of: ShareOf,
    /// At most 200 characters.
    #[serde(default)]
    #[schema(example = "Agreement of 14 May 2026")]
    agreement: String,
}

async fn agree_customer(ask: &Ask, Given(given): Given<CustomerSplitSetting>) -> ApiResult<One<CustomerSplit>> {
    let customer_id = customers::find(&ask.tx, ask.id("customer_id")?).await?.id;
    ask.must_match(&of(ask, customer_id).await?)?;
    let split = Split { share: percent(given.share_percent)?, collection: given.collection, of: given.of };
    let terms = PartnerTerms { customer_id, split, agreement: given.agreement };
    subscription::set_partner_terms(&ask.tx, &terms, ask.now).await?;
    Ok(One(of(ask, customer_id).await?))
}
