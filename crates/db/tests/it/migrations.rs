//! What a schema that cannot be brought up to date is told: the file, the cause and the remedy, in one sentence.

use db::testing::fresh_database;

async fn told(owner: &db::OwnerUrl) -> String {
    db::migrate(owner, &"test-only".to_owned().into()).await.expect_err("it cannot be migrated").to_string()
}

#[tokio::test]
async fn a_migration_that_cannot_run_names_its_file_the_cause_and_the_remedy() {
    let test = fresh_database().await;
    // As if the third had never run: its first table is there already.
    test.as_owner("DELETE FROM _sqlx_migrations WHERE version = 3").await;
    let said = told(&test.owner).await;
    assert!(said.starts_with("migration 0003_selling.sql failed and was rolled back (relation \""), "{said}");
    assert!(said.contains("already exists); mend that file") && !said.contains("line"), "{said}");
    test.as_owner("UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 2").await;
    let said = told(&test.owner).await;
    assert!(said.starts_with("migration 0002_tenant.sql is not the one that the database was made with"), "{said}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_and_an_address_of_another_kind_are_refused() {
    let test = fresh_database().await;
    test.as_owner("INSERT INTO _sqlx_migrations SELECT 9999, 'later', installed_on, success, checksum, execution_time FROM _sqlx_migrations LIMIT 1")
        .await;
    assert!(told(&test.owner).await.contains("made with migration 9999, which this program does not have"));
    let said = told(&"mysql://root@127.0.0.1/ringtill".to_owned().into()).await;
    assert!(said.contains("must be one of PostgreSQL, as in postgres://"), "{said}");
    let said = told(&"postgres://root@127.0.0.1:1/ringtill".to_owned().into()).await;
    assert!(said.starts_with("PostgreSQL cannot be reached ("), "{said}");
}
