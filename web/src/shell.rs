//! What surrounds a page: brand by host, navigation by audience, who is signed in, the notice after a POST.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::{
    assets,
    urls::{self, Audience},
    views::{
        parts::Note,
        ui::{self, Plain},
    },
};

/// Whose name is on the page. The operator's name stands on no page of a reseller's host.
#[derive(Clone, Debug)]
pub struct Brand {
    pub name: String,
    /// One sentence on the sign-in page.
    pub promise: String,
    /// Below "Sign in".
    pub welcome: String,
    pub support_email: String,
    /// An image of the brand's own; without one the operator's mark, or the initials of the name.
    pub logo_href: Option<String>,
    pub is_operator: bool,
    /// `None` for the colours of the stylesheet itself.
    pub theme_href: Option<String>,
}

impl Brand {
    pub fn operator() -> Self {
        Self {
            name: "Ringtill".into(),
            promise: "Every call, priced to the cent, with the reason.".into(),
            welcome: "Operator and direct accounts".into(),
            support_email: String::new(),
            logo_href: None,
            is_operator: true,
            theme_href: None,
        }
    }

    pub fn initials(&self) -> String {
        ui::initials(&self.name)
    }

    pub fn icon_href(&self) -> String {
        match &self.logo_href {
            Some(href) => href.clone(),
            None if self.is_operator => assets::href("mark.svg"),
            None => "data:,".into(),
        }
    }
}

/// Chosen by hand and kept in a cookie; otherwise the system decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Theme {
    pub const COOKIE: &'static str = "theme";

    pub fn from_cookie(value: &str) -> Option<Self> {
        match value {
            "light" => Some(Theme::Light),
            "dark" => Some(Theme::Dark),
            _ => None,
        }
    }
    pub fn name(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// The place in the navigation that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Home,
    Live,
    Edges,
    Calls,
    Usage,
    Customers,
    Plans,
    Numbers,
    Agents,
    Invoices,
    Runs,
    Settlements,
    Ledger,
    Account,
    Prices,
    ApiKeys,
    Brand,
    Estimate,
    Return,
    Elsewhere,
}

#[derive(Clone, Debug)]
pub struct NavLink {
    pub icon: &'static str,
    pub text: String,
    pub href: String,
    pub current: bool,
    /// At the right: how many wait there.
    pub count: String,
}

#[derive(Clone, Debug, Default)]
pub struct NavGroup {
    pub name: &'static str,
    pub links: Vec<NavLink>,
}

/// Another place that the same person may work in.
#[derive(Clone, Debug)]
pub struct Membership {
    pub id: String,
    pub organisation: String,
    pub role: String,
}

/// Who is signed in, and where.
#[derive(Clone, Debug, Default)]
pub struct Person {
    pub name: String,
    /// "Tenant admin", "seat 07".
    pub role: String,
}

#[derive(Clone, Debug, Default)]
pub struct Organisation {
    pub name: String,
    /// "Europe/Berlin, EUR".
    pub facts: String,
}

/// Everything round the content of a page.
#[derive(Clone, Debug)]
pub struct Shell {
    pub title: String,
    pub brand: Brand,
    pub theme: Option<Theme>,
    /// Proves that a form came from our own page; from the session.
    pub csrf: String,
    pub notice: Option<Note>,
    pub home_href: String,
    pub find_href: Option<String>,
    pub organisation: Organisation,
    pub person: Person,
    pub memberships: Vec<Membership>,
    pub nav: Vec<NavGroup>,
}

impl Shell {
    /// A page for somebody not signed in.
    pub fn outside(title: impl Into<String>, brand: Brand, theme: Option<Theme>) -> Self {
        Self {
            title: title.into(),
            brand,
            theme,
            csrf: String::new(),
            notice: None,
            home_href: "/".into(),
            find_href: None,
            organisation: Organisation::default(),
            person: Person::default(),
            memberships: Vec::new(),
            nav: Vec::new(),
        }
    }

    /// A page of a book, for those who keep it. `live_calls` stands beside "Live" when there are any.
    pub fn book(mut self, audience: Audience, section: Section, live_calls: u32) -> Self {
        self.home_href = audience.home();
        self.find_href = Some(audience.find());
        self.nav = book_nav(audience, section, live_calls);
        self
    }

    pub fn desk(mut self, section: Section) -> Self {
        self.home_href = urls::DESK.into();
        self.nav = vec![group(
            "",
            section,
            &[
                (Section::Home, "headset", "Desk", urls::DESK),
                (Section::Calls, "list-details", "My calls", urls::DESK_CALLS),
            ],
        )];
        self
    }

    pub fn portal(mut self, section: Section) -> Self {
        self.home_href = urls::PORTAL.into();
        self.nav = vec![group(
            "",
            section,
            &[
                (Section::Home, "wallet", "Account", urls::PORTAL),
                (Section::Calls, "phone", "Calls", urls::PORTAL_CALLS),
                (Section::Plans, "repeat", "Plan", urls::PORTAL_PLAN),
                (Section::Invoices, "receipt", "Receipts", urls::PORTAL_INVOICES),
                (Section::Prices, "tag", "Prices", urls::PORTAL_PRICES),
            ],
        )];
        self
    }

