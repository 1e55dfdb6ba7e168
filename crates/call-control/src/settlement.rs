//! The end of a call: one transaction of its book settles everything that the book itself knows, and puts what the books above
//! must know into the outbox.

use crate::covering::{by_component, covering};
use crate::dimensions::Known;
use crate::entity::call::Model;
use crate::error::Result;
use crate::explanation::{CallExplanation, PricedBy, TaxInside, read_currency};
use crate::grant;
use crate::included::{self, Subscriber};
use crate::outgoing;
use crate::price::{CallPrice, started_seconds};
use crate::reading::ChargedBy;
use crate::record;
use crate::store::legs::{self, NewLeg};
use crate::store::upward::Correction;
use crate::upward;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CallId, TenantTx};
use ledger::{Leg, Settle};
use money::{Decimal, Money};
use pricing::{Explanation, PriceVersion, RoundTo};
use sip_media::EndCause;
use subscription::{Billing, Customer, StoredTariff};
use usage_metering::{SuspenseCause, UsageEvent};

/// What the edge says about a call's end.
pub(crate) struct Ending {
    pub at: DateTime<Utc>,
    pub cause: EndCause,
    /// The time that is charged: never above what was authorised.
    pub metered_ms: u64,
    pub estimated: bool,
}

/// What a metered call comes to.
#[derive(Clone, Debug)]
pub(crate) struct Rated {
    /// Tax included; `None` where a component's price decides at the period's end.
    pub charge: Option<Money>,
    /// Without tax: what the books above take their share of; `None` where it is not known yet.
    pub net: Option<Money>,
    pub tax_percent: Option<Decimal>,
    pub billed_seconds: u32,
    pub explanation: CallExplanation,
}

/// What a call came to when it was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub call_id: CallId,
    /// Tax included; `None` where it was not metered, or a plan's price decides at the period's end.
    pub charge: Option<Money>,
    pub charged_by: Option<ChargedBy>,
}

impl Settled {
    pub fn of(call: &Model, rated: Option<&Rated>) -> Self {
        Self {
            call_id: call.id.into(),
            charge: rated.and_then(|rated| rated.charge),
            charged_by: call.charged_by.as_deref().and_then(ChargedBy::from_word),
        }
    }
}

/// Ends a call and settles it. A call that was never metered costs nothing and gives back what was held for it; one that has
/// ended already stays as it is.
pub(crate) async fn end(tx: &TenantTx, call: &mut Model, ending: &Ending) -> Result<()> {
    if call.ended_at.is_some() {
        return crate::correction::correct(tx, call, ending).await;
    }
    let call_id = CallId::from_uuid(call.id);
    call.ended_at = Some(ending.at.max(call.started_at));
    call.state = "ended".to_owned();
    call.end_cause = Some(word(ending.cause));
    call.estimated = ending.estimated;
    let authorised_ms = call.authorised_seconds.map_or(u64::MAX, |seconds| u64::from(seconds.unsigned_abs()) * 1000);
    let metered_ms = ending.metered_ms.min(authorised_ms);
    call.metered_ms = Some(i64::try_from(metered_ms).unwrap_or(i64::MAX));
    if let Some(agent_id) = call.agent_id {
        record::free_agent(tx, agent_id.into(), ending.at).await?;
    }
    if metered_ms == 0 || call.charged_by.is_none() {
        ledger::release(tx, call_id, Leg::Caller, ending.at).await?;
    } else {
        let metered = TimeDelta::milliseconds(i64::try_from(metered_ms).unwrap_or(i64::MAX));
        let start = call.meter_started_at.unwrap_or(ending.at - metered);
        call.meter_started_at = Some(start);
        settle(tx, call, start, started_seconds(metered_ms), ending.at).await?;
    }
    call.settled_at = Some(ending.at);
    if call.direction == "outbound" {
        return outgoing::settle::finish(tx, call, ending.at).await;
    }
    if call.holds_upward || call.billed_seconds.is_some() {
        upward::tell_call(tx, call_id, ending.at).await?;
    }
    Ok(())
}

/// How an end is stored: `caller_hung_up`, `refused:no_credit`.
pub(crate) fn word(cause: EndCause) -> String {
    match serde_json::to_value(cause) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(serde_json::Value::Object(map)) => {
            let both = map.into_iter().next();
            both.map_or_else(String::new, |(word, why)| format!("{word}:{}", why.as_str().unwrap_or_default()))
        }
        _ => String::new(),
    }
}

