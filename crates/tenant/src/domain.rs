use crate::error::TenantError;
use crate::store;
use chrono::{DateTime, Utc};
use db::{PlatformTx, TenantId};

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
