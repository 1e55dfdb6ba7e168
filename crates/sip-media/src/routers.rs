//! Phones behind routers (NAT): over UDP what they call their address leads nowhere, so the one their message came from takes
//! its place before the signalling stack learns it. RTP finds its own way: a leg latches on to where packets come from.

use rsipstack::sip::prelude::*;
use rsipstack::sip::{self, Header, Host, Method, SipMessage, Transport};
use rsipstack::transaction::endpoint::MessageInspector;
use rsipstack::transport::SipAddr;
use std::net::{IpAddr, SocketAddr};

pub(crate) struct BehindRouters;

impl MessageInspector for BehindRouters {
    fn before_send(&self, message: SipMessage, _to: Option<&SipAddr>) -> SipMessage {
        message
    }

    fn after_received(&self, mut message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        // A stream is its own way back.
        let from = from.filter(|from| from.r#type == Some(Transport::Udp));
        if let Some(source) = from.and_then(|from| from.get_socketaddr().ok()) {
            make_reachable(&mut message, source);
        }
        message
    }
}

/// A Contact that cannot be reached from here becomes the source. Registrations keep theirs: the phone looks for it in the
/// answer, and is rung on the way it came.
fn make_reachable(message: &mut SipMessage, source: SocketAddr) {
    let (method, headers) = match message {
        SipMessage::Request(request) => (Some(request.method), &mut request.headers),
        SipMessage::Response(response) => {
            (response.cseq_header().and_then(|cseq| cseq.method()).ok(), &mut response.headers)
        }
    };
    let opens_a_way = matches!(method, Some(Method::Invite | Method::Update));
    // Behind a proxy the source is the proxy, which knows the way.
    if !opens_a_way || headers.iter().any(|header| matches!(header, Header::RecordRoute(_))) {
        return;
    }
    for header in &mut headers.0 {
        let Header::Contact(contact) = header else { continue };
        let Ok(mut uri) = contact.typed().map(|contact| contact.uri) else { continue };
        if let Host::IpAddr(inside) = uri.host_with_port.host
            && is_inside(inside)
            && inside != source.ip()
        {
            uri.host_with_port = source.into();
            *header = Header::Contact(sip::Contact::new(format!("<{uri}>")));
        }
    }
}

/// An address that means something else behind every router.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            address.is_private() || address.is_link_local() || address.is_loopback() || is_shared
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact_after(head: &str, contact: &str, more: &str) -> String {
        let text = format!(
            "{head}\r\nVia: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
             Call-ID: x\r\nCSeq: 1 INVITE\r\nContact: {contact}\r\n{more}Content-Length: 0\r\n\r\n"
        );
        let mut message = SipMessage::try_from(text.as_bytes()).unwrap();
        make_reachable(&mut message, "198.51.100.7:40112".parse().unwrap());
        let headers = match &message {
            SipMessage::Request(request) => &request.headers,
            SipMessage::Response(response) => &response.headers,
        };
        let contact = headers.iter().find(|header| matches!(header, Header::Contact(_)));
        contact.map(|contact| contact.value().to_owned()).unwrap_or_default()
    }

    #[test]
    fn an_address_within_a_home_becomes_the_source_and_any_other_stays() {
        let invite = "INVITE sip:did@192.0.2.1 SIP/2.0";
        for inside in ["10.0.0.7:5060", "192.168.1.20", "172.16.9.9:9", "100.64.3.1:5060", "169.254.1.1"] {
            assert_eq!(contact_after(invite, &format!("<sip:amy@{inside}>"), ""), "<sip:amy@198.51.100.7:40112>");
        }
        for outside in ["203.0.113.9:5060", "gateway.example", "100.128.0.1"] {
            let contact = format!("<sip:amy@{outside}>");
            assert_eq!(contact_after(invite, &contact, ""), contact);
        }
        let answered = contact_after("SIP/2.0 200 OK", "\"Amy\" <sip:amy@10.0.0.7>", "");
        assert_eq!(answered, "<sip:amy@198.51.100.7:40112>", "of an answer, too");
        let behind_a_proxy = contact_after(invite, "<sip:amy@10.0.0.7>", "Record-Route: <sip:proxy.example;lr>\r\n");
        assert_eq!(behind_a_proxy, "<sip:amy@10.0.0.7>");
    }
}
