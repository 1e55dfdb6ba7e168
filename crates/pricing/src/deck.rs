//! Longest prefix: which entry of a rate deck holds for a number.
//!
//! A prefix is a range of numbers, so a deck is a sorted list of the places where another entry begins to hold; an index of the
//! first digits leaves a handful of them to search. A lookup touches three or four cache lines and allocates nothing.

use crate::PricingError;

/// E.164 numbers have at most 15 digits; prefixes too.
const DIGITS_MAX: usize = 15;

/// No entry.
const NONE: u32 = u32::MAX;

/// Prefixes of digits and what each stands for.
#[derive(Debug, Clone)]
pub struct Deck<T> {
    /// Where another entry begins to hold, rising.
    edges: Vec<Edge>,
    /// By the first digits of a number: how many edges lie at or below the first number with these digits.
    index: Vec<u32>,
    /// What one step of the index spans.
    stride: u64,
    entries: Vec<Entry>,
    values: Vec<T>,
}

/// From this number on (padded with zeros to 15 digits) this entry holds. Its length stands here too, for one cache line less.
#[derive(Debug, Clone, Copy)]
struct Edge {
    start: u64,
    holder: u32,
    length: u8,
}

/// A prefix: how long it is, and the longest shorter one around it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    length: u8,
    parent: u32,
}

/// A prefix while a deck is built: its first number and how many it spans.
struct Range<T> {
    start: u64,
    length: u8,
    value: T,
}

impl<T> Deck<T> {
    /// A deck of prefixes; of two with the same prefix the later holds. Refuses what is not 1 to 15 digits.
    pub fn new<P: AsRef<str>>(entries: impl IntoIterator<Item = (P, T)>) -> Result<Deck<T>, PricingError> {
        let range = |(prefix, value): (P, T)| {
            let prefix = prefix.as_ref();
            let (start, length) = key(prefix);
            if length == 0 || length != prefix.len() {
                return Err(PricingError::MustBePrefix);
            }
            Ok(Range { start, length: length as u8, value })
        };
        let ranges: Vec<Range<T>> = entries.into_iter().map(range).collect::<Result<_, _>>()?;
        if ranges.len() > (NONE / 4) as usize {
            return Err(PricingError::TooLarge);
        }
        Ok(Deck::from_ranges(ranges))
    }

    /// The entry of the longest prefix of a number, and the length of that prefix. A leading `+` is not part of the number, and
    /// what follows the first character that is not a digit is not looked at.
    pub fn longest(&self, number: &str) -> Option<(usize, &T)> {
        let (key, length) = key(number.strip_prefix('+').unwrap_or(number));
        let bucket = (key / self.stride) as usize;
        let (from, to) = (self.index[bucket] as usize, self.index[bucket + 1] as usize);
        let after = from + self.edges[from..to].partition_point(|edge| edge.start <= key);
        let edge = self.edges.get(after.checked_sub(1)?)?;
        let (mut holder, mut held) = (edge.holder, edge.length);
        // A number that ends early may lie in the range of a prefix that is longer than itself.
        while usize::from(held) > length {
            holder = self.entries[holder as usize].parent;
            held = self.entries.get(holder as usize)?.length;
        }
        Some((usize::from(held), self.values.get(holder as usize)?))
    }

    /// The entry that holds for a number.
    pub fn lookup(&self, number: &str) -> Option<&T> {
        self.longest(number).map(|(_, value)| value)
    }

    /// How many prefixes there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Has it no entry?
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn from_ranges(mut ranges: Vec<Range<T>>) -> Deck<T> {
        // Reversed first, so that of equal prefixes the later one survives the stable sort and the removal of repeats.
        ranges.reverse();
        ranges.sort_by_key(|range| (range.start, range.length));
        ranges.dedup_by_key(|range| (range.start, range.length));
        let mut deck = Deck {
            edges: Vec::with_capacity(ranges.len() * 2),
            index: Vec::new(),
            stride: span(0),
            entries: Vec::with_capacity(ranges.len()),
            values: Vec::with_capacity(ranges.len()),
        };
        // The prefixes around the place where we are, each with its end.
        let mut around: Vec<(u32, u64)> = Vec::new();
        for range in ranges {
            deck.close(&mut around, range.start);
            let entry = deck.entries.len() as u32;
            let parent = around.last().map_or(NONE, |(parent, _)| *parent);
            deck.entries.push(Entry { length: range.length, parent });
            deck.values.push(range.value);
            deck.begin(range.start, entry);
            around.push((entry, range.start + span(range.length)));
        }
        deck.close(&mut around, u64::MAX);
        deck.build_index();
        deck
    }

