//! A call that is out: answered, talking on, over.

use crate::control::Control;
use crate::entity::call::Model;
use crate::error::Result;
use crate::grant::{self, Ask};
use crate::guard;
use crate::outgoing::admit::OutgoingCall;
use crate::outgoing::hold::{ahead, hold, in_steps, lease};
use crate::outgoing::plan::{self as planning, Level, Wish};
use crate::outgoing::settle;
use crate::outgoing::trial::digits_of;
use crate::price::{CallPrice, Reach, started_seconds};
use crate::renewal;
use crate::retry::retry;
use crate::settlement::{self, Ending};
use crate::store::carriers::Place;
use crate::store::outgoing as store;
use chrono::{DateTime, TimeDelta, Utc};
use db::TenantTx;
use money::Money;
use sip_media::{EndCause, Grant};
use subscription::Billing;

/// No call out goes on for longer, whoever pays for it: a phone off its hook over a weekend ends, too.
const LONGEST_SECONDS: u32 = 4 * 3_600;

impl Control {
    /// The called party has answered: from here on it is charged.
    pub async fn outgoing_answered(&self, call: &OutgoingCall, at: DateTime<Utc>) -> Result<()> {
        retry(|| self.start_meter(call, at)).await?;
        self.mark_attempt(call, true, None, at).await
    }

