//! Another system at the API: a key, JSON, and nothing else.

use crate::world::MAIN;
use actix_http::Request;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::test::TestRequest;
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Status, and place and rule of the first field that broke one.
    pub fn field(&self) -> (u16, String, String) {
        let first = &self.json()["errors"][0];
        let text = |name: &str| first[name].as_str().unwrap_or_default().to_owned();
        (self.status, text("pointer"), text("code"))
    }
}

pub struct Machine<'a, S> {
    service: &'a S,
    host: &'static str,
    pub key: String,
}

impl<'a, S> Machine<'a, S>
where
    S: Service<Request, Response = ServiceResponse, Error = Error>,
{
    pub fn new(service: &'a S, key: impl Into<String>) -> Self {
        Self::at(service, MAIN, key)
    }

    pub fn at(service: &'a S, host: &'static str, key: impl Into<String>) -> Self {
        Self { service, host, key: key.into() }
    }

    /// As it is, with host and key.
    pub async fn send(&self, request: TestRequest) -> Reply {
        let mut request = request.insert_header(("host", self.host));
        if !self.key.is_empty() {
            request = request.insert_header(("authorization", format!("Bearer {}", self.key)));
        }
        let response = self.service.call(request.to_request()).await.expect("every refusal is an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().try_into_bytes().unwrap_or_default();
        Reply { status, headers, body: body.to_vec() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(TestRequest::get().uri(path)).await
    }

    /// With an `Idempotency-Key`.
    pub async fn post(&self, path: &str, once: &str, body: &Value) -> Reply {
        let request = TestRequest::post().uri(path).insert_header(("idempotency-key", once));
        self.send(request.insert_header(("content-type", "application/json")).set_payload(body.to_string())).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        let request = TestRequest::patch().uri(path).insert_header(("content-type", "application/json"));
        self.send(request.set_payload(body.to_string())).await
    }
}
