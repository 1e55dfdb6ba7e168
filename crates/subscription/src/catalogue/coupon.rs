//! Coupons: a percentage or an amount off, once, for some periods or for ever.

use crate::customer::{add_customer_event, must_exist};
use crate::error::{Result, Rule, SubscriptionError, instant, must, refuse, same_currency};
use crate::life::{ServicePeriod, must_lock};
use crate::rules;
use crate::store::coupons as store;
use chrono::{DateTime, Utc};
use db::{CouponId, CustomerId, SubscriptionId, TenantTx};
use money::{Money, Percent};

/// What a coupon takes off a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouponOff {
    Percent(Percent),
    /// In its own currency only.
    Amount(Money),
}

/// A discount that is asked for by its code.
#[derive(Clone, Debug, PartialEq)]
pub struct Coupon {
    pub id: CouponId,
    /// Capital letters, digits and -; unique in the book.
    pub code: String,
    /// As printed on a document.
    pub name: String,
    pub off: CouponOff,
    /// For how many periods: 1 = once; `None` = for ever.
    pub periods: Option<u32>,
    pub redemptions_max: Option<u32>,
    pub redemptions: u32,
    /// The first instant at which it is no longer accepted.
    pub valid_until: Option<DateTime<Utc>>,
    pub archived_at: Option<DateTime<Utc>>,
}

/// A coupon that a subscription has.
#[derive(Clone, Debug, PartialEq)]
pub struct Redeemed {
    pub coupon: Coupon,
    pub redeemed_at: DateTime<Utc>,
    /// Taken away again from here on.
    pub ended_at: Option<DateTime<Utc>>,
    /// The service period, by position, that held the redemption: the first one that it lowers.
    pub first_position: u32,
}

impl Redeemed {
    /// Does it lower what is charged for this period?
    pub fn lowers(&self, period: &ServicePeriod) -> bool {
        self.lowers_ahead(period.position, period.position, period.starts_at)
    }

    /// Does it lower a month that is charged at an instant, in the period at `position`? What it is taken away from later was
    /// charged with it.
    pub fn lowers_ahead(&self, position: u32, month: u32, charged_at: DateTime<Utc>) -> bool {
        let ended = self.ended_at.is_some_and(|ended_at| ended_at <= charged_at);
        let passed = month.checked_sub(self.first_position).filter(|_| position >= self.first_position);
        !ended && passed.is_some_and(|passed| self.coupon.periods.is_none_or(|periods| passed < periods))
    }
}

/// A coupon to be.
#[derive(Clone, Debug)]
pub struct NewCoupon {
    pub code: String,
    pub name: String,
    pub off: CouponOff,
    pub periods: Option<u32>,
    pub redemptions_max: Option<u32>,
    pub valid_until: Option<DateTime<Utc>>,
}

impl NewCoupon {
    fn check(&self, now: DateTime<Utc>) -> Result<()> {
        rules::coupon("code", &self.code)?;
        rules::name("name", &self.name)?;
        match self.off {
            CouponOff::Percent(percent) => {
                must(percent > Percent::ZERO, "percent_off", Rule::MustBeAboveZero, percent)?;
                must(percent <= Percent::WHOLE, "percent_off", Rule::MustNotExceedWhole, percent)?;
            }
            CouponOff::Amount(amount) => must(amount.is_positive(), "amount_off", Rule::MustBeAboveZero, amount)?,
        }
        if let Some(periods) = self.periods {
            rules::between("periods", periods.into(), 1, 600)?;
        }
        if let Some(most) = self.redemptions_max {
            rules::between("redemptions_max", most.into(), 1, i32::MAX.into())?;
        }
        match self.valid_until {
            Some(until) => must(until > now, "valid_until", Rule::MustLieAhead, instant(&until)),
            None => Ok(()),
        }
    }
}

/// Puts a coupon into the catalogue. One whose end lies in the past is refused.
pub async fn create_coupon(tx: &TenantTx, new: &NewCoupon, now: DateTime<Utc>) -> Result<CouponId> {
    new.check(now)?;
    store::insert(tx, new, now).await
}

