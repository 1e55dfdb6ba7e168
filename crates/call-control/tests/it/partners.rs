//! Numbers whose calls the network collects: the money starts at the top and comes down, each level keeping its part.

use crate::edge::{EdgeCall, later, place};
use crate::world::{ANNA, FIRM, PLAIN, STEPS, World, at, dec, eur};
use call_control::{deliver_upward, reverse_call};
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantId};
use ledger::{AccountKind, AccountRef, Promotion};
use money::{Currency, Money, Percent};
use sip_media::{CallControl, EndCause};
use subscription::{Collection, ShareOf, Split};

/// A caller whom no book knows.
const STRANGER: &str = "+491709999999";

fn split(share: &str, collection: Collection) -> Split {
    Split { share: Percent::new(dec(share)).unwrap(), collection, of: ShareOf::Received }
}

/// 70/30 between operator and reseller, and 70/30 between reseller and centre; the network collects.
async fn collected(world: &World) {
    for (book, customer) in [(world.reseller, world.centre_customer), (world.operator, world.reseller_customer)] {
        let tx = world.book(book).await;
        subscription::set_split(&tx, world.number, customer, split("30", Collection::Seller), at(0)).await.unwrap();
        tx.commit().await.unwrap();
        subscription::deliver_collections(&world.test.db, book, at(0)).await.unwrap();
    }
}

async fn account(world: &World, book: TenantId, kind: AccountKind, at: DateTime<Utc>) -> Money {
    ledger::balance(&world.book(book).await, AccountRef::Book(kind), Currency::EUR, at).await.unwrap()
}

/// (source, revenue, payable) of a book: what it got, keeps and owes.
async fn book_of(world: &World, book: TenantId, source: AccountKind) -> (Money, Money, Money) {
    let now = later(90_000);
    let revenue = account(world, book, AccountKind::Revenue, now).await;
    let payable = account(world, book, AccountKind::PartnerPayable, now).await;
    (account(world, book, source, now).await, revenue, payable)
}

async fn deliver(world: &World, seconds: i64) {
    deliver_upward(&world.test.db, world.centre, later(seconds)).await.unwrap();
}

