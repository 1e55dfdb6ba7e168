use crate::bulk::BulkTx;
use crate::fault::{self, Guard};
use crate::ids::{CustomerId, TenantId};
use async_trait::async_trait;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    FromQueryResult, QueryResult, Statement, TransactionTrait, Value,
};
use secrecy::{ExposeSecret, SecretString};
use std::ops::Deref;
use std::time::Duration;

/// Where the two login roles connect. Neither owns a table, neither bypasses a policy.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// Role `ringtill_tenant`.
    pub tenant_url: SecretString,
    /// Role `ringtill_platform`.
    pub platform_url: SecretString,
    /// Connections per pool.
    pub connections_max: u32,
}

/// The pools. They stay private: everybody else gets transactions.
///
/// ```
/// async fn handler(db: &db::Db, id: db::TenantId) -> Result<(), db::DbError> {
///     db.tenant(id).await?.commit().await
/// }
/// ```
/// A handler cannot reach a pool:
/// ```compile_fail,E0616
/// fn handler(db: &db::Db) {
///     let pool = &db.tenant;
/// }
/// ```
/// nor take one out of a transaction, or the connection under it:
/// ```compile_fail,E0616
/// fn handler(tx: &db::TenantTx) {
///     let connection = &tx.tx;
/// }
/// ```
/// ```compile_fail,E0599
/// fn handler(tx: &db::TenantTx) {
///     let pool = tx.get_postgres_connection_pool();
/// }
/// ```
/// nor change whose transaction it is, or make one of its own:
/// ```compile_fail,E0616
/// fn handler(tx: &mut db::TenantTx, id: db::TenantId) {
///     tx.tenant_id = id;
/// }
/// ```
/// ```compile_fail,E0451
/// fn handler(tx: db::TenantTx, id: db::CustomerId) -> db::CustomerTx {
///     db::CustomerTx { tx, customer_id: id }
/// }
/// ```
/// nor look at all tenants without a written reason:
/// ```compile_fail,E0061
/// async fn handler(db: &db::Db) {
///     db.platform().await;
/// }
/// ```
#[derive(Clone)]
pub struct Db {
    tenant: DatabaseConnection,
    platform: DatabaseConnection,
    /// Connections of the mass path alone: a flood of events takes none from pages and calls, and pages none from events.
    bulk: DatabaseConnection,
}

/// Connections of the mass path.
const BULK_CONNECTIONS_MAX: u32 = 4;
/// How long anybody waits for a free connection: who asked is told to come back before it gives up itself.
const ACQUIRE_SECONDS_MAX: u64 = 2;

/// Why somebody looks at all tenants at once. The list is closed: a new caller needs a new line here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformReason {
    /// Find the person, session and memberships behind a sign-in or a cookie, before a tenant is known.
    SignIn,
    /// Find whose key a request carries, before a tenant is known.
    AuthenticateKey,
    /// Find whose domain a host name is, and its brand.
    ResolveHost,
    /// Find who owns a called number, before a tenant is known.
    RouteCall,
    /// List the tenants that have work due (outbox, rollups, leases); the work itself runs in each tenant's own transaction.
    FindDueWork,
    /// Create organisations, persons, domains and numbers, and move them in the tree.
    Provision,
    /// Who is above whom: the chain of books that a call concerns.
    WalkTheTree,
    /// `ringtill audit`: check the invariants over all books.
    Audit,
    /// The operator's health page: ages and counts over all books, no rows.
    Health,
}

impl Db {
    /// Opens the pools. Refuses a role that could see past the policies (superuser, BYPASSRLS or an owner of tables).
    pub async fn connect(config: &DatabaseConfig) -> Result<Self, DbErr> {
        let db = Self {
            tenant: open(&config.tenant_url, config.connections_max).await?,
            platform: open(&config.platform_url, config.connections_max).await?,
            bulk: open(&config.tenant_url, BULK_CONNECTIONS_MAX).await?,
        };
        for pool in [&db.tenant, &db.platform, &db.bulk] {
            refuse_mighty_role(pool).await?;
        }
        Ok(db)
    }

