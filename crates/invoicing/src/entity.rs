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

entity! { invoice_run = "invoice_run" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub until_on: Date,
    pub phase: String,
    pub started_by: String,
    pub is_scheduled: bool,
    pub current_customer: Option<String>,
    pub created_at: DateTimeUtc,
    pub drafting_started_at: Option<DateTimeUtc>,
    pub finalising_started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
}}

entity! { invoice_run_item = "invoice_run_item" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub customer_id: Uuid,
    pub state: String,
    pub failure: Option<String>,
    pub draft_id: Option<Uuid>,
    pub document_id: Option<Uuid>,
}}

entity! { draft = "draft" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub customer_id: Uuid,
    pub run_id: Option<Uuid>,
    pub currency: String,
    pub period_starts_on: Date,
    pub period_ends_on: Date,
    pub net_micros: i64,
    pub tax_micros: i64,
    pub gross_micros: i64,
    pub content: Json,
    pub created_at: DateTimeUtc,
    pub changed_at: DateTimeUtc,
    pub voided_at: Option<DateTimeUtc>,
    pub finalised_at: Option<DateTimeUtc>,
}}

entity! { document = "document" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub series: String,
    pub serial: i64,
    pub number: String,
    pub customer_id: Uuid,
    pub draft_id: Uuid,
    pub run_id: Option<Uuid>,
    pub corrects: Option<Uuid>,
    pub currency: String,
    pub issued_on: Date,
    pub issued_at: DateTimeUtc,
    pub due_on: Date,
    pub period_starts_on: Date,
    pub period_ends_on: Date,
    pub net_micros: i64,
    pub tax_micros: i64,
    pub gross_micros: i64,
    pub due_micros: i64,
    pub content: Json,
    pub transaction_id: Uuid,
}}

entity! { document_line = "document_line" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub document_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    pub id: Uuid,
    pub customer_id: Uuid,
    pub line_group: String,
    pub subscription_id: Option<Uuid>,
    pub component_key: Option<String>,
    pub topic_id: Option<Uuid>,
    pub text: String,
    pub detail: String,
    pub service_starts_at: DateTimeUtc,
    pub service_ends_at: DateTimeUtc,
    pub service_starts_on: Date,
    pub service_ends_on: Date,
    pub quantity: Decimal,
    pub unit: String,
    pub unit_price: Option<Decimal>,
    pub amount_micros: i64,
    pub gross_micros: Option<i64>,
    pub tax_category: String,
    pub tax_percent: Decimal,
    pub explanation: Json,
    pub source: Json,
    pub corrects_line: Option<Uuid>,
}}

entity! { document_tax = "document_tax" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub document_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub category: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub percent: Decimal,
    pub customer_id: Uuid,
    pub base_micros: i64,
    pub tax_micros: i64,
}}

entity! { document_file = "document_file" {
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub document_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub format: String,
    pub customer_id: Uuid,
    pub content: Vec<u8>,
    pub sha256: Vec<u8>,
    pub made_at: DateTimeUtc,
}}
