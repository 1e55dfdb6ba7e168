//! Sample values for the page of the phone edge.

use super::edges::{BanRow, Edges, PhoneRow};
use super::parts::{Heading, Stat, Stats};
use super::sample::{operator, token};
use crate::shell::Section;
use crate::urls;

pub fn edges() -> Edges {
    Edges {
        shell: operator("Phone edge", Section::Edges),
        heading: Heading::new("Phone edge").facts("This process answers calls at 192.0.2.1:5060"),
        stats: Stats(vec![Stat::new("Calls now", "3"), Stat::new("Sources not heard", "1")]),
        lift_href: urls::EDGE_BAN_LIFTING,
        csrf: token(),
        may_lift: true,
        bans: vec![BanRow {
            source: "2001:db8:0:7::/64".into(),
            why: "Guessed passwords".into(),
            expires_in: "712 min".into(),
            dropped: "1,204".into(),
        }],
        phones: vec![PhoneRow {
            username: "lena.nord".into(),
            address: "TLS 198.51.100.7:40112".into(),
            expires_in: "52 s".into(),
        }],
    }
}

pub fn edges_quiet() -> Edges {
    Edges { bans: Vec::new(), phones: Vec::new(), ..edges() }
}
