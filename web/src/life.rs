//! What the clock does to subscriptions: reminders, conversions, renewals, loyalty, expiry, and who is past due. The worker
//! calls it; the rules are `subscription`'s, and what has been paid is `payments`'.

use chrono::{DateTime, Days, Utc};
use db::{CustomerId, TenantTx};
use payments::{OpenItem, PaymentStatus};
use std::collections::{BTreeMap, HashSet};
use subscription::{Billing, Looked};

/// Subscriptions that one transaction looks at.
const LOOKED_AT: u64 = 50;

/// Does what is due for some subscriptions; true when there may be more.
pub async fn live(tx: &TenantTx, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let ending = subscription::customers_at_trial_end(tx, now).await?;
    let can_pay = if ending.is_empty() { HashSet::new() } else { who_can_pay(tx, &ending).await? };
    let Looked { subscriptions, reminders } = subscription::look(tx, LOOKED_AT, &can_pay, now).await?;
    for reminder in reminders {
        // The sentence stands in the customer's timeline already, and on its page of the plan.
        tracing::info!(customer.id = %reminder.customer_id, subscription.id = %reminder.subscription_id, "A trial ends soon");
    }
    Ok(u64::try_from(subscriptions)? >= LOOKED_AT)
}

/// Customers with a means of payment: money in the wallet, or on account a payment that once arrived.
async fn who_can_pay(tx: &TenantTx, customers: &[CustomerId]) -> anyhow::Result<HashSet<CustomerId>> {
    let mut can_pay = HashSet::new();
    for customer in subscription::customers_by_id(tx, customers).await? {
        let pays = match customer.billing {
            Billing::Prepaid => match ledger::wallet_of(tx, customer.id).await? {
                Some(wallet) => wallet.available()?.is_positive(),
                None => false,
            },
            Billing::Postpaid => !payments::payments_of(tx, customer.id).await?.is_empty(),
        };
        if pays {
            can_pay.insert(customer.id);
        }
    }
    Ok(can_pay)
}

/// Says whose invoices are overdue, and since when: the day after the earliest due date, in the organisation's zone.
pub async fn fall_due(tx: &TenantTx, now: DateTime<Utc>) -> anyhow::Result<()> {
    let zone = tenant::organisation(tx).await?.time_zone;
    let mut since: BTreeMap<CustomerId, DateTime<Utc>> = BTreeMap::new();
    let late = |item: &OpenItem| item.status == PaymentStatus::Overdue;
    for item in payments::all_open_items(tx, now).await?.into_iter().filter(late) {
        let Some(after) = item.due_on.checked_add_days(Days::new(1)) else { continue };
        let at = pricing::start_of_day(after, &zone)?;
        since.entry(item.customer_id).and_modify(|earliest| *earliest = at.min(*earliest)).or_insert(at);
    }
    Ok(subscription::set_past_due(tx, &since.into_iter().collect::<Vec<_>>(), now).await?)
}