#[tokio::test]
async fn what_the_network_collects_comes_down_seventy_of_seventy() {
    let world = World::set().await;
    collected(&world).await;
    // 2 March: nobody is asked who he is, and no wallet is touched
    let call = place(&world, STRANGER, PLAIN, 600).await; // 10 min x 0.60 = 6.00; net 6.00 / 1.19 = 5.042017
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    deliver(&world, 2000).await;
    // operator: 30% of 5.042017 = 1.512605 (1.5126051), owes 3.529412 (3.5294119)
    let operator = book_of(&world, world.operator, AccountKind::ProcessorClearing).await;
    assert_eq!(operator, (eur("-5.042017"), eur("1.512605"), eur("3.529412")));
    // reseller: 30% of 3.529412 = 1.058824 (1.0588236), owes 2.470588 (2.4705884)
    let reseller = book_of(&world, world.reseller, AccountKind::DueFromSeller).await;
    assert_eq!(reseller, (eur("-3.529412"), eur("1.058824"), eur("2.470588")));
    // centre: 49% of the net; 1.512605 + 1.058824 + 2.470588 = 5.042017
    let centre = book_of(&world, world.centre, AccountKind::DueFromSeller).await;
    assert_eq!(centre, (eur("-2.470588"), eur("2.470588"), eur("0")));
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!(detail.call.charge, Some(eur("6.00")));
    assert_eq!(detail.margin, Some(eur("2.470588")));
    // it is on no bill of anybody: neither the caller's nor, as a share, the centre's
    assert_eq!(world.used(world.reseller, world.centre_customer, "share").await, dec("0"));
    assert_eq!(world.used(world.reseller, world.centre_customer, "minutes").await, dec("10"));
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn shares_that_are_delivered_twice_are_owed_once() {
    let world = World::set().await;
    collected(&world).await;
    for _ in 0..3 {
        place(&world, STRANGER, PLAIN, 60).await;
    }
    deliver(&world, 2000).await;
    world.test.as_owner("UPDATE outbox SET done_at = NULL WHERE topic = 'legs_upward'").await;
    deliver(&world, 2001).await;
    let tx = world.book(world.reseller).await;
    let open = ledger::unsettled(&tx).await.unwrap();
    // 3 x: net 0.504202; the operator owes 0.352941 (0.3529414), the reseller 0.247059 (0.2470587)
    assert_eq!(open, [(world.centre_customer, eur("0.741177"))]);
    world.audit(later(2002)).await;
}

#[tokio::test]
async fn a_call_that_is_taken_back_mirrors_every_share_to_the_micro() {
    let world = World::set().await;
    collected(&world).await;
    let call = place(&world, STRANGER, PLAIN, 61).await;
    // taken back before its shares have travelled: both go in one batch, the call first
    let tx = world.tx().await;
    assert_eq!(
        reverse_call(&tx, call.call_id(), "the network charged it back", later(100)).await.unwrap(),
        eur("0.61")
    );
    let twice = reverse_call(&tx, call.call_id(), "again", later(101)).await.unwrap_err();
    assert_eq!(twice.to_string(), "the call was taken back already");
    tx.commit().await.unwrap();
    // meanwhile other terms were agreed: what is taken back is what was given
    let tx = world.book(world.reseller).await;
    let other = split("50", Collection::Seller);
    subscription::set_split(&tx, world.number, world.centre_customer, other, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    deliver(&world, 2000).await;
    let nothing = (eur("0"), eur("0"), eur("0"));
    assert_eq!(book_of(&world, world.operator, AccountKind::ProcessorClearing).await, nothing);
    assert_eq!(book_of(&world, world.reseller, AccountKind::DueFromSeller).await, nothing);
    assert_eq!(book_of(&world, world.centre, AccountKind::DueFromSeller).await, nothing);
    assert_eq!(
        ledger::unsettled(&world.book(world.reseller).await).await.unwrap(),
        [(world.centre_customer, eur("0"))]
    );
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn a_call_of_a_wallet_that_is_taken_back_fills_the_wallet_and_every_bill_again() {
    let world = World::set().await;
    world.share().await;
    let call = place(&world, ANNA, STEPS, 1569).await; // 16.55
    deliver(&world, 2000).await;
    assert_eq!(world.used(world.reseller, world.centre_customer, "share").await, dec("4.172269"));
    let tx = world.tx().await;
    reverse_call(&tx, call.call_id(), "wrong advice", later(2001)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.wallet().await, (eur("20.00"), eur("0")));
    deliver(&world, 2002).await;
    for (book, customer) in [(world.reseller, world.centre_customer), (world.operator, world.reseller_customer)] {
        assert_eq!(world.used(book, customer, "share").await, dec("0")); // 4.172269 - 4.172269
        assert_eq!(world.used(book, customer, "calls").await, dec("1")); // it was a call all the same
    }
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!(detail.corrections[0].amount, eur("-16.55"));
    world.audit(later(2003)).await;
}

#[tokio::test]
async fn promotional_credit_counts_as_charged() {
    let world = World::set().await;
    world.share().await;
    let tx = world.tx().await;
    let gift = Promotion {
        customer_id: world.anna,
        amount: eur("1.00"),
        key: "gift".into(),
        memo: "Welcome".into(),
        expires_at: None,
    };
    ledger::grant(&tx, &gift, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    place(&world, ANNA, PLAIN, 60).await; // 0.60, all of it a gift; net 0.504202
    deliver(&world, 2000).await;
    // 30% of 0.504202 = 0.151261 (0.1512606)
    assert_eq!(world.used(world.reseller, world.centre_customer, "share").await, dec("0.151261"));
}

#[tokio::test]
async fn a_number_follows_its_customer_s_terms_until_it_has_its_own() {
    let world = World::set().await;
    let tx = world.book(world.reseller).await;
    let customer = world.centre_customer;
    // 70/30, collected by the tenant, until something else is agreed
    subscription::follow_customer(&tx, world.number, customer, at(0)).await.unwrap();
    let terms = subscription::number_terms(&tx, world.number).await.unwrap().unwrap();
    assert_eq!((terms.share.as_decimal(), terms.collection), (dec("30"), Collection::Tenant));
    let agreed = subscription::PartnerTerms {
        customer_id: customer,
        split: split("25", Collection::Seller),
        agreement: "Agreement of 14 May 2026".into(),
    };
    subscription::set_partner_terms(&tx, &agreed, at(1)).await.unwrap();
    let terms = subscription::number_terms(&tx, world.number).await.unwrap().unwrap();
    assert_eq!((terms.share.as_decimal(), terms.collection), (dec("25"), Collection::Seller));
    subscription::set_split(&tx, world.number, customer, split("40", Collection::Tenant), at(2)).await.unwrap();
    let terms = subscription::number_terms(&tx, world.number).await.unwrap().unwrap();
    assert_eq!((terms.share.as_decimal(), terms.collection), (dec("40"), Collection::Tenant));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn who_collects_a_call_is_decided_when_it_arrives() {
    let world = World::set().await;
    world.share().await;
    let call = place(&world, FIRM, PLAIN, 60).await; // the centre's own customer, who will get a bill
    collected(&world).await;
    deliver(&world, 2000).await;
    // net 0.504202, of which the reseller's 30% is usage of the centre: 0.151261
    assert_eq!(world.used(world.reseller, world.centre_customer, "share").await, dec("0.151261"));
    assert_eq!(ledger::unsettled(&world.book(world.reseller).await).await.unwrap(), []);
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!(detail.call.customer_id, Some(world.firm));
}

#[tokio::test]
async fn the_audit_sees_a_share_that_does_not_sum() {
    let world = World::set().await;
    collected(&world).await;
    let call = place(&world, STRANGER, PLAIN, 60).await;
    deliver(&world, 2000).await;
    let now = later(2001);
    for (damage, repair) in [
        ("UPDATE call_leg SET owed_micros = owed_micros + 1", "UPDATE call_leg SET owed_micros = owed_micros - 1"),
        (
            "UPDATE partner_share SET kept_micros = kept_micros + 1",
            "UPDATE partner_share SET kept_micros = kept_micros - 1",
        ),
        (
            "UPDATE partner_share SET owed_micros = owed_micros + 1, base_micros = base_micros + 1",
            "UPDATE partner_share SET owed_micros = owed_micros - 1, base_micros = base_micros - 1",
        ),
    ] {
        world.test.as_owner(damage).await;
        let tx = world.book(world.reseller).await;
        let mut found = call_control::check(&tx, now).await.unwrap();
        found.extend(ledger::check(&tx, now).await.unwrap());
        assert!(found.iter().all(|violation| violation.invariant == "I8") && !found.is_empty(), "{damage}: {found:?}");
        world.test.as_owner(repair).await;
    }
    // what the centre is owed of its own charge
    world.test.as_owner("UPDATE call_cost SET amount_micros = amount_micros + 1").await;
    assert_eq!(call_control::check(&world.tx().await, now).await.unwrap()[0].invariant, "I8");
    world.test.as_owner("UPDATE call_cost SET amount_micros = amount_micros - 1").await;
    // a reversal that gives back less than was given
    let tx = world.tx().await;
    reverse_call(&tx, call.call_id(), "test", later(2002)).await.unwrap();
    tx.commit().await.unwrap();
    deliver(&world, 2003).await;
    world.audit(later(2004)).await;
    let less = "UPDATE call_leg SET owed_micros = owed_micros + 1, base_micros = base_micros + 1 WHERE kind = 'seller_reversal'";
    world.test.as_owner(less).await;
    let found = call_control::check(&world.book(world.operator).await, now).await.unwrap();
    assert_eq!(found.iter().map(|violation| violation.invariant).collect::<Vec<_>>(), ["I8"]);
}

/// A stranger's call whose edge died after a minute, and came back a minute later than was known.
async fn closed_early(world: &World) -> EdgeCall {
    let mut call = EdgeCall::arrive(world, STRANGER, 10).await.unwrap();
    call.choose(PLAIN).await.unwrap();
    call.start_meter().await;
    call.talk_to(60).await;
    let event = call.ended(EndCause::EdgeFailure, true);
    call.control.record(&[event]).await.unwrap();
    call
}

#[tokio::test]
async fn what_corrects_a_call_is_split_as_the_call_was() {
    let world = World::set().await;
    collected(&world).await;
    let mut call = closed_early(&world).await;
    deliver(&world, 2000).await;
    let tx = world.book(world.reseller).await;
    let other = split("50", Collection::Seller);
    subscription::set_split(&tx, world.number, world.centre_customer, other, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    call.metered = 120;
    let event = call.ended(EndCause::CallerHungUp, false);
    call.control.record(&[event]).await.unwrap();
    deliver(&world, 2001).await;
    // 2 x 0.60, net 0.504202, of which the operator owes 0.352941 and the reseller 70% of that: 0.247059
    let open = ledger::unsettled(&world.book(world.reseller).await).await.unwrap();
    assert_eq!(open, [(world.centre_customer, eur("0.494118"))]);
    world.audit(later(2002)).await;
}

#[tokio::test]
async fn a_call_that_was_taken_back_stays_so_when_its_edge_comes_back() {
    let world = World::set().await;
    collected(&world).await;
    let mut call = closed_early(&world).await;
    let tx = world.tx().await;
    assert_eq!(reverse_call(&tx, call.call_id(), "the caller was cut off", later(100)).await.unwrap(), eur("0.60"));
    tx.commit().await.unwrap();
    call.metered = 120;
    let event = call.ended(EndCause::CallerHungUp, false);
    call.control.record(&[event]).await.unwrap();
    deliver(&world, 2000).await;
    let open = ledger::unsettled(&world.book(world.reseller).await).await.unwrap();
    assert_eq!(open, [(world.centre_customer, eur("0"))]);
    let detail = call_control::call(&world.tx().await, call.call_id()).await.unwrap();
    assert_eq!(detail.corrections.iter().map(|one| one.amount).collect::<Vec<_>>(), [eur("-0.60")]);
    world.audit(later(2001)).await;
}

#[tokio::test]
async fn calls_that_are_taken_back_together_go_back_to_whom_each_was_collected_from() {
    let world = World::set().await;
    collected(&world).await;
    let above = place(&world, STRANGER, PLAIN, 60).await;
    deliver(&world, 2000).await;
    // from now on the network pays the reseller itself
    let tx = world.book(world.operator).await;
    let own = split("30", Collection::Tenant);
    subscription::set_split(&tx, world.number, world.reseller_customer, own, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let here = place(&world, STRANGER, PLAIN, 60).await;
    deliver(&world, 2001).await;
    let from_operator = account(&world, world.reseller, AccountKind::DueFromSeller, later(90_000)).await;
    let from_network = account(&world, world.reseller, AccountKind::ProcessorClearing, later(90_000)).await;
    assert_eq!((from_operator, from_network), (eur("-0.352941"), eur("-0.504202")));
    let tx = world.tx().await;
    for call in [&above, &here] {
        reverse_call(&tx, call.call_id(), "the network charged it back", later(2002)).await.unwrap();
    }
    tx.commit().await.unwrap();
    deliver(&world, 2003).await;
    for kind in [AccountKind::DueFromSeller, AccountKind::ProcessorClearing, AccountKind::PartnerPayable] {
        assert_eq!(account(&world, world.reseller, kind, later(90_000)).await, eur("0"), "{kind}");
    }
    world.audit(later(2004)).await;
}

/// A prepaid centre pays its share call by call, and gets it back entry by entry.
#[tokio::test]
async fn a_prepaid_centre_gets_back_what_it_paid_for_a_call_that_is_taken_back() {
    let world = World::set().await;
    let centre: CustomerId = crate::upward::prepay(&world, "1.00").await;
    let call = place(&world, ANNA, PLAIN, 48).await; // 0.48 / 1.19 = 0.403361; 30% = 0.121008
    deliver(&world, 100).await;
    let tx = world.tx().await;
    reverse_call(&tx, call.call_id(), "a test", later(101)).await.unwrap();
    tx.commit().await.unwrap();
    deliver(&world, 102).await;
    let wallet = ledger::wallet_of(&world.book(world.reseller).await, centre).await.unwrap().unwrap();
    assert_eq!((wallet.balance, wallet.reserved), (eur("1.00"), eur("0"))); // 1.00 - 0.121008 + 0.121008
    world.audit(later(103)).await;
}
