use crate::call_key::Claim;
use chrono::{DateTime, Utc};
use db::{CallId, DbError, TenantTx};
use sea_orm::FromQueryResult;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

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

/// The kind under which a whole call is kept.
const RECORD: &str = "call_record";

pub async fn claim_records(
    tx: &TenantTx,
    records: &[(CallId, [u8; 32])],
    now: DateTime<Utc>,
) -> Result<Vec<Claim>, DbError> {
    #[derive(FromQueryResult)]
    struct New {
        call_id: Uuid,
    }
    #[derive(FromQueryResult)]
    struct Known {
        call_id: Uuid,
        payload_hash: Vec<u8>,
    }
    // The first of each call: two rows of one key in one statement have no order.
    let mut first: HashMap<Uuid, [u8; 32]> = HashMap::with_capacity(records.len());
    for (id, hash) in records {
        first.entry(id.uuid()).or_insert(*hash);
    }
    let ids: Vec<Uuid> = first.keys().copied().collect();
    let hashes: Vec<String> = first.values().map(hex::encode).collect();
    let new: Vec<New> = tx
        .rows(
            "INSERT INTO call_event_key (tenant_id, call_id, kind, seq, payload_hash, received_at)
             SELECT $1, u.id, $2, 0, decode(u.hash, 'hex'), $5 FROM unnest($3::uuid[], $4::text[]) AS u(id, hash)
             ORDER BY u.id ON CONFLICT (tenant_id, call_id, kind, seq) DO NOTHING RETURNING call_id",
            [tx.tenant_id().into(), RECORD.into(), ids.clone().into(), hashes.into(), now.into()],
        )
        .await?;
    let mut new: HashSet<Uuid> = new.into_iter().map(|row| row.call_id).collect();
    let known: Vec<Known> = tx
        .rows(
            "SELECT call_id, payload_hash FROM call_event_key
             WHERE tenant_id = $1 AND kind = $2 AND seq = 0 AND call_id = ANY ($3)",
            [tx.tenant_id().into(), RECORD.into(), ids.into()],
        )
        .await?;
    let known: HashMap<Uuid, Vec<u8>> = known.into_iter().map(|row| (row.call_id, row.payload_hash)).collect();
    let mut claim = |(id, hash): &(CallId, [u8; 32])| {
        let is_same = known.get(&id.uuid()).is_some_and(|stored| stored[..] == hash[..]);
        match (is_same && new.remove(&id.uuid()), is_same) {
            (true, _) => Claim::New,
            (false, true) => Claim::Known,
            (false, false) => Claim::Conflict,
        }
    };
    Ok(records.iter().map(&mut claim).collect())
}
