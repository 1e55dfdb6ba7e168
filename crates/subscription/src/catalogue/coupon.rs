//! Coupons: a percentage or an amount off, once, for some periods or for ever.

use crate::life::ServicePeriod;
use chrono::{DateTime, Utc};
use db::CouponId;
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
        let ended = self.ended_at.is_some_and(|ended_at| ended_at <= period.starts_at);
        let passed = period.position.checked_sub(self.first_position);
        !ended && passed.is_some_and(|passed| self.coupon.periods.is_none_or(|periods| passed < periods))
    }
}
