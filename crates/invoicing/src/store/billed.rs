use crate::billed::{BilledBefore, BilledSum, READ_BACK};
use crate::content::{Claim, Claimed};
use crate::document::Document;
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
    word: String,
    amount_micros: i64,
    quantity: Decimal,
    times: i64,
    ends_at: DateTime<Utc>,
}

/// What was billed lately of these subscriptions and customers: one range of an index for each, however long the history. Of some
/// it is read from an earlier instant on.
pub(crate) async fn before(
    tx: &TenantTx,
    currencies: &HashMap<Uuid, Currency>,
    earlier: &HashMap<Uuid, DateTime<Utc>>,
) -> Result<BilledBefore> {
    let ids: Vec<Uuid> = currencies.keys().copied().collect();
    let (early_ids, early_from): (Vec<Uuid>, Vec<DateTime<Utc>>) = earlier.iter().unzip();
    let rows: Vec<SumRow> = tx
        .rows(
            "SELECT k.billed_id, s.component_key, s.service_starts_at, s.word, s.amount_micros, s.quantity, s.times, s.ends_at
             FROM unnest($2::uuid[]) AS k (billed_id)
             LEFT JOIN unnest($4::uuid[], $5::timestamptz[]) AS e (billed_id, from_at) ON e.billed_id = k.billed_id
             CROSS JOIN LATERAL (
               SELECT max(service_starts_at) AS at FROM billed_service WHERE tenant_id = $1 AND billed_id = k.billed_id) newest
             CROSS JOIN LATERAL (
               SELECT b.component_key, b.service_starts_at, split_part(b.kind, '-', 1) AS word,
                 sum(b.amount_micros)::bigint AS amount_micros, sum(b.quantity) AS quantity, count(*) AS times, max(b.service_ends_at) AS ends_at
               FROM billed_service b
               WHERE b.tenant_id = $1 AND b.billed_id = k.billed_id AND b.service_starts_at >= least(newest.at - $3 * interval '1 hour', e.from_at)
               GROUP BY 1, 2, 3
             ) s",
            [
                tx.tenant_id().into(),
                ids.into(),
                READ_BACK.num_hours().into(),
                early_ids.into(),
                early_from.into(),
            ],
        )
        .await?;
    let mut before = BilledBefore::default();
    earlier.iter().for_each(|(id, from)| before.put_read_from(*id, *from));
    for row in rows {
        let Some(currency) = currencies.get(&row.billed_id) else { continue };
        let claimed = Claimed::of_kind(&row.word);
        let mut sum = BilledSum {
            amount: Money::from_micros(row.amount_micros, *currency),
            quantity: row.quantity,
            times: row.times,
            ends_at: row.ends_at,
        };
        // A charge and its differences are one sum.
        if let Some(known) = before.of(row.billed_id, &row.component_key, row.service_starts_at, claimed) {
            sum.amount = sum.amount.checked_add(known.amount)?;
            sum.quantity += known.quantity;
            sum.times += known.times;
        }
        before.insert(row.billed_id, row.component_key, row.service_starts_at, claimed, sum);
    }
    Ok(before)
}

