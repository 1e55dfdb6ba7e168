//! REGISTER as a phone sends it. The signalling stack's own client knows no SHA-256 challenge, so the digest is ours.

use super::line::Line;
use super::phone::PhonePlan;
use crate::config::EdgeError;
use crate::digest::{Algorithm, Claim, fields};
use rsipstack::sip::{Header, Request, Response, SipMessage, StatusCode};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use std::net::SocketAddr;

pub(super) struct Registration {
    endpoint: EndpointInnerRef,
    address: SocketAddr,
    plan: PhonePlan,
    call_id: String,
    sequence: u32,
}

fn failed(error: impl std::fmt::Display) -> EdgeError {
    EdgeError::Signalling(error.to_string())
}

impl Registration {
    pub(super) fn new(line: &Line, plan: &PhonePlan) -> Self {
        let call_id = uuid::Uuid::now_v7().to_string();
        Self { endpoint: line.endpoint.clone(), address: line.address, plan: plan.clone(), call_id, sequence: 0 }
    }

    /// Registers for the plan's time: asks, is challenged, answers the challenge.
    pub(super) async fn refresh(&mut self) -> Result<(), EdgeError> {
        let challenged = self.send(None).await?;
        if challenged.status_code != StatusCode::Unauthorized {
            return Err(failed(format!("registration answered {} unasked", challenged.status_code.code())));
        }
        let authorization = challenged.headers.iter().find_map(|header| match header {
            Header::WwwAuthenticate(challenge) => self.authorization(challenge.value()),
            _ => None,
        });
        let authorization = authorization.ok_or_else(|| failed("no challenge this phone can answer"))?;
        let answered = self.send(Some(&authorization)).await?;
        match answered.status_code {
            StatusCode::OK => Ok(()),
            status => Err(failed(format!("registration refused: {}", status.code()))),
        }
    }

    fn authorization(&self, challenge: &str) -> Option<String> {
        let fields = fields(challenge)?;
        let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let mut claim = Claim {
            username: self.plan.username.clone(),
            realm: field("realm")?,
            nonce: field("nonce")?,
            uri: format!("sip:{}", self.plan.server),
            cnonce: hex::encode(rand::random::<[u8; 8]>()),
            nc: "00000001".to_owned(),
            algorithm: field("algorithm"),
            ..Claim::default()
        };
        let algorithm = claim.algorithm()?;
        let ha1 = algorithm.ha1(&claim.username, &claim.realm, &self.plan.password);
        claim.response = algorithm.response(&ha1, "REGISTER", &claim);
        Some(header_of(&claim, algorithm))
    }

    async fn send(&mut self, authorization: Option<&str>) -> Result<Response, EdgeError> {
        self.sequence += 1;
        let (server, me, user) = (self.plan.server, self.address, &self.plan.username);
        let branch = uuid::Uuid::now_v7().simple();
        let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
        let text = format!(
            "REGISTER sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@{server}>;tag={branch}\r\nTo: <sip:{user}@{server}>\r\n\
             Call-ID: {}\r\nCSeq: {} REGISTER\r\nContact: <sip:{user}@{me}>\r\nExpires: {}\r\n\
             {authorization}Content-Length: 0\r\n\r\n",
            self.call_id,
            self.sequence,
            self.plan.expires.as_secs(),
        );
        let request = Request::try_from(text.as_str()).map_err(failed)?;
        let key = TransactionKey::from_request(&request, TransactionRole::Client).map_err(failed)?;
        let mut tx = Transaction::new_client(key, request, self.endpoint.clone(), None);
        tx.send().await.map_err(failed)?;
        while let Some(message) = tx.receive().await {
            if let SipMessage::Response(response) = message
                && response.status_code.code() >= 200
            {
                return Ok(response);
            }
        }
        Err(failed("no answer to a registration"))
    }
}

fn header_of(claim: &Claim, algorithm: Algorithm) -> String {
    let algorithm = algorithm.name();
    let Claim { username, realm, nonce, uri, response, cnonce, nc, .. } = claim;
    format!(
        "Digest username=\"{username}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm={algorithm}, cnonce=\"{cnonce}\", qop=auth, nc={nc}"
    )
}
