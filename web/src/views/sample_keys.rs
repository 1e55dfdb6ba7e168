//! Sample values for the page of keys.

use super::fields::Field;
use super::keys::{ApiKeys, KeyRow, MadeKey};
use super::parts::Heading;
use super::sample::{admin, token};
use super::ui::{Badge, Tone};
use crate::shell::Section;
use crate::urls::Audience;

pub fn api_keys() -> ApiKeys {
    ApiKeys {
        shell: admin("API keys", Section::ApiKeys),
        heading: Heading::new("API keys").facts("Times are CET"),
        action: Audience::Tenant.api_keys(),
        csrf: token(),
        made: Some(MadeKey {
            name: "Bookkeeping".into(),
            secret: "rt_live_4fKq00000000000000000000000abcdef".into(),
            sample: "curl -H 'Authorization: Bearer rt_live_4fKq…' https://ringtill.example/v1/invoices".into(),
        }),
        keys: vec![
            KeyRow {
                name: "Bookkeeping".into(),
                start: "rt_live_4fKq…".into(),
                scopes: "invoices:read, customers:write".into(),
                made: "made 2 Nov 2026, 10:02 CET by Henrik Bauer".into(),
                used: "2 Nov 2026, 10:14 CET".into(),
                state: Badge::new("Good", Tone::Good),
                revoke_href: Some(Audience::Tenant.api_key_revocation("key_1")),
            },
            KeyRow {
                name: "The shop before".into(),
                start: "rt_live_0aBc…".into(),
                scopes: "calls:read".into(),
                made: "made 1 Sep 2026, 09:00 CEST by Henrik Bauer".into(),
                used: "never".into(),
                state: Badge::new("Revoked", Tone::Plain),
                revoke_href: None,
            },
        ],
        fields: vec![
            Field::text("name", "Name", ""),
            Field::choice("days", "Good for", "90", [("90", "90 days"), ("", "Until it is revoked")]),
            Field::choice("customers", "Customers", "", [("", "Nothing"), ("read", "Read")]),
        ],
        document_href: crate::api::DOCUMENT,
    }
}

pub fn api_keys_none() -> ApiKeys {
    ApiKeys { made: None, keys: Vec::new(), ..api_keys() }
}
