//! Who did what. An entry is written in the transaction of its deed; the chain over the entries is computed after commit by
//! the worker, so that nobody waits for anybody. Invariant (I15): `hash = SHA-256(hash before, position, entry)`.

use crate::error::TenantError;
use crate::store;
use crate::store::audit::NewEntry;
use chrono::{DateTime, Utc};
use db::{AuditEntryId, PlatformTx, TenantId, TenantTx};
use rand::RngCore;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Links made in one transaction.
const LINKS_PER_RUN: i64 = 5_000;

/// An entry as people read it.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    pub id: AuditEntryId,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub action: String,
    pub subject: String,
    /// `None` when it was erased.
    pub payload: Option<Value>,
}

/// Writes down a deed: who (a person's or a job's name), what (`invoice.finalised`), on what (an id). No secret in the payload.
pub async fn record_audit(
    tx: &TenantTx,
    actor: &str,
    action: &str,
    subject: &str,
    payload: Value,
    now: DateTime<Utc>,
) -> Result<(), TenantError> {
    let mut salt = vec![0u8; 16];
    rand::rng().fill_bytes(&mut salt);
    let payload_hash = hash_of_payload(&salt, &payload);
    store::audit::insert(tx, NewEntry { actor, action, subject, payload, salt, payload_hash }, now).await?;
    Ok(())
}

/// The newest entries first, from `before` on downwards.
pub async fn audit_entries(
    tx: &TenantTx,
    before: Option<AuditEntryId>,
    limit: u64,
) -> Result<Vec<AuditEntry>, TenantError> {
    let rows = store::audit::newest(tx, before, limit).await?;
    let entry = |row: crate::entity::audit_entry::Model| AuditEntry {
        id: row.id.into(),
        at: row.at,
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        payload: row.payload,
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// Tenants with entries that the chain does not cover yet.
pub async fn tenants_with_audit(ptx: &PlatformTx) -> Result<Vec<TenantId>, TenantError> {
    Ok(store::audit::tenants_with_unlinked(ptx).await?)
}

/// Extends the chain over entries that are not in it yet, in the order of their ids; how many. Another worker at it: none.
pub async fn link_audit(tx: &TenantTx, _now: DateTime<Utc>) -> Result<u64, TenantError> {
    if !store::audit::lock_chain(tx).await? {
        return Ok(0);
    }
    let (mut position, mut hash) = store::audit::last_link(tx).await?.unwrap_or((0, Vec::new()));
    let mut links = Vec::new();
    for row in store::audit::unlinked(tx, LINKS_PER_RUN).await? {
        position += 1;
        let next =
            hash_of_link(&hash, position, row.id, row.at, [&row.actor, &row.action, &row.subject], &row.payload_hash);
        links.push((position, row.id, next));
        hash = next.to_vec();
    }
    if !links.is_empty() {
        store::audit::insert_links(tx, &links).await?;
    }
    Ok(links.len() as u64)
}

/// Recomputes the whole chain; one sentence for each place where it does not hold. An erased payload is not a fault.
pub async fn verify_audit(tx: &TenantTx) -> Result<Vec<String>, TenantError> {
    let gone = store::audit::without_entry(tx).await?;
    let mut faults: Vec<String> =
        gone.iter().map(|position| format!("the audit entry at position {position} was taken out")).collect();
    let (mut position, mut hash) = (0i64, Vec::new());
    loop {
        let links = store::audit::linked_after(tx, position, LINKS_PER_RUN).await?;
        let Some(last) = links.last() else { return Ok(faults) };
        let reached = last.position;
        for link in links {
            let id = AuditEntryId::from_uuid(link.id);
            if (position + 1..link.position).any(|between| !gone.contains(&between)) {
                faults.push(format!("audit link {} follows {position}: one was taken out", link.position));
            }
            let expected = hash_of_link(
                &hash,
                link.position,
                link.id,
                link.at,
                [&link.actor, &link.action, &link.subject],
                &link.payload_hash,
            );
            if link.hash != expected {
                faults.push(format!(
                    "audit entry {id} at position {} does not have the hash that the chain holds",
                    link.position
                ));
            }
            if let (Some(payload), Some(salt)) = (&link.payload, &link.salt)
                && hash_of_payload(salt, payload)[..] != link.payload_hash[..]
            {
                faults.push(format!("the payload of audit entry {id} was changed"));
            }
            position = link.position;
            // From the stored hash on: one changed entry is one fault, not a fault in everything after it.
            hash = link.hash;
        }
        position = reached;
    }
}

fn hash_of_payload(salt: &[u8], payload: &Value) -> [u8; 32] {
    let mut text = String::new();
    write_canonical(payload, &mut text);
    let mut hasher = Sha256::new();
    hasher.update(salt);
    hasher.update(text.as_bytes());
    hasher.finalize().into()
}

/// Each part goes in with its length before it: ("ab", "c") and ("a", "bc") are two entries.
fn hash_of_link(
    before: &[u8],
    position: i64,
    id: uuid::Uuid,
    at: DateTime<Utc>,
    words: [&str; 3],
    payload_hash: &[u8],
) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    part(before);
    part(&position.to_be_bytes());
    part(id.as_bytes());
    part(&at.timestamp_micros().to_be_bytes());
    words.into_iter().for_each(|word| part(word.as_bytes()));
    part(payload_hash);
    hasher.finalize().into()
}

/// The same text before and after a stay in `jsonb`, which sorts keys its own way and writes numbers without exponents.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for key in keys {
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(&map[key], out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Number(number) => {
            let text = number.to_string();
            let plain =
                rust_decimal::Decimal::from_scientific(&text).or_else(|_| text.parse::<rust_decimal::Decimal>());
            out.push_str(&plain.map_or(text, |decimal| decimal.normalize().to_string()));
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_payload_hashes_the_same_in_any_order_of_keys_and_spelling_of_numbers() {
        let salt = [7u8; 16];
        let a: Value = serde_json::from_str(r#"{"b": 1.50, "a": [1e2, "x"]}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"a": [100, "x"], "b": 1.5}"#).unwrap();
        assert_eq!(hash_of_payload(&salt, &a), hash_of_payload(&salt, &b));
        assert_ne!(hash_of_payload(&salt, &a), hash_of_payload(&[8u8; 16], &a));
        assert_ne!(hash_of_payload(&salt, &json!({"a": "1"})), hash_of_payload(&salt, &json!({"a": 1})));
    }
}
