//! What a version changes against the one in force, and where it would lose money against what carriers ask. Pure.

use crate::deck::DeckRow;
use crate::deck_table::DeckTable;
use rust_decimal::Decimal;
use std::cmp::Reverse;

/// How a prefix differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeckChangeKind {
    /// Was not there.
    New,
    /// Will not be there.
    Gone,
    Up,
    Down,
    /// The same rate, with another connection fee, increment, step or band.
    Terms,
    /// Within a shorter prefix that says the same: it could be left out.
    Redundant,
}

impl DeckChangeKind {
    /// All of them, in the order of a page.
    pub const ALL: [Self; 6] = [Self::New, Self::Gone, Self::Up, Self::Down, Self::Terms, Self::Redundant];

    /// As the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Gone => "gone",
            Self::Up => "up",
            Self::Down => "down",
            Self::Terms => "terms",
            Self::Redundant => "redundant",
        }
    }

    /// The kind that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One prefix that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeckChange {
    pub kind: DeckChangeKind,
    pub prefix: String,
    pub destination: String,
    /// Per minute before. For a new prefix: of the shorter one that held for it until now.
    pub before: Option<Decimal>,
    /// Per minute from then on. For one that is gone: of the shorter one that will hold for it.
    pub after: Option<Decimal>,
    /// After against before, two decimals; `None` where there is nothing, or zero, to compare with.
    pub percent: Option<Decimal>,
}

/// Everything that a version changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeckDiff {
    /// By kind; within up and down the largest first, else by prefix.
    pub changes: Vec<DeckChange>,
    pub unchanged: u64,
    /// Prefixes that lie within a shorter one of the same version.
    pub overlapping: u64,
}

impl DeckDiff {
    /// How many changes of a kind there are.
    pub fn count(&self, kind: DeckChangeKind) -> usize {
        self.of(kind).count()
    }

    /// Those of a kind.
    pub fn of(&self, kind: DeckChangeKind) -> impl Iterator<Item = &DeckChange> {
        self.changes.iter().filter(move |change| change.kind == kind)
    }
}

/// Compares a version with the one before; `None`: it is the first.
pub fn deck_diff(before: Option<&DeckTable>, after: &DeckTable) -> DeckDiff {
    let mut diff = DeckDiff::default();
    for row in after.rows() {
        if let Some(around) = after.around(&row.prefix) {
            diff.overlapping += 1;
            if around.rate == row.rate && around.tariff == row.tariff {
                diff.changes.push(change(DeckChangeKind::Redundant, row, Some(around.rate), Some(row.rate)));
            }
        }
        let Some(old) = before.and_then(|before| before.exact(&row.prefix)) else {
            let until_now = before.and_then(|before| before.rate(&row.prefix));
            diff.changes.push(change(DeckChangeKind::New, row, until_now, Some(row.rate)));
            continue;
        };
        let kind = match row.rate.cmp(&old.rate) {
            std::cmp::Ordering::Greater => DeckChangeKind::Up,
            std::cmp::Ordering::Less => DeckChangeKind::Down,
            std::cmp::Ordering::Equal if row.tariff != old.tariff => DeckChangeKind::Terms,
            std::cmp::Ordering::Equal => {
                diff.unchanged += 1;
                continue;
            }
        };
        diff.changes.push(change(kind, row, Some(old.rate), Some(row.rate)));
    }
    for old in before.map(DeckTable::rows).unwrap_or_default() {
        if after.exact(&old.prefix).is_none() {
            diff.changes.push(change(DeckChangeKind::Gone, old, Some(old.rate), after.rate(&old.prefix)));
        }
    }
    let size = |change: &DeckChange| Reverse(change.percent.map(|percent| percent.abs()).unwrap_or_default());
    diff.changes.sort_by(|a, b| match (a.kind, b.kind) {
        (DeckChangeKind::Up, DeckChangeKind::Up) | (DeckChangeKind::Down, DeckChangeKind::Down) => {
            size(a).cmp(&size(b)).then_with(|| a.prefix.cmp(&b.prefix))
        }
        _ => a.kind.cmp(&b.kind).then_with(|| a.prefix.cmp(&b.prefix)),
    });
    diff
}

fn change(kind: DeckChangeKind, row: &DeckRow, before: Option<Decimal>, after: Option<Decimal>) -> DeckChange {
    let percent = before.zip(after).filter(|(before, _)| !before.is_zero()).and_then(|(before, after)| {
        let percent = (after - before).checked_mul(Decimal::ONE_HUNDRED)?.checked_div(before)?;
        Some(percent.round_dp(2).normalize())
    });
    DeckChange {
        kind,
        prefix: row.prefix.to_string(),
        destination: row.destination.to_string(),
        before,
        after,
        percent,
    }
}

/// A prefix whose calls would lose money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeckLoss {
    /// The longer of the two decks' prefixes: there the loss begins.
    pub prefix: String,
    pub destination: String,
    /// Per minute, and what the carrier asks.
    pub sell: Decimal,
    pub cost: Decimal,
}

