//! Subscribers of one version move to another by the API: looked at, then many in one go, and back one by one.

use crate::api::Machine;
use crate::api_sold::{delete, plan, subscribed};
use crate::browser::pages;
use crate::world::World;
use serde_json::{Value, json};

#[actix_web::test]
async fn many_move_to_another_version_after_a_look_all_or_none_and_back_one_by_one() {
    let world = World::new().await;
    let pages = pages(&world).await;
    let nord = Machine::new(&pages, world.mighty_key(world.nord).await);
    let (path, versions) = plan(&nord, "fee", &["49", "59"]).await;
    let (other, others) = plan(&nord, "other", &["10"]).await;
    // A whole month lies behind Petra on the 2nd of March, none behind Jonas.
    let petra = subscribed(
        &nord,
        &json!({"customer": world.petra.to_string(), "plan_version": versions[0],
        "anchor_on": "2026-02-01", "starts_at": "2026-01-31T23:00:00Z"}),
    )
    .await;
    let jonas = json!({"customer": world.jonas.to_string(), "plan_version": versions[0]});
    let jonas = subscribed(&nord, &jonas).await;
    let stranger = json!({"customer": world.jonas.to_string(), "plan_version": others[0]});
    let stranger = subscribed(&nord, &stranger).await;
    let (moves, previews) = (format!("{path}/moves"), format!("{path}/move-previews"));
    let to = |when: &str, who: &[&Value]| {
        let ids: Vec<&Value> = who.iter().map(|of| &of["id"]).collect();
        json!({"to": versions[1], "when": when, "subscriptions": ids})
    };

    let foreseen = nord.post(&previews, "", &json!({"to": versions[1], "when": "term_end"})).await.json();
    let rows = foreseen["rows"].as_array().unwrap();
    let told: Vec<_> = rows.iter().map(|row| (&row["customer_name"], &row["before"]["amount"], &row["at"])).collect();
    assert_eq!(
        told,
        [
            (&json!("Jonas Weber"), &Value::Null, &jonas["term_ends_at"]),
            (&json!("Petra Lange"), &json!("49.00"), &petra["term_ends_at"])
        ],
        "everybody on another version, by name"
    );
    // 59.00 - 49.00
    assert_eq!((&rows[1]["after"]["amount"], &rows[1]["difference"]["amount"]), (&json!("59.00"), &json!("10.00")));
    assert_eq!((&foreseen["before"]["amount"], &foreseen["after"]["amount"]), (&json!("49.00"), &json!("59.00")));
    let behind = json!({"to": versions[1], "when": "term_end", "starting_after": jonas["id"]});
    let rest = nord.post(&previews, "", &behind).await.json();
    assert_eq!((&rest["rows"][0], &rest["rows"][1], &rest["has_more"]), (&rows[1], &Value::Null, &json!(false)));
    let unknown = json!({"to": versions[1], "when": "now", "starting_after": stranger["id"]});
    let unknown = nord.post(&previews, "", &unknown).await;
    assert_eq!(unknown.field(), (422, "/starting_after".into(), "must_be_subscriber".into()), "{}", unknown.text());
    let same = json!({"to": versions[0], "when": "now", "subscriptions": [petra["id"], jonas["id"]]});
    let same = nord.post(&previews, "", &same).await.json();
    assert_eq!(same["rows"][1]["refused"]["pointer"], "/subscriptions/1", "{same}");
    assert_eq!(nord.get(&moves).await.json()["data"], json!([]), "a look moves nobody");

    for (body, pointer, code) in [
        (to("now", &[]), "/subscriptions", "must_not_be_empty"),
        (to("now", &[&jonas, &stranger]), "/subscriptions/1", "must_be_subscriber"),
        (to("now", &[&jonas, &jonas]), "/subscriptions/1", "must_be_unique"),
        (to("soon", &[&jonas]), "/when", "unknown_word"),
        (to("2026-01-01T00:00:00Z", &[&jonas, &petra]), "/when", "must_not_lie_in_the_past"),
        (json!({"to": others[0], "when": "now", "subscriptions": [jonas["id"]]}), "/to", "must_be_version_of_plan"),
        (json!({"to": "nope", "when": "now", "subscriptions": [jonas["id"]]}), "/to", "malformed"),
    ] {
        let refused = nord.post(&moves, "m-0", &body).await;
        assert_eq!(refused.field(), (422, pointer.into(), code.into()), "{body}: {}", refused.text());
        if code != "must_not_be_empty" {
            assert!(refused.json()["errors"][0]["value"].is_string(), "{}", refused.text());
        }
    }
    // An id in the body that nobody has is refused at its place, with its value; one in the address is not there.
    let (nobody, nothing) = (db::SubscriptionId::new().to_string(), db::PlanVersionId::new().to_string());
    for (body, pointer, value) in [
        (json!({"to": versions[1], "when": "now", "subscriptions": [nobody]}), "/subscriptions/0", &nobody),
        (json!({"to": nothing, "when": "now", "subscriptions": [jonas["id"]]}), "/to", &nothing),
    ] {
        for path in [&moves, &previews] {
            let refused = nord.post(path, "m-0", &body).await;
            assert_eq!(refused.field(), (422, pointer.into(), "must_be_known".into()), "{path}: {}", refused.text());
            assert_eq!(&refused.json()["errors"][0]["value"], value.as_str());
        }
    }
    let nowhere = format!("/v1/plans/{}/moves", db::PlanId::new());
    assert_eq!(nord.post(&nowhere, "m-0", &to("now", &[&jonas])).await.status, 404);
    let past = nord.post(&moves, "m-0", &to("2026-01-01T00:00:00Z", &[&jonas])).await;
    assert_eq!(past.json()["errors"][0]["value"], "2026-01-01T00:00:00Z", "as it was sent");

    let made = nord.post(&moves, "m-1", &to("now", &[&jonas, &petra])).await;
    assert_eq!((made.status, made.json()["changes"].as_array().map(Vec::len)), (201, Some(2)), "{}", made.text());
    let on = async |of: &Value| {
        let path = format!("/v1/subscriptions/{}", of["id"].as_str().unwrap());
        nord.get(&path).await.json()["plan_version"].clone()
    };
    assert_eq!((on(&jonas).await, on(&petra).await), (versions[1].clone(), versions[1].clone()));

    let listed = nord.get(&format!("{moves}?limit=1")).await.json();
    let next = listed["next"].as_str().expect("one more");
    let second = nord.get(&format!("{moves}?limit=1&starting_after={next}")).await.json();
    assert_eq!(second["has_more"], false);
    let of = |list: &Value| list["data"][0].clone();
    let of_jonas = [of(&listed), of(&second)].into_iter().find(|change| change["subscription"] == jonas["id"]).unwrap();
    let id = of_jonas["id"].as_str().unwrap();
    assert_eq!(delete(&nord, &format!("{other}/moves/{id}")).await.status, 404, "it is no move of the other plan");
    let end = format!("/v1/subscriptions/{}/changes", petra["id"].as_str().unwrap());
    let end = nord.post(&end, "end", &json!({"kind": "cancel", "when": "term_end"})).await.json();
    let end = end["id"].as_str().unwrap();
    assert_eq!(delete(&nord, &format!("{moves}/{end}")).await.status, 404, "an end is no move");
    let undone = delete(&nord, &format!("{moves}/{id}")).await;
    assert!(undone.json()["undone_at"].is_string(), "{}", undone.text());
    assert_eq!(on(&jonas).await, versions[0]);
    assert_eq!(nord.get(&moves).await.json()["data"].as_array().map(Vec::len), Some(1));

    let refused = nord.post(&moves, "m-2", &to("now", &[&jonas, &petra])).await;
    assert_eq!(refused.field(), (422, "/subscriptions/1".into(), "must_differ".into()), "{}", refused.text());
    assert_eq!(on(&jonas).await, versions[0], "where one is refused nobody moves");

    let archived = nord.post(&format!("{path}/archival"), "a-1", &json!({})).await;
    assert_eq!(archived.status, 200, "{}", archived.text());
    let refused = nord.post(&moves, "m-3", &to("now", &[&jonas])).await;
    assert_eq!(refused.field(), (422, "/to".into(), "must_not_be_archived".into()), "{}", refused.text());
    assert_eq!(refused.json()["errors"].as_array().map(Vec::len), Some(1), "once, and not at each: {}", refused.text());
}
