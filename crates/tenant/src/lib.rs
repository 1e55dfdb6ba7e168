//! Organisations and their tree, brands and domains, people and members, agents and seats, browser sessions, short-lived
//! tokens, API keys and the audit log.
//! Never: knows a price, a call or a document; keeps a password, a session token, a key or a phone's secret in a readable form.
//! Invariants: the tree has no circle and each organisation one parent at a time; an agent sits on one seat at a time; a
//! session ends by idleness, by age or by its owner; the audit log only grows and its chain verifies (I15).
//! Start at `organisation.rs`, then `session.rs` and `seat.rs`.

mod agent;
mod api_key;
mod api_reply;
mod audit;
mod brand;
mod domain;
mod entity;
mod error;
mod logo;
mod member;
mod organisation;
mod password;
mod person;
mod scope;
mod seat;
mod session;
mod store;
mod tokens;
mod tree;

pub use agent::{
    Agent, AgentState, AgentStatus, ReadyAgent, SipUser, add_agent, agent_of_member, agent_states, agents,
    phone_secret, ready_agents, remove_agent, set_agent_state, set_phone_password,
};
pub use api_key::{
    ApiClient, ApiKey, ApiKeySecret, KeyMode, NewApiKey, api_client, api_keys, create_api_key, revoke_api_key,
    touch_api_key,
};
pub use api_reply::{
    API_REPLIES_KEPT, ApiReply, Once, RequestHash, claim_api_reply, forget_old_api_replies, keep_api_reply,
};
pub use audit::{AuditEntry, audit_entries, link_audit, record_audit, tenants_with_audit, verify_audit};
pub use brand::{Brand, BrandColours, brand, set_brand};
pub use domain::{Domain, add_domain, domains, host_owner};
pub use error::{SignInRefused, TenantError};
pub use member::{Member, Membership, NewMember, Role, add_member, members, memberships, remove_member};
pub use organisation::{
    NewOrganisation, Organisation, OrganisationKind, RoundCallsTo, create_organisation, organisation,
    organisation_by_id, organisation_by_slug, organisations, restore_organisation, suspend_organisation,
};
pub use person::{
    check_password, count_try_from, create_person, forget_old_attempts, person_by_email, set_password,
    try_from_succeeded,
};
pub use scope::{Scope, ScopeGroup};
pub use seat::{
    SeatClosedBy, SeatSession, SeatUsage, close_missed_seats, close_seat, heartbeat, open_seat, seat_sessions,
    seats_used, take_turn_for_a_place, tenants_with_open_seats, usage_of_seats,
};
pub use session::{Session, SessionToken, end_session, end_sessions_of, open_session, session};
pub use tokens::{PhoneClaims, ServiceClaims, TokenKeys, TokenRefused};
pub use tree::{Child, Upward, chain_at, children_at, set_parent, suspended_at_or_above};