/// What a sell deck would lose on against a cost deck, the largest loss first; and how many of its prefixes the carrier does
/// not know. A cost prefix within a sell prefix loses by itself: the carrier asks more for the mobiles of a country.
/// `net` takes the tax out of what is sold.
pub fn deck_losses(sell: &DeckTable, cost: &DeckTable, net: impl Fn(Decimal) -> Decimal) -> (Vec<DeckLoss>, u64) {
    let mut losses = Vec::new();
    let mut unknown = 0;
    let prefixes = sell.rows().iter().map(|row| &row.prefix);
    let finer = cost.rows().iter().map(|row| &row.prefix).filter(|prefix| sell.exact(prefix).is_none());
    for prefix in prefixes.chain(finer) {
        let Some(sold) = sell.longest(prefix) else { continue };
        let Some(bought) = cost.longest(prefix) else {
            // Its calls go by the finer ones, which are looked at by themselves.
            unknown += u64::from(!cost.has_within(prefix));
            continue;
        };
        let lost = bought.rate - net(sold.rate);
        if lost > Decimal::ZERO {
            let destination = if bought.destination.is_empty() { &sold.destination } else { &bought.destination };
            let (prefix, destination) = (prefix.to_string(), destination.to_string());
            losses.push((lost, DeckLoss { prefix, destination, sell: sold.rate, cost: bought.rate }));
        }
    }
    losses.sort_by(|(a_lost, a), (b_lost, b)| b_lost.cmp(a_lost).then_with(|| a.prefix.cmp(&b.prefix)));
    (losses.into_iter().map(|(_, loss)| loss).collect(), unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str)]) -> DeckTable {
        let csv: Vec<String> = rows.iter().map(|(prefix, rate)| format!("{prefix},{rate},to {prefix}")).collect();
        DeckTable::new(1, crate::deck_file::read_deck(&csv.join("\n")).unwrap().rows).unwrap()
    }

    fn said(diff: &DeckDiff) -> Vec<(&'static str, &str, String)> {
        let percent = |change: &DeckChange| change.percent.map_or("-".to_owned(), |percent| percent.to_string());
        diff.changes.iter().map(|change| (change.kind.as_str(), change.prefix.as_str(), percent(change))).collect()
    }

    #[test]
    fn a_diff_names_new_gone_up_down_and_what_could_be_left_out() {
        let before = table(&[("49", "0.02"), ("4915", "0.10"), ("44", "0.03"), ("33", "0.04"), ("1", "0.01")]);
        let after = table(&[
            ("49", "0.02"),
            ("4930", "0.02"),
            ("4916", "0.12"),
            ("44", "0.06"),
            ("33", "0.03"),
            ("1", "0.011"),
        ]);
        let diff = deck_diff(Some(&before), &after);
        assert_eq!(
            said(&diff),
            [
                ("new", "4916", "500".to_owned()),     // 0.12 where 49 was 0.02
                ("new", "4930", "0".to_owned()),       // as 49
                ("gone", "4915", "-80".to_owned()),    // 0.10, and 49 will hold: 0.02
                ("up", "44", "100".to_owned()),        // 0.03 to 0.06
                ("up", "1", "10".to_owned()),          // 0.010 to 0.011
                ("down", "33", "-25".to_owned()),      // 0.04 to 0.03
                ("redundant", "4930", "0".to_owned()), // 49 says the same
            ]
        );
        assert_eq!((diff.unchanged, diff.overlapping), (1, 2));
        assert_eq!(deck_diff(None, &before).count(DeckChangeKind::New), 5);
    }

    #[test]
    fn a_loss_begins_at_the_longer_prefix_of_the_two() {
        let sell = table(&[("49", "0.119"), ("44", "0.05"), ("7", "0.50")]);
        let cost = table(&[("49", "0.02"), ("4915", "0.101"), ("44", "0.06"), ("4420", "0.01")]);
        // 19% in the price: 0.119 is 0.10 net, 0.05 is 0.042
        let net = |gross: Decimal| gross / Decimal::new(119, 2);
        let (losses, unknown) = deck_losses(&sell, &cost, net);
        let lost: Vec<_> = losses.iter().map(|loss| loss.prefix.as_str()).collect();
        assert_eq!(lost, ["44", "4915"]);
        assert_eq!(unknown, 1, "no price for 7");
        assert_eq!(deck_losses(&sell, &cost, |gross| gross).0.len(), 1, "without tax only 44 loses");
        // The carrier knows all of Germany, in parts: what it asks for mobiles loses 0.002, and Austria, though it costs less than
        // it is sold for before tax is taken out, 0.01.
        let sell = table(&[("49", "0.119"), ("43", "0.238"), ("33", "0.05")]);
        let cost = table(&[("491", "0.102"), ("492", "0.01"), ("43", "0.21"), ("3", "0.01")]);
        let (losses, unknown) = deck_losses(&sell, &cost, net);
        let lost: Vec<_> = losses.iter().map(|loss| loss.prefix.as_str()).collect();
        assert_eq!((lost, unknown), (vec!["43", "491"], 0)); // 0.21 - 0.20, 0.102 - 0.10
    }
}
