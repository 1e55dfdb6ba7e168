//! Customers move from one version of a plan to the next, many in one go, and back until it is billed.

use crate::api::Machine;
use crate::browser::{Browser, pages};
use crate::world::{World, flat, founded, prepaid, start};
use actix_web::test::TestRequest;
use db::{PlanVersionId, SubscriptionId};
use money::Currency;
use serde_json::json;
use subscription::{Change, NewPlanVersion, NewSubscription, When};

fn terms(amount: &str) -> NewPlanVersion {
    NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(Currency::EUR, vec![flat("fee", amount)]) }
}

#[actix_web::test]
async fn customers_move_to_the_next_version_after_a_look_and_the_move_can_be_undone() {
    let world = World::new().await;
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, "advice", "Advice", "", false).await.unwrap();
    let first = subscription::publish_version(&tx, plan, &terms("100"), founded()).await.unwrap();
    let id = subscribed(&tx, world.jonas, first).await;
    let second = subscription::publish_version(&tx, plan, &terms("150"), start()).await.unwrap();
    tx.commit().await.unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let moves = format!("/admin/plans/{plan}/moves");
    let page = browser.get(&moves).await;
    assert!(page.body.contains("Jonas Weber") && page.body.contains("to version 2"), "{}", page.body);
    let preview = browser.get(&format!("{moves}?to={second}&when=period&look=chosen&subscription={id}")).await;
    assert!(preview.body.contains("Move 1 customer to version 2"), "{}", preview.body);
    let token = preview.token();
    let (id, second) = (id.to_string(), second.to_string());
    let made = browser.post(&moves, &token, &[("subscription", &id), ("to", &second), ("when", "now")]).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let on = || async {
        let tx = world.nord().await;
        let history = subscription::history(&tx, id.parse().unwrap()).await.unwrap().unwrap();
        history.plan_at(start()).version
    };
    assert_eq!(on().await, 2);
    let page = browser.get(&moves).await;
    let undo =
        page.body.split("action=\"").filter_map(|rest| rest.split('"').next()).find(|action| action.ends_with("/undo"));
    let undone = browser.post(undo.expect("a move that is not billed can be undone"), &token, &[]).await;
    assert_eq!(undone.status, 303, "{}", undone.body);
    assert_eq!(on().await, 1);
    let audit = tenant::audit_entries(&world.nord().await, None, 20).await.unwrap();
    for action in ["plan.move", "plan.move_undo"] {
        assert!(
            audit.iter().any(|entry| entry.action == action && entry.subject == plan.to_string()),
            "{action}: {audit:?}"
        );
    }
    let of_nobody = browser.post(&moves, &token, &[("to", &second), ("when", "now")]).await;
    assert_eq!(of_nobody.status, 422);
    assert!(of_nobody.body.contains("Choose at least one customer: nobody is chosen."), "{}", of_nobody.body);
    assert_eq!(
        browser.get(&format!("{moves}?to={second}&when=now&look=chosen")).await.status,
        422,
        "nor is there a look at nobody"
    );
    for (fields, said) in [
        (
            [("subscription", id.as_str()), ("to", "nope"), ("when", "now")],
            "Must be a version of this plan, not &#34;nope&#34;.",
        ),
        ([("subscription", &id), ("to", &second), ("when", "soon")], "Must be one of the three, not &#34;soon&#34;."),
        (
            [("subscription", "nope"), ("to", &second), ("when", "now")],
            "Must be a subscriber of this plan, not &#34;nope&#34;.",
        ),
    ] {
        let refused = browser.post(&moves, &token, &fields).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains(said), "{said} in {}", refused.body);
    }
    // What was chosen stands in the form that is shown again.
    let refused = browser.post(&moves, &token, &[("subscription", &id), ("to", "nope"), ("when", "term")]).await;
    assert!(refused.body.contains(&format!("value=\"{id}\" checked")) && refused.body.contains("\"term\" selected"));
    assert_eq!(browser.get(&format!("{moves}?to=nope")).await.status, 422);
    assert_eq!(on().await, 1);
    let foreign = browser
        .post(&moves, &token, &[("subscription", &db::SubscriptionId::new().to_string()), ("to", &second)])
        .await;
    assert_eq!(foreign.status, 422, "only subscribers of this plan move here");
}