    async fn start_meter(&self, call: &OutgoingCall, at: DateTime<Utc>) -> Result<()> {
        let tx = self.db().tenant(call.tenant_id).await?;
        if let Some(mut row) = crate::store::calls::lock(&tx, call.call_id).await?.filter(|row| row.ended_at.is_none())
        {
            row.answered_at = Some(at);
            row.meter_started_at = Some(at);
            row.state = "talking".to_owned();
            row.last_seen_at = at;
            crate::store::calls::save(&tx, &row).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Extends the grant by what wallets and limits have left, in every book on the way.
    pub async fn renew_outgoing(&self, call: &OutgoingCall, metered_ms: u64, at: DateTime<Utc>) -> Result<Grant> {
        let none = Grant { authorised_seconds: Some(0), renew_at_second: 0, is_final: true };
        let metered = started_seconds(metered_ms);
        let Some(digits) = digits_of(&call.called) else { return Ok(none) };
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        let tx = self.db().tenant(call.tenant_id).await?;
        let Some(row) = crate::store::calls::find(&tx, call.call_id).await?.filter(|row| row.ended_at.is_none()) else {
            return Ok(none);
        };
        tx.commit().await?;
        let before = row.authorised_seconds.map(i32::unsigned_abs);
        // Prices and limits as they were when it was let out; what is spent, as it is now.
        let is_covered = row.charged_by.as_deref() != Some("tariff");
        let wish =
            Wish { place, customer_id: call.customer_id, called: &digits, at: call.at, is_covered, is_live: false };
        let plan = planning::plan(self.db(), &wish).await?;
        if metered >= LONGEST_SECONDS {
            let (seconds, cost) = (Some(before.unwrap_or(metered)), Money::zero(plan.levels[0].customer.currency));
            return Ok(grant::told(&Reach { seconds, cost, is_final: true }, metered));
        }
        let Some(own) = retry(|| self.renew_own(call, &plan.levels[0], metered, at)).await? else { return Ok(none) };
        let mut reach = own;
        for level in &plan.levels[1..] {
            let used = (metered, before.unwrap_or(metered));
            let Some(found) = retry(|| self.renew_above(place, level, reach, used, at)).await? else {
                let seconds = before.unwrap_or(metered);
                retry(|| self.keep_to(call, seconds)).await?;
                let stays = Reach { seconds: Some(seconds), is_final: true, ..reach };
                return Ok(grant::told(&stays, metered));
            };
            reach = found;
        }
        let reach = in_steps(reach, metered);
        if let Some(seconds) = reach.seconds.filter(|_| own.seconds.is_none()) {
            retry(|| self.keep_to(call, seconds)).await?;
        }
        Ok(grant::told(&reach, metered))
    }

    async fn renew_own(
        &self,
        call: &OutgoingCall,
        level: &Level,
        metered: u32,
        at: DateTime<Utc>,
    ) -> Result<Option<Reach>> {
        let tx = self.db().tenant(call.tenant_id).await?;
        let place = Place { origin: call.tenant_id, call_id: call.call_id };
        let left = guard::left_running(&tx, level, call.call_id, at).await?;
        let Some(mut row) = crate::store::calls::lock(&tx, call.call_id).await?.filter(|row| row.ended_at.is_none())
        else {
            return Ok(None);
        };
        let before = row.authorised_seconds.map_or(0, i32::unsigned_abs);
        let start = row.meter_started_at.unwrap_or(at - TimeDelta::seconds(i64::from(metered)));
        let stays = Reach { seconds: Some(before), cost: Money::zero(level.customer.currency), is_final: true };
        let price = running_price(&tx, &row, level).await?;
        let reach = match &price {
            Some(price) => {
                let reach = |budget: Money| {
                    let budget = left.map_or(Ok(budget), |most| budget.min(most))?;
                    price.reach(start, budget, metered, before)
                };
                let ask =
                    Ask { call: &row, customer_id: level.customer.id, reach: &reach, metered, authorised: before };
                hold(&tx, level, &ask, left, at).await?.unwrap_or(stays)
            }
            None => match row.subscription_id {
                Some(id) => {
                    let (customer, book) = (&level.customer, &level.organisation);
                    renewal::renew_covered(&tx, &mut row, customer, book, (id.into(), metered), at).await?
                }
                // Several plans would charge it: nobody does until somebody has decided.
                None if row.charged_by.as_deref() == Some("nothing") => {
                    Reach { seconds: None, is_final: false, ..stays }
                }
                // What charges it is gone: it goes no further than it may.
                None => stays,
            },
        };
        let lease_until = lease(&reach, metered, at);
        ledger::extend_lease(&tx, call.call_id, ledger::Leg::Caller, lease_until, at).await?;
        row.authorised_seconds = reach.seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
        row.metered_ms = Some(i64::from(metered) * 1000);
        row.last_seen_at = row.last_seen_at.max(at);
        crate::store::calls::save(&tx, &row).await?;
        let cost = match (&price, reach.seconds) {
            (Some(price), Some(seconds)) => price.charge(start, seconds)?.amount,
            (Some(price), None) => price.charge(start, metered.saturating_add(60))?.amount,
            (None, _) => reach.cost,
        };
        store::hold(&tx, place, cost.micros(), lease_until).await?;
        tx.commit().await?;
        Ok(Some(reach))
    }

    /// How far this book lets the call go on, which has used so much and may go so far; `None` when it has no more for it.
    async fn renew_above(
        &self,
        place: Place,
        level: &Level,
        reach: Reach,
        used: (u32, u32),
        at: DateTime<Utc>,
    ) -> Result<Option<Reach>> {
        let tx = self.db().tenant(level.book).await?;
        let Some(row) = store::find(&tx, place).await?.filter(|row| row.ended_at.is_none()) else {
            return Ok(Some(reach));
        };
        let left = guard::left_running(&tx, level, place.call_id, at).await?;
        let reach = ahead(&tx, level, place.call_id, left, (reach, row.started_at), used).await?;
        let cost = match (&level.price, reach.seconds) {
            (Some(price), Some(seconds)) => price.charge(row.started_at, seconds)?.amount,
            // It was let out at a price that this book has no more: it goes no further than it may.
            (None, _) => return Ok(None),
            _ => Money::zero(level.customer.currency),
        };
        if let Some(most) = left
            && !most.at_least(cost)?
        {
            return Ok(None);
        }
        let lease_until = lease(&reach, used.0, at);
        if level.customer.billing == Billing::Prepaid
            && !grant::hold_of_child(&tx, level.customer.id, place.call_id, cost, lease_until, at).await?
        {
            return Ok(None);
        }
        store::hold(&tx, place, cost.micros(), lease_until).await?;
        tx.commit().await?;
        Ok(Some(reach))
    }

    /// Books above let it go on for so long only.
    pub(crate) async fn keep_to(&self, call: &OutgoingCall, seconds: u32) -> Result<()> {
        let tx = self.db().tenant(call.tenant_id).await?;
        if let Some(mut row) = crate::store::calls::lock(&tx, call.call_id).await? {
            row.authorised_seconds = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
            crate::store::calls::save(&tx, &row).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Ends and settles it; once, however often it is told.
    pub async fn end_outgoing(
        &self,
        call: &OutgoingCall,
        cause: EndCause,
        metered_ms: u64,
        at: DateTime<Utc>,
    ) -> Result<()> {
        if metered_ms == 0 {
            self.mark_attempt(call, false, Some("not answered"), at).await?;
        }
        retry(|| self.settle_out(call, cause, metered_ms, at)).await?;
        self.forget(call.call_id);
        Ok(())
    }

    async fn settle_out(&self, call: &OutgoingCall, cause: EndCause, metered_ms: u64, at: DateTime<Utc>) -> Result<()> {
        let tx = self.db().tenant(call.tenant_id).await?;
        if let Some(mut row) = crate::store::calls::lock(&tx, call.call_id).await? {
            let ending = Ending { at, cause, metered_ms, estimated: false };
            settlement::end(&tx, &mut row, &ending).await?;
            crate::store::calls::save(&tx, &row).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// What the call was let out with, whatever its customer's deck is by now: it is charged by that, too.
async fn running_price(tx: &TenantTx, row: &Model, level: &Level) -> Result<Option<CallPrice>> {
    let Some((id, version)) = settle::deck_of(row) else { return Ok(None) };
    let digits = row.called.trim_start_matches('+');
    Ok(settle::deck_price(tx, id, version, digits, &level.organisation).await?.map(|found| found.price))
}
