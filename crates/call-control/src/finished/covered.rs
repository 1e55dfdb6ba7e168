//! Finished calls that plans cover: what is included first, then the price, with each call where it stands in the tiers.

use super::Book;
use crate::covering::{Covering, by_component};
use crate::entity::call::Model;
use crate::error::Result;
use crate::grant;
use crate::included::{self, Included, Standing, Subscriber, quantity};
use crate::price::started_seconds;
use crate::settlement::Rated;
use chrono::{DateTime, Utc};
use db::TenantTx;
use ledger::{AllowanceKey, AllowanceUse};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use subscription::Billing;

/// Settles what plans include, call by call in their order, and rates what they cover.
pub(super) async fn include(
    tx: &TenantTx,
    book: &Book,
    rows: &mut [(Model, Option<Rated>)],
    mut covered: Vec<(usize, Covering)>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut allowances: BTreeMap<&AllowanceKey, (&Subscriber, &Included)> = BTreeMap::new();
    let mut uses = Vec::new();
    for (index, covering) in &covered {
        let row = &rows[*index].0;
        let seconds = started_seconds(row.metered_ms.unwrap_or(0).unsigned_abs());
        for included in &covering.allowances {
            allowances.insert(&included.terms.key, (&book.subscribers[&covering.subscription_id], included));
            let (key, quantity) = (included.terms.key.clone(), included.quantity(seconds)?);
            uses.push(AllowanceUse { key, call_id: row.id.into(), quantity });
        }
    }
    for (subscriber, included) in allowances.into_values() {
        included::open(tx, subscriber, included, now).await?;
    }
    let mut used = ledger::use_allowances(tx, &uses, now).await?.into_iter();
    climb(tx, book, rows, &mut covered).await?;
    for (index, covering) in &covered {
        let (row, rated) = &mut rows[*index];
        let seconds = started_seconds(row.metered_ms.unwrap_or(0).unsigned_abs());
        let customer = book.customer(row.customer_id.unwrap_or_default().into())?;
        let plan = book.plans.get(&covering.plan_id).map_or("", String::as_str);
        let used: Vec<_> = used.by_ref().take(covering.allowances.len()).collect();
        let tax_percent = grant::tax_percent(customer, &book.organisation);
        *rated = Some(by_component(row, covering, plan, &used, (customer, tax_percent), seconds)?);
    }
    Ok(())
}

/// Says where each prepaid caller's call stands in the tiers of its components: after the calls before it in the batch, too, whose
/// usage the meters do not know yet.
async fn climb(
    tx: &TenantTx,
    book: &Book,
    rows: &[(Model, Option<Rated>)],
    covered: &mut [(usize, Covering)],
) -> Result<()> {
    let mut standings: HashMap<AllowanceKey, Standing> = HashMap::new();
    for (index, covering) in covered {
        let row = &rows[*index].0;
        if book.customer(row.customer_id.unwrap_or_default().into())?.billing == Billing::Postpaid {
            continue;
        }
        let seconds = started_seconds(row.metered_ms.unwrap_or(0).unsigned_abs());
        let subscriber = &book.subscribers[&covering.subscription_id];
        for component in &covering.components {
            let Some(terms) = subscriber.terms(component, row.started_at)? else { continue };
            let standing = match standings.entry(terms.0.key.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(Standing::read(tx, subscriber, component, terms).await?),
            };
            covering.before.insert(component.key.clone(), standing.before());
            standing.used += quantity(component, seconds);
        }
    }
    Ok(())
}
