//! What a prepaid customer has.

use super::problem::{ApiResult, Problem};
use super::route::{Ask, Nothing, One, Route, Shown, get};
use super::shapes::Amount;
use serde::Serialize;
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    vec![get("/v1/customers/{customer_id}/wallet", ScopeGroup::Wallets, "Read a prepaid customer's wallet", wallet)]
}

/// A prepaid customer's money.
#[derive(Serialize, ToSchema)]
#[schema(as = Wallet)]
struct Wallet {
    #[schema(example = "wallet")]
    object: &'static str,
    id: String,
    customer: String,
    balance: Amount,
    /// Promised to calls that run.
    reserved: Amount,
    /// Zero, or minus a credit limit.
    floor: Amount,
    /// What may still be promised: balance, less what is reserved, less the floor.
    available: Amount,
}

impl Shown for Wallet {}

async fn wallet(ask: &Ask, _: Nothing) -> ApiResult<One<Wallet>> {
    let wallet = ledger::wallet_of(&ask.tx, ask.id("customer_id")?).await?.ok_or_else(Problem::not_found)?;
    Ok(One(Wallet {
        object: "wallet",
        id: wallet.id.to_string(),
        customer: wallet.customer_id.to_string(),
        balance: wallet.balance.into(),
        reserved: wallet.reserved.into(),
        floor: wallet.floor.into(),
        available: wallet.available()?.into(),
    }))
}
