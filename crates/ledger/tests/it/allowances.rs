use crate::stage::{Stage, at, eur, wish as money_wish};
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, Db, SubscriptionId, TenantId};
use ledger::{
    Allowance, AllowanceKey, AllowanceTerms, AllowanceUse, AllowanceWish, LedgerError, Leg, Reserve, Units,
    agree_allowance, allowance, count_allowance, expire_leases, extend_lease, held_of_allowance, release,
    reserve_allowance, use_allowances,
};

fn minutes(text: &str) -> Units {
    Units::of(text.parse().unwrap()).unwrap()
}

/// The minutes that a subscription includes from an instant on for a day.
fn terms(subscription: (SubscriptionId, CustomerId), starts_at: DateTime<Utc>, included: &str) -> AllowanceTerms {
    AllowanceTerms {
        key: AllowanceKey { subscription_id: subscription.0, component_key: "minutes".into(), starts_at },
        customer_id: subscription.1,
        meter: "minutes".into(),
        ends_at: starts_at + chrono::TimeDelta::days(1),
        included: minutes(included),
    }
}

async fn agreed(stage: &Stage, terms: &AllowanceTerms) -> Allowance {
    let tx = stage.tx().await;
    let found = agree_allowance(&tx, terms, at(0)).await.unwrap();
    tx.commit().await.unwrap();
    found
}

fn wish(key: &AllowanceKey, call_id: CallId, seq: u32, amount: &str) -> AllowanceWish {
    AllowanceWish { key: key.clone(), call_id, seq, amount: minutes(amount), lease_until: at(180) }
}

