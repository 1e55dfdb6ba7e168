//! I16 for calls: the tariff's version is stored and never changes, and so is the metered time; together they give the charge again.

use crate::error::Result;
use crate::grant;
use crate::outgoing::settle;
use crate::price::{CallPrice, started_seconds};
use crate::store::reading;
use db::{CallId, TariffId, TenantTx};
use ledger::Violation;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Calls that are read at once.
const PAGE: i64 = 5_000;

/// Every call of this book that a tariff charged, counted once more. It reads all calls that the book has.
pub async fn recount(tx: &TenantTx) -> Result<Vec<Violation>> {
    let book = tenant::organisation(tx).await?;
    let mut prices: HashMap<TariffId, CallPrice> = HashMap::new();
    let mut violations = Vec::new();
    let mut after: Option<CallId> = None;
    loop {
        let calls = reading::charged_by_tariff(tx, after, PAGE).await?;
        let Some(last) = calls.last() else { break };
        after = Some(last.id.into());
        for call in calls {
            let price = match prices.entry(call.tariff_id.into()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(grant::price_of(tx, call.tariff_id.into(), &book).await?.1),
            };
            let again = price.charge(call.meter_started_at, started_seconds(call.metered_ms.unsigned_abs()))?.amount;
            if again.micros() != call.charge_micros {
                let id = CallId::from(call.id);
                let detail = format!(
                    "call {id} is charged {} micros, and its tariff says {}",
                    call.charge_micros,
                    again.micros()
                );
                violations.push(Violation { invariant: "I16", detail });
            }
        }
    }
    by_decks(tx, &book, &mut violations).await?;
    Ok(violations)
}

/// The same for calls that went out: their deck's version never changes either.
async fn by_decks(tx: &TenantTx, book: &tenant::Organisation, violations: &mut Vec<Violation>) -> Result<()> {
    let mut after: Option<CallId> = None;
    loop {
        let calls = reading::charged_by_deck(tx, after, PAGE as u64).await?;
        let Some(last) = calls.last() else { return Ok(()) };
        after = Some(last.id.into());
        for call in calls {
            let again = settle::recount(tx, &call, book).await?.map(|again| again.micros());
            if again != call.charge_micros {
                let id = CallId::from(call.id);
                let detail =
                    format!("call {id} is charged {:?} micros, and its deck says {again:?}", call.charge_micros);
                violations.push(Violation { invariant: "I16", detail });
            }
        }
    }
}
