//! Reads a JSON object field by field and keeps every refusal, so that an editor can show all of them at once.

use crate::error::{Refusal, Rule};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::fmt::Display;

/// One object of a document.
pub(super) struct Reader<'a> {
    object: &'a Map<String, Value>,
    place: String,
    known: Vec<&'static str>,
    pub refusals: Vec<Refusal>,
}

impl<'a> Reader<'a> {
    /// `place` names the object in refusals; empty for the whole document.
    pub(super) fn new(value: &'a Value, place: &str) -> Result<Reader<'a>, Refusal> {
        match value.as_object() {
            Some(object) => Ok(Reader { object, place: place.to_owned(), known: Vec::new(), refusals: Vec::new() }),
            None => Err(refusal(place, Rule::MustBeWritten("an object"), value)),
        }
    }

    pub(super) fn field(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}/{name}", self.place) }
    }

    pub(super) fn refuse(&mut self, name: &str, rule: Rule, value: impl Display) {
        let field = self.field(name);
        self.refusals.push(Refusal { field, rule, value: value.to_string() });
    }

    /// The value of a field; a null is none.
    pub(super) fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A field read by a function; what it refuses is kept, and stands as if it were not there.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        wanted: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let found = read(value);
        if found.is_none() {
            self.refuse(name, Rule::MustBeWritten(wanted), shown(value));
        }
        found
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.read(name, "text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn count(&mut self, name: &'static str) -> Option<u32> {
        let whole = |value: &Value| match value {
            Value::Number(number) => number.to_string().parse().ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        self.read(name, "a whole number, zero or above", whole)
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(super) fn decimal(&mut self, name: &'static str) -> Option<Decimal> {
        self.read(name, "a decimal number", decimal)
    }

    /// What is required and neither there nor refused already.
    pub(super) fn required<T>(&mut self, name: &str, found: Option<T>) -> Option<T> {
        let field = self.field(name);
        if found.is_none() && !self.refusals.iter().any(|refusal| refusal.field == field) {
            self.refuse(name, Rule::MustBeThere, "");
        }
        found
    }

    /// Refuses fields that nothing has read.
    pub(super) fn finish(mut self) -> Vec<Refusal> {
        let unknown: Vec<&String> = self.object.keys().filter(|key| !self.known.contains(&key.as_str())).collect();
        for key in unknown {
            let field = self.field(key);
            self.refusals.push(Refusal { field, rule: Rule::MustBeKnownField, value: key.clone() });
        }
        self.refusals
    }
}

/// A decimal by its text, never through a float.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => money::parse_decimal(text).ok(),
        Value::Number(number) => money::parse_decimal(&number.to_string()).ok(),
        _ => None,
    }
}

pub(super) fn refusal(field: &str, rule: Rule, value: &Value) -> Refusal {
    Refusal { field: field.to_owned(), rule, value: shown(value) }
}

/// A value as a refusal shows it: text without quotes, nothing endless.
pub(super) fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().take(120).collect()
}
