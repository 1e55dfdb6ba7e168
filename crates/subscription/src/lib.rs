//! What is sold, and to whom: customers, numbers, tariffs and topics, plans and their versions, subscriptions and their periods.
//! Never: charges anything, reads usage or an invoice, changes a published version.
//! Invariants: a number has one owner at any instant; a plan version is published whole or not at all and never changes; keys of
//! components are unique in a subscription, its add-ons included, and no usage is charged by two of its components; bounds of a
//! service period are frozen when it opens; a subscription is its beginning and its dated changes, and undoing one is leaving
//! it out. Start at `life/history.rs`: everything dated, worked out from `change/`; what is sold is in `catalogue/`.

pub mod audit;
mod caller;
mod catalogue;
mod change;
mod customer;
mod entity;
mod error;
mod life;
mod number;
mod partner;
mod pin;
mod quote;
mod rules;
mod store;
mod topic;
mod words;

pub use audit::check;
pub use caller::{
    CalledFrom, PIN_FAILURES_FREE, PIN_WAIT_SECONDS_FIRST, PIN_WAIT_SECONDS_MAX, PinCheck, add_phone,
    customer_by_phone, customer_by_pin, customers_of_calls, phones_of, remove_phone, set_pin,
};
pub use catalogue::{
    Component, Coupon, CouponOff, Draft, Limit, LoyaltyReward, LoyaltyRule, Measure, NewCoupon, NewPlanVersion, Plan,
    PlanVersion, Redeemed, SEAT_MEASURES, TRIAL_DAYS_DEFAULT, TrialUsage, archive_coupon, archive_plan, checked_terms,
    coupon, coupon_by_code, coupons, coupons_page, create_coupon, create_plan, discard_draft, draft, end_coupon,
    lock_draft, plan, plan_names, plan_version, plan_versions, plans, publish_draft, publish_version,
    publish_version_measuring, redeem_coupon, redemptions, rename_plan, save_draft, standard_measures, versions_of,
};
pub use change::{
    Asked, Change, Move, Moved, When, change, changes_billed, changes_by_id, changes_of, move_customers, moves_of,
    moving_later, preview_moves, subscribers, undo_change, undo_move, undone_since, what_if,
};
pub use customer::{
    CUSTOMERS_PER_PAGE_MAX, Customer, CustomerEvent, CustomerFilter, NewCustomer, add_customer_event,
    add_customer_events, billing_period_of_customer, change_customer, close_customer, create_customer, customer,
    customer_by_no, customer_count, customer_events, customer_events_page, customer_of_organisation, customer_zones,
    customers, customers_by_id, lock_customer, next_customer_no,
};
pub use error::{Refusal, Rule, SubscriptionError};
pub use life::{
    Attached, Cause, Coverage, Dated, Due, Ended, Entitled, Entitlements, History, Looked, Metered, Milestone,
    MilestoneKind, NewSubscription, Notice, NoticeKind, Pause, SeatCount, SeatRoom, ServicePeriod, Stretch,
    Subscription, TRIAL_REMINDER_DAYS, agree_trial_end, all_active, coverage, customers_without_method, due,
    entitlement_stamp, entitlements, features, features_of_customer, histories, history, look, method_arrived,
    must_count_seats, open_periods, open_periods_of_many, periods, plan_versions_at, set_past_due, status_after,
    subscribe, subscription, subscriptions_of, subscriptions_of_many, subscriptions_page,
};
pub use number::{
    Number, NumberSetting, NumberTerms, add_number, all_number_terms, all_numbers, assign_number, number, number_owner,
    number_terms, numbers, set_number, set_terms, unassign_number,
};
pub use partner::{
    NETWORK_CUSTOMER_NO, PartnerTerms, SHARE_BY_DEFAULT, Split, all_partner_terms, collected_numbers,
    deliver_collections, follow_customer, network_customers, partner_terms, set_collected, set_partner_terms,
    set_split,
};
pub use quote::{
    Acceptance, Accepted, Estimate, NewEstimate, NewQuote, Offered, Prospect, Quote, QuoteState, QuotedCustomer,
    accept_quote, create_quote, estimate, estimate_by_token, estimates, link_quote, offered, quote, quote_by_token,
    quoted_plans, quotes, save_estimate, send_quote, share_estimate, tenant_of_token, withdraw_quote,
};
pub use topic::{
    NewTopic, StoredTariff, Topic, TopicHistory, publish_tariff, remove_topic, set_topic, tariff, tariffs, topic,
    topic_by_id, topic_history, topics, topics_ever,
};
pub use words::{
    Billed, Billing, ChangeKind, Collection, ComponentKind, EndedBy, LateUsage, MeterStarts, NumberKind, PlanState,
    ShareOf, SubscriptionStatus, TaxTreatment, TrialEnd, UnknownCallers,
};
