//! The table of calls as sea-orm sees it; private to this crate.

pub mod call {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "call")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub tenant_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub started_at: DateTimeUtc,
        pub answered_at: Option<DateTimeUtc>,
        pub meter_started_at: Option<DateTimeUtc>,
        pub ended_at: Option<DateTimeUtc>,
        pub number_id: Uuid,
        pub called: String,
        pub caller: Option<String>,
        pub customer_id: Option<Uuid>,
        pub topic_id: Option<Uuid>,
        pub topic_name: Option<String>,
        pub digit: Option<i32>,
        pub agent_id: Option<Uuid>,
        pub state: String,
        pub end_cause: Option<String>,
        pub metered_ms: Option<i64>,
        pub estimated: bool,
        pub charged_by: Option<String>,
        pub tariff_id: Option<Uuid>,
        pub subscription_id: Option<Uuid>,
        pub component_key: Option<String>,
        pub handled_by: Option<String>,
        pub holds_upward: bool,
        pub currency: Option<String>,
        pub authorised_seconds: Option<i32>,
        pub charge_micros: Option<i64>,
        pub billed_seconds: Option<i32>,
        pub net_micros: Option<i64>,
        pub tax_percent: Option<Decimal>,
        pub settled_at: Option<DateTimeUtc>,
        pub transaction_id: Option<Uuid>,
        pub explanation: Option<Json>,
        pub last_seen_at: DateTimeUtc,
        pub collected_by: String,
        pub direction: String,
        pub deck_id: Option<Uuid>,
        pub deck_version: Option<i32>,
        pub language: Option<String>,
        pub region: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