async fn settle(tx: &TenantTx, call: &mut Model, start: DateTime<Utc>, seconds: u32, now: DateTime<Utc>) -> Result<()> {
    let Some(customer_id) = call.customer_id else { return Ok(()) };
    let Some(customer) = subscription::customer(tx, customer_id.into()).await? else { return Ok(()) };
    let book = tenant::organisation(tx).await?;
    let mut rated = match (call.tariff_id, call.subscription_id) {
        (Some(tariff_id), _) => {
            let (stored, price) = grant::price_of(tx, tariff_id.into(), &book).await?;
            by_tariff(call, &stored, &price, start, seconds, grant::tax_percent(&customer, &book))?
        }
        (None, Some(subscription_id)) => {
            let subscriber = Subscriber::read(tx, &customer, subscription_id.into()).await?;
            let mut covering = covering(call, &subscriber)?;
            if customer.billing == Billing::Prepaid {
                for component in &covering.components {
                    let before = included::before(tx, &subscriber, component, call.started_at).await?;
                    covering.before.insert(component.key.clone(), before);
                }
            }
            let plan = subscription::plan(tx, covering.plan_id).await?.map_or_else(String::new, |plan| plan.name);
            let used = included::settle(tx, &subscriber, call.id.into(), &covering.allowances, seconds, now).await?;
            by_component(call, &covering, &plan, &used, (&customer, grant::tax_percent(&customer, &book)), seconds)?
        }
        (None, None) if call.deck_id.is_some() => {
            let rated = outgoing::settle::rate(tx, call, &customer, &book, start, seconds).await?;
            rated.unwrap_or_else(|| nothing(seconds, "its deck is gone"))
        }
        (None, None) => {
            let text = format!(
                "several subscriptions of customer {} cover call {}",
                customer.customer_no,
                CallId::from_uuid(call.id)
            );
            let payload = serde_json::json!({ "call_id": CallId::from_uuid(call.id), "seconds": seconds });
            usage_metering::suspend(tx, SuspenseCause::SeveralSubscriptions, &text, &payload, now).await?;
            nothing(seconds, "several subscriptions of the customer cover it; it waits in suspense")
        }
    };
    if let Some(charge) = rated.charge {
        let unpaid = post(tx, call, &customer, charge, rated.net.unwrap_or(charge), now).await?;
        rated.explanation.unpaid = unpaid.filter(Money::is_positive).map(|unpaid| unpaid.as_decimal());
    }
    keep(call, &rated)?;
    legs::insert(tx, &[leg(tx, call, &rated)?], now).await?;
    let outcomes = usage_metering::ingest_in(tx, &usage(call, &rated), now).await?;
    tracing::trace!(?outcomes, "Counted a call");
    Ok(())
}

/// Writes what a call came to on its row.
pub(crate) fn keep(call: &mut Model, rated: &Rated) -> Result<()> {
    call.charge_micros = rated.charge.map(|charge| charge.micros());
    call.net_micros = rated.net.map(|net| net.micros());
    call.tax_percent = rated.tax_percent;
    call.billed_seconds = Some(i32::try_from(rated.billed_seconds).unwrap_or(i32::MAX));
    call.explanation = serde_json::to_value(&rated.explanation).ok();
    Ok(())
}

/// Prepaid: out of the wallet, and every reservation of the leg is closed. Postpaid: accrued. Once, by (call, leg).
async fn post(
    tx: &TenantTx,
    call: &mut Model,
    customer: &Customer,
    charge: Money,
    net: Money,
    now: DateTime<Utc>,
) -> Result<Option<Money>> {
    // The network takes it from the caller: this book's share of it comes from its seller.
    if call.collected_by == "seller" {
        return Ok(None);
    }
    let settle = charge_of(call, customer, charge);
    if customer.billing == Billing::Prepaid {
        let settled = ledger::settle(tx, &settle, now).await?;
        call.transaction_id = Some(settled.posted.transaction_id.uuid());
        return Ok(Some(settled.unpaid));
    }
    let key = settle.key();
    let posted = ledger::accrue(tx, customer.id, net, &key, &settle.memo, settle.effective_at, now).await?;
    call.transaction_id = Some(posted.transaction_id.uuid());
    Ok(None)
}

pub(crate) fn charge_of(call: &Model, customer: &Customer, charge: Money) -> Settle {
    Settle {
        call_id: call.id.into(),
        leg: Leg::Caller,
        customer_id: customer.id,
        charge,
        kind: "call",
        memo: format!("{} · {}", call.topic_name.as_deref().unwrap_or("Call"), call.called),
        effective_at: call.ended_at.unwrap_or(call.started_at),
    }
}

/// What the topic's tariff says.
pub(crate) fn by_tariff(
    call: &Model,
    stored: &StoredTariff,
    price: &CallPrice,
    start: DateTime<Utc>,
    seconds: u32,
    tax_percent: Decimal,
) -> Result<Rated> {
    let charge = price.charge(start, seconds)?;
    let (net, tax) = TaxInside::of(charge.amount, tax_percent)?;
    let (number, digit, topic) = place(call);
    let rounded_to = if price.round() == RoundTo::Micros { "micros" } else { "minor" };
    let explanation = CallExplanation {
        priced_by: PricedBy::Tariff {
            number,
            digit,
            topic,
            tariff_id: stored.id,
            tariff: stored.name.clone(),
            version: stored.version,
        },
        metered_seconds: seconds,
        billed_seconds: charge.billed_seconds,
        included: Vec::new(),
        sum: price.explain(start, seconds)?.by(PriceVersion {
            name: stored.name.clone(),
            version: stored.version,
            component: String::new(),
        }),
        rounded_to: rounded_to.to_owned(),
        discounts: Vec::new(),
        tax: Some(tax),
        unpaid: None,
    };
    Ok(Rated {
        charge: Some(charge.amount),
        net: Some(net),
        tax_percent: Some(tax_percent),
        billed_seconds: charge.billed_seconds,
        explanation,
    })
}

