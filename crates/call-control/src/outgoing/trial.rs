//! What would become of a number, for who only wants to know; and what a number is.

use crate::error::{CallError, Result};
use crate::outgoing::plan::{Decision, Wish, plan};
use crate::store::carriers::Place;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, Db, TenantId};

/// What a book would do: nothing is held and nothing is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTrial {
    pub decision: Decision,
    /// Carrier codes of this book's own way out, in the order in which they would be tried.
    pub order: Vec<String>,
}

/// What would be decided in a book if a customer of it called a number now, and why.
pub async fn try_route(
    db: &Db,
    book: TenantId,
    customer_id: CustomerId,
    called: &str,
    at: DateTime<Utc>,
) -> Result<RouteTrial> {
    let digits = digits_of(called).ok_or_else(|| CallError::RuleBroken {
        field: "called",
        rule: "must be a number with its country's code",
        value: called.chars().take(40).collect(),
    })?;
    let place = Place { origin: book, call_id: CallId::new() };
    let plan = plan(db, &Wish { place, customer_id, called: &digits, at, is_covered: false, is_live: false }).await?;
    let order = plan.ways.iter().filter_map(|way| way.picks.first()).map(|pick| pick.code.clone()).collect();
    let decision = plan.levels.into_iter().next().map(|level| level.decision).unwrap_or_default();
    Ok(RouteTrial { decision, order })
}

/// The digits of a number: with its plus sign, two zeros instead of it, or neither; blanks and hyphens are for the eye.
pub fn digits_of(called: &str) -> Option<String> {
    let digits: String = called.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '/' | '.')).collect();
    let digits = digits.strip_prefix('+').or_else(|| digits.strip_prefix("00")).unwrap_or(&digits);
    let is_number = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !digits.starts_with('0')).then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::digits_of;

    #[test]
    fn a_number_is_read_however_people_write_it_and_nothing_else_is_one() {
        for said in ["+49 30 123456", "0049-30-123456", "4930123456", "+49 (30) 123456"] {
            assert_eq!(digits_of(said).as_deref(), Some("4930123456"), "{said}");
        }
        for said in ["", "+49", "030123456", "sip:anna", "+1234567890123456", "+49x30123456"] {
            assert_eq!(digits_of(said), None, "{said}");
        }
    }
}
