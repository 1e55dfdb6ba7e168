//! Money held for a call before it talks on: in the caller's wallet, then in each prepaid book above.

use crate::entity::call::Model;
use crate::error::{CallError, Result};
use crate::explanation::TaxInside;
use crate::price::{CallPrice, Reach};
use crate::upward;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CallId, CustomerId, Db, NumberId, PlatformReason, TariffId, TenantId, TenantTx};
use ledger::{Leg, Reserve, Reserved};
use money::{Currency, Decimal, Money};
use pricing::{CompiledTariff, RoundTo, Tariff};
use sip_media::Grant;
use subscription::{Billing, Customer, StoredTariff};
use tenant::{Organisation, RoundCallsTo};

/// A reservation outlives the time that it pays for by this much; three missed renewals.
const LEASE_SECONDS: i64 = 180;
/// What a book above holds for a call is kept by no sign of life, and a call that costs no more is not renewed: its end closes the
/// hold, within minutes where the edge is silent. Should that be lost, no call lasts longer than this.
const LEASE_ABOVE_HOURS: i64 = 24;
/// A grant is renewed when a fifth of it is left, between these.
const RENEW_BEFORE_SECONDS: (u32, u32) = (5, 12);
/// Other calls may take what was just seen to be free; then it is seen again.
const TRIES: u32 = 4;

/// A call's tariff, compiled for its book.
pub(crate) async fn price_of(
    tx: &TenantTx,
    tariff_id: TariffId,
    book: &Organisation,
) -> Result<(StoredTariff, CallPrice)> {
    let stored = subscription::tariff(tx, tariff_id).await?.ok_or(CallError::UnknownTariff(tariff_id))?;
    let price = compile(&stored.tariff, stored.currency, book)?;
    Ok((stored, price))
}

/// A tariff, or a prefix's in a deck, with a book's zone and rounding.
pub(crate) fn compile(tariff: &Tariff, currency: Currency, book: &Organisation) -> Result<CallPrice> {
    let compiled = CompiledTariff::compile(tariff, currency, &book.time_zone)?;
    let round = match book.round_calls_to {
        RoundCallsTo::Micros => RoundTo::Micros,
        RoundCallsTo::Minor => RoundTo::Minor,
    };
    Ok(CallPrice::new(compiled, round))
}

/// The tax rate inside a customer's call charges: the seller's, unless the customer is taxed otherwise.
pub(crate) fn tax_percent(customer: &Customer, book: &Organisation) -> Decimal {
    customer.tax_treatment.percent(book.tax_percent)
}

/// What the edge is told.
pub(crate) fn told(reach: &Reach, metered: u32) -> Grant {
    let Some(seconds) = reach.seconds else { return unlimited() };
    let (least, most) = RENEW_BEFORE_SECONDS;
    let before = (seconds.saturating_sub(metered) / 5).clamp(least, most);
    Grant {
        authorised_seconds: Some(seconds),
        renew_at_second: seconds.saturating_sub(before),
        is_final: reach.is_final,
    }
}

/// A grant without end: postpaid, covered by a plan, or free.
pub(crate) fn unlimited() -> Grant {
    Grant { authorised_seconds: None, renew_at_second: 0, is_final: false }
}

/// Until when what is held for a call may stay without a sign of life.
pub(crate) fn lease(authorised: Option<u32>, metered: u32, at: DateTime<Utc>) -> DateTime<Utc> {
    let left = authorised.map_or(0, |authorised| authorised.saturating_sub(metered));
    at + TimeDelta::seconds(LEASE_SECONDS + i64::from(left))
}

/// What is being asked for.
pub(crate) struct Ask<'a> {
    pub call: &'a Model,
    pub customer_id: CustomerId,
    /// How far a budget for the whole call reaches.
    pub reach: &'a (dyn Fn(Money) -> Result<Reach> + Sync),
    pub metered: u32,
    pub authorised: u32,
}

