//! What a document says: lines, tax groups, sums, and what it claims so that nothing else bills it again.

use crate::document::DocumentKind;
use chrono::{DateTime, NaiveDate, Utc};
use db::{LineId, SubscriptionId, TopicId};
use money::{Decimal, Money};
use pricing::Explanation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The period that a line is for, `[starts, ends)`, as instants and as civil days of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
}

/// Under which heading a line stands; in the order of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineGroup {
    Platform,
    Seats,
    Usage,
    Channels,
    Hours,
    Numbers,
    Addons,
    Percent,
    Discounts,
    Commitment,
    Late,
    OneOff,
    Correction,
}

const GROUPS: [(LineGroup, &str); 13] = [
    (LineGroup::Platform, "platform"),
    (LineGroup::Seats, "seats"),
    (LineGroup::Usage, "usage"),
    (LineGroup::Channels, "channels"),
    (LineGroup::Hours, "hours"),
    (LineGroup::Numbers, "numbers"),
    (LineGroup::Addons, "addons"),
    (LineGroup::Percent, "percent"),
    (LineGroup::Discounts, "discounts"),
    (LineGroup::Commitment, "commitment"),
    (LineGroup::Late, "late"),
    (LineGroup::OneOff, "one-off"),
    (LineGroup::Correction, "correction"),
];

impl LineGroup {
    /// As stored, and as the templates know it.
    pub fn code(self) -> &'static str {
        GROUPS.iter().find(|(group, _)| *group == self).map_or("", |(_, code)| code)
    }

    /// The group of a stored code.
    pub fn of_code(code: &str) -> Option<Self> {
        GROUPS.iter().find(|(_, known)| *known == code).map(|(group, _)| *group)
    }
}

/// What a line opens to: the calls, usage or seat sessions beneath it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LineSource {
    /// Calls of a topic, charged one by one by its tariff.
    TariffCalls { topic_id: TopicId, from: DateTime<Utc>, to: DateTime<Utc> },
    /// A meter's usage.
    Usage {
        subscription_id: SubscriptionId,
        component_key: String,
        meter: String,
        filter: BTreeMap<String, String>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    },
    /// Seat sessions.
    Seats {
        subscription_id: SubscriptionId,
        component_key: String,
        measure: String,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    },
    /// Nothing beneath: a fee, a discount.
    None,
}

/// Unit of a line whose price is a percentage and whose quantity is the amount that it is taken of.
pub const PERCENT_UNIT: &str = "%";

/// A line of a draft or a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub id: LineId,
    pub group: LineGroup,
    pub subscription_id: Option<SubscriptionId>,
    pub component_key: Option<String>,
    pub topic_id: Option<TopicId>,
    pub text: String,
    pub detail: String,
    pub service: Service,
    /// Units, or the base of a percentage ([`PERCENT_UNIT`]).
    pub quantity: Decimal,
    /// Meter or measure that the quantity counts; empty for fees.
    pub unit: String,
    /// Absent where one price does not tell the whole (tiers, tariffs, shares of a period).
    pub unit_price: Option<Decimal>,
    /// Net, in the minor unit.
    pub amount: Money,
    /// Tariff calls: the exact sum of what the calls charged, tax included, in micros. The net is taken out of it by tax group.
    pub gross: Option<Money>,
    /// EN 16931 letter.
    pub tax_category: String,
    /// 19 is 19%.
    pub tax_percent: Decimal,
    /// How the amount came about.
    pub explanation: Explanation,
    pub source: LineSource,
    /// The line of an invoice that a credit note's line corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<LineId>,
}

/// Lines of one tax category and rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaxRow {
    pub category: String,
    pub percent: Decimal,
    /// Net.
    pub base: Money,
    pub tax: Money,
}

/// The sums of a document: gross = net + tax, due = gross - settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub net: Money,
    pub tax: Money,
    pub gross: Money,
    /// What wallets have paid already, call by call.
    pub settled: Money,
    pub due: Money,
}

/// That something is billed: the key that stops it from being billed twice (I7), and what was billed, so that late usage
/// is billed as a difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// A subscription, or the customer itself for tariff calls.
    pub billed_id: Uuid,
    pub component_key: String,
    pub service_starts_at: DateTime<Utc>,
    pub service_ends_at: DateTime<Utc>,
    /// `charge`, or `late-n` for the n-th difference; ahead of service `ahead`, or `ahead-n`, and `credit` for what was unused;
    /// `returned-n` where a credit note gave it back.
    pub kind: String,
    pub quantity: Decimal,
    /// Before tax for components, tax included for tariff calls.
    pub amount: Money,
}

/// What a claim is about: of one key and start each is billed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Claimed {
    /// What was served.
    Arrears,
    /// What will be served.
    Ahead,
    /// What was billed ahead and is not used.
    Credit,
    /// What a credit note gave back: it stays billed.
    Returned,
}

const CLAIMED: [(Claimed, &str, &str); 4] = [
    (Claimed::Arrears, "charge", "late"),
    (Claimed::Ahead, "ahead", "ahead"),
    (Claimed::Credit, "credit", "credit"),
    (Claimed::Returned, "returned", "returned"),
];

impl Claimed {
    /// The kind of the first claim, and of the n-th after it.
    pub(crate) fn kind(self, times: i64) -> String {
        let (_, first, later) = CLAIMED[self as usize];
        if times == 0 && self != Claimed::Returned { first.to_owned() } else { format!("{later}-{times}") }
    }

    pub(crate) fn of_kind(kind: &str) -> Claimed {
        let word = kind.split('-').next().unwrap_or(kind);
        let known = CLAIMED.iter().find(|(_, first, later)| word == *first || word == *later);
        known.map_or(Claimed::Arrears, |(claimed, ..)| *claimed)
    }
}

/// What finalising posts beside tax and receivable (positive credits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledgered {
    /// A credit note: what goes back to the wallet that had paid it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<Money>,
    /// Moves what calls charged or accrued out of the customer's unbilled account.
    pub unbilled: Money,
    /// Revenue that was not recognised before.
    pub revenue: Money,
    /// What rounding to the minor unit left over.
    pub rounding: Money,
}

/// A final document stands on everything that changed a subscription before this instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandsOn {
    pub subscription_id: SubscriptionId,
    pub before: DateTime<Utc>,
}

/// The whole content of a draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftContent {
    /// An invoice, or a credit note where it comes to less than nothing; a credit note's amounts are positive.
    #[serde(default)]
    pub kind: DocumentKind,
    /// In the order of the document.
    pub lines: Vec<Line>,
    pub taxes: Vec<TaxRow>,
    pub totals: Totals,
    /// Printed as the document's period.
    pub period: Service,
    /// Zone in which the customer's days are counted.
    pub time_zone: String,
    pub claims: Vec<Claim>,
    pub ledgered: Ledgered,
    #[serde(default)]
    pub stands_on: Vec<StandsOn>,
}
