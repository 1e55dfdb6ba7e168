use crate::error::TenantError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{AgentId, MemberId, PlatformTx, TenantId, TenantTx};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt;

/// A member who takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub id: AgentId,
    pub member_id: MemberId,
    pub name: String,
    pub sip_username: String,
}

/// What an agent on a seat is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentState {
    /// May be rung.
    Ready,
    /// On a seat, but not to be rung.
    NotReady,
    /// In a call, or being rung.
    Talking,
    /// Finishing the paperwork of a call.
    WrapUp,
}

impl AgentState {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not_ready",
            Self::Talking => "talking",
            Self::WrapUp => "wrap_up",
        }
    }

    pub(crate) fn read(text: &str) -> Result<Self, TenantError> {
        [Self::Ready, Self::NotReady, Self::Talking, Self::WrapUp]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| TenantError::StoredValueMustBeKnown { what: "agent state", found: text.to_owned() })
    }
}

/// An agent and what it is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentStatus {
    pub agent_id: AgentId,
    pub name: String,
    pub state: AgentState,
    pub reason: Option<String>,
    pub since: DateTime<Utc>,
    /// When the present stay on a seat began; `None` when the agent is not on one.
    pub seat_opened_at: Option<DateTime<Utc>>,
}

/// An agent who may be rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyAgent {
    pub agent_id: AgentId,
    pub name: String,
    pub sip_username: String,
}

/// What a registrar needs to check a phone's digest (RFC 7616): hashes, never a password.
#[derive(Clone, PartialEq, Eq)]
pub struct SipUser {
    pub organisation_id: TenantId,
    pub agent_id: AgentId,
    pub ha1_md5: String,
    pub ha1_sha256: String,
}

impl fmt::Debug for SipUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SipUser")
            .field("organisation_id", &self.organisation_id)
            .field("agent_id", &self.agent_id)
            .finish_non_exhaustive()
    }
}

/// Makes a member an agent. The phone's user name must be free in the whole house (see [`set_phone_password`]).
pub async fn add_agent(
    tx: &TenantTx,
    member_id: MemberId,
    name: &str,
    sip_username: &str,
    now: DateTime<Utc>,
) -> Result<AgentId, TenantError> {
    check_username(sip_username)?;
    if name.trim().is_empty() {
        return Err(TenantError::NameMustNotBeEmpty);
    }
    let id = AgentId::new();
    let inserted = store::agent::insert(tx, id, member_id, name.trim(), sip_username, now).await;
    inserted.map_err(|error| match db::constraint_of(&error).as_deref() {
        Some("agent_tenant_id_member_id_key") => TenantError::AgentIsThere,
        Some("agent_tenant_id_sip_username_key") => TenantError::SipUsernameIsTaken(sip_username.to_owned()),
        Some("agent_tenant_id_member_id_fkey") => TenantError::MemberMustExist,
        _ => TenantError::Db(error),
    })?;
    Ok(id)
}

/// The agents of this organisation, by name; removed ones are left out.
pub async fn agents(tx: &TenantTx) -> Result<Vec<Agent>, TenantError> {
    store::agent::all(tx).await
}

/// The agent that a member is, if it is one.
pub async fn agent_of_member(tx: &TenantTx, member_id: MemberId) -> Result<Option<Agent>, TenantError> {
    store::agent::of_member(tx, member_id).await
}

/// Takes an agent off the floor; its past stays.
pub async fn remove_agent(tx: &TenantTx, agent_id: AgentId, now: DateTime<Utc>) -> Result<(), TenantError> {
    match store::agent::remove(tx, agent_id, now).await? {
        0 => Err(TenantError::AgentMustExist),
        _ => Ok(()),
    }
}

/// Stores the digests of an agent's phone password. A user name that another agent's phone has is refused.
pub async fn set_phone_password(
    ptx: &PlatformTx,
    tenant_id: TenantId,
    agent_id: AgentId,
    username: &str,
    realm: &str,
    password: &str,
    now: DateTime<Utc>,
) -> Result<(), TenantError> {
    check_username(username)?;
    let secret = format!("{username}:{realm}:{password}");
    let user = SipUser {
        organisation_id: tenant_id,
        agent_id,
        ha1_md5: hex::encode(Md5::digest(secret.as_bytes())),
        ha1_sha256: hex::encode(Sha256::digest(secret.as_bytes())),
    };
    match store::agent::put_sip_user(ptx, username, &user, now).await? {
        true => Ok(()),
        false => Err(TenantError::SipUsernameIsTaken(username.to_owned())),
    }
}

/// The digests of a phone's user, before a tenant is known.
pub async fn phone_secret(ptx: &PlatformTx, username: &str) -> Result<Option<SipUser>, TenantError> {
    store::agent::sip_user(ptx, username).await
}

/// What an agent is doing from `now` on. Leaving [`AgentState::Talking`] puts it last in the order of idleness.
pub async fn set_agent_state(
    tx: &TenantTx,
    agent: AgentId,
    state: AgentState,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), TenantError> {
    store::agent::set_state(tx, agent, state, reason, now).await.map_err(|error| {
        match db::constraint_of(&error).as_deref() {
            Some("agent_state_tenant_id_agent_id_fkey") => TenantError::AgentMustExist,
            _ => TenantError::Db(error),
        }
    })
}

/// All agents with what they are doing, by name. Who never sat on a seat is [`AgentState::NotReady`] since it was added.
pub async fn agent_states(tx: &TenantTx) -> Result<Vec<AgentStatus>, TenantError> {
    store::agent::states(tx).await
}

/// Agents on an open seat who are ready, the longest idle first.
pub async fn ready_agents(tx: &TenantTx) -> Result<Vec<ReadyAgent>, TenantError> {
    store::agent::ready(tx).await
}

fn check_username(username: &str) -> Result<(), TenantError> {
    let is_simple = (3..=60).contains(&username.len())
        && username.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    if !is_simple {
        return Err(TenantError::SipUsernameMustBeSimple(username.chars().take(80).collect()));
    }
    Ok(())
}
