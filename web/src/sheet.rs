//! What a form holds while it is being filled in: texts in a tree, named by their place in it. The field
//! `components/0/price/tiers/1/unit` is the text at the JSON pointer `/components/0/price/tiers/1/unit`, so that a refusal
//! which points into a document finds its field again. Nothing here is checked: a form comes back as it was sent.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Names deeper than this belong to no form of ours and are left out.
const DEPTH_MAX: usize = 16;

/// The tree. Lists are lists, everything else has names; each leaf is a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet(Value);

impl Sheet {
    /// From a form's fields, in any order. Numbers in names order a list and need not be without gaps.
    pub fn of_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Sheet {
        let mut root = Node::Branch(BTreeMap::new());
        for (name, text) in fields {
            let parts: Vec<&str> = name.split('/').collect();
            if parts.len() <= DEPTH_MAX && !parts.contains(&"") {
                root.put(&parts, text);
            }
        }
        Sheet(root.into_value())
    }

    /// From a tree whose leaves are texts.
    pub fn of_value(value: Value) -> Sheet {
        Sheet(value)
    }

    fn at(&self, place: &str) -> Option<&Value> {
        if place.is_empty() { Some(&self.0) } else { self.0.pointer(&format!("/{place}")) }
    }

    /// The text at a place, trimmed; empty where there is none.
    pub fn text(&self, place: &str) -> &str {
        self.at(place).and_then(Value::as_str).unwrap_or_default().trim()
    }

    /// A box that is ticked.
    pub fn is_ticked(&self, place: &str) -> bool {
        !self.text(place).is_empty()
    }

    /// How many entries a list has.
    pub fn count(&self, place: &str) -> usize {
        self.at(place).and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// The places of a list's entries.
    pub fn entries(&self, place: &str) -> impl Iterator<Item = String> + use<> {
        let place = place.to_owned();
        (0..self.count(&place)).map(move |index| format!("{place}/{index}"))
    }

    /// Writes a text; what is missing on the way is made.
    pub fn set(&mut self, place: &str, text: impl Into<String>) {
        let mut node = &mut self.0;
        for part in place.split('/') {
            if !node.is_object() && !node.is_array() {
                *node = Value::Object(Map::new());
            }
            node = match node {
                Value::Array(list) => match part.parse::<usize>().ok().and_then(|index| list.get_mut(index)) {
                    Some(entry) => entry,
                    None => return,
                },
                Value::Object(map) => map.entry(part.to_owned()).or_insert(Value::Null),
                _ => return,
            };
        }
        *node = Value::String(text.into());
    }

    /// Adds an entry to a list, at its end or before the place of another.
    pub fn insert(&mut self, list: &str, index: Option<usize>, entry: Value) {
        if self.count(list) == 0 {
            self.set(list, "");
            if let Some(found) = self.0.pointer_mut(&format!("/{list}")) {
                *found = Value::Array(Vec::new());
            }
        }
        if let Some(Value::Array(entries)) = self.0.pointer_mut(&format!("/{list}")) {
            entries.insert(index.unwrap_or(entries.len()).min(entries.len()), entry);
        }
    }

    /// Takes an entry out of a list.
    pub fn remove(&mut self, list: &str, index: usize) {
        if let Some(Value::Array(entries)) = self.0.pointer_mut(&format!("/{list}"))
            && index < entries.len()
        {
            entries.remove(index);
        }
    }

    /// Moves an entry of a list one place up.
    pub fn lift(&mut self, list: &str, index: usize) {
        if let Some(Value::Array(entries)) = self.0.pointer_mut(&format!("/{list}"))
            && index > 0
            && index < entries.len()
        {
            entries.swap(index - 1, index);
        }
    }

    /// Puts a whole part in place of what is there.
    pub fn replace(&mut self, place: &str, part: Value) {
        self.set(place, "");
        if let Some(found) = self.0.pointer_mut(&format!("/{place}")) {
            *found = part;
        }
    }

    /// Every text with the name of its field, in order: what a hidden copy of the form carries.
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        collect(&self.0, String::new(), &mut fields);
        fields
    }

