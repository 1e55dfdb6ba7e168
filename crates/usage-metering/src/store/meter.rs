use crate::error::UsageError;
use crate::meter::{Aggregation, Meter};
use crate::prepare::json_of;
use db::{DbError, TenantTx};
use rust_decimal::Decimal;
use sea_orm::FromQueryResult;
use serde_json::Value;

/// False when the meter adds up in another way.
pub async fn put(tx: &TenantTx, meter: &Meter) -> Result<bool, DbError> {
    write(
        tx,
        meter,
        "INSERT INTO meter (tenant_id, code, name, unit, aggregation, dimensions, event_type, filter, of_dimension, percent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10)
         ON CONFLICT (tenant_id, code) DO UPDATE SET name = EXCLUDED.name, unit = EXCLUDED.unit, dimensions = EXCLUDED.dimensions,
           event_type = EXCLUDED.event_type, filter = EXCLUDED.filter
         WHERE (meter.aggregation, meter.of_dimension, meter.percent)
           IS NOT DISTINCT FROM (EXCLUDED.aggregation, EXCLUDED.of_dimension, EXCLUDED.percent)",
    )
    .await
}

/// False when another meter has the code; one that is being defined at this moment is waited for.
pub async fn insert(tx: &TenantTx, meter: &Meter) -> Result<bool, DbError> {
    write(
        tx,
        meter,
        "INSERT INTO meter (tenant_id, code, name, unit, aggregation, dimensions, event_type, filter, of_dimension, percent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10) ON CONFLICT (tenant_id, code) DO NOTHING",
    )
    .await
}

async fn write(tx: &TenantTx, meter: &Meter, sql: &str) -> Result<bool, DbError> {
    let touched = tx
        .run(
            sql,
            [
                tx.tenant_id().into(),
                meter.code.clone().into(),
                meter.name.clone().into(),
                meter.unit.clone().into(),
                meter.aggregation.as_str().into(),
                meter.dimensions.clone().into(),
                meter.event_type.clone().into(),
                json_of(&meter.filter).into(),
                meter.of_dimension.clone().into(),
                meter.percent.into(),
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
        event_type: String,
        filter: Value,
        of_dimension: Option<String>,
        percent: Option<Decimal>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT code, name, unit, aggregation, dimensions, coalesce(event_type, code) AS event_type, filter,
                    of_dimension, percent
             FROM meter WHERE tenant_id = $1 ORDER BY code",
            [tx.tenant_id().into()],
        )
        .await?;
    let meter = |row: Row| {
        let aggregation = Aggregation::read(&row.aggregation)?;
        let found = row.filter.to_string();
        let filter = serde_json::from_value(row.filter)
            .map_err(|_| UsageError::StoredValueMustBeKnown { what: "filter of a meter", found })?;
        Ok(Meter {
            code: row.code,
            name: row.name,
            unit: row.unit,
            aggregation,
            dimensions: row.dimensions,
            event_type: row.event_type,
            filter,
            of_dimension: row.of_dimension,
            percent: row.percent.map(|percent| percent.normalize()),
        })
    };
    rows.into_iter().map(meter).collect()
}
