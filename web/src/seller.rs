//! What an organisation has bought of its seller, read from the seller's book as the customer that it is there; nothing else of
//! that book can be seen through it. The product obeys it: no seat beyond the plan, no name of one's own without white label.

use crate::app::App;
use crate::error::PageResult;
use crate::format;
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, CustomerTx, PlatformReason, TenantId, TenantTx};
use money::{Currency, Decimal, Money};
use pricing::Usage;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use subscription::{Component, ComponentKind, History};
use tenant::{AgentStatus, Upward};

/// A transaction in the book of the seller at this time, narrowed to this organisation; the operator has no seller.
pub async fn seller_book(app: &App, tenant_id: TenantId, now: DateTime<Utc>) -> PageResult<Option<CustomerTx>> {
    let ptx = app.db.platform(PlatformReason::WalkTheTree).await?;
    let chain = tenant::chain_at(&ptx, tenant_id, now).await?;
    ptx.commit().await?;
    match chain.first() {
        Some(step) => Ok(Some(app.db.customer(step.book, step.customer_id).await?)),
        None => Ok(None),
    }
}

/// The feature without which an organisation has neither a domain nor a brand of its own.
pub const WHITE_LABEL: &str = "white_label";

/// A change of a plan is obeyed by the next page after this at the latest.
const REMEMBERED: TimeDelta = TimeDelta::seconds(10);

/// Which organisations have white label in their plan, as far as it was asked lately: it is asked with every request.
#[derive(Default)]
pub struct WhiteLabels(Mutex<HashMap<TenantId, (DateTime<Utc>, bool)>>);

impl WhiteLabels {
    /// May the organisation at this step of the tree use a name of its own? Holds no connection but the one that it opens: the
    /// caller may hold another.
    pub async fn holds(&self, app: &App, step: &Upward, now: DateTime<Utc>) -> PageResult<bool> {
        let organisation = step.child;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&organisation).copied();
        if let Some((at, holds)) = known
            && at <= now
            && now - at < REMEMBERED
        {
            return Ok(holds);
        }
        let tx = app.db.customer(step.book, step.customer_id).await?;
        let holds = subscription::features_of_customer(&tx, step.customer_id, now).await?.contains(WHITE_LABEL);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(organisation, (now, holds));
        Ok(holds)
    }
}

/// Everything that this organisation has subscribed to at its seller.
async fn bought(tx: &CustomerTx) -> PageResult<Vec<History>> {
    let subscriptions = subscription::subscriptions_of(tx, tx.customer_id()).await?;
    Ok(subscription::histories(tx, &subscriptions).await?)
}

/// What one seat more costs, as the plan prices it.
#[derive(Clone, Debug, PartialEq)]
pub struct OneMore {
    pub price: Money,
    /// "a month", "a day"
    pub per: &'static str,
}

/// The seats that an organisation's plans have room for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seats {
    /// `None`: as many as it likes.
    pub included: Option<u32>,
    /// Seats beyond are charged instead of refused.
    pub sells_more: bool,
    /// Where the plan has a price for a seat.
    pub one_more: Option<OneMore>,
    pub seller: String,
}

impl Seats {
    /// What the plans say, with so many agents there already.
    fn of(histories: &[History], agents: u32, seller: String, now: DateTime<Utc>) -> PageResult<Seats> {
        let mut seats = Seats { seller, ..Seats::default() };
        let mut is_unlimited = false;
        for history in histories.iter().filter(|history| history.is_served_at(now)) {
            let plan = history.plan_at(now);
            let part = plan.components.iter().find(|part| part.kind == ComponentKind::Seat);
            match plan.seat_limit {
                Some(limit) => seats.included = Some(seats.included.unwrap_or(0).saturating_add(limit)),
                None => is_unlimited |= part.is_some(),
            }
            seats.sells_more |= plan.sells_extra_seats;
            if let Some(part) = part {
                let there = if part.measure.as_deref() == Some("assigned") { history.seats_at(now) } else { agents };
                seats.one_more.get_or_insert(one_more(part, there, plan.currency)?);
            }
        }
        if is_unlimited {
            seats.included = None;
        }
        Ok(seats)
    }

    /// Is there a place beside so many?
    pub fn has_room_beside(&self, taken: u32) -> bool {
        self.sells_more || self.included.is_none_or(|included| taken < included)
    }

    /// "€49.00 a month"
    pub fn price_of_one_more(&self) -> Option<String> {
        self.one_more.as_ref().map(|more| format!("{} {}", more.price.human(), more.per))
    }

