//! Longest prefix: which entry of a rate deck holds for a number.

/// Marks "no entry" and "no child".
const NONE: u32 = u32::MAX;

/// Prefixes of digits and what each stands for, in a compact trie: a lookup follows one link per digit and allocates nothing.
#[derive(Debug, Clone)]
pub struct Deck<T> {
    nodes: Vec<Node>,
    values: Vec<T>,
}

/// Ten children and the entry that ends here.
#[derive(Debug, Clone)]
struct Node {
    children: [u32; 10],
    value: u32,
}

impl Node {
    const EMPTY: Node = Node { children: [NONE; 10], value: NONE };
}

impl<T> Default for Deck<T> {
    fn default() -> Self {
        Deck { nodes: vec![Node::EMPTY], values: Vec::new() }
    }
}

impl<T> Deck<T> {
    /// Adds an entry; a later one of the same prefix replaces the earlier. Returns false, and adds nothing, when the prefix is
    /// empty or has anything but ASCII digits.
    pub fn insert(&mut self, prefix: &str, value: T) -> bool {
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return false;
        }
        let mut at = 0;
        for byte in prefix.bytes() {
            let digit = usize::from(byte - b'0');
            let mut child = self.nodes[at].children[digit];
            if child == NONE {
                child = self.nodes.len() as u32;
                self.nodes[at].children[digit] = child;
                self.nodes.push(Node::EMPTY);
            }
            at = child as usize;
        }
        match self.nodes[at].value {
            NONE => {
                self.nodes[at].value = self.values.len() as u32;
                self.values.push(value);
            }
            existing => self.values[existing as usize] = value,
        }
        true
    }

    /// The entry of the longest prefix of a number, and the length of that prefix. A leading `+` is not part of it.
    pub fn longest(&self, number: &str) -> Option<(usize, &T)> {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let mut found = None;
        let mut at = 0;
        for (index, byte) in digits.bytes().enumerate() {
            let digit = usize::from(byte.wrapping_sub(b'0'));
            let Some(&child) = self.nodes[at].children.get(digit).filter(|child| **child != NONE) else {
                break;
            };
            at = child as usize;
            if self.nodes[at].value != NONE {
                found = Some((index + 1, self.nodes[at].value));
            }
        }
        found.map(|(length, value)| (length, &self.values[value as usize]))
    }

    /// The entry that holds for a number.
    pub fn lookup(&self, number: &str) -> Option<&T> {
        self.longest(number).map(|(_, value)| value)
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Has it no entry?
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl<P: AsRef<str>, T> FromIterator<(P, T)> for Deck<T> {
    /// Entries whose prefix is not made of digits are left out; check them before (they never match a number).
    fn from_iter<I: IntoIterator<Item = (P, T)>>(entries: I) -> Self {
        let mut deck = Deck::default();
        for (prefix, value) in entries {
            deck.insert(prefix.as_ref(), value);
        }
        deck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_and_the_rest_is_ignored() {
        let deck: Deck<&str> = [("49", "Germany"), ("4930", "Berlin"), ("1", "NANP"), ("49", "DE")].into_iter().collect();
        assert_eq!(deck.longest("+493012345"), Some((4, &"Berlin")));
        assert_eq!(deck.longest("4989"), Some((2, &"DE")));
        assert_eq!(deck.lookup("493"), Some(&"DE"));
        assert_eq!(deck.lookup("44"), None);
        assert_eq!(deck.lookup(""), None);
        assert_eq!(deck.lookup("+49x0"), Some(&"DE"));
        assert_eq!(deck.len(), 3);
    }

    #[test]
    fn a_prefix_that_is_not_digits_is_not_taken() {
        let mut deck = Deck::default();
        assert!(!deck.insert("", 1) && !deck.insert("+49", 1) && !deck.insert("4 9", 1));
        assert!(deck.is_empty());
    }
}
