use crate::entity::person::{ActiveModel, Column, Entity};
use chrono::{DateTime, Utc};
use db::{DbError, PersonId, PlatformTx};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, FromQueryResult, QueryFilter};

pub async fn insert(
    ptx: &PlatformTx,
    id: PersonId,
    email: &str,
    name: &str,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let row = ActiveModel {
        id: Set(id.uuid()),
        email: Set(email.into()),
        name: Set(name.into()),
        password_hash: Set(hash.into()),
        created_at: Set(now),
    };
    Entity::insert(row).exec_without_returning(ptx).await?;
    Ok(())
}

/// Id and password hash.
pub async fn credentials(ptx: &PlatformTx, email: &str) -> Result<Option<(PersonId, String)>, DbError> {
    let found = Entity::find().filter(Column::Email.eq(email)).one(ptx).await?;
    Ok(found.map(|row| (row.id.into(), row.password_hash)))
}

pub async fn set_hash(ptx: &PlatformTx, person: PersonId, hash: &str) -> Result<(), DbError> {
    Entity::update(ActiveModel { id: Set(person.uuid()), password_hash: Set(hash.into()), ..Default::default() })
        .exec(ptx)
        .await?;
    Ok(())
}

/// Counts a try if its address may try now; false if it must wait. The row's lock makes tries at once queue up.
pub async fn count_attempt(
    ptx: &PlatformTx,
    email_hash: &[u8; 32],
    now: DateTime<Utc>,
    free_tries: i32,
    wait_seconds_max: i64,
    forgotten_before: DateTime<Utc>,
) -> Result<bool, DbError> {
    let touched = ptx
        .run(
            "INSERT INTO sign_in_attempt (email_hash, attempts, last_at) VALUES ($1, 1, $2)
             ON CONFLICT (email_hash) DO UPDATE SET last_at = $2, attempts = CASE WHEN sign_in_attempt.last_at < $5 THEN 1
               ELSE least(sign_in_attempt.attempts + 1, 1000000) END
             WHERE sign_in_attempt.attempts < $3 OR sign_in_attempt.last_at < $5
                OR sign_in_attempt.last_at + least($4, 2 ^ least(sign_in_attempt.attempts - $3, 20)) * interval '1 second' <= $2",
            [
                email_hash.to_vec().into(),
                now.into(),
                free_tries.into(),
                wait_seconds_max.into(),
                forgotten_before.into(),
            ],
        )
        .await?;
    Ok(touched > 0)
}

pub async fn attempts(ptx: &PlatformTx, email_hash: &[u8; 32]) -> Result<Option<(i32, DateTime<Utc>)>, DbError> {
    #[derive(FromQueryResult)]
    struct Row {
        attempts: i32,
        last_at: DateTime<Utc>,
    }
    let row: Option<Row> = ptx
        .row("SELECT attempts, last_at FROM sign_in_attempt WHERE email_hash = $1", [email_hash.to_vec().into()])
        .await?;
    Ok(row.map(|row| (row.attempts, row.last_at)))
}

pub async fn forget_attempts(ptx: &PlatformTx, email_hash: &[u8; 32]) -> Result<(), DbError> {
    ptx.run("DELETE FROM sign_in_attempt WHERE email_hash = $1", [email_hash.to_vec().into()]).await?;
    Ok(())
}

pub async fn take_back_attempt(ptx: &PlatformTx, key: &[u8; 32]) -> Result<(), DbError> {
    ptx.run(
        "UPDATE sign_in_attempt SET attempts = greatest(attempts - 1, 0) WHERE email_hash = $1",
        [key.to_vec().into()],
    )
    .await?;
    Ok(())
}

pub async fn forget_attempts_before(ptx: &PlatformTx, before: DateTime<Utc>) -> Result<u64, DbError> {
    ptx.run("DELETE FROM sign_in_attempt WHERE last_at < $1", [before.into()]).await
}
