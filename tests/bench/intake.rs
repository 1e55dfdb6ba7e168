//! Systems that send events to the real server, over the loopback, each with a key of its own.

use crate::world::{CLIENTS, World};
use actix_web::dev::ServerHandle;
use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use ringtill::app::App;
use ringtill::clock::Clock;
use ringtill::config::{Config, DatabaseSettings, HttpSettings, SipSettings};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenant::{NewApiKey, Scope, ScopeGroup};
use usage_metering::UsageEvent;

const HOST: &str = "localhost";

pub struct Clients {
    server: ServerHandle,
    address: SocketAddr,
    keys: Vec<String>,
}

impl Clients {
    /// A server on the world's database, whose clock stands, and a key for each client.
    pub async fn of(world: &World, now: DateTime<Utc>) -> Result<Clients> {
        let mut config = config();
        let listener = ringtill::server::listen(&config.http)?;
        let address = listener.local_addr()?;
        config.http.listen = address;
        let app = App::on(world.database.db.clone(), Clock::standing_at(now), &config)?;
        let server = ringtill::server::run(app, listener)?;
        let handle = server.handle();
        tokio::spawn(server);
        let tx = world.tx().await?;
        let mut keys = Vec::with_capacity(CLIENTS);
        for n in 0..CLIENTS {
            let new = NewApiKey {
                name: format!("switch {n}"),
                mode: ringtill::api::key_mode(HOST),
                scopes: [Scope::write(ScopeGroup::Usage)].into(),
                expires_at: None,
                by: "a measurement".to_owned(),
            };
            keys.push(tenant::create_api_key(&tx, &new, now).await?.1.expose().to_owned());
        }
        tx.commit().await?;
        Ok(Clients { server: handle, address, keys })
    }

    /// The bodies of requests, one for each batch.
    pub fn requests(&self, batches: &[Vec<UsageEvent>]) -> Vec<String> {
        let body = |events: &Vec<UsageEvent>| Value::from(events.iter().map(sent).collect::<Vec<_>>()).to_string();
        batches.iter().map(body).collect()
    }

    /// Sends them all, each client one after the other; how many events were accepted.
    pub async fn send(&self, requests: Vec<String>) -> Result<usize> {
        let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
        let mut clients = tokio::task::JoinSet::new();
        for key in self.keys.clone() {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            let client = reqwest::Client::builder().resolve(HOST, self.address).build()?;
            let url = format!("http://{HOST}:{}/v1/events", self.address.port());
            clients.spawn(async move {
                let mut accepted = 0;
                while let Some(body) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let request = client.post(&url).header(CONTENT_TYPE, "application/json");
                    let request = request.header(AUTHORIZATION, format!("Bearer {key}")).body(body.clone());
                    let response = request.send().await.context("the server answers")?;
                    let (status, text) = (response.status(), response.text().await?);
                    ensure!(status.is_success(), "{status}: {text}");
                    let answer: Value = serde_json::from_str(&text)?;
                    accepted += answer["accepted"].as_u64().unwrap_or(0) as usize;
                }
                Ok(accepted)
            });
        }
        let mut accepted = 0;
        while let Some(client) = clients.join_next().await {
            accepted += client??;
        }
        Ok(accepted)
    }

    pub async fn stop(self) -> Result<()> {
        self.server.stop(true).await;
        Ok(())
    }
}

fn sent(event: &UsageEvent) -> Value {
    json!({
        "specversion": "1.0", "id": event.id, "source": event.source, "type": event.meter,
        "time": event.occurred_at.to_rfc3339(), "subject": event.customer_id.to_string(),
        "data": { "quantity": event.quantity.to_string(), "dimensions": event.dimensions },
    })
}

fn config() -> Config {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        database: DatabaseSettings {
            owner_url: String::new().into(),
            role_password: String::new().into(),
            connections_max: 1,
        },
        http: HttpSettings { listen, host: HOST.to_owned(), proxies: Vec::new() },
        sip: SipSettings {
            listen,
            advertised: listen.ip(),
            tls: None,
            authorities: None,
            trusted: Vec::new(),
            spool: "/nowhere".into(),
        },
        mail: None,
        secret: "0123456789abcdef0123456789abcdef".to_owned().into(),
    }
}
