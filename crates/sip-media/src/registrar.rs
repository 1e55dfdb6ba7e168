//! Where agents' phones are: REGISTER with digest, bindings with an end, kept in memory (phones register again by themselves).

use crate::digest::Digester;
use crate::limits::Failures;
use crate::proof::{self, Asked};
use crate::shared::Shared;
use crate::unanswered::Unanswered;
use rsipstack::sip::prelude::*;
use rsipstack::sip::{self, Header, StatusCode};
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::SipAddr;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;
use tracing::info;

/// Contacts kept per user; the one refreshed last is rung.
const CONTACTS_MAX: usize = 4;

/// A phone as [`crate::Edge::registrations`] shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredPhone {
    pub username: String,
    /// Where it is reached: transport, address and port.
    pub address: String,
    pub expires_in: Duration,
}

#[derive(Clone)]
pub(crate) struct Binding {
    pub(crate) contact: sip::Uri,
    /// Requests go back the way the registration came: behind NAT the contact's own address leads nowhere, and a TCP
    /// phone is reached on its connection only.
    pub(crate) flow: Option<SipAddr>,
    expires_at: Instant,
    refreshed_at: Instant,
    call_id: String,
    sequence: u32,
}

pub(crate) struct Registrar {
    pub(crate) digester: Digester,
    pub(crate) failures: Failures,
    pub(crate) unanswered: Unanswered,
    bindings: Mutex<HashMap<String, Vec<Binding>>>,
}

/// What a well-formed, authenticated REGISTER asks for.
pub(crate) struct Wish {
    contacts: Vec<(sip::Uri, Duration)>,
    remove_all: bool,
    call_id: String,
    sequence: u32,
}

impl Registrar {
    pub(crate) fn new(digester: Digester, failures: Failures) -> Self {
        Self { digester, failures, unanswered: Unanswered::default(), bindings: Mutex::default() }
    }

    fn bindings(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Binding>>> {
        self.bindings.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The contact of `username` refreshed last.
    pub(crate) fn find(&self, username: &str, now: Instant) -> Option<Binding> {
        let bindings = self.bindings();
        let live = bindings.get(username)?.iter().filter(|binding| binding.expires_at > now);
        live.max_by_key(|binding| binding.refreshed_at).cloned()
    }

    /// Did `username` register from there?
    pub(crate) fn is_at(&self, username: &str, flow: &SipAddr, now: Instant) -> bool {
        let bindings = self.bindings();
        let mut phones = bindings.get(username).into_iter().flatten();
        phones.any(|binding| binding.expires_at > now && binding.flow.as_ref() == Some(flow))
    }

    pub(crate) fn list(&self, now: Instant) -> Vec<RegisteredPhone> {
        let mut bindings = self.bindings();
        for phones in bindings.values_mut() {
            phones.retain(|binding| binding.expires_at > now);
        }
        bindings.retain(|_, phones| !phones.is_empty());
        let mut phones: Vec<RegisteredPhone> = bindings
            .iter()
            .flat_map(|(username, phones)| phones.iter().map(move |binding| (username, binding)))
            .map(|(username, binding)| RegisteredPhone {
                username: username.clone(),
                address: binding.flow.as_ref().map_or_else(|| binding.contact.to_string(), ToString::to_string),
                expires_in: binding.expires_at - now,
            })
            .collect();
        phones.sort_by(|one, two| one.username.cmp(&two.username));
        phones
    }

    /// `false` when a request of the same client with a higher number has been seen (RFC 3261 10.3, step 7).
    fn bind(&self, username: &str, wish: Wish, flow: Option<SipAddr>, now: Instant) -> bool {
        let mut bindings = self.bindings();
        let phones = bindings.entry(username.to_owned()).or_default();
        phones.retain(|binding| binding.expires_at > now);
        if phones.iter().any(|binding| binding.call_id == wish.call_id && binding.sequence > wish.sequence) {
            return false;
        }
        if wish.remove_all {
            phones.clear();
        }
        for (contact, expires) in wish.contacts {
            phones.retain(|binding| binding.contact != contact);
            if expires.is_zero() {
                continue;
            }
            let (flow, call_id) = (flow.clone(), wish.call_id.clone());
            let expires_at = now + expires;
            let sequence = wish.sequence;
            phones.push(Binding { contact, flow, expires_at, refreshed_at: now, call_id, sequence });
            if phones.len() > CONTACTS_MAX {
                phones.remove(0);
            }
        }
        if phones.is_empty() {
            bindings.remove(username);
        }
        true
    }

    fn contact_headers(&self, username: &str, now: Instant) -> Vec<Header> {
        let bindings = self.bindings();
        let phones = bindings.get(username).into_iter().flatten();
        phones
            .map(|binding| {
                let seconds = (binding.expires_at - now).as_secs();
                Header::Contact(sip::Contact::new(format!("<{}>;expires={seconds}", binding.contact)))
            })
            .collect()
    }
}

/// Answers a REGISTER. Unknown user, wrong password and banned client are one answer: a fresh challenge.
pub(crate) async fn register(shared: &Shared, tx: &mut Transaction) -> rsipstack::Result<()> {
    let registrar = &shared.registrar;
    let flow = tx.connection.as_ref().and_then(|connection| connection.get_remote_addr().cloned());
    let source = flow.as_ref().and_then(|flow| flow.get_socketaddr().ok());
    let source = source.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    let username = tx.original.to_header()?.typed()?.uri.user().unwrap_or_default().to_owned();
    let now = Instant::now();
    if !proof::is_proven(shared, tx, &username, source, Asked::Registration).await? {
        return Ok(());
    }
    let wish = match read_wish(&tx.original, &shared.config.timing.registration) {
        Ok(wish) => wish,
        Err(refusal) => {
            let shortest = shared.config.timing.registration.start().as_secs();
            let headers = vec![Header::MinExpires(sip::MinExpires::new(shortest.to_string()))];
            return tx.reply_with(refusal, headers, None).await;
        }
    };
    if !registrar.bind(&username, wish, flow, now) {
        return tx.reply(StatusCode::ServerInternalError).await;
    }
    info!(phone.username = username, "Registered a phone");
    let contacts = registrar.contact_headers(&username, now);
    tx.reply_with(StatusCode::OK, contacts, None).await
}

pub(crate) fn read_wish(
    request: &sip::Request,
    bounds: &std::ops::RangeInclusive<Duration>,
) -> Result<Wish, StatusCode> {
    let bad = |_| StatusCode::BadRequest;
    let call_id = request.call_id_header().map_err(bad)?.value().to_owned();
    let sequence = request.cseq_header().and_then(|cseq| cseq.seq()).map_err(bad)?;
    let default = match request.expires_header() {
        Some(expires) => expires.value().trim().parse().map_err(|_| StatusCode::BadRequest)?,
        None => bounds.end().as_secs(),
    };
    let star = request.contact_headers().iter().any(|contact| contact.value().trim() == "*");
    if star {
        let wish = Wish { contacts: Vec::new(), remove_all: true, call_id, sequence };
        return if default == 0 { Ok(wish) } else { Err(StatusCode::BadRequest) };
    }
    let mut contacts = Vec::new();
    for contact in request.typed_contact_headers().map_err(bad)? {
        let asked = Duration::from_secs(contact.expires().map_or(default, u64::from));
        if !asked.is_zero() && asked < *bounds.start() {
            return Err(StatusCode::IntervalTooBrief);
        }
        contacts.push((contact.uri, asked.min(*bounds.end())));
    }
    Ok(Wish { contacts, remove_all: false, call_id, sequence })
}
