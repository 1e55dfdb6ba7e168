//! Coupons: a percentage or an amount off, once, for some periods or for ever; and the last one is taken once.

use crate::world::*;
use db::{CustomerId, SubscriptionId};
use money::{Currency, Money};
use subscription::*;

const NOW: &str = "2026-03-10T12:00:00Z";

fn coupon(code: &str) -> NewCoupon {
    NewCoupon {
        code: code.into(),
        name: "Spring".into(),
        off: CouponOff::Percent(percent("20")),
        periods: Some(1),
        redemptions_max: None,
        valid_until: None,
    }
}

async fn subscribed(world: &World, customer: CustomerId, plan: &str) -> SubscriptionId {
    let version = world.version(plan, vec![flat("platform", "49")]).await;
    let tx = world.tx().await;
    let id = subscribe(&tx, &begins(customer, version, "2026-03-01T12:00:00Z"), at(NOW)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn a_coupon_that_breaks_a_rule_is_refused() {
    let world = World::new().await;
    let tx = world.tx().await;
    let euro = |text: &str| CouponOff::Amount(Money::parse(text, Currency::EUR).unwrap());
    let good = coupon("SPRING-26");
    for (new, expected) in [
        (NewCoupon { code: "spring".into(), ..good.clone() }, is("code", "must_be_coupon_code", "spring")),
        (NewCoupon { name: " ".into(), ..good.clone() }, is("name", "must_not_be_empty", " ")),
        (
            NewCoupon { off: CouponOff::Percent(percent("0")), ..good.clone() },
            is("percent_off", "must_be_above_zero", "0%"),
        ),
        (
            NewCoupon { off: CouponOff::Percent(percent("101")), ..good.clone() },
            is("percent_off", "must_not_exceed_whole", "101%"),
        ),
        (NewCoupon { off: euro("-5"), ..good.clone() }, is("amount_off", "must_be_above_zero", "-5.00 EUR")),
        (NewCoupon { periods: Some(0), ..good.clone() }, is("periods", "must_lie_between", "0")),
        (NewCoupon { redemptions_max: Some(0), ..good.clone() }, is("redemptions_max", "must_lie_between", "0")),
        (
            NewCoupon { valid_until: Some(at(NOW)), ..good.clone() },
            is("valid_until", "must_lie_ahead", "2026-03-10T12:00:00Z"),
        ),
    ] {
        assert_eq!(refused(create_coupon(&tx, &new, at(NOW)).await), expected);
    }
    create_coupon(&tx, &good, at(NOW)).await.unwrap();
    assert_eq!(refused(create_coupon(&tx, &good, at(NOW)).await), is("code", "must_be_free", "SPRING-26"));
}

#[tokio::test]
async fn a_coupon_is_redeemed_by_its_code_once_by_each_subscription_until_its_end() {
    let world = World::new().await;
    let (anna, ben) = (world.customer("C-1", "Europe/Berlin").await, world.customer("C-2", "Europe/Berlin").await);
    let (annas, bens) = (subscribed(&world, anna, "basic").await, subscribed(&world, ben, "other").await);
    let tx = world.tx().await;
    let until = at("2026-04-01T00:00:00Z");
    let ends = NewCoupon { valid_until: Some(until), redemptions_max: Some(1), ..coupon("SPRING") };
    create_coupon(&tx, &ends, at(NOW)).await.unwrap();
    redeem_coupon(&tx, annas, " spring ", at(NOW)).await.unwrap();
    assert_eq!(refused(redeem_coupon(&tx, annas, "SPRING", at(NOW)).await).1, "must_be_unique");
    assert_eq!(refused(redeem_coupon(&tx, bens, "SPRING", at(NOW)).await).1, "must_have_redemptions_left");
    assert_eq!(refused(redeem_coupon(&tx, bens, "SPRING", until).await).1, "must_be_within_validity");
    assert!(matches!(redeem_coupon(&tx, bens, "AUTUMN", until).await, Err(SubscriptionError::NotFound { .. })));
    let dollars = CouponOff::Amount(Money::parse("5", Currency::USD).unwrap());
    create_coupon(&tx, &NewCoupon { off: dollars, ..coupon("DOLLARS") }, at(NOW)).await.unwrap();
    assert_eq!(refused(redeem_coupon(&tx, bens, "DOLLARS", at(NOW)).await), is("code", "currency_must_match", "USD"));
    let old = create_coupon(&tx, &coupon("OLD"), at(NOW)).await.unwrap();
    archive_coupon(&tx, old, at(NOW)).await.unwrap();
    assert_eq!(refused(redeem_coupon(&tx, bens, "OLD", at(NOW)).await).1, "must_not_be_archived");
}

#[tokio::test]
async fn a_coupon_lowers_the_running_period_and_as_many_more_as_it_says() {
    let world = World::new().await;
    let customer = world.customer("C-1", "Europe/Berlin").await;
    let id = subscribed(&world, customer, "basic").await;
    let tx = world.tx().await;
    for (code, periods) in [("ONCE", Some(1)), ("THREE", Some(3)), ("EVER", None)] {
        create_coupon(&tx, &NewCoupon { periods, ..coupon(code) }, at(NOW)).await.unwrap();
        redeem_coupon(&tx, id, code, at(NOW)).await.unwrap();
    }
    let months = |history: &History, code: &str| {
        let redeemed = history.redeemed.iter().find(|redeemed| redeemed.coupon.code == code).unwrap().clone();
        let starts = (3..=8).map(|month| at(&format!("2026-0{month}-15T00:00:00Z")));
        starts.map(|instant| redeemed.lowers(&history.period_at(instant).unwrap())).collect::<Vec<_>>()
    };
    let read = history(&tx, id).await.unwrap().unwrap();
    // March holds the redemption; March to August
    assert_eq!(months(&read, "ONCE"), [true, false, false, false, false, false]);
    assert_eq!(months(&read, "THREE"), [true, true, true, false, false, false]);
    assert_eq!(months(&read, "EVER"), [true; 6]);
    let ever = read.redeemed.iter().find(|redeemed| redeemed.coupon.code == "EVER").unwrap().coupon.id;
    end_coupon(&tx, ever, id, at("2026-05-20T00:00:00Z")).await.unwrap();
    let read = history(&tx, id).await.unwrap().unwrap();
    // taken away in May: May keeps it
    assert_eq!(months(&read, "EVER"), [true, true, true, false, false, false]);
}

#[tokio::test]
async fn fifty_who_ask_at_once_for_a_coupon_of_one_redemption_get_one() {
    let world = World::new().await;
    let version = world.version("basic", vec![]).await;
    let mut ids = Vec::new();
    for number in 0..50 {
        let customer = world.customer(&format!("C-{number}"), "Europe/Berlin").await;
        let tx = world.tx().await;
        ids.push(subscribe(&tx, &begins(customer, version, NOW), at(NOW)).await.unwrap());
        tx.commit().await.unwrap();
    }
    let tx = world.tx().await;
    let id = create_coupon(&tx, &NewCoupon { redemptions_max: Some(1), ..coupon("LAST") }, at(NOW)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for subscription_id in ids {
        let (db, tenant) = (world.database.db.clone(), world.tenant);
        tasks.spawn(async move {
            let tx = db.tenant(tenant).await.unwrap();
            match redeem_coupon(&tx, subscription_id, "LAST", at(NOW)).await {
                Ok(_) => {
                    tx.commit().await.unwrap();
                    1
                }
                Err(error) => {
                    assert_eq!(error.refusal().unwrap().rule, Rule::MustHaveRedemptionsLeft);
                    0
                }
            }
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<i32>(), 1);
    let tx = world.tx().await;
    assert_eq!(redemptions(&tx, id, 9).await.unwrap().len(), 1);
    assert_eq!(coupon_by_code(&tx, "last").await.unwrap().unwrap().redemptions, 1);
}
