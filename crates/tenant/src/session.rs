use crate::error::TenantError;
use crate::member::{Membership, Role};
use crate::organisation::Organisation;
use crate::store;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, CustomerId, MemberId, PersonId, PlatformTx, TenantId};
use rand::RngCore;
use sha2::{Digest, Sha256};
use std::fmt;

/// What the browser's cookie holds: 256 random bits. Only its SHA-256 is stored, so a stolen table opens nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    fn random() -> Self {
        Self(random_text())
    }

    /// For the Set-Cookie header, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(hidden)")
    }
}

/// Who is asking.
#[derive(Clone, Debug)]
pub struct Session {
    pub person_id: PersonId,
    pub tenant_id: TenantId,
    pub member_id: MemberId,
    pub member_name: String,
    pub role: Role,
    /// For [`Role::Customer`]: whose portal this is.
    pub customer_id: Option<CustomerId>,
    /// Where the member takes calls too.
    pub agent_id: Option<AgentId>,
    /// Must come back with every form.
    pub csrf_token: String,
    pub organisation: Organisation,
}

/// Opens a session at sign-in; always a new token, so that one planted before is worth nothing.
pub async fn open_session(
    ptx: &PlatformTx,
    membership: &Membership,
    person: PersonId,
    user_agent: &str,
    now: DateTime<Utc>,
) -> Result<SessionToken, TenantError> {
    let token = SessionToken::random();
    let user_agent: String = user_agent.chars().filter(|c| !c.is_control()).take(200).collect();
    store::session::insert(ptx, &hash_of(token.expose()), person, membership, &random_text(), &user_agent, now).await?;
    Ok(token)
}

/// The session behind a cookie. `None` when it is unknown, ended, idle for too long, too old, or its member was removed.
/// The instant of last use is written at most once a minute: the caller commits.
pub async fn session(ptx: &PlatformTx, token: &str, now: DateTime<Utc>) -> Result<Option<Session>, TenantError> {
    let hash = hash_of(token);
    let Some(found) = store::session::find(ptx, &hash).await? else { return Ok(None) };
    if !is_alive(found.session.role, found.created_at, found.last_seen_at, now) {
        return Ok(None);
    }
    if now - found.last_seen_at >= TimeDelta::minutes(1) {
        store::session::touch(ptx, &hash, now).await?;
    }
    Ok(Some(found.session))
}

/// Ends a session; ending it twice is nothing.
pub async fn end_session(ptx: &PlatformTx, token: &str, now: DateTime<Utc>) -> Result<(), TenantError> {
    Ok(store::session::end(ptx, &hash_of(token), now).await?)
}

/// Ends all sessions of a person: password changed, account disabled. Returns how many were open.
pub async fn end_sessions_of(ptx: &PlatformTx, person: PersonId, now: DateTime<Utc>) -> Result<u64, TenantError> {
    Ok(store::session::end_of(ptx, person, now).await?)
}

/// Idle for 30 minutes or 12 hours old is over; an agent's screen may rest for a shift of 12 hours.
fn is_alive(role: Role, created_at: DateTime<Utc>, last_seen_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let idle_max = match role {
        Role::Agent => TimeDelta::hours(12),
        _ => TimeDelta::minutes(30),
    };
    now - last_seen_at < idle_max && now - created_at < TimeDelta::hours(12)
}

fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn random_text() -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_idleness_or_by_age() {
        let opened: DateTime<Utc> = "2026-03-02T08:00:00Z".parse().unwrap();
        for (role, idle_minutes, age_minutes, alive) in [
            (Role::Admin, 29, 60, true),
            (Role::Admin, 30, 60, false),
            (Role::Customer, 31, 60, false),
            (Role::Admin, 1, 719, true),
            (Role::Admin, 1, 720, false),
            (Role::Agent, 700, 719, true),
            (Role::Agent, 1, 720, false),
        ] {
            let now = opened + TimeDelta::minutes(age_minutes);
            let seen = now - TimeDelta::minutes(idle_minutes);
            assert_eq!(is_alive(role, opened, seen, now), alive, "{role:?} idle {idle_minutes} old {age_minutes}");
        }
    }

    #[test]
    fn a_token_has_256_bits_and_is_not_shown_by_debug() {
        let token = SessionToken::random();
        assert_eq!(URL_SAFE_NO_PAD.decode(token.expose()).unwrap().len(), 32);
        assert!(!format!("{token:?}").contains(token.expose()));
        assert_ne!(token, SessionToken::random());
    }
}
