//! Longest prefix: which entry of a rate deck holds for a number.
//!
//! A prefix is a range of numbers, so a deck is a sorted list of the places where another entry begins to hold; an index of the
//! first digits leaves a handful of them to search. A lookup touches three or four cache lines and allocates nothing.

use crate::PricingError;

/// E.164 numbers have at most 15 digits; prefixes too.
const DIGITS_MAX: usize = 15;

/// No entry.
const NONE: u32 = u32::MAX;

/// An edge has 26 bits for its holder.
const ENTRIES_MAX: usize = 1 << 26;

/// Prefixes of digits and what each stands for.
#[derive(Debug, Clone)]
pub struct Deck<T> {
    /// Where another entry begins to hold, rising; packed by [`Layout`], eight bytes each.
    edges: Vec<u64>,
    /// By the first digits of a number: how many edges lie below the first number with these digits.
    index: Vec<u32>,
    layout: Layout,
    entries: Vec<Entry>,
    values: Vec<T>,
}

/// How an edge is packed: its place within its step of the index, the holder's length, the holder. What is compared comes first.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// What one step of the index spans, in numbers of 15 digits.
    stride: u64,
    holder_bits: u32,
}

/// Bits of a prefix length.
const LENGTH_BITS: u32 = 4;

/// From this number on (padded with zeros to 15 digits) this entry holds.
#[derive(Debug, Clone, Copy)]
struct Edge {
    start: u64,
    holder: u32,
    length: u8,
}

impl Layout {
    /// As many steps as there are edges, at most 100,000: then place, length and holder always fit into 64 bits.
    fn of(edges: usize, entries: usize) -> Layout {
        let digits = (0..5u8).find(|digits| 10usize.pow(u32::from(*digits)) >= edges).unwrap_or(5);
        Layout { stride: span(digits), holder_bits: usize::BITS - entries.leading_zeros() }
    }

    fn pack(self, edge: &Edge) -> u64 {
        // "No entry" is the number after the last entry, which is all ones or less.
        let holder = u64::from(edge.holder) & ((1 << self.holder_bits) - 1);
        ((edge.start % self.stride) << LENGTH_BITS | u64::from(edge.length)) << self.holder_bits | holder
    }

    fn place(self, packed: u64) -> u64 {
        packed >> self.holder_bits >> LENGTH_BITS
    }

    fn length(self, packed: u64) -> u8 {
        (packed >> self.holder_bits & ((1 << LENGTH_BITS) - 1)) as u8
    }

    fn holder(self, packed: u64) -> u32 {
        (packed & ((1 << self.holder_bits) - 1)) as u32
    }
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
        if ranges.len() >= ENTRIES_MAX {
            return Err(PricingError::TooLarge);
        }
        Ok(Deck::from_ranges(ranges))
    }

    /// The entry of the longest prefix of a number, and the length of that prefix. A leading `+` is not part of the number, and
    /// what follows the first character that is not a digit is not looked at.
    pub fn longest(&self, number: &str) -> Option<(usize, &T)> {
        let (key, length) = key(number.strip_prefix('+').unwrap_or(number));
        let (step, place) = ((key / self.layout.stride) as usize, key % self.layout.stride);
        let (from, to) = (self.index[step] as usize, self.index[step + 1] as usize);
        let edges = &self.edges[from..to];
        let reached = |edge: &&u64| self.layout.place(**edge) <= place;
        // A handful is gone through faster than halved; a deck of one country may have many in one step.
        let within = match edges.len() {
            0..=8 => edges.iter().take_while(reached).count(),
            _ => edges.partition_point(|edge| reached(&edge)),
        };
        let after = from + within;
        let edge = *self.edges.get(after.checked_sub(1)?)?;
        let (mut holder, mut held) = (self.layout.holder(edge), self.layout.length(edge));
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

    /// Bytes of its tables; what the values themselves point to is not counted.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.edges.as_slice())
            + size_of_val(self.index.as_slice())
            + size_of_val(self.entries.as_slice())
            + size_of_val(self.values.as_slice())
    }

    fn from_ranges(mut ranges: Vec<Range<T>>) -> Deck<T> {
        // Reversed first, so that of equal prefixes the later one survives the stable sort and the removal of repeats.
        ranges.reverse();
        ranges.sort_by_key(|range| (range.start, range.length));
        ranges.dedup_by_key(|range| (range.start, range.length));
        let mut sweep = Sweep::default();
        let mut values = Vec::with_capacity(ranges.len());
        for range in ranges {
            sweep.open(range.start, range.length);
            values.push(range.value);
        }
        sweep.close(u64::MAX);
        // Where the last prefix ends no number begins.
        sweep.edges.retain(|edge| edge.start < span(0));
        let layout = Layout::of(sweep.edges.len(), sweep.entries.len());
        let below = |step: u64| sweep.edges.partition_point(|edge| edge.start < step * layout.stride) as u32;
        let index = (0..=span(0) / layout.stride).map(below).collect();
        let edges = sweep.edges.iter().map(|edge| layout.pack(edge)).collect();
        Deck { edges, index, layout, entries: sweep.entries, values }
    }
}

/// Goes over the ranges in their order and notes where another one begins to hold.
#[derive(Default)]
struct Sweep {
    edges: Vec<Edge>,
    entries: Vec<Entry>,
    /// The prefixes around the place where we are, each with its end.
    around: Vec<(u32, u64)>,
}

impl Sweep {
    fn open(&mut self, start: u64, length: u8) {
        self.close(start);
        let entry = self.entries.len() as u32;
        let parent = self.around.last().map_or(NONE, |(parent, _)| *parent);
        self.entries.push(Entry { length, parent });
        self.begin(start, entry);
        self.around.push((entry, start + span(length)));
    }

    /// Ends the prefixes that do not reach `until`; the ones around them hold again.
    fn close(&mut self, until: u64) {
        while let Some((_, end)) = self.around.pop_if(|(_, end)| *end <= until) {
            self.begin(end, self.around.last().map_or(NONE, |(outer, _)| *outer));
        }
    }

    fn begin(&mut self, start: u64, holder: u32) {
        if self.edges.last().is_some_and(|edge| edge.start == start) {
            self.edges.pop();
        }
        let length = self.entries.get(holder as usize).map_or(0, |entry| entry.length);
        self.edges.push(Edge { start, holder, length });
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

    #[test]
    fn many_prefixes_of_one_country_are_found_too() {
        let entries: Vec<(String, u32)> = (0..20_000).map(|area| (format!("4915{area:05}"), area)).collect();
        let deck = Deck::new(entries).unwrap();
        for area in [0, 1, 9_999, 19_999] {
            assert_eq!(deck.longest(&format!("4915{area:05}77")), Some((9, &area)));
        }
        assert_eq!(deck.lookup("4915200007"), None);
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
