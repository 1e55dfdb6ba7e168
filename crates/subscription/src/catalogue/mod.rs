//! What is sold: plans, add-ons and their versions, what they charge, and what is taken off.

mod component;
mod coupon;
mod document;
mod draft;
mod loyalty;
mod plan;
mod reader;
mod terms;

pub use component::{Component, Measure, SEAT_MEASURES, standard_measures};
pub use coupon::{
    Coupon, CouponOff, NewCoupon, Redeemed, archive_coupon, coupon, coupon_by_code, coupons, coupons_page,
    create_coupon, end_coupon, redeem_coupon, redemptions,
};
pub use draft::{Draft, discard_draft, draft, lock_draft, publish_draft, save_draft};
pub use loyalty::{LoyaltyReward, LoyaltyRule};
pub use plan::{
    Plan, archive_plan, checked_terms, create_plan, plan, plan_names, plan_version, plan_versions, plans,
    publish_version, publish_version_measuring, rename_plan, versions_of,
};
pub use terms::{Limit, NewPlanVersion, PlanVersion, TRIAL_DAYS_DEFAULT, TrialUsage};
