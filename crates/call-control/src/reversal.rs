//! A call's charge is taken back, whole and once: entries, usage and every level's share are mirrored, nothing is
//! edited. What a call out was bought for stays bought.

use crate::error::{CallError, Result};
use crate::explanation::read_currency;
use crate::settlement;
use crate::store::many::{self, NewCorrection};
use crate::store::{calls, upward::Correction};
use crate::upward;
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx, TransactionId};
use money::Money;

const REASON_LETTERS_MAX: usize = 200;

/// Takes a call's charge back; what the caller gets. The books above give their shares back through the outbox.
pub async fn reverse_call(tx: &TenantTx, call_id: CallId, reason: &str, now: DateTime<Utc>) -> Result<Money> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_LETTERS_MAX {
        return Err(CallError::ReasonMustBeGiven(REASON_LETTERS_MAX));
    }
    let call = calls::lock(tx, call_id).await?.ok_or(CallError::UnknownCall(call_id))?;
    let charged = (call.charged_by.as_deref(), call.charge_micros, call.net_micros, call.customer_id, call.settled_at);
    let (Some("tariff"), Some(charge), Some(net), Some(customer_id), Some(_)) = charged else {
        return Err(CallError::CallMustBeCharged);
    };
    let currency = read_currency(call.currency.as_deref().unwrap_or_default())?;
    let (mut charge, mut net) = (Money::from_micros(charge, currency), Money::from_micros(net, currency));
    let mut posted: Vec<(String, TransactionId)> =
        call.transaction_id.map(|id| (format!("{call_id}"), id.into())).into_iter().collect();
    for correction in many::corrections(tx, call_id).await? {
        if correction.kind == Correction::Reversal.as_str() {
            return Err(CallError::CallIsReversed);
        }
        charge = charge.checked_add(Money::from_micros(correction.amount_micros, currency))?;
        net = net.checked_add(Money::from_micros(correction.net_micros.unwrap_or(0), currency))?;
        posted.extend(correction.transaction_id.map(|id| (format!("{call_id}:{}", correction.kind), id.into())));
    }
    let mut transaction_id = None;
    // A free call moved nothing, and has nothing to take back.
    for (key, id) in posted.iter().filter(|_| !charge.is_zero()) {
        let memo = format!("Call to {} taken back: {reason}", call.called);
        transaction_id = Some(ledger::reverse(tx, *id, key, &memo, now).await?.transaction_id);
    }
    let new = NewCorrection {
        call_id,
        customer_id: customer_id.into(),
        kind: Correction::Reversal,
        amount: charge.checked_neg()?,
        net: Some(net.checked_neg()?),
        seconds: 0,
        reason,
        transaction_id,
    };
    if !many::insert_correction(tx, &new, now).await? {
        return Err(CallError::CallIsReversed);
    }
    let back = charge.checked_neg()?.as_decimal();
    let less = settlement::more_usage(&call, Correction::Reversal, "charge", back);
    usage_metering::ingest_in(tx, less.as_slice(), now).await?;
    // A share is of what the caller pays; a call out was bought above at its own price, and its carrier asks that all the same.
    if call.direction == "inbound" {
        upward::tell(tx, call_id, Correction::Reversal, now).await?;
    }
    Ok(charge)
}
