//! The life of a subscription: how it began, what its changes make of it, its periods, and who charges what it uses.

mod clock;
mod coverage;
mod entitlements;
mod features;
mod fold;
mod history;
mod milestone;
mod period;
mod stretch;
mod subscription;
mod transition;

pub use clock::{Due, Looked, Notice, NoticeKind, customers_without_method, due, look, method_arrived, set_past_due};
pub use coverage::{Coverage, coverage};
pub use entitlements::{Entitled, Entitlements, Metered, SeatRoom, entitlement_stamp, entitlements};
pub use features::{features, features_of_customer};
pub use history::{Attached, Dated, Ended, History, Pause, SeatCount, histories, history};
pub use milestone::{Milestone, MilestoneKind, TRIAL_REMINDER_DAYS};
pub use period::ServicePeriod;
pub(crate) use period::containing;
pub use stretch::Stretch;
pub(crate) use subscription::must_lock;
pub use subscription::{
    NewSubscription, Subscription, agree_trial_end, all_active, open_periods, open_periods_of_many, periods,
    plan_versions_at, subscribe, subscription, subscriptions_of, subscriptions_of_many, subscriptions_page,
};
pub use transition::{Cause, must_count_seats, status_after};
pub(crate) use transition::{check_result, seats_fit};
