use crate::error::Result;
use crate::store::money;
use db::TenantTx;
use money::Money;
use sea_orm::FromQueryResult;

#[derive(FromQueryResult)]
struct DetailRow {
    detail: String,
}

async fn details(tx: &TenantTx, sql: &str) -> Result<Vec<String>> {
    let rows: Vec<DetailRow> = tx.rows(sql, [tx.tenant_id().into()]).await?;
    Ok(rows.into_iter().map(|row| row.detail).collect())
}

/// Series whose counter, highest number and count of documents are not one and the same.
pub(crate) async fn torn_series(tx: &TenantTx) -> Result<Vec<String>> {
    details(
        tx,
        "SELECT format('series %s: counter %s, highest number %s, %s documents', coalesce(c.series, d.series), c.last_number, d.highest, d.documents) AS detail
         FROM (SELECT series, last_number FROM document_counter WHERE tenant_id = $1) c
         FULL JOIN (SELECT series, max(serial) AS highest, count(*) AS documents FROM document WHERE tenant_id = $1 GROUP BY series) d ON d.series = c.series
         WHERE c.last_number IS DISTINCT FROM d.highest OR d.highest IS DISTINCT FROM d.documents",
    )
    .await
}

/// Invoices that claim nothing.
pub(crate) async fn unclaimed(tx: &TenantTx) -> Result<Vec<String>> {
    details(
        tx,
        "SELECT format('invoice %s bills nothing that is claimed', d.number) AS detail FROM document d
         WHERE d.tenant_id = $1 AND d.kind = 'invoice'
           AND NOT EXISTS (SELECT 1 FROM billed_service b WHERE b.tenant_id = d.tenant_id AND b.document_id = d.id)",
    )
    .await
}

/// Documents whose lines or tax groups are not their totals.
pub(crate) async fn torn_sums(tx: &TenantTx) -> Result<Vec<String>> {
    details(
        tx,
        "SELECT format('document %s: net %s, lines %s, bases %s; tax %s, groups %s', d.number, d.net_micros, l.net, t.base, d.tax_micros, t.tax) AS detail
         FROM document d
         LEFT JOIN (SELECT document_id, sum(amount_micros) AS net FROM document_line WHERE tenant_id = $1 GROUP BY 1) l ON l.document_id = d.id
         LEFT JOIN (SELECT document_id, sum(base_micros) AS base, sum(tax_micros) AS tax FROM document_tax WHERE tenant_id = $1 GROUP BY 1) t
           ON t.document_id = d.id
         WHERE d.tenant_id = $1 AND (l.net IS DISTINCT FROM d.net_micros OR t.base IS DISTINCT FROM d.net_micros OR t.tax IS DISTINCT FROM d.tax_micros)",
    )
    .await
}

/// Tables of final documents that this role may change.
pub(crate) async fn changeable(tx: &TenantTx) -> Result<Vec<String>> {
    let rows: Vec<DetailRow> = tx
        .rows(
            "SELECT format('%s may be changed by %s', t, current_user) AS detail
             FROM unnest(ARRAY['document', 'document_line', 'document_tax', 'document_file', 'billed_service']) t
             WHERE has_table_privilege(current_user, t, 'UPDATE') OR has_table_privilege(current_user, t, 'DELETE')
                OR has_table_privilege(current_user, t, 'TRUNCATE')",
            [],
        )
        .await?;
    Ok(rows.into_iter().map(|row| row.detail).collect())
}

#[derive(FromQueryResult)]
struct TaxRow {
    currency: String,
    tax: i64,
}

/// Tax of all invoices less credit notes, of statements that a seller wrote in this book's name, less those that it wrote itself:
/// their tax is its payees'.
pub(crate) async fn tax_by_currency(tx: &TenantTx) -> Result<Vec<Money>> {
    let rows: Vec<TaxRow> = tx
        .rows(
            "SELECT currency, sum(tax)::bigint AS tax FROM (
               SELECT currency, CASE kind WHEN 'invoice' THEN tax_micros ELSE -tax_micros END AS tax FROM document WHERE tenant_id = $1
               UNION ALL SELECT currency, tax_micros FROM received_settlement WHERE tenant_id = $1
             ) said GROUP BY currency",
            [tx.tenant_id().into()],
        )
        .await?;
    rows.into_iter().map(|row| money(row.tax, &row.currency)).collect()
}
