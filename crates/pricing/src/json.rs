//! Reading a document strictly: every field by its own type, and a refusal that points to the place. That a text names each field
//! once is seen before it becomes a value ([`crate::must_name_each_field_once`]).

use chrono::{DateTime, NaiveDate, Utc};
use money::{Currency, Decimal, parse_decimal};
use serde_json::{Map, Value};

use crate::{DocumentError, PricingError, RoundTo};

/// A value and where it stands.
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) pointer: String,
}

/// The fields of an object; what is not taken before [`Fields::finish`] is unknown.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    pointer: String,
    taken: Vec<&'static str>,
}

type Read<T> = Result<T, DocumentError>;

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Node<'a> {
        Node { value, pointer: String::new() }
    }

    pub(crate) fn refuse(&self, rule: impl Into<PricingError>) -> DocumentError {
        rule.into().at(self.pointer.clone())
    }

    pub(crate) fn object(&self) -> Read<Fields<'a>> {
        let map = self.value.as_object().ok_or_else(|| self.refuse(PricingError::WrongType("an object")))?;
        Ok(Fields { map, pointer: self.pointer.clone(), taken: Vec::new() })
    }

    pub(crate) fn list(&self) -> Read<Vec<Node<'a>>> {
        let list = self.value.as_array().ok_or_else(|| self.refuse(PricingError::WrongType("a list")))?;
        Ok(list
            .iter()
            .enumerate()
            .map(|(index, value)| Node { value, pointer: format!("{}/{index}", self.pointer) })
            .collect())
    }

    /// The members of an object whose keys are values, not fields.
    pub(crate) fn members(&self) -> Read<Vec<(&'a str, Node<'a>)>> {
        let map = self.value.as_object().ok_or_else(|| self.refuse(PricingError::WrongType("an object")))?;
        Ok(map.iter().map(|(key, value)| (key.as_str(), Node { value, pointer: child(&self.pointer, key) })).collect())
    }

    pub(crate) fn text(&self) -> Read<&'a str> {
        self.value.as_str().ok_or_else(|| self.refuse(PricingError::WrongType("a text")))
    }

    pub(crate) fn flag(&self) -> Read<bool> {
        self.value.as_bool().ok_or_else(|| self.refuse(PricingError::WrongType("true or false")))
    }

    /// A number by its decimal text, written as a string or as a JSON number.
    pub(crate) fn decimal(&self) -> Read<Decimal> {
        match self.value {
            Value::String(text) => parse_decimal(text).map_err(|error| self.refuse(error)),
            Value::Number(number) => parse_decimal(number.as_str()).map_err(|error| self.refuse(error)),
            _ => Err(self.refuse(PricingError::WrongType("a decimal number"))),
        }
    }

    /// A rate, quantity or percentage: a number that is not negative.
    pub(crate) fn unsigned(&self) -> Read<Decimal> {
        let number = self.decimal()?;
        if number < Decimal::ZERO {
            return Err(self.refuse(PricingError::MustNotBeNegative));
        }
        Ok(number)
    }

    pub(crate) fn positive(&self) -> Read<Decimal> {
        let number = self.unsigned()?;
        if number.is_zero() {
            return Err(self.refuse(PricingError::MustBeAboveZero));
        }
        Ok(number)
    }

    /// A whole number of seconds, months or events.
    pub(crate) fn count(&self) -> Read<u32> {
        let number = self.unsigned()?.normalize();
        if number.scale() > 0 {
            return Err(self.refuse(PricingError::WrongType("a whole number")));
        }
        u32::try_from(number.mantissa()).map_err(|_| self.refuse(PricingError::TooLarge))
    }

    pub(crate) fn positive_count(&self) -> Read<u32> {
        let count = self.count()?;
        if count == 0 {
            return Err(self.refuse(PricingError::MustBeAboveZero));
        }
        Ok(count)
    }

    pub(crate) fn date(&self) -> Read<NaiveDate> {
        let text = self.text()?;
        parse_date(text).ok_or_else(|| self.refuse(PricingError::MustBeDate))
    }

    pub(crate) fn instant(&self) -> Read<DateTime<Utc>> {
        let text = self.text()?;
        // RFC 3339 writes `T`; the library would also take a space.
        let instant = DateTime::parse_from_rfc3339(text).ok().filter(|_| text.as_bytes().get(10) == Some(&b'T'));
        instant.map(|instant| instant.to_utc()).ok_or_else(|| self.refuse(PricingError::MustBeInstant))
    }

    pub(crate) fn currency(&self) -> Read<Currency> {
        self.text()?.parse().map_err(|error: money::MoneyError| self.refuse(error))
    }

    pub(crate) fn round(&self) -> Read<RoundTo> {
        match self.text()? {
            "micros" => Ok(RoundTo::Micros),
            "minor" => Ok(RoundTo::Minor),
            _ => Err(self.refuse(PricingError::UnknownRounding)),
        }
    }
}

impl<'a> Fields<'a> {
    /// A field that must be there.
    pub(crate) fn required(&mut self, name: &'static str) -> Read<Node<'a>> {
        self.optional(name).ok_or_else(|| PricingError::Missing.at(child(&self.pointer, name)))
    }

    /// A field that may be absent; `null` is a value, and most types refuse it.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.taken.push(name);
        self.map.get(name).map(|value| Node { value, pointer: child(&self.pointer, name) })
    }

    /// A field that may be absent or `null`.
    pub(crate) fn nullable(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.optional(name).filter(|node| !node.value.is_null())
    }

    pub(crate) fn refuse(&self, rule: impl Into<PricingError>) -> DocumentError {
        rule.into().at(self.pointer.clone())
    }

    /// Refuses the first field that nobody took.
    pub(crate) fn finish(self) -> Read<()> {
        match self.map.keys().find(|key| !self.taken.contains(&key.as_str())) {
            Some(unknown) => Err(PricingError::UnknownField.at(child(&self.pointer, unknown))),
            None => Ok(()),
        }
    }
}

/// Reads each value of an optional field, or gives the default.
pub(crate) fn or<'a, T>(node: Option<Node<'a>>, default: T, read: impl FnOnce(&Node<'a>) -> Read<T>) -> Read<T> {
    node.map_or(Ok(default), |node| read(&node))
}

pub(crate) fn child(pointer: &str, name: &str) -> String {
    // RFC 6901: `~` and `/` are escaped.
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// `2026-03-31` and nothing else: four, two and two digits.
fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(index, byte)| if index == 4 || index == 7 { *byte == b'-' } else { byte.is_ascii_digit() });
    if !shaped {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}