async fn hold(stage: &Stage, key: &AllowanceKey, call_id: CallId, seq: u32, amount: &str) -> String {
    let tx = stage.tx().await;
    let granted = reserve_allowance(&tx, &wish(key, call_id, seq, amount), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    granted.to_string()
}

/// What is free and what is to be priced of a call that used so much.
async fn settle(stage: &Stage, key: &AllowanceKey, call_id: CallId, quantity: &str) -> (String, String) {
    let tx = stage.tx().await;
    let used = AllowanceUse { key: key.clone(), call_id, quantity: minutes(quantity) };
    let settled = use_allowances(&tx, &[used], at(60)).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    (settled.free.to_string(), settled.beyond().to_string())
}

/// (used, free, reserved, available)
async fn stands(stage: &Stage, key: &AllowanceKey) -> (String, String, String, String) {
    let found = allowance(&stage.tx().await, key).await.unwrap().unwrap();
    (found.used.to_string(), found.free.to_string(), found.reserved.to_string(), found.available().to_string())
}

fn row(used: &str, free: &str, reserved: &str, available: &str) -> (String, String, String, String) {
    (used.into(), free.into(), reserved.into(), available.into())
}

#[tokio::test]
async fn included_minutes_are_promised_before_they_are_used_and_the_rest_comes_back() {
    let stage = Stage::set().await;
    let terms = terms(stage.subscription().await, at(0), "10");
    let key = agreed(&stage, &terms).await.key;
    let call = CallId::new();
    assert_eq!(hold(&stage, &key, call, 1, "1").await, "1");
    assert_eq!(hold(&stage, &key, call, 2, "1").await, "1");
    assert_eq!(hold(&stage, &key, call, 2, "1").await, "1", "told twice, held once");
    assert_eq!(stands(&stage, &key).await, row("0", "0", "2", "8"));
    assert_eq!(settle(&stage, &key, call, "1.3").await, ("1.3".into(), "0".into()));
    assert_eq!(stands(&stage, &key).await, row("1.3", "1.3", "0", "8.7")); // 10 - 1.3
    // told again, the same is told
    assert_eq!(settle(&stage, &key, call, "9").await, ("1.3".into(), "0".into()));
    assert_eq!(stands(&stage, &key).await, row("1.3", "1.3", "0", "8.7"));
    assert_eq!(hold(&stage, &key, call, 2, "1").await, "0", "what is settled is held no more");
    stage.audit(at(60)).await;
}

#[tokio::test]
async fn a_call_gets_what_is_left_and_pays_for_the_rest() {
    let stage = Stage::set().await;
    let terms = terms(stage.subscription().await, at(0), "1");
    let key = agreed(&stage, &terms).await.key;
    let (one, two, three) = (CallId::new(), CallId::new(), CallId::new());
    assert_eq!(hold(&stage, &key, one, 1, "0.7").await, "0.7");
    assert_eq!(hold(&stage, &key, two, 1, "0.7").await, "0.3"); // 1 - 0.7
    assert_eq!(hold(&stage, &key, three, 1, "0.7").await, "0");
    assert_eq!(settle(&stage, &key, two, "0.7").await, ("0.3".into(), "0.4".into()));
    assert_eq!(settle(&stage, &key, three, "0.7").await, ("0".into(), "0.7".into()));
    assert_eq!(settle(&stage, &key, one, "0.7").await, ("0.7".into(), "0".into()));
    let found = allowance(&stage.tx().await, &key).await.unwrap().unwrap();
    // a bill of the whole finds 2.1 used, 1 included, 1.1 = 0.4 + 0.7 to be priced
    assert_eq!((found.used, found.beyond(), found.left()), (minutes("2.1"), minutes("1.1"), minutes("0")));
    stage.audit(at(60)).await;
}

#[tokio::test]
async fn what_a_call_held_and_left_over_makes_an_earlier_call_free_after_all() {
    let stage = Stage::set().await;
    let terms = terms(stage.subscription().await, at(0), "5");
    let key = agreed(&stage, &terms).await.key;
    let (holds_all, comes_late) = (CallId::new(), CallId::new());
    assert_eq!(hold(&stage, &key, holds_all, 1, "5").await, "5");
    assert_eq!(hold(&stage, &key, comes_late, 1, "3").await, "0");
    assert_eq!(settle(&stage, &key, comes_late, "3").await, ("0".into(), "3".into()));
    // min(1 + 3, 5) = 4 are free in all: its own minute, and 3 that the other one was priced for
    assert_eq!(settle(&stage, &key, holds_all, "1").await, ("4".into(), "-3".into()));
    assert_eq!(stands(&stage, &key).await, row("4", "4", "0", "1"));
    stage.audit(at(60)).await;
}

#[tokio::test]
async fn minutes_that_came_by_another_way_use_the_allowance_up_too() {
    let stage = Stage::set().await;
    let terms = terms(stage.subscription().await, at(0), "10");
    let mut found = agreed(&stage, &terms).await;
    let tx = stage.tx().await;
    count_allowance(&tx, &mut found, minutes("9.5")).await.unwrap();
    tx.commit().await.unwrap();
    let call = CallId::new();
    assert_eq!(hold(&stage, &found.key, call, 1, "1").await, "0.5");
    assert_eq!(settle(&stage, &found.key, call, "1").await, ("0.5".into(), "0.5".into()));
    stage.audit(at(60)).await;
}

#[tokio::test]
async fn a_change_to_less_takes_nothing_back_and_the_bill_goes_by_the_terms() {
    let stage = Stage::set().await;
    let subscription = stage.subscription().await;
    let key = agreed(&stage, &terms(subscription, at(0), "100")).await.key;
    let (done, running) = (CallId::new(), CallId::new());
    settle(&stage, &key, done, "60").await;
    hold(&stage, &key, running, 1, "1").await;
    // changed after 14 of 30 days: 100 x 14/30 = 46.666667 were included up to then
    let shrunk = agreed(&stage, &terms(subscription, at(0), "46.666667")).await;
    assert_eq!(shrunk.overdrawn, minutes("14.333333")); // 60 + 1 - 46.666667
    assert_eq!(shrunk.beyond(), minutes("13.333333")); // 60 - 46.666667
    assert_eq!(hold(&stage, &key, CallId::new(), 1, "1").await, "0");
    assert_eq!(settle(&stage, &key, running, "1").await, ("1".into(), "0".into()));
    stage.audit(at(60)).await;
}

#[tokio::test]
async fn the_next_stretch_begins_with_all_that_it_includes() {
    let stage = Stage::set().await;
    let subscription = stage.subscription().await;
    let march = agreed(&stage, &terms(subscription, at(0), "10")).await.key;
    settle(&stage, &march, CallId::new(), "12").await;
    let april = agreed(&stage, &terms(subscription, at(86_400), "10")).await;
    assert_eq!((april.used, april.available()), (minutes("0"), minutes("10")));
    assert_eq!(stands(&stage, &march).await, row("12", "10", "0", "0"));
}

#[tokio::test]
async fn a_lease_that_nobody_extends_gives_included_minutes_back() {
    let stage = Stage::set().await;
    let terms = terms(stage.subscription().await, at(0), "3");
    let key = agreed(&stage, &terms).await.key;
    let (lost, alive, undone) = (CallId::new(), CallId::new(), CallId::new());
    for call in [lost, alive, undone] {
        assert_eq!(hold(&stage, &key, call, 1, "1").await, "1"); // leases end at 180
    }
    let tx = stage.tx().await;
    assert_eq!(extend_lease(&tx, alive, Leg::Caller, at(400), at(170)).await.unwrap(), 1);
    assert_eq!(release(&tx, undone, Leg::Caller, at(170)).await.unwrap(), 1);
    assert_eq!(ledger::check_ledger(&tx, at(300)).await.unwrap()[0].invariant, "I14");
    assert_eq!(expire_leases(&tx, at(300)).await.unwrap(), 1);
    assert_eq!(expire_leases(&tx, at(300)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(stands(&stage, &key).await, row("0", "0", "1", "2"));
    let held = held_of_allowance(&stage.tx().await, lost, "minutes").await.unwrap();
    assert_eq!((held.amount, held.last_seq), (Units::ZERO, 1));
    // its call ended all the same: it is settled out of what there is now
    assert_eq!(settle(&stage, &key, lost, "2.5").await, ("2".into(), "0.5".into()));
    stage.audit(at(300)).await;
}

#[tokio::test]
async fn the_database_refuses_more_free_minutes_than_are_included() {
    let stage = Stage::set().await;
    let terms = terms(stage.subscription().await, at(0), "3");
    agreed(&stage, &terms).await;
    for forged in ["free_micros = 3000001", "reserved_micros = 3000001", "included_micros = -1"] {
        let text = format!("UPDATE allowance SET {forged} WHERE tenant_id = $1");
        let refused = stage.tx().await.run(&text, [stage.tenant_id.into()]).await.unwrap_err();
        assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("23514"), "{forged}"); // a check
    }
    let short = AllowanceTerms { included: Units::from_micros(-1), ..terms };
    assert!(matches!(
        agree_allowance(&stage.tx().await, &short, at(0)).await.unwrap_err(),
        LedgerError::UnitsMustNotBeNegative(_)
    ));
}

/// A call of 18 seconds (0.3 minutes) that holds a minute ahead, each step in its own transaction and told twice at once. What
/// of it was free, and what was priced.
async fn place_call(db: Db, tenant_id: TenantId, key: AllowanceKey, quantity: Units) -> (Units, Units) {
    let call_id = CallId::new();
    let ask = || async {
        let tx = db.tenant(tenant_id).await.unwrap();
        let granted = reserve_allowance(&tx, &wish(&key, call_id, 1, "1"), at(0)).await.unwrap();
        tx.commit().await.unwrap();
        granted
    };
    // What is granted once is granted; who got nothing may find something when he asks again.
    let (first, second) = tokio::join!(ask(), ask());
    let tx = db.tenant(tenant_id).await.unwrap();
    let held = held_of_allowance(&tx, call_id, &key.component_key).await.unwrap();
    assert_eq!(held.amount, first.max(second), "held once, however often it was asked for");
    drop(tx);
    let end = || async {
        let tx = db.tenant(tenant_id).await.unwrap();
        let used = AllowanceUse { key: key.clone(), call_id, quantity };
        let settled = use_allowances(&tx, &[used], at(60)).await.unwrap()[0];
        tx.commit().await.unwrap();
        settled
    };
    let (first, second) = tokio::join!(end(), end());
    assert!(first.is_new != second.is_new, "one of the two settled");
    assert_eq!((first.free, first.quantity), (second.free, second.quantity));
    (first.free, first.beyond())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_calls_racing_for_ten_included_minutes_get_exactly_ten() {
    // (each call's minutes, all used, priced)
    for (each, used, priced) in [("0.3", "15", "5"), ("1", "50", "40"), ("0.166667", "8.33335", "0")] {
        let stage = Stage::set().await;
        let terms = terms(stage.subscription().await, at(0), "10");
        let key = agreed(&stage, &terms).await.key;
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let (db, tenant_id) = (stage.test.db.clone(), stage.tenant_id);
                tokio::spawn(place_call(db, tenant_id, key.clone(), minutes(each)))
            })
            .collect();
        let (mut free, mut beyond) = (Units::ZERO, Units::ZERO);
        for call in calls {
            let (one_free, one_beyond) = call.await.unwrap();
            (free, beyond) = (free.plus(one_free), beyond.plus(one_beyond));
        }
        let found = allowance(&stage.tx().await, &key).await.unwrap().unwrap();
        assert_eq!((found.used, beyond), (minutes(used), minutes(priced)), "{each}");
        assert_eq!(free, minutes(used).less(minutes(priced)), "{each}");
        assert_eq!(found.beyond(), beyond, "what the calls were priced for is what a bill of the whole prices");
        assert!(found.reserved == Units::ZERO && found.free == free);
        stage.audit(at(60)).await;
    }
}

#[tokio::test]
async fn the_audit_sees_an_allowance_that_was_changed_from_outside() {
    let stage = Stage::set().await;
    let terms = terms(stage.subscription().await, at(0), "3");
    let key = agreed(&stage, &terms).await.key;
    settle(&stage, &key, CallId::new(), "2").await;
    stage.audit(at(0)).await;
    for (damage, repair, invariant) in [
        ("reserved_micros = reserved_micros + 7", "reserved_micros = reserved_micros - 7", "I2"),
        ("used_micros = used_micros + 7", "used_micros = used_micros - 7", "I2"),
        ("free_micros = free_micros + 500000", "free_micros = free_micros - 500000", "I3"),
    ] {
        stage.test.as_owner(&format!("UPDATE allowance SET {damage}")).await;
        let found = ledger::check_ledger(&stage.tx().await, at(0)).await.unwrap();
        assert!(found.iter().any(|violation| violation.invariant == invariant), "{damage}: {found:?}");
        stage.test.as_owner(&format!("UPDATE allowance SET {repair}")).await;
        stage.audit(at(0)).await;
    }
}

/// A call takes what is included first and money second; whoever gives both back must not come the other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expiry_and_release_wait_for_a_call_at_the_allowance_and_hold_no_wallet_meanwhile() {
    for is_expiry in [true, false] {
        let stage = Stage::set().await;
        let terms = terms(stage.subscription().await, at(0), "10");
        let key = agreed(&stage, &terms).await.key;
        let tx = stage.tx().await;
        ledger::open_wallet(&tx, terms.customer_id, money::Currency::EUR, eur("0"), at(0)).await.unwrap();
        ledger::top_up(&tx, terms.customer_id, eur("10.00"), "first", "Top-up", at(0), at(0)).await.unwrap();
        let old = CallId::new();
        reserve_allowance(&tx, &wish(&key, old, 1, "1"), at(0)).await.unwrap();
        ledger::reserve(&tx, &money_wish(old, 1, terms.customer_id, "1.00"), at(0)).await.unwrap();
        tx.commit().await.unwrap();
        let (call, running) = (CallId::new(), stage.tx().await);
        let until = at(600);
        let included = AllowanceWish { lease_until: until, ..wish(&key, call, 1, "1") };
        reserve_allowance(&running, &included, at(200)).await.unwrap();
        let (db, tenant_id) = (stage.test.db.clone(), stage.tenant_id);
        let other = tokio::spawn(async move {
            let tx = db.tenant(tenant_id).await.unwrap();
            let given_back = match is_expiry {
                true => expire_leases(&tx, at(200)).await.unwrap(),
                false => release(&tx, old, Leg::Caller, at(200)).await.unwrap(),
            };
            tx.commit().await.unwrap();
            given_back
        });
        stage.test.until_somebody_waits().await;
        let money = Reserve { lease_until: until, ..money_wish(call, 1, terms.customer_id, "1.00") };
        ledger::reserve(&running, &money, at(200)).await.unwrap();
        running.commit().await.unwrap();
        assert_eq!(other.await.unwrap(), 2, "the hold and the reservation");
    }
}
