//! Rows as stored. Ids are plain UUIDs here and become typed ones in the stores.

macro_rules! entity {
    ($(#[$doc:meta])* $module:ident = $table:literal { $($fields:tt)* }) => {
        $(#[$doc])*
        pub(crate) mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model { $($fields)* }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

entity! { customer = "customer" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub customer_no: String,
    pub name: String,
    pub email: Option<String>,
    pub organisation_id: Option<Uuid>,
    pub billing: String,
    pub currency: String,
    pub time_zone: String,
    pub country: String,
    pub address_lines: Vec<String>,
    pub tax_id: Option<String>,
    pub tax_treatment: String,
    pub payment_terms_days: i32,
    pub anchor_on: Date,
    pub created_at: DateTimeUtc,
    pub closed_at: Option<DateTimeUtc>,
}}

entity! { customer_phone = "customer_phone" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub e164: String,
    pub customer_id: Uuid,
    pub since: Option<DateTimeUtc>,
}}

entity! { customer_event = "customer_event" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub customer_id: Uuid,
    pub at: DateTimeUtc,
    pub kind: String,
    pub text: String,
}}

entity! { tariff = "tariff" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub version: i32,
    pub currency: String,
    pub document: Json,
    pub published_at: DateTimeUtc,
}}

entity! { topic = "topic" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub number_id: Uuid,
    pub digit: i32,
    pub name: String,
    pub tariff_id: Uuid,
    pub meter_starts: String,
    pub removed_at: Option<DateTimeUtc>,
    pub since: Option<DateTimeUtc>,
}}

entity! { plan = "plan" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub code: String,
    pub name: String,
    pub description: String,
    pub is_add_on: bool,
    pub archived_at: Option<DateTimeUtc>,
}}

entity! { plan_version = "plan_version" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub plan_id: Uuid,
    pub version: i32,
    pub currency: String,
    pub term_months: i32,
    pub trial_days: i32,
    pub term_discount_percent: Decimal,
    pub commitment_micros: i64,
    pub features: Vec<String>,
    pub published_at: DateTimeUtc,
    pub fee_cap_micros: Option<i64>,
    pub trial_usage: String,
    pub trial_usage_cap_micros: Option<i64>,
    pub trial_end: String,
    pub late_usage: String,
    pub fixed_terms: Option<i32>,
    pub loyalty: Json,
    pub limits: Json,
    pub seat_limit: Option<i32>,
    pub sells_extra_seats: bool,
}}

entity! { component = "component" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub plan_version_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub position: i32,
    pub kind: String,
    pub name: String,
    pub measure: Option<String>,
    pub filter: Json,
    pub included: Decimal,
    pub price: Json,
    pub billed: String,
    pub minimum_quantity: Decimal,
}}

entity! { subscription = "subscription" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub customer_id: Uuid,
    pub plan_version_id: Uuid,
    pub anchor_on: Date,
    pub time_zone: String,
    pub seats: i32,
    pub started_at: DateTimeUtc,
    pub trial_ends_at: Option<DateTimeUtc>,
    pub cancelled_at: Option<DateTimeUtc>,
    pub ended_by: Option<String>,
    pub past_due_since: Option<DateTimeUtc>,
    pub next_look_at: Option<DateTimeUtc>,
    pub trial_end: Option<String>,
    pub method_missing_since: Option<DateTimeUtc>,
}}

entity! { subscription_change = "subscription_change" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub subscription_id: Uuid,
    pub customer_id: Uuid,
    pub kind: String,
    pub plan_version_id: Option<Uuid>,
    pub seats: Option<i32>,
    pub with_credit: Option<bool>,
    pub effective_at: DateTimeUtc,
    pub asked_at: DateTimeUtc,
    pub asked_by: String,
    pub billed_at: Option<DateTimeUtc>,
    pub undone_at: Option<DateTimeUtc>,
    pub undone_by: Option<String>,
}}

entity! { coupon = "coupon" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub code: String,
    pub name: String,
    pub percent_off: Option<Decimal>,
    pub amount_off_micros: Option<i64>,
    pub currency: Option<String>,
    pub periods: Option<i32>,
    pub redemptions_max: Option<i32>,
    pub redemptions: i32,
    pub valid_until: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub archived_at: Option<DateTimeUtc>,
}}

entity! { coupon_redemption = "coupon_redemption" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub coupon_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subscription_id: Uuid,
    pub customer_id: Uuid,
    pub redeemed_at: DateTimeUtc,
    pub ended_at: Option<DateTimeUtc>,
}}

entity! { service_period = "service_period" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subscription_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    pub customer_id: Uuid,
    pub starts_at: DateTimeUtc,
    pub ends_at: DateTimeUtc,
    pub starts_on: Date,
    pub ends_on: Date,
    pub opened_at: DateTimeUtc,
}}
