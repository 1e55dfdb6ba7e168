//! The payee's side of a statement, in the payee's own book: its tax, and that it was paid. Written from the seller's book through
//! the outbox; delivered twice, it is there once.

use crate::error::Result;
use crate::settle;
use crate::settlement::Settlement;
use crate::store::{documents, received as store, settlements};
use chrono::{DateTime, Utc};
use db::{Db, SettlementId, TenantId, TenantTx};
use ledger::{AccountKind, AccountRef, Posting, post};
use serde_json::json;
use uuid::Uuid;

/// Outbox topic: a statement was issued, or paid.
const TOPIC: &str = "settlement";
/// Messages of one round.
const PER_ROUND: u64 = 50;

/// Says in this transaction that the payee must hear of it.
pub(crate) async fn tell(tx: &TenantTx, id: SettlementId, what: &str, now: DateTime<Utc>) -> Result<()> {
    db::enqueue(tx, TOPIC, &format!("{id}:{what}"), json!({ "settlement_id": id }), now).await?;
    Ok(())
}

/// Takes issued and paid statements of a book into the books of its payees; how many messages were dealt with.
pub async fn deliver_settlements(db: &Db, seller: TenantId, now: DateTime<Utc>) -> Result<u64> {
    let tx = db.tenant(seller).await?;
    let messages = db::claim_outbox(&tx, TOPIC, PER_ROUND, now).await?;
    for message in &messages {
        let Ok(id) = serde_json::from_value::<SettlementId>(message.payload["settlement_id"].clone()) else { continue };
        let Some(settlement) = settlements::by_id(&tx, id).await? else { continue };
        let customer = subscription::customer(&tx, settlement.customer_id).await?;
        let Some(payee) = customer.and_then(|customer| customer.organisation_id) else { continue };
        let Some(document_id) = settlement.document_id else { continue };
        let number = documents::number_of(&tx, document_id).await?;
        let child = db.tenant(payee).await?;
        receive(&child, &settlement, &number, now).await?;
        child.commit().await?;
    }
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id).collect();
    db::finish_outbox(&tx, &ids, now).await?;
    tx.commit().await?;
    Ok(ids.len() as u64)
}

async fn receive(tx: &TenantTx, settlement: &Settlement, number: &str, now: DateTime<Utc>) -> Result<()> {
    let Some(issued_at) = settlement.issued_at else { return Ok(()) };
    store::put(tx, settlement, number, issued_at).await?;
    let due = AccountRef::Book(AccountKind::DueFromSeller);
    // The seller owes the tax too; what rounding left is on this side as well.
    let entries = vec![
        (due, settlement.owed.checked_sub(settlement.gross)?),
        (AccountRef::Book(AccountKind::Tax), settlement.tax),
        (AccountRef::Book(AccountKind::Rounding), settlement.net.checked_sub(settlement.owed)?),
    ];
    let id = settlement.id.to_string();
    post(tx, &Posting::new("settlement", &id, format!("Settlement {number}"), issued_at, entries)?, now).await?;
    let Some(payout) = &settlement.payout else { return Ok(()) };
    let zone = tenant::organisation(tx).await?.time_zone;
    let at = settle::effective_at(payout.on, issued_at, &zone)?;
    let entries = vec![
        (due, settlement.gross),
        (AccountRef::Book(AccountKind::ProcessorClearing), settlement.gross.checked_neg()?),
    ];
    let memo = format!("Payout of {number}: {}", payout.reference);
    post(tx, &Posting::new("payout", &id, memo, at, entries)?, now).await?;
    Ok(())
}
