//! What partners are owed, month by month: read, issued, discarded, drafted again, and recorded as paid.

use super::body::{Number, Text};
use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Pdf, Route, Shown, get, post};
use super::shapes::{self, Amount};
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, SettlementId};
use invoicing::{InvoicingError, Payout, SettlementFilter, SettlementState, StatementRow};
use money::Decimal;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use tenant::ScopeGroup;
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Settlements;
    vec![
        get("/v1/settlements", group, "List what partners are owed, the newest month first", settlements),
        get("/v1/settlements/{settlement_id}", group, "Read one statement with its rows", settlement),
        get("/v1/settlements/{settlement_id}/pdf", group, "Read an issued statement as a PDF", pdf),
        post("/v1/settlements/{settlement_id}/issue", group, "Issue a draft: it gets its number", issue),
        post("/v1/settlements/{settlement_id}/payout", group, "Record that an issued statement was paid", pay),
        post(
            "/v1/settlements/{settlement_id}/discard",
            group,
            "Throw a draft away: its calls stand on another",
            discard,
        ),
        post(
            "/v1/settlements/{settlement_id}/redraft",
            group,
            "Draft the month of a discarded statement again",
            redraft,
        ),
    ]
}

/// A partner's statement for a month.
#[derive(Serialize, ToSchema)]
#[schema(as = Settlement)]
struct Settlement {
    #[schema(example = "settlement")]
    object: &'static str,
    id: String,
    customer: String,
    period_starts_on: NaiveDate,
    /// The first day after the period.
    period_ends_on: NaiveDate,
    #[schema(schema_with = shapes::settlement_state)]
    state: &'static str,
    /// Of the final document; null while it is a draft.
    document: Option<String>,
    /// What the shares sum to, to the micro.
    owed: Amount,
    net: Amount,
    tax: Amount,
    tax_category: String,
    tax_percent: Number,
    /// What is paid out.
    payable: Amount,
    issued_at: Option<DateTime<Utc>>,
    paid_on: Option<NaiveDate>,
    payout_reference: Option<String>,
    discarded_at: Option<DateTime<Utc>>,
    discard_reason: Option<String>,
}

impl Shown for Settlement {}

impl From<invoicing::Settlement> for Settlement {
    fn from(of: invoicing::Settlement) -> Self {
        Self {
            object: "settlement",
            id: of.id.to_string(),
            customer: of.customer_id.to_string(),
            period_starts_on: of.period_starts_on,
            period_ends_on: of.period_ends_on,
            state: of.state().as_str(),
            document: of.document_id.map(|id| id.to_string()),
            owed: of.owed.into(),
            net: of.net.into(),
            tax: of.tax.into(),
            tax_category: of.statement.tax_category,
            tax_percent: Number(of.statement.tax_percent),
            payable: of.gross.into(),
            issued_at: of.issued_at,
            paid_on: of.payout.as_ref().map(|payout| payout.on),
            payout_reference: of.payout.map(|payout| payout.reference),
            discarded_at: of.discarded.as_ref().map(|discard| discard.at),
            discard_reason: of.discarded.map(|discard| discard.reason),
        }
    }
}

/// Calls of a number, or an adjustment.
#[derive(Serialize, ToSchema)]
struct SettlementRow {
    called: String,
    /// Empty for the month's own calls; else what is adjusted, and of which month.
    note: String,
    calls: i64,
    minutes: Number,
    /// What was collected, net of tax.
    gross: Amount,
    carrier_cost: Amount,
    /// The seller's share.
    kept: Amount,
    /// The partner's share.
    owed: Amount,
}

/// A statement with its rows.
#[derive(Serialize, ToSchema)]
struct OpenedSettlement {
    #[serde(flatten)]
    settlement: Settlement,
    agreement: String,
    rows: Vec<SettlementRow>,
    adjustments: Vec<SettlementRow>,
}

impl Shown for OpenedSettlement {
    fn id(&self) -> String {
        self.settlement.id.clone()
    }
}

fn row(of: &StatementRow) -> SettlementRow {
    SettlementRow {
        called: of.called.clone(),
        note: of.note.clone(),
        calls: of.calls,
        minutes: Number((Decimal::from(of.seconds) / Decimal::from(60)).round_dp(6)),
        gross: of.gross.into(),
        carrier_cost: of.carrier_cost.into(),
        kept: of.kept.into(),
        owed: of.owed.into(),
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
    #[param(value_type = Option<String>)]
    customer: Option<Text<CustomerId>>,
    #[param(schema_with = shapes::settlement_state)]
    state: Option<String>,
}

/// A month and a statement: the place in the list.
struct Month(NaiveDate, SettlementId);

impl FromStr for Month {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (on, id) = text.split_once('.').ok_or(())?;
        Ok(Self(on.parse().map_err(|_| ())?, id.parse().map_err(|_| ())?))
    }
}

