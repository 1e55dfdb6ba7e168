//! Another system at the API: a key and JSON.

use crate::Program;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// One system with one key, or with none.
pub struct Machine {
    client: reqwest::Client,
    origin: String,
    key: String,
}

impl Machine {
    /// Nobody yet, at this host of the program.
    pub fn at(program: &Program, host: &str) -> Self {
        let address: SocketAddr = program.http.parse().expect("the program's address is one");
        let client = reqwest::Client::builder().resolve(host, address).timeout(Duration::from_secs(30));
        // The server hangs up on a client that is silent for some seconds.
        let client = client.pool_max_idle_per_host(0).build().expect("a client without TLS can be built");
        Self { client, origin: program.origin(host), key: String::new() }
    }

    /// With a new key of an organisation, as `ringtill api-key` prints it.
    pub fn with_key(program: &Program, host: &str, organisation: &str, scopes: &[&str]) -> Self {
        let words: Vec<&str> = ["api-key", organisation].into_iter().chain(scopes.iter().copied()).collect();
        let made = program.command(&words).output().expect("the program can be started");
        assert!(made.status.success(), "ringtill api-key failed:\n{}", String::from_utf8_lossy(&made.stderr));
        let key = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        Self { key, ..Self::at(program, host) }
    }

    /// Status and body; a body that is a bare text goes as a table. What changes something carries an `Idempotency-Key` of its own.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let method = method.parse().expect("a method of HTTP");
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        if !self.key.is_empty() {
            request = request.bearer_auth(&self.key);
        }
        if let Some(body) = body {
            request = match body {
                Value::String(table) => request.body(table.clone()).header("content-type", "text/csv"),
                body => request.json(body),
            };
            request = request.header("idempotency-key", uuid::Uuid::now_v7().to_string());
        }
        let response = request.send().await.expect("the program answers");
        let status = response.status().as_u16();
        let body = response.bytes().await.expect("the answer has an end");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Posts a JSON text; `None` when no answer came, as from a program that was just cut off.
    pub async fn offer(&self, path: &str, body: String) -> Option<(u16, Value)> {
        self.offer_as("application/json", path, body).await
    }

    /// The same of a text with a JSON object on each line.
    pub async fn offer_lines(&self, path: &str, body: String) -> Option<(u16, Value)> {
        self.offer_as("application/x-ndjson", path, body).await
    }

    async fn offer_as(&self, kind: &str, path: &str, body: String) -> Option<(u16, Value)> {
        let request = self.client.post(format!("{}{path}", self.origin)).bearer_auth(&self.key);
        let response = request.header("content-type", kind).body(body).send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, serde_json::from_slice(&response.bytes().await.ok()?).ok()?))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, None).await
    }
}
