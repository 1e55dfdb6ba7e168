use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::posting::Posted;
use crate::reservation::Leg;
use crate::settlement::{ChargeKey, Settle, Settled};
use ::money::Money;
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx, TransactionId};
use sea_orm::FromQueryResult;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

pub async fn settle(tx: &TenantTx, charge: &Settle, now: DateTime<Utc>) -> Result<Settled, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        transaction_id: Option<Uuid>,
        is_new: Option<bool>,
        unpaid_micros: Option<i64>,
    }
    let (tenant_id, currency) = (tx.tenant_id(), charge.charge.currency());
    let row: Option<Row> = tx
        .row(
            "SELECT transaction_id, is_new, unpaid_micros
             FROM settle_from_wallet($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            [
                tenant_id.into(),
                TransactionId::new().into(),
                charge.kind.into(),
                charge.key().into(),
                charge.call_id.into(),
                charge.leg.code().into(),
                charge.customer_id.into(),
                currency.code().into(),
                charge.charge.micros().into(),
                AccountRef::Customer(AccountKind::Unbilled, charge.customer_id).id(tenant_id, currency).into(),
                AccountRef::Book(AccountKind::BadDebt).id(tenant_id, currency).into(),
                charge.memo.as_str().into(),
                charge.effective_at.into(),
                now.into(),
            ],
        )
        .await?;
    match row {
        Some(Row { transaction_id: Some(id), is_new: Some(is_new), unpaid_micros: Some(micros) }) => Ok(Settled {
            posted: Posted { transaction_id: id.into(), is_new },
            unpaid: Money::from_micros(micros, currency),
        }),
        _ => Err(LedgerError::NoWallet { customer_id: charge.customer_id, currency }),
    }
}

/// The stored transactions of these charges and what they left unpaid.
pub async fn known(tx: &TenantTx, charges: &[Settle]) -> Result<HashMap<ChargeKey, (TransactionId, i64)>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        id: Uuid,
        kind: String,
        key: String,
        unpaid_micros: i64,
    }
    let tenant_id = tx.tenant_id();
    let keys: HashMap<(&str, String), ChargeKey> =
        charges.iter().map(|charge| ((charge.kind, charge.key()), charge.charge_key())).collect();
    let kinds: BTreeSet<String> = charges.iter().map(|charge| charge.kind.to_owned()).collect();
    let bad_debt: BTreeSet<Uuid> = charges
        .iter()
        .map(|charge| AccountRef::Book(AccountKind::BadDebt).id(tenant_id, charge.charge.currency()).uuid())
        .collect();
    let rows: Vec<Row> = tx
        .rows(
            "SELECT t.id, t.kind, t.key, coalesce((SELECT -sum(e.amount_micros) FROM ledger_entry e
               WHERE e.tenant_id = $1 AND e.transaction_id = t.id AND e.account_id = ANY($4)), 0)::bigint AS unpaid_micros
             FROM ledger_transaction t WHERE t.tenant_id = $1 AND t.kind = ANY($2) AND t.key = ANY($3)",
            [
                tenant_id.into(),
                kinds.into_iter().collect::<Vec<_>>().into(),
                charges.iter().map(Settle::key).collect::<Vec<_>>().into(),
                bad_debt.into_iter().collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    let mut known = HashMap::with_capacity(rows.len());
    for row in rows {
        if let Some(key) = keys.get(&(row.kind.as_str(), row.key)) {
            known.insert(*key, (row.id.into(), row.unpaid_micros));
        }
    }
    Ok(known)
}

/// An open reservation of a leg that is being settled.
#[derive(Clone, Copy)]
pub struct Promised {
    pub seq: i32,
    pub amount_micros: i64,
}

/// The open reservations of these legs, each leg's in the order of its seq. Their wallets must be locked.
pub async fn promised(tx: &TenantTx, charges: &[Settle]) -> Result<HashMap<(CallId, Leg), Vec<Promised>>, LedgerError> {
    #[derive(FromQueryResult)]
    struct Row {
        call_id: Uuid,
        leg: String,
        seq: i32,
        amount_micros: i64,
    }
    let asked: HashMap<(Uuid, &str), (CallId, Leg)> = charges
        .iter()
        .map(|charge| ((charge.call_id.uuid(), charge.leg.code()), (charge.call_id, charge.leg)))
        .collect();
    let rows: Vec<Row> = tx
        .rows(
            "SELECT call_id, leg, seq, amount_micros FROM reservation
             WHERE tenant_id = $1 AND call_id = ANY($2) AND state = 'open' ORDER BY call_id, leg, seq",
            [tx.tenant_id().into(), charges.iter().map(|charge| charge.call_id.uuid()).collect::<Vec<_>>().into()],
        )
        .await?;
    let mut legs: HashMap<(CallId, Leg), Vec<Promised>> = HashMap::new();
    for row in rows {
        if let Some(leg) = asked.get(&(row.call_id, row.leg.as_str())) {
            legs.entry(*leg).or_default().push(Promised { seq: row.seq, amount_micros: row.amount_micros });
        }
    }
    Ok(legs)
}

/// A reservation that a batch closes, and how much of it was used.
pub struct Closed {
    pub call_id: CallId,
    pub leg: Leg,
    pub promised: Promised,
    pub used_micros: i64,
}

/// Closes reservations as settled. What they held leaves the wallets with the posting that follows.
pub async fn close(tx: &TenantTx, closed: &[Closed], now: DateTime<Utc>) -> Result<(), LedgerError> {
    if closed.is_empty() {
        return Ok(());
    }
    tx.run(
        "UPDATE reservation r SET state = 'settled', closed_at = $2, used_micros = c.used_micros
         FROM unnest($3::uuid[], $4::text[], $5::int[], $6::bigint[]) AS c (call_id, leg, seq, used_micros)
         WHERE r.tenant_id = $1 AND r.call_id = c.call_id AND r.leg = c.leg AND r.seq = c.seq AND r.state = 'open'",
        [
            tx.tenant_id().into(),
            now.into(),
            closed.iter().map(|c| c.call_id.uuid()).collect::<Vec<_>>().into(),
            closed.iter().map(|c| c.leg.code().to_owned()).collect::<Vec<_>>().into(),
            closed.iter().map(|c| c.promised.seq).collect::<Vec<_>>().into(),
            closed.iter().map(|c| c.used_micros).collect::<Vec<_>>().into(),
        ],
    )
    .await?;
    Ok(())
}