/// What the form would send for each who may be moved.
fn listed(body: &str) -> Vec<String> {
    let boxes = body.split("name=\"subscription\" value=\"").skip(1);
    boxes.filter_map(|rest| Some(rest.split('"').next()?.to_owned())).collect()
}

fn href_of(body: &str, rel: &str) -> String {
    let before = body.split(rel).next().expect("a link");
    before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&#38;", "&")
}

#[actix_web::test]
async fn who_is_left_to_move_is_reached_however_many_have_moved_before() {
    let world = World::new().await;
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, "advice", "Advice", "", false).await.unwrap();
    let first = subscription::publish_version(&tx, plan, &terms("100"), founded()).await.unwrap();
    let mut all: Vec<SubscriptionId> = Vec::new();
    for number in 1..=310 {
        let new = prepaid(&format!("M-{number}"), &format!("Customer {number:03}"));
        let customer_id = subscription::create_customer(&tx, &new, founded()).await.unwrap();
        all.push(subscribed(&tx, customer_id, first).await);
    }
    let second: PlanVersionId = subscription::publish_version(&tx, plan, &terms("150"), start()).await.unwrap();
    // Two move later: they are asked nothing more here.
    subscription::move_customers(&tx, &all[..2], second, When::PeriodEnd, "test", start()).await.unwrap();
    tx.commit().await.unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let moves = format!("/admin/plans/{plan}/moves");
    let page = browser.get(&moves).await;
    assert!(page.body.contains("308 customers are left to move; 2 more have a move ahead"), "{}", page.body);
    assert!(page.body.contains("1 to 300 of 308, the widest change first"), "{}", page.body);
    let shown = listed(&page.body);
    assert_eq!(shown.len(), 300);
    // The rest is on the next page.
    let next = browser.get(&href_of(&page.body, " rel=\"next\"")).await;
    assert_eq!(next.status, 200);
    assert!(next.body.contains("301 to 308 of 308"), "{}", next.body);
    let rest = listed(&next.body);
    assert!(rest.len() == 8 && rest.iter().all(|id| !shown.contains(id)), "{rest:?}");
    let preview = browser.get(&format!("{moves}?to={second}&when=now&after={}&all=on", shown.last().unwrap())).await;
    assert!(preview.body.contains("Move 8 customers to version 2"), "{}", preview.body);

    // Those who moved are not in the way of those who are left.
    let second = second.to_string();
    let mut fields = vec![("to", second.as_str()), ("when", "now")];
    fields.extend(shown.iter().map(|id| ("subscription", id.as_str())));
    let made = browser.post(&moves, &page.token(), &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let page = browser.get(&moves).await;
    assert!(page.body.contains("8 customers are left to move; 2 more have a move ahead"), "{}", page.body);
    let mut left = listed(&page.body);
    let mut expected = rest.clone();
    left.sort_unstable();
    expected.sort_unstable();
    assert_eq!(left, expected);
    // Each move is on the list of moves, a hundred at a time: 302 = 3 x 100 + 2.
    let mut older = page;
    for _ in 0..3 {
        assert!(older.body.contains("100 moves, newest first"), "{}", older.body);
        let next = href_of(&older.body, " rel=\"next\">Older");
        older = browser.get(&next).await;
    }
    assert!(older.body.contains("2 moves, newest first"), "{}", older.body);
    let all_moved = browser.get(&format!("{moves}?to={first}")).await;
    assert!(all_moved.body.contains("300 customers are left to move"), "back again: {}", all_moved.body);
}

async fn subscribed(tx: &db::TenantTx, customer_id: db::CustomerId, plan_version_id: PlanVersionId) -> SubscriptionId {
    let wish = NewSubscription {
        customer_id,
        plan_version_id,
        seats: 1,
        anchor_on: founded().date_naive(),
        starts_at: founded(),
        trial: false,
    };
    subscription::subscribe(tx, &wish, founded()).await.unwrap()
}

