//! Fields that stand twice. A value that was read has only the last of them, so that it is the text that is asked.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

use crate::json::child;
use crate::{DocumentError, PricingError};

/// Refuses JSON in which an object names a field twice, at any depth, with the pointer of that field. Text that is not JSON is
/// left to its reader.
pub fn must_name_each_field_once(json: &[u8]) -> Result<(), DocumentError> {
    let mut twice = None;
    // What stops it is told by the reader, or is the field itself.
    let _ = Below { pointer: String::new(), twice: &mut twice }
        .deserialize(&mut serde_json::Deserializer::from_slice(json));
    match twice {
        Some(pointer) => Err(PricingError::MustNotRepeat.at(pointer)),
        None => Ok(()),
    }
}

/// A value, its place, and where the first repeated field goes.
struct Below<'a> {
    pointer: String,
    twice: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Below<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0usize;
        while let Some(()) =
            items.next_element_seed(Below { pointer: format!("{}/{index}", self.pointer), twice: &mut *self.twice })?
        {
            index += 1;
        }
        Ok(())
    }

    // A number comes as a map of one field, too: it is taken by its text.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut known = HashSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            let pointer = child(&self.pointer, &name);
            if !known.insert(name) {
                *self.twice = Some(pointer);
                fields.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom("a field stands twice"));
            }
            fields.next_value_seed(Below { pointer, twice: &mut *self.twice })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_stands_twice_is_found_at_any_depth() {
        for (json, pointer) in [
            (r#"{"unit":"1","unit":"2"}"#, "/unit"),
            (r#"{"a":[{"b":1},{"b":1,"c":{"d/e":1.5,"d/e":2}}]}"#, "/a/1/c/d~1e"),
            // The name counts, not how it is spelt.
            (r#"{"unit":"1","\u0075nit":"2"}"#, "/unit"),
        ] {
            let refused = must_name_each_field_once(json.as_bytes()).unwrap_err();
            assert_eq!((refused.rule.code(), &*refused.pointer), ("must_not_repeat", pointer), "{json}");
        }
        for json in [r#"{"a":{"b":1},"b":[{"b":-2.5e3},{"b":true,"c":null}]}"#, "[1, 1]", "{", ""] {
            assert_eq!(must_name_each_field_once(json.as_bytes()), Ok(()), "{json}");
        }
    }
}
