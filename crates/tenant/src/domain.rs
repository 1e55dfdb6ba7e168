use crate::error::TenantError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{PlatformTx, TenantId, TenantTx};
use rand::RngCore;

/// A host name of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    pub host: String,
    pub organisation_id: TenantId,
    /// Only a verified host is served.
    pub verified_at: Option<DateTime<Utc>>,
}

/// Gives a host name to an organisation. The same host again updates its verification; a host of another is refused.
pub async fn add_domain(
    ptx: &PlatformTx,
    host: &str,
    organisation: TenantId,
    verified_at: Option<DateTime<Utc>>,
) -> Result<(), TenantError> {
    if !is_host_name(host) {
        return Err(TenantError::HostMustBeAName(host.chars().take(80).collect()));
    }
    if !store::domain::put(ptx, host, organisation, verified_at).await? {
        return Err(TenantError::HostIsTaken(host.to_owned()));
    }
    Ok(())
}

/// Whose a verified host is. The name must be as in the request's Host header, without its port; case does not matter.
pub async fn host_owner(ptx: &PlatformTx, host: &str) -> Result<Option<TenantId>, TenantError> {
    store::domain::owner(ptx, &host.to_ascii_lowercase()).await
}

/// All host names of an organisation.
pub async fn domains(ptx: &PlatformTx, organisation: TenantId) -> Result<Vec<Domain>, TenantError> {
    store::domain::of(ptx, organisation).await
}

/// A host name that an organisation says is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainClaim {
    pub host: String,
    /// What its owner writes into the DNS.
    pub token: String,
    pub claimed_at: DateTime<Utc>,
    pub checked_at: Option<DateTime<Utc>>,
    /// What was found instead, the last time.
    pub problem: Option<String>,
}

impl DomainClaim {
    /// Where the proof stands: a name beside the host, so that the host itself may be an alias.
    pub fn record_name(&self) -> String {
        format!("_ringtill.{}", self.host)
    }

    /// What stands there.
    pub fn record_text(&self) -> String {
        format!("ringtill={}", self.token)
    }
}

/// Says that a host name is this organisation's. Nothing is served before its DNS has proved it. Claimed again, the proof that
/// is asked for stays the same.
pub async fn claim_domain(tx: &TenantTx, host: &str, by: &str, now: DateTime<Utc>) -> Result<(), TenantError> {
    if !is_host_name(host) || !host.contains('.') {
        return Err(TenantError::HostMustBeAName(host.chars().take(80).collect()));
    }
    let mut token = [0u8; 16];
    rand::rng().fill_bytes(&mut token);
    Ok(store::domain::claim(tx, host, &hex::encode(token), by, now).await?)
}

/// The host names that this organisation has claimed.
pub async fn domain_claims(tx: &TenantTx) -> Result<Vec<DomainClaim>, TenantError> {
    store::domain::claims(tx).await
}

/// Writes down what was found where the proof should stand; true when it is the proof. Serving it is [`add_domain`]'s.
pub async fn check_claim(
    tx: &TenantTx,
    claim: &DomainClaim,
    found: &Result<Vec<String>, String>,
    now: DateTime<Utc>,
) -> Result<bool, TenantError> {
    let problem = match found {
        Ok(texts) if texts.contains(&claim.record_text()) => None,
        Ok(texts) if texts.is_empty() => Some("no TXT record".to_owned()),
        Ok(texts) => Some(format!("found {:?} instead", texts.join(", ").chars().take(120).collect::<String>())),
        Err(why) => Some(why.clone()),
    };
    store::domain::checked(tx, &claim.host, problem.as_deref(), now).await?;
    Ok(problem.is_none())
}

/// Gives a claim up. A host that is served is taken out of service by [`withdraw_domain`].
pub async fn drop_claim(tx: &TenantTx, host: &str) -> Result<(), TenantError> {
    Ok(store::domain::drop_claim(tx, host).await?)
}

/// Takes a host of an organisation out of service; whoever proves it next may have it.
pub async fn withdraw_domain(ptx: &PlatformTx, host: &str, organisation: TenantId) -> Result<(), TenantError> {
    Ok(store::domain::withdraw(ptx, host, organisation).await?)
}

fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_lower_case_labels_between_dots() {
        for (host, is_one) in [
            ("calls.example.com", true),
            ("localhost", true),
            ("xn--bcher-kva.example", true),
            ("Calls.example.com", false),
            ("calls.example.com.", false),
            ("calls..example", false),
            ("-a.example", false),
            ("a.example:8080", false),
            ("a.example/x", false),
            ("", false),
        ] {
            assert_eq!(is_host_name(host), is_one, "{host}");
        }
    }
}