    /// A page for anybody.
    pub fn public(mut self, section: Section) -> Self {
        self.nav = vec![group(
            "",
            section,
            &[
                (Section::Estimate, "adjustments-horizontal", "Rate estimator", urls::ESTIMATE),
                (Section::Return, "coins", "Return calculator", urls::RETURN),
            ],
        )];
        self
    }

    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    pub fn top_links(&self) -> &[NavLink] {
        self.nav.first().map_or(&[], |group| &group.links)
    }

    /// The hidden field of every form.
    pub fn token(&self) -> Token {
        Token(self.csrf.clone())
    }
}

/// The hidden field that each POST carries.
#[derive(Clone, Debug, Default)]
pub struct Token(pub String);

impl HtmlSafe for Token {}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<input type="hidden" name="csrf" value="{}">"#, Plain(&self.0))
    }
}

fn group(name: &'static str, section: Section, links: &[(Section, &'static str, &str, &str)]) -> NavGroup {
    let links = links
        .iter()
        .map(|(of, icon, text, href)| NavLink {
            icon,
            text: (*text).into(),
            href: (*href).into(),
            current: *of == section,
            count: String::new(),
        })
        .collect();
    NavGroup { name, links }
}

/// Only what exists is in the navigation, twelve entries at most.
fn book_nav(audience: Audience, section: Section, live_calls: u32) -> Vec<NavGroup> {
    let (home, live, calls, usage) = (audience.home(), audience.live(), audience.calls(), audience.usage());
    // A call centre's brand and keys are reached from its plan: it has a brand only where that sells it, and keys are made once.
    let section = match (audience, section) {
        (Audience::Tenant, Section::Brand | Section::ApiKeys) => Section::Account,
        (_, section) => section,
    };
    let (customers, plans, numbers, invoices) =
        (audience.customers(), audience.plans(), audience.numbers(), audience.invoices());
    let (agents, runs, ledger, account) = (audience.agents(), audience.runs(), audience.ledger(), audience.account());
    let (keys, brand) = (audience.api_keys(), audience.brand());
    let watch = [
        (Section::Home, "home", "Today", home.as_str()),
        (Section::Live, "phone-call", "Live", live.as_str()),
        (Section::Calls, "list-details", "Calls", calls.as_str()),
        (Section::Usage, "activity", "Usage", usage.as_str()),
    ];
    let edges = (Section::Edges, "phone-call", "Phone edge", crate::urls::EDGES);
    let watch = match audience {
        Audience::Operator => group("", section, &[watch[0], watch[3], edges]),
        Audience::Reseller => group("", section, &[watch[0], watch[3]]),
        Audience::Tenant => group("", section, &watch),
    };
    let sell = group(
        "Sell",
        section,
        &[
            (
                Section::Customers,
                if audience == Audience::Tenant { "users" } else { "buildings" },
                audience.customers_word(),
                &customers,
            ),
            (Section::Plans, "tag", "Plans", &plans),
            (Section::Numbers, "hash", "Numbers", &numbers),
            (Section::Invoices, "receipt", "Invoices", &invoices),
        ],
    );
    let settlements = audience.settlements();
    let money = [
        (Section::Runs, "player-play", "Invoice runs", runs.as_str()),
        (Section::Ledger, "scale", "Ledger", ledger.as_str()),
        (Section::Settlements, "building-bank", "Settlements", settlements.as_str()),
    ];
    // Nobody below a call centre has numbers to be paid for.
    let money = group("Money", section, if audience == Audience::Tenant { &money[..2] } else { &money });
    let people = group("Run", section, &[(Section::Agents, "headset", "Agents", &agents)]);
    let own = [
        (Section::Account, "file-invoice", "Plan and bills", account.as_str()),
        (Section::Brand, "building-store", "Brand", brand.as_str()),
        (Section::ApiKeys, "key", "API keys", keys.as_str()),
    ];
    // The operator has no seller, hence no bills, and its brand is the platform's.
    let own = match audience {
        Audience::Operator => own[2..].to_vec(),
        Audience::Reseller => own.to_vec(),
        Audience::Tenant => own[..1].to_vec(),
    };
    let own = group("Account", section, &own);
    let mut nav = match audience {
        Audience::Operator | Audience::Reseller => vec![watch, sell, money, own],
        Audience::Tenant => vec![watch, sell, people, money, own],
    };
    if live_calls > 0 {
        for link in nav.iter_mut().flat_map(|group| group.links.iter_mut()).filter(|link| link.href == live) {
            link.count = live_calls.to_string();
        }
    }
    nav
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_navigation_has_one_current_entry_and_at_most_twelve() {
        for audience in Audience::ALL {
            let nav = book_nav(audience, Section::Invoices, 3);
            let links: Vec<_> = nav.iter().flat_map(|group| &group.links).collect();
            assert!(links.len() <= 12);
            assert_eq!(links.iter().filter(|link| link.current).count(), 1);
            assert!(links.iter().all(|link| link.href.starts_with(audience.prefix())));
        }
    }
}
