//! An operator, a reseller below it, and a call centre below that, with a number, topics and callers.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{CustomerId, NumberId, PlatformReason, TariffId, TenantId, TenantTx, TopicId};
use money::{Currency, Decimal, Money};
use pricing::{Per, RateStep, Tariff};
use subscription::{MeterStarts, NewCustomer, NewTopic, NumberKind, NumberSetting, UnknownCallers};
use tenant::{NewOrganisation, OrganisationKind, RoundCallsTo};

pub const NUMBER: &str = "+4930900100";
pub const ANNA: &str = "+491701000001";
pub const FIRM: &str = "+491701000002";
/// "5.00 set-up, 0.50/min for 20 minutes, then 0.25/min", 6-second increments.
pub const STEPS: u8 = 1;
/// 50.00 an hour by the second.
pub const HOURLY: u8 = 2;
/// 0.60 a minute by the second, nothing to connect.
pub const PLAIN: u8 = 3;

pub struct World {
    pub test: TestDatabase,
    pub operator: TenantId,
    pub reseller: TenantId,
    pub centre: TenantId,
    /// The reseller in the operator's book, the centre in the reseller's.
    pub reseller_customer: CustomerId,
    pub centre_customer: CustomerId,
    pub number: NumberId,
    pub topics: Vec<TopicId>,
    /// Prepaid, 20.00.
    pub anna: CustomerId,
    /// Postpaid.
    pub firm: CustomerId,
}

/// Monday, 2 March 2026, 10:00 UTC, plus seconds.
pub fn at(seconds: i64) -> DateTime<Utc> {
    "2026-03-02T10:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

pub fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap()
}

fn organisation(kind: OrganisationKind, slug: &str) -> NewOrganisation {
    NewOrganisation {
        kind,
        name: slug.to_owned(),
        slug: slug.to_owned(),
        currency: Currency::EUR,
        time_zone: "Europe/Berlin".into(),
        country: "DE".into(),
        legal_name: slug.to_owned(),
        address_lines: Vec::new(),
        contact_lines: Vec::new(),
        tax_id: None,
        bank: Vec::new(),
        language: "en".into(),
        series_prefix: slug.to_uppercase(),
        tax_percent: dec("19"),
        round_calls_to: RoundCallsTo::Micros,
    }
}

fn caller(no: &str, name: &str) -> NewCustomer {
    NewCustomer::prepaid(no, name, Currency::EUR, "Europe/Berlin", "DE", day())
}