/// Where something was billed.
#[derive(Clone, Debug)]
pub(crate) struct At {
    pub id: Uuid,
    pub key: String,
    pub at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct ReturnedRow {
    n: i64,
    amount_micros: i64,
    quantity: Decimal,
    times: i64,
    ends_at: DateTime<Utc>,
}

/// What credit notes have given back of charges, by their place in the list.
pub(crate) async fn returned(
    tx: &TenantTx,
    charges: &[At],
    currencies: &HashMap<Uuid, Currency>,
) -> Result<Vec<(usize, BilledSum)>> {
    let rows: Vec<ReturnedRow> = tx
        .rows(
            "SELECT c.n, sum(b.amount_micros)::bigint AS amount_micros, sum(b.quantity) AS quantity, count(*) AS times, max(b.service_ends_at) AS ends_at
             FROM unnest($2::uuid[], $3::text[], $4::timestamptz[]) WITH ORDINALITY AS c (billed_id, component_key, service_starts_at, n)
             JOIN billed_service b ON b.tenant_id = $1 AND b.billed_id = c.billed_id AND b.component_key = c.component_key
               AND b.service_starts_at = c.service_starts_at AND b.kind LIKE 'returned-%'
             GROUP BY c.n",
            [
                tx.tenant_id().into(),
                charges.iter().map(|charge| charge.id).collect::<Vec<_>>().into(),
                charges.iter().map(|charge| charge.key.clone()).collect::<Vec<_>>().into(),
                charges.iter().map(|charge| charge.at).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    let sum = |row: ReturnedRow| {
        let index = row.n as usize - 1;
        let currency = currencies.get(&charges[index].id)?;
        let amount = Money::from_micros(row.amount_micros, *currency);
        Some((index, BilledSum { amount, quantity: row.quantity, times: row.times, ends_at: row.ends_at }))
    };
    Ok(rows.into_iter().filter_map(sum).collect())
}

/// A claim of a document, as a credit note looks at it.
#[derive(Clone, Debug)]
pub(crate) struct ClaimOf {
    pub billed_id: Uuid,
    pub component_key: String,
    pub service_starts_at: DateTime<Utc>,
    pub service_ends_at: DateTime<Utc>,
    pub is_credit: bool,
    /// How often credit notes have given something of it back.
    pub returned: i64,
    /// What changes have credited of it since, because it was billed ahead and is not used; in micros, with the sign of the claim.
    pub credited_micros: i64,
}

#[derive(FromQueryResult)]
struct ClaimRow {
    billed_id: Uuid,
    component_key: String,
    service_starts_at: DateTime<Utc>,
    service_ends_at: DateTime<Utc>,
    kind: String,
    returned: i64,
    credited_micros: i64,
}

/// What a document claims: found by its customer's subscriptions, since claims are kept by what they bill.
pub(crate) async fn claims_of(tx: &TenantTx, document: &Document) -> Result<Vec<ClaimOf>> {
    let rows: Vec<ClaimRow> = tx
        .rows(
            "SELECT b.billed_id, b.component_key, b.service_starts_at, b.service_ends_at, b.kind,
               (SELECT count(*) FROM billed_service r WHERE r.tenant_id = b.tenant_id AND r.billed_id = b.billed_id AND r.component_key = b.component_key
                  AND r.service_starts_at = b.service_starts_at AND r.kind LIKE 'returned-%') AS returned,
               -- A credit at its very start is of what was billed before it: a change credits the old and charges the new at once.
               (SELECT coalesce(-sum(c.amount_micros), 0)::bigint FROM billed_service c WHERE c.tenant_id = b.tenant_id AND c.billed_id = b.billed_id
                  AND c.component_key = b.component_key AND b.kind LIKE 'ahead%' AND c.kind LIKE 'credit%'
                  AND c.service_starts_at > b.service_starts_at AND c.service_starts_at < b.service_ends_at) AS credited_micros
             FROM (SELECT DISTINCT subscription_id FROM document_line
                   WHERE tenant_id = $1 AND document_id = $2 AND subscription_id IS NOT NULL) l
             JOIN billed_service b ON b.tenant_id = $1 AND b.billed_id = l.subscription_id AND b.document_id = $2",
            [tx.tenant_id().into(), document.id.into()],
        )
        .await?;
    let claim = |row: ClaimRow| ClaimOf {
        is_credit: Claimed::of_kind(&row.kind) == Claimed::Credit,
        billed_id: row.billed_id,
        component_key: row.component_key,
        service_starts_at: row.service_starts_at,
        service_ends_at: row.service_ends_at,
        returned: row.returned,
        credited_micros: row.credited_micros,
    };
    Ok(rows.into_iter().map(claim).collect())
}

#[derive(FromQueryResult)]
struct DocumentRow {
    document_id: Uuid,
}

/// The newest invoice that billed what these claims change.
pub(crate) async fn invoice_of(tx: &TenantTx, claims: &[Claim]) -> Result<Option<DocumentId>> {
    let [ids, keys, starts, _] = columns(claims.iter());
    let row: Option<DocumentRow> = tx
        .row(
            "SELECT d.id AS document_id FROM unnest($2::uuid[], $3::text[], $4::timestamptz[]) AS c (billed_id, component_key, service_starts_at)
             JOIN billed_service b ON b.tenant_id = $1 AND b.billed_id = c.billed_id AND b.component_key = c.component_key
               AND b.service_starts_at <= c.service_starts_at AND b.service_ends_at > c.service_starts_at
             JOIN document d ON d.tenant_id = $1 AND d.id = b.document_id AND d.kind = 'invoice'
             ORDER BY d.issued_at DESC, d.serial DESC LIMIT 1",
            [tx.tenant_id().into(), ids, keys, starts],
        )
        .await?;
    Ok(row.map(|row| row.document_id.into()))
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
        "INSERT INTO billed_service (tenant_id, customer_id, billed_id, component_key, service_starts_at, kind, service_ends_at, quantity, amount_micros, document_id)
         SELECT $1, coalesce(s.customer_id, c.billed_id), c.billed_id, c.component_key, c.service_starts_at, c.kind, c.service_ends_at, c.quantity, c.amount_micros, nullif(c.document_id, $2)
         FROM unnest($3::uuid[], $4::text[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::numeric[], $9::bigint[], $10::uuid[])
           AS c (billed_id, component_key, service_starts_at, kind, service_ends_at, quantity, amount_micros, document_id)
         LEFT JOIN subscription s ON s.tenant_id = $1 AND s.id = c.billed_id",
        [tx.tenant_id().into(), Uuid::nil().into(), ids, keys, starts, kinds, ends.into(), quantities.into(), amounts.into(), documents.into()],
    )
    .await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct LineRow {
    billed_id: Uuid,
    service_starts_at: DateTime<Utc>,
    component_key: String,
    text: Option<String>,
    tax_category: String,
    tax_percent: Decimal,
}

/// A line as it was billed first.
#[derive(Clone, Debug)]
pub(crate) struct FirstLine {
    pub billed_id: Uuid,
    pub at: DateTime<Utc>,
    pub key: String,
    /// `None` where several keys have one line.
    pub text: Option<String>,
    /// Category and rate.
    pub tax: (String, Decimal),
}

/// How service was billed first, by what was billed and the start of the service.
pub(crate) async fn first_lines(tx: &TenantTx, starts: &[(Uuid, DateTime<Utc>)]) -> Result<Vec<FirstLine>> {
    let rows: Vec<LineRow> = tx
        .rows(
            "SELECT DISTINCT ON (b.billed_id, b.service_starts_at, b.component_key) b.billed_id, b.service_starts_at, b.component_key, l.text, l.tax_category, l.tax_percent
             FROM unnest($2::uuid[], $3::timestamptz[]) AS k (billed_id, service_starts_at)
             JOIN billed_service b ON b.tenant_id = $1 AND b.billed_id = k.billed_id AND b.service_starts_at = k.service_starts_at
               AND b.kind IN ('charge', 'ahead')
             CROSS JOIN LATERAL (
               SELECT tax_category, tax_percent, CASE WHEN is_own THEN text END AS text
               FROM (SELECT *, subscription_id = b.billed_id AND component_key = b.component_key AND service_starts_at = b.service_starts_at AS is_own
                     FROM document_line WHERE tenant_id = $1 AND document_id = b.document_id AND line_group <> 'late') of_document
               ORDER BY is_own IS NOT TRUE, gross_micros IS NULL, position
               LIMIT 1) l
             ORDER BY b.billed_id, b.service_starts_at, b.component_key, b.kind",
            [
                tx.tenant_id().into(),
                starts.iter().map(|(id, _)| *id).collect::<Vec<_>>().into(),
                starts.iter().map(|(_, at)| *at).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    let line = |row: LineRow| FirstLine {
        billed_id: row.billed_id,
        at: row.service_starts_at,
        key: row.component_key,
        text: row.text,
        tax: (row.tax_category, row.tax_percent.normalize()),
    };
    Ok(rows.into_iter().map(line).collect())
}