/// No longer accepted; who has it keeps it.
pub async fn archive_coupon(tx: &TenantTx, id: CouponId, now: DateTime<Utc>) -> Result<()> {
    if store::archive(tx, id, now).await? { Ok(()) } else { Err(SubscriptionError::not_found("coupon", id)) }
}

/// All coupons by code, archived ones included.
pub async fn coupons(tx: &TenantTx) -> Result<Vec<Coupon>> {
    store::all(tx).await
}

/// Coupons by code, from the one after this code on; the empty code is before all.
pub async fn coupons_page(tx: &TenantTx, after: &str, limit: u64) -> Result<Vec<Coupon>> {
    store::page(tx, after, limit).await
}

/// One coupon.
pub async fn coupon(tx: &TenantTx, id: CouponId) -> Result<Option<Coupon>> {
    store::by_id(tx, id).await
}

/// The coupon with this code, whatever its case.
pub async fn coupon_by_code(tx: &TenantTx, code: &str) -> Result<Option<Coupon>> {
    store::by_code(tx, &code.trim().to_ascii_uppercase()).await
}

/// Who has a coupon, and since when: the newest, at most so many.
pub async fn redemptions(
    tx: &TenantTx,
    id: CouponId,
    limit: u64,
) -> Result<Vec<(SubscriptionId, CustomerId, DateTime<Utc>)>> {
    store::redemptions(tx, id, limit).await
}

/// Gives a subscription the coupon with this code, once. It lowers documents from the period that is running on.
///
/// The last redemption is taken once, however many ask for it at the same time: it is counted by the statement that tests it.
pub async fn redeem_coupon(
    tx: &TenantTx,
    subscription_id: SubscriptionId,
    code: &str,
    now: DateTime<Utc>,
) -> Result<CouponId> {
    let subscription = must_lock(tx, subscription_id).await?;
    let ended = subscription.cancelled_at.is_some_and(|ended_at| ended_at <= now);
    must(!ended, "subscription_id", Rule::MustNotBeCancelled, subscription_id)?;
    let code = code.trim().to_ascii_uppercase();
    let coupon = store::by_code(tx, &code).await?;
    let coupon = coupon.ok_or_else(|| SubscriptionError::not_found("coupon", &code))?;
    if let CouponOff::Amount(amount) = coupon.off {
        let currency = must_exist(tx, subscription.customer_id).await?.currency;
        same_currency("code", currency, amount.currency())?;
    }
    let has_it = store::has(tx, coupon.id, subscription_id).await?;
    must(!has_it, "code", Rule::MustBeUnique, &code)?;
    if !store::count(tx, coupon.id, now).await? {
        // Read again: somebody else may have taken the last one just now.
        let coupon = store::by_code(tx, &code).await?.unwrap_or(coupon);
        return refuse_coupon(&coupon, now);
    }
    store::redeem(tx, coupon.id, &subscription, now).await?;
    let text = format!("Coupon {code} was redeemed: {}.", coupon.name);
    add_customer_event(tx, subscription.customer_id, "coupon_redeemed", &text, now, now).await?;
    Ok(coupon.id)
}

fn refuse_coupon<T>(coupon: &Coupon, now: DateTime<Utc>) -> Result<T> {
    match coupon.valid_until {
        _ if coupon.archived_at.is_some() => refuse("code", Rule::MustNotBeArchived, &coupon.code),
        Some(until) if until <= now => refuse("code", Rule::MustBeWithinValidity(until), &coupon.code),
        _ => refuse("code", Rule::MustHaveRedemptionsLeft, &coupon.code),
    }
}

/// Takes a coupon away from a subscription: later periods pay in full. The redemption stays counted.
pub async fn end_coupon(
    tx: &TenantTx,
    coupon_id: CouponId,
    subscription_id: SubscriptionId,
    now: DateTime<Utc>,
) -> Result<()> {
    let subscription = must_lock(tx, subscription_id).await?;
    if !store::end(tx, coupon_id, subscription_id, now).await? {
        return Err(SubscriptionError::not_found("redemption", coupon_id));
    }
    add_customer_event(tx, subscription.customer_id, "coupon_ended", "A coupon was taken away.", now, now).await
}
