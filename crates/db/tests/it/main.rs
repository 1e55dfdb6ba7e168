//! The wall, tried from inside.

use db::testing::fresh_database;

#[tokio::test]
async fn migrations_apply_and_the_roles_connect() {
    let test = fresh_database().await;
    let tx = test.db.platform(db::PlatformReason::Audit).await.unwrap();
    let organisations: Option<i64> = tx.value("SELECT count(*) AS v FROM organisation", []).await.unwrap();
    assert_eq!(organisations, Some(0));
}
