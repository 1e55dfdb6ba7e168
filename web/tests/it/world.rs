//! An operator with a tenant of its own, and a reseller on its own host with one below it. Nord sells calls to two customers.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{AgentId, CallId, CustomerId, DocumentId, PersonId, PlatformReason, SubscriptionId, TenantId, TenantTx};
use money::{Currency, Decimal, Money};
use pricing::{Per, Tariff};
use ringtill::app::App;
use ringtill::clock::Clock;
use ringtill::config::{Config, DatabaseSettings, HttpSettings, SipSettings};
use subscription::{
    Billed, Component, ComponentKind, MeterStarts, NewCustomer, NewPlanVersion, NewSubscription, NewTopic, NumberKind,
    NumberSetting, UnknownCallers,
};
use tenant::{KeyMode, NewApiKey, NewMember, NewOrganisation, OrganisationKind, Role, RoundCallsTo, Scope};

pub const PASSWORD: &str = "correct horse battery";
/// The operator's own host, reached over TLS.
pub const MAIN: &str = "ringtill.example";
/// The reseller's.
pub const VOSS: &str = "calls.voss.example";
pub const NUMBER: &str = "+4930900100";

pub struct World {
    pub database: TestDatabase,
    pub app: App,
    pub operator: TenantId,
    pub reseller: TenantId,
    /// Below the operator.
    pub nord: TenantId,
    /// Below the reseller.
    pub bright: TenantId,
    pub lena: AgentId,
    /// Prepaid, who signs in as jonas@nord.example.
    pub jonas: CustomerId,
    /// Prepaid, another one.
    pub petra: CustomerId,
}

