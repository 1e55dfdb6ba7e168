//! What a prepaid customer has: paid and given, with its limit, and when it asks for money by itself.

use super::list::List;
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Created, Given, Nothing, One, Route, Shown, get, post, put};
use super::shapes::{self, Amount};
use chrono::{DateTime, Utc};
use db::CustomerId;
use ledger::{AutoRecharge, LedgerError, Promotion};
use money::Money;
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use utoipa::ToSchema;
use uuid::Uuid;

/// Longest reason of a credit, in characters.
const MEMO_MAX: usize = 120;
/// Attempts that are listed.
const RECHARGES_SHOWN: u64 = 100;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Wallets;
    vec![
        get("/v1/customers/{customer_id}/wallet", group, "Read a prepaid customer's wallet", wallet),
        get(
            "/v1/customers/{customer_id}/credits",
            group,
            "List promotional credit by time, and what is left of it",
            credits,
        ),
        post("/v1/customers/{customer_id}/credits", group, "Give promotional credit", give),
        put("/v1/customers/{customer_id}/credit-limit", group, "Set how far below zero calls may go", limit),
        get("/v1/customers/{customer_id}/auto-recharge", group, "Read when a wallet asks for money by itself", terms),
        put("/v1/customers/{customer_id}/auto-recharge", group, "Agree when a wallet asks for money by itself", agree),
        post(
            "/v1/customers/{customer_id}/auto-recharge/reset",
            group,
            "Let a wallet ask again that has stopped",
            reset,
        ),
        get(
            "/v1/customers/{customer_id}/recharges",
            group,
            "List what a wallet asked for, the newest first",
            recharges,
        ),
    ]
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
    /// Of the balance; below zero where a credit limit is used.
    paid: Amount,
    /// Of the balance, given away and used first.
    promotional: Amount,
    /// Promised to calls that run.
    reserved: Amount,
    /// Zero, or minus a credit limit.
    floor: Amount,
    /// What may still be promised: balance, less what is reserved, less the floor.
    available: Amount,
}

impl Shown for Wallet {}

