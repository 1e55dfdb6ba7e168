//! Settings, read once at start from the environment. A value that is missing or wrong names its variable and stops the start.

use crate::clock::Clock;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use usage_metering::{EVENTS_KEPT_MONTHS_MAX, EVENTS_KEPT_MONTHS_MIN};

/// Furthest that a clock may run ahead, in days: a year and a month's end.
const DAYS_AHEAD_MAX: i64 = 400;
/// Months that single events are kept, where nothing is set.
const EVENTS_KEPT_MONTHS: u32 = 24;

/// Everything that an installation decides.
#[derive(Clone, Debug)]
pub struct Config {
    pub database: DatabaseSettings,
    pub http: HttpSettings,
    pub sip: SipSettings,
    /// Without one no mail is sent, and pages say so.
    pub mail: Option<MailSettings>,
    /// Signs tokens between services and for phones; at least 32 bytes.
    pub secret: SecretString,
}

/// `RINGTILL_OWNER_URL` or `DATABASE_URL`, and `RINGTILL_ROLE_PASSWORD`.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Owns the schema: migrations only.
    pub owner_url: SecretString,
    /// Password of the two login roles.
    pub role_password: SecretString,
    /// Connections of each role.
    pub connections_max: u32,
}

/// `RINGTILL_HTTP`, `RINGTILL_HOST`, `RINGTILL_PROXIES`.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    pub listen: SocketAddr,
    /// The operator's own host name; every other host must be a verified domain.
    pub host: String,
    /// Who may say on whose behalf it asks (`X-Forwarded-For`): the addresses of the proxies in front.
    pub proxies: Vec<IpAddr>,
}

/// `RINGTILL_SIP`, `RINGTILL_SIP_ADVERTISED`, `RINGTILL_SIP_TRUSTED`, `RINGTILL_SPOOL`, and those of TLS.
#[derive(Clone, Debug)]
pub struct SipSettings {
    pub listen: SocketAddr,
    /// The address that phones are told to send to, where it is another than the listening one.
    pub advertised: std::net::IpAddr,
    /// `None`: phones reach the edge over UDP and TCP only.
    pub tls: Option<SipTlsSettings>,
    /// PEM of whom a carrier's certificate is checked by; `None`: no call goes out over TLS.
    pub authorities: Option<PathBuf>,
    /// Carriers and proxies: never banned, however much of what they bring comes to nothing.
    pub trusted: Vec<IpAddr>,
    /// Folder of the durable event spool.
    pub spool: PathBuf,
}

/// `RINGTILL_SIP_TLS`, `RINGTILL_SIP_TLS_CERTIFICATE`, `RINGTILL_SIP_TLS_KEY`.
#[derive(Clone, Debug)]
pub struct SipTlsSettings {
    pub listen: SocketAddr,
    /// PEM: the certificate and its issuers'.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

impl SipTlsSettings {
    fn from_environment() -> Result<Option<Self>, ConfigError> {
        if text("RINGTILL_SIP_TLS").is_none() {
            return Ok(None);
        }
        let file = |variable: &'static str| {
            let problem = "is not set; with RINGTILL_SIP_TLS it names a PEM file".to_owned();
            text(variable).map(PathBuf::from).ok_or(ConfigError { variable, problem })
        };
        Ok(Some(Self {
            listen: address("RINGTILL_SIP_TLS", "127.0.0.1:5061")?,
            certificate: file("RINGTILL_SIP_TLS_CERTIFICATE")?,
            key: file("RINGTILL_SIP_TLS_KEY")?,
        }))
    }
}

/// `RINGTILL_SMTP`, `RINGTILL_MAIL_FROM`.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// `smtps://user:password@host`, or `smtp://host:port` for a server on this machine.
    pub url: SecretString,
    /// Of every letter; names and answers are the seller's.
    pub from: String,
}

impl MailSettings {
    /// `None`: this installation sends no letters.
    pub fn from_environment() -> Result<Option<Self>, ConfigError> {
        let Some(url) = text("RINGTILL_SMTP") else { return Ok(None) };
        let from = text("RINGTILL_MAIL_FROM").ok_or_else(|| ConfigError {
            variable: "RINGTILL_MAIL_FROM",
            problem: "is not set; with RINGTILL_SMTP it names the sender, as in no-reply@calls.example".into(),
        })?;
        Ok(Some(Self { url: url.into(), from }))
    }

    pub(crate) fn url(&self) -> &str {
        self.url.expose_secret()
    }
}

/// `RINGTILL_DNS`: the name server that is asked for the proofs of host names; `None`: the one that this machine uses.
pub fn dns_server() -> Result<Option<SocketAddr>, ConfigError> {
    text("RINGTILL_DNS").map(|_| address("RINGTILL_DNS", "127.0.0.1:53")).transpose()
}

