//! Means of payment on file: whose word each is, one of a kind, and nobody else's to see.

use crate::world::*;
use payments::*;
use subscription::NewCustomer;

const NOW: &str = "2026-03-02T10:00:00Z";
const IBAN: &str = "DE89 3704 0044 0532 0130 00";

async fn words(tx: &db::TenantTx, customer: db::CustomerId) -> Vec<String> {
    let on_file = methods_on_file(tx, customer).await.unwrap();
    on_file.into_iter().map(|method| method.kind.words()).collect()
}

#[tokio::test]
async fn a_new_mandate_takes_the_place_of_the_one_before_and_has_a_number_of_its_own() {
    let world = World::new().await;
    let tx = world.tx().await;
    give_mandate(&tx, world.caller, "Caller", IBAN, "Caller", at(NOW)).await.unwrap();
    give_mandate(&tx, world.caller, "Caller", "AT61 1904 3002 3457 3201", "Caller", at(NOW)).await.unwrap();
    let on_file = methods_on_file(&tx, world.caller).await.unwrap();
    let [method] = on_file.as_slice() else { panic!("one is on file: {on_file:?}") };
    assert!(matches!(&method.kind, MethodKind::DirectDebit { mandate, .. } if mandate == "C-2-2"), "{method:?}");
    assert_eq!(words(&tx, world.caller).await, ["Direct debit from AT61 … 3201"]);
    assert!(remove_method(&tx, world.caller, method.id, "Caller", at(NOW)).await.unwrap());
    assert!(!remove_method(&tx, world.caller, method.id, "Caller", at(NOW)).await.unwrap(), "it is off the file");
    assert!(customers_with_method(&tx, &[world.caller, world.client]).await.unwrap().is_empty());
}

#[tokio::test]
async fn paying_by_invoice_is_granted_to_who_has_an_account_and_not_to_who_has_a_wallet() {
    let world = World::new().await;
    let tx = world.tx().await;
    let once = agree_on_invoice(&tx, world.client, "Anna", at(NOW)).await.unwrap();
    assert_eq!(agree_on_invoice(&tx, world.client, "Anna", at(NOW)).await.unwrap(), once, "granted again");
    let refused = agree_on_invoice(&tx, world.caller, "Anna", at(NOW)).await;
    assert!(matches!(refused, Err(PaymentError::OnInvoiceNeedsAccount)));
    let can_pay = customers_with_method(&tx, &[world.caller, world.client]).await.unwrap();
    assert_eq!(can_pay.into_iter().collect::<Vec<_>>(), [world.client]);
}

#[tokio::test]
async fn a_mandate_needs_a_name_an_account_that_exists_and_a_customer_that_pays_in_euros() {
    let world = World::new().await;
    let tx = world.tx().await;
    let give = async |customer, holder: &str, iban: &str| {
        give_mandate(&tx, customer, holder, iban, "Caller", at(NOW)).await.unwrap_err().to_string()
    };
    assert_eq!(give(world.caller, " ", IBAN).await, "holder: must not be empty");
    assert_eq!(give(world.caller, &"x".repeat(71), IBAN).await, "holder: longer than 70 letters");
    assert_eq!(
        give(world.caller, "Caller", "DE89 3704 0044 0532 0130 01").await,
        "iban: its check digits do not fit the rest: one sign is wrong, or two are swapped"
    );
    let new = NewCustomer::prepaid("C-3", "Pounds", money::Currency::GBP, "Europe/London", "GB", on("2026-01-01"));
    let pounds = subscription::create_customer(&tx, &new, at("2026-01-01T08:00:00Z")).await.unwrap();
    let refused = give(pounds, "Pounds", IBAN).await;
    assert_eq!(refused, "iban: a direct debit is collected in EUR, and the customer pays in GBP");
    assert!(methods_on_file(&tx, world.caller).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_customer_writes_its_own_and_neither_sees_nor_removes_anothers() {
    let world = World::new().await;
    let tx = world.tx().await;
    let other = agree_on_invoice(&tx, world.client, "Anna", at(NOW)).await.unwrap();
    tx.commit().await.unwrap();
    let own = world.database.db.customer(world.tenant, world.caller).await.unwrap();
    give_mandate(&own, world.caller, "Caller", IBAN, "Caller", at(NOW)).await.unwrap();
    tenant::record_audit(&own, "Caller", "payment_method.mandate", "pmt", serde_json::json!({}), at(NOW))
        .await
        .unwrap();
    assert!(tenant::audit_entries(&own, None, 10).await.unwrap().is_empty(), "what it wrote it cannot read");
    assert_eq!(words(&own, world.client).await, Vec::<String>::new());
    assert!(remove_method(&own, world.client, other, "Caller", at(NOW)).await.is_err());
    assert!(give_mandate(&own, world.client, "Caller", IBAN, "Caller", at(NOW)).await.is_err());
    own.commit().await.unwrap();
    assert_eq!(words(&world.tx().await, world.client).await, ["By invoice, on account"]);
    assert_eq!(tenant::audit_entries(&world.tx().await, None, 10).await.unwrap().len(), 1);
}
