//! What is stored, in words: states as badges, causes as sentences, days and periods, names for ids.

use crate::error::{PageError, PageResult};
use crate::format;
use crate::views::ui::{Badge, Tone};
use call_control::{Call, CallState, ChargedBy};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use db::{AgentId, CustomerId, TenantTx};
use invoicing::LineGroup;
use jiff::civil::Date;
use ledger::AccountKind;
use payments::{Method, PaymentStatus};
use std::collections::HashMap;
use subscription::{SubscriptionStatus, TrialEnd};

/// A stored day, as the formats take it.
pub fn civil(on: NaiveDate) -> Date {
    let (year, month, day) = (on.year(), on.month(), on.day());
    let parts = i16::try_from(year).ok().zip(i8::try_from(month).ok()).zip(i8::try_from(day).ok());
    parts.and_then(|((year, month), day)| Date::new(year, month, day).ok()).unwrap_or(Date::ZERO)
}

/// "30 Nov 2026"
pub fn day(on: NaiveDate) -> String {
    format::date(civil(on))
}

/// "1 to 31 October 2026"
pub fn period(from: NaiveDate, until: NaiveDate) -> String {
    format::days(civil(from), civil(until))
}

/// The civil day of an instant.
pub fn civil_day(at: DateTime<Utc>, zone: &str) -> PageResult<NaiveDate> {
    pricing::civil_date(at, zone).map_err(PageError::failed)
}

/// The first instant of a day.
pub fn midnight(on: NaiveDate, zone: &str) -> PageResult<DateTime<Utc>> {
    pricing::start_of_day(on, zone).map_err(PageError::failed)
}

pub fn payment_status(status: PaymentStatus) -> Badge {
    match status {
        PaymentStatus::Paid => Badge::new("Paid", Tone::Good),
        PaymentStatus::PartPaid => Badge::new("Partly paid", Tone::Soon),
        PaymentStatus::Open => Badge::new("Open", Tone::Plain),
        PaymentStatus::Overdue => Badge::new("Late", Tone::Wrong),
    }
}

pub fn subscription_status(status: SubscriptionStatus) -> Badge {
    match status {
        SubscriptionStatus::Scheduled => Badge::new("Begins later", Tone::Soon),
        SubscriptionStatus::Trial => Badge::new("Trial", Tone::On),
        SubscriptionStatus::Active => Badge::new("Active", Tone::Good),
        SubscriptionStatus::PastDue => Badge::new("Past due", Tone::Wrong),
        SubscriptionStatus::Paused => Badge::new("Paused", Tone::Soon),
        SubscriptionStatus::Expired => Badge::new("Expired", Tone::Plain),
        SubscriptionStatus::Cancelled => Badge::new("Ended", Tone::Plain),
    }
}

/// Where a call stands, in one word or two.
pub fn call_state(call: &Call) -> Badge {
    match call.state {
        CallState::Menu => Badge::new("Choosing", Tone::On),
        CallState::Queued if call.is_outgoing => Badge::new("Rings", Tone::Soon),
        CallState::Queued => Badge::new("In the queue", Tone::Soon),
        CallState::Talking => Badge::new("Talking", Tone::On),
        CallState::Held => Badge::new("On hold", Tone::Soon),
        CallState::Ended if call.charged_by == Some(ChargedBy::Nothing) => Badge::new("No price", Tone::Wrong),
        CallState::Ended if call.end_cause.as_deref().is_some_and(|cause| cause.starts_with("refused:")) => {
            Badge::new("Refused", Tone::Plain)
        }
        CallState::Ended if call.meter_started_at.is_none() => Badge::new("Not answered", Tone::Plain),
        CallState::Ended if call.settled_at.is_none() => Badge::new("Settling", Tone::Soon),
        CallState::Ended if call.is_estimated => Badge::new("Estimated", Tone::Soon),
        CallState::Ended => Badge::new("Settled", Tone::Good),
    }
}

/// `caller_hung_up` is "Caller hung up", `refused:no_credit` "Refused: no credit".
pub fn spoken(word: &str) -> String {
    let text = word.replace(':', ": ").replace('_', " ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// The key of a feature as people read it: "Call analytics", and "CRM", which has no vowel to be a word with.
pub fn feature(key: &str) -> String {
    if key.len() <= 4 && !key.contains(['a', 'e', 'i', 'o', 'u', '_']) { key.to_uppercase() } else { spoken(key) }
}

pub fn method(method: Method) -> &'static str {
    method.words()
}

pub fn line_group(group: LineGroup) -> &'static str {
    match group {
        LineGroup::Platform => "Plan",
        LineGroup::Seats => "Seats",
        LineGroup::Usage => "Calls and usage",
        LineGroup::Channels => "Channels",
        LineGroup::Hours => "Hours",
        LineGroup::Numbers => "Numbers",
        LineGroup::Addons => "Add-ons",
        LineGroup::Percent => "Shares",
        LineGroup::Discounts => "Discounts",
        LineGroup::Commitment => "Commitment",
        LineGroup::Late => "Earlier periods",
        LineGroup::OneOff => "Once",
        LineGroup::Correction => "Corrections",
    }
}

