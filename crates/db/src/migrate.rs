use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use std::str::FromStr;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Oldest server that the schema is written for.
const POSTGRES_MIN: i32 = 150_000;

/// Where the owner of the schema connects: the only role that may change it, and never the one that serves.
pub type OwnerUrl = SecretString;

/// Why the schema could not be brought up to date. Each says the cause and the remedy in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("PostgreSQL cannot be reached ({0}); start it, or set DATABASE_URL to a server that runs")]
    Unreachable(#[source] sqlx::Error),
    #[error("PostgreSQL {found} is too old; use 15 or newer")]
    TooOld { found: String },
    #[error("the database's address must be one of PostgreSQL, as in postgres://user:password@host/database")]
    NotPostgres(#[source] sqlx::Error),
    #[error(
        "migration {file} failed and was rolled back ({cause}); mend that file or what stands in its way, and migrate again"
    )]
    Failed { file: String, cause: String },
    #[error(
        "migration {file} is not the one that the database was made with; restore that file, or use another database"
    )]
    Changed { file: String },
    #[error(
        "the database was made with migration {0}, which this program does not have; use a newer program, or another database"
    )]
    Newer(i64),
    #[error("the migrations could not be applied ({0}); see that the owner may change the schema")]
    Refused(#[source] sqlx::migrate::MigrateError),
    #[error("the login roles could not be made ({0}); the owner needs the right to create roles")]
    Roles(#[source] sqlx::Error),
}

/// Brings the schema up to date and makes sure that the two login roles exist with this password.
/// Returns how many migrations were applied.
pub async fn migrate(owner: &OwnerUrl, role_password: &SecretString) -> Result<usize, MigrateError> {
    let url = owner.expose_secret();
    // Any scheme is read as PostgreSQL's, and then nobody answers.
    let scheme = url.split("://").next().unwrap_or_default();
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err(MigrateError::NotPostgres(sqlx::Error::Configuration(format!("the scheme is {scheme}").into())));
    }
    let options = PgConnectOptions::from_str(url).map_err(MigrateError::NotPostgres)?;
    let mut connection = options.disable_statement_logging().connect().await.map_err(MigrateError::Unreachable)?;
    refuse_old_server(&mut connection).await?;
    for role in ["ringtill_tenant", "ringtill_platform"] {
        ensure_role(&mut connection, role, role_password).await.map_err(MigrateError::Roles)?;
    }
    let before = applied(&mut connection).await;
    MIGRATIONS.run(&mut connection).await.map_err(failed)?;
    let after = applied(&mut connection).await;
    connection.close().await.map_err(MigrateError::Unreachable)?;
    Ok(after.saturating_sub(before))
}

/// What went wrong with which file, in PostgreSQL's own words and without the place in its source.
fn failed(error: sqlx::migrate::MigrateError) -> MigrateError {
    use sqlx::migrate::MigrateError as E;
    let file = |version: i64| {
        let known = MIGRATIONS.iter().find(|migration| migration.version == version);
        let name = known.map(|migration| migration.description.replace(' ', "_")).unwrap_or_default();
        format!("{version:04}_{name}.sql")
    };
    match error {
        E::ExecuteMigration(cause, version) => {
            let said = cause.as_database_error().map(|said| said.message().to_owned());
            MigrateError::Failed { file: file(version), cause: said.unwrap_or_else(|| cause.to_string()) }
        }
        E::VersionMismatch(version) => MigrateError::Changed { file: file(version) },
        E::VersionMissing(version) => MigrateError::Newer(version),
        other => MigrateError::Refused(other),
    }
}

async fn refuse_old_server(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let row = sqlx::query("SELECT current_setting('server_version_num')::int4, current_setting('server_version')")
        .fetch_one(connection)
        .await
        .map_err(MigrateError::Unreachable)?;
    if row.get::<i32, _>(0) < POSTGRES_MIN {
        return Err(MigrateError::TooOld { found: row.get(1) });
    }
    Ok(())
}

/// Roles belong to the whole server, so two databases on one server share them: creating one that exists is not an error,
/// and two migrations at once (tests) must not collide.
async fn ensure_role(connection: &mut PgConnection, role: &str, password: &SecretString) -> Result<(), sqlx::Error> {
    let quoted = password.expose_secret().replace('\'', "''");
    let statement = format!(
        "SELECT pg_advisory_lock(7261001);
         DO $do$ BEGIN
           IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN
             CREATE ROLE {role} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE;
           END IF;
         END $do$;
         ALTER ROLE {role} PASSWORD '{quoted}';
         SELECT pg_advisory_unlock(7261001);"
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

async fn applied(connection: &mut PgConnection) -> usize {
    sqlx::query("SELECT count(*) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await
        .map_or(0, |row| row.get::<i64, _>(0) as usize)
}

/// The embedded migrations.
pub(crate) fn all() -> &'static Migrator {
    &MIGRATIONS
}
