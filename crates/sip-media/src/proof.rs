//! A phone proves its user by digest: to the registrar (401), and to the door when it dials out (407). Unknown user, wrong
//! password and banned client are one answer: a fresh challenge.

use crate::bans::Offence;
use crate::digest::{Algorithm, Claim, Verdict};
use crate::identity;
use crate::shared::Shared;
use rsipstack::sip::prelude::*;
use rsipstack::sip::{self, Header, StatusCode};
use rsipstack::transaction::transaction::Transaction;
use std::net::{IpAddr, Ipv4Addr};
use tokio::time::{Instant, timeout};
use tracing::warn;

/// Who asks for the proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Registration,
    Call,
}

impl Asked {
    fn method(self) -> &'static str {
        match self {
            Self::Registration => "REGISTER",
            Self::Call => "INVITE",
        }
    }

    fn challenge(self, value: String) -> Header {
        match self {
            Self::Registration => Header::WwwAuthenticate(sip::WwwAuthenticate::new(value)),
            Self::Call => Header::ProxyAuthenticate(sip::ProxyAuthenticate::new(value)),
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Registration => StatusCode::Unauthorized,
            Self::Call => StatusCode::ProxyAuthenticationRequired,
        }
    }

    /// The stack's own reading of this header loses what is needed (the count's digits), so the text is read.
    fn claim(self, tx: &Transaction, realm: &str) -> Option<Claim> {
        tx.original.headers.iter().find_map(|header| {
            let text = match (self, header) {
                (Self::Registration, Header::Authorization(text)) => text.value(),
                (Self::Call, Header::ProxyAuthorization(text)) => text.value(),
                _ => return None,
            };
            Claim::read(text).filter(|claim| claim.realm == realm)
        })
    }
}

/// `false` when the request has been answered instead: challenged, or put off.
pub(crate) async fn is_proven(
    shared: &Shared,
    tx: &mut Transaction,
    username: &str,
    source: IpAddr,
    asked: Asked,
) -> rsipstack::Result<bool> {
    let (registrar, now) = (&shared.registrar, Instant::now());
    let Some(claim) = asked.claim(tx, &shared.config.realm) else {
        let known = registrar.unanswered.asks_again(username, source, now).then_some(Algorithm::Md5);
        return challenge(shared, tx, asked, known, false).await;
    };
    let known = claim.algorithm();
    let fits = claim.username == username && names_host_of(&claim, &tx.original.uri);
    if !fits || registrar.failures.banned(username, source, now) {
        return challenge(shared, tx, asked, known, false).await;
    }
    if !shared.allows(&shared.registration_rate, source) {
        shared.reply_busy(tx).await?;
        return Ok(false);
    }
    let secret = timeout(shared.config.timing.control, shared.control.phone_secret(username)).await;
    let Ok(Ok(secret)) = secret else {
        shared.reply_busy(tx).await?;
        return Ok(false);
    };
    match registrar.digester.verify(&claim, asked.method(), secret.as_ref()) {
        Verdict::Wrong => {
            registrar.failures.failed(username, source, now);
            // A forged source cannot know a challenge of ours; it must not get its victim banned.
            if registrar.digester.is_ours(&claim.nonce) {
                shared.bans.offended(source, Offence::Guess, now);
            }
            warn!(source.address = %source, "Refused a phone's password");
            return challenge(shared, tx, asked, known, false).await;
        }
        Verdict::Stale => return challenge(shared, tx, asked, known, true).await,
        Verdict::Right => registrar.failures.succeeded(username, source),
    }
    if known == Some(Algorithm::Sha256) {
        registrar.unanswered.knows_sha256(username, source);
    }
    Ok(true)
}

/// A phone that is known to answer by MD5 is offered nothing that might confuse it.
async fn challenge(
    shared: &Shared,
    tx: &mut Transaction,
    asked: Asked,
    known: Option<Algorithm>,
    stale: bool,
) -> rsipstack::Result<bool> {
    let digester = &shared.registrar.digester;
    let challenges = match known {
        Some(Algorithm::Md5) => vec![digester.challenge(Algorithm::Md5, stale)],
        Some(Algorithm::Sha256) | None => digester.challenges(stale),
    };
    let headers = challenges.into_iter().map(|value| asked.challenge(value)).collect();
    tx.reply_with(asked.status(), headers, None).await?;
    Ok(false)
}

/// A response computed for another server must not open this one.
fn names_host_of(claim: &Claim, uri: &sip::Uri) -> bool {
    sip::Uri::try_from(claim.uri.as_str()).is_ok_and(|claimed| claimed.host() == uri.host())
}

/// Who sends an INVITE that starts a call.
pub(crate) enum Dialler {
    /// Somebody from outside, who calls a number here.
    Outside,
    /// The phone of this user, proven.
    Phone(String),
    /// Challenged, or put off.
    Answered,
}

/// An INVITE that says to be from a phone of ours must prove it: the answer is the same whether there is such a user or not. A name
/// that could be a telephone number is a phone's only where that phone has registered from; else it is a caller's.
pub(crate) async fn dialler(shared: &Shared, tx: &mut Transaction) -> rsipstack::Result<Dialler> {
    let from = tx.original.from_header()?.typed()?.uri;
    let Some(user) = from.user().map(str::to_owned).filter(|user| !identity::is_withheld(user)) else {
        return Ok(Dialler::Outside);
    };
    let flow = tx.connection.as_ref().and_then(|connection| connection.get_remote_addr().cloned());
    let source = flow.as_ref().and_then(|flow| flow.get_socketaddr().ok());
    let source = source.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    let has_letter = user.chars().any(char::is_alphabetic);
    let is_here = has_letter && names_us(shared, &from);
    let is_at = |flow| shared.registrar.is_at(&user, flow, Instant::now());
    if !is_here && !flow.as_ref().is_some_and(is_at) {
        return Ok(Dialler::Outside);
    }
    match is_proven(shared, tx, &user, source, Asked::Call).await? {
        true => Ok(Dialler::Phone(user)),
        false => Ok(Dialler::Answered),
    }
}

/// The host of an address is this edge's, by its realm or by where it listens.
fn names_us(shared: &Shared, uri: &sip::Uri) -> bool {
    let host = uri.host().to_string();
    let port = uri.host_with_port.port.as_ref().map(|port| port.value());
    let is_ours = |ours: u16| port.is_none_or(|port| port == ours);
    let tls = shared.tls_address.map(|address| address.port());
    let ip = shared.config.advertised_ip.to_string();
    host.eq_ignore_ascii_case(&shared.config.realm)
        || (host.trim_matches(['[', ']']) == ip && (is_ours(shared.address.port()) || tls.is_some_and(is_ours)))
}
