use crate::error::Result;
use crate::settlement::Settlement;
use chrono::{DateTime, Utc};
use db::TenantTx;

pub(crate) async fn put(tx: &TenantTx, of: &Settlement, number: &str, issued_at: DateTime<Utc>) -> Result<()> {
    tx.run(
        "INSERT INTO received_settlement (tenant_id, id, number, currency, period_starts_on, period_ends_on, owed_micros, net_micros, tax_micros,
           gross_micros, issued_at, paid_on, paid_reference)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (tenant_id, id) DO UPDATE SET paid_on = coalesce(received_settlement.paid_on, $12),
           paid_reference = coalesce(received_settlement.paid_reference, $13)",
        [
            tx.tenant_id().into(),
            of.id.into(),
            number.into(),
            of.gross.currency().code().into(),
            of.period_starts_on.into(),
            of.period_ends_on.into(),
            of.owed.micros().into(),
            of.net.micros().into(),
            of.tax.micros().into(),
            of.gross.micros().into(),
            issued_at.into(),
            of.payout.as_ref().map(|payout| payout.on).into(),
            of.payout.as_ref().map(|payout| payout.reference.clone()).into(),
        ],
    )
    .await?;
    Ok(())
}
