//! An edge came back with more than was known when a call was closed without it: the difference, once.

use crate::entity::call::Model;
use crate::error::Result;
use crate::explanation::TaxInside;
use crate::grant;
use crate::price::started_seconds;
use crate::settlement::{self, Ending};
use crate::store::many::{self, NewCorrection};
use crate::store::upward::Correction;
use crate::upward;
use chrono::TimeDelta;
use db::{CallId, TenantTx};
use ledger::Settle;
use money::Money;
use subscription::Billing;

const KIND: &str = "call_correction";

/// Charges what a call that was closed by estimate used beyond it. Nothing happens to a call whose end is known, or that a
/// tariff does not charge: usage by component is the period's, not the call's.
pub(crate) async fn correct(tx: &TenantTx, call: &mut Model, ending: &Ending) -> Result<()> {
    let (Some(customer_id), Some(tariff_id), Some(start)) = (call.customer_id, call.tariff_id, call.meter_started_at)
    else {
        return Ok(());
    };
    let settled_ms = call.metered_ms.unwrap_or(0).unsigned_abs();
    let authorised_ms = call.authorised_seconds.map_or(u64::MAX, |seconds| u64::from(seconds.unsigned_abs()) * 1000);
    let metered_ms = ending.metered_ms.min(authorised_ms);
    if !call.estimated || metered_ms <= settled_ms {
        return Ok(());
    }
    let Some(customer) = subscription::customer(tx, customer_id.into()).await? else { return Ok(()) };
    let book = tenant::organisation(tx).await?;
    let (stored, price) = grant::price_of(tx, tariff_id.into(), &book).await?;
    let charged = Money::from_micros(call.charge_micros.unwrap_or(0), stored.currency);
    let difference = price.charge(start, started_seconds(metered_ms))?.amount.checked_sub(charged)?;
    call.estimated = false;
    if !difference.is_positive() {
        return Ok(());
    }
    let call_id = CallId::from_uuid(call.id);
    let (net, _) = TaxInside::of(difference, grant::tax_percent(&customer, &book))?;
    let charge = Settle { kind: KIND, ..settlement::charge_of(call, &customer, difference) };
    let transaction_id = if call.collected_by == "seller" {
        None
    } else if customer.billing == Billing::Prepaid {
        Some(ledger::settle(tx, &charge, ending.at).await?.posted.transaction_id)
    } else {
        let key = format!("{KIND}:{}", charge.key());
        let at = (charge.effective_at, ending.at);
        Some(ledger::accrue(tx, customer.id, net, &key, &charge.memo, at.0, at.1).await?.transaction_id)
    };
    let more = TimeDelta::milliseconds(i64::try_from(metered_ms - settled_ms).unwrap_or(i64::MAX));
    let reason = format!("the edge came back: the call lasted {} s longer than was known", more.num_seconds());
    let seconds = started_seconds(metered_ms) - started_seconds(settled_ms);
    let new = NewCorrection {
        call_id,
        customer_id: customer.id,
        kind: Correction::Estimate,
        amount: difference,
        net,
        seconds: i32::try_from(seconds).unwrap_or(i32::MAX),
        reason: &reason,
        transaction_id,
    };
    if many::insert_correction(tx, &new, ending.at).await? {
        upward::tell(tx, call_id, Correction::Estimate, ending.at).await?;
    }
    let mut events = settlement::extra_usage(call, difference, seconds, Correction::Estimate);
    events.retain(|event| !event.quantity.is_zero());
    usage_metering::ingest_in(tx, &events, ending.at).await?;
    Ok(())
}
