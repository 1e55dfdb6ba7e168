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
    matches!(sqlstate_of(error).as_deref(), Some("40001" | "40P01"))
}

/// True when the server refused a value (SQLSTATE classes 22, 23 and 54): trying again gives the same answer, and what is not
/// the value's fault (a lost connection, a full disk) is not among it.
pub fn is_refused_value(error: &DbErr) -> bool {
    sqlstate_of(error).is_some_and(|state| ["22", "23", "54"].iter().any(|class| state.starts_with(class)))
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}
