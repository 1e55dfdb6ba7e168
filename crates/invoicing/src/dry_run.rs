//! What a plan's next version would do to those who have the plan: their last period, priced with the terms they had and with
//! the new ones. Nothing is written.

use crate::error::Result;
use crate::gather::seller;
use crate::replay::{Stage, covering, in_arrears};
use crate::subscribed::Subscribed;
use crate::usage;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, PlanId, SubscriptionId, TenantTx};
use money::{Decimal, Money};
use std::collections::HashMap;
use subscription::{Attached, Customer, History, NewPlanVersion, Subscription, all_active, customers_by_id, histories};
use usage_metering::UsageOf;

/// Subscriptions that are read at once.
const BLOCK: usize = 200;
/// Beyond a change of so many percent a second confirmation is due.
const CONFIRM_PERCENT: i64 = 30;

/// One subscriber's last period.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRunRow {
    pub customer_id: CustomerId,
    pub customer: String,
    pub subscription_id: SubscriptionId,
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
    /// Net; without what is charged once.
    pub before: Money,
    pub after: Money,
    pub difference: Money,
}

impl DryRunRow {
    /// Is it so much more or less that somebody should look twice?
    pub fn needs_confirmation(&self) -> bool {
        let (before, difference) = (self.before.as_decimal(), self.difference.as_decimal().abs());
        difference * Decimal::ONE_HUNDRED > before.abs() * Decimal::from(CONFIRM_PERCENT)
    }
}

/// A subscription that has the plan, or the add-on.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRunSubscriber {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub customer: String,
    /// The version that it has.
    pub version: u32,
}

/// Everybody on the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRun {
    pub subscribers: Vec<DryRunSubscriber>,
    /// Those that could be priced, the dearest difference first.
    pub rows: Vec<DryRunRow>,
    /// Subscribers that have no full period behind them yet.
    pub without_period: u64,
    /// Subscribers in another currency than the new version's: they cannot be moved.
    pub in_other_currency: u64,
}

/// Prices the last full period of everybody on a plan, or with an add-on, as it was and with a version to be.
pub async fn dry_run(tx: &TenantTx, plan_id: PlanId, new: &NewPlanVersion, now: DateTime<Utc>) -> Result<DryRun> {
    let seller = seller(tx).await?;
    let assumed = new.assumed(plan_id, now);
    let mut run = DryRun { subscribers: Vec::new(), rows: Vec::new(), without_period: 0, in_other_currency: 0 };
    let subscriptions = all_active(tx, now).await?;
    let mut of_customer: HashMap<CustomerId, usize> = HashMap::new();
    subscriptions.iter().for_each(|own| *of_customer.entry(own.customer_id).or_default() += 1);
    for block in subscriptions.chunks(BLOCK) {
        let customers = customers_of(tx, block).await?;
        let mut staged = Vec::new();
        for history in histories(tx, block).await? {
            let on = history.attached_at(now).find(|attached| attached.version.plan_id == plan_id);
            let customer = customers.get(&history.subscription.customer_id);
            let (Some(on), Some(customer)) = (on, customer) else { continue };
            run.subscribers.push(subscriber(&history, customer, on));
            if customer.currency != new.currency {
                run.in_other_currency += 1;
                continue;
            }
            let running = history.period_at(now)?;
            let last = match running.position.checked_sub(1) {
                Some(position) => {
                    Subscribed { history: history.clone(), periods: Vec::new() }.months()?.at(position)?
                }
                None => {
                    run.without_period += 1;
                    continue;
                }
            };
            let is_one_of_several = of_customer[&customer.id] > 1;
            let of = if is_one_of_several { UsageOf::Named(history.subscription.id) } else { UsageOf::Customer };
            let mut before = monthly(&history);
            let mut after = monthly(&history);
            let with_new = in_arrears(&assumed);
            for attached in after.attached.iter_mut().filter(|attached| attached.version.plan_id == plan_id) {
                attached.version = with_new.clone();
            }
            // Neither side has a trial: it is the terms that are compared.
            (before.subscription.trial_ends_at, after.subscription.trial_ends_at) = (None, None);
            let covered = covering(after.attached.iter().map(|attached| &attached.version));
            let staged_before = Stage::new(customer, own(before), &[last], None, of)?;
            let staged_after = Stage::new(customer, own(after), &[last], Some(covered), of)?;
            staged.push((customer, history.subscription.id, last, staged_before, staged_after));
        }
        let reads = staged.iter().flat_map(|(_, _, _, before, after)| before.due.reads.iter().chain(&after.due.reads));
        let mut answers = usage::answer(tx, &reads.cloned().collect::<Vec<_>>()).await?.into_iter();
        for (customer, subscription_id, last, before, after) in staged {
            let mut play = |stage: &Stage| {
                let own: Vec<_> = answers.by_ref().take(stage.due.reads.len()).collect();
                stage.play(&seller, &own, Decimal::ONE)
            };
            let (before, after) = (play(&before)?.total, play(&after)?.total);
            run.rows.push(DryRunRow {
                customer_id: customer.id,
                customer: customer.name.clone(),
                subscription_id,
                starts_on: last.starts_on,
                ends_on: last.ends_on,
                before,
                after,
                difference: after.checked_sub(before)?,
            });
        }
    }
    run.rows.sort_by_key(|row| (-row.difference.micros(), row.customer.clone()));
    Ok(run)
}

fn subscriber(history: &History, customer: &Customer, on: &Attached) -> DryRunSubscriber {
    DryRunSubscriber {
        subscription_id: history.subscription.id,
        customer_id: customer.id,
        customer: customer.name.clone(),
        version: on.version.version,
    }
}

fn own(history: History) -> Subscribed {
    Subscribed { history, periods: Vec::new() }
}

/// The same history with each month's own part of what is billed ahead.
fn monthly(history: &History) -> History {
    let mut history = history.clone();
    for attached in &mut history.attached {
        attached.version = in_arrears(&attached.version);
    }
    history
}

async fn customers_of(tx: &TenantTx, block: &[Subscription]) -> Result<HashMap<CustomerId, Customer>> {
    let mut ids: Vec<CustomerId> = block.iter().map(|subscription| subscription.customer_id).collect();
    ids.dedup();
    Ok(customers_by_id(tx, &ids).await?.into_iter().map(|customer| (customer.id, customer)).collect())
}
