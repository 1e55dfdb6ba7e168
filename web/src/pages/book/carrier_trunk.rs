//! Where a carrier takes live calls: its form on the carrier's page.

use super::carriers::{broken, page};
use crate::answer::{SeeOther, see_other};
use crate::error::PageResult;
use crate::extract::Member;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::read;
use crate::views::fields::{Control, Field};
use crate::views::form::Fields;
use crate::views::panels::{FormCard, Panels};
use actix_web::{Either, web};
use call_control::{NewTrunk, Trunk};
use db::CarrierId;
use sip_media::{ShownAs, TrunkTransport};
use tenant::Role;

const TRANSPORTS: [(&str, &str, TrunkTransport); 3] =
    [("udp", "UDP", TrunkTransport::Udp), ("tcp", "TCP", TrunkTransport::Tcp), ("tls", "TLS", TrunkTransport::Tls)];

const SHOWN: [(&str, &str, ShownAs); 3] = [
    ("asserted", "From and P-Asserted-Identity", ShownAs::Asserted),
    ("from", "From alone", ShownAs::From),
    ("account", "P-Asserted-Identity; From is the user", ShownAs::Account),
];

/// The usual port of SIP; over TLS it is the next one.
const SIP_PORT: u16 = 5060;

pub(super) fn form(member: &Member, id: CarrierId, known: Option<&Trunk>, given: &Given, faults: &Faults) -> FormCard {
    let is_sent = given.has("sip_host");
    let text = |name: &str, usual: String| if is_sent { given.get(name).to_owned() } else { usual };
    let word = |found: Option<&'static str>, usual: &str| found.unwrap_or(usual).to_owned();
    let transport = known.and_then(|known| TRANSPORTS.iter().find(|of| of.2 == known.transport)).map(|of| of.0);
    let shown = known.and_then(|known| SHOWN.iter().find(|of| of.2 == known.shown_as)).map(|of| of.0);
    let choices = |of: &[(&str, &str)]| -> Vec<(String, String)> {
        of.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect()
    };
    let user = known.and_then(|known| known.username.clone()).unwrap_or_default();
    let mut password = Field::text("sip_password", "Password", "").control(Control::Password);
    if known.is_some_and(|known| known.password_sealed.is_some()) {
        password = password.hint("Empty: it stays as it is");
    }
    let fields = Fields::new()
        .whole(
            Field::text(
                "sip_host",
                "SIP address",
                text("sip_host", known.map_or_else(String::new, |k| k.host.clone())),
            )
            .hint("A name or an address; empty: it takes no live calls")
            .placeholder("sip.carrier.example")
            .error(faults.at("sip_host")),
        )
        .half(
            Field::figure("sip_port", "Port", text("sip_port", known.map_or(SIP_PORT, |k| k.port).to_string()))
                .error(faults.at("sip_port")),
        )
        .half(
            Field::choice(
                "sip_transport",
                "Transport",
                text("sip_transport", word(transport, "udp")),
                choices(&TRANSPORTS.map(|of| (of.0, of.1))),
            )
            .error(faults.at("sip_transport")),
        )
        .half(
            Field::text("sip_username", "User", text("sip_username", user))
                .hint("Empty: it knows us by our address")
                .error(faults.at("sip_username")),
        )
        .half(password.error(faults.at("sip_password")))
        .whole(
            Field::choice(
                "shown_as",
                "It reads the caller's number in",
                text("shown_as", word(shown, "asserted")),
                choices(&SHOWN.map(|of| (of.0, of.1))),
            )
            .error(faults.at("shown_as")),
        );
    FormCard::post("Where it takes live calls", member.audience.carrier_trunk(id), fields, "Save the address")
        .remark("Passwords are kept encrypted.")
}

/// What the form says; `Some(None)`: nowhere.
fn read(given: &Given, faults: &mut Faults) -> Option<Option<NewTrunk>> {
    if given.get("sip_host").is_empty() {
        return Some(None);
    }
    let one_of = || "Must be one of these.".to_owned();
    let port = faults.keep("sip_port", read::count(given.get("sip_port"), 1, 65_535));
    let transport = TRANSPORTS.iter().find(|of| of.0 == given.get("sip_transport")).map(|of| of.2).ok_or_else(one_of);
    let transport = faults.keep("sip_transport", transport);
    let shown_as = SHOWN.iter().find(|of| of.0 == given.get("shown_as")).map(|of| of.2).ok_or_else(one_of);
    let shown_as = faults.keep("shown_as", shown_as);
    let some = |name: &str| Some(given.get(name).to_owned()).filter(|text| !text.is_empty());
    Some(Some(NewTrunk {
        host: given.get("sip_host").to_owned(),
        port: u16::try_from(port?).ok()?,
        transport: transport?,
        username: some("sip_username"),
        password: some("sip_password"),
        shown_as: shown_as?,
    }))
}

/// `POST /ops/carriers/{carrier_id}/trunk`
pub async fn set(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let id: CarrierId = path.parse()?;
    let mut faults = Faults::default();
    if let Some(new) = read(&given, &mut faults) {
        let tx = member.tx().await?;
        match call_control::set_trunk(&tx, &member.app.safe, id, new.as_ref(), member.now).await {
            Ok(()) => {
                // Never the password.
                let host = new.as_ref().map(|new| format!("{}:{}", new.host, new.port));
                let payload = serde_json::json!({ "address": host });
                tenant::record_audit(&tx, &member.actor(), "carrier.trunk", &id.to_string(), payload, member.now)
                    .await?;
                tx.commit().await?;
                let notice = match host {
                    Some(host) => format!("Live calls go to {host} from now on."),
                    None => "It takes no live calls from now on.".to_owned(),
                };
                return Ok(Either::Left(see_other(member.audience.carrier(id)).notice(notice)));
            }
            Err(error) => broken(error, &mut faults)?,
        }
    }
    Ok(again(page(&member, Some(id), &given, &faults).await?))
}
