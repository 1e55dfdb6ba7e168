//! What `ringtill audit` is for: each check sees the damage that it was made for, and nothing once the damage is repaired.

use super::a_call_becomes_cash::told;
use super::story::Story;

/// Adds what stands for `+ 7`, and takes it away again.
fn seven(invariant: &'static str, sql: &str) -> (&'static str, String, String) {
    (invariant, sql.replace("$", "+ 7"), sql.replace("$", "- 7"))
}

fn both(invariant: &'static str, damage: &str, repair: &str) -> (&'static str, String, String) {
    (invariant, damage.to_owned(), repair.to_owned())
}

const FIRST_CALL: &str = "(SELECT id FROM call ORDER BY id LIMIT 1)";
const A_WALLET: &str = "(SELECT id FROM wallet WHERE balance_micros > 1000 ORDER BY id LIMIT 1)";
const A_RESERVATION: &str =
    "(tenant_id, call_id, leg, seq) = (SELECT tenant_id, call_id, leg, seq FROM reservation ORDER BY 2, 3, 4 LIMIT 1)";

fn ledgers() -> Vec<(&'static str, String, String)> {
    let floor = "CONSTRAINT wallet_keeps_its_floor";
    vec![
        seven(
            "I1",
            "UPDATE ledger_entry SET amount_micros = amount_micros $
             WHERE (transaction_id, position) = (SELECT transaction_id, position FROM ledger_entry ORDER BY 1, 2 LIMIT 1)",
        ),
        seven("I2", &format!("UPDATE wallet SET balance_micros = balance_micros $ WHERE id = {A_WALLET}")),
        seven("I2", &format!("UPDATE wallet SET reserved_micros = reserved_micros $ WHERE id = {A_WALLET}")),
        both(
            "I3",
            &format!("ALTER TABLE wallet DROP {floor}; UPDATE wallet SET reserved_micros = reserved_micros + 1000000000000"),
            &format!(
                "UPDATE wallet SET reserved_micros = reserved_micros - 1000000000000;
                 ALTER TABLE wallet ADD {floor} CHECK (balance_micros - reserved_micros >= floor_micros)"
            ),
        ),
        both(
            "I14",
            &format!("UPDATE reservation SET state = 'open', lease_until = lease_until - interval '1 year' WHERE {A_RESERVATION}"),
            &format!("UPDATE reservation SET state = 'settled', lease_until = lease_until + interval '1 year' WHERE {A_RESERVATION}"),
        ),
        both(
            "I10",
            "UPDATE payment_allocation SET amount_micros = amount_micros + 1000000000",
            "UPDATE payment_allocation SET amount_micros = amount_micros - 1000000000",
        ),
        both(
            "I15",
            "UPDATE audit_entry SET actor = actor || '?'",
            "UPDATE audit_entry SET actor = rtrim(actor, '?')",
        ),
    ]
}

fn calls_and_usage() -> Vec<(&'static str, String, String)> {
    let nobody = "'00000000-0000-0000-0000-000000000001'";
    vec![
        seven(
            "I4",
            "UPDATE usage_event SET quantity = quantity $ WHERE id = (SELECT id FROM usage_event WHERE meter = 'minutes' ORDER BY id LIMIT 1)",
        ),
        both(
            "I5",
            &format!("UPDATE call_leg SET call_id = {nobody} WHERE call_id = {FIRST_CALL} AND kind = 'caller'"),
            &format!("UPDATE call_leg SET call_id = {FIRST_CALL} WHERE call_id = {nobody}"),
        ),
        seven(
            "I5",
            "UPDATE call SET charge_micros = charge_micros $ WHERE customer_id IN (SELECT id FROM customer WHERE billing = 'prepaid')",
        ),
        both(
            "I5",
            &format!("UPDATE call SET settled_at = NULL WHERE id = {FIRST_CALL}"),
            &format!("UPDATE call SET settled_at = ended_at WHERE id = {FIRST_CALL}"),
        ),
        both(
            "I14",
            &format!("UPDATE call SET ended_at = NULL WHERE id = {FIRST_CALL}"),
            &format!("UPDATE call SET ended_at = settled_at WHERE id = {FIRST_CALL}"),
        ),
        seven("I8", "UPDATE call_cost SET amount_micros = amount_micros $ WHERE share_percent IS NOT NULL"),
    ]
}

fn documents() -> Vec<(&'static str, String, String)> {
    vec![
        seven("I6", "UPDATE document_counter SET last_number = last_number $"),
        both(
            "I7",
            "CREATE TABLE kept AS SELECT * FROM billed_service; DELETE FROM billed_service",
            "INSERT INTO billed_service SELECT * FROM kept; DROP TABLE kept",
        ),
        both(
            "I7",
            "UPDATE service_period SET ends_at = ends_at - interval '1 hour' WHERE position = 0",
            "UPDATE service_period SET ends_at = ends_at + interval '1 hour' WHERE position = 0",
        ),
        seven(
            "I9",
            "UPDATE document_line SET amount_micros = amount_micros $ WHERE id = (SELECT id FROM document_line ORDER BY id LIMIT 1)",
        ),
        both(
            "I11",
            "GRANT UPDATE ON document_line TO ringtill_tenant",
            "REVOKE UPDATE ON document_line FROM ringtill_tenant",
        ),
        seven(
            "I16",
            "UPDATE billed_service SET amount_micros = amount_micros $ WHERE kind = 'charge' AND component_key NOT LIKE '*%'",
        ),
    ]
}

async fn found(story: &Story) -> Vec<String> {
    let report = ringtill::audit::check_all(&story.database.db, story.now()).await.unwrap();
    report.violations.into_iter().map(|(_, invariant, detail)| format!("{invariant} {detail}")).collect()
}

#[tokio::test]
async fn each_check_of_the_audit_sees_the_damage_that_it_is_for() {
    let story = told().await;
    let all = [ledgers(), calls_and_usage(), documents()].concat();
    let mut unseen = Vec::new();
    for (invariant, damage, repair) in &all {
        story.database.as_owner(damage).await;
        let seen = found(&story).await;
        if !seen.iter().any(|violation| violation.starts_with(&format!("{invariant} "))) {
            unseen.push(format!("{invariant}: {damage}: {seen:?}"));
        }
        story.database.as_owner(repair).await;
        let left = found(&story).await;
        assert_eq!(left, Vec::<String>::new(), "repaired: {repair}");
    }
    assert_eq!(unseen, Vec::<String>::new());
}