pub(crate) fn place(call: &Model) -> (String, i32, String) {
    (call.called.clone(), call.digit.unwrap_or_default(), call.topic_name.clone().unwrap_or_default())
}

/// Charged by nobody.
pub(crate) fn nothing(seconds: u32, reason: &str) -> Rated {
    let explanation = CallExplanation {
        priced_by: PricedBy::Nothing { reason: reason.to_owned() },
        metered_seconds: seconds,
        billed_seconds: seconds,
        included: Vec::new(),
        sum: Explanation::default(),
        rounded_to: "micros".to_owned(),
        discounts: Vec::new(),
        tax: None,
        unpaid: None,
    };
    Rated { charge: None, net: None, tax_percent: None, billed_seconds: seconds, explanation }
}

/// Minutes of seconds, to six decimals.
pub(crate) fn minutes(seconds: u32) -> Decimal {
    (Decimal::from(seconds) / Decimal::from(60)).round_dp(6)
}

/// The caller's leg.
pub(crate) fn leg(tx: &TenantTx, call: &Model, rated: &Rated) -> Result<NewLeg> {
    let detail = match &rated.explanation.priced_by {
        PricedBy::Tariff { tariff, version, .. } => format!("{tariff}, version {version}"),
        PricedBy::Deck { deck, version, prefix, .. } => format!("{deck}, version {version}, prefix {prefix}"),
        PricedBy::Component { plan, component, .. } => format!("{plan}: {component}"),
        PricedBy::Nothing { reason } => reason.clone(),
    };
    Ok(NewLeg {
        origin: tx.tenant_id(),
        call_id: call.id.into(),
        kind: "caller",
        customer_id: call.customer_id.map(Into::into),
        currency: read_currency(call.currency.as_deref().unwrap_or_default())?.code().to_owned(),
        quantity_seconds: i32::try_from(rated.billed_seconds).unwrap_or(i32::MAX),
        amount: rated.charge.or(rated.net),
        cost: None,
        share_percent: None,
        detail,
        unpaid_micros: 0,
        collected: None,
    })
}

/// What a call counts on the meters of its own book: one call, its minutes, and its charge where a tariff made one. A call that
/// nobody charges waits in suspense and counts nothing.
pub(crate) fn usage(call: &Model, rated: &Rated) -> Vec<UsageEvent> {
    let Some(customer_id) = call.customer_id else { return Vec::new() };
    if call.charged_by.as_deref() == Some("nothing") {
        return Vec::new();
    }
    let event = |meter: &str, quantity: Decimal| UsageEvent {
        source: "call-control".to_owned(),
        id: format!("{}:{meter}", CallId::from_uuid(call.id)),
        meter: meter.to_owned(),
        customer_id: customer_id.into(),
        subscription_id: call.subscription_id.map(Into::into),
        quantity,
        dimensions: Known::charged(call).dimensions(),
        occurred_at: call.started_at,
    };
    let mut events = vec![event("calls", Decimal::ONE), event("minutes", minutes(rated.billed_seconds))];
    if let Some(charge) = rated.charge {
        events.push(event("charge", charge.as_decimal()));
    }
    events
}

/// What a correction adds to a meter; nothing where it is nothing.
pub(crate) fn more_usage(call: &Model, correction: Correction, meter: &str, quantity: Decimal) -> Option<UsageEvent> {
    let customer_id = call.customer_id.filter(|_| !quantity.is_zero())?;
    let of = if correction == Correction::Reversal { "reversal" } else { "correction" };
    Some(UsageEvent {
        source: "call-control".to_owned(),
        id: format!("{}:{meter}:{of}", CallId::from_uuid(call.id)),
        meter: meter.to_owned(),
        customer_id: customer_id.into(),
        subscription_id: call.subscription_id.map(Into::into),
        quantity,
        dimensions: Known::charged(call).dimensions(),
        occurred_at: call.started_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip_media::RefusalReason;

    #[test]
    fn an_end_is_stored_by_its_word_and_a_refusal_with_its_reason() {
        assert_eq!(word(EndCause::CallerHungUp), "caller_hung_up");
        assert_eq!(word(EndCause::Refused(RefusalReason::NoCredit)), "refused:no_credit");
    }

    #[test]
    fn minutes_are_seconds_by_sixty() {
        for (seconds, expected) in [(0, "0"), (6, "0.1"), (10, "0.166667"), (1569, "26.15")] {
            assert_eq!(minutes(seconds), expected.parse::<Decimal>().unwrap());
        }
    }
}
