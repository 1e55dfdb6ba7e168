//! What every handler and the worker share: one database, one clock, one SIP edge.

use crate::api::events_body::Arrivals;
use crate::api::limit::{Limits, event_limits, limits};
use crate::clock::Clock;
use crate::config::{Config, dns_server};
use crate::entitled::KeptEntitlements;
use crate::mail::Mailer;
use crate::seller::WhiteLabels;
use anyhow::Context;
use call_control::{Control, Safe};
use db::Db;
use hickory_resolver::TokioResolver;
use secrecy::ExposeSecret;
use sip_media::{Edge, EdgeConfig, EdgeError, TlsSettings};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use tenant::TokenKeys;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use usage_metering::Intake;

/// The realm that agents' phones sign in to; their digest secrets are bound to it.
pub const SIP_REALM: &str = "ringtill";

/// Estimates that one source may have computed at once, and then one in so many microseconds: who types makes two a second.
const ESTIMATES_AT_ONCE: i64 = 120;
const ESTIMATE_MICROS: i64 = 500_000;
/// Estimates that one source may save at once, and then one in so many microseconds.
const SAVED_AT_ONCE: i64 = 10;
const SAVED_MICROS: i64 = 60_000_000;

/// Files of up to 64 MiB that may be arriving at once.
const UPLOADS_AT_ONCE: usize = 2;

/// By the address that somebody asks from.
pub type SourceLimits = crate::limit::Limits<IpAddr>;

/// The running product.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub clock: Clock,
    /// The operator's own host name.
    pub host: String,
    /// Where the web listens: part of an address on this machine, never of a public one.
    pub port: u16,
    /// The proxies in front, whose word on who asks is taken.
    pub proxies: Arc<[IpAddr]>,
    /// Signs what an agent's phone carries.
    pub tokens: Arc<TokenKeys>,
    /// Keeps carriers' passwords.
    pub safe: Safe,
    /// Set while this process runs a SIP edge.
    edge: Arc<RwLock<Option<Edge>>>,
    /// How many requests each API key has made lately.
    pub limits: Arc<Limits>,
    /// How many estimates each source has had computed lately, and how many it has saved.
    pub estimates: Arc<SourceLimits>,
    pub saved_estimates: Arc<SourceLimits>,
    /// The same for requests that bring events.
    pub event_limits: Arc<Limits>,
    /// Where events wait for the commit that they share.
    pub intake: Intake,
    /// Bodies with events that are arriving.
    pub arrivals: Arc<Arrivals>,
    /// Files that are arriving: each is held whole for a moment, so few may be.
    pub uploads: Arc<Semaphore>,
    /// Where phones register, as an agent types it.
    pub sip_address: String,
    /// Who may use a name of its own, as far as it was asked lately.
    pub white_labels: Arc<WhiteLabels>,
    /// What customers may use, as far as it was asked lately and still holds.
    pub entitled: Arc<KeptEntitlements>,
    /// Where letters are handed over; without one they wait in the outbox.
    pub mail: Option<Mailer>,
    /// Whom this machine asks about a name.
    pub dns: TokioResolver,
    /// Cancelled when the server stops: what would stay open, such as an event stream, ends.
    pub closing: CancellationToken,
}

impl App {
    /// Opens the database; no edge yet.
    pub async fn open(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let db = Db::connect(&config.database.roles()?).await.context("the database cannot be opened")?;
        let dns = crate::dns::resolver(dns_server()?)?;
        Ok(Self { dns, ..Self::on(db, clock, config)? })
    }

    /// On a database that is open already (tests).
    pub fn on(db: Db, clock: Clock, config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            intake: Intake::new(db.clone()),
            arrivals: Arc::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS_AT_ONCE)),
            event_limits: Arc::new(event_limits()),
            db,
            clock,
            host: config.http.host.clone(),
            port: config.http.listen.port(),
            proxies: config.http.proxies.clone().into(),
            tokens: Arc::new(TokenKeys::new(("1".into(), config.secret.clone()), Vec::new())?),
            safe: Safe::new(config.secret.expose_secret().as_bytes()),
            edge: Arc::default(),
            limits: Arc::new(limits()),
            estimates: Arc::new(SourceLimits::new(ESTIMATES_AT_ONCE, ESTIMATE_MICROS)),
            saved_estimates: Arc::new(SourceLimits::new(SAVED_AT_ONCE, SAVED_MICROS)),
            sip_address: format!("{}:{}", config.sip.advertised, config.sip.listen.port()),
            white_labels: Arc::default(),
            entitled: Arc::default(),
            mail: config.mail.as_ref().map(Mailer::new).transpose()?,
            dns: crate::dns::resolver(None)?,
            closing: CancellationToken::new(),
        })
    }

    /// Starts answering calls. Events that an earlier process left in the spool are delivered first.
    pub async fn start_edge(&self, config: &Config) -> anyhow::Result<()> {
        let sip = &config.sip;
        let mut settings = EdgeConfig::new(sip.listen, sip.advertised, SIP_REALM, sip.spool.clone());
        settings.trusted.clone_from(&sip.trusted);
        if let Some(tls) = &sip.tls {
            let file = |path: &std::path::Path| {
                std::fs::read(path).with_context(|| format!("SIP over TLS cannot read {}", path.display()))
            };
            let (certificate, key) = (file(&tls.certificate)?, file(&tls.key)?);
            settings.tls = Some(TlsSettings { listen: tls.listen, certificate, key });
        }
        if let Some(path) = &sip.authorities {
            let read = std::fs::read(path);
            settings.authorities = Some(read.with_context(|| format!("{} cannot be read", path.display()))?);
        }
        let control = Arc::new(Control::new(self.db.clone()).with_safe(self.safe.clone()));
        let started = Edge::start(settings, control, Arc::new(self.clock.clone())).await;
        let edge = started.map_err(|error| {
            let remedy = remedy(&error);
            anyhow::Error::new(error).context(remedy)
        })?;
        *self.edge.write().unwrap_or_else(PoisonError::into_inner) = Some(edge);
        Ok(())
    }

    /// Asks the edge something, when this process runs one.
    pub fn ask_edge<T>(&self, question: impl FnOnce(&Edge) -> T) -> Option<T> {
        self.edge.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(question)
    }

    /// Takes the edge away to shut it down.
    pub fn take_edge(&self) -> Option<Edge> {
        self.edge.write().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What is wrong with the edge's surroundings, and what to do about it; the cause follows.
fn remedy(error: &EdgeError) -> String {
    match error {
        EdgeError::ListenAddressMustBeFree { address, .. } => format!(
            "the SIP edge cannot listen on {address}; stop the program that has the port, or set RINGTILL_SIP to an \
             address of this machine and a free port"
        ),
        EdgeError::SpoolMustBeWritable { path, .. } => format!(
            "the SIP edge cannot keep its events in {}; set RINGTILL_SPOOL to a folder that this user may write",
            path.display()
        ),
        EdgeError::SpoolMustBeOurs { path } => format!(
            "another ringtill keeps its events in {}; stop that one, or set RINGTILL_SPOOL to a folder of this one's own",
            path.display()
        ),
        EdgeError::CertificateMustBeUsable(_) => {
            "set RINGTILL_SIP_TLS_CERTIFICATE and RINGTILL_SIP_TLS_KEY to a certificate in PEM and its own private key"
                .into()
        }
        EdgeError::SpoolStopped | EdgeError::MusicMustNotBeEmpty | EdgeError::Signalling(_) => {
            "the SIP edge cannot start".into()
        }
    }
}
