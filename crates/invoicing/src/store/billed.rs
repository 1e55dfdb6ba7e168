use crate::content::Claim;
use crate::due::{BilledBefore, BilledSum, LATE_PERIODS};
use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{DocumentId, TenantTx};
use money::{Currency, Decimal, Money};
use sea_orm::{FromQueryResult, Value};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct SumRow {
    billed_id: Uuid,
    component_key: String,
    service_starts_at: DateTime<Utc>,
    amount_micros: i64,
    quantity: Decimal,
    times: i64,
}

/// What was billed last under these keys: one index descent for each, however long the history.
pub(crate) async fn before(
    tx: &TenantTx,
    keys: Vec<(Uuid, String)>,
    currencies: &HashMap<Uuid, Currency>,
) -> Result<BilledBefore> {
    let (ids, names): (Vec<Uuid>, Vec<String>) = keys.into_iter().unzip();
    let rows: Vec<SumRow> = tx
        .rows(
            "SELECT k.billed_id, k.component_key, s.service_starts_at, s.amount_micros, s.quantity, s.times
             FROM unnest($2::uuid[], $3::text[]) AS k (billed_id, component_key)
             CROSS JOIN LATERAL (
               SELECT b.service_starts_at, sum(b.amount_micros)::bigint AS amount_micros, sum(b.quantity) AS quantity, count(*) AS times
               FROM billed_service b
               WHERE b.tenant_id = $1 AND b.billed_id = k.billed_id AND b.component_key = k.component_key
               GROUP BY b.service_starts_at ORDER BY b.service_starts_at DESC LIMIT $4
             ) s",
            [tx.tenant_id().into(), ids.into(), names.into(), (LATE_PERIODS as i64 + 1).into()],
        )
        .await?;
    let mut before = BilledBefore::default();
    for row in rows {
        let Some(currency) = currencies.get(&row.billed_id) else { continue };
        let amount = Money::from_micros(row.amount_micros, *currency);
        let sum = BilledSum { amount, quantity: row.quantity, times: row.times };
        before.0.entry((row.billed_id, row.component_key)).or_default().insert(row.service_starts_at, sum);
    }
    Ok(before)
}

fn columns<'a>(claims: impl Iterator<Item = &'a Claim> + Clone) -> [Value; 4] {
    [
        claims.clone().map(|claim| claim.billed_id).collect::<Vec<_>>().into(),
        claims.clone().map(|claim| claim.component_key.clone()).collect::<Vec<_>>().into(),
        claims.clone().map(|claim| claim.service_starts_at).collect::<Vec<_>>().into(),
        claims.map(|claim| claim.kind.clone()).collect::<Vec<_>>().into(),
    ]
}

#[derive(FromQueryResult)]
struct TakenRow {
    n: i64,
}

/// Positions (from 1) of the claims that are taken already.
pub(crate) async fn taken(tx: &TenantTx, claims: &[&Claim]) -> Result<Vec<usize>> {
    let [ids, keys, starts, kinds] = columns(claims.iter().copied());
    let rows: Vec<TakenRow> = tx
        .rows(
            "SELECT c.n FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::text[]) WITH ORDINALITY
               AS c (billed_id, component_key, service_starts_at, kind, n)
             JOIN billed_service b ON b.tenant_id = $1 AND b.billed_id = c.billed_id AND b.component_key = c.component_key
               AND b.service_starts_at = c.service_starts_at AND b.kind = c.kind",
            [tx.tenant_id().into(), ids, keys, starts, kinds],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.n as usize).collect())
}

/// Writes claims; one that is taken refuses the whole statement (I7). The nil UUID stands for no document.
pub(crate) async fn insert(tx: &TenantTx, claims: &[(Option<DocumentId>, &Claim)]) -> Result<()> {
    if claims.is_empty() {
        return Ok(());
    }
    let [ids, keys, starts, kinds] = columns(claims.iter().map(|(_, claim)| *claim));
    let ends: Vec<DateTime<Utc>> = claims.iter().map(|(_, claim)| claim.service_ends_at).collect();
    let quantities: Vec<Decimal> = claims.iter().map(|(_, claim)| claim.quantity).collect();
    let amounts: Vec<i64> = claims.iter().map(|(_, claim)| claim.amount.micros()).collect();
    let documents: Vec<Uuid> =
        claims.iter().map(|(document, _)| document.map_or(Uuid::nil(), |id| id.uuid())).collect();
    tx.run(
        "INSERT INTO billed_service (tenant_id, billed_id, component_key, service_starts_at, kind, service_ends_at, quantity, amount_micros, document_id)
         SELECT $1, c.billed_id, c.component_key, c.service_starts_at, c.kind, c.service_ends_at, c.quantity, c.amount_micros, nullif(c.document_id, $2)
         FROM unnest($3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::numeric[], $9::bigint[], $10::uuid[])
           AS c (billed_id, component_key, service_starts_at, kind, service_ends_at, quantity, amount_micros, document_id)",
        [tx.tenant_id().into(), Uuid::nil().into(), ids, keys, starts, kinds, ends.into(), quantities.into(), amounts.into(), documents.into()],
    )
    .await?;
    Ok(())
}
