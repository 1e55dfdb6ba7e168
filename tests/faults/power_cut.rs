//! kill -9 in the middle of a real call, and right after its end.

use super::audit::assert_audit_is_clean;
use call_control::{Call, CallDetail, CallFilter, CallState};
use chrono::{DateTime, TimeDelta, Utc};
use db::{CustomerId, TenantId, TenantTx};
use ledger::{AccountKind, AccountRef, Leg};
use manual::Program;
use money::{Currency, Money};
use payments::{Method, NewPayment};
use ringtill::clock::Clock;
use ringtill::demo::{JONAS_PHONE, NORDLICHT_ADVICE};
use sip_media::caller::{CallOutcome, CallPlan, Caller, EndedBy};
use std::time::{Duration, Instant};

/// Tenancy law: 5.00 to connect, so that a call is never charged nothing once its meter has run.
const TOPIC: &str = "2";
/// Longest wait for anything that must happen; short where a guard is gone and it never will.
fn patience() -> Duration {
    Duration::from_secs(if std::env::var("RINGTILL_MUTANT").is_ok() { 15 } else { 90 })
}

/// What Jonas has at least, so that no call of these stories meets an empty wallet.
const TOP_UP: &str = "100.00";

/// Jonas, the books he is in, and what was there before the story.
pub struct Jonas {
    nordlicht: TenantId,
    customer_id: CustomerId,
    began_at: DateTime<Utc>,
    pub balance: Money,
    pub charges: usize,
}

pub fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

async fn book(program: &Program, tenant_id: TenantId) -> TenantTx {
    program.database.db.tenant(tenant_id).await.unwrap()
}

/// Polls until there is something, or fails with what was waited for.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let until = Instant::now() + patience();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

impl Jonas {
    pub async fn of(program: &Program) -> Jonas {
        let now = Clock::machine().now();
        let ptx = program.database.db.platform(db::PlatformReason::Audit).await.unwrap();
        let organisations = tenant::organisations(&ptx).await.unwrap();
        ptx.commit().await.unwrap();
        let nordlicht = organisations.iter().find(|organisation| organisation.slug == "nordlicht").unwrap().id;
        let tx = book(program, nordlicht).await;
        let customer_id = subscription::customer_by_phone(&tx, JONAS_PHONE).await.unwrap().unwrap().id;
        let payment = NewPayment {
            customer_id,
            amount: eur(TOP_UP),
            method: Method::BankTransfer,
            reference: "TOP-UP before the power cut".into(),
            received_at: now,
            by: "bank statement".into(),
        };
        payments::top_up(&tx, &payment, now).await.unwrap();
        tx.commit().await.unwrap();
        let mut jonas = Jonas { nordlicht, customer_id, began_at: now, balance: eur("0"), charges: 0 };
        jonas.balance = jonas.wallet(program).await.0;
        jonas.charges = jonas.charges(program).await.len();
        jonas
    }

    /// (balance, reserved)
    pub async fn wallet(&self, program: &Program) -> (Money, Money) {
        let tx = book(program, self.nordlicht).await;
        let wallet = ledger::wallet_of(&tx, self.customer_id).await.unwrap().unwrap();
        (wallet.balance, wallet.reserved)
    }

    /// What calls have taken out of the wallet, newest first.
    pub async fn charges(&self, program: &Program) -> Vec<Money> {
        let tx = book(program, self.nordlicht).await;
        let wallet = AccountRef::Customer(AccountKind::Wallet, self.customer_id);
        let (from, to) = (self.began_at - TimeDelta::days(400), self.began_at + TimeDelta::days(1));
        let lines = ledger::statement(&tx, wallet, Currency::EUR, from, to, 10_000).await.unwrap();
        lines.into_iter().filter(|line| line.kind == "call").map(|line| line.amount).collect()
    }

    /// His calls since the story began.
    async fn calls(&self, program: &Program) -> Vec<Call> {
        let tx = book(program, self.nordlicht).await;
        let filter = CallFilter {
            customer: Some(self.customer_id),
            ..CallFilter::between(self.began_at, self.began_at + TimeDelta::days(1))
        };
        call_control::calls(&tx, &filter).await.unwrap().calls
    }

    pub async fn detail(&self, program: &Program) -> Option<CallDetail> {
        let call = self.calls(program).await.pop()?;
        let tx = book(program, self.nordlicht).await;
        Some(call_control::call(&tx, call.id).await.unwrap())
    }

    /// The one call once its book has settled it.
    pub async fn settled(&self, program: &Program) -> CallDetail {
        wait_for("the call's settlement", || async {
            self.detail(program).await.filter(|detail| detail.call.settled_at.is_some())
        })
        .await
    }
}