/// Holds money in the caller's wallet for the next reach of a call; `None` when there is not enough for a single increment.
pub(crate) async fn hold(tx: &TenantTx, ask: &Ask<'_>, at: DateTime<Utc>) -> Result<Option<Reach>> {
    let call_id = CallId::from_uuid(ask.call.id);
    let Some(wallet) = ledger::wallet_of(tx, ask.customer_id).await? else { return Ok(None) };
    let held = ledger::held(tx, call_id, Leg::Caller, wallet.balance.currency()).await?;
    let mut free = wallet.available()?;
    for tried in 1..=TRIES {
        let budget = held.amount.checked_add(free)?;
        let reach = (ask.reach)(budget)?;
        if reach.seconds == Some(0) {
            return Ok(None);
        }
        let missing = reach.cost.checked_sub(held.amount)?;
        if !missing.is_positive() {
            return Ok(Some(reach));
        }
        let wish = Reserve {
            call_id,
            leg: Leg::Caller,
            seq: held.last_seq + tried,
            customer_id: ask.customer_id,
            amount: missing,
            lease_until: lease(reach.seconds, ask.metered, at),
        };
        match ledger::reserve(tx, &wish, at).await? {
            Reserved::Open => return Ok(Some(reach)),
            Reserved::Denied { available } => free = available,
        }
    }
    let seconds = ask.authorised;
    Ok((seconds > 0).then_some(Reach { seconds: Some(seconds), cost: held.amount, is_final: true }))
}

/// What the books above answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Above {
    /// None of them is prepaid, or none takes a share.
    NothingToHold,
    Held,
    /// One of them has no money left; what the ones below it had taken is given back.
    Refused,
}

/// What a call's books above are asked to hold for.
pub(crate) struct Below {
    pub tenant_id: TenantId,
    pub call_id: CallId,
    pub number_id: NumberId,
    pub started_at: DateTime<Utc>,
    /// What the call may cost the caller so far, tax included.
    pub gross: Money,
    pub tax_percent: Decimal,
}

/// Holds each prepaid book's share on the way up, one short transaction each, seller first. Asked again with more, it holds the
/// difference.
pub(crate) async fn hold_above(db: &Db, below: &Below, at: DateTime<Utc>) -> Result<Above> {
    let ptx = db.platform(PlatformReason::WalkTheTree).await?;
    let chain = tenant::chain_at(&ptx, below.tenant_id, below.started_at).await?;
    ptx.commit().await?;
    let lease_until = at + TimeDelta::hours(LEASE_ABOVE_HOURS);
    let (net, _) = TaxInside::of(below.gross, below.tax_percent)?;
    let mut received = Some(net);
    let mut holding = Vec::new();
    for step in chain {
        let tx = db.tenant(step.book).await?;
        let share = upward::share(&tx, &step, below.number_id, net, received).await?;
        received = share.map(|share| share.amount);
        let Some(base) = received else { continue };
        let customer = subscription::customer(&tx, step.customer_id).await?;
        let is_prepaid = customer.is_some_and(|c| c.billing == Billing::Prepaid && c.currency == base.currency());
        if !is_prepaid {
            continue;
        }
        let is_held = hold_of_child(&tx, step.customer_id, below.call_id, base, lease_until, at).await?;
        tx.commit().await?;
        if !is_held {
            release_above(db, &holding, below.call_id, at).await?;
            return Ok(Above::Refused);
        }
        holding.push(step.book);
    }
    Ok(if holding.is_empty() { Above::NothingToHold } else { Above::Held })
}

/// Holds so much in all for a call in the wallet that the level below has at this book; false when there is not enough.
pub(crate) async fn hold_of_child(
    tx: &TenantTx,
    customer_id: CustomerId,
    call_id: CallId,
    amount: Money,
    lease_until: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<bool> {
    let held = ledger::held(tx, call_id, Leg::Seller, amount.currency()).await?;
    let missing = amount.checked_sub(held.amount)?;
    if missing.is_positive() {
        let (leg, seq) = (Leg::Seller, held.last_seq + 1);
        let wish = Reserve { call_id, leg, seq, customer_id, amount: missing, lease_until };
        if let Reserved::Denied { .. } = ledger::reserve(tx, &wish, at).await? {
            return Ok(false);
        }
    }
    ledger::extend_lease(tx, call_id, Leg::Seller, lease_until, at).await?;
    Ok(true)
}

async fn release_above(db: &Db, books: &[TenantId], call_id: CallId, at: DateTime<Utc>) -> Result<()> {
    for book in books {
        let tx = db.tenant(*book).await?;
        ledger::release(&tx, call_id, Leg::Seller, at).await?;
        tx.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::Currency;

    #[test]
    fn a_grant_is_renewed_at_four_fifths_of_what_is_left_and_at_least_five_seconds_before_its_end() {
        // (authorised, metered) -> renew at
        for ((seconds, metered), renew_at) in
            [((60, 0), 48), ((108, 48), 96), ((20, 0), 15), ((3, 0), 0), ((3600, 0), 3588)]
        {
            let reach = Reach { seconds: Some(seconds), cost: Money::zero(Currency::EUR), is_final: false };
            assert_eq!(told(&reach, metered).renew_at_second, renew_at, "{seconds} {metered}");
        }
    }
}
