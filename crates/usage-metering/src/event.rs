use crate::suspense::SuspenseCause;
use chrono::{DateTime, Utc};
use db::{CustomerId, SubscriptionId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Something that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// Who reports it. With `id` it is the event's key.
    pub source: String,
    pub id: String,
    /// Code of the meter that it counts on.
    pub meter: String,
    pub customer_id: CustomerId,
    /// The subscription that it names, if it names one.
    pub subscription_id: Option<SubscriptionId>,
    /// In the meter's unit; kept to six decimals, half away from zero.
    pub quantity: Decimal,
    pub dimensions: BTreeMap<String, String>,
    pub occurred_at: DateTime<Utc>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored and summed.
    Accepted,
    /// Known already with this payload: nothing changed, and that is a success.
    Duplicate,
    /// Known with another payload: the first stands, this one is in suspense.
    Conflict,
    /// Matches nothing: kept in suspense.
    Suspended(SuspenseCause),
    /// Not an event at all; nothing is stored.
    Rejected(Rejection),
}

impl Outcome {
    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Suspended(_) => "suspense",
            Self::Rejected(_) => "rejected",
        }
    }
}

/// Why something was not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("source and id have 1 to 200 characters")]
    KeyMustHaveALength,
    #[error("source, id and dimensions hold no control characters")]
    TextMustBePlain,
    #[error("a quantity is not negative")]
    QuantityMustNotBeNegative,
    #[error("events of this type are counted one by one: send one for each")]
    QuantityMustBeOne,
    #[error("what is counted while it lasts lasts at most 86,400 seconds")]
    SpanMustEnd,
    #[error("a quantity is below 100,000,000,000")]
    QuantityMustFit,
    #[error("at most 20 dimensions of at most 200 characters")]
    DimensionsMustBeFew,
    #[error("the database does not take it")]
    DatabaseMustTakeIt,
}

pub(crate) const TEXT_CHARS_MAX: usize = 200;
const DIMENSIONS_MAX: usize = 20;

impl UsageEvent {
    /// What is wrong with its form, whatever the book knows.
    pub(crate) fn rejection(&self) -> Option<Rejection> {
        let has_length = |text: &str| !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX;
        let is_plain = |text: &str| !text.chars().any(char::is_control);
        if !has_length(&self.source) || !has_length(&self.id) {
            return Some(Rejection::KeyMustHaveALength);
        }
        if self.dimensions.len() > DIMENSIONS_MAX
            || self.dimensions.iter().any(|(k, v)| !has_length(k) || v.chars().count() > TEXT_CHARS_MAX)
        {
            return Some(Rejection::DimensionsMustBeFew);
        }
        if !is_plain(&self.source)
            || !is_plain(&self.id)
            || self.dimensions.iter().any(|(k, v)| !is_plain(k) || !is_plain(v))
        {
            return Some(Rejection::TextMustBePlain);
        }
        // numeric(20,6) holds 10^14; an hour's sum of the largest batch must still fit.
        if self.quantity.abs() >= Decimal::from(100_000_000_000i64) {
            return Some(Rejection::QuantityMustFit);
        }
        None
    }

    /// SHA-256 of everything but the key, each part with its length before it. 1.5 and 1.50 are one quantity; the time counts,
    /// to the microsecond that is stored.
    pub(crate) fn payload_hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hasher.update((bytes.len() as u32).to_be_bytes());
            hasher.update(bytes);
        };
        part(self.meter.as_bytes());
        part(self.customer_id.uuid().as_bytes());
        match self.subscription_id {
            Some(id) => part(id.uuid().as_bytes()),
            None => part(&[]),
        }
        let quantity = self.quantity.normalize();
        part(&quantity.mantissa().to_be_bytes());
        part(&quantity.scale().to_be_bytes());
        part(&self.occurred_at.timestamp_micros().to_be_bytes());
        for (name, value) in &self.dimensions {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> UsageEvent {
        UsageEvent {
            source: "switch".into(),
            id: "1".into(),
            meter: "minutes".into(),
            customer_id: CustomerId::from_uuid(uuid::Uuid::from_u128(1)),
            subscription_id: None,
            quantity: "1.5".parse().unwrap(),
            dimensions: BTreeMap::from([("topic".into(), "law".into())]),
            occurred_at: "2026-03-02T08:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_payload_is_the_same_however_it_is_spelled_and_another_when_anything_differs() {
        let hash = event().payload_hash();
        assert_eq!(UsageEvent { quantity: "1.500".parse().unwrap(), ..event() }.payload_hash(), hash);
        assert_eq!(
            UsageEvent { occurred_at: "2026-03-02T09:00:00+01:00".parse().unwrap(), ..event() }.payload_hash(),
            hash
        );
        assert_eq!(UsageEvent { id: "2".into(), source: "other".into(), ..event() }.payload_hash(), hash); // the key is no payload
        for other in [
            UsageEvent { quantity: "1.6".parse().unwrap(), ..event() },
            UsageEvent { quantity: "15".parse().unwrap(), ..event() },
            UsageEvent { occurred_at: "2026-03-02T08:00:00.000001Z".parse().unwrap(), ..event() },
            UsageEvent { meter: "calls".into(), ..event() },
            UsageEvent { customer_id: CustomerId::from_uuid(uuid::Uuid::from_u128(2)), ..event() },
            UsageEvent { subscription_id: Some(SubscriptionId::from_uuid(uuid::Uuid::from_u128(1))), ..event() },
            UsageEvent { dimensions: BTreeMap::from([("topi".into(), "claw".into())]), ..event() },
            UsageEvent { dimensions: BTreeMap::new(), ..event() },
        ] {
            assert_ne!(other.payload_hash(), hash, "{other:?}");
        }
    }

    #[test]
    fn what_is_no_event_is_rejected() {
        for (bad, why) in [
            (UsageEvent { id: String::new(), ..event() }, Rejection::KeyMustHaveALength),
            (UsageEvent { source: "x".repeat(201), ..event() }, Rejection::KeyMustHaveALength),
            (UsageEvent { id: "a\nb".into(), ..event() }, Rejection::TextMustBePlain),
            (UsageEvent { id: "a\0b".into(), ..event() }, Rejection::TextMustBePlain),
            (UsageEvent { quantity: "100000000000".parse().unwrap(), ..event() }, Rejection::QuantityMustFit),
            (
                UsageEvent { dimensions: (0..21).map(|n| (n.to_string(), String::new())).collect(), ..event() },
                Rejection::DimensionsMustBeFew,
            ),
        ] {
            assert_eq!(bad.rejection(), Some(why), "{bad:?}");
        }
        assert_eq!(event().rejection(), None);
    }
}
