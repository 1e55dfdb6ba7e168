//! What a story is told with: the demo world on its first day, a clock that travels, and an edge that carries calls.

use call_control::Control;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::testing::{TestDatabase, fresh_database};
use db::{CallId, CustomerId, TenantId, TenantTx};
use money::{Currency, Decimal, Money};
use ringtill::app::App;
use ringtill::clock::Clock;
use ringtill::config::{Config, DatabaseSettings, HttpSettings, SipSettings};
use ringtill::demo::{Cast, World};
use secrecy::ExposeSecret;
use sip_media::{
    Admission, CallControl, CallEvent, CallEventKind, EndCause, Grant, IncomingCall, Service, TopicDecision,
};
use std::time::Duration;
use usage_metering::{Aggregate, UsageQuery};

/// Rounds of the worker after which a story that is still busy is wrong.
const ROUNDS_MAX: u32 = 100;

/// An instant, as `2026-03-03T10:00:00Z`.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A day, as `2026-04-01`.
pub fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

pub fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// The demo world with everybody in it and nothing that has happened, and the product that runs on it.
pub struct Story {
    pub database: TestDatabase,
    pub app: App,
    pub world: World,
    cast: Vec<Cast>,
}

impl Story {
    pub async fn begins(instant: &str) -> Story {
        let database = fresh_database().await;
        let (world, cast) = ringtill::demo::found(&database.db, at(instant), &|_: &str| {}).await.unwrap();
        let app = App::on(database.db.clone(), Clock::standing_at(at(instant)), &config(&database)).unwrap();
        Story { database, app, world, cast }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    pub fn travel_to(&self, instant: &str) {
        assert!(at(instant) >= self.now(), "a story goes forward");
        self.app.clock.travel_to(at(instant));
    }

    /// The customer of this number in its call centre's book.
    pub fn customer(&self, customer_no: &str) -> CustomerId {
        let cast = self.cast.iter().find(|cast| cast.caller.customer_no == customer_no);
        cast.expect("the demo world has this customer").customer_id
    }

    pub async fn book(&self, tenant_id: TenantId) -> TenantTx {
        self.database.db.tenant(tenant_id).await.unwrap()
    }

    /// The worker works until it has nothing more to do.
    pub async fn work(&self) {
        for _ in 0..ROUNDS_MAX {
            if !ringtill::worker::round(&self.app).await.unwrap() {
                return;
            }
        }
        panic!("the worker was still busy after {ROUNDS_MAX} rounds");
    }

    /// How much of a meter a customer of a book used in March 2026, in Berlin's days.
    pub async fn used_in_march(&self, book: TenantId, customer_id: CustomerId, meter: &str) -> Decimal {
        let (from, to) = (at("2026-02-28T23:00:00Z"), at("2026-03-31T22:00:00Z"));
        let query = UsageQuery {
            customer_id,
            of: usage_metering::UsageOf::Customer,
            meter: meter.into(),
            filter: Default::default(),
            from,
            to,
        };
        usage_metering::quantity(&self.book(book).await, &query, Aggregate::Sum).await.unwrap().normalize()
    }

    /// (balance, reserved) of a customer's wallet in Nordlicht's book.
    pub async fn wallet(&self, customer_id: CustomerId) -> (Money, Money) {
        let tx = self.book(self.world.nordlicht).await;
        let wallet = ledger::wallet_of(&tx, customer_id).await.unwrap().unwrap();
        (wallet.balance, wallet.reserved)
    }

    /// The sums of Nordlicht's accounts by kind, those at zero left out.
    pub async fn trial_balance(&self) -> Vec<(&'static str, Money)> {
        let lines = ledger::trial_balance(&self.book(self.world.nordlicht).await, self.now()).await.unwrap();
        let mut sums: Vec<_> = lines.into_iter().map(|line| (line.kind.code(), line.balance)).collect();
        sums.retain(|(_, balance)| !balance.is_zero());
        sums.sort_unstable_by_key(|(kind, _)| *kind);
        sums
    }

    pub async fn assert_audit_is_clean(&self) {
        let report = ringtill::audit::check_all(&self.database.db, self.now()).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

/// The settings of a product without listeners: only the host, the SIP address and the key are read.
fn config(database: &TestDatabase) -> Config {
    let listen = "127.0.0.1:5070".parse().unwrap();
    Config {
        database: DatabaseSettings {
            owner_url: database.owner.expose_secret().to_owned().into(),
            role_password: String::from("unused").into(),
            connections_max: 4,
        },
        http: HttpSettings { listen, host: "localhost".into(), proxies: Vec::new() },
        sip: SipSettings {
            listen,
            advertised: listen.ip(),
            tls: None,
            authorities: None,
            trusted: Vec::new(),
            spool: std::env::temp_dir(),
        },
        mail: None,
        secret: "0123456789abcdef0123456789abcdef".to_owned().into(),
    }
}

/// A call as the SIP edge carries it: it asks, obeys, and tells what happened, with offsets to the millisecond.
pub struct EdgeCall {
    control: Control,
    id: uuid::Uuid,
    began: DateTime<Utc>,
    offset_ms: u64,
    meter_began_ms: u64,
    grant: Option<Grant>,
    /// Everything told so far.
    told: Vec<CallEvent>,
}

impl EdgeCall {
    /// The story's clock says when the INVITE arrives; the number knows the caller and answers.
    pub async fn arrives(story: &Story, called: &str, caller: &str) -> EdgeCall {
        let control = Control::new(story.database.db.clone());
        let (id, began) = (uuid::Uuid::now_v7(), story.now());
        let mut call = EdgeCall { control, id, began, offset_ms: 0, meter_began_ms: 0, grant: None, told: Vec::new() };
        let (called, caller, sip_call_id) = (called.to_owned(), Some(caller.to_owned()), "1@phone".to_owned());
        let incoming = IncomingCall {
            call_id: id,
            sip_call_id: sip_call_id.clone(),
            called: called.clone(),
            caller: caller.clone(),
            received_at: began,
        };
        call.tell(CallEventKind::CallStarted { called, caller, sip_call_id }).await;
        let admission = call.control.admit(&incoming).await.unwrap();
        assert!(matches!(admission, Admission::Menu { .. }), "{admission:?}");
        call.tell(CallEventKind::CallerIdentified { by_pin: false }).await;
        call.tell(CallEventKind::CallAnswered { codec: "PCMU".into() }).await;
        call
    }

    pub fn id(&self) -> CallId {
        CallId::from_uuid(self.id)
    }

    pub fn time(&self) -> DateTime<Utc> {
        self.began + TimeDelta::milliseconds(i64::try_from(self.offset_ms).unwrap())
    }

    pub fn pass_ms(&mut self, milliseconds: u64) {
        self.offset_ms += milliseconds;
    }

    pub async fn presses(&mut self, digit: u8) -> (Service, Grant) {
        self.tell(CallEventKind::TopicSelected { digit }).await;
        // Lena's phone is registered; whether it is rung is for her seat to say.
        let phones = [super::a_call_becomes_cash::LENA.to_owned()];
        match self.control.choose_topic(self.id, digit, &phones, self.time()).await.unwrap() {
            TopicDecision::Serve { service, grant } => {
                self.grant = Some(grant);
                (service, grant)
            }
            TopicDecision::Refuse(reason) => panic!("refused: {reason:?}"),
        }
    }

    /// An agent's phone is rung and picked up; that starts the meter.
    pub async fn is_answered_by(&mut self, username: &str) {
        self.tell(CallEventKind::AgentRinging { username: username.into() }).await;
        self.pass_ms(6_000);
        self.tell(CallEventKind::AgentJoined { username: username.into() }).await;
        self.meter_began_ms = self.offset_ms;
        self.tell(CallEventKind::MeterStarted).await;
    }

    /// Talks for so many metered seconds; money is asked for in time, and there must be enough. How often it was asked for.
    pub async fn talks(&mut self, seconds: u32) -> u32 {
        let mut renewals = 0;
        while let Some(Grant { authorised_seconds: Some(authorised), renew_at_second, is_final }) = self.grant {
            if authorised >= seconds {
                break;
            }
            assert!(!is_final, "the money ends after {authorised} s");
            self.offset_ms = self.meter_began_ms + u64::from(renew_at_second) * 1_000;
            let metered = Duration::from_secs(renew_at_second.into());
            let grant = self.control.renew(self.id, metered, self.time()).await.unwrap();
            let Grant { authorised_seconds, is_final, .. } = grant;
            self.tell(CallEventKind::GrantRenewed { authorised_seconds, is_final }).await;
            self.grant = Some(grant);
            renewals += 1;
        }
        self.offset_ms = self.meter_began_ms + u64::from(seconds) * 1_000;
        renewals
    }

    /// The caller hangs up; the call is settled. What is charged is the time since the meter began.
    pub async fn hangs_up(&mut self, username: &str) {
        self.tell(CallEventKind::AgentLeft { username: username.into() }).await;
        let metered_ms = self.offset_ms - self.meter_began_ms;
        let (rtp_received, rtp_sent) = (metered_ms / 20, metered_ms / 20);
        let cause = EndCause::CallerHungUp;
        let ended =
            CallEventKind::CallEnded { cause, sip_status: None, metered_ms, estimated: false, rtp_received, rtp_sent };
        self.tell(ended).await;
    }

    /// Tells everything again, as an edge does whose acknowledgement was lost.
    pub async fn tells_everything_again(&self) {
        self.control.record(&self.told).await.unwrap();
    }

    async fn tell(&mut self, kind: CallEventKind) {
        let seq = u32::try_from(self.told.len()).unwrap() + 1;
        let event = CallEvent { call_id: self.id, seq, at: self.time(), offset_ms: self.offset_ms, kind };
        self.control.record(std::slice::from_ref(&event)).await.unwrap();
        self.told.push(event);
    }
}
