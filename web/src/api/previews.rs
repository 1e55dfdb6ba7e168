//! What the next invoice will say, by the code that will write it: as things are, or as they would be after a change.

use super::changes::NewChange;
use super::customers;
use super::invoices::{Line, TaxGroup, line, tax_group};
use super::problem::ApiResult;
use super::route::{Ask, Given, Nothing, One, Route, Shown, get, reckon};
use super::shapes::Amount;
use super::subscriptions::{self, named};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, SubscriptionId, TenantTx};
use invoicing::DraftContent;
use serde::Serialize;
use subscription::History;
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    vec![
        reckon(
            "/v1/subscriptions/{subscription_id}/change-previews",
            ScopeGroup::Subscriptions,
            "What a change would put on the next invoice, to the cent",
            of_change,
        ),
        get(
            "/v1/customers/{customer_id}/next-invoice",
            ScopeGroup::Invoices,
            "What the next invoice will say, if nothing more is used or changed",
            of_customer,
        ),
    ]
}

/// Two documents to come. Nothing is stored.
#[derive(Serialize, ToSchema)]
#[schema(as = Preview)]
pub struct Preview {
    #[schema(example = "preview")]
    object: &'static str,
    customer: String,
    /// The next invoice bills what is over before this day.
    until_on: NaiveDate,
    /// With what was used up to now; null: nothing is due.
    next: Option<Foreseen>,
    /// The day of the invoice after it.
    following_on: NaiveDate,
    /// What the period after costs, before anything is used in it.
    following: Option<Foreseen>,
}

impl Shown for Preview {}

/// A document to come.
#[derive(Serialize, ToSchema)]
struct Foreseen {
    lines: Vec<Line>,
    taxes: Vec<TaxGroup>,
    net: Amount,
    tax: Amount,
    gross: Amount,
    /// What the wallet has paid already, call by call.
    settled: Amount,
    due: Amount,
}

async fn of_change(ask: &Ask, Given(given): Given<NewChange>) -> ApiResult<One<Preview>> {
    let id: SubscriptionId = ask.id("subscription_id")?;
    let customer = subscriptions::find(ask, id).await?.subscription.customer_id;
    let (change, when) = given.read()?;
    let after = subscription::what_if(&ask.tx, id, &change, when, ask.now).await.map_err(named)?;
    Ok(One(preview(&ask.tx, customer, &[after], ask.now).await?))
}

async fn of_customer(ask: &Ask, _: Nothing) -> ApiResult<One<Preview>> {
    let customer = customers::find(&ask.tx, ask.id("customer_id")?).await?;
    Ok(One(preview(&ask.tx, customer.id, &[], ask.now).await?))
}

/// What the next invoice and the one after it will say, as things are or with these subscriptions instead.
pub async fn preview(
    tx: &TenantTx,
    customer: CustomerId,
    what_if: &[History],
    now: DateTime<Utc>,
) -> ApiResult<Preview> {
    let preview = invoicing::preview(tx, customer, what_if, now).await?;
    Ok(Preview {
        object: "preview",
        customer: customer.to_string(),
        until_on: preview.until_on,
        next: preview.next.map(foreseen),
        following_on: preview.following_on,
        following: preview.following.map(foreseen),
    })
}

fn foreseen(of: DraftContent) -> Foreseen {
    Foreseen {
        lines: of.lines.into_iter().map(line).collect(),
        taxes: of.taxes.into_iter().map(tax_group).collect(),
        net: of.totals.net.into(),
        tax: of.totals.tax.into(),
        gross: of.totals.gross.into(),
        settled: of.totals.settled.into(),
        due: of.totals.due.into(),
    }
}
