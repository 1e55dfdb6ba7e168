//! Which numbers were the book's when they were called.

use crate::error::Result;
use chrono::{DateTime, Utc};
use db::{NumberId, TenantTx};
use sea_orm::FromQueryResult;
use std::collections::HashMap;
use uuid::Uuid;

/// A number, E.164, and when it was called.
pub type Called = (String, DateTime<Utc>);

/// A number that was the book's when it was called.
#[derive(Clone, Debug)]
pub struct Held {
    pub number_id: NumberId,
    /// What its prompts are spoken in.
    pub language: Option<String>,
}

/// Of these the ones that were the book's at their time. Its own assignments are all that the policy shows.
pub async fn held(tx: &TenantTx, called: &[Called]) -> Result<HashMap<Called, Held>> {
    #[derive(FromQueryResult)]
    struct Row {
        place: i32,
        number_id: Uuid,
        language: Option<String>,
    }
    let rows: Vec<Row> = tx
        .rows(
            "SELECT u.place, n.id AS number_id, s.language FROM unnest($2::int4[], $3::text[], $4::timestamptz[]) AS u (place, e164, at)
             JOIN number n ON n.e164 = u.e164
             JOIN number_assignment a ON a.number_id = n.id AND a.organisation_id = $1 AND a.during @> u.at
             LEFT JOIN number_setting s ON s.tenant_id = $1 AND s.number_id = n.id",
            [
                tx.tenant_id().into(),
                (0i32..).take(called.len()).collect::<Vec<_>>().into(),
                called.iter().map(|(e164, _)| e164.clone()).collect::<Vec<_>>().into(),
                called.iter().map(|(_, at)| *at).collect::<Vec<_>>().into(),
            ],
        )
        .await?;
    let named = |row: Row| {
        let called = called.get(usize::try_from(row.place).ok()?)?;
        Some((called.clone(), Held { number_id: row.number_id.into(), language: row.language }))
    };
    Ok(rows.into_iter().filter_map(named).collect())
}
