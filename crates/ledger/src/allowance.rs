//! What a subscription includes, as a balance: calls hold included units before they use them and settle what they used, with
//! the same leases as money. Terms and prices are not known in here, only how much is included from when to when.
//!
//! Of what was used, as much is free as is included and not promised to calls that still run: `free = min(used, included -
//! reserved)`. A call's own free part is what its settlement adds to that. So the parts of all calls sum to `min(used, included)`
//! once no call runs, whatever their order: to the unit what a bill of the whole stretch finds.

use crate::error::LedgerError;
use crate::store::{allowances as store, holds};
use crate::units::Units;
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, SubscriptionId, TenantTx};
use std::collections::{BTreeMap, BTreeSet};

/// Which allowance: a component of a subscription in the stretch of time that begins here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowanceKey {
    pub subscription_id: SubscriptionId,
    pub component_key: String,
    pub starts_at: DateTime<Utc>,
}

/// What the terms include.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowanceTerms {
    pub key: AllowanceKey,
    pub customer_id: CustomerId,
    /// Code of the meter whose unit is counted.
    pub meter: String,
    pub ends_at: DateTime<Utc>,
    pub included: Units,
}

/// How an allowance stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub key: AllowanceKey,
    pub customer_id: CustomerId,
    pub meter: String,
    pub ends_at: DateTime<Utc>,
    pub included: Units,
    /// All that was used, included or not.
    pub used: Units,
    /// What of it came by another way than a call of this book: an import, another system, a correction.
    pub other: Units,
    /// What of it was told to be free.
    pub free: Units,
    /// The sum of its open holds.
    pub reserved: Units,
    /// What was free or promised already when a change of terms made the stretch include less: nothing is taken back from a
    /// call, and the bill goes by the terms.
    pub overdrawn: Units,
}

impl Allowance {
    /// What may still be promised.
    pub fn available(&self) -> Units {
        self.included.plus(self.overdrawn).less(self.free).less(self.reserved).or_zero()
    }

    /// What a bill of the stretch prices, so far.
    pub fn beyond(&self) -> Units {
        self.used.less(self.included).or_zero()
    }

    /// What a bill of the stretch leaves over, so far.
    pub fn left(&self) -> Units {
        self.included.less(self.used).or_zero()
    }

    fn free_now(&self) -> Units {
        self.used.min(self.included.plus(self.overdrawn).less(self.reserved)).or_zero()
    }
}

/// A wish to hold included units for a call. (call, component, seq) is its key in the book.
#[derive(Clone, Debug)]
pub struct AllowanceWish {
    pub key: AllowanceKey,
    pub call_id: CallId,
    /// 1, 2, 3 .. within the call and component.
    pub seq: u32,
    /// Above zero; less is granted when less is available.
    pub amount: Units,
    /// Released by [`crate::expire_leases`] after this, unless extended or settled.
    pub lease_until: DateTime<Utc>,
}

/// What a call used of a component.
#[derive(Clone, Debug)]
pub struct AllowanceUse {
    pub key: AllowanceKey,
    pub call_id: CallId,
    pub quantity: Units,
}

/// What became of a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowanceUsed {
    pub quantity: Units,
    /// What comes free by it. More than the quantity where units come free that earlier calls were priced for, because this
    /// call held them.
    pub free: Units,
    /// What is left for other calls, after it and those before it in the same block.
    pub available: Units,
    /// False when the call's use was settled before; then nothing changed.
    pub is_new: bool,
}

impl AllowanceUsed {
    /// What is to be priced: the quantity less what comes free; below zero where that is more.
    pub fn beyond(&self) -> Units {
        self.quantity.less(self.free)
    }
}

/// Opens an allowance, or brings an open one to terms that have changed meanwhile, and takes its row until the transaction ends.
/// Used units are never taken back: what is free or promised beyond smaller terms is overdrawn.
pub async fn agree_allowance(
    tx: &TenantTx,
    terms: &AllowanceTerms,
    _now: DateTime<Utc>,
) -> Result<Allowance, LedgerError> {
    if terms.included < Units::ZERO {
        return Err(LedgerError::UnitsMustNotBeNegative(terms.included.as_decimal()));
    }
    store::open(tx, terms).await?;
    let mut allowance = locked(tx, &terms.key).await?;
    if allowance.included != terms.included || allowance.ends_at != terms.ends_at {
        let given = allowance.free.plus(allowance.reserved);
        allowance.included = terms.included;
        allowance.ends_at = terms.ends_at;
        allowance.overdrawn = given.less(terms.included).or_zero();
        store::save(tx, std::slice::from_ref(&allowance)).await?;
    }
    Ok(allowance)
}

async fn locked(tx: &TenantTx, key: &AllowanceKey) -> Result<Allowance, LedgerError> {
    let found = store::lock(tx, std::slice::from_ref(key)).await?.pop();
    found.ok_or_else(|| LedgerError::NoAllowance(Box::new(key.clone())))
}

/// Tells an allowance what was used of it in all, as the meter's sums have it: imports and other systems count too. Its row must
/// have been taken before the sums are read, else a call that settles meanwhile is counted twice.
pub async fn count_allowance(tx: &TenantTx, allowance: &mut Allowance, used: Units) -> Result<(), LedgerError> {
    if allowance.used != used {
        allowance.other = allowance.other.plus(used).less(allowance.used);
        allowance.used = used;
        allowance.free = allowance.free_now();
        store::save(tx, std::slice::from_ref(allowance)).await?;
    }
    Ok(())
}

