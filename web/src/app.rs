//! What every handler and the worker share: one database, one clock, one document renderer, one SIP edge.

use crate::{clock::Clock, config::Config};
use anyhow::Context;
use call_control::Control;
use db::Db;
use invoicing::Documents;
use secrecy::ExposeSecret;
use sip_media::{Edge, EdgeConfig};
use std::sync::{Arc, OnceLock};
use tenant::TokenKeys;

/// The running product.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub clock: Clock,
    /// The operator's own host name.
    pub host: String,
    /// Renders documents; fonts and templates are loaded once.
    pub documents: Arc<Documents>,
    /// Signs what an agent's phone carries.
    pub tokens: Arc<TokenKeys>,
    /// Set while this process runs a SIP edge.
    edge: Arc<OnceLock<Edge>>,
    /// Where phones register, as an agent types it.
    pub sip_address: String,
}

impl App {
    /// Opens the database; no edge yet.
    pub async fn open(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let db = Db::connect(&config.database.roles()?).await.context("the database cannot be opened")?;
        Ok(Self::on(db, clock, config))
    }

    /// On a database that is open already (tests).
    pub fn on(db: Db, clock: Clock, config: &Config) -> Self {
        Self {
            db,
            clock,
            host: config.http.host.clone(),
            documents: Arc::new(Documents::load()),
            tokens: Arc::new(TokenKeys::new("1", config.secret.expose_secret().as_bytes())),
            edge: Arc::default(),
            sip_address: format!("{}:{}", config.sip.advertised, config.sip.listen.port()),
        }
    }

    /// Starts answering calls. Events that an earlier process left in the spool are delivered first.
    pub async fn start_edge(&self, config: &Config) -> anyhow::Result<()> {
        let mut settings = EdgeConfig::new(config.sip.listen, config.sip.spool.clone());
        settings.advertised_ip = config.sip.advertised;
        let control = Arc::new(Control::new(self.db.clone()));
        let edge = Edge::start(settings, control, Arc::new(self.clock.clone()))
            .await
            .with_context(|| format!("the SIP edge cannot listen on {}; another program may have the port: set RINGTILL_SIP", config.sip.listen))?;
        let _ = self.edge.set(edge);
        Ok(())
    }

    /// The edge, when this process runs one.
    pub fn edge(&self) -> Option<&Edge> {
        self.edge.get()
    }
}
