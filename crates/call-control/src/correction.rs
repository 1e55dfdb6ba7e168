//! An edge came back with more than was known when a call was closed without it: the difference, once.

use crate::covering::{by_component, covering};
use crate::entity::call::Model;
use crate::error::Result;
use crate::explanation::{TaxInside, read_currency};
use crate::grant;
use crate::included::{self, Subscriber};
use crate::outgoing::settle::{self, Talk};
use crate::price::started_seconds;
use crate::settlement::{self, Ending};
use crate::store::many::{self, NewCorrection};
use crate::store::upward::Correction;
use crate::upward;
use chrono::{DateTime, Utc};
use db::{CallId, TariffId, TenantTx, TransactionId};
use ledger::{AllowanceUsed, Settle};
use money::{Decimal, Money};
use subscription::{Billing, Customer};
use tenant::Organisation;

const KIND: &str = "call_correction";

/// A call that turned out longer than it was settled for, in started seconds.
struct Longer<'a> {
    call: &'a Model,
    customer: &'a Customer,
    book: &'a Organisation,
    settled: u32,
    metered: u32,
    at: DateTime<Utc>,
}

/// Charges what a call that was closed by estimate used beyond it, and counts its minutes. Nothing happens to a call whose end
/// is known, that waits in suspense, or whose charge was taken back.
pub(crate) async fn correct(tx: &TenantTx, call: &mut Model, ending: &Ending) -> Result<()> {
    let settled_ms = call.metered_ms.unwrap_or(0).unsigned_abs();
    let authorised_ms = call.authorised_seconds.map_or(u64::MAX, |seconds| u64::from(seconds.unsigned_abs()) * 1000);
    let metered_ms = ending.metered_ms.min(authorised_ms);
    let Some(customer_id) = call.customer_id.filter(|_| call.estimated && metered_ms > settled_ms) else {
        return Ok(());
    };
    let known = many::corrections(tx, CallId::from_uuid(call.id)).await?;
    if known.iter().any(|known| known.kind == Correction::Reversal.as_str()) {
        return Ok(());
    }
    let Some(customer) = subscription::customer(tx, customer_id.into()).await? else { return Ok(()) };
    let book = tenant::organisation(tx).await?;
    let (settled, metered) = (started_seconds(settled_ms), started_seconds(metered_ms));
    let longer = Longer { call, customer: &customer, book: &book, settled, metered, at: ending.at };
    let charged = match (call.tariff_id, call.subscription_id, call.deck_id) {
        (Some(tariff_id), ..) => longer.by_tariff(tx, tariff_id.into()).await?,
        (None, Some(_), _) => longer.by_component(tx).await?,
        (None, None, Some(_)) => longer.by_deck(tx).await?,
        (None, None, None) => return Ok(()),
    };
    if let (Some(talk), "outbound") = (longer.talk(), call.direction.as_str()) {
        let charged = charged.unwrap_or(Money::zero(customer.currency));
        settle::correct(tx, call, &talk, charged, ending.at).await?;
    }
    call.estimated = false;
    Ok(())
}

