use crate::fault::{self, Guard};
use crate::ids::TenantId;
use sea_orm::{DbErr, RuntimeErr};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row, Transaction};
use std::sync::Arc;

/// One tenant's transaction on the driver itself, for COPY into a temporary staging table and set-based statements after it.
/// The same wall holds: the tenant is set before anything else can run.
pub struct BulkTx {
    tx: Transaction<'static, Postgres>,
    tenant_id: TenantId,
}

impl BulkTx {
    pub(crate) async fn begin(pool: &PgPool, tenant_id: TenantId) -> Result<Self, DbErr> {
        let begin = format!("BEGIN; SET LOCAL app.tenant_id = '{}'", tenant_id.uuid());
        let tx = pool.begin_with(AssertSqlSafe(begin)).await.map_err(refused)?;
        Ok(Self { tx, tenant_id })
    }

    /// Whose rows this transaction sees.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Runs a statement without values; rows touched. The text must come from the program, never from input.
    pub async fn run(&mut self, sql: &'static str) -> Result<u64, DbErr> {
        Ok(sqlx::query(sql).execute(&mut *self.tx).await.map_err(refused)?.rows_affected())
    }

    /// Several statements in one round trip, without values.
    pub async fn run_script(&mut self, sql: &'static str) -> Result<(), DbErr> {
        sqlx::raw_sql(sql).execute(&mut *self.tx).await.map_err(refused)?;
        Ok(())
    }

    /// Rows of a query without values, each made by `read`.
    pub async fn rows<T>(
        &mut self,
        sql: &'static str,
        read: impl Fn(&sqlx::postgres::PgRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, DbErr> {
        let rows = sqlx::query(sql).fetch_all(&mut *self.tx).await.map_err(refused)?;
        rows.iter().map(|row| read(row).map_err(refused)).collect()
    }

    /// The single number that a query without values returns.
    pub async fn number(&mut self, sql: &'static str) -> Result<i64, DbErr> {
        let row = sqlx::query(sql).fetch_one(&mut *self.tx).await.map_err(refused)?;
        row.try_get(0).map_err(refused)
    }

    /// `COPY staging FROM STDIN (FORMAT binary)` of an already encoded payload; rows copied.
    pub async fn copy(&mut self, statement: &'static str, payload: &[u8]) -> Result<u64, DbErr> {
        let mut copy = self.tx.copy_in_raw(statement).await.map_err(refused)?;
        copy.send(payload).await.map_err(refused)?;
        copy.finish().await.map_err(refused)
    }

    /// Makes the writes durable.
    pub async fn commit(self) -> Result<(), DbErr> {
        if fault::is_left_out(Guard::CommitBeforeAnswer) {
            return Ok(());
        }
        self.tx.commit().await.map_err(refused)
    }
}

fn refused(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}