pub fn tariffs() -> [(&'static str, Tariff); 3] {
    let step = |from_second, rate: &str| RateStep { from_second, rate: dec(rate), increment: None };
    let steps = Tariff {
        connection: dec("5.00"),
        steps: vec![step(0, "0.50"), step(1200, "0.25")],
        increment: 6,
        ..Tariff::flat(dec("0.50"), Per::Minute)
    };
    [
        ("Legal advice", steps),
        ("Coaching", Tariff::flat(dec("50.00"), Per::Hour)),
        ("Support", Tariff::flat(dec("0.60"), Per::Minute)),
    ]
}

impl World {
    pub async fn set() -> World {
        let test = fresh_database().await;
        let ptx = test.db.platform(PlatformReason::Provision).await.unwrap();
        let mut ids = Vec::new();
        for (kind, slug) in [
            (OrganisationKind::Operator, "operator"),
            (OrganisationKind::Reseller, "reseller"),
            (OrganisationKind::Tenant, "centre"),
        ] {
            ids.push(tenant::create_organisation(&ptx, &organisation(kind, slug), at(0)).await.unwrap());
        }
        let number = subscription::add_number(&ptx, NUMBER, NumberKind::Local).await.unwrap();
        subscription::assign_number(&ptx, number, ids[2], at(-86_400)).await.unwrap();
        usage_metering::ensure_partitions(&ptx, day(), 6).await.unwrap();
        ptx.commit().await.unwrap();
        let reseller_customer = child(&test, ids[0], ids[1]).await;
        let centre_customer = child(&test, ids[1], ids[2]).await;
        let tx = test.db.tenant(ids[2]).await.unwrap();
        usage_metering::define_standard_meters(&tx).await.unwrap();
        let setting = NumberSetting {
            number_id: number,
            label: "Line 1".into(),
            language: "en".into(),
            unknown_callers: UnknownCallers::AskPin,
        };
        subscription::set_number(&tx, &setting).await.unwrap();
        let mut topics = Vec::new();
        for (digit, (name, tariff)) in (1..).zip(tariffs()) {
            topics.push(topic(&tx, number, digit, name, &tariff).await.1);
        }
        let anna = subscription::create_customer(&tx, &caller("C-1", "Anna"), at(0)).await.unwrap();
        subscription::add_phone(&tx, anna, ANNA, at(0)).await.unwrap();
        ledger::top_up(&tx, anna, eur("20.00"), "first", "Top-up", at(0), at(0)).await.unwrap();
        let firm = NewCustomer::postpaid("C-2", "Firm", Currency::EUR, "Europe/Berlin", "DE", day());
        let firm = subscription::create_customer(&tx, &firm, at(0)).await.unwrap();
        subscription::add_phone(&tx, firm, FIRM, at(0)).await.unwrap();
        tx.commit().await.unwrap();
        World {
            operator: ids[0],
            reseller: ids[1],
            centre: ids[2],
            reseller_customer,
            centre_customer,
            number,
            topics,
            anna,
            firm,
            test,
        }
    }

    pub async fn tx(&self) -> TenantTx {
        self.book(self.centre).await
    }

    pub async fn book(&self, tenant_id: TenantId) -> TenantTx {
        self.test.db.tenant(tenant_id).await.unwrap()
    }

    pub async fn top_up(&self, amount: &str, key: &str) {
        let tx = self.tx().await;
        ledger::top_up(&tx, self.anna, eur(amount), key, "Top-up", at(0), at(0)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// (balance, reserved) of Anna's wallet.
    pub async fn wallet(&self) -> (Money, Money) {
        let wallet = ledger::wallet_of(&self.tx().await, self.anna).await.unwrap().unwrap();
        (wallet.balance, wallet.reserved)
    }

    /// All invariants of ledger and calls hold in every book.
    pub async fn audit(&self, now: DateTime<Utc>) {
        for book in [self.operator, self.reseller, self.centre] {
            let tx = self.book(book).await;
            assert_eq!(ledger::check(&tx, now).await.unwrap(), []);
            assert_eq!(call_control::check(&tx, now).await.unwrap(), []);
        }
    }

    /// How much of a meter a customer of a book has used in March.
    pub async fn used(&self, book: TenantId, customer_id: CustomerId, meter: &str) -> Decimal {
        let query = usage_metering::UsageQuery {
            customer_id,
            of: usage_metering::UsageOf::Customer,
            meter: meter.into(),
            filter: Default::default(),
            from: "2026-02-28T23:00:00Z".parse().unwrap(),
            to: "2026-03-31T22:00:00Z".parse().unwrap(),
        };
        usage_metering::quantity(&self.book(book).await, &query, usage_metering::Aggregate::Sum).await.unwrap()
    }

    /// Sells the number upward: the reseller takes 30% of the centre's net, the operator half of what the reseller gets.
    pub async fn share(&self) {
        for (book, customer, percent) in
            [(self.reseller, self.centre_customer, "30"), (self.operator, self.reseller_customer, "50")]
        {
            let tx = self.book(book).await;
            let percent = money::Percent::new(dec(percent)).unwrap();
            subscription::set_terms(&tx, self.number, customer, percent).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
}

/// Makes `child` a postpaid customer of `parent`, from yesterday on.
async fn child(test: &TestDatabase, parent: TenantId, child: TenantId) -> CustomerId {
    let tx = test.db.tenant(parent).await.unwrap();
    usage_metering::define_standard_meters(&tx).await.unwrap();
    let new = NewCustomer {
        organisation_id: Some(child),
        ..NewCustomer::postpaid("T-1", "Child", Currency::EUR, "Europe/Berlin", "DE", day())
    };
    let customer_id = subscription::create_customer(&tx, &new, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let ptx = test.db.platform(PlatformReason::Provision).await.unwrap();
    tenant::set_parent(&ptx, child, parent, customer_id, at(-86_400)).await.unwrap();
    ptx.commit().await.unwrap();
    customer_id
}

pub async fn topic(tx: &TenantTx, number_id: NumberId, digit: u8, name: &str, tariff: &Tariff) -> (TariffId, TopicId) {
    let tariff_id = subscription::publish_tariff(tx, name, Currency::EUR, tariff, at(0)).await.unwrap();
    let new = NewTopic { number_id, digit, name: name.into(), tariff_id, meter_starts: MeterStarts::AgentJoined };
    (tariff_id, subscription::set_topic(tx, &new, at(0)).await.unwrap())
}
