//! What a prepaid caller pays for a covered call beyond what the plan includes: the component's price and the tax on it, out of
//! the wallet, second by second as a tariff is. What the call holds of an allowance is free; what was used beyond it before, by
//! other calls, decides the tier.

use crate::covering::{Covering, tax_on};
use crate::dimensions::Known;
use crate::entity::call::Model;
use crate::error::Result;
use crate::grant::{self, Ask};
use crate::included::{self, Subscriber, quantity};
use crate::price::{CHUNK_SECONDS, Reach};
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx};
use money::{Currency, Decimal, Money};
use pricing::{Exact, RoundTo, Segment, Usage};
use std::collections::BTreeMap;
use subscription::{Billing, Component, Customer};
use tenant::Organisation;

/// A component as one call pays it.
struct Part {
    component: Component,
    before: Before,
    /// Units that the call holds of the allowance.
    held: Decimal,
}

/// Where a call stands in a component's tiers: units priced before it, and the share of the period that bounds shrink with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before {
    pub units: Decimal,
    pub segment: Segment,
}

impl Before {
    /// What more units come to, after those before them.
    pub(crate) fn price(
        &self,
        component: &Component,
        dimensions: &BTreeMap<String, String>,
        units: Decimal,
    ) -> Result<Exact> {
        let at = |quantity: Decimal| {
            let usage = Usage {
                dimensions: dimensions.clone(),
                segment: self.segment,
                ..Usage::of(quantity.max(Decimal::ZERO))
            };
            component.price.exact(&usage)
        };
        Ok(at(self.units + units)?.minus(&at(self.units)?))
    }
}

/// A prepaid caller's covered call.
pub(crate) struct Covered<'a> {
    pub call: &'a Model,
    pub customer: &'a Customer,
    pub book: &'a Organisation,
    pub subscriber: &'a Subscriber,
    pub covering: &'a Covering,
}

/// Holds money for the next reach of a covered call in the caller's wallet; `None` when nothing is included and there is not
/// enough for a second. A trial whose usage is free is not measured by the wallet: what it comes to is known at its end.
pub(crate) async fn hold(tx: &TenantTx, of: &Covered<'_>, metered: u32, at: DateTime<Utc>) -> Result<Option<Reach>> {
    if of.customer.billing == Billing::Postpaid || of.covering.is_free_trial {
        return Ok(Some(Reach { seconds: None, cost: Money::zero(of.customer.currency), is_final: false }));
    }
    let beyond = Beyond::read(tx, of).await?;
    let authorised = of.call.authorised_seconds.map_or(0, i32::unsigned_abs);
    let reach = |budget| beyond.reach(budget, metered, authorised);
    let ask = Ask { call: of.call, customer_id: of.customer.id, reach: &reach, metered, authorised };
    grant::hold(tx, &ask, at).await
}

/// What a running call costs beyond what it holds.
struct Beyond {
    parts: Vec<Part>,
    dimensions: BTreeMap<String, String>,
    tax_percent: Decimal,
    currency: Currency,
}

impl Beyond {
    /// Reads what the call holds, and where it stands. Its row is locked before.
    async fn read(tx: &TenantTx, of: &Covered<'_>) -> Result<Beyond> {
        let call_id = CallId::from_uuid(of.call.id);
        let mut parts = Vec::with_capacity(of.covering.components.len());
        for component in &of.covering.components {
            let held = ledger::held_of_allowance(tx, call_id, &component.key).await?.amount.as_decimal();
            let before = included::before(tx, of.subscriber, component, of.call.started_at).await?;
            parts.push(Part { component: component.clone(), before, held });
        }
        let (tax_percent, currency) = (grant::tax_percent(of.customer, of.book), of.customer.currency);
        Ok(Beyond { parts, dimensions: Known::charged(of.call).dimensions(), tax_percent, currency })
    }

    /// What the call costs up to a second, tax included.
    fn cost(&self, seconds: u32) -> Result<Money> {
        let mut net = Exact::zero();
        for Part { component, before, held } in &self.parts {
            let units = (quantity(component, seconds) - held).max(Decimal::ZERO);
            net = net.plus(&before.price(component, &self.dimensions, units)?);
        }
        let gross = tax_on(&net, self.tax_percent).max(Exact::zero());
        Ok(gross.to_money(self.currency, RoundTo::Micros)?)
    }

    /// The next reach of a call that has used `metered` seconds and may go to `authorised`, out of a budget for all of it: one
    /// chunk beyond the used time, and less, and final, when the budget ends before.
    fn reach(&self, budget: Money, metered: u32, authorised: u32) -> Result<Reach> {
        let wanted = metered.saturating_add(CHUNK_SECONDS).max(authorised);
        let cost = self.cost(wanted)?;
        if budget.at_least(cost)? {
            return Ok(Reach { seconds: Some(wanted), cost, is_final: false });
        }
        // The cost never falls as the call lasts: the last second that the budget pays for is found by halving.
        let (mut paid, mut beyond) = (0, wanted);
        while beyond - paid > 1 {
            let middle = paid + (beyond - paid) / 2;
            if budget.at_least(self.cost(middle)?)? {
                paid = middle;
            } else {
                beyond = middle;
            }
        }
        let seconds = paid.max(authorised);
        Ok(Reach { seconds: Some(seconds), cost: self.cost(seconds)?.min(budget)?, is_final: true })
    }
}