/// Holds included units for a call, as many as are available and at most those wished for; none is an answer, too. A repeat of
/// (call, component, seq) gets what is held under it and takes nothing; one that was given nothing asks anew.
pub async fn reserve_allowance(tx: &TenantTx, wish: &AllowanceWish, now: DateTime<Utc>) -> Result<Units, LedgerError> {
    if !wish.amount.is_positive() {
        return Err(LedgerError::UnitsMustBePositive(wish.amount.as_decimal()));
    }
    // The allowance's row first: two repeats at once are told the same.
    let mut allowance = locked(tx, &wish.key).await?;
    if let Some(held) = store::hold_under(tx, wish.call_id, &wish.key.component_key, wish.seq).await? {
        return Ok(held);
    }
    let granted = wish.amount.min(allowance.available());
    if granted.is_positive() {
        allowance.reserved = allowance.reserved.plus(granted);
        store::insert_hold(tx, wish, allowance.customer_id, granted, now).await?;
        store::save(tx, std::slice::from_ref(&allowance)).await?;
    }
    Ok(granted)
}

/// Gives a call's included units back without a use; how many holds there were.
pub(crate) async fn release_holds(tx: &TenantTx, call_id: CallId, now: DateTime<Utc>) -> Result<u64, LedgerError> {
    let keys = holds::keys_of_calls(tx, &[call_id]).await?;
    if keys.is_empty() {
        return Ok(0);
    }
    store::lock(tx, &keys).await?;
    holds::release(tx, &keys, call_id, now).await
}

/// Gives back what nobody has extended or settled in time; how many holds expired.
pub(crate) async fn expire_holds(tx: &TenantTx, now: DateTime<Utc>) -> Result<u64, LedgerError> {
    let keys = holds::keys_due(tx, now).await?;
    if keys.is_empty() {
        return Ok(0);
    }
    store::lock(tx, &keys).await?;
    holds::expire(tx, &keys, now).await
}

/// What a call holds of an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowanceHeld {
    /// The sum of its open holds.
    pub amount: Units,
    /// The highest seq it ever held with; 0 when it never did.
    pub last_seq: u32,
}

/// What a call holds of a component.
pub async fn held_of_allowance(
    tx: &TenantTx,
    call_id: CallId,
    component_key: &str,
) -> Result<AllowanceHeld, LedgerError> {
    store::held(tx, call_id, component_key).await
}

/// What a running call holds, allowance by allowance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldByCall {
    pub key: AllowanceKey,
    pub meter: String,
    pub amount: Units,
    pub last_seq: u32,
}

/// All that a call holds of any allowance now.
pub async fn holds_of_call(tx: &TenantTx, call_id: CallId) -> Result<Vec<HeldByCall>, LedgerError> {
    holds::of_call(tx, call_id).await
}

/// How an allowance stands, without taking it.
pub async fn allowance(tx: &TenantTx, key: &AllowanceKey) -> Result<Option<Allowance>, LedgerError> {
    store::find(tx, key).await
}

/// A customer's allowances that hold an instant.
pub async fn allowances_of(
    tx: &TenantTx,
    customer_id: CustomerId,
    at: DateTime<Utc>,
) -> Result<Vec<Allowance>, LedgerError> {
    store::of_customer(tx, customer_id, at).await
}

/// Settles what calls used, in their order: closes their holds, counts the units and says what of them is free. Once for each
/// (call, component): a repeat gets the stored answer.
pub async fn use_allowances(
    tx: &TenantTx,
    uses: &[AllowanceUse],
    now: DateTime<Utc>,
) -> Result<Vec<AllowanceUsed>, LedgerError> {
    if let Some(wrong) = uses.iter().find(|wrong| wrong.quantity < Units::ZERO) {
        return Err(LedgerError::UnitsMustNotBeNegative(wrong.quantity.as_decimal()));
    }
    let calls: Vec<CallId> = uses.iter().map(|used| used.call_id).collect();
    let mut keys: BTreeSet<AllowanceKey> = uses.iter().map(|used| used.key.clone()).collect();
    keys.extend(holds::keys_of_calls(tx, &calls).await?);
    let keys: Vec<AllowanceKey> = keys.into_iter().collect();
    let mut allowances: BTreeMap<AllowanceKey, Allowance> = BTreeMap::new();
    for allowance in store::lock(tx, &keys).await? {
        allowances.insert(allowance.key.clone(), allowance);
    }
    let mut known = store::uses_of(tx, &calls).await?;
    let mut held = holds::close(tx, uses, now).await?;
    let (mut fresh, mut answers) = (Vec::new(), Vec::with_capacity(uses.len()));
    for used in uses {
        let id = (used.call_id, used.key.component_key.clone());
        for (key, amount) in held.remove(&id).unwrap_or_default() {
            if let Some(allowance) = allowances.get_mut(&key) {
                allowance.reserved = allowance.reserved.less(amount);
            }
        }
        let allowance =
            allowances.get_mut(&used.key).ok_or_else(|| LedgerError::NoAllowance(Box::new(used.key.clone())))?;
        if let Some((quantity, free)) = known.get(&id) {
            answers.push(AllowanceUsed {
                quantity: *quantity,
                free: *free,
                available: allowance.available(),
                is_new: false,
            });
            continue;
        }
        allowance.used = allowance.used.plus(used.quantity);
        let free = allowance.free_now().less(allowance.free);
        allowance.free = allowance.free.plus(free);
        known.insert(id, (used.quantity, free));
        fresh.push((used, allowance.customer_id, free));
        answers.push(AllowanceUsed { quantity: used.quantity, free, available: allowance.available(), is_new: true });
    }
    store::insert_uses(tx, &fresh, now).await?;
    store::save(tx, &allowances.into_values().collect::<Vec<_>>()).await?;
    Ok(answers)
}
