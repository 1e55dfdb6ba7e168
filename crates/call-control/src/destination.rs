//! Classes of destinations that fraud lives on: closed until somebody opens them. A list comes with the program, from the public
//! numbering plan (E.164 and what countries have told the ITU of their premium ranges); each book may change it.

use crate::error::{CallError, Result};
use crate::store::policy as store;
pub use crate::store::policy::customer_destinations;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx};
use money::{Currency, Money};

/// The list that comes with the program: code, name, prefixes.
const SHIPPED: [(&str, &str, &str); 6] = [
    // Inmarsat; Iridium, Globalstar and Thuraya under the global mobile satellite code; networks that are in no country.
    ("satellite", "Satellite phones and international networks", "870 881 882 883 878 888 991"),
    // International premium rate, and what the larger countries charge extra for at their own prefixes.
    (
        "premium",
        "Premium rate",
        "979 1900 1976 449 49900 49137 3389 34803 34806 34807 34905 39899 39892 39144 39166 41900 41901 41906 43900 43901 43930 \
         43931 43939 31900 31906 31909 3290 4870 35315 45900 46900 46939 4790 4782 351760 351761 420900 420906 420909 36900 36909 611900 6119 \
         81990 55900 7809 90900",
    ),
    // North American prefixes in the Caribbean: they look like a call next door.
    (
        "caribbean",
        "Caribbean at North American prefixes",
        "1242 1246 1264 1268 1284 1345 1441 1473 1649 1658 1664 1721 1758 1767 1784 1809 1829 1849 1868 1869 1876",
    ),
    // Small numbering plans whose ranges are let to whoever brings traffic.
    (
        "islands",
        "Small islands known for call fraud",
        "246 247 290 500 508 670 672 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 960 269 239 248 262",
    ),
    (
        "fraud_countries",
        "Countries known for call fraud",
        "220 221 222 223 224 225 226 227 228 229 231 232 233 235 236 237 240 241 242 243 244 245 249 252 253 257 258 261 263 265 53 509 850 \
         963 967 992 993 994 996 998 375 3816 3834 371 3726 216 218",
    ),
    (
        "unassigned",
        "Codes that no country has",
        "210 214 215 217 219 259 28 292 294 295 296 384 699 80 83 89 851 854 857 858 859 999",
    ),
];

/// A class of destinations in a book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationClass {
    pub code: String,
    pub name: String,
    /// Digits that its numbers begin with.
    pub prefixes: Vec<String>,
    /// May be called by everybody; else only by customers for whom it was opened.
    pub is_open: bool,
    /// For one customer in a day, in micros of its currency.
    pub day_micros: Option<i64>,
}

/// The classes of this book: the shipped ones as the book has changed them, then its own, by code.
pub async fn destination_classes(tx: &TenantTx) -> Result<Vec<DestinationClass>> {
    let stored = store::classes(tx).await?;
    let shipped = SHIPPED.iter().filter(|(code, ..)| !stored.iter().any(|known| known.code == *code));
    let mut all: Vec<DestinationClass> = shipped
        .map(|(code, name, prefixes)| DestinationClass {
            code: (*code).to_owned(),
            name: (*name).to_owned(),
            prefixes: prefixes.split_ascii_whitespace().map(str::to_owned).collect(),
            is_open: false,
            day_micros: None,
        })
        .collect();
    all.extend(stored);
    all.sort_by(|a, b| a.code.cmp(&b.code));
    Ok(all)
}

/// Changes a class for this book, or makes one of its own.
pub async fn set_destination_class(tx: &TenantTx, class: &DestinationClass, now: DateTime<Utc>) -> Result<()> {
    let broken = |field, rule, value: &str| Err(CallError::RuleBroken { field, rule, value: value.to_owned() });
    let is_code = (1..=40).contains(&class.code.len())
        && class.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_code {
        return broken("code", "must be 1 to 40 of a-z, 0-9 and _", &class.code);
    }
    if !(1..=80).contains(&class.name.chars().count()) || class.name.chars().any(char::is_control) {
        return broken("name", "must have 1 to 80 characters", &class.name);
    }
    let is_prefix = |prefix: &&String| !(1..=15).contains(&prefix.len()) || !prefix.bytes().all(|b| b.is_ascii_digit());
    if let Some(prefix) = class.prefixes.iter().find(is_prefix) {
        return broken("prefixes", "must be 1 to 15 digits each", prefix);
    }
    if class.prefixes.is_empty() || class.prefixes.len() > 2000 {
        return broken("prefixes", "must be 1 to 2000", &class.prefixes.len().to_string());
    }
    if class.day_micros.is_some_and(i64::is_negative) {
        return broken("day_limit", "must not be negative", "");
    }
    store::put_class(tx, class, now).await
}

/// Which class a number is in: that of the longest prefix.
pub(crate) fn class_of<'a>(classes: &'a [DestinationClass], digits: &str) -> Option<&'a DestinationClass> {
    let longest = |class: &DestinationClass| {
        class.prefixes.iter().filter(|prefix| digits.starts_with(prefix.as_str())).map(String::len).max()
    };
    classes
        .iter()
        .filter_map(|class| Some((longest(class)?, class)))
        .max_by_key(|(length, _)| *length)
        .map(|(_, class)| class)
}

/// Opens or closes a class for one customer; `None`: as for everybody.
pub async fn set_customer_destination(
    tx: &TenantTx,
    customer_id: CustomerId,
    code: &str,
    is_open: Option<bool>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    if !destination_classes(tx).await?.iter().any(|class| class.code == code) {
        let value = code.chars().take(60).collect();
        return Err(CallError::RuleBroken { field: "code", rule: "must be a class of this book", value });
    }
    store::put_customer_destination(tx, customer_id, code, is_open, by, now).await?;
    let said = match is_open {
        Some(true) => format!("Calls to {code} opened by {by}"),
        Some(false) => format!("Calls to {code} closed by {by}"),
        None => format!("Calls to {code} as for everybody again, by {by}"),
    };
    subscription::add_customer_event(tx, customer_id, "destination", &said, now, now).await?;
    Ok(())
}

impl DestinationClass {
    /// Its limit for one customer in a day.
    pub fn day_limit(&self, currency: Currency) -> Option<Money> {
        self.day_micros.map(|micros| Money::from_micros(micros, currency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_prefix_is_one_and_the_longest_decides() {
        let class = |code: &str, prefixes: &str| DestinationClass {
            code: code.into(),
            name: code.into(),
            prefixes: prefixes.split_ascii_whitespace().map(str::to_owned).collect(),
            is_open: false,
            day_micros: None,
        };
        let shipped: Vec<_> = SHIPPED.iter().map(|(code, _, prefixes)| class(code, prefixes)).collect();
        for prefix in shipped.iter().flat_map(|class| &class.prefixes) {
            assert!((2..=7).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_digit()), "{prefix}");
        }
        let code = |digits: &str| class_of(&shipped, digits).map(|class| class.code.as_str());
        for (number, expected) in [
            ("881612345678", Some("satellite")),
            ("19005550100", Some("premium")),
            ("449012345678", Some("premium")),
            ("442079460000", None),
            ("18765550100", Some("caribbean")),
            ("12125550100", None),
            ("4930123456", None),
            ("49900123456", Some("premium")),
            ("23222123456", Some("fraud_countries")),
            ("6745550100", Some("islands")),
        ] {
            assert_eq!(code(number), expected, "{number}");
        }
        let own = [class("all_germany", "49"), class("german_mobiles", "4915")];
        assert_eq!(class_of(&own, "491512345").map(|class| class.code.as_str()), Some("german_mobiles"));
    }
}
