//! What is sold: plans, add-ons and their versions, what they charge, and what is taken off.

mod component;
mod coupon;
mod loyalty;
mod plan;
mod terms;

pub use component::{Component, Measure, SEAT_MEASURES, standard_measures};
pub use coupon::{Coupon, CouponOff, Redeemed};
pub use loyalty::{LoyaltyReward, LoyaltyRule};
pub use plan::{
    Plan, archive_plan, create_plan, plan, plan_version, plan_versions, plans, publish_version,
    publish_version_measuring, versions_of,
};
pub use terms::{Limit, NewPlanVersion, PlanVersion, TRIAL_DAYS_DEFAULT, TrialUsage};
