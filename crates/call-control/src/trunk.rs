//! Where carriers take live calls, and for whom agents dial.

use crate::error::{CallError, Result};
use crate::safe::Safe;
use crate::store::trunks as store;
use chrono::{DateTime, Utc};
use db::{AgentId, CarrierId, CustomerId, TenantTx};
use sip_media::{ShownAs, TrunkTransport};

/// A carrier's SIP address, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTrunk {
    /// An address or a name.
    pub host: String,
    pub port: u16,
    pub transport: TrunkTransport,
    /// For a carrier that asks for a password.
    pub username: Option<String>,
    /// `None` keeps the one that is known.
    pub password: Option<String>,
    pub shown_as: ShownAs,
}

/// A carrier's SIP address. Its password stays sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    pub host: String,
    pub port: u16,
    pub transport: TrunkTransport,
    pub username: Option<String>,
    pub password_sealed: Option<String>,
    pub shown_as: ShownAs,
}

/// Who pays for what an agent dials, and what is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingLine {
    pub customer_id: CustomerId,
    /// One of the book's numbers, E.164 with its plus sign.
    pub number: String,
    /// Whose national numbers may be dialled as they are there: `49`.
    pub country_code: Option<String>,
}

/// Whose line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOf {
    /// Every agent that has none of its own.
    Everybody,
    One(AgentId),
}

/// What a sealed password belongs to.
pub(crate) fn place_of(tx: &TenantTx, id: CarrierId) -> String {
    format!("carrier {} {}", tx.tenant_id().uuid(), id.uuid())
}

fn check(new: &NewTrunk) -> Result<()> {
    let rule = |field, rule, value: &str| Err(CallError::RuleBroken { field, rule, value: value.to_owned() });
    let is_address = new.host.parse::<std::net::IpAddr>().is_ok();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !is_address && (new.host.len() > 253 || !new.host.split('.').all(is_label)) {
        return rule("sip_host", "must be an address or a host name", &new.host);
    }
    if new.port == 0 {
        return rule("sip_port", "must be 1 to 65535", "0");
    }
    let is_plain = |text: &str| (1..=80).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_user = |text: &str| is_plain(text) && !text.contains(['@', '<', '>', '"', ';', ':', ',', '?', '\\']);
    match &new.username {
        Some(username) if !is_user(username) => {
            return rule("sip_username", "must be 1 to 80 characters without blanks and marks of an address", username);
        }
        None if new.shown_as == ShownAs::Account => {
            return rule("sip_username", "must be there, for From shall say it", "");
        }
        None if new.password.is_some() => return rule("sip_username", "must be there beside a password", ""),
        _ => {}
    }
    if new.password.as_ref().is_some_and(|password| password.len() > 200 || password.chars().any(char::is_control)) {
        return rule("sip_password", "must have at most 200 characters and none that controls", "a secret");
    }
    Ok(())
}

/// Says where a carrier takes live calls, from the next call on; `None`: nowhere.
pub async fn set_trunk(
    tx: &TenantTx,
    safe: &Safe,
    id: CarrierId,
    new: Option<&NewTrunk>,
    now: DateTime<Utc>,
) -> Result<()> {
    crate::carrier::carrier(tx, id).await?.ok_or(CallError::UnknownCarrier(id))?;
    let Some(new) = new else { return store::remove_trunk(tx, id).await };
    check(new)?;
    let known = store::trunk(tx, id).await?;
    let password_sealed = match (&new.username, &new.password) {
        (None, _) => None,
        (Some(_), Some(password)) => Some(safe.seal(&place_of(tx, id), password)),
        // Of the same user: another one's password would be none.
        (Some(username), None) => known.and_then(|known| {
            let is_same = known.username.as_ref() == Some(username);
            known.password_sealed.filter(|_| is_same)
        }),
    };
    if new.username.is_some() && password_sealed.is_none() {
        return Err(CallError::RuleBroken {
            field: "sip_password",
            rule: "must be there beside a user",
            value: String::new(),
        });
    }
    let trunk = Trunk {
        host: new.host.clone(),
        port: new.port,
        transport: new.transport,
        username: new.username.clone(),
        password_sealed,
        shown_as: new.shown_as,
    };
    store::put_trunk(tx, id, &trunk, now).await
}

/// Where a carrier takes live calls.
pub async fn trunk(tx: &TenantTx, id: CarrierId) -> Result<Option<Trunk>> {
    store::trunk(tx, id).await
}

/// Says who pays for what agents dial; `None`: they dial nothing, or what everybody dials.
pub async fn set_outgoing_line(
    tx: &TenantTx,
    of: LineOf,
    line: Option<&OutgoingLine>,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(line) = line else { return store::remove_line(tx, of).await };
    let rule = |field, rule, value: &str| Err(CallError::RuleBroken { field, rule, value: value.to_owned() });
    let customer = subscription::customer(tx, line.customer_id).await?;
    if customer.is_none_or(|customer| customer.closed_at.is_some()) {
        return rule("line_customer", "must be a customer of this book", &line.customer_id.to_string());
    }
    if !subscription::numbers(tx, now).await?.iter().any(|number| number.e164 == line.number) {
        return rule("line_number", "must be a number of this book", &line.number);
    }
    if let Some(code) = &line.country_code {
        let is_code =
            (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()) && !code.starts_with('0');
        if !is_code {
            return rule("line_country", "must be a country's code of 1 to 3 digits, as 49", code);
        }
    }
    store::put_line(tx, of, line, now).await
}

/// An agent's own line, or everybody's.
pub async fn outgoing_line(tx: &TenantTx, of: LineOf) -> Result<Option<OutgoingLine>> {
    match store::line(tx, of).await? {
        None if of != LineOf::Everybody => store::line(tx, LineOf::Everybody).await,
        found => Ok(found),
    }
}

impl OutgoingLine {
    /// What was dialled, in international form; `None` where that would be a guess.
    pub fn number_of(&self, dialled: &str) -> Option<String> {
        usage_metering::international_number(dialled, self.country_code.as_deref())
    }
}
