//! Three books that sell calls out, and two carriers: the operator's alpha and beta; a minute to a German mobile costs it 0.06 or
//! 0.05. It sells the minute for 0.08, the reseller for 0.10, the centre for 0.20 net of 19% tax: 0.238 to its callers.

use crate::world::{NUMBER, World, at, dec, eur};
use call_control::{
    Control, LimitOf, LossGuard, NewCarrier, OutgoingAdmission, OutgoingCall, OutgoingFilter, OutgoingPolicy,
    OutgoingRefusal, SpendLimit, deliver_upward,
};
use chrono::{DateTime, Utc};
use db::{CallId, CarrierId, CustomerId, DeckId, TenantId};
use money::{Currency, Money};
use usage_metering::{DeckImport, DeckKind};

pub const MOBILE: &str = "+49 151 2345678";
pub const IRIDIUM: &str = "+8816 1234 5678";

pub async fn deck(world: &World, book: TenantId, name: &str, kind: DeckKind, rows: &str) -> DeckId {
    let db = &world.test.db;
    let tx = db.tenant(book).await.unwrap();
    let known = usage_metering::decks(&tx).await.unwrap().into_iter().find(|deck| deck.name == name);
    let id = match known {
        Some(deck) => deck.id,
        None => usage_metering::create_deck(&tx, name, kind, Currency::EUR, at(0)).await.unwrap(),
    };
    tx.commit().await.unwrap();
    let imported = usage_metering::import_deck(db, book, id, "rates.csv", rows, "Ada", at(0)).await.unwrap();
    let DeckImport::Taken { version, .. } = imported else { panic!("{imported:?}") };
    let tx = db.tenant(book).await.unwrap();
    usage_metering::publish_deck(&tx, id, version.version, at(0), "Ada", at(0)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

pub fn unlimited() -> SpendLimit {
    SpendLimit {
        is_open: true,
        sell_deck: None,
        call_micros: None,
        hour_micros: None,
        day_micros: None,
        calls_at_once_max: None,
    }
}

pub async fn sells(world: &World, book: TenantId, name: &str, rows: &str) {
    let sell_deck = Some(deck(world, book, name, DeckKind::Sell, rows).await);
    policy(world, book, sell_deck, LossGuard::Refuse).await;
    limit(world, book, LimitOf::Everybody, unlimited()).await;
}

pub async fn policy(world: &World, book: TenantId, sell_deck: Option<DeckId>, loss_guard: LossGuard) {
    let tx = world.book(book).await;
    let policy =
        OutgoingPolicy { sell_deck, loss_guard, minimum_margin_percent: dec("0"), minimum_answer_percent: dec("40") };
    call_control::set_outgoing_policy(&tx, &policy, at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn limit(world: &World, book: TenantId, of: LimitOf, limit: SpendLimit) {
    let tx = world.book(book).await;
    call_control::set_spend_limit(&tx, of, Some(&limit), at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

pub async fn carrier(world: &World, code: &str, rows: &str, channels_max: Option<u32>) -> CarrierId {
    carrier_in(world, world.operator, code, rows, channels_max).await
}

pub async fn carrier_in(world: &World, book: TenantId, code: &str, rows: &str, channels_max: Option<u32>) -> CarrierId {
    let cost_deck = deck(world, book, &format!("{code} cost"), DeckKind::Cost, rows).await;
    let tx = world.book(book).await;
    let new = NewCarrier {
        code: code.into(),
        name: code.to_uppercase(),
        cost_deck,
        channels_max,
        calls_per_second_max: None,
        is_up: true,
        priority: 100,
    };
    let id = call_control::create_carrier(&tx, &new, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// The three books as the file's heading says.
pub async fn open() -> (World, Control) {
    let world = World::set().await;
    carrier(&world, "alpha", "49,0.010,Germany\n4915,0.06,Germany mobile\n8816,1.50,Iridium", None).await;
    carrier(&world, "beta", "49,0.012,Germany\n4915,0.05,Germany mobile", None).await;
    sells(&world, world.operator, "Wholesale", "49,0.0238,Germany\n4915,0.0952,Germany mobile\n8816,2.38,Iridium")
        .await;
    sells(&world, world.reseller, "Resale", "49,0.0357,Germany\n4915,0.119,Germany mobile\n8816,3.57,Iridium").await;
    sells(&world, world.centre, "Retail", "49,0.0595,Germany\n4915,0.238,Germany mobile\n8816,5.95,Iridium").await;
    let control = Control::new(world.test.db.clone());
    (world, control)
}

pub fn call(world: &World, customer_id: CustomerId, called: &str, seconds: i64) -> OutgoingCall {
    OutgoingCall {
        call_id: CallId::new(),
        tenant_id: world.centre,
        customer_id,
        from: NUMBER.into(),
        called: called.into(),
        agent_id: None,
        is_live: false,
        at: at(seconds),
    }
}

pub fn carrier_of(admission: OutgoingAdmission) -> Result<String, (OutgoingRefusal, String)> {
    match admission {
        OutgoingAdmission::Out { carrier, .. } => Ok(carrier.code),
        OutgoingAdmission::Refused { refusal, detail } => Err((refusal, detail)),
    }
}

pub async fn admitted(control: &Control, call: &OutgoingCall) -> Result<String, OutgoingRefusal> {
    carrier_of(control.admit_outgoing(call).await.unwrap()).map_err(|(refusal, _)| refusal)
}

pub async fn balance(world: &World, book: TenantId, account: &str) -> Money {
    let tx = world.book(book).await;
    let lines = ledger::trial_balance(&tx, at(100_000)).await.unwrap();
    let found = lines.into_iter().find(|line| line.kind.code() == account);
    found.map_or(eur("0"), |line| line.balance)
}

pub async fn deliver(world: &World, now: DateTime<Utc>) {
    deliver_upward(&world.test.db, world.centre, now).await.unwrap();
}

/// Legs of a call in a book, as "kind amount".
pub async fn operator_and_reseller(world: &World) -> Vec<(TenantId, Option<Money>, Option<Money>)> {
    let mut found = Vec::new();
    for book in [world.operator, world.reseller] {
        let tx = world.book(book).await;
        let calls = call_control::outgoing_calls(&tx, &OutgoingFilter { limit: 10, ..OutgoingFilter::default() })
            .await
            .unwrap();
        found.extend(calls.into_iter().map(|call| (book, call.charge, call.cost)));
    }
    found
}