/// Monday, 2 March 2026, 10:00 UTC.
pub fn start() -> DateTime<Utc> {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

pub fn founded() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn organisation(kind: OrganisationKind, slug: &str) -> NewOrganisation {
    NewOrganisation {
        kind,
        name: slug.to_uppercase(),
        slug: slug.to_owned(),
        currency: Currency::EUR,
        time_zone: "Europe/Berlin".into(),
        country: "DE".into(),
        legal_name: format!("{slug} GmbH"),
        address_lines: vec!["Hauptstr. 1".into(), "10115 Berlin".into()],
        contact_lines: Vec::new(),
        tax_id: Some("DE123456789".into()),
        bank: vec![("IBAN".into(), "DE02120300000000202051".into())],
        language: "en".into(),
        series_prefix: slug.to_uppercase(),
        tax_percent: "19".parse().unwrap(),
        round_calls_to: RoundCallsTo::Micros,
    }
}

pub fn prepaid(no: &str, name: &str) -> NewCustomer {
    NewCustomer::prepaid(no, name, Currency::EUR, "Europe/Berlin", "DE", NaiveDate::from_ymd_opt(2026, 1, 1).unwrap())
}

impl World {
    pub async fn new() -> World {
        let database = fresh_database().await;
        let app = App::on(database.db.clone(), Clock::standing_at(start()), &config()).unwrap();
        let ptx = database.db.platform(PlatformReason::Provision).await.unwrap();
        let mut ids = Vec::new();
        for (kind, slug) in [
            (OrganisationKind::Operator, "operator"),
            (OrganisationKind::Reseller, "voss"),
            (OrganisationKind::Tenant, "nord"),
            (OrganisationKind::Tenant, "bright"),
        ] {
            ids.push(tenant::create_organisation(&ptx, &organisation(kind, slug), founded()).await.unwrap());
        }
        let [operator, reseller, nord, bright] = ids.try_into().unwrap();
        tenant::add_domain(&ptx, VOSS, reseller, Some(founded())).await.unwrap();
        tenant::add_domain(&ptx, "unproven.example", reseller, None).await.unwrap();
        let number = subscription::add_number(&ptx, NUMBER, NumberKind::Local).await.unwrap();
        subscription::assign_number(&ptx, number, nord, founded()).await.unwrap();
        usage_metering::ensure_partitions(&ptx, founded().date_naive(), 6).await.unwrap();
        ptx.commit().await.unwrap();
        for (seller, child) in [(operator, reseller), (operator, nord), (reseller, bright)] {
            below(&database, seller, child).await;
        }
        let white_label = NewPlanVersion {
            features: vec!["white_label".into()],
            ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "99.00")])
        };
        sell(&database, operator, reseller, "white-label", &white_label, 0).await;
        let tx = database.db.tenant(nord).await.unwrap();
        usage_metering::define_standard_meters(&tx).await.unwrap();
        number_and_topic(&tx, number).await;
        let jonas = subscription::create_customer(&tx, &prepaid("N-1", "Jonas Weber"), founded()).await.unwrap();
        let petra = subscription::create_customer(&tx, &prepaid("N-2", "Petra Lange"), founded()).await.unwrap();
        for customer in [jonas, petra] {
            let amount = Money::parse("50.00", Currency::EUR).unwrap();
            ledger::top_up(&tx, customer, amount, &format!("first {customer}"), "Top-up", founded(), founded())
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let nobody = AgentId::new();
        let mut world = World { database, app, operator, reseller, nord, bright, lena: nobody, jonas, petra };
        world.people().await;
        world
    }

    async fn people(&mut self) {
        self.member(self.operator, "ops@ringtill.example", Role::Owner, None).await;
        self.member(self.reseller, "admin@voss.example", Role::Owner, None).await;
        self.member(self.bright, "admin@bright.example", Role::Admin, None).await;
        self.member(self.nord, "admin@nord.example", Role::Admin, None).await;
        self.member(self.nord, "jonas@nord.example", Role::Customer, Some(self.jonas)).await;
        let lena = self.member(self.nord, "lena@nord.example", Role::Agent, None).await;
        let tx = self.database.db.tenant(self.nord).await.unwrap();
        self.lena = tenant::add_agent(&tx, lena, "Lena Vogt", "lena.nord", founded()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A member; the same e-mail address is the same person.
    pub async fn member(
        &self,
        tenant_id: TenantId,
        email: &str,
        role: Role,
        customer_id: Option<CustomerId>,
    ) -> db::MemberId {
        let ptx = self.database.db.platform(PlatformReason::Provision).await.unwrap();
        let person_id: PersonId = match tenant::person_by_email(&ptx, email).await.unwrap() {
            Some(person) => person,
            None => tenant::create_person(&ptx, email, email, PASSWORD, founded()).await.unwrap(),
        };
        ptx.commit().await.unwrap();
        let tx = self.database.db.tenant(tenant_id).await.unwrap();
        let new = NewMember { person_id, name: email.to_owned(), email: email.to_owned(), role, customer_id };
        let member = tenant::add_member(&tx, new, founded()).await.unwrap();
        tx.commit().await.unwrap();
        member
    }

    /// An API key of an organisation, as text.
    pub async fn key(&self, tenant_id: TenantId, scopes: &[&str]) -> String {
        let tx = self.database.db.tenant(tenant_id).await.unwrap();
        let new = NewApiKey {
            name: "a test".into(),
            mode: KeyMode::Live,
            scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
            expires_at: None,
            by: "a test".into(),
        };
        let (_, secret) = tenant::create_api_key(&tx, &new, founded()).await.unwrap();
        tx.commit().await.unwrap();
        secret.expose().to_owned()
    }

    /// A key that may do everything.
    pub async fn mighty_key(&self, tenant_id: TenantId) -> String {
        let scopes: Vec<&str> = Scope::all().map(Scope::as_str).collect();
        self.key(tenant_id, &scopes).await
    }

    pub async fn nord(&self) -> TenantTx {
        self.database.db.tenant(self.nord).await.unwrap()
    }

    /// Ten minutes of a customer's in January, settled, and the invoice for them.
    pub async fn called_and_billed(&self, customer_id: CustomerId) -> (CallId, DocumentId) {
        let began = founded() + TimeDelta::days(9);
        let call = call_control::FinishedCall {
            call_id: CallId::new(),
            called: NUMBER.into(),
            caller: None,
            customer_id,
            digit: 1,
            agent_id: None,
            handled_by: call_control::HandledBy::Core,
            started_at: began,
            answered_at: Some(began),
            meter_started_at: Some(began),
            ended_at: began + TimeDelta::minutes(10),
            metered_ms: 600_000,
            end_cause: sip_media::EndCause::CallerHungUp,
            language: None,
            region: None,
        };
        let tx = self.nord().await;
        call_control::settle_finished(&tx, std::slice::from_ref(&call), start()).await.unwrap();
        while usage_metering::fold(&tx, start()).await.unwrap() > 0 {}
        let run = invoicing::plan_run(&tx, start().date_naive(), "test", start()).await.unwrap();
        invoicing::draft_some(&tx, run, 50, start()).await.unwrap();
        invoicing::finalise_some(&tx, run, 50, start()).await.unwrap();
        let filter = invoicing::DocumentFilter { customer_id: Some(customer_id), ..Default::default() };
        let document = invoicing::documents(&tx, &filter).await.unwrap().first().expect("January is billed").id;
        tx.commit().await.unwrap();
        (call.call_id, document)
    }

    /// When Lena's present stay on a seat began.
    pub async fn lena_sits_since(&self) -> Option<DateTime<Utc>> {
        let statuses = tenant::agent_states(&self.nord().await).await.unwrap();
        statuses.into_iter().find(|status| status.agent_id == self.lena).and_then(|status| status.seat_opened_at)
    }
}

pub fn config() -> Config {
    let nowhere = "127.0.0.1:0".parse().unwrap();
    Config {
        database: DatabaseSettings {
            owner_url: String::new().into(),
            role_password: String::new().into(),
            connections_max: 1,
        },
        http: HttpSettings { listen: nowhere, host: MAIN.into(), proxies: Vec::new() },
        sip: SipSettings {
            listen: nowhere,
            advertised: nowhere.ip(),
            tls: None,
            authorities: None,
            trusted: Vec::new(),
            spool: "/nowhere".into(),
        },
        mail: None,
        secret: String::from("0123456789abcdef0123456789abcdef").into(),
    }
}

async fn below(database: &TestDatabase, seller: TenantId, child: TenantId) {
    let tx = database.db.tenant(seller).await.unwrap();
    let customer = NewCustomer {
        organisation_id: Some(child),
        billing: subscription::Billing::Postpaid,
        ..prepaid(&format!("B-{child}"), "Below")
    };
    let customer = subscription::create_customer(&tx, &customer, founded()).await.unwrap();
    tx.commit().await.unwrap();
    let ptx = database.db.platform(PlatformReason::Provision).await.unwrap();
    tenant::set_parent(&ptx, child, seller, customer, founded()).await.unwrap();
    ptx.commit().await.unwrap();
}

/// A fee in advance.
pub fn flat(key: &str, amount: &str) -> Component {
    Component {
        key: key.into(),
        kind: ComponentKind::Flat,
        name: key.into(),
        measure: None,
        filter: Default::default(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price: pricing::Price::per_unit(amount.parse().unwrap()),
        billed: Billed::InAdvance,
    }
}

/// Publishes a plan in a seller's book and puts the child on it from the beginning.
pub async fn sell(
    database: &TestDatabase,
    seller: TenantId,
    child: TenantId,
    code: &str,
    terms: &NewPlanVersion,
    seats: u32,
) -> SubscriptionId {
    let tx = database.db.tenant(seller).await.unwrap();
    let customer = subscription::customer_of_organisation(&tx, child).await.unwrap().expect("the child is a customer");
    let plan = subscription::create_plan(&tx, code, code, "", false).await.unwrap();
    let plan_version_id = subscription::publish_version(&tx, plan, terms, founded()).await.unwrap();
    let new = NewSubscription {
        customer_id: customer.id,
        plan_version_id,
        seats,
        anchor_on: NaiveDate::from_ymd_opt(2026, 1, 1).unwrap(),
        starts_at: founded(),
        trial: false,
    };
    let id = subscription::subscribe(&tx, &new, founded()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn number_and_topic(tx: &TenantTx, number_id: db::NumberId) {
    let setting = NumberSetting {
        number_id,
        label: "Line 1".into(),
        language: "en".into(),
        unknown_callers: UnknownCallers::Refuse,
    };
    subscription::set_number(tx, &setting).await.unwrap();
    let tariff = Tariff::flat("0.60".parse().unwrap(), Per::Minute);
    let tariff_id = subscription::publish_tariff(tx, "Support", Currency::EUR, &tariff, founded()).await.unwrap();
    let topic =
        NewTopic { number_id, digit: 1, name: "Support".into(), tariff_id, meter_starts: MeterStarts::AgentJoined };
    subscription::set_topic(tx, &topic, founded()).await.unwrap();
}
