//! What the operator owes Nord for calls that the network collected: drafted, discarded, issued and paid, by machine and by hand.

use crate::api::Machine;
use crate::browser::{Browser, pages};
use crate::world::{World, start};
use chrono::NaiveDate;
use db::{CustomerId, SettlementId};
use invoicing::{SettlementFilter, draft_settlements};
use ledger::{Owed, PartnerShare, ShareKind};
use money::{Currency, Money};
use serde_json::json;
use uuid::Uuid;

fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

async fn nord_as_customer(world: &World) -> CustomerId {
    let tx = world.database.db.tenant(world.operator).await.unwrap();
    subscription::customer_of_organisation(&tx, world.nord).await.unwrap().unwrap().id
}

/// 10.00 of 5 February, of which 7.00 are owed; drafted.
async fn february(world: &World) -> SettlementId {
    let share = PartnerShare {
        batch_id: Uuid::now_v7(),
        customer_id: nord_as_customer(world).await,
        called: "+499001555014".into(),
        shared_on: on("2026-02-05"),
        kind: ShareKind::Call,
        calls: 4,
        seconds: 1200,
        base: eur("10.00"),
        carrier_cost: eur("0"),
        kept: eur("3.00"),
        owed: eur("7.00"),
    };
    let at = "2026-02-05T11:00:00Z".parse().unwrap();
    let shares = [Owed { share, from_seller: eur("0"), effective_at: at }];
    let tx = world.database.db.tenant(world.operator).await.unwrap();
    ledger::owe(&tx, &shares, at).await.unwrap();
    tx.commit().await.unwrap();
    let tx = world.nord().await;
    ledger::earn(&tx, &shares, at).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(draft_settlements(&world.database.db, world.operator, on("2026-03-01"), start()).await.unwrap(), 1);
    let tx = world.database.db.tenant(world.operator).await.unwrap();
    let filter = SettlementFilter { limit: 9, ..SettlementFilter::default() };
    invoicing::settlements(&tx, &filter).await.unwrap()[0].id
}

#[actix_web::test]
async fn a_machine_issues_a_statement_and_records_its_payout_once() {
    let world = World::new().await;
    let id = february(&world).await;
    let pages = pages(&world).await;
    let machine = Machine::new(&pages, world.mighty_key(world.operator).await);
    let path = format!("/v1/settlements/{id}");
    let draft = machine.get(&path).await.json();
    assert_eq!((&draft["state"], &draft["owed"]["amount"]), (&json!("draft"), &json!("7.00")));
    assert_eq!(draft["rows"][0]["kept"], json!({"amount": "3.00", "currency": "EUR"}));
    let payout = json!({"paid_on": "2026-03-02", "reference": "SEPA 1"});
    assert_eq!(machine.post(&format!("{path}/payout"), "p-1", &payout).await.status, 409); // a draft is not paid
    let issued = machine.post(&format!("{path}/issue"), "i-1", &json!({})).await;
    assert_eq!((issued.status, &issued.json()["state"]), (200, &json!("issued")));
    // 7.00 and 19% of it: 8.33
    assert_eq!(issued.json()["payable"]["amount"], json!("8.33"));
    let again = machine.post(&format!("{path}/issue"), "i-1", &json!({})).await;
    assert_eq!((again.status, again.json()), (200, issued.json()));
    assert_eq!(machine.post(&format!("{path}/issue"), "i-2", &json!({})).await.status, 409);
    assert_eq!(machine.post(&format!("{path}/discard"), "d-1", &json!({"reason": "late"})).await.status, 409);
    for (once, paid_on, reference, pointer) in
        [("p-2", "2026-03-02", " ", "/reference"), ("p-3", "2026-03-01", "SEPA 1", "/paid_on")]
    {
        let body = json!({"paid_on": paid_on, "reference": reference});
        let refused = machine.post(&format!("{path}/payout"), once, &body).await;
        assert_eq!((refused.field().0, refused.field().1.as_str()), (422, pointer));
        assert!(refused.json()["errors"][0]["value"].is_string(), "{}", refused.text());
    }
    let paid = machine.post(&format!("{path}/payout"), "p-4", &payout).await;
    assert_eq!((paid.status, &paid.json()["payout_reference"]), (200, &json!("SEPA 1")));
    assert_eq!(machine.post(&format!("{path}/payout"), "p-5", &payout).await.status, 409);
    // who may only read does nothing of it
    let reader = Machine::new(&pages, world.key(world.operator, &["settlements:read"]).await);
    assert_eq!(reader.get(&path).await.status, 200);
    assert_eq!(reader.post(&format!("{path}/issue"), "i-3", &json!({})).await.status, 403);
    // and another book does not know it
    let stranger = Machine::new(&pages, world.mighty_key(world.nord).await);
    assert_eq!(stranger.post(&format!("{path}/issue"), "i-4", &json!({})).await.status, 404);
}

#[actix_web::test]
async fn a_person_discards_a_draft_with_a_reason_and_drafts_the_month_again() {
    let world = World::new().await;
    let id = february(&world).await;
    let pages = pages(&world).await;
    let mut ops = Browser::new(&pages);
    ops.sign_in("ops@ringtill.example").await;
    let path = format!("/ops/settlements/{id}");
    let page = ops.get(&path).await;
    assert!(page.body.contains("Issue over €8.33") && page.body.contains("Discard the draft"), "{}", page.body);
    let token = page.token();
    let refused = ops.post(&format!("{path}/discard"), &token, &[("reason", "")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("Discarding needs a reason of 200 letters at most."), "{}", refused.body);
    assert_eq!(ops.post(&format!("{path}/discard"), &token, &[("reason", "they moved")]).await.to(), path);
    let page = ops.get(&path).await;
    for words in ["Discarded", "they moved", "Draft again"] {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    assert_eq!(ops.post(&format!("{path}/issue"), &token, &[]).await.status, 409);
    assert!(ops.get("/ops/settlements?state=discarded").await.body.contains(&path));
    let again = ops.post(&format!("{path}/redraft"), &token, &[]).await;
    let new = again.to().to_owned();
    assert!(new.starts_with("/ops/settlements/") && new != path, "{new}");
    assert_eq!(ops.post(&format!("{new}/issue"), &token, &[]).await.to(), new);
    // A payout keeps what was typed, and says what is wrong with it.
    let fields = [("reference", "SEPA 4711"), ("paid_on", "2026-04-01")];
    let refused = ops.post(&format!("{new}/payout"), &token, &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("SEPA 4711") && refused.body.contains("must lie between"), "{}", refused.body);
    let paid =
        ops.post(&format!("{new}/payout"), &token, &[("reference", "SEPA 4711"), ("paid_on", "2026-03-02")]).await;
    assert_eq!(paid.to(), new);
    assert!(ops.get(&new).await.body.contains("SEPA 4711"));
    // Whom it pays gets from each number to its calls of the month.
    let mut nord = Browser::new(&pages);
    nord.sign_in("admin@nord.example").await;
    let id = new.rsplit('/').next().unwrap();
    let page = nord.get(&format!("/admin/account/settlements/{id}")).await;
    let calls = "/admin/calls?q=%2B499001555014&#38;from=2026-02-01&#38;until=2026-02-28";
    assert!(page.body.contains(calls), "{calls} in {}", page.body);
    assert!(!ops.get(&new).await.body.contains("/ops/calls?"), "the calls are in the partner's book");
}
