//! What each kind of transaction sees and may write, without a single filter in the queries.

use crate::facts::read;
use crate::schema::*;
use db::{Db, PlatformReason};
use secrecy::SecretString;
use sqlx::Row;
use uuid::Uuid;

#[tokio::test]
async fn migrations_apply_and_the_roles_connect() {
    let walled = Walled::new().await;
    let tx = walled.test.db.platform(PlatformReason::Audit).await.unwrap();
    let organisations: Option<i64> = tx.value("SELECT count(*) AS v FROM organisation", []).await.unwrap();
    assert_eq!(organisations, Some(TENANTS as i64));
}

#[tokio::test]
async fn an_unfiltered_query_sees_one_tenant() {
    let walled = Walled::new().await;
    for tenant in 0..TENANTS {
        let tx = walled.test.db.tenant(tenant_id(tenant)).await.unwrap();
        let tenants: Option<String> =
            tx.value("SELECT string_agg(DISTINCT tenant_id::text, ' ') AS v FROM outbox", []).await.unwrap();
        assert_eq!(tenants, Some(tenant_id(tenant).uuid().to_string()));
        assert_eq!(tx.run("UPDATE outbox SET attempts = attempts + 1", []).await.unwrap(), ROWS as u64);
        let own: Option<i64> = tx.value("SELECT count(*) AS v FROM organisation", []).await.unwrap();
        assert_eq!(own, Some(1)); // of the global tables, too, only itself
        let refused = tx.run("SELECT * FROM person", []).await.unwrap_err();
        assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501")); // people are not a tenant's to read
    }
}

