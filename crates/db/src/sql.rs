use crate::fault::{self, Guard};
use sea_orm::{DbBackend, DbErr, RuntimeErr, Statement, Value};

/// A PostgreSQL statement with `$1`, `$2` .. values.
pub fn sql<I: IntoIterator<Item = Value>>(text: &str, values: I) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, text, values)
}

/// The SQLSTATE of a refused statement (`23505` unique violation, `40001` serialization failure ..), if PostgreSQL sent one.
pub fn sqlstate_of(error: &DbErr) -> Option<String> {
    driver_error(error)?.as_database_error()?.code().map(|code| code.into_owned())
}

/// The constraint that refused a statement.
pub fn constraint_of(error: &DbErr) -> Option<String> {
    driver_error(error)?.as_database_error()?.constraint().map(str::to_owned)
}

/// True for a duplicate key.
pub fn is_unique_violation(error: &DbErr) -> bool {
    sqlstate_of(error).as_deref() == Some("23505")
}

/// True for a serialization failure or a deadlock: the same transaction may be tried again.
pub fn is_retryable(error: &DbErr) -> bool {
    matches!(sqlstate_of(error).as_deref(), Some("40001" | "40P01")) && !fault::is_left_out(Guard::Retry)
}

/// True when no connection came free in time: too much is asked at once, and it may be asked again.
pub fn is_busy(error: &DbErr) -> bool {
    matches!(error, DbErr::ConnectionAcquire(_)) || matches!(driver_error(error), Some(sqlx::Error::PoolTimedOut))
}

/// True when PostgreSQL will refuse the same statement for ever: its data cannot be stored (class 22), a constraint or a
/// trigger says no (23, P0001), a limit is passed (54). All else may pass: a lost connection, a full disk, a missing right.
pub fn is_refusal(error: &DbErr) -> bool {
    match sqlstate_of(error).as_deref() {
        // A check violation without a constraint is a partition that nobody has made yet.
        Some("23514") => constraint_of(error).is_some(),
        Some(state) => state == "P0001" || ["22", "23", "54"].iter().any(|class| state.starts_with(class)),
        None => false,
    }
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}
