use crate::world::*;
use serde_json::json;
use tenant::{OrganisationKind, link_audit, record_audit, verify_audit};

async fn told(world: &World, acme: db::TenantId, deeds: usize) {
    for n in 0..deeds {
        let tx = world.tx(acme).await;
        let payload = json!({"number": n, "amount": "1.50", "nested": {"z": 1.50, "a": [1, 2.0, null]}});
        record_audit(&tx, "ana", "invoice.finalised", &format!("doc_{n}"), payload, at("2026-03-02T08:00:00Z"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let tx = world.tx(acme).await;
    link_audit(&tx, at("2026-03-02T08:01:00Z")).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_chain_verifies_and_names_what_was_changed() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    told(&world, acme, 5).await;
    told(&world, acme, 3).await; // the chain goes on where it ended
    let faults = async || verify_audit(&world.tx(acme).await).await.unwrap();
    assert_eq!(faults().await, Vec::<String>::new());
    assert_eq!(tenant::audit_entries(&world.tx(acme).await, None, 3).await.unwrap().len(), 3);
    // The right to erase: payload and salt go, the chain stays whole.
    world.database.as_owner("UPDATE audit_entry SET payload = NULL, salt = NULL WHERE subject = 'doc_4'").await;
    assert_eq!(faults().await, Vec::<String>::new());
    world.database.as_owner("UPDATE audit_entry SET actor = 'ben' WHERE subject = 'doc_3'").await;
    let found = faults().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("does not have the hash that the chain holds"), "{found:?}");
    world.database.as_owner("UPDATE audit_entry SET actor = 'ana' WHERE subject = 'doc_3'").await;
    world.database.as_owner("UPDATE audit_entry SET payload = payload || '{\"amount\": \"9.50\"}' WHERE subject = 'doc_1' AND payload->>'number' = '1'").await;
    assert!(
        faults()
            .await
            .iter()
            .all(|fault| fault.starts_with("the payload of audit entry") && fault.ends_with("was changed"))
    );
    assert!(!faults().await.is_empty());
}

#[tokio::test]
async fn a_link_that_is_taken_out_is_noticed() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    told(&world, acme, 5).await;
    world.database.as_owner("DELETE FROM audit_link WHERE position = 3").await;
    let faults = verify_audit(&world.tx(acme).await).await.unwrap();
    assert!(faults[0].contains("link 4 follows 2"), "{faults:?}");
}

#[tokio::test]
async fn two_workers_at_once_make_one_chain() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let now = at("2026-03-02T08:00:00Z");
    let tx = world.tx(acme).await;
    record_audit(&tx, "ana", "a", "b", json!({}), now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tenant::tenants_with_audit(&world.platform().await).await.unwrap(), [acme]);
    let (first, second) = (world.tx(acme).await, world.tx(acme).await);
    assert_eq!(link_audit(&first, now).await.unwrap(), 1);
    assert_eq!(link_audit(&second, now).await.unwrap(), 0); // the first is at it
    first.commit().await.unwrap();
    second.commit().await.unwrap();
    assert_eq!(verify_audit(&world.tx(acme).await).await.unwrap(), Vec::<String>::new());
    assert!(tenant::tenants_with_audit(&world.platform().await).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_log_only_grows() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    told(&world, acme, 1).await;
    for statement in [
        "UPDATE audit_entry SET actor = 'ben'",
        "DELETE FROM audit_entry",
        "UPDATE audit_link SET position = 9",
        "DELETE FROM audit_link",
    ] {
        let tx = world.tx(acme).await;
        let refused = tx.run(statement, []).await.unwrap_err();
        assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"), "{statement}");
    }
}
