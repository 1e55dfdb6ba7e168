use crate::call_key::Claim;
use chrono::{DateTime, Utc};
use db::{CallId, DbError, TenantTx};
use sea_orm::FromQueryResult;
use std::collections::{HashMap, HashSet};

pub async fn claim(
    tx: &TenantTx,
    call_id: CallId,
    events: &[(String, i32, [u8; 32])],
    now: DateTime<Utc>,
) -> Result<Vec<Claim>, DbError> {
    #[derive(FromQueryResult)]
    struct New {
        kind: String,
        seq: i32,
    }
    #[derive(FromQueryResult)]
    struct Known {
        kind: String,
        seq: i32,
        payload_hash: Vec<u8>,
    }
    let kinds: Vec<String> = events.iter().map(|(kind, _, _)| kind.clone()).collect();
    let seqs: Vec<i32> = events.iter().map(|(_, seq, _)| *seq).collect();
    let hashes: Vec<String> = events.iter().map(|(_, _, hash)| hex::encode(hash)).collect();
    let new: Vec<New> = tx
        .rows(
            "INSERT INTO call_event_key (tenant_id, call_id, kind, seq, payload_hash, received_at)
             SELECT $1, $2, u.kind, u.seq, decode(u.hash, 'hex'), $6 FROM unnest($3::text[], $4::int4[], $5::text[]) AS u(kind, seq, hash)
             ORDER BY u.seq, u.kind
             ON CONFLICT (tenant_id, call_id, kind, seq) DO NOTHING RETURNING kind, seq",
            [tx.tenant_id().into(), call_id.into(), kinds.into(), seqs.into(), hashes.into(), now.into()],
        )
        .await?;
    let mut new: HashSet<(String, i32)> = new.into_iter().map(|row| (row.kind, row.seq)).collect();
    let mut known: HashMap<(String, i32), Vec<u8>> = HashMap::new();
    if new.len() < events.len() {
        // Also those just written: an event that came twice in one call is new once and known the second time.
        let rows: Vec<Known> = tx
            .rows(
                "SELECT kind, seq, payload_hash FROM call_event_key WHERE tenant_id = $1 AND call_id = $2",
                [tx.tenant_id().into(), call_id.into()],
            )
            .await?;
        known.extend(rows.into_iter().map(|row| ((row.kind, row.seq), row.payload_hash)));
    }
    let mut claim = |(kind, seq, hash): &(String, i32, [u8; 32])| {
        let key = (kind.clone(), *seq);
        // Without a known hash nothing collided, and each is new.
        let is_first = known.get(&key).is_none_or(|stored| stored[..] == hash[..]);
        match (new.contains(&key) && is_first && new.remove(&key), is_first) {
            (true, _) => Claim::New,
            (false, true) => Claim::Known,
            (false, false) => Claim::Conflict,
        }
    };
    Ok(events.iter().map(&mut claim).collect())
}