impl Longer<'_> {
    fn seconds(&self) -> u32 {
        self.metered - self.settled
    }

    fn talk(&self) -> Option<Talk> {
        let start = self.call.meter_started_at?;
        Some(Talk { began: self.call.started_at, start, before: Some(self.settled), seconds: self.metered })
    }

    /// What it charged more, as the other two.
    async fn by_tariff(&self, tx: &TenantTx, tariff_id: TariffId) -> Result<Option<Money>> {
        let Some(start) = self.call.meter_started_at else { return Ok(None) };
        let (stored, price) = grant::price_of(tx, tariff_id, self.book).await?;
        let charged = Money::from_micros(self.call.charge_micros.unwrap_or(0), stored.currency);
        let difference = price.charge(start, self.metered)?.amount.checked_sub(charged)?;
        if !difference.is_positive() {
            return Ok(None);
        }
        self.count(tx, "minutes", settlement::minutes(self.seconds())).await?;
        self.charge(tx, difference).await
    }

    /// By the version of the deck that the call was let out with. What costs nothing more here may cost more above.
    async fn by_deck(&self, tx: &TenantTx) -> Result<Option<Money>> {
        let (Some((id, version)), Some(talk)) = (settle::deck_of(self.call), self.talk()) else { return Ok(None) };
        let digits = self.call.called.trim_start_matches('+');
        let Some(found) = settle::deck_price(tx, id, version, digits, self.book).await? else { return Ok(None) };
        let (difference, _) = talk.charge(&found.price)?;
        self.count(tx, "minutes", settlement::minutes(self.seconds())).await?;
        if difference.is_positive() {
            return self.charge(tx, difference).await;
        }
        let nothing = Money::zero(self.customer.currency);
        self.keep(tx, nothing, Some(nothing), None).await?;
        Ok(None)
    }

    /// What is left of the plan's allowance comes first, as for all of the call; the price of the rest is the document's, or at
    /// once a prepaid caller's. A call has counted as one already.
    async fn by_component(&self, tx: &TenantTx) -> Result<Option<Money>> {
        let Self { call, customer, at, .. } = *self;
        let subscriber = Subscriber::read(tx, customer, call.subscription_id.unwrap_or_default().into()).await?;
        let mut covering = covering(call, &subscriber)?;
        covering.components.retain(|component| component.measure.as_deref() == Some("minutes"));
        covering.allowances.retain(|included| included.terms.meter == "minutes");
        if customer.billing == Billing::Prepaid {
            for component in &covering.components {
                let before = included::before(tx, &subscriber, component, call.started_at).await?;
                covering.before.insert(component.key.clone(), before);
            }
        }
        let mut free_before = Vec::with_capacity(covering.allowances.len());
        for included in &covering.allowances {
            free_before.push(included::open(tx, &subscriber, included, at).await?.free);
        }
        self.count(tx, "minutes", settlement::minutes(self.seconds())).await?;
        // The call's use of an allowance is stored once: what comes later is counted from the meter, as from another system.
        let mut used = Vec::with_capacity(covering.allowances.len());
        for (included, before) in covering.allowances.iter().zip(free_before) {
            let after = included::open(tx, &subscriber, included, at).await?;
            let (quantity, free) = (included.quantity(self.seconds())?, after.free.less(before));
            used.push(AllowanceUsed { quantity, free, available: after.available(), is_new: true });
        }
        let who = (customer, grant::tax_percent(customer, self.book));
        let rated = by_component(call, &covering, "", &used, who, self.seconds())?;
        match rated.charge.filter(Money::is_positive) {
            Some(charge) => self.charge(tx, charge).await,
            None => {
                let nothing = Money::zero(read_currency(call.currency.as_deref().unwrap_or_default())?);
                self.keep(tx, rated.net.unwrap_or(nothing), rated.net, None).await?;
                Ok(None)
            }
        }
    }

    /// Counts more on a meter of the call.
    async fn count(&self, tx: &TenantTx, meter: &str, quantity: Decimal) -> Result<()> {
        let Some(event) = settlement::more_usage(self.call, Correction::Estimate, meter, quantity) else {
            return Ok(());
        };
        usage_metering::ingest_in(tx, &[event], self.at).await?;
        Ok(())
    }

    /// Takes a difference from the wallet, or accrues it, and says so. What is collected above, the caller owes to nobody here.
    async fn charge(&self, tx: &TenantTx, difference: Money) -> Result<Option<Money>> {
        let (net, _) = TaxInside::of(difference, grant::tax_percent(self.customer, self.book))?;
        let charge = Settle { kind: KIND, ..settlement::charge_of(self.call, self.customer, difference) };
        let transaction_id = if self.call.collected_by == "seller" {
            None
        } else if self.customer.billing == Billing::Prepaid {
            Some(ledger::settle(tx, &charge, self.at).await?.posted.transaction_id)
        } else {
            let key = format!("{KIND}:{}", charge.key());
            let (memo, effective_at) = (&charge.memo, charge.effective_at);
            Some(ledger::accrue(tx, self.customer.id, net, &key, memo, effective_at, self.at).await?.transaction_id)
        };
        self.count(tx, "charge", difference.as_decimal()).await?;
        self.keep(tx, difference, Some(net), transaction_id).await?;
        Ok(Some(difference))
    }

    /// The call's row stands as it was settled; the difference stands beside it, and the books above hear of it.
    async fn keep(
        &self,
        tx: &TenantTx,
        amount: Money,
        net: Option<Money>,
        transaction_id: Option<TransactionId>,
    ) -> Result<()> {
        let call_id = CallId::from_uuid(self.call.id);
        let reason = format!("the edge came back: the call lasted {} s longer than was known", self.seconds());
        let new = NewCorrection {
            call_id,
            customer_id: self.customer.id,
            kind: Correction::Estimate,
            amount,
            net,
            seconds: i32::try_from(self.seconds()).unwrap_or(i32::MAX),
            reason: &reason,
            transaction_id,
        };
        if many::insert_correction(tx, &new, self.at).await? {
            upward::tell(tx, call_id, Correction::Estimate, self.at).await?;
        }
        Ok(())
    }
}
