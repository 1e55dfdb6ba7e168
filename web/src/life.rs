//! What the clock does to subscriptions: reminders, conversions, renewals, loyalty, expiry, and who is past due. The worker
//! calls it; the rules are `subscription`'s, and what has been paid is `payments`'.

use crate::mail;
use chrono::{DateTime, Days, Utc};
use db::{CustomerId, TenantTx};
use std::collections::{BTreeMap, HashSet};
use subscription::{Billing, Looked};

/// Subscriptions that one transaction looks at.
const LOOKED_AT: u64 = 50;

/// Does what is due for some subscriptions; true when there may be more.
pub async fn live(tx: &TenantTx, now: DateTime<Utc>) -> anyhow::Result<bool> {
    // Locked first: whoever is asked about is whoever is looked at, also where a trial ends at this moment.
    let due = subscription::due(tx, LOOKED_AT, now).await?;
    let ending: Vec<CustomerId> = due.iter().filter(|due| due.trial_is_over).map(|due| due.customer_id).collect();
    let can_pay = if ending.is_empty() { HashSet::new() } else { who_can_pay(tx, &ending).await? };
    let Looked { subscriptions, notices } = subscription::look(tx, &due, &can_pay, now).await?;
    for notice in notices {
        // The sentence stands in the customer's timeline already; the letter leaves with this transaction's outbox.
        mail::told(tx, &notice, now).await?;
    }
    let waiting = subscription::customers_without_method(tx).await?;
    if !waiting.is_empty() {
        for customer_id in who_can_pay(tx, &waiting).await? {
            subscription::method_arrived(tx, customer_id, now).await?;
        }
    }
    Ok(u64::try_from(subscriptions)? >= LOOKED_AT)
}

/// Customers with a means of payment: one on file, or money in the wallet.
pub(crate) async fn who_can_pay(tx: &TenantTx, customers: &[CustomerId]) -> anyhow::Result<HashSet<CustomerId>> {
    let mut can_pay = payments::customers_with_method(tx, customers).await?;
    let prepaid = subscription::customers_by_id(tx, customers).await?.into_iter();
    let prepaid: Vec<CustomerId> =
        prepaid.filter(|customer| customer.billing == Billing::Prepaid).map(|customer| customer.id).collect();
    can_pay.extend(ledger::customers_with_credit(tx, &prepaid).await?);
    Ok(can_pay)
}

/// Says whose invoices are overdue, and since when: the day after the earliest due date, in the organisation's zone. Each
/// overdue invoice is told of once, whether its customer has a subscription or not.
pub async fn fall_due(tx: &TenantTx, now: DateTime<Utc>) -> anyhow::Result<()> {
    let zone = tenant::organisation(tx).await?.time_zone;
    let mut since: BTreeMap<CustomerId, DateTime<Utc>> = BTreeMap::new();
    let late = payments::overdue_items(tx, now).await?;
    for item in &late {
        let Some(after) = item.due_on.checked_add_days(Days::new(1)) else { continue };
        let at = pricing::start_of_day(after, &zone)?;
        since.entry(item.customer_id).and_modify(|earliest| *earliest = at.min(*earliest)).or_insert(at);
    }
    subscription::set_past_due(tx, &since.into_iter().collect::<Vec<_>>(), now).await?;
    mail::overdue(tx, &late, now).await
}
