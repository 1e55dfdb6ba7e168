//! The JSON shape of an amount: `{"amount":"16.55","currency":"EUR"}`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeStruct};

use crate::{Currency, Money};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    amount: String,
    currency: Currency,
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Money", 2)?;
        fields.serialize_field("amount", &self.format_plain())?;
        fields.serialize_field("currency", &self.currency())?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Money {
    /// The amount is a string: a JSON number may already have been through a float.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        Money::parse(&wire.amount, wire.currency).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_decimal_string_beside_its_currency() {
        let amount = Money::parse("16.5", Currency::EUR).unwrap();
        let text = serde_json::to_string(&amount).unwrap();
        assert_eq!(text, r#"{"amount":"16.50","currency":"EUR"}"#);
        assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), amount);
        for refused in [
            r#"{"amount":16.5,"currency":"EUR"}"#,
            r#"{"amount":"16.5"}"#,
            r#"{"amount":"1","currency":"EUR","x":1}"#,
            r#"{"amount":"0.0000001","currency":"EUR"}"#,
        ] {
            assert!(serde_json::from_str::<Money>(refused).is_err(), "{refused}");
        }
    }
}
