//! How a caller is known: by the number that calls, or by account number and PIN.

use crate::customer::{Customer, add_customer_event, must_exist};
use crate::error::{Result, Rule, must};
use crate::store::callers as store;
use crate::{pin, rules};
use chrono::{DateTime, TimeDelta, Utc};
use db::{CustomerId, TenantTx};
use std::collections::{HashMap, HashSet};

/// Wrong PINs in a row before an account must wait.
pub const PIN_FAILURES_FREE: i32 = 5;
/// The first wait; each further wrong PIN doubles it, up to [`PIN_WAIT_SECONDS_MAX`]. Never a permanent lock-out.
pub const PIN_WAIT_SECONDS_FIRST: i64 = 60;
/// The longest wait.
pub const PIN_WAIT_SECONDS_MAX: i64 = 3600;

/// What an account number and a PIN say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinCheck {
    /// It is this customer.
    Known(CustomerId),
    /// No such account, or the wrong PIN: nobody learns which.
    Wrong,
    /// Too many wrong ones: nothing is compared before this instant.
    Throttled { until: DateTime<Utc> },
}

/// Makes a number one of the customer's. A number belongs to one customer of a book; twice to the same one is once.
/// The first customer that has it had it always; one after another has it from now on.
pub async fn add_phone(tx: &TenantTx, customer_id: CustomerId, e164: &str, now: DateTime<Utc>) -> Result<()> {
    rules::e164("e164", e164)?;
    must_exist(tx, customer_id).await?;
    let holder = store::claim_phone(tx, customer_id, e164, now).await?;
    must(holder == customer_id, "e164", Rule::MustBeFree, e164)
}

/// Takes a number away from the customer that has it; calls that began before stay theirs, however late they are heard of.
/// `false` when it has no such number.
pub async fn remove_phone(tx: &TenantTx, customer_id: CustomerId, e164: &str, now: DateTime<Utc>) -> Result<bool> {
    store::delete_phone(tx, customer_id, e164, now).await
}

/// A number that called, and when.
pub type CalledFrom = (String, DateTime<Utc>);

/// The customers that called from these numbers at these times.
pub async fn customers_of_calls(tx: &TenantTx, calls: &[CalledFrom]) -> Result<HashMap<CalledFrom, Customer>> {
    let holders = store::holders(tx, calls).await?;
    let ids: HashSet<CustomerId> = holders.iter().map(|(_, id)| *id).collect();
    let customers = crate::customer::customers_by_id(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    let by_id: HashMap<CustomerId, Customer> = customers.into_iter().map(|customer| (customer.id, customer)).collect();
    let named = |(place, id): (usize, CustomerId)| Some((calls.get(place)?.clone(), by_id.get(&id)?.clone()));
    Ok(holders.into_iter().filter_map(named).collect())
}

/// The customer's numbers.
pub async fn phones_of(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<String>> {
    store::phones_of(tx, customer_id).await
}

/// The open customer that calls from this number.
pub async fn customer_by_phone(tx: &TenantTx, e164: &str) -> Result<Option<Customer>> {
    store::by_phone(tx, e164).await
}

/// Gives a customer an account number of 4 to 12 digits and a PIN of 4 to 8, or a new PIN for the one it has. Failed attempts are forgotten.
pub async fn set_pin(
    tx: &TenantTx,
    customer_id: CustomerId,
    account_no: &str,
    pin: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    rules::digits("account_no", account_no, 4, 12)?;
    rules::digits("pin", pin, 4, 8)?;
    must_exist(tx, customer_id).await?;
    let hash = pin::hash(pin).await?;
    let holder = store::set_pin(tx, customer_id, account_no, &hash).await?;
    must(holder == customer_id, "account_no", Rule::MustBeFree, account_no)?;
    add_customer_event(tx, customer_id, "pin_set", "A PIN was set.", now, now).await
}

/// Finds a customer by what it keyed in.
///
/// A wrong PIN is counted in this transaction, under the account's row lock: commit it in any case, or the throttle learns
/// nothing. Attempts on one account therefore happen one after the other, and many at once cannot pass it. An unknown
/// account takes as long as a wrong PIN.
pub async fn customer_by_pin(tx: &TenantTx, account_no: &str, pin: &str, now: DateTime<Utc>) -> Result<PinCheck> {
    let Some(account) = store::lock_account(tx, account_no).await? else {
        pin::compare_with_nothing(pin).await?;
        return Ok(PinCheck::Wrong);
    };
    if let Some(until) = waits_until(account.failed_attempts, account.last_failed_at)
        && now < until
    {
        return Ok(PinCheck::Throttled { until });
    }
    if !pin::matches(pin, &account.pin_hash).await? {
        store::count_failure(tx, account_no, now).await?;
        return Ok(PinCheck::Wrong);
    }
    if account.failed_attempts > 0 {
        store::forget_failures(tx, account_no).await?;
    }
    let customer = must_exist(tx, account.customer_id).await?;
    Ok(if customer.closed_at.is_some() { PinCheck::Wrong } else { PinCheck::Known(customer.id) })
}

fn waits_until(failed_attempts: i32, last_failed_at: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let beyond = failed_attempts - PIN_FAILURES_FREE;
    if beyond < 0 {
        return None;
    }
    let wait_seconds = (PIN_WAIT_SECONDS_FIRST << beyond.min(6)).min(PIN_WAIT_SECONDS_MAX);
    last_failed_at?.checked_add_signed(TimeDelta::seconds(wait_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_begins_after_five_wrong_pins_and_doubles_up_to_an_hour() {
        let at = DateTime::from_timestamp(1_772_359_200, 0).unwrap();
        for (failed, wait_seconds) in [
            (0, None),
            (4, None),
            (5, Some(60)),
            (6, Some(120)),
            (7, Some(240)),
            (11, Some(3600)),
            (2_000_000, Some(3600)),
        ] {
            let until = waits_until(failed, Some(at));
            assert_eq!(until.map(|until| (until - at).num_seconds()), wait_seconds, "{failed}");
        }
    }
}
