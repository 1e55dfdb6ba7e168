//! One call, opened: facts, why it cost what it cost, what each level that concerns this book got, and what happened when.

use crate::error::{CallError, Result};
use crate::explanation::{self, CallExplanation, read_currency};
use crate::grant;
use crate::outgoing::settle;
use crate::price::started_seconds;
use crate::reading::Call;
use crate::store;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, TenantTx};
use money::{Decimal, Money};

/// A call with everything that its book may know of it.
#[derive(Clone, Debug)]
pub struct CallDetail {
    pub call: Call,
    /// `None` before the call is settled, and for one that was never metered.
    pub explanation: Option<CallExplanation>,
    /// The charge counted again from the stored tariff; differs from the stored one never, or something is broken.
    pub recount: Option<Money>,
    pub legs: Vec<CallLegLine>,
    /// What it costs this book, to its seller or a carrier.
    pub costs: Vec<CallCost>,
    /// Net charge less the costs that are known, both with what corrected them; `None` while the net is not.
    pub margin: Option<Money>,
    /// What it is sold for without tax, with what corrected it.
    pub net: Option<Money>,
    pub corrections: Vec<CallCorrection>,
    pub events: Vec<CallEventLine>,
}

/// What this book sells the call for.
#[derive(Clone, Debug)]
pub struct CallLegLine {
    /// `caller`, `seller`.
    pub kind: String,
    pub customer_id: Option<CustomerId>,
    pub quantity_seconds: u32,
    /// `None`: a price over the whole period decides at its end.
    pub amount: Option<Money>,
    pub share_percent: Option<Decimal>,
    pub detail: String,
    pub settled_at: DateTime<Utc>,
}

/// What this book buys the call for.
#[derive(Clone, Debug)]
pub struct CallCost {
    /// `seller`, `carrier`.
    pub kind: String,
    /// `None`: a price over the whole period decides at its end.
    pub amount: Option<Money>,
    pub share_percent: Option<Decimal>,
    pub detail: String,
    pub settled_at: DateTime<Utc>,
}

/// A difference to a settled call.
#[derive(Clone, Debug)]
pub struct CallCorrection {
    /// The charge was taken back.
    pub is_reversal: bool,
    pub at: DateTime<Utc>,
    pub amount: Money,
    /// Without tax; `None` where nothing is shared of it.
    pub net: Option<Money>,
    pub reason: String,
}

/// A moment of the call.
#[derive(Clone, Debug)]
pub struct CallEventLine {
    /// `call_started`, `topic_selected` ..
    pub kind: String,
    pub seq: u32,
    pub at: DateTime<Utc>,
    /// Milliseconds since the INVITE, by the edge's monotonic clock.
    pub offset_ms: u64,
    /// What the event says beside its kind.
    pub detail: serde_json::Value,
}

/// One call of this book.
pub async fn call(tx: &TenantTx, id: CallId) -> Result<CallDetail> {
    let row = store::calls::find(tx, id).await?.ok_or(CallError::UnknownCall(id))?;
    let call = Call::try_from(&row)?;
    let costs = costs(tx, id).await?;
    let currency = call.charge.or(call.net).map(|amount| amount.currency());
    let (mut corrections, mut net) = (Vec::new(), call.net);
    for row in store::many::corrections(tx, id).await? {
        let Some(currency) = currency else { continue };
        let of_it = row.net_micros.map(|micros| Money::from_micros(micros, currency));
        net = match (net, of_it) {
            (Some(net), Some(of_it)) => Some(net.checked_add(of_it)?),
            _ => net,
        };
        let amount = Money::from_micros(row.amount_micros, currency);
        let is_reversal = row.kind == store::upward::Correction::Reversal.as_str();
        corrections.push(CallCorrection { is_reversal, at: row.at, amount, net: of_it, reason: row.reason });
    }
    Ok(CallDetail {
        explanation: row.explanation.as_ref().map(explanation::read).transpose()?,
        recount: match row.deck_id {
            Some(_) => settle::recount(tx, &row, &tenant::organisation(tx).await?).await?,
            None => recount(tx, &call, row.metered_ms).await?,
        },
        legs: legs(tx, id).await?,
        margin: margin(net, &costs)?,
        net,
        costs,
        corrections,
        events: events(tx, id).await?,
        call,
    })
}

/// Counts the charge again: the tariff's version is stored and never changes, and so is the metered time.
async fn recount(tx: &TenantTx, call: &Call, metered_ms: Option<i64>) -> Result<Option<Money>> {
    let (Some(tariff_id), Some(start), Some(metered_ms), Some(_)) =
        (call.tariff_id, call.meter_started_at, metered_ms, call.charge)
    else {
        return Ok(None);
    };
    let book = tenant::organisation(tx).await?;
    let (_, price) = grant::price_of(tx, tariff_id, &book).await?;
    Ok(Some(price.charge(start, started_seconds(metered_ms.unsigned_abs()))?.amount))
}

fn margin(net: Option<Money>, costs: &[CallCost]) -> Result<Option<Money>> {
    let Some(mut margin) = net else { return Ok(None) };
    for amount in costs.iter().filter_map(|cost| cost.amount) {
        if amount.currency() != margin.currency() {
            // a margin across currencies is a report of its own day's rates, not a figure of the call
            return Ok(None);
        }
        margin = margin.checked_sub(amount)?;
    }
    Ok(Some(margin))
}

async fn legs(tx: &TenantTx, id: CallId) -> Result<Vec<CallLegLine>> {
    let line = |row: store::legs::LegRow| {
        let currency = read_currency(&row.currency)?;
        Ok(CallLegLine {
            kind: row.kind,
            customer_id: row.customer_id.map(Into::into),
            quantity_seconds: row.quantity_seconds.unsigned_abs(),
            amount: row.amount_micros.map(|micros| Money::from_micros(micros, currency)),
            share_percent: row.share_percent,
            detail: row.detail,
            settled_at: row.settled_at,
        })
    };
    store::legs::of_call(tx, id).await?.into_iter().map(line).collect()
}

async fn costs(tx: &TenantTx, id: CallId) -> Result<Vec<CallCost>> {
    let line = |row: store::legs::CostRow| {
        let currency = read_currency(&row.currency)?;
        Ok(CallCost {
            kind: row.kind,
            amount: row.amount_micros.map(|micros| Money::from_micros(micros, currency)),
            share_percent: row.share_percent,
            detail: row.detail,
            settled_at: row.settled_at,
        })
    };
    store::legs::costs_of_call(tx, id).await?.into_iter().map(line).collect()
}

async fn events(tx: &TenantTx, id: CallId) -> Result<Vec<CallEventLine>> {
    let line = |row: store::calls::EventRow| CallEventLine {
        kind: row.kind,
        seq: row.seq.unsigned_abs(),
        at: row.at,
        offset_ms: row.offset_ms.unsigned_abs(),
        detail: row.detail,
    };
    Ok(store::calls::events(tx, id).await?.into_iter().map(line).collect())
}
