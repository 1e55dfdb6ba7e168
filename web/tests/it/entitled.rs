//! The product obeys what its organisations have bought: no seat beyond the plan, no name of one's own without white label.

use crate::api::Machine;
use crate::browser::{Browser, pages};
use crate::world::{MAIN, VOSS, World, flat, founded, sell};
use chrono::TimeDelta;
use money::Currency;
use serde_json::Value;
use subscription::{Billed, Change, Component, ComponentKind, NewPlanVersion, When};
use tenant::Role;

/// Room for this many agents at 49.00 each.
fn with_seats(limit: u32, sells_extra_seats: bool) -> NewPlanVersion {
    let seats = Component {
        kind: ComponentKind::Seat,
        measure: Some("active".into()),
        billed: Billed::InArrears,
        ..flat("agents", "49.00")
    };
    NewPlanVersion {
        seat_limit: Some(limit),
        sells_extra_seats,
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("platform", "29.00"), seats])
    }
}

const TOM: [(&str, &str); 3] = [("name", "Tom Ahrens"), ("email", "tom@nord.example"), ("phone", "tom.nord")];

#[actix_web::test]
async fn no_agent_is_added_beyond_the_seats_of_the_plan_and_the_refusal_says_the_price_of_one_more() {
    let world = World::new().await;
    sell(&world.database, world.operator, world.nord, "small", &with_seats(1, false), 0).await;
    let pages = pages(&world).await;
    let mut admin = Browser::new(&pages);
    admin.sign_in("admin@nord.example").await;
    let form = admin.get("/admin/agents/new").await;
    let refusal =
        "Your plan has 1 seat, and all are taken. One more costs €49.00 a month; OPERATOR adds it to your plan.";
    assert!(form.body.contains(refusal), "{}", form.body);
    let refused = admin.post("/admin/agents", &form.token(), &TOM).await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains(refusal) && refused.body.contains("tom@nord.example"), "{}", refused.body);
    assert_eq!(tenant::agents(&world.nord().await).await.unwrap().len(), 1, "nobody was added");
}

#[actix_web::test]
async fn where_the_plan_sells_extra_seats_an_agent_is_added_and_signs_in_with_the_password_shown_once() {
    let world = World::new().await;
    sell(&world.database, world.operator, world.nord, "growing", &with_seats(1, true), 0).await;
    let pages = pages(&world).await;
    let mut admin = Browser::new(&pages);
    admin.sign_in("admin@nord.example").await;
    let form = admin.get("/admin/agents/new").await;
    assert!(form.body.contains("Beyond the plan: one more seat costs €49.00 a month."), "{}", form.body);
    for (field, wrong, sentence) in [
        ("email", "nowhere", "Must be an e-mail address."),
        ("email", "lena@nord.example", "Is the address of an agent already."),
        ("phone", "Tom Nord", "Must be 3 to 60 of a-z, 0-9, . and -."),
        ("phone", "lena.nord", "Must be free, another agent has it."),
        ("name", "", "Must not be empty."),
    ] {
        let fields = TOM.map(|(name, value)| if name == field { (name, wrong) } else { (name, value) });
        let refused = admin.post("/admin/agents", &form.token(), &fields).await;
        assert_eq!(refused.status, 422, "{field} {wrong}");
        assert!(refused.body.contains(sentence), "{sentence} in {}", refused.body);
    }
    // Another address than the one that was tried with a wrong phone name: a person that exists keeps its own password.
    let tim = [("name", "Tim Olsen"), ("email", "tim@nord.example"), ("phone", "tim.nord")];
    let done = admin.post("/admin/agents", &form.token(), &tim).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let password = done.body.split("First password for tim@nord.example: ").nth(1).expect("the password is shown");
    let password = password.split('.').next().unwrap();
    let mut browser = Browser::new(&pages);
    assert_eq!(browser.sign_in_with("tim@nord.example", password).await.to(), "/agent");
}

