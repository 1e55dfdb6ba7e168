//! One book in EUR with the standard meters.

use chrono::{DateTime, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{CustomerId, PlatformReason, SubscriptionId, TenantId, TenantTx};
use ledger::Violation;
use money::Currency;
use pricing::Price;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use subscription::{Billed, Component, ComponentKind, LateUsage, NewCustomer, NewPlanVersion, NewSubscription};
use tenant::{NewOrganisation, OrganisationKind, RoundCallsTo};
use usage_metering::{Aggregate, Outcome, UsageEvent, UsageQuery};

pub const NOW: &str = "2026-03-15T12:00:00Z";

pub struct World {
    pub database: TestDatabase,
    pub tenant: TenantId,
}

impl World {
    pub async fn new() -> World {
        let database = fresh_database().await;
        let ptx = database.db.platform(PlatformReason::Provision).await.unwrap();
        let new = NewOrganisation {
            kind: OrganisationKind::Tenant,
            name: "acme".to_owned(),
            slug: "acme".to_owned(),
            currency: Currency::EUR,
            time_zone: "Europe/Berlin".to_owned(),
            country: "DE".to_owned(),
            legal_name: "acme GmbH".to_owned(),
            address_lines: Vec::new(),
            contact_lines: Vec::new(),
            tax_id: None,
            bank: Vec::new(),
            language: "en".to_owned(),
            series_prefix: "AC".to_owned(),
            tax_percent: Decimal::from(19),
            round_calls_to: RoundCallsTo::Micros,
        };
        let tenant = tenant::create_organisation(&ptx, &new, at("2026-01-01T00:00:00Z")).await.unwrap();
        ptx.commit().await.unwrap();
        let world = World { database, tenant };
        let tx = world.tx().await;
        usage_metering::define_standard_meters(&tx).await.unwrap();
        tx.commit().await.unwrap();
        world
    }

    pub async fn tx(&self) -> TenantTx {
        self.database.db.tenant(self.tenant).await.unwrap()
    }

    pub async fn customer(&self, customer_no: &str, time_zone: &str) -> CustomerId {
        let tx = self.tx().await;
        let anchor_on = "2026-01-01".parse().unwrap();
        let new = NewCustomer::postpaid(customer_no, customer_no, Currency::EUR, time_zone, "DE", anchor_on);
        let id = subscription::create_customer(&tx, &new, at("2026-01-01T08:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A subscription since 1 March that charges minutes with these dimensions.
    pub async fn subscribe(&self, customer_id: CustomerId, plan: &str, filter: &[(&str, &str)]) -> SubscriptionId {
        self.subscribe_late(customer_id, plan, filter, LateUsage::Bill).await
    }

    /// The same, with what its plan says of late usage.
    pub async fn subscribe_late(
        &self,
        customer_id: CustomerId,
        plan: &str,
        filter: &[(&str, &str)],
        late_usage: LateUsage,
    ) -> SubscriptionId {
        let component = Component {
            key: "minutes".to_owned(),
            kind: ComponentKind::Usage,
            name: "Minutes".to_owned(),
            measure: Some("minutes".to_owned()),
            filter: dimensions(filter),
            included: Decimal::ZERO,
            minimum_quantity: Decimal::ZERO,
            price: Price::per_unit(Decimal::ONE),
            billed: Billed::InArrears,
        };
        let (tx, starts_at) = (self.tx().await, at("2026-03-01T00:00:00Z"));
        let plan_id = subscription::create_plan(&tx, plan, plan, "", false).await.unwrap();
        let version = NewPlanVersion { late_usage, ..NewPlanVersion::monthly(Currency::EUR, vec![component]) };
        let plan_version_id = subscription::publish_version(&tx, plan_id, &version, starts_at).await.unwrap();
        let anchor_on = "2026-03-01".parse().unwrap();
        let new = NewSubscription { customer_id, plan_version_id, seats: 0, anchor_on, starts_at, trial: false };
        let id = subscription::subscribe(&tx, &new, starts_at).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// From outside, at NOW.
    pub async fn ingest(&self, events: &[UsageEvent]) -> Vec<Outcome> {
        usage_metering::ingest(&self.database.db, self.tenant, events, at(NOW)).await.unwrap()
    }

    /// From inside a transaction, at NOW.
    pub async fn ingest_in(&self, events: &[UsageEvent]) -> Vec<Outcome> {
        let tx = self.tx().await;
        let outcomes = usage_metering::ingest_in(&tx, events, at(NOW)).await.unwrap();
        tx.commit().await.unwrap();
        outcomes
    }

    pub async fn fold(&self) -> u64 {
        let tx = self.tx().await;
        let folded = usage_metering::fold(&tx, at(NOW)).await.unwrap();
        tx.commit().await.unwrap();
        folded
    }

    /// All that a customer used of a meter in March 2026 (UTC).
    pub async fn used(&self, customer_id: CustomerId, meter: &str) -> String {
        self.used_of(customer_id, meter, &[], None, Aggregate::Sum).await
    }

    pub async fn used_of(
        &self,
        customer_id: CustomerId,
        meter: &str,
        filter: &[(&str, &str)],
        subscription_id: Option<SubscriptionId>,
        aggregate: Aggregate,
    ) -> String {
        let query = UsageQuery {
            customer_id,
            of: subscription_id.map_or(usage_metering::UsageOf::Customer, usage_metering::UsageOf::Named),
            meter: meter.to_owned(),
            filter: dimensions(filter),
            from: at("2026-03-01T00:00:00Z"),
            to: at("2026-04-01T00:00:00Z"),
        };
        usage_metering::quantity(&self.tx().await, &query, aggregate).await.unwrap().to_string()
    }

    /// Causes of what waits, sorted.
    pub async fn suspense(&self) -> Vec<&'static str> {
        let waiting = usage_metering::open_suspense(&self.tx().await, 1000).await.unwrap();
        let mut causes: Vec<&'static str> = waiting.into_iter().map(|entry| entry.cause.as_str()).collect();
        causes.sort();
        causes
    }

    pub async fn violations(&self) -> Vec<Violation> {
        usage_metering::check(&self.tx().await, at(NOW)).await.unwrap()
    }
}

/// Minutes on topic law at 10:00 UTC on 2 March.
pub fn event(id: &str, customer_id: CustomerId, quantity: &str) -> UsageEvent {
    UsageEvent {
        source: "switch".to_owned(),
        id: id.to_owned(),
        meter: "minutes".to_owned(),
        customer_id,
        subscription_id: None,
        quantity: quantity.parse().unwrap(),
        dimensions: dimensions(&[("topic", "law")]),
        occurred_at: at("2026-03-02T10:00:00Z"),
    }
}

pub fn dimensions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
