//! How a book sells and routes calls that go out, and what a customer may spend on them.

use crate::error::{CallError, Result};
use crate::store::policy as store;
pub use crate::store::policy::{alerts as spend_alerts, policy as outgoing_policy};
use chrono::{DateTime, Utc};
use db::{CustomerId, DeckId, TenantTx};
use money::{Decimal, Money};
use uuid::Uuid;

/// What becomes of a call that a level would lose on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossGuard {
    /// It does not go out.
    Refuse,
    /// It goes out, and stands in a list.
    Flag,
}

impl LossGuard {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Flag => "flag",
        }
    }

    /// The one that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Refuse, Self::Flag].into_iter().find(|guard| guard.as_str() == word)
    }
}

/// How a book sells and routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingPolicy {
    /// For customers without one of their own; `None`: only these may call out.
    pub sell_deck: Option<DeckId>,
    pub loss_guard: LossGuard,
    /// What a route must leave of the price without tax, percent.
    pub minimum_margin_percent: Decimal,
    /// A carrier that answers less of its last calls is left out; 0: none is.
    pub minimum_answer_percent: Decimal,
}

/// What a customer may spend on outgoing calls. Amounts are in the customer's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpendLimit {
    /// May call out at all.
    pub is_open: bool,
    /// Instead of the book's.
    pub sell_deck: Option<DeckId>,
    pub call_micros: Option<i64>,
    pub hour_micros: Option<i64>,
    pub day_micros: Option<i64>,
    pub calls_at_once_max: Option<u32>,
}

/// What everybody may spend where a book has said nothing: little.
pub(crate) const USUAL: SpendLimit = SpendLimit {
    is_open: false,
    sell_deck: None,
    call_micros: Some(20_000_000),
    hour_micros: Some(50_000_000),
    day_micros: Some(100_000_000),
    calls_at_once_max: Some(5),
};

/// Whose limit: one customer's, or everybody's who has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOf {
    Everybody,
    One(CustomerId),
}

impl LimitOf {
    pub(crate) fn key(self) -> Uuid {
        match self {
            Self::Everybody => Uuid::nil(),
            Self::One(customer_id) => customer_id.uuid(),
        }
    }
}

/// Sets it.
pub async fn set_outgoing_policy(tx: &TenantTx, policy: &OutgoingPolicy, now: DateTime<Utc>) -> Result<()> {
    must_be_sell_deck(tx, policy.sell_deck).await?;
    for (field, percent) in [
        ("minimum_margin_percent", policy.minimum_margin_percent),
        ("minimum_answer_percent", policy.minimum_answer_percent),
    ] {
        if percent < Decimal::ZERO || percent > Decimal::ONE_HUNDRED || percent.normalize().scale() > 3 {
            let value = percent.to_string();
            return Err(CallError::RuleBroken { field, rule: "must be 0 to 100, with three decimals at most", value });
        }
    }
    store::put_policy(tx, policy, now).await
}

/// What is set for somebody; `None`: nothing.
pub async fn spend_limit(tx: &TenantTx, of: LimitOf) -> Result<Option<SpendLimit>> {
    store::limit(tx, of.key()).await
}

/// What holds for a customer: its own, else everybody's, else the usual one.
pub async fn spend_limit_of(tx: &TenantTx, customer_id: CustomerId) -> Result<SpendLimit> {
    match spend_limit(tx, LimitOf::One(customer_id)).await? {
        Some(own) => Ok(own),
        None => usual_spend_limit(tx).await,
    }
}

/// What holds for customers without a limit of their own.
pub async fn usual_spend_limit(tx: &TenantTx) -> Result<SpendLimit> {
    Ok(spend_limit(tx, LimitOf::Everybody).await?.unwrap_or(USUAL))
}

/// Sets it; `None` takes it away again.
pub async fn set_spend_limit(tx: &TenantTx, of: LimitOf, limit: Option<&SpendLimit>, now: DateTime<Utc>) -> Result<()> {
    let Some(limit) = limit else { return store::remove_limit(tx, of.key()).await };
    must_be_sell_deck(tx, limit.sell_deck).await?;
    for (field, micros) in
        [("call_limit", limit.call_micros), ("hour_limit", limit.hour_micros), ("day_limit", limit.day_micros)]
    {
        if let Some(micros) = micros.filter(|micros| *micros < 0) {
            return Err(CallError::RuleBroken { field, rule: "must not be negative", value: micros.to_string() });
        }
    }
    if let Some(most) = limit.calls_at_once_max.filter(|most| *most > 1_000_000) {
        let value = most.to_string();
        return Err(CallError::RuleBroken { field: "calls_at_once_max", rule: "must be at most 1000000", value });
    }
    store::put_limit(tx, of.key(), limit, now).await
}

async fn must_be_sell_deck(tx: &TenantTx, id: Option<DeckId>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let deck = usage_metering::deck(tx, id).await?;
    if deck.is_none_or(|deck| deck.kind != usage_metering::DeckKind::Sell) {
        let value = id.to_string();
        return Err(CallError::RuleBroken { field: "sell_deck", rule: "must be a sell deck of this book", value });
    }
    Ok(())
}

/// What reached a limit, and when: once for each customer, limit and hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendAlert {
    pub customer_id: CustomerId,
    /// `call`, `hour`, `day`, `class`, `calls_at_once`, `destination`, `loss`.
    pub guard: String,
    pub at: DateTime<Utc>,
    pub call_id: db::CallId,
    pub detail: String,
}

/// What a customer spent on outgoing calls since an instant, running ones counted with what they hold.
pub async fn spent_since(
    tx: &TenantTx,
    customer_id: CustomerId,
    from: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<i64> {
    store::spent(tx, customer_id, None, (from, at), None).await
}

/// A limit as money of the customer's currency.
pub(crate) fn amount(micros: Option<i64>, currency: money::Currency) -> Option<Money> {
    micros.map(|micros| Money::from_micros(micros, currency))
}
