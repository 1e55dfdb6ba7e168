//! What a key may do: read or write one group of nouns. Writing includes reading.

use crate::error::TenantError;
use std::fmt;
use std::str::FromStr;

macro_rules! scopes {
    ($($group:ident = $word:literal: $what:literal;)*) => {
        /// A group of nouns of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ScopeGroup { $(#[doc = $what] $group),* }

        impl ScopeGroup {
            /// All of them, in the order of a list.
            pub const ALL: &[ScopeGroup] = &[$(ScopeGroup::$group),*];

            /// As it stands in a scope.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$group => $word),* }
            }

            /// What is in it, for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$group => $what),* }
            }
        }

        impl Scope {
            /// As stored and sent: `customers:read`.
            pub fn as_str(self) -> &'static str {
                match (self.group, self.writes) {
                    $((ScopeGroup::$group, false) => concat!($word, ":read"), (ScopeGroup::$group, true) => concat!($word, ":write")),*
                }
            }
        }
    };
}

scopes! {
    Catalogue = "catalogue": "Plans, tariffs, numbers and coupons";
    Customers = "customers": "Customers";
    Subscriptions = "subscriptions": "Subscriptions and what they entitle to";
    Usage = "usage": "Usage";
    Quotes = "quotes": "Estimates, quotes and calculators";
    Invoices = "invoices": "Invoices and credit notes";
    Calls = "calls": "Calls";
    Wallets = "wallets": "Wallets";
    Settlements = "settlements": "Settlements of partners";
    Ledger = "ledger": "Ledger";
    Routes = "routes": "Rate decks, carriers and outgoing calls";
}

/// One thing that a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub group: ScopeGroup,
    pub writes: bool,
}

impl Scope {
    /// To look.
    pub const fn read(group: ScopeGroup) -> Self {
        Self { group, writes: false }
    }

    /// To change, and to look.
    pub const fn write(group: ScopeGroup) -> Self {
        Self { group, writes: true }
    }

    /// Every scope there is.
    pub fn all() -> impl Iterator<Item = Scope> {
        ScopeGroup::ALL.iter().flat_map(|group| [Self::read(*group), Self::write(*group)])
    }

    /// Does a key that has this one satisfy what asks for `wanted`?
    pub fn allows(self, wanted: Scope) -> bool {
        self.group == wanted.group && (self.writes || !wanted.writes)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = TenantError;
    fn from_str(text: &str) -> Result<Self, TenantError> {
        Self::all().find(|scope| scope.as_str() == text).ok_or_else(|| TenantError::ScopeMustBeKnown(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_survives_its_text_and_writing_includes_reading() {
        for scope in Scope::all() {
            assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
        }
        assert!("customers:delete".parse::<Scope>().is_err());
        let (read, write) = (Scope::read(ScopeGroup::Calls), Scope::write(ScopeGroup::Calls));
        assert!(write.allows(read) && read.allows(read) && write.allows(write));
        assert!(!read.allows(write) && !write.allows(Scope::read(ScopeGroup::Usage)));
    }
}
