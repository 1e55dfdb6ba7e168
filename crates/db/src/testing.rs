//! A fresh, migrated database for each test, cloned from a template that is made once for each state of `migrations/`.
//! Needs `RINGTILL_TEST_SERVER`, the URL of a throw-away cluster's superuser (`deploy/dev/with-test-cluster` starts one).

use crate::migrate::{OwnerUrl, migrate};
use crate::wall::{DatabaseConfig, Db};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::str::FromStr;

const PASSWORD: &str = "test-only";
/// Any number; held while a template is made.
const TEMPLATE_LOCK: i64 = 7_261_002;

/// A database of one test.
pub struct TestDatabase {
    pub db: Db,
    pub config: DatabaseConfig,
    /// The schema owner's URL, for catalogue checks and for what a test must break on purpose.
    pub owner: OwnerUrl,
    pub name: String,
}

/// A fresh database with the schema and nothing else.
pub async fn fresh_database() -> TestDatabase {
    let template = format!("ringtill_template_{:x}", schema_hash());
    let mut admin = server().await;
    ensure_template(&mut admin, &template).await;
    clone_of(&mut admin, &template).await
}

/// A fresh database cloned from a template of the caller's, which `fill` loads once per test run.
pub async fn database_from<F, Fut>(template: &str, fill: F) -> TestDatabase
where
    F: FnOnce(TestDatabase) -> Fut,
    Fut: Future<Output = ()>,
{
    let base = format!("ringtill_template_{:x}", schema_hash());
    let name = format!("{base}_{template}");
    let mut admin = server().await;
    lock(&mut admin).await;
    if !exists(&mut admin, &name).await {
        make_template(&mut admin, &base).await;
        let making = clone_of(&mut admin, &base).await;
        let made = making.name.clone();
        fill(making).await;
        statement(&mut admin, &format!("ALTER DATABASE \"{made}\" RENAME TO \"{name}\"")).await;
    }
    unlock(&mut admin).await;
    clone_of(&mut admin, &name).await
}

async fn ensure_template(admin: &mut PgConnection, template: &str) {
    lock(admin).await;
    make_template(admin, template).await;
    unlock(admin).await;
}

async fn make_template(admin: &mut PgConnection, template: &str) {
    if exists(admin, template).await {
        return;
    }
    let making = format!("{template}_making");
    statement(admin, &format!("DROP DATABASE IF EXISTS \"{making}\"")).await;
    statement(admin, &format!("CREATE DATABASE \"{making}\"")).await;
    migrate(&url_of(&making, None), &PASSWORD.into()).await.expect("migrations apply to an empty database");
    statement(admin, &format!("ALTER DATABASE \"{making}\" RENAME TO \"{template}\"")).await;
}

async fn clone_of(admin: &mut PgConnection, template: &str) -> TestDatabase {
    let name = format!("t_{}", uuid::Uuid::now_v7().simple());
    statement(admin, &format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"")).await;
    let config = DatabaseConfig {
        tenant_url: url_of(&name, Some("ringtill_tenant")),
        platform_url: url_of(&name, Some("ringtill_platform")),
        connections_max: 8,
    };
    let db = Db::connect(&config).await.expect("the test database accepts its roles");
    TestDatabase { db, config, owner: url_of(&name, None), name }
}

fn schema_hash() -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for migration in crate::migrate::all().iter() {
        migration.checksum.hash(&mut hasher);
    }
    hasher.finish()
}

fn server_url() -> String {
    std::env::var("RINGTILL_TEST_SERVER")
        .expect("RINGTILL_TEST_SERVER is not set: run through deploy/dev/with-test-cluster")
}

async fn server() -> PgConnection {
    let options = PgConnectOptions::from_str(&server_url()).expect("RINGTILL_TEST_SERVER is a PostgreSQL URL");
    options.disable_statement_logging().connect().await.expect("the test server accepts connections")
}

fn url_of(database: &str, role: Option<&str>) -> SecretString {
    let server = server_url();
    let (scheme, rest) = server.split_once("://").expect("RINGTILL_TEST_SERVER has a scheme");
    let (login, place) = rest.split_once('@').expect("RINGTILL_TEST_SERVER names a user");
    let host = place.split('/').next().expect("a split has a first part");
    let login = role.map_or(login.to_owned(), |role| format!("{role}:{PASSWORD}"));
    format!("{scheme}://{login}@{host}/{database}").into()
}

async fn exists(admin: &mut PgConnection, name: &str) -> bool {
    let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(name).fetch_optional(admin).await;
    found.expect("the server lists its databases").is_some()
}

async fn statement(admin: &mut PgConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(admin).await.expect("the superuser may manage databases");
}

async fn lock(admin: &mut PgConnection) {
    statement(admin, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
}

async fn unlock(admin: &mut PgConnection) {
    statement(admin, &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
}

impl TestDatabase {
    /// Runs statements as the owner of the schema: for what a test must break, or count, from outside the wall.
    pub async fn as_owner(&self, statements: &str) {
        let options = PgConnectOptions::from_str(self.owner.expose_secret()).expect("the owner's URL is one");
        let mut connection = options.disable_statement_logging().connect().await.expect("the owner may connect");
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .expect("the owner's statements run");
        connection.close().await.expect("the connection closes");
    }

    /// Returns when a transaction waits for another one's lock.
    ///
    /// # Panics
    /// When nobody waits for ten seconds: the lock is gone that a test is about.
    pub async fn until_somebody_waits(&self) {
        let options = PgConnectOptions::from_str(self.owner.expose_secret()).expect("the owner's URL is one");
        let mut connection = options.disable_statement_logging().connect().await.expect("the owner may connect");
        let waiting = "SELECT 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
             WHERE NOT l.granted AND a.datname = current_database()";
        for _ in 0..500 {
            if sqlx::query(waiting).fetch_optional(&mut connection).await.expect("locks are seen").is_some() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("nobody waits for a lock");
    }
}
