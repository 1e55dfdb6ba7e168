//! The book's accounts at any instant, and every entry.

use super::body::Text;
use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, One, Route, Shown, get};
use super::shapes::{self, Amount};
use chrono::{DateTime, Utc};
use db::CustomerId;
use ledger::{AccountKind, AccountRef, EntryFilter, EntryLine, EntryPlace};
use money::Currency;
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Ledger;
    vec![
        get("/v1/ledger/entries", group, "List entries of all accounts, the oldest first", entries),
        get("/v1/ledger/trial-balance", group, "Read the trial balance at an instant", trial_balance),
        get("/v1/ledger/accounts/{account}/balance", group, "Read an account's balance at an instant", balance),
    ]
}

/// What one posting moves on one account. Positive credits, negative debits.
#[derive(Serialize, ToSchema)]
#[schema(as = LedgerEntry)]
struct Entry {
    #[schema(example = "ledger_entry")]
    object: &'static str,
    transaction: String,
    position: i32,
    at: DateTime<Utc>,
    /// Of the posting: `call`, `invoice`, `settlement` ..
    kind: String,
    memo: String,
    #[schema(schema_with = shapes::account)]
    account: &'static str,
    customer: Option<String>,
    amount: Amount,
}

impl Shown for Entry {}

fn entry(of: EntryLine) -> Entry {
    Entry {
        object: "ledger_entry",
        transaction: of.place.transaction_id.to_string(),
        position: of.place.position,
        at: of.place.at,
        kind: of.kind,
        memo: of.memo,
        account: of.account.kind().code(),
        customer: of.account.customer_id().map(|id| id.to_string()),
        amount: of.amount.into(),
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct EntriesAsked {
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
    /// The `next` of the page before.
    starting_after: Option<String>,
    #[param(schema_with = shapes::account)]
    account: Option<String>,
    #[param(value_type = Option<String>)]
    customer: Option<Text<CustomerId>>,
    /// The book's own when left out.
    #[param(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
    /// Entries that count at this instant or later.
    from: Option<DateTime<Utc>>,
    /// Entries that count before this instant.
    before: Option<DateTime<Utc>>,
}

fn kind(word: &str) -> ApiResult<AccountKind> {
    let unknown = |_| Problem::invalid("/account", "unknown_word", "must be an account of the chart").with_value(word);
    word.parse().map_err(unknown)
}

async fn entries(ask: &Ask, Asked(asked): Asked<EntriesAsked>) -> ApiResult<List<Entry>> {
    let limit = list::limit(asked.limit)?;
    let filter = EntryFilter {
        account: asked.account.as_deref().map(kind).transpose()?,
        customer_id: asked.customer.map(|id| id.0),
        currency: asked.currency.map_or(ask.client.organisation.currency, |currency| currency.0),
        from: asked.from.unwrap_or(DateTime::UNIX_EPOCH),
        to: asked.before.unwrap_or(ask.now),
        after: list::after::<EntryPlace>(asked.starting_after.as_deref())?,
        limit: limit + 1,
    };
    let found = ledger::entries(&ask.tx, &filter).await?;
    let (found, next) = list::cut(found, limit, |line| list::place(line.place));
    Ok(List::page(found.into_iter().map(entry).collect(), next))
}

/// All accounts of one kind and currency together.
#[derive(Serialize, ToSchema)]
struct TrialBalanceAccount {
    #[schema(schema_with = shapes::account)]
    account: &'static str,
    accounts: u64,
    balance: Amount,
}

/// Every account of the book; in each currency they sum to zero.
#[derive(Serialize, ToSchema)]
struct TrialBalance {
    #[schema(example = "trial_balance")]
    object: &'static str,
    at: DateTime<Utc>,
    accounts: Vec<TrialBalanceAccount>,
}

impl Shown for TrialBalance {}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AtAsked {
    /// Entries that count at this instant or earlier; now when left out.
    at: Option<DateTime<Utc>>,
}

async fn trial_balance(ask: &Ask, Asked(asked): Asked<AtAsked>) -> ApiResult<One<TrialBalance>> {
    let at = asked.at.unwrap_or(ask.now);
    let lines = ledger::trial_balance(&ask.tx, at).await?.into_iter();
    let accounts = lines.map(|line| TrialBalanceAccount {
        account: line.kind.code(),
        accounts: line.accounts,
        balance: line.balance.into(),
    });
    Ok(One(TrialBalance { object: "trial_balance", at, accounts: accounts.collect() }))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct BalanceAsked {
    /// Entries that count at this instant or earlier; now when left out.
    at: Option<DateTime<Utc>>,
    /// Whose, for accounts that each customer has its own of.
    #[param(value_type = Option<String>)]
    customer: Option<Text<CustomerId>>,
    /// The book's own when left out.
    #[param(value_type = Option<String>)]
    currency: Option<Text<Currency>>,
}

/// One account at an instant.
#[derive(Serialize, ToSchema)]
struct AccountBalance {
    #[schema(example = "account_balance")]
    object: &'static str,
    #[schema(schema_with = shapes::account)]
    account: &'static str,
    customer: Option<String>,
    at: DateTime<Utc>,
    balance: Amount,
}

impl Shown for AccountBalance {}

async fn balance(ask: &Ask, Asked(asked): Asked<BalanceAsked>) -> ApiResult<One<AccountBalance>> {
    let kind: AccountKind = ask.id("account")?;
    let at = asked.at.unwrap_or(ask.now);
    let customer_id = asked.customer.map(|id| id.0);
    let account = match (customer_id, kind.is_per_customer()) {
        (Some(id), true) => AccountRef::Customer(kind, id),
        (None, false) => AccountRef::Book(kind),
        (None, true) => {
            let rule = "must name the customer: each has an account of its own";
            return Err(Problem::invalid("/customer", "required", rule));
        }
        (Some(id), false) => {
            let rule = "must be left out: the account belongs to the book";
            return Err(Problem::invalid("/customer", "unexpected", rule).with_value(id.to_string()));
        }
    };
    if let Some(id) = customer_id {
        subscription::customer(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    }
    let currency = asked.currency.map_or(ask.client.organisation.currency, |currency| currency.0);
    let balance = ledger::balance(&ask.tx, account, currency, at).await?;
    Ok(One(AccountBalance {
        object: "account_balance",
        account: kind.code(),
        customer: customer_id.map(|id| id.to_string()),
        at,
        balance: balance.into(),
    }))
}
