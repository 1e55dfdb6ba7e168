//! A book to sell from: one organisation in EUR, Europe/Berlin.

use chrono::{DateTime, NaiveDate, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{CustomerId, PlanVersionId, PlatformReason, TenantId, TenantTx};
use money::{Currency, Percent};
use pricing::Price;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use subscription::{Billed, Component, ComponentKind, NewCustomer, NewPlanVersion, NewSubscription, SubscriptionError};
use tenant::{NewOrganisation, OrganisationKind, RoundCallsTo};

pub struct World {
    pub database: TestDatabase,
    pub tenant: TenantId,
}

impl World {
    pub async fn new() -> World {
        let database = fresh_database().await;
        let tenant = add_organisation(&database, "acme").await;
        World { database, tenant }
    }

    pub async fn tx(&self) -> TenantTx {
        self.database.db.tenant(self.tenant).await.unwrap()
    }

    pub async fn platform(&self) -> db::PlatformTx {
        self.database.db.platform(PlatformReason::Provision).await.unwrap()
    }

    /// A committed postpaid customer in the given zone.
    pub async fn customer(&self, customer_no: &str, time_zone: &str) -> CustomerId {
        let tx = self.tx().await;
        let new = NewCustomer::postpaid(customer_no, customer_no, Currency::EUR, time_zone, "DE", on("2026-01-01"));
        let id = subscription::create_customer(&tx, &new, at("2026-01-01T08:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A committed version of a new plan with these components.
    pub async fn version(&self, code: &str, components: Vec<Component>) -> PlanVersionId {
        self.version_with(code, false, NewPlanVersion::monthly(Currency::EUR, components)).await
    }

    pub async fn version_with(&self, code: &str, is_add_on: bool, new: NewPlanVersion) -> PlanVersionId {
        let tx = self.tx().await;
        let plan = subscription::create_plan(&tx, code, code, "", is_add_on).await.unwrap();
        let id = subscription::publish_version(&tx, plan, &new, at("2026-01-01T08:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        id
    }
}

pub async fn add_organisation(database: &TestDatabase, slug: &str) -> TenantId {
    let new = NewOrganisation {
        kind: OrganisationKind::Tenant,
        name: slug.to_owned(),
        slug: slug.to_owned(),
        currency: Currency::EUR,
        time_zone: "Europe/Berlin".to_owned(),
        country: "DE".to_owned(),
        legal_name: format!("{slug} GmbH"),
        address_lines: vec!["Hauptstr. 1".to_owned()],
        contact_lines: Vec::new(),
        tax_id: None,
        bank: Vec::new(),
        language: "en".to_owned(),
        series_prefix: "AC".to_owned(),
        tax_percent: Decimal::from(19),
        round_calls_to: RoundCallsTo::Micros,
    };
    let ptx = database.db.platform(PlatformReason::Provision).await.unwrap();
    let id = tenant::create_organisation(&ptx, &new, at("2026-01-01T00:00:00Z")).await.unwrap();
    ptx.commit().await.unwrap();
    id
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub fn percent(text: &str) -> Percent {
    text.parse().unwrap()
}

pub fn dimensions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// A subscription without trial or seats whose months begin on the first of the month of its start.
pub fn begins(customer_id: CustomerId, plan_version_id: PlanVersionId, starts: &str) -> NewSubscription {
    NewSubscription {
        customer_id,
        plan_version_id,
        seats: 0,
        anchor_on: on(&format!("{}-01", &starts[..7])),
        starts_at: at(starts),
        trial: false,
    }
}

/// The customer's timeline, the oldest first: `day kind: sentence`.
pub async fn timeline(tx: &TenantTx, customer_id: CustomerId) -> Vec<String> {
    let mut events = subscription::customer_events(tx, customer_id, 100).await.unwrap();
    events.reverse();
    events.into_iter().map(|event| format!("{} {}: {}", event.at.format("%m-%d"), event.kind, event.text)).collect()
}

/// The instant of a day's local midnight in Berlin.
pub fn berlin(day: &str) -> DateTime<Utc> {
    pricing::start_of_day(on(day), "Europe/Berlin").unwrap()
}

pub fn flat(key: &str, unit: &str) -> Component {
    Component {
        key: key.to_owned(),
        kind: ComponentKind::Flat,
        name: key.to_owned(),
        measure: None,
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price: Price::per_unit(unit.parse().unwrap()),
        billed: Billed::InAdvance,
    }
}

pub fn usage(key: &str, meter: &str, filter: &[(&str, &str)]) -> Component {
    Component {
        kind: ComponentKind::Usage,
        measure: Some(meter.to_owned()),
        filter: dimensions(filter),
        billed: Billed::InArrears,
        ..flat(key, "0.10")
    }
}

/// The refused field, the rule's code and the value.
pub fn refused<T>(result: Result<T, SubscriptionError>) -> (String, &'static str, String) {
    match result {
        Err(SubscriptionError::Refused(refusal)) => (refusal.field.clone(), refusal.rule.code(), refusal.value),
        Err(other) => panic!("refused otherwise: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

pub fn is<'a>(field: &str, rule: &'a str, value: &str) -> (String, &'a str, String) {
    (field.to_owned(), rule, value.to_owned())
}
