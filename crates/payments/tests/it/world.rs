//! One call centre that bills a client 100.00 net (119.00 gross at 19%) at the beginning of each month, and a caller with a wallet.

use chrono::{DateTime, NaiveDate, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{CustomerId, DocumentId, PlatformReason, TenantId, TenantTx};
use money::{Currency, Money, Percent};
use payments::{Method, NewPayment};
use pricing::Price;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use subscription::{Billed, Component, ComponentKind, NewCustomer, NewPlanVersion, NewSubscription};
use tenant::{NewOrganisation, OrganisationKind, RoundCallsTo};

pub struct World {
    pub database: TestDatabase,
    pub tenant: TenantId,
    pub client: CustomerId,
    pub caller: CustomerId,
}

impl World {
    pub async fn new() -> World {
        let database = fresh_database().await;
        let ptx = database.db.platform(PlatformReason::Provision).await.unwrap();
        let tenant = tenant::create_organisation(&ptx, &acme(), at("2026-01-01T00:00:00Z")).await.unwrap();
        ptx.commit().await.unwrap();
        let tx = database.db.tenant(tenant).await.unwrap();
        let began = at("2026-01-01T08:00:00Z");
        let client = NewCustomer::postpaid("C-1", "Client", Currency::EUR, "Europe/Berlin", "DE", on("2026-01-01"));
        let client = subscription::create_customer(&tx, &client, began).await.unwrap();
        let caller = NewCustomer::prepaid("C-2", "Caller", Currency::EUR, "Europe/Berlin", "DE", on("2026-01-01"));
        let caller = subscription::create_customer(&tx, &caller, began).await.unwrap();
        let plan = subscription::create_plan(&tx, "retainer", "Retainer", "", false).await.unwrap();
        let version = NewPlanVersion {
            term_discount_percent: Percent::ZERO,
            ..NewPlanVersion::monthly(Currency::EUR, vec![retainer()])
        };
        let plan_version_id = subscription::publish_version(&tx, plan, &version, began).await.unwrap();
        let new = NewSubscription {
            customer_id: client,
            plan_version_id,
            seats: 0,
            anchor_on: on("2026-01-01"),
            starts_at: at("2025-12-31T23:00:00Z"),
            trial: false,
        };
        subscription::subscribe(&tx, &new, began).await.unwrap();
        tx.commit().await.unwrap();
        World { database, tenant, client, caller }
    }

    pub async fn tx(&self) -> TenantTx {
        self.database.db.tenant(self.tenant).await.unwrap()
    }

    /// Bills what begins before a day; the client's new document. Issued on the day, due 14 days later.
    pub async fn bill(&self, until: &str) -> DocumentId {
        let tx = self.tx().await;
        let now = at(&format!("{until}T08:00:00Z"));
        let before = invoicing::open_documents(&tx, self.client).await.unwrap();
        let run = invoicing::plan_run(&tx, on(until), "test", now).await.unwrap();
        let drafted = invoicing::draft_some(&tx, run, 100, now).await.unwrap();
        assert_eq!(drafted.counts.failed, 0, "{:?}", invoicing::run_items(&tx, run, None, None, 10).await);
        while invoicing::finalise_some(&tx, run, 100, now).await.unwrap().phase != invoicing::Phase::Done {}
        let after = invoicing::open_documents(&tx, self.client).await.unwrap();
        let new: Vec<_> =
            after.into_iter().filter(|document| before.iter().all(|known| known.id != document.id)).collect();
        tx.commit().await.unwrap();
        assert_eq!(new.len(), 1, "one document a month");
        assert_eq!(new[0].due, eur("119"));
        new[0].id
    }

    pub fn paid(&self, customer_id: CustomerId, amount: &str, reference: &str, received: &str) -> NewPayment {
        NewPayment {
            customer_id,
            amount: eur(amount),
            method: Method::BankTransfer,
            reference: reference.to_owned(),
            received_at: at(received),
            by: "test".to_owned(),
        }
    }
}

fn acme() -> NewOrganisation {
    NewOrganisation {
        kind: OrganisationKind::Tenant,
        name: "Acme".to_owned(),
        slug: "acme".to_owned(),
        currency: Currency::EUR,
        time_zone: "Europe/Berlin".to_owned(),
        country: "DE".to_owned(),
        legal_name: "Acme GmbH".to_owned(),
        address_lines: vec!["Hauptstr. 1".to_owned(), "10115 Berlin".to_owned()],
        contact_lines: Vec::new(),
        tax_id: Some("DE123456789".to_owned()),
        bank: Vec::new(),
        language: "en".to_owned(),
        series_prefix: "AC".to_owned(),
        tax_percent: Decimal::from(19),
        round_calls_to: RoundCallsTo::Micros,
    }
}

fn retainer() -> Component {
    Component {
        key: "retainer".to_owned(),
        kind: ComponentKind::Flat,
        name: "Retainer".to_owned(),
        measure: None,
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price: Price::per_unit(Decimal::ONE_HUNDRED),
        billed: Billed::InAdvance,
    }
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}