    /// One tenant's transaction: every statement in it sees and writes this tenant's rows only. Dropped without commit, it rolls back.
    pub async fn tenant(&self, tenant_id: TenantId) -> Result<TenantTx, DbErr> {
        tenant_tx(&self.tenant, tenant_id).await
    }

    /// The same on a connection of the mass path: for what a batch must read before it is written.
    pub async fn tenant_for_bulk(&self, tenant_id: TenantId) -> Result<TenantTx, DbErr> {
        tenant_tx(self.mass(), tenant_id).await
    }

    /// A portal customer's transaction: within the seller's book, only rows of this customer and the public catalogue.
    pub async fn customer(&self, seller: TenantId, customer_id: CustomerId) -> Result<CustomerTx, DbErr> {
        let tx = self.tenant.begin().await?;
        tx.execute_unprepared(&format!(
            "SET LOCAL app.tenant_id = '{}'; SET LOCAL app.customer_id = '{}'",
            seller.uuid(),
            customer_id.uuid()
        ))
        .await?;
        Ok(CustomerTx { tx: TenantTx { tx, tenant_id: seller }, customer_id })
    }

    /// All tenants at once, for one of the reasons on the closed list.
    pub async fn platform(&self, reason: PlatformReason) -> Result<PlatformTx, DbErr> {
        let tx = self.platform.begin().await?;
        tracing::trace!(?reason, "Opened a platform transaction");
        Ok(PlatformTx { tx })
    }

    /// A tenant's transaction that can COPY. COPY straight into a table with policies is refused by PostgreSQL: stage first.
    pub async fn bulk(&self, tenant_id: TenantId) -> Result<BulkTx, DbErr> {
        BulkTx::begin(self.mass().get_postgres_connection_pool(), tenant_id).await
    }

    fn mass(&self) -> &DatabaseConnection {
        if fault::is_left_out(Guard::OwnPool) { &self.tenant } else { &self.bulk }
    }

    /// True when both roles can reach the server: for readiness, nothing else.
    pub async fn is_reachable(&self) -> bool {
        self.tenant.ping().await.is_ok() && self.platform.ping().await.is_ok()
    }

    /// Closes the pools; open transactions finish first.
    pub async fn close(self) -> Result<(), DbErr> {
        self.tenant.close().await?;
        self.bulk.close().await?;
        self.platform.close().await
    }
}

async fn tenant_tx(pool: &DatabaseConnection, tenant_id: TenantId) -> Result<TenantTx, DbErr> {
    let tx = pool.begin().await?;
    // SET LOCAL and not set_config(): the setting must also reach the nodes of a distributed database.
    tx.execute_unprepared(&format!("SET LOCAL app.tenant_id = '{}'", tenant_id.uuid())).await?;
    Ok(TenantTx { tx, tenant_id })
}

async fn open(url: &SecretString, connections_max: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url.expose_secret().to_owned());
    options
        .max_connections(connections_max)
        .acquire_timeout(Duration::from_secs(ACQUIRE_SECONDS_MAX))
        .sqlx_logging(false);
    Database::connect(options).await
}

