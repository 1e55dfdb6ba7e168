//! A call centre in Berlin with 19% tax, its catalogue, and a clock that the test sets.

use chrono::{DateTime, NaiveDate, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{CustomerId, DocumentId, PlatformReason, RunId, SubscriptionId, TenantId, TenantTx, TopicId};
use invoicing::{DocumentFilter, DocumentView, ItemState, Line, Phase, Run};
use ledger::{AccountKind, AccountRef};
use money::{Currency, Money, Percent};
use pricing::{Per, Price, Tariff};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use subscription::{
    Billed, Component, ComponentKind, MeterStarts, NewCustomer, NewPlanVersion, NewSubscription, NewTopic, NumberKind,
    NumberSetting, TaxTreatment, UnknownCallers,
};
use tenant::{NewOrganisation, OrganisationKind, RoundCallsTo};
use usage_metering::{Outcome, SuspenseCause, UsageEvent};

pub struct World {
    pub database: TestDatabase,
    pub tenant: TenantId,
}

/// Who a customer is; the rest is a company in Munich.
pub struct Who {
    pub no: &'static str,
    pub prepaid: bool,
    pub treatment: TaxTreatment,
}

pub const POSTPAID: Who = Who { no: "K-1", prepaid: false, treatment: TaxTreatment::Standard };
pub const PREPAID: Who = Who { no: "P-1", prepaid: true, treatment: TaxTreatment::Standard };

impl World {
    pub async fn new() -> World {
        let database = fresh_database().await;
        let ptx = database.db.platform(PlatformReason::Provision).await.unwrap();
        let new = NewOrganisation {
            kind: OrganisationKind::Tenant,
            name: "Northline".to_owned(),
            slug: "northline".to_owned(),
            currency: Currency::EUR,
            time_zone: "Europe/Berlin".to_owned(),
            country: "DE".to_owned(),
            legal_name: "Northline Voice GmbH".to_owned(),
            address_lines: vec!["Schönhauser Allee 12".to_owned(), "10119 Berlin".to_owned()],
            contact_lines: vec!["rechnung@northline.example".to_owned()],
            tax_id: Some("DE123456789".to_owned()),
            bank: vec![
                ("IBAN".to_owned(), "DE89370400440532013000".to_owned()),
                ("BIC".to_owned(), "COBADEFFXXX".to_owned()),
            ],
            language: "en".to_owned(),
            series_prefix: "NL".to_owned(),
            tax_percent: Decimal::from(19),
            round_calls_to: RoundCallsTo::Micros,
        };
        let tenant = tenant::create_organisation(&ptx, &new, at("2025-12-01T00:00:00Z")).await.unwrap();
        usage_metering::ensure_partitions(&ptx, on("2025-12-01"), 18).await.unwrap();
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

    /// A customer since 1 January 2026, whose calls are put on a document by calendar month.
    pub async fn customer(&self, who: Who) -> CustomerId {
        let tx = self.tx().await;
        let anchor_on = on("2026-01-01");
        let mut new = if who.prepaid {
            NewCustomer::prepaid(who.no, "Alpenblick Reisen GmbH", Currency::EUR, "Europe/Berlin", "DE", anchor_on)
        } else {
            NewCustomer::postpaid(who.no, "Alpenblick Reisen GmbH", Currency::EUR, "Europe/Berlin", "DE", anchor_on)
        };
        new.address_lines = vec!["Residenzstraße 27".to_owned(), "80333 München".to_owned()];
        new.tax_treatment = who.treatment;
        new.customer_no = who.no.to_owned();
        let id = subscription::create_customer(&tx, &new, at("2025-12-31T23:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A plan of these components, month by month from a day on.
    pub async fn subscribe(&self, customer: CustomerId, anchor: &str, components: Vec<Component>) -> SubscriptionId {
        self.subscribe_to(
            customer,
            anchor,
            0,
            false,
            NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, components) },
        )
        .await
    }

    pub async fn subscribe_to(
        &self,
        customer_id: CustomerId,
        anchor: &str,
        seats: u32,
        trial: bool,
        version: NewPlanVersion,
    ) -> SubscriptionId {
        let tx = self.tx().await;
        let code = format!("plan-{}", &uuid::Uuid::now_v7().simple().to_string()[20..]);
        let plan = subscription::create_plan(&tx, &code, "Business", "", false).await.unwrap();
        let starts_at = pricing::start_of_day(on(anchor), "Europe/Berlin").unwrap();
        let own = usage_metering::own_measures(&tx).await.unwrap();
        let published = subscription::publish_version_measuring(&tx, plan, &version, &own, starts_at).await;
        let plan_version_id = published.unwrap();
        let new = NewSubscription { customer_id, plan_version_id, seats, anchor_on: on(anchor), starts_at, trial };
        let id = subscription::subscribe(&tx, &new, starts_at).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A number with one topic at 0.50 a minute, tax included.
    pub async fn topic(&self, name: &str) -> TopicId {
        let ptx = self.database.db.platform(PlatformReason::Provision).await.unwrap();
        let e164 = format!("+4930{}", uuid::Uuid::now_v7().as_u128() % 100_000_000);
        let number_id = subscription::add_number(&ptx, &e164, NumberKind::Local).await.unwrap();
        subscription::assign_number(&ptx, number_id, self.tenant, at("2025-12-31T23:00:00Z")).await.unwrap();
        ptx.commit().await.unwrap();
        let tx = self.tx().await;
        let setting = NumberSetting {
            number_id,
            label: name.to_owned(),
            language: "en".to_owned(),
            unknown_callers: UnknownCallers::Refuse,
        };
        subscription::set_number(&tx, &setting).await.unwrap();
        let tariff = Tariff::flat(Decimal::new(50, 2), Per::Minute);
        let tariff_id =
            subscription::publish_tariff(&tx, name, Currency::EUR, &tariff, at("2026-01-01T00:00:00Z")).await.unwrap();
        let topic =
            NewTopic { number_id, digit: 1, name: name.to_owned(), tariff_id, meter_starts: MeterStarts::AgentJoined };
        let id = subscription::set_topic(&tx, &topic, at("2026-01-01T00:00:00Z")).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Usage as the platform itself reports it.
    pub async fn used(
        &self,
        customer_id: CustomerId,
        meter: &str,
        quantity: &str,
        dimensions: &[(&str, &str)],
        occurred_at: &str,
    ) {
        let event = UsageEvent {
            source: "test".to_owned(),
            id: uuid::Uuid::now_v7().to_string(),
            meter: meter.to_owned(),
            customer_id,
            subscription_id: None,
            quantity: quantity.parse().unwrap(),
            dimensions: dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            occurred_at: at(occurred_at),
        };
        let outcomes = usage_metering::ingest(&self.database.db, self.tenant, &[event], at(occurred_at)).await.unwrap();
        // In a pause it waits in suspense, and is billed by nobody.
        let is_known = matches!(outcomes[..], [Outcome::Accepted | Outcome::Suspended(SuspenseCause::NoSubscription)]);
        assert!(is_known, "{meter} at {occurred_at}: {outcomes:?}");
    }

    /// A call charged by its topic's tariff, as call control settles it: posted, and counted on its three meters.
    pub async fn called(&self, customer: CustomerId, topic: TopicId, minutes: &str, charge: &str, at_: &str) {
        let dimensions = [("topic", topic.to_string()), ("charged_by", "tariff".to_owned())];
        let dimensions: Vec<(&str, &str)> = dimensions.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for (meter, quantity) in [("calls", "1"), ("minutes", minutes), ("charge", charge)] {
            self.used(customer, meter, quantity, &dimensions, at_).await;
        }
        let tx = self.tx().await;
        let who = subscription::customer(&tx, customer).await.unwrap().unwrap();
        let charge = eur(charge);
        let key = uuid::Uuid::now_v7().to_string();
        if who.billing == subscription::Billing::Prepaid {
            let top_up = ledger::top_up(&tx, customer, charge, &key, "", at(at_), at(at_)).await.unwrap();
            assert!(top_up.is_new);
            let settle = ledger::Settle {
                call_id: db::CallId::new(),
                leg: ledger::Leg::Caller,
                customer_id: customer,
                charge,
                kind: "call",
                memo: String::new(),
                effective_at: at(at_),
            };
            assert!(ledger::settle(&tx, &settle, at(at_)).await.unwrap().unpaid.is_zero());
        } else {
            let gross = charge.as_decimal();
            let rate = if who.tax_treatment == TaxTreatment::Standard { Decimal::new(119, 2) } else { Decimal::ONE };
            let net = Money::from_decimal(gross / rate, Currency::EUR).unwrap();
            ledger::accrue(&tx, customer, net, &key, "", at(at_), at(at_)).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Plans and drafts a run, block by block of two, until it is ready.
    pub async fn drafted(&self, until: &str, now: &str) -> Run {
        let tx = self.tx().await;
        let id = invoicing::plan_run(&tx, on(until), "test", at(now)).await.unwrap();
        tx.commit().await.unwrap();
        self.draft_on(id, now).await
    }

    pub async fn draft_on(&self, id: RunId, now: &str) -> Run {
        loop {
            let tx = self.tx().await;
            let run = invoicing::draft_some(&tx, id, 2, at(now)).await.unwrap();
            tx.commit().await.unwrap();
            if run.phase == Phase::Ready {
                return run;
            }
        }
    }

    pub async fn finalised(&self, id: RunId, now: &str) -> Run {
        loop {
            let tx = self.tx().await;
            let run = invoicing::finalise_some(&tx, id, 2, at(now)).await.unwrap();
            tx.commit().await.unwrap();
            if run.phase == Phase::Done {
                return run;
            }
        }
    }

    /// A whole run: everything before `until`, issued at noon of that day.
    pub async fn billed(&self, until: &str) -> Run {
        let now = format!("{until}T11:00:00Z");
        let run = self.drafted(until, &now).await;
        let run = self.finalised(run.id, &now).await;
        assert_eq!(self.violations().await, Vec::<String>::new());
        run
    }

    /// A customer's newest document.
    pub async fn invoice(&self, customer: CustomerId) -> DocumentView {
        let tx = self.tx().await;
        let filter = DocumentFilter { customer_id: Some(customer), limit: 1, ..DocumentFilter::default() };
        let newest = invoicing::documents(&tx, &filter).await.unwrap().pop().expect("the customer has a document");
        invoicing::document(&tx, newest.id).await.unwrap()
    }

    pub async fn failures(&self, run: RunId) -> Vec<String> {
        let tx = self.tx().await;
        let items = invoicing::run_items(&tx, run, Some(ItemState::Failed), None, 100).await.unwrap();
        items.into_iter().filter_map(|item| item.failure).collect()
    }

    pub async fn violations(&self) -> Vec<String> {
        let tx = self.tx().await;
        let now = at("2030-01-01T00:00:00Z");
        let mut found = invoicing::check(&tx, now).await.unwrap();
        found.extend(ledger::check_ledger(&tx, now).await.unwrap());
        found.into_iter().map(|violation| format!("{} {}", violation.invariant, violation.detail)).collect()
    }

    /// The balances that a document moves: receivable, unbilled, revenue, tax, rounding (positive = credit).
    pub async fn books(&self, customer: CustomerId) -> [String; 5] {
        let tx = self.tx().await;
        let mut books = Vec::new();
        for account in [
            AccountRef::Customer(AccountKind::Receivable, customer),
            AccountRef::Customer(AccountKind::Unbilled, customer),
            AccountRef::Book(AccountKind::Revenue),
            AccountRef::Book(AccountKind::Tax),
            AccountRef::Book(AccountKind::Rounding),
        ] {
            let balance = ledger::balance(&tx, account, Currency::EUR, at("2030-01-01T00:00:00Z")).await.unwrap();
            books.push(balance.format_plain());
        }
        books.try_into().unwrap()
    }

    pub async fn pdf(&self, id: DocumentId) -> Vec<u8> {
        let tx = self.tx().await;
        let bytes = invoicing::pdf(&tx, id, Some("https://pay.northline.example/i/1"), at("2026-06-01T00:00:00Z"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        bytes
    }
}

/// `text | quantity | amount` of each line.
pub fn lines(view: &DocumentView) -> Vec<String> {
    view.groups.iter().flat_map(|grouped| &grouped.lines).map(spelled).collect()
}

fn spelled(line: &Line) -> String {
    format!("{} | {} | {}", line.text, line.quantity.normalize(), line.amount.format_plain())
}

/// `net + tax = gross, due`.
pub fn totals(view: &DocumentView) -> String {
    let totals = view.document.totals;
    let [net, tax, gross, due] = [totals.net, totals.tax, totals.gross, totals.due].map(|amount| amount.format_plain());
    format!("{net} + {tax} = {gross}, due {due}")
}

pub fn component(key: &str, kind: ComponentKind, measure: Option<&str>, price: Price) -> Component {
    Component {
        key: key.to_owned(),
        kind,
        name: key.to_owned(),
        measure: measure.map(str::to_owned),
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price,
        billed: Billed::InArrears,
    }
}

pub fn each(amount: &str) -> Price {
    Price::per_unit(amount.parse().unwrap())
}

pub fn percent(text: &str) -> Percent {
    text.parse().unwrap()
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}
