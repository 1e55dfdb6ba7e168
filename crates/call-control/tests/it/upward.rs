use crate::edge::{EdgeCall, later, place};
use crate::world::{ANNA, FIRM, PLAIN, STEPS, World, at, dec, eur};
use call_control::{deliver_seats_between, deliver_upward};
use chrono::TimeDelta;
use db::{CustomerId, TenantId};
use money::{Currency, Money};
use sip_media::RefusalReason;
use subscription::NewCustomer;

/// (amount, share) of the legs that a book sells, whoever asks.
async fn legs_of(world: &World, book: TenantId) -> Vec<(Option<i64>, Option<money::Decimal>)> {
    #[derive(sea_orm::FromQueryResult)]
    struct Row {
        amount_micros: Option<i64>,
        share_percent: Option<money::Decimal>,
    }
    let tx = world.book(book).await;
    let rows: Vec<Row> = tx
        .rows("SELECT amount_micros, share_percent FROM call_leg WHERE book_id = $1 AND kind = 'seller'", [book.into()])
        .await
        .unwrap();
    rows.into_iter().map(|row| (row.amount_micros, row.share_percent)).collect()
}

#[tokio::test]
async fn each_level_takes_its_share_of_what_the_level_below_received() {
    let world = World::set().await;
    world.share().await;
    let call = place(&world, ANNA, STEPS, 1569).await; // 16.55, net 13.907563
    deliver_upward(&world.test.db, world.centre, later(2000)).await.unwrap();
    // 30% of 13.907563: the exact parts 9.7352941 and 4.1722689 give the last micro to the larger remainder
    assert_eq!(legs_of(&world, world.reseller).await, [(Some(4_172_269), Some(dec("30")))]);
    // 50% of 4.172269: 2.0861345 each, the odd micro to the earlier party, the reseller
    assert_eq!(legs_of(&world, world.operator).await, [(Some(2_086_134), Some(dec("50")))]);
    assert_eq!(legs_of(&world, world.centre).await, []);
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!(detail.costs.len(), 1);
    assert_eq!(detail.costs[0].amount, Some(eur("4.172269")));
    assert_eq!(detail.margin, Some(eur("9.735294"))); // 13.907563 - 4.172269
    assert_eq!(world.used(world.reseller, world.centre_customer, "share").await, dec("4.172269"));
    assert_eq!(world.used(world.operator, world.reseller_customer, "share").await, dec("2.086134"));
    assert_eq!(world.used(world.reseller, world.centre_customer, "minutes").await, dec("26.2"));
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn a_level_never_reads_the_leg_of_another() {
    let world = World::set().await;
    world.share().await;
    place(&world, ANNA, STEPS, 100).await;
    deliver_upward(&world.test.db, world.centre, later(2000)).await.unwrap();
    for (book, sees) in [(world.centre, "caller"), (world.reseller, "seller"), (world.operator, "seller")] {
        let tx = world.book(book).await;
        let seen: Option<String> =
            tx.value("SELECT string_agg(kind || book_id, ',') AS v FROM call_leg", []).await.unwrap();
        assert_eq!(seen, Some(format!("{sees}{}", book.uuid())));
    }
}

#[tokio::test]
async fn usage_reaches_the_seller_once_although_it_is_delivered_twice() {
    let world = World::set().await;
    world.share().await;
    for _ in 0..3 {
        place(&world, ANNA, PLAIN, 60).await;
    }
    deliver_upward(&world.test.db, world.centre, later(2000)).await.unwrap();
    // a worker died after the books above had committed: the messages are due again
    world.test.as_owner("UPDATE outbox SET done_at = NULL WHERE topic = 'legs_upward'").await;
    assert_eq!(deliver_upward(&world.test.db, world.centre, later(2001)).await.unwrap(), 1);
    assert_eq!(deliver_upward(&world.test.db, world.centre, later(2002)).await.unwrap(), 0);
    assert_eq!(world.used(world.reseller, world.centre_customer, "calls").await, dec("3"));
    assert_eq!(world.used(world.reseller, world.centre_customer, "minutes").await, dec("3"));
    assert_eq!(legs_of(&world, world.reseller).await.len(), 3);
    world.audit(later(2003)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_deliver_at_once_deliver_once() {
    let world = World::set().await;
    world.share().await;
    for _ in 0..4 {
        place(&world, ANNA, PLAIN, 30).await;
    }
    let work = || {
        let (db, centre) = (world.test.db.clone(), world.centre);
        tokio::spawn(async move { deliver_upward(&db, centre, later(2000)).await.unwrap() })
    };
    let (one, two) = (work(), work());
    one.await.unwrap();
    two.await.unwrap();
    deliver_upward(&world.test.db, world.centre, later(2001)).await.unwrap();
    assert_eq!(world.used(world.reseller, world.centre_customer, "calls").await, dec("4"));
}

/// Puts the centre into the reseller's book as a prepaid customer with this much.
pub async fn prepay(world: &World, amount: &str) -> CustomerId {
    let tx = world.book(world.reseller).await;
    let day = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    let new = NewCustomer::prepaid("T-9", "Centre, prepaid", Currency::EUR, "Europe/Berlin", "DE", day);
    let customer_id = subscription::create_customer(&tx, &new, at(0)).await.unwrap();
    ledger::top_up(&tx, customer_id, eur(amount), "centre", "", at(0), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let ptx = world.test.db.platform(db::PlatformReason::Provision).await.unwrap();
    tenant::set_parent(&ptx, world.centre, world.reseller, customer_id, at(1)).await.unwrap();
    ptx.commit().await.unwrap();
    world.share().await;
    let tx = world.book(world.reseller).await;
    let percent = money::Percent::new(dec("30")).unwrap();
    subscription::set_terms(&tx, world.number, customer_id, percent).await.unwrap();
    tx.commit().await.unwrap();
    customer_id
}

pub async fn purse(world: &World, customer_id: CustomerId) -> (Money, Money) {
    let wallet = ledger::wallet_of(&world.book(world.reseller).await, customer_id).await.unwrap().unwrap();
    (wallet.balance, wallet.reserved)
}

#[tokio::test]
async fn a_prepaid_centre_pays_its_seller_call_by_call() {
    let world = World::set().await;
    let centre = prepay(&world, "1.00").await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    // 0.60 / 1.19 = 0.504202 net; 30% = 0.151261 (0.1512606)
    assert_eq!(purse(&world, centre).await, (eur("1.00"), eur("0.151261")));
    call.start_meter().await;
    call.talk_to(48).await;
    call.renew().await;
    // 1.08 / 1.19 = 0.907563; 30% = 0.272269 (0.2722689)
    assert_eq!(purse(&world, centre).await, (eur("1.00"), eur("0.272269")));
    call.hang_up().await; // 0.48 / 1.19 = 0.403361; 30% = 0.121008 (0.1210083)
    deliver_upward(&world.test.db, world.centre, later(100)).await.unwrap();
    assert_eq!(purse(&world, centre).await, (eur("0.878992"), eur("0")));
    // it is paid: no document may ask for it again
    assert_eq!(world.used(world.reseller, centre, "share").await, dec("0"));
    world.audit(later(101)).await;
}

#[tokio::test]
async fn a_prepaid_centre_without_money_cannot_take_a_call_and_its_caller_loses_nothing() {
    let world = World::set().await;
    let centre = prepay(&world, "0.15").await; // 0.151261 is asked for
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    assert_eq!(call.choose(PLAIN).await, Err(RefusalReason::NoCredit));
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    assert_eq!(purse(&world, centre).await, (eur("0.15"), eur("0")));
    call.hang_up().await;
    world.audit(later(101)).await;
}

#[tokio::test]
async fn a_prepaid_centre_that_runs_dry_ends_the_call_at_what_is_held() {
    let world = World::set().await;
    let centre = prepay(&world, "0.20").await;
    let mut call = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    assert!(!call.talk_to(1000).await);
    assert_eq!(call.metered, 60);
    call.end(sip_media::EndCause::BalanceExhausted).await;
    deliver_upward(&world.test.db, world.centre, later(1000)).await.unwrap();
    assert_eq!(purse(&world, centre).await, (eur("0.048739"), eur("0"))); // 0.20 - 0.151261
    world.audit(later(1001)).await;
}

/// Who pays later needs no budget; the level between does.
#[tokio::test]
async fn a_prepaid_centre_s_wallet_holds_its_share_of_a_call_that_is_paid_later_and_ends_it() {
    let world = World::set().await;
    let centre = prepay(&world, "0.20").await;
    let mut call = EdgeCall::arrive(&world, FIRM, 10).await.unwrap();
    assert_eq!(call.choose(PLAIN).await.unwrap().authorised_seconds, Some(60));
    assert_eq!(purse(&world, centre).await, (eur("0.20"), eur("0.151261"))); // 0.60 / 1.19 x 30%
    call.start_meter().await;
    assert!(!call.talk_to(1000).await, "of 108 s the share would be 0.272269");
    assert_eq!(call.metered, 60);
    call.end(sip_media::EndCause::BalanceExhausted).await;
    deliver_upward(&world.test.db, world.centre, later(1000)).await.unwrap();
    assert_eq!(purse(&world, centre).await, (eur("0.048739"), eur("0"))); // 0.20 - 0.151261
    // without a share to hold the same caller talks without end
    let free = World::set().await;
    let mut call = EdgeCall::arrive(&free, FIRM, 10).await.unwrap();
    assert_eq!(call.choose(PLAIN).await.unwrap().authorised_seconds, None);
    world.audit(later(1001)).await;
}

#[tokio::test]
async fn seats_and_channels_are_usage_in_the_seller_s_book_once() {
    let world = World::set().await;
    let agents = seated(&world, 2).await;
    assert_eq!(agents, 2);
    place(&world, ANNA, PLAIN, 30).await;
    for _ in 0..2 {
        deliver_seats_between(&world.test.db, world.centre, at(0), at(7200), later(7200)).await.unwrap();
    }
    // two agents on one civil day
    assert_eq!(world.used(world.reseller, world.centre_customer, "seat_days").await, dec("2"));
    assert_eq!(world.used(world.operator, world.reseller_customer, "seat_days").await, dec("2"));
    assert_eq!(world.used(world.reseller, world.centre_customer, "seat_peak").await, dec("2"));
    assert_eq!(world.used(world.reseller, world.centre_customer, "channel_peak").await, dec("1"));
    // the worker's own hours come to nothing more
    let now = later(7200) + TimeDelta::minutes(10);
    let deliver = |at| call_control::deliver_seats_upward(&world.test.db, world.centre, at);
    assert_eq!(deliver(now).await.unwrap(), 24); // after an absence a day at a time, up to two
    assert_eq!(deliver(now).await.unwrap(), 24);
    assert_eq!(deliver(now).await.unwrap(), 0);
    assert_eq!(deliver(now + TimeDelta::hours(9)).await.unwrap(), 9);
    assert_eq!(world.used(world.reseller, world.centre_customer, "seat_days").await, dec("2"));
}

/// Agents on a seat from 10:00 to 11:00.
async fn seated(world: &World, count: usize) -> usize {
    for n in 0..count {
        let email = format!("agent{n}@centre.example");
        let ptx = world.test.db.platform(db::PlatformReason::Provision).await.unwrap();
        let person = tenant::create_person(&ptx, &email, "Agent", "correct horse battery staple", at(0)).await.unwrap();
        ptx.commit().await.unwrap();
        let tx = world.tx().await;
        let member = tenant::NewMember {
            person_id: person,
            name: "Agent".into(),
            email,
            role: tenant::Role::Agent,
            customer_id: None,
        };
        let member = tenant::add_member(&tx, member, at(0)).await.unwrap();
        let agent = tenant::add_agent(&tx, member, "Agent", &format!("agent{n}"), at(0)).await.unwrap();
        tenant::open_seat(&tx, agent, at(0)).await.unwrap();
        tenant::close_seat(&tx, agent, tenant::SeatClosedBy::SignOut, at(3600)).await.unwrap();
        tx.commit().await.unwrap();
    }
    count
}
