use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^22 > 2^128 > 62^21.
const ID_DIGITS: usize = 22;

/// An id as text was not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

fn print(uuid: Uuid) -> String {
    let mut rest = uuid.as_u128();
    let mut text = [b'0'; ID_DIGITS];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    text.iter().map(|digit| *digit as char).collect()
}

fn parse(text: &str) -> Result<Uuid, NotAnId> {
    if text.len() != ID_DIGITS {
        return Err(NotAnId);
    }
    let mut value: u128 = 0;
    for byte in text.bytes() {
        let digit = DIGITS.iter().position(|d| *d == byte).ok_or(NotAnId)? as u128;
        value = value.checked_mul(62).and_then(|v| v.checked_add(digit)).ok_or(NotAnId)?;
    }
    Ok(Uuid::from_u128(value))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, ordered by time (UUID version 7).
            pub fn new() -> Self { Self(Uuid::now_v7()) }
            /// The id that a stored or foreign UUID names.
            pub const fn from_uuid(uuid: Uuid) -> Self { Self(uuid) }
            /// As stored.
            pub const fn uuid(self) -> Uuid { self.0 }
        }
        impl Default for $name { fn default() -> Self { Self::new() } }
        impl From<Uuid> for $name { fn from(uuid: Uuid) -> Self { Self(uuid) } }
        impl From<$name> for Uuid { fn from(id: $name) -> Uuid { id.0 } }
        impl From<$name> for sea_orm::Value { fn from(id: $name) -> sea_orm::Value { id.0.into() } }
        /// As people and the API see it: a prefix and 22 digits of base 62.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!($prefix, "_{}"), print(self.0)) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(text.strip_prefix(concat!($prefix, "_")).ok_or(NotAnId)?).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// An organisation as the owner of a book (`tenant_id` everywhere).
    TenantId = "org";
    /// A person: one e-mail, one password.
    PersonId = "per";
    /// A person's membership of an organisation.
    MemberId = "mem";
    /// An agent of a tenant.
    AgentId = "agt";
    /// One stay of an agent on a seat.
    SeatSessionId = "seat";
    /// A customer in a book.
    CustomerId = "cus";
    /// A number (DID).
    NumberId = "num";
    /// A topic of a number.
    TopicId = "top";
    /// A tariff.
    TariffId = "trf";
    /// A plan or an add-on.
    PlanId = "plan";
    /// One immutable version of a plan.
    PlanVersionId = "pv";
    /// A customer on a plan version.
    SubscriptionId = "sub";
    /// A change of a subscription.
    ChangeId = "chg";
    /// An entry of a customer's timeline.
    CustomerEventId = "evt";
    /// A coupon.
    CouponId = "cpn";
    /// A quote.
    QuoteId = "quo";
    /// A saved estimate.
    EstimateId = "est";
    /// A wallet.
    WalletId = "wal";
    /// A ledger transaction.
    TransactionId = "txn";
    /// A ledger account.
    AccountId = "acc";
    /// A wallet's asking for money by itself.
    RechargeId = "rch";
    /// A call; the edge's id of it.
    CallId = "call";
    /// An invoice run.
    RunId = "run";
    /// A draft of a document.
    DraftId = "dft";
    /// A final document: invoice, credit note, settlement.
    DocumentId = "doc";
    /// A statement of what a payee is owed for a month.
    SettlementId = "stl";
    /// A line of a document.
    LineId = "lin";
    /// A payment received.
    PaymentId = "pay";
    /// A means of payment on file.
    PaymentMethodId = "pmt";
    /// An entry of the audit log.
    AuditEntryId = "aud";
    /// A key by which another system comes in.
    ApiKeyId = "key";
    /// A usage event in suspense.
    SuspenseId = "sus";
    /// A batch of usage events.
    BatchId = "bat";
    /// A file of call records.
    ImportId = "imp";
    /// A rate deck.
    DeckId = "deck";
    /// A carrier of outgoing calls.
    CarrierId = "car";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_no_other_kind_accepts_it() {
        let id = CallId::new();
        assert_eq!(id.to_string().parse::<CallId>(), Ok(id));
        assert_eq!(id.to_string().parse::<CustomerId>(), Err(NotAnId));
        assert_eq!("call_zzzzzzzzzzzzzzzzzzzzzz".parse::<CallId>(), Err(NotAnId)); // above 2^128
        assert_eq!("call_".parse::<CallId>(), Err(NotAnId));
        let edges = [Uuid::nil(), Uuid::max()];
        for uuid in edges {
            assert_eq!(TenantId::from_uuid(uuid).to_string().parse::<TenantId>().map(TenantId::uuid), Ok(uuid));
        }
    }
}