async fn settlements(ask: &Ask, Asked(asked): Asked<ListAsked>) -> ApiResult<List<Settlement>> {
    let state = |word: String| {
        let known = SettlementState::ALL.into_iter().find(|state| state.as_str() == word);
        let rule = "must be draft, issued, paid or discarded";
        known.ok_or_else(|| Problem::invalid("/state", "unknown_word", rule).with_value(word))
    };
    let limit = list::limit(asked.limit)?;
    let filter = SettlementFilter {
        customer_id: asked.customer.map(|id| id.0),
        state: asked.state.map(state).transpose()?,
        issued_only: false,
        after: list::after::<Month>(asked.starting_after.as_deref())?.map(|Month(on, id)| (on, id)),
        limit: limit + 1,
    };
    let found = invoicing::settlements(&ask.tx, &filter).await?;
    let (found, next) = list::cut(found, limit, |of| list::place(format!("{}.{}", of.period_starts_on, of.id)));
    Ok(List::page(found.into_iter().map(Settlement::from).collect(), next))
}

async fn opened(ask: &Ask, id: SettlementId) -> ApiResult<OpenedSettlement> {
    let of = invoicing::settlement(&ask.tx, id).await?;
    Ok(OpenedSettlement {
        agreement: of.statement.agreement.clone(),
        rows: of.statement.rows.iter().map(row).collect(),
        adjustments: of.statement.adjustments.iter().map(row).collect(),
        settlement: of.into(),
    })
}

async fn settlement(ask: &Ask, _: Nothing) -> ApiResult<One<OpenedSettlement>> {
    Ok(One(opened(ask, ask.id("settlement_id")?).await?))
}

async fn issue(ask: &Ask, _: Nothing) -> ApiResult<One<OpenedSettlement>> {
    let id = ask.id("settlement_id")?;
    invoicing::issue_settlement(&ask.tx, id, &ask.actor(), ask.now).await?;
    Ok(One(opened(ask, id).await?))
}

/// That a statement was paid, and how the transfer is found again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPayout)]
struct NewPayout {
    /// A day from its issue to today.
    paid_on: NaiveDate,
    #[schema(example = "SEPA 4711")]
    reference: String,
}

async fn pay(ask: &Ask, Given(given): Given<NewPayout>) -> ApiResult<One<OpenedSettlement>> {
    let id = ask.id("settlement_id")?;
    let payout = Payout { on: given.paid_on, reference: given.reference.clone(), by: ask.actor() };
    invoicing::record_payout(&ask.tx, id, &payout, ask.now).await.map_err(|error| match error {
        InvoicingError::ReferenceMustBeGiven { .. } => {
            Problem::invalid("/reference", "must_be_given", error.to_string()).with_value(given.reference)
        }
        InvoicingError::PayoutMustFollowIssue { .. } => {
            Problem::invalid("/paid_on", "must_follow_issue", error.to_string()).with_value(given.paid_on.to_string())
        }
        other => other.into(),
    })?;
    Ok(One(opened(ask, id).await?))
}

/// Why a draft is wrong.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettlementDiscard)]
struct NewDiscard {
    reason: String,
}

async fn discard(ask: &Ask, Given(given): Given<NewDiscard>) -> ApiResult<One<OpenedSettlement>> {
    let id = ask.id("settlement_id")?;
    let discarded = invoicing::discard_settlement(&ask.tx, id, &given.reason, &ask.actor(), ask.now).await;
    discarded.map_err(|error| match error {
        InvoicingError::DiscardMustHaveReason { .. } => {
            Problem::invalid("/reason", "must_be_given", error.to_string()).with_value(given.reason)
        }
        other => other.into(),
    })?;
    Ok(One(opened(ask, id).await?))
}

async fn redraft(ask: &Ask, _: Nothing) -> ApiResult<Created<OpenedSettlement>> {
    let new = invoicing::draft_again(&ask.app.db, &ask.tx, ask.id("settlement_id")?, ask.now).await?;
    Ok(Created(opened(ask, new).await?))
}

async fn pdf(ask: &Ask, _: Nothing) -> ApiResult<Pdf> {
    let of = invoicing::settlement(&ask.tx, ask.id("settlement_id")?).await?;
    let id = of.document_id.ok_or_else(Problem::not_found)?;
    let name = invoicing::document(&ask.tx, id).await?.document.number;
    let bytes = invoicing::pdf(&ask.tx, id, None, ask.now).await?;
    Ok(Pdf { name, bytes })
}