#[tokio::test]
async fn a_row_of_another_tenant_can_be_neither_written_nor_reached_by_its_key() {
    let walled = Walled::new().await;
    let other = tenant_id(1).uuid();
    let tx = walled.test.db.tenant(tenant_id(0)).await.unwrap();
    let touched = tx.run("UPDATE outbox SET attempts = 99 WHERE tenant_id = $1", [other.into()]).await.unwrap();
    assert_eq!(touched, 0);
    let insert = "INSERT INTO outbox (tenant_id, id, topic, key, payload, created_at, due_at) VALUES ($1, $2, 'mail', 'new', '{}', now(), now())";
    let refused = tx.run(insert, [other.into(), Uuid::now_v7().into()]).await.unwrap_err();
    assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"));
    drop(tx);
    // The same key in two books is two rows: a unique key says nothing about the neighbours.
    for tenant in [0, 1] {
        let tx = walled.test.db.tenant(tenant_id(tenant)).await.unwrap();
        assert_eq!(tx.run(insert, [tenant_id(tenant).into(), Uuid::nil().into()]).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
    let tx = walled.test.db.tenant(tenant_id(0)).await.unwrap();
    let moved = tx.run("UPDATE outbox SET tenant_id = $1 WHERE key = 'new'", [other.into()]).await.unwrap_err();
    assert_eq!(db::sqlstate_of(&moved).as_deref(), Some("42501"));
}

#[tokio::test]
async fn a_portal_customer_sees_its_own_rows_only_and_no_book() {
    let walled = Walled::new().await;
    for (tenant, customer) in [(0, 0), (0, 1), (2, 1)] {
        let customer_id = customer_id(tenant, customer);
        let tx = walled.test.db.customer(tenant_id(tenant), customer_id).await.unwrap();
        let seen: Option<String> =
            tx.value("SELECT string_agg(DISTINCT customer_id::text, ' ') AS v FROM member", []).await.unwrap();
        assert_eq!(seen, Some(customer_id.uuid().to_string()));
        let rows: Option<i64> = tx.value("SELECT count(*) AS v FROM member", []).await.unwrap();
        assert_eq!(rows, Some(ROWS as i64 / 2));
        let book: Option<i64> = tx.value("SELECT count(*) AS v FROM outbox", []).await.unwrap();
        assert_eq!(book, Some(0));
        assert_eq!(tx.customer_id(), customer_id);
    }
    // A customer of another seller is nobody here.
    let tx = walled.test.db.customer(tenant_id(0), customer_id(1, 0)).await.unwrap();
    let rows: Option<i64> = tx.value("SELECT count(*) AS v FROM member", []).await.unwrap();
    assert_eq!(rows, Some(0));
}

#[tokio::test]
async fn a_portal_customer_cannot_write_for_somebody_else() {
    let walled = Walled::new().await;
    let tx = walled.test.db.customer(tenant_id(0), customer_id(0, 0)).await.unwrap();
    let insert = "INSERT INTO member (tenant_id, id, person_id, name, email, role, customer_id, created_at)
                  VALUES ($1, $2, $2, 'm', 'm', 'customer', $3, now())";
    let values = |customer: usize| [tenant_id(0).into(), Uuid::now_v7().into(), customer_id(0, customer).into()];
    assert_eq!(tx.run(insert, values(0)).await.unwrap(), 1);
    let refused = tx.run(insert, values(1)).await.unwrap_err();
    assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"));
}

#[tokio::test]
async fn bulk_work_stands_behind_the_same_wall() {
    let walled = Walled::new().await;
    let mut bulk = walled.test.db.bulk(tenant_id(0)).await.unwrap();
    assert_eq!(bulk.number("SELECT count(*) FROM outbox").await.unwrap(), ROWS as i64);
    assert_eq!(bulk.run("UPDATE outbox SET attempts = 1").await.unwrap(), ROWS as u64);
    bulk.run_script("CREATE TEMPORARY TABLE staged (tenant_id uuid, id uuid, key text) ON COMMIT DROP").await.unwrap();
    bulk.run("INSERT INTO staged VALUES ('00000000-0000-0000-0000-0000000000a1', gen_random_uuid(), 'stolen')")
        .await
        .unwrap();
    let refused = bulk
        .run("INSERT INTO outbox (tenant_id, id, topic, key, payload, created_at, due_at) SELECT tenant_id, id, 'mail', key, '{}', now(), now() FROM staged")
        .await
        .unwrap_err();
    assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"));
    drop(bulk);
    let mut bulk = walled.test.db.bulk(tenant_id(0)).await.unwrap();
    let straight = bulk.copy("COPY outbox (tenant_id, id) FROM STDIN", b"").await.unwrap_err();
    assert!(straight.to_string().contains("not supported with row-level security"), "{straight}");
}

#[tokio::test]
async fn without_a_tenant_nothing_is_seen_in_any_table() {
    let walled = Walled::new().await;
    let mut owner = connect(&walled.test.owner).await;
    let catalogue = read(&mut owner).await;
    close(owner).await;
    let mut nobody = connect(&walled.test.config.tenant_url).await;
    for setting in ["RESET app.tenant_id", "SET app.tenant_id = ''"] {
        sqlx::raw_sql(setting).execute(&mut nobody).await.unwrap();
        for (name, table) in &catalogue.tables {
            if !table.grants.iter().any(|(grantee, privilege)| grantee == "ringtill_tenant" && privilege == "SELECT") {
                continue;
            }
            let query = format!("SELECT count(*) FROM \"{name}\"");
            let row = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_one(&mut nobody).await.unwrap();
            assert_eq!(row.get::<i64, _>(0), 0, "{name} after {setting}");
        }
    }
    close(nobody).await;
}

#[tokio::test]
async fn the_platform_reads_all_books_and_writes_in_none() {
    let walled = Walled::new().await;
    let ptx = walled.test.db.platform(PlatformReason::FindDueWork).await.unwrap();
    let all: Option<i64> = ptx.value("SELECT count(*) AS v FROM outbox", []).await.unwrap();
    assert_eq!(all, Some((TENANTS * ROWS) as i64));
    let refused = ptx.run("UPDATE outbox SET attempts = 1", []).await.unwrap_err();
    assert_eq!(db::sqlstate_of(&refused).as_deref(), Some("42501"));
}

#[tokio::test]
async fn a_role_that_could_see_past_the_policies_is_refused_at_the_start() {
    let walled = Walled::new().await;
    let config = db::DatabaseConfig { tenant_url: walled.test.owner.clone(), ..walled.test.config.clone() };
    let refused = Db::connect(&config).await.err().unwrap().to_string();
    assert!(refused.contains("superuser"), "{refused}");
    // Also one that owns a table; but temporary tables, which bulk work stages in, are its own business.
    let owner_url: SecretString = walled.test.config.tenant_url.clone();
    let mut staging = connect(&owner_url).await;
    sqlx::raw_sql("CREATE TEMPORARY TABLE staged (id int)").execute(&mut staging).await.unwrap();
    assert!(Db::connect(&walled.test.config).await.is_ok());
    close(staging).await;
    walled.test.as_owner("CREATE TABLE own (id int); ALTER TABLE own OWNER TO ringtill_tenant").await;
    assert!(Db::connect(&walled.test.config).await.is_err());
}