#[actix_web::test]
async fn customers_of_an_add_on_move_to_its_next_version_on_the_page_and_over_the_api_alike() {
    let world = World::new().await;
    let tx = world.nord().await;
    let plan = subscription::create_plan(&tx, "advice", "Advice", "", false).await.unwrap();
    let plan = subscription::publish_version(&tx, plan, &terms("100"), founded()).await.unwrap();
    let add_on = subscription::create_plan(&tx, "crm", "CRM", "", true).await.unwrap();
    let connector = |amount: &str| NewPlanVersion {
        trial_days: 0,
        ..NewPlanVersion::monthly(Currency::EUR, vec![flat("crm", amount)])
    };
    let first = subscription::publish_version(&tx, add_on, &connector("15"), founded()).await.unwrap();
    let mut ids = Vec::new();
    for customer in [world.jonas, world.petra] {
        let id = subscribed(&tx, customer, plan).await;
        let added = Change::AddOn { version: first };
        subscription::change(&tx, id, &added, When::Now, "test", founded()).await.unwrap();
        ids.push(id.to_string());
    }
    let second = subscription::publish_version(&tx, add_on, &connector("20"), start()).await.unwrap().to_string();
    tx.commit().await.unwrap();
    let [jonas, petra] = ids.try_into().unwrap();
    let pages = pages(&world).await;
    let mut browser = Browser::new(&pages);
    browser.sign_in("admin@nord.example").await;
    let page = browser.get(&format!("/admin/plans/{add_on}")).await;
    let moves = format!("/admin/plans/{add_on}/moves");
    assert!(page.body.contains("Petra Lange") && page.body.contains(&moves), "{}", page.body);
    let page = browser.get(&moves).await;
    // 100.00 + 15.00 a month, and 100.00 + 20.00 then
    for words in ["Move customers of CRM to version 2", "2 customers are left to move", "€115.00", "€120.00", "€5.00"]
    {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    let fields = [("subscription", jonas.as_str()), ("to", &second), ("when", "now")];
    let made = browser.post(&moves, &page.token(), &fields).await;
    assert_eq!(made.status, 303, "{}", made.body);
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let api = format!("/v1/plans/{add_on}");
    let wanted = |when: &str| json!({"to": second, "when": when, "subscriptions": [petra]});
    let foreseen = nord.post(&format!("{api}/move-previews"), "", &wanted("term_end")).await.json();
    assert_eq!(foreseen["rows"][0]["difference"]["amount"], "5.00", "{foreseen}");
    let moved = nord.post(&format!("{api}/moves"), "m", &wanted("term_end")).await;
    assert_eq!(moved.status, 201, "{}", moved.text());
    let change = moved.json()["changes"][0].clone();
    assert_eq!((&change["kind"], &change["plan_version"]), (&json!("move_add_on"), &json!(second)));
    let page = browser.get(&moves).await;
    assert!(page.body.contains("0 customers are left to move; 1 more has a move ahead"), "{}", page.body);
    assert_eq!(nord.get(&format!("{api}/moves")).await.json()["data"].as_array().map(Vec::len), Some(2));
    let undo = format!("{api}/moves/{}", change["id"].as_str().unwrap());
    assert_eq!(nord.send(TestRequest::delete().uri(&undo)).await.status, 200);
    assert!(browser.get(&moves).await.body.contains("1 customer is left to move"));
    // One by one, by a change of the subscription itself.
    let alone = json!({"kind": "move_add_on", "plan_version": second});
    let changed = nord.post(&format!("/v1/subscriptions/{petra}/changes"), "c", &alone).await;
    assert_eq!(changed.status, 201, "{}", changed.text());
    let customer = browser.get(&format!("/admin/customers/{}", world.petra)).await;
    assert!(customer.body.contains("CRM, version 2"), "{}", customer.body);
}
