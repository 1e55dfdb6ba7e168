use crate::account::{AccountKind, AccountRef};
use crate::error::LedgerError;
use crate::posting::Posted;
use crate::reservation::Leg;
use crate::settlement::{ChargeKey, Settle, Settled};
use ::money::Money;
use chrono::{DateTime, Utc};
use db::{CallId, TenantTx, TransactionId};
use sea_orm::FromQueryResult;
use std::collections::HashMap;
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
        position: i64,
        id: Uuid,
        unpaid_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT k.position, t.id, coalesce((
               SELECT -sum(e.amount_micros) FROM ledger_entry e
               JOIN account a ON a.tenant_id = e.tenant_id AND a.id = e.account_id AND a.kind = 'bad_debt'
               WHERE e.tenant_id = t.tenant_id AND e.transaction_id = t.id), 0)::bigint AS unpaid_micros
             FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS k (kind, key, position)
             JOIN ledger_transaction t ON t.tenant_id = $1 AND t.kind = k.kind AND t.key = k.key",
            [
                tx.tenant_id().into(),
                charges.iter().map(|charge| charge.kind.to_owned()).collect::<Vec<_>>().into(),
                charges.iter().map(Settle::key).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    let keyed = |row: Row| {
        let charge = charges.get(row.position as usize - 1)?;
        Some((charge.charge_key(), (row.id.into(), row.unpaid_micros)))
    };
    Ok(rows.into_iter().filter_map(keyed).collect())
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
        position: i64,
        seq: i32,
        amount_micros: i64,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT k.position, r.seq, r.amount_micros
             FROM unnest($2::uuid[], $3::text[]) WITH ORDINALITY AS k (call_id, leg, position)
             JOIN reservation r ON r.tenant_id = $1 AND r.call_id = k.call_id AND r.leg = k.leg AND r.state = 'open'
             ORDER BY k.position, r.seq",
            [
                tx.tenant_id().into(),
                charges.iter().map(|charge| charge.call_id.uuid()).collect::<Vec<_>>().into(),
                charges.iter().map(|charge| charge.leg.code().to_owned()).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    let mut legs: HashMap<(CallId, Leg), Vec<Promised>> = HashMap::new();
    for row in rows {
        let Some(charge) = charges.get(row.position as usize - 1) else { continue };
        let promised = Promised { seq: row.seq, amount_micros: row.amount_micros };
        let leg = legs.entry((charge.call_id, charge.leg)).or_default();
        // a leg that comes twice in the batch is read twice
        if leg.last().is_none_or(|last| last.seq < row.seq) {
            leg.push(promised);
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

/// Closes reservations as settled and gives their hold back to wallets that are locked.
pub async fn close(tx: &TenantTx, closed: &[Closed], now: DateTime<Utc>) -> Result<(), LedgerError> {
    if closed.is_empty() {
        return Ok(());
    }
    tx.run(
        "WITH closed AS (
           UPDATE reservation r SET state = 'settled', closed_at = $2, used_micros = c.used_micros
           FROM unnest($3::uuid[], $4::text[], $5::int[], $6::bigint[]) AS c (call_id, leg, seq, used_micros)
           WHERE r.tenant_id = $1 AND r.call_id = c.call_id AND r.leg = c.leg AND r.seq = c.seq AND r.state = 'open'
           RETURNING r.wallet_id, r.amount_micros
         )
         UPDATE wallet w SET reserved_micros = w.reserved_micros - c.amount_micros
         FROM (SELECT wallet_id, sum(amount_micros)::bigint AS amount_micros FROM closed GROUP BY 1) c
         WHERE w.tenant_id = $1 AND w.id = c.wallet_id",
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