    /// Ends the prefixes that do not reach `until`; the ones around them hold again.
    fn close(&mut self, around: &mut Vec<(u32, u64)>, until: u64) {
        while let Some((_, end)) = around.pop_if(|(_, end)| *end <= until) {
            self.begin(end, around.last().map_or(NONE, |(outer, _)| *outer));
        }
    }

    fn begin(&mut self, start: u64, holder: u32) {
        if self.edges.last().is_some_and(|edge| edge.start == start) {
            self.edges.pop();
        }
        let length = self.entries.get(holder as usize).map_or(0, |entry| entry.length);
        self.edges.push(Edge { start, holder, length });
    }

    /// As many steps as there are edges, at most 100,000.
    fn build_index(&mut self) {
        let digits = (0..5u8).find(|digits| 10usize.pow(u32::from(*digits)) >= self.edges.len()).unwrap_or(5);
        self.stride = span(digits);
        let steps = 10u64.pow(u32::from(digits));
        let below = |step: u64| self.edges.partition_point(|edge| edge.start <= step * self.stride) as u32;
        self.index = (0..steps).map(below).chain([self.edges.len() as u32]).collect();
    }
}

/// The first digits of a text as a number of 15 digits, and how many there are.
fn key(text: &str) -> (u64, usize) {
    let mut key = 0;
    let mut length = 0;
    for byte in text.bytes().take(DIGITS_MAX).take_while(u8::is_ascii_digit) {
        key = key * 10 + u64::from(byte - b'0');
        length += 1;
    }
    (key * 10u64.pow((DIGITS_MAX - length) as u32), length)
}

/// How many numbers of 15 digits begin with a prefix of this length.
fn span(length: u8) -> u64 {
    10u64.pow(DIGITS_MAX as u32 - u32::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_prefix_wins_and_the_rest_is_ignored() {
        let entries = [("49", "Germany"), ("4930", "Berlin"), ("1", "NANP"), ("49", "DE"), ("999", "last")];
        let deck = Deck::new(entries).unwrap();
        assert_eq!(deck.longest("+493012345"), Some((4, &"Berlin")));
        assert_eq!(deck.longest("4989"), Some((2, &"DE")));
        assert_eq!(deck.lookup("493"), Some(&"DE"));
        assert_eq!(deck.lookup("4"), None);
        assert_eq!(deck.lookup("44"), None);
        assert_eq!(deck.lookup(""), None);
        assert_eq!(deck.lookup("+49x0"), Some(&"DE"));
        assert_eq!(deck.lookup("999999999999999999"), Some(&"last"));
        assert_eq!(deck.len(), 4);
        assert_eq!(Deck::<u8>::new(Vec::<(&str, u8)>::new()).unwrap().lookup("49"), None);
    }

    #[test]
    fn a_prefix_that_is_not_digits_is_refused() {
        for prefix in ["", "+49", "4 9", "49a", "1234567890123456"] {
            assert_eq!(Deck::new([(prefix, 1)]).err(), Some(PricingError::MustBePrefix), "{prefix}");
        }
    }

    proptest! {
        #[test]
        fn a_lookup_gives_what_trying_every_prefix_gives(
            prefixes in prop::collection::vec("[0-2]{1,6}", 0..60),
            numbers in prop::collection::vec("[0-2]{0,8}", 1..60),
        ) {
            let entries: Vec<(String, usize)> = prefixes.into_iter().enumerate().map(|(index, prefix)| (prefix, index)).collect();
            let deck = Deck::new(entries.clone()).unwrap();
            for number in numbers {
                let tried = (1..=number.len()).rev().find_map(|length| {
                    entries.iter().rev().find(|(prefix, _)| *prefix == number[..length]).map(|(_, index)| (length, index))
                });
                prop_assert_eq!(deck.longest(&number), tried, "{}", number);
            }
        }
    }
}