#[actix_web::test]
async fn nobody_sits_down_where_every_seat_of_the_plan_is_taken() {
    let world = World::new().await;
    let kim = world.member(world.nord, "kim@nord.example", Role::Agent, None).await;
    let tx = world.nord().await;
    tenant::add_agent(&tx, kim, "Kim Roth", "kim.nord", world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    sell(&world.database, world.operator, world.nord, "small", &with_seats(1, false), 0).await;
    let pages = pages(&world).await;
    let (mut lena, mut kim) = (Browser::new(&pages), Browser::new(&pages));
    lena.sign_in("lena@nord.example").await;
    assert_eq!(kim.sign_in("kim@nord.example").await, "/agent", "the desk opens without a seat");
    let desk = kim.get("/agent").await;
    assert!(desk.body.contains("You are not on a seat."), "{}", desk.body);
    let refused = kim.post("/agent/state", &desk.token(), &[("state", "ready")]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.body.contains("One more costs €49.00 a month"), "{}", refused.body);
    assert!(refused.body.contains("The longest on them: Lena Vogt."), "{}", refused.body);
    kim.post("/agent/heartbeat", &desk.token(), &[]).await;
    let seated = tenant::agent_states(&world.nord().await).await.unwrap();
    assert_eq!(seated.iter().filter(|status| status.seat_opened_at.is_some()).count(), 1);
    let leaving = lena.get("/agent").await.token();
    lena.post("/sign-out", &leaving, &[]).await;
    assert_eq!(kim.post("/agent/state", &desk.token(), &[("state", "ready")]).await.status, 303, "the seat is free");
}

#[actix_web::test]
async fn six_who_sit_down_at_once_do_not_share_the_last_two_seats() {
    let world = World::new().await;
    let mut crowd = Vec::new();
    for number in 1..=6 {
        let email = format!("agent{number}@nord.example");
        let member = world.member(world.nord, &email, Role::Agent, None).await;
        let tx = world.nord().await;
        let phone = format!("agent{number}.nord");
        tenant::add_agent(&tx, member, &email, &phone, world.app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        crowd.push(email);
    }
    sell(&world.database, world.operator, world.nord, "small", &with_seats(2, false), 0).await;
    let pages = pages(&world).await;
    let sign_ins = crowd.iter().map(|email| {
        let mut browser = Browser::new(&pages);
        async move { browser.sign_in(email).await }
    });
    futures_util::future::join_all(sign_ins).await;
    let seated = tenant::agent_states(&world.nord().await).await.unwrap();
    assert_eq!(seated.iter().filter(|status| status.seat_opened_at.is_some()).count(), 2);
}

#[actix_web::test]
async fn two_administrators_at_once_do_not_both_add_the_last_agent() {
    let world = World::new().await;
    sell(&world.database, world.operator, world.nord, "small", &with_seats(2, false), 0).await;
    let pages = pages(&world).await;
    let mut admin = Browser::new(&pages);
    admin.sign_in("admin@nord.example").await;
    let token = admin.get("/admin/agents/new").await.token();
    let adding = (1..=4).map(|number| {
        let (mut browser, token) = (Browser::new(&pages), token.clone());
        browser.cookies = admin.cookies.clone();
        async move {
            let (name, email) = (format!("Tom {number}"), format!("tom{number}@nord.example"));
            let phone = format!("tom{number}.nord");
            let fields = [("name", name.as_str()), ("email", email.as_str()), ("phone", phone.as_str())];
            browser.post("/admin/agents", &token, &fields).await.status
        }
    });
    let mut statuses = futures_util::future::join_all(adding).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409], "Lena has the first place");
    assert_eq!(tenant::agents(&world.nord().await).await.unwrap().len(), 2);
}

#[actix_web::test]
async fn a_domain_is_served_only_while_the_plan_has_white_label_and_its_people_are_at_the_operators_host_then() {
    let world = World::new().await;
    let pages = pages(&world).await;
    assert_eq!(Browser::at(&pages, VOSS).get("/sign-in").await.status, 200);
    let tx = world.database.db.tenant(world.operator).await.unwrap();
    let customer = subscription::customer_of_organisation(&tx, world.reseller).await.unwrap().unwrap();
    let bought = subscription::subscriptions_of(&tx, customer.id).await.unwrap();
    let end = Change::Cancel { credit: false };
    subscription::change(&tx, bought[0].id, &end, When::Now, "test", world.app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    world.app.clock.advance(TimeDelta::seconds(11));
    assert_eq!(Browser::at(&pages, VOSS).get("/sign-in").await.status, 421, "no name without the feature");
    for (email, home) in [("admin@voss.example", "/reseller"), ("admin@bright.example", "/admin")] {
        assert_eq!(Browser::at(&pages, MAIN).sign_in(email).await, home, "{email} works under no brand");
    }
}

#[actix_web::test]
async fn what_a_customer_may_use_is_kept_and_yet_never_after_it_was_lost_whoever_took_it() {
    let world = World::new().await;
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, "desk", "Desk", "", false).await.unwrap();
    let terms = NewPlanVersion {
        trial_days: 0,
        features: vec!["crm".into()],
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("fee", "49")])
    };
    let version = subscription::publish_version(&tx, plan, &terms, founded()).await.unwrap();
    let new = subscription::NewSubscription {
        customer_id: world.petra,
        plan_version_id: version,
        seats: 0,
        anchor_on: founded().date_naive(),
        starts_at: founded(),
        trial: false,
    };
    let id = subscription::subscribe(&tx, &new, founded()).await.unwrap();
    tx.commit().await.unwrap();
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let path = format!("/v1/entitlements?customer={}", world.petra);
    let granted_by = async || nord.get(&path).await.json()["features"]["crm"]["granted_by"][0].clone();
    assert_eq!(granted_by().await, "Desk");
    // Only the name of a plan may be old for a moment: that is how one sees that the rest was not read again.
    let rename = async |name: &str| {
        let tx = world.nord().await;
        subscription::rename_plan(&tx, plan, name, "").await.unwrap();
        tx.commit().await.unwrap();
    };
    rename("Counter").await;
    assert_eq!(granted_by().await, "Desk", "kept");
    // Each change is made past this process' own handlers, as another process would.
    let now = world.app.clock.now();
    let ask = async |change: Change, when: When| {
        let tx = world.nord().await;
        let id = subscription::change(&tx, id, &change, when, "another process", now).await.unwrap();
        tx.commit().await.unwrap();
        id
    };
    ask(Change::Pause, When::Now).await;
    assert_eq!(granted_by().await, Value::Null, "taken away at once");
    let resumed = ask(Change::Resume, When::Now).await;
    assert_eq!(granted_by().await, "Counter", "and read anew");
    let tx = world.nord().await;
    subscription::undo_change(&tx, resumed, "another process", now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(granted_by().await, Value::Null, "an undone change counts no longer");
    ask(Change::Resume, When::Now).await;
    ask(Change::Cancel { credit: false }, When::PeriodEnd).await;
    assert_eq!(granted_by().await, "Counter");
    // It ends with March, in Berlin: 29 days and 12 hours after 2 March, 10:00 UTC.
    world.app.clock.advance(TimeDelta::days(29) + TimeDelta::hours(11));
    assert_eq!(granted_by().await, "Counter");
    rename("Till").await;
    world.app.clock.advance(TimeDelta::hours(1));
    assert_eq!(granted_by().await, Value::Null, "the clock alone takes it away");
}
