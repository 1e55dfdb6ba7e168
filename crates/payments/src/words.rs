//! The few words that are stored as text.

use crate::error::PaymentError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a payment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// Into a prepaid customer's wallet.
    TopUp,
    /// On a customer's receivable: it pays documents.
    Payment,
}

/// How the money came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    BankTransfer,
    Cash,
    Card,
    Other,
}

impl PaymentKind {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            PaymentKind::TopUp => "top_up",
            PaymentKind::Payment => "payment",
        }
    }

    pub(crate) fn stored(word: &str) -> Result<PaymentKind, PaymentError> {
        let found = [PaymentKind::TopUp, PaymentKind::Payment].into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| PaymentError::StoredWordUnknown(word.to_owned()))
    }
}

impl Method {
    /// Every method, in the order of a form.
    pub const ALL: [Method; 4] = [Method::BankTransfer, Method::Cash, Method::Card, Method::Other];

    /// As stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::BankTransfer => "bank_transfer",
            Method::Cash => "cash",
            Method::Card => "card",
            Method::Other => "other",
        }
    }

    /// As a person reads it.
    pub const fn words(self) -> &'static str {
        match self {
            Method::BankTransfer => "Bank transfer",
            Method::Cash => "Cash",
            Method::Card => "Card",
            Method::Other => "Other",
        }
    }

    /// The method that a word names.
    pub fn from_word(word: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.as_str() == word)
    }

    pub(crate) fn stored(word: &str) -> Result<Method, PaymentError> {
        Method::from_word(word).ok_or_else(|| PaymentError::StoredWordUnknown(word.to_owned()))
    }
}

impl fmt::Display for PaymentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