/// An account of the book: its name, and the heading it stands under.
pub fn account(kind: AccountKind) -> (&'static str, &'static str) {
    match kind {
        AccountKind::Receivable => ("Owed by customers", OWNED),
        AccountKind::DueFromSeller => ("Due from the seller", OWNED),
        AccountKind::ProcessorClearing => ("Bank and processors", OWNED),
        AccountKind::Wallet => ("Customers' wallets", OWED),
        AccountKind::PromotionalCredit => ("Credit given away", OWED),
        AccountKind::DeferredRevenue => ("Billed ahead", OWED),
        AccountKind::Tax => ("Tax collected", OWED),
        AccountKind::PartnerPayable => ("Owed to partners", OWED),
        AccountKind::Unbilled => ("Charged, not yet billed", BETWEEN),
        AccountKind::Exchange => ("Exchange of currencies", BETWEEN),
        AccountKind::Rounding => ("Rounding", BETWEEN),
        AccountKind::Revenue => ("Revenue", EARNED),
        AccountKind::Discount => ("Discounts", EARNED),
        AccountKind::CarrierCost => ("Carriers", EARNED),
        AccountKind::CarrierPayable => ("Owed to carriers", OWED),
        AccountKind::BadDebt => ("Never to be paid", EARNED),
    }
}

/// The headings of [`account`], in the order of a page.
pub const ACCOUNT_GROUPS: [&str; 4] = [OWNED, OWED, BETWEEN, EARNED];
const OWNED: &str = "Owned";
const OWED: &str = "Owed";
const BETWEEN: &str = "In between";
const EARNED: &str = "Earned and spent";

/// Names of these customers.
pub async fn customer_names(
    tx: &TenantTx,
    ids: impl IntoIterator<Item = CustomerId>,
) -> PageResult<HashMap<CustomerId, String>> {
    let mut ids: Vec<CustomerId> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let customers = subscription::customers_by_id(tx, &ids).await?;
    Ok(customers.into_iter().map(|customer| (customer.id, customer.name)).collect())
}

/// Names of all agents of the book.
pub async fn agent_names(tx: &TenantTx) -> PageResult<HashMap<AgentId, String>> {
    Ok(tenant::agents(tx).await?.into_iter().map(|agent| (agent.id, agent.name)).collect())
}

/// A place in a list: "1763700000000000.call_…", opaque to whoever sends it back.
pub fn cursor(at: DateTime<Utc>, id: impl std::fmt::Display) -> String {
    format!("{}.{id}", at.timestamp_micros())
}

/// The place that a cursor names; what is no cursor is the beginning.
pub fn from_cursor<Id: std::str::FromStr>(text: &str) -> Option<(DateTime<Utc>, Id)> {
    let (at, id) = text.split_once('.')?;
    Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, id.parse().ok()?))
}

/// What becomes of a trial whose customer has no means of payment when it ends.
pub fn trial_end(end: TrialEnd) -> &'static str {
    match end {
        TrialEnd::Convert => "It goes on, paid by invoice",
        TrialEnd::Cancel => "It is over",
        TrialEnd::PastDue => "It goes on, past due until there is one",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::CallId;

    #[test]
    fn a_cause_is_told_in_words() {
        for (cause, words) in
            [("caller_hung_up", "Caller hung up"), ("refused:no_credit", "Refused: no credit"), ("", "")]
        {
            assert_eq!(spoken(cause), words);
        }
    }

    #[test]
    fn a_cursor_names_its_place_and_anything_else_is_the_beginning() {
        let at = DateTime::from_timestamp_micros(1_763_700_000_123_456).unwrap();
        let id = CallId::new();
        assert_eq!(from_cursor(&cursor(at, id)), Some((at, id)));
        for nonsense in ["", "7", "7.", "x.call_1", "1763700000000000.doc_1"] {
            assert_eq!(from_cursor::<CallId>(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_stored_day_is_the_day_that_is_shown() {
        let on = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(day(on("2026-02-28")), "28 Feb 2026");
        assert_eq!(period(on("2026-10-01"), on("2026-11-01")), "1 to 31 October 2026");
    }
}
