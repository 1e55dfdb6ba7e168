//! The meters of a book, as the catalogue asks for them.

use db::TenantTx;
use subscription::Measure;
use usage_metering::{Meter, UsageError};

/// The book's meters, by which components may charge.
pub async fn own_meters(tx: &TenantTx) -> Result<Vec<Measure>, UsageError> {
    let measure = |meter: Meter| Measure { code: meter.code, dimensions: meter.dimensions.into_iter().collect() };
    Ok(usage_metering::meters(tx).await?.into_iter().map(measure).collect())
}
