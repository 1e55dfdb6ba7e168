//! A part of a transaction that may be given up without the rest.

use db::{DbError, TenantTx};

pub async fn begin(tx: &TenantTx) -> Result<(), DbError> {
    tx.run("SAVEPOINT part", []).await.map(drop)
}

/// The part stays.
pub async fn keep(tx: &TenantTx) -> Result<(), DbError> {
    tx.run("RELEASE SAVEPOINT part", []).await.map(drop)
}

/// The part is given up, also when the database refused it.
pub async fn give_up(tx: &TenantTx) -> Result<(), DbError> {
    tx.run("ROLLBACK TO SAVEPOINT part", []).await?;
    keep(tx).await
}