async fn wallet(ask: &Ask, _: Nothing) -> ApiResult<One<Wallet>> {
    let id: CustomerId = ask.id("customer_id")?;
    let wallet = ledger::wallet_of(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    let credit = ledger::credit_of(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    Ok(One(Wallet {
        object: "wallet",
        id: wallet.id.to_string(),
        customer: wallet.customer_id.to_string(),
        balance: wallet.balance.into(),
        paid: credit.paid.into(),
        promotional: credit.promotional.into(),
        reserved: wallet.reserved.into(),
        floor: wallet.floor.into(),
        available: wallet.available()?.into(),
    }))
}

/// The customer of the path, with a wallet.
async fn holder(ask: &Ask) -> ApiResult<CustomerId> {
    let id: CustomerId = ask.id("customer_id")?;
    ledger::wallet_of(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    Ok(id)
}

/// Credit that was given.
#[derive(Serialize, ToSchema)]
#[schema(as = PromotionalCredit)]
struct Credit {
    #[schema(example = "promotional_credit")]
    object: &'static str,
    id: String,
    customer: String,
    amount: Amount,
    left: Amount,
    /// What was posted back when it expired.
    expired: Amount,
    granted_at: DateTime<Utc>,
    /// Null: it does not expire.
    expires_at: Option<DateTime<Utc>>,
}

impl Shown for Credit {
    fn id(&self) -> String {
        self.id.clone()
    }
}

async fn credits_of(ask: &Ask, id: CustomerId) -> ApiResult<Vec<Credit>> {
    let credit = ledger::credit_of(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    let shown = |of: ledger::Grant| Credit {
        object: "promotional_credit",
        id: of.id.to_string(),
        customer: id.to_string(),
        amount: of.amount.into(),
        left: of.left.into(),
        expired: of.expired.into(),
        granted_at: of.granted_at,
        expires_at: of.expires_at,
    };
    Ok(credit.grants.into_iter().map(shown).collect())
}

async fn credits(ask: &Ask, _: Nothing) -> ApiResult<List<Credit>> {
    Ok(List::whole(credits_of(ask, ask.id("customer_id")?).await?))
}

/// Credit to be given. It is used before paid money, the soonest to expire first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPromotionalCredit)]
struct NewCredit {
    #[schema(value_type = shapes::Amount)]
    amount: Money,
    /// Stands in the wallet: Welcome credit.
    memo: String,
    expires_at: Option<DateTime<Utc>>,
}

async fn give(ask: &Ask, Given(given): Given<NewCredit>) -> ApiResult<Created<Credit>> {
    let customer_id = holder(ask).await?;
    let memo = given.memo.trim();
    if memo.is_empty() || memo.chars().count() > MEMO_MAX {
        let rule = format!("must be 1 to {MEMO_MAX} characters");
        return Err(Problem::invalid("/memo", "must_be_given", rule).with_value(given.memo));
    }
    let promotion = Promotion {
        customer_id,
        amount: given.amount,
        expires_at: given.expires_at,
        // The request takes effect once: that is the key of this.
        key: Uuid::now_v7().to_string(),
        memo: memo.to_owned(),
    };
    let posted = ledger::grant(&ask.tx, &promotion, ask.now).await.map_err(|error| match error {
        LedgerError::AmountMustBePositive(amount) => {
            Problem::invalid("/amount", "must_be_positive", "must be above zero").with_value(amount.format_plain())
        }
        LedgerError::PromotionMustNotHaveExpired(at) => {
            Problem::invalid("/expires_at", "must_lie_ahead", "must lie ahead").with_value(at.to_rfc3339())
        }
        LedgerError::NoWallet { currency, .. } => {
            Problem::invalid("/amount/currency", "must_match_wallet", "must be the wallet's currency")
                .with_value(currency.code())
        }
        other => other.into(),
    })?;
    let id = posted.transaction_id.to_string();
    let given = credits_of(ask, customer_id).await?.into_iter().find(|credit| credit.id == id);
    Ok(Created(given.ok_or_else(Problem::not_found)?))
}

/// How far below zero calls may take a balance.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreditLimit)]
struct Limit {
    /// Zero or above.
    #[schema(value_type = shapes::Amount)]
    amount: Money,
}

async fn limit(ask: &Ask, Given(given): Given<Limit>) -> ApiResult<One<Wallet>> {
    let customer_id = holder(ask).await?;
    let refused =
        |code: &str, rule: &str| Problem::invalid("/amount", code, rule).with_value(given.amount.format_plain());
    if given.amount.is_negative() {
        return Err(refused("must_not_be_negative", "must not be negative"));
    }
    ledger::set_floor(&ask.tx, customer_id, given.amount.checked_neg()?, ask.now).await.map_err(
        |error| match error {
            LedgerError::WalletMustKeepItsFloor => refused(
                "must_cover_what_is_used",
                "must not be less than what is used already, calls that run included",
            ),
            LedgerError::NoWallet { .. } => refused("must_match_wallet", "must be in the wallet's currency"),
            other => other.into(),
        },
    )?;
    wallet(ask, Nothing).await
}

/// When a wallet asks for money by itself.
#[derive(Serialize, ToSchema)]
#[schema(as = AutoRecharge)]
struct Terms {
    #[schema(example = "auto_recharge")]
    object: &'static str,
    customer: String,
    is_on: bool,
    /// It asks when less than this is available.
    below: Amount,
    amount: Amount,
    /// At most within 24 hours.
    day_cap: Amount,
    /// At most within thirty days.
    month_cap: Amount,
    /// Between two attempts.
    cool_off_seconds: u32,
    /// Attempts in a row that nobody answered.
    failures: u32,
    /// Since when it asks no more, until a person lets it; null while it asks.
    stopped_at: Option<DateTime<Utc>>,
    stopped_because: Option<String>,
}

impl Shown for Terms {
    fn id(&self) -> String {
        self.customer.clone()
    }
}

async fn terms_of(ask: &Ask, id: CustomerId) -> ApiResult<Terms> {
    let state = ledger::auto_recharge_of(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    let (stopped_at, stopped_because) = state.breaker.unzip();
    Ok(Terms {
        object: "auto_recharge",
        customer: id.to_string(),
        is_on: state.terms.is_on,
        below: state.terms.below.into(),
        amount: state.terms.amount.into(),
        day_cap: state.terms.day_cap.into(),
        month_cap: state.terms.month_cap.into(),
        cool_off_seconds: state.terms.cool_off_seconds,
        failures: state.failures,
        stopped_at,
        stopped_because,
    })
}

async fn terms(ask: &Ask, _: Nothing) -> ApiResult<One<Terms>> {
    Ok(One(terms_of(ask, ask.id("customer_id")?).await?))
}

/// Terms to be agreed; all amounts in the wallet's currency.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAutoRecharge)]
struct NewTerms {
    is_on: bool,
    #[schema(value_type = shapes::Amount)]
    below: Money,
    #[schema(value_type = shapes::Amount)]
    amount: Money,
    #[schema(value_type = shapes::Amount)]
    day_cap: Money,
    #[schema(value_type = shapes::Amount)]
    month_cap: Money,
    cool_off_seconds: u32,
}

async fn agree(ask: &Ask, Given(given): Given<NewTerms>) -> ApiResult<One<Terms>> {
    let customer_id = holder(ask).await?;
    let customer = subscription::customer(&ask.tx, customer_id).await?.ok_or_else(Problem::not_found)?;
    if given.is_on && customer.email.is_none() {
        let rule = "needs the customer's e-mail address: it asks by letter";
        return Err(Problem::invalid("/is_on", "must_have_address", rule).with_value("true"));
    }
    for (name, amount) in [
        ("/below", given.below),
        ("/amount", given.amount),
        ("/day_cap", given.day_cap),
        ("/month_cap", given.month_cap),
    ] {
        if amount.currency() != customer.currency {
            let rule = format!("must be in {}", customer.currency);
            return Err(Problem::invalid(name, "must_match_wallet", rule).with_value(amount.currency().code()));
        }
    }
    let terms = AutoRecharge {
        customer_id,
        below: given.below,
        amount: given.amount,
        day_cap: given.day_cap,
        month_cap: given.month_cap,
        cool_off_seconds: given.cool_off_seconds,
        is_on: given.is_on,
    };
    ledger::set_auto_recharge(&ask.tx, &terms, ask.now).await.map_err(|error| match error {
        LedgerError::AmountMustBePositive(amount) => {
            Problem::invalid("/amount", "must_be_positive", "must be above zero").with_value(amount.format_plain())
        }
        LedgerError::ChargeMustNotBeNegative(below) => {
            Problem::invalid("/below", "must_not_be_negative", "must not be negative").with_value(below.format_plain())
        }
        LedgerError::CapsMustRise => {
            Problem::invalid("/day_cap", "caps_must_rise", LedgerError::CapsMustRise.to_string())
                .with_value(given.day_cap.format_plain())
        }
        other => other.into(),
    })?;
    Ok(One(terms_of(ask, customer_id).await?))
}

async fn reset(ask: &Ask, _: Nothing) -> ApiResult<One<Terms>> {
    let id = holder(ask).await?;
    ledger::close_breaker(&ask.tx, id, ask.now).await?;
    Ok(One(terms_of(ask, id).await?))
}

/// What a wallet asked for by itself.
#[derive(Serialize, ToSchema)]
#[schema(as = Recharge)]
struct Recharge {
    #[schema(example = "recharge")]
    object: &'static str,
    id: String,
    customer: String,
    amount: Amount,
    /// What was available when it was decided.
    available: Amount,
    #[schema(schema_with = shapes::recharge_state)]
    state: &'static str,
    decided_at: DateTime<Utc>,
}

impl Shown for Recharge {}

async fn recharges(ask: &Ask, _: Nothing) -> ApiResult<List<Recharge>> {
    let id = holder(ask).await?;
    let shown = |of: ledger::Recharge| Recharge {
        object: "recharge",
        id: of.id.to_string(),
        customer: of.customer_id.to_string(),
        amount: of.amount.into(),
        available: of.available.into(),
        state: of.state.as_str(),
        decided_at: of.decided_at,
    };
    Ok(List::whole(ledger::recharges_of(&ask.tx, id, RECHARGES_SHOWN).await?.into_iter().map(shown).collect()))
}