async fn refuse_mighty_role(pool: &DatabaseConnection) -> Result<(), DbErr> {
    let row = pool
        .query_one_raw(crate::sql(
            // Temporary tables are its own: those that BulkTx stages in, on other connections of the same role.
            "SELECT r.rolsuper OR r.rolbypassrls
                 OR EXISTS (SELECT 1 FROM pg_class c WHERE c.relowner = r.oid
                            AND c.relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(temp|toast_temp)_')) AS mighty
             FROM pg_roles r WHERE r.rolname = current_user",
            [],
        ))
        .await?;
    let mighty = row.map(|r| r.try_get::<bool>("", "mighty")).transpose()?.unwrap_or(true);
    if mighty {
        return Err(DbErr::Custom(
            "the login role is a superuser, bypasses policies or owns tables; use the roles that `ringtill migrate` makes".into(),
        ));
    }
    Ok(())
}

/// One tenant's transaction.
pub struct TenantTx {
    tx: DatabaseTransaction,
    tenant_id: TenantId,
}

/// One portal customer's transaction; may be passed wherever a [`TenantTx`] is read from: PostgreSQL narrows it to the customer.
pub struct CustomerTx {
    tx: TenantTx,
    customer_id: CustomerId,
}

/// A transaction over all tenants.
pub struct PlatformTx {
    tx: DatabaseTransaction,
}

impl TenantTx {
    /// Whose rows this transaction sees.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Makes the writes durable.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.tx.commit().await
    }

    /// Does something as if it were to stay, and gives it up: what comes of it can be shown, and nothing of it is stored. It needs
    /// no second connection, for which a request that holds one must never wait.
    pub async fn tried<T>(&self, what: impl Future<Output = T>) -> Result<T, DbErr> {
        self.tx.execute_unprepared("SAVEPOINT tried").await?;
        let outcome = what.await;
        self.tx.execute_unprepared("ROLLBACK TO SAVEPOINT tried; RELEASE SAVEPOINT tried").await?;
        Ok(outcome)
    }

    /// Gives the writes up. (Dropping does the same, later.)
    pub async fn rollback(self) -> Result<(), DbErr> {
        self.tx.rollback().await
    }
}

impl CustomerTx {
    /// The customer whose rows this transaction sees.
    pub fn customer_id(&self) -> CustomerId {
        self.customer_id
    }

    /// Makes the writes durable.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.tx.commit().await
    }
}

impl Deref for CustomerTx {
    type Target = TenantTx;
    fn deref(&self) -> &TenantTx {
        &self.tx
    }
}

impl PlatformTx {
    /// Makes the writes durable.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.tx.commit().await
    }
}

macro_rules! connection {
    ($transaction:ty) => {
        #[async_trait]
        impl ConnectionTrait for $transaction {
            fn get_database_backend(&self) -> DbBackend {
                self.tx.get_database_backend()
            }
            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                self.tx.execute_raw(statement).await
            }
            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                self.tx.execute_unprepared(sql).await
            }
            async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
                self.tx.query_one_raw(statement).await
            }
            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                self.tx.query_all_raw(statement).await
            }
        }

        impl $transaction {
            /// Runs a statement; the number of rows it touched.
            pub async fn run<I: IntoIterator<Item = Value>>(&self, sql: &str, values: I) -> Result<u64, DbErr> {
                Ok(self.tx.execute_raw(crate::sql(sql, values)).await?.rows_affected())
            }

            /// All rows of a query, each as `T`.
            pub async fn rows<T: FromQueryResult, I: IntoIterator<Item = Value>>(
                &self,
                sql: &str,
                values: I,
            ) -> Result<Vec<T>, DbErr> {
                let rows = self.tx.query_all_raw(crate::sql(sql, values)).await?;
                rows.iter().map(|row| T::from_query_result(row, "")).collect()
            }

            /// The first row of a query, as `T`.
            pub async fn row<T: FromQueryResult, I: IntoIterator<Item = Value>>(
                &self,
                sql: &str,
                values: I,
            ) -> Result<Option<T>, DbErr> {
                let row = self.tx.query_one_raw(crate::sql(sql, values)).await?;
                row.map(|row| T::from_query_result(&row, "")).transpose()
            }

            /// The first column of the first row, named `v` in the query (`SELECT .. AS v`).
            pub async fn value<T: sea_orm::TryGetable, I: IntoIterator<Item = Value>>(
                &self,
                sql: &str,
                values: I,
            ) -> Result<Option<T>, DbErr> {
                let row = self.tx.query_one_raw(crate::sql(sql, values)).await?;
                row.map(|row| row.try_get::<T>("", "v")).transpose()
            }
        }
    };
}
connection!(TenantTx);
connection!(PlatformTx);