/// `RINGTILL_METRICS`: where the figures for a monitoring system are served; `None`: nowhere.
pub fn metrics() -> Result<Option<SocketAddr>, ConfigError> {
    text("RINGTILL_METRICS").map(|_| address("RINGTILL_METRICS", "127.0.0.1:9090")).transpose()
}

/// `RINGTILL_EVENTS_KEPT_MONTHS`: how long single events of usage are kept; their sums stay.
pub fn events_kept_months() -> Result<u32, ConfigError> {
    const VARIABLE: &str = "RINGTILL_EVENTS_KEPT_MONTHS";
    let Some(value) = text(VARIABLE) else { return Ok(EVENTS_KEPT_MONTHS) };
    let allowed = EVENTS_KEPT_MONTHS_MIN..=EVENTS_KEPT_MONTHS_MAX;
    let months = value.parse().ok().filter(|months| allowed.contains(months));
    let (least, most) = (EVENTS_KEPT_MONTHS_MIN, EVENTS_KEPT_MONTHS_MAX);
    months.ok_or_else(|| wrong(VARIABLE, &value, &format!("a number of months from {least} to {most}")))
}

/// A setting is missing or cannot be used. One sentence: the variable, what is wrong, what to write.
#[derive(Debug, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct ConfigError {
    pub variable: &'static str,
    pub problem: String,
}

impl Config {
    /// Reads the environment.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let listen = address("RINGTILL_SIP", "127.0.0.1:5070")?;
        Ok(Self {
            database: DatabaseSettings::from_environment()?,
            http: HttpSettings {
                listen: address("RINGTILL_HTTP", "127.0.0.1:8080")?,
                host: host()?,
                proxies: addresses("RINGTILL_PROXIES")?,
            },
            sip: SipSettings {
                listen,
                advertised: advertised(listen)?,
                tls: SipTlsSettings::from_environment()?,
                authorities: authorities(),
                trusted: addresses("RINGTILL_SIP_TRUSTED")?,
                spool: spool(),
            },
            mail: MailSettings::from_environment()?,
            secret: secret("RINGTILL_SECRET", "RINGTILL_SECRET_FILE")?,
        })
    }
}

/// `RINGTILL_SIP_TLS_AUTHORITIES`, or the system's own.
fn authorities() -> Option<PathBuf> {
    let system = || Some(PathBuf::from("/etc/ssl/certs/ca-certificates.crt")).filter(|path| path.is_file());
    text("RINGTILL_SIP_TLS_AUTHORITIES").map(PathBuf::from).or_else(system)
}

impl DatabaseSettings {
    /// Reads the part that `ringtill migrate` needs.
    pub fn from_environment() -> Result<Self, ConfigError> {
        let owner_url = text("RINGTILL_OWNER_URL").or_else(|| text("DATABASE_URL")).ok_or_else(|| ConfigError {
            variable: "DATABASE_URL",
            problem: "is not set; name the PostgreSQL server, as in postgres://user:password@host/database".into(),
        })?;
        let role_password = text("RINGTILL_ROLE_PASSWORD").ok_or_else(|| ConfigError {
            variable: "RINGTILL_ROLE_PASSWORD",
            problem: "is not set; it is the password of the login roles ringtill_tenant and ringtill_platform".into(),
        })?;
        let connections_max = match text("RINGTILL_CONNECTIONS") {
            Some(value) => value
                .parse()
                .ok()
                .filter(|count| (1..=1_000).contains(count))
                .ok_or_else(|| wrong("RINGTILL_CONNECTIONS", &value, "a number from 1 to 1000"))?,
            None => 20,
        };
        Ok(Self { owner_url: owner_url.into(), role_password: role_password.into(), connections_max })
    }

    /// The two pools' addresses: the owner's server and database, with the login roles in the owner's place.
    pub fn roles(&self) -> Result<db::DatabaseConfig, ConfigError> {
        Ok(db::DatabaseConfig {
            tenant_url: self.url_as("ringtill_tenant")?,
            platform_url: self.url_as("ringtill_platform")?,
            connections_max: self.connections_max,
        })
    }

    fn url_as(&self, role: &str) -> Result<SecretString, ConfigError> {
        let url = self.owner_url.expose_secret();
        let parts = url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)));
        let (scheme, place) = parts.ok_or_else(|| ConfigError {
            variable: "DATABASE_URL",
            problem: "has no user; write postgres://user:password@host/database".into(),
        })?;
        Ok(format!("{scheme}://{role}:{}@{place}", self.role_password.expose_secret()).into())
    }
}

/// The folder of the event spool: `RINGTILL_SPOOL`.
pub fn spool() -> PathBuf {
    text("RINGTILL_SPOOL").unwrap_or_else(|| ".local/spool".into()).into()
}