/// Calls as Jonas and presses the digit; hangs up after `talk`.
pub fn call(program: &Program, talk: Duration) -> tokio::task::JoinHandle<CallOutcome> {
    let target = program.sip.parse().unwrap();
    let plan = CallPlan::new(target, JONAS_PHONE, NORDLICHT_ADVICE, talk).pressing(TOPIC, Duration::from_secs(1));
    tokio::spawn(async move { Caller::call(plan).await.unwrap() })
}

/// The metered time of the last heartbeat that call control has been told of.
pub fn last_heartbeat_ms(detail: &CallDetail) -> Option<u64> {
    let heartbeats = detail.events.iter().filter(|event| event.kind == "heartbeat");
    heartbeats.filter_map(|event| event.detail["metered_ms"].as_u64()).max()
}

fn times_told(detail: &CallDetail, kind: &str) -> usize {
    detail.events.iter().filter(|event| event.kind == kind).count()
}

/// Charged once, out of the wallet, for what the call says; nothing is held for it any more.
pub async fn assert_charged_once(program: &Program, jonas: &Jonas, detail: &CallDetail) {
    assert_charged_once_and_told(program, jonas, detail, 1).await;
}

/// The same of a call whose end was told so many times.
pub async fn assert_charged_once_and_told(program: &Program, jonas: &Jonas, detail: &CallDetail, told: usize) {
    let charge = detail.call.charge.unwrap();
    assert!(charge.is_positive());
    assert_eq!(detail.recount, Some(charge));
    let charges = jonas.charges(program).await;
    assert_eq!(charges.len(), jonas.charges + 1, "one charge more than before the story");
    assert_eq!(charges[0], charge.checked_neg().unwrap());
    assert_eq!(jonas.wallet(program).await, (jonas.balance.checked_sub(charge).unwrap(), eur("0")));
    let tx = book(program, jonas.nordlicht).await;
    let held = ledger::held(&tx, detail.call.id, Leg::Caller, Currency::EUR).await.unwrap();
    assert_eq!(held.amount, eur("0"));
    drop(tx);
    assert_eq!(jonas.calls(program).await.len(), 1);
    // Nobody tells the end of a call whose edge is gone.
    assert_eq!((times_told(detail, "call_ended"), detail.legs.len()), (told, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_during_a_call_closes_it_where_it_was_last_alive_and_charges_it_once() {
    let mut program = Program::on_the_demo_world().await;
    let jonas = Jonas::of(&program).await;
    let calling = call(&program, patience() * 4);
    let live = wait_for("the first heartbeat of a running call", || async {
        jonas.detail(&program).await.filter(|detail| last_heartbeat_ms(detail).is_some())
    })
    .await;
    assert_eq!(live.call.state, CallState::Talking);
    assert!(jonas.wallet(&program).await.1.is_positive(), "money is held while the call runs");
    program.cut_off();
    calling.abort();
    // Nobody has told the database yet.
    assert_eq!(jonas.detail(&program).await.unwrap().call.ended_at, None);

    program.start_again();
    let detail = jonas.settled(&program).await;
    assert_eq!(detail.call.id, live.call.id);
    assert_eq!((detail.call.state, detail.call.is_estimated), (CallState::Ended, true));
    assert_eq!(detail.call.end_cause.as_deref(), Some("edge_failure"));
    let heard_ms = last_heartbeat_ms(&detail).unwrap();
    assert_eq!(u64::from(detail.call.metered_seconds), heard_ms.div_ceil(1000));
    assert!(detail.call.metered_seconds <= detail.call.authorised_seconds.unwrap());
    assert_charged_once(&program, &jonas, &detail).await;
    assert_audit_is_clean(&program);

    // Once more: what is closed stays closed.
    program.cut_off();
    program.start_again();
    assert_charged_once(&program, &jonas, &jonas.settled(&program).await).await;
    assert_audit_is_clean(&program);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_right_after_a_call_loses_no_charge_and_makes_none_twice() {
    let mut program = Program::on_the_demo_world().await;
    let jonas = Jonas::of(&program).await;
    // Longer than a heartbeat takes, so that there is something to charge wherever the cut falls.
    let calling = call(&program, Duration::from_secs(14));
    let outcome = calling.await.unwrap();
    program.cut_off();
    assert_eq!((outcome.answered, outcome.ended_by), (true, EndedBy::Caller));

    program.start_again();
    let detail = jonas.settled(&program).await;
    let heard = u32::try_from(last_heartbeat_ms(&detail).unwrap().div_ceil(1000)).unwrap();
    // From the last heartbeat to the hang-up: the end may or may not have reached the disk.
    assert!((heard..=15).contains(&detail.call.metered_seconds), "{}", detail.call.metered_seconds);
    assert!(detail.call.metered_seconds <= detail.call.authorised_seconds.unwrap());
    assert_charged_once(&program, &jonas, &detail).await;
    assert_audit_is_clean(&program);
}