    /// Why there is no place, and what one more costs.
    pub fn refusal(&self) -> String {
        let included = format::counted(self.included.unwrap_or_default().into(), "seat", "seats");
        let more = match self.price_of_one_more() {
            Some(price) => format!("One more costs {price}; {} adds it to your plan.", self.seller),
            None => format!("Your plan has no price for one more; {} has plans with more seats.", self.seller),
        };
        format!("Your plan has {included}, and all are taken. {more}")
    }
}

/// The step of the price from what is there to one more.
fn one_more(part: &Component, there: u32, currency: Currency) -> PageResult<OneMore> {
    let above = (Decimal::from(there) - part.included).max(Decimal::ZERO);
    let next = (Decimal::from(there) + Decimal::ONE - part.included).max(Decimal::ZERO);
    let price_of = |quantity| part.price.exact(&Usage::of(quantity));
    let step = price_of(next)?.to_decimal()? - price_of(above)?.to_decimal()?;
    let per = if part.measure.as_deref() == Some("daily") { "a day" } else { "a month" };
    Ok(OneMore { price: Money::from_decimal(step, currency)?, per })
}

/// The seats of an organisation; without a seller there is no limit.
pub async fn seats(app: &App, tenant_id: TenantId, agents: u32, now: DateTime<Utc>) -> PageResult<Seats> {
    let Some(tx) = seller_book(app, tenant_id, now).await? else { return Ok(Seats::default()) };
    let seller = tenant::organisation(&tx).await?.name;
    Seats::of(&bought(&tx).await?, agents, seller, now)
}

/// Puts an agent on a seat; `Some`: every seat of the plan is taken, and that is the sentence about it. Who sits stays.
pub async fn sit_down(app: &App, tx: &TenantTx, agent_id: AgentId, now: DateTime<Utc>) -> PageResult<Option<String>> {
    let mut seated = seated(tx).await?;
    if seated.iter().all(|status| status.agent_id != agent_id) {
        // What is sold is asked before: nobody who waits for a turn waits for a second connection with it.
        let seats = seats(app, tx.tenant_id(), count(&seated), now).await?;
        tenant::take_turn_for_a_place(tx).await?;
        seated = self::seated(tx).await?;
        if !seats.has_room_beside(count(&seated)) {
            seated.sort_by_key(|status| status.seat_opened_at);
            let names: Vec<&str> = seated.iter().take(3).map(|status| status.name.as_str()).collect();
            return Ok(Some(format!("{} The longest on them: {}.", seats.refusal(), names.join(", "))));
        }
    }
    tenant::open_seat(tx, agent_id, now).await?;
    Ok(None)
}

async fn seated(tx: &TenantTx) -> PageResult<Vec<AgentStatus>> {
    let all = tenant::agent_states(tx).await?;
    Ok(all.into_iter().filter(|status| status.seat_opened_at.is_some()).collect())
}

fn count(seated: &[AgentStatus]) -> u32 {
    u32::try_from(seated.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    #[test]
    fn one_more_seat_costs_the_step_of_its_price() {
        let part = |document: serde_json::Value, measure: &str, included: i64| Component {
            key: "agents".into(),
            kind: ComponentKind::Seat,
            name: "Agents".into(),
            measure: Some(measure.into()),
            filter: Default::default(),
            included: included.into(),
            minimum_quantity: Decimal::ZERO,
            price: serde_json::from_value(document).unwrap(),
            billed: subscription::Billed::InArrears,
        };
        let flat = serde_json::json!({"model": "per_unit", "unit": "49.00"});
        let tiers = serde_json::json!({"model": "graduated", "tiers": [{"up_to": "5", "unit": "49.00"}, {"up_to": null, "unit": "39.00"}]});
        for (part, there, price, per) in [
            (part(flat.clone(), "active", 0), 5, "49.00", "a month"),
            (part(flat.clone(), "active", 10), 5, "0.00", "a month"), // five of ten included
            (part(tiers.clone(), "assigned", 0), 5, "39.00", "a month"), // the sixth is in the second tier
            (part(flat, "daily", 0), 5, "49.00", "a day"),
        ] {
            let more = one_more(&part, there, Currency::EUR).unwrap();
            assert_eq!((more.price, more.per), (eur(price), per));
        }
    }

    #[test]
    fn a_refusal_says_how_many_there_are_and_what_one_more_costs() {
        let one_more = Some(OneMore { price: eur("49"), per: "a month" });
        let seats = Seats { included: Some(5), sells_more: false, one_more, seller: "Ringtill".into() };
        assert!(seats.has_room_beside(4) && !seats.has_room_beside(5));
        assert!(Seats { sells_more: true, ..seats.clone() }.has_room_beside(5));
        assert_eq!(
            seats.refusal(),
            "Your plan has 5 seats, and all are taken. One more costs €49.00 a month; Ringtill adds it to your plan."
        );
    }
}
