use crate::error::UsageError;
use crate::meter::{Aggregation, Meter};
use db::{DbError, PlatformTx, TenantTx};
use sea_orm::FromQueryResult;

/// False when the meter adds up in another way.
pub async fn put(tx: &TenantTx, meter: &Meter) -> Result<bool, DbError> {
    let touched = tx
        .run(
            "INSERT INTO meter (tenant_id, code, name, unit, aggregation, dimensions) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant_id, code) DO UPDATE SET name = EXCLUDED.name, unit = EXCLUDED.unit, dimensions = EXCLUDED.dimensions
             WHERE meter.aggregation = EXCLUDED.aggregation",
            [
                tx.tenant_id().into(),
                meter.code.clone().into(),
                meter.name.clone().into(),
                meter.unit.clone().into(),
                meter.aggregation.as_str().into(),
                meter.dimensions.clone().into(),
            ],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn all(tx: &TenantTx) -> Result<Vec<Meter>, UsageError> {
    #[derive(FromQueryResult)]
    struct Row {
        code: String,
        name: String,
        unit: String,
        aggregation: String,
        dimensions: Vec<String>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT code, name, unit, aggregation, dimensions FROM meter WHERE tenant_id = $1 ORDER BY code",
            [tx.tenant_id().into()],
        )
        .await?;
    let meter = |row: Row| {
        let aggregation = Aggregation::read(&row.aggregation)?;
        Ok(Meter { code: row.code, name: row.name, unit: row.unit, aggregation, dimensions: row.dimensions })
    };
    rows.into_iter().map(meter).collect()
}

pub async fn ensure_partitions(ptx: &PlatformTx, from_on: chrono::NaiveDate, months: u32) -> Result<u32, DbError> {
    let made: Option<i32> =
        ptx.value("SELECT ensure_usage_partitions($1, $2) AS v", [from_on.into(), (months as i32).into()]).await?;
    Ok(made.unwrap_or(0).unsigned_abs())
}