/// `RINGTILL_DAYS_AHEAD`: the clock of this program, for trying out what a month's end does.
pub fn clock() -> Result<Clock, ConfigError> {
    const VARIABLE: &str = "RINGTILL_DAYS_AHEAD";
    let Some(value) = text(VARIABLE) else { return Ok(Clock::machine()) };
    let days = value.parse().ok().filter(|days| (0..=DAYS_AHEAD_MAX).contains(days));
    let days = days.ok_or_else(|| wrong(VARIABLE, &value, "a number of days from 0 to 400"))?;
    Ok(Clock::ahead_by(TimeDelta::days(days)))
}

fn text(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

fn address(variable: &'static str, default: &str) -> Result<SocketAddr, ConfigError> {
    let value = text(variable).unwrap_or_else(|| default.into());
    value.parse().map_err(|_| wrong(variable, &value, "an address and a port, as in 127.0.0.1:8080"))
}

/// `RINGTILL_HOST`: a name that a browser can ask for.
fn host() -> Result<String, ConfigError> {
    let Some(value) = text("RINGTILL_HOST") else { return Ok("localhost".into()) };
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    if value.len() > 253 || !value.split('.').all(is_label) {
        return Err(wrong("RINGTILL_HOST", &value, "a host name alone, as in billing.example.com"));
    }
    Ok(value)
}

/// `RINGTILL_SIP_ADVERTISED`, or the listening address where that is one.
fn advertised(listen: SocketAddr) -> Result<IpAddr, ConfigError> {
    let told = text("RINGTILL_SIP_ADVERTISED");
    let wrong = |value: &str| wrong("RINGTILL_SIP_ADVERTISED", value, "the IP address that phones are to send to");
    let advertised: IpAddr = match &told {
        Some(value) => value.parse().map_err(|_| wrong(value))?,
        None => listen.ip(),
    };
    match told {
        Some(value) if advertised.is_unspecified() => Err(wrong(&value)),
        None if advertised.is_unspecified() => Err(ConfigError {
            variable: "RINGTILL_SIP_ADVERTISED",
            problem: format!(
                "is not set, and RINGTILL_SIP is {listen}, an address that nobody can send to; set it to the IP address \
                 that phones reach this machine at"
            ),
        }),
        _ => Ok(advertised),
    }
}

/// `RINGTILL_LOG`: what is written to the log, in the words of `tracing_subscriber::EnvFilter`.
pub fn log_filter() -> Result<String, ConfigError> {
    // The web server's own greeting would stand in the middle of ours.
    let Some(value) = text("RINGTILL_LOG") else { return Ok("info,actix_server=warn".into()) };
    let is_known = |part: &str| match part.trim().rsplit_once('=') {
        Some((target, level)) => !target.contains('=') && level.parse::<tracing::metadata::LevelFilter>().is_ok(),
        None => !part.trim().is_empty() && part.trim().parse::<tracing::metadata::LevelFilter>().is_ok(),
    };
    if !value.split(',').all(is_known) {
        return Err(wrong("RINGTILL_LOG", &value, "a level, or levels by part, as in info,call_control=debug"));
    }
    Ok(value)
}

/// Addresses with commas between them; none when the variable is not set.
fn addresses(variable: &'static str) -> Result<Vec<IpAddr>, ConfigError> {
    let value = text(variable).unwrap_or_default();
    let address = |text: &str| text.trim().parse().map_err(|_| wrong(variable, text.trim(), "an IP address"));
    value.split(',').filter(|text| !text.trim().is_empty()).map(address).collect()
}

fn secret(variable: &'static str, file_variable: &'static str) -> Result<SecretString, ConfigError> {
    let value = match text(file_variable) {
        Some(path) => std::fs::read_to_string(&path).map(|content| content.trim().to_owned()).map_err(|error| {
            ConfigError { variable: file_variable, problem: format!("names {path}, which cannot be read ({error})") }
        })?,
        None => text(variable).ok_or_else(|| ConfigError {
            variable,
            problem: format!(
                "is not set; put at least 32 random characters into a file and name it by {file_variable}"
            ),
        })?,
    };
    if value.len() < 32 {
        return Err(ConfigError {
            variable,
            problem: "is shorter than 32 characters; make it longer, and random".into(),
        });
    }
    Ok(value.into())
}

fn wrong(variable: &'static str, value: &str, wanted: &str) -> ConfigError {
    ConfigError { variable, problem: format!("is {value}; it must be {wanted}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_roles_take_the_owners_place_in_the_url() {
        let settings = DatabaseSettings {
            owner_url: String::from("postgres://boss:p@ss@db.internal:5433/ringtill").into(),
            role_password: String::from("word").into(),
            connections_max: 1,
        };
        let roles = settings.roles().unwrap();
        assert_eq!(roles.tenant_url.expose_secret(), "postgres://ringtill_tenant:word@db.internal:5433/ringtill");
        assert_eq!(roles.platform_url.expose_secret(), "postgres://ringtill_platform:word@db.internal:5433/ringtill");
    }
}