    pub fn value(&self) -> &Value {
        &self.0
    }
}

fn collect(value: &Value, place: String, fields: &mut Vec<(String, String)>) {
    let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") };
    match value {
        Value::String(text) => fields.push((place, text.clone())),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, entry)| collect(entry, below(&index.to_string()), fields))
        }
        Value::Object(map) => map.iter().for_each(|(name, entry)| collect(entry, below(name), fields)),
        _ => {}
    }
}

enum Node {
    Leaf(String),
    Branch(BTreeMap<String, Node>),
}

impl Node {
    fn put(&mut self, parts: &[&str], text: &str) {
        let Node::Branch(map) = self else { return };
        match parts {
            [] => {}
            [last] => {
                map.entry((*last).to_owned()).or_insert_with(|| Node::Leaf(text.to_owned()));
            }
            [first, rest @ ..] => {
                map.entry((*first).to_owned()).or_insert_with(|| Node::Branch(BTreeMap::new())).put(rest, text)
            }
        }
    }

    fn into_value(self) -> Value {
        let map = match self {
            Node::Leaf(text) => return Value::String(text),
            Node::Branch(map) => map,
        };
        let is_list = !map.is_empty() && map.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_list {
            return Value::Object(map.into_iter().map(|(name, node)| (name, node.into_value())).collect());
        }
        let mut entries: Vec<(u64, Node)> =
            map.into_iter().map(|(key, node)| (key.parse().unwrap_or(u64::MAX), node)).collect();
        entries.sort_by_key(|(index, _)| *index);
        Value::Array(entries.into_iter().map(|(_, node)| node.into_value()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_become_a_tree_and_the_tree_becomes_the_same_fields() {
        let fields = [
            ("term_months", "12"),
            ("components/0/name", "Calls"),
            ("components/0/price/tiers/0/up_to", "500"),
            ("components/0/price/tiers/1/up_to", ""),
            ("components/1/name", "Seats"),
        ];
        let sheet = Sheet::of_fields(fields);
        assert_eq!(sheet.text("components/0/price/tiers/0/up_to"), "500");
        assert_eq!(
            (sheet.count("components"), sheet.count("components/0/price/tiers"), sheet.count("nothing")),
            (2, 2, 0)
        );
        let mut back: Vec<_> = sheet.fields();
        back.sort();
        let mut sent: Vec<_> = fields.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
        sent.sort();
        assert_eq!(back, sent);
    }

    #[test]
    fn a_list_is_ordered_by_number_and_its_gaps_close() {
        let sheet = Sheet::of_fields([("a/10/x", "ten"), ("a/9/x", "nine"), ("a/999999999/x", "last")]);
        assert_eq!(
            sheet.entries("a").map(|at| sheet.text(&format!("{at}/x")).to_owned()).collect::<Vec<_>>(),
            ["nine", "ten", "last"]
        );
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_does_no_harm() {
        let deep = ["x"; 40].join("/");
        let sheet = Sheet::of_fields([(deep.as_str(), "1"), ("a//b", "1"), ("a", "text"), ("a/b", "under a text")]);
        assert_eq!(sheet.fields(), [("a".to_owned(), "text".to_owned())]);
    }

    #[test]
    fn entries_are_added_moved_and_taken_out() {
        let mut sheet = Sheet::default();
        for name in ["first", "second", "third"] {
            sheet.insert("components", None, json!({ "name": name }));
        }
        sheet.lift("components", 2);
        sheet.remove("components", 0);
        sheet.remove("components", 9);
        sheet.set("components/0/price/model", "volume");
        let names: Vec<_> =
            sheet.entries("components").map(|at| sheet.text(&format!("{at}/name")).to_owned()).collect();
        assert_eq!(names, ["third", "second"]);
        assert_eq!(sheet.text("components/0/price/model"), "volume");
    }
}
