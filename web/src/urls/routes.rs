//! Addresses of calls that go out: rate decks, carriers, routes and limits.

use super::{Audience, with_query};
use std::fmt::Display;

impl Audience {
    /// Rate decks; POST makes one.
    pub fn decks(self) -> String {
        self.at("decks")
    }
    pub fn deck_new(self) -> String {
        self.at("decks/new")
    }
    pub fn deck(self, id: impl Display) -> String {
        self.at(format_args!("decks/{id}"))
    }
    /// POST imports a file as a draft.
    pub fn deck_versions(self, id: impl Display) -> String {
        self.at(format_args!("decks/{id}/versions"))
    }
    /// What a version changes.
    pub fn deck_version(self, id: impl Display, version: u32) -> String {
        self.at(format_args!("decks/{id}/versions/{version}"))
    }
    /// POST publishes a version from a day on.
    pub fn deck_publications(self, id: impl Display) -> String {
        self.at(format_args!("decks/{id}/publications"))
    }
    /// POST undoes what has not begun.
    pub fn deck_withdrawal(self, id: impl Display) -> String {
        self.at(format_args!("decks/{id}/withdrawal"))
    }
    /// Who takes calls out; POST makes one known.
    pub fn carriers(self) -> String {
        self.at("carriers")
    }
    pub fn carrier_new(self) -> String {
        self.at("carriers/new")
    }
    /// POST changes it.
    pub fn carrier(self, id: impl Display) -> String {
        self.at(format_args!("carriers/{id}"))
    }
    /// POST sets where it takes live calls.
    pub fn carrier_trunk(self, id: impl Display) -> String {
        self.at(format_args!("carriers/{id}/trunk"))
    }
    /// The form that says whom a call would go to.
    pub fn routes(self) -> String {
        self.at("routes")
    }
    /// What the book lets out; POST sets how it sells and routes.
    pub fn outgoing(self) -> String {
        self.at("outgoing")
    }
    /// POST sets what everybody may spend.
    pub fn outgoing_limits(self) -> String {
        self.at("outgoing/limits")
    }
    /// POST sets who pays for what agents dial.
    pub fn outgoing_line(self) -> String {
        self.at("outgoing/line")
    }
    /// POST sets a class of destinations.
    pub fn outgoing_classes(self) -> String {
        self.at("outgoing/classes")
    }
    /// The page with the form of one class.
    pub fn outgoing_class(self, code: &str) -> String {
        with_query(&self.outgoing(), &[("class", code)])
    }
    /// What one customer may spend; POST sets it.
    pub fn customer_outgoing(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/outgoing"))
    }
    /// POST opens or closes a class for one customer.
    pub fn customer_destinations(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/destinations"))
    }
}
