use chrono::{DateTime, NaiveDate, Utc};
use db::{DbError, PlatformTx};

pub async fn ensure(ptx: &PlatformTx, from_on: NaiveDate, months: u32) -> Result<u32, DbError> {
    let made: Option<i32> =
        ptx.value("SELECT ensure_usage_partitions($1, $2) AS v", [from_on.into(), (months as i32).into()]).await?;
    Ok(made.unwrap_or(0).unsigned_abs())
}

/// Detaches and says from when on events are kept now; that is written down where recounts look.
pub async fn retire(ptx: &PlatformTx, before_on: NaiveDate) -> Result<DateTime<Utc>, DbError> {
    let cut: Option<DateTime<Utc>> = ptx.value("SELECT detach_usage_partitions($1) AS v", [before_on.into()]).await?;
    let kept: Option<DateTime<Utc>> = ptx
        .value(
            "INSERT INTO usage_kept (from_at) VALUES ($1)
             ON CONFLICT (is_only) DO UPDATE SET from_at = greatest(usage_kept.from_at, EXCLUDED.from_at) RETURNING from_at AS v",
            [cut.into()],
        )
        .await?;
    Ok(kept.or(cut).unwrap_or(DateTime::<Utc>::MIN_UTC))
}

pub async fn prune_keys(ptx: &PlatformTx, before: DateTime<Utc>) -> Result<u64, DbError> {
    let events = ptx.run("DELETE FROM event_key WHERE received_at < $1", [before.into()]).await?;
    let calls = ptx.run("DELETE FROM call_event_key WHERE received_at < $1", [before.into()]).await?;
    ptx.run("DELETE FROM usage_span WHERE hour < $1", [before.into()]).await?;
    Ok(events + calls)
}
