//! Tenants that take turns on one connection, and leave it in every way there is.

use crate::schema::*;
use db::{Db, DbError};
use sea_orm::FromQueryResult;
use std::time::Instant;
use uuid::Uuid;

const TURNS: usize = 10_000;

/// Ways to leave a transaction.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Commit,
    Rollback,
    Drop,
    /// A statement fails and the transaction is dropped in its failed state.
    Fail,
    /// The future is dropped somewhere between BEGIN and COMMIT, mid-statement or between two.
    Cancel,
}

#[derive(FromQueryResult)]
struct Seen {
    tenant_id: Uuid,
    customer_id: Option<Uuid>,
}

/// A small generator: the seed is printed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

#[tokio::test]
async fn tenants_that_take_turns_on_one_connection_never_see_each_other() {
    let walled = Walled::new().await;
    let db = walled.narrow().await;
    let seed = std::process::id().into();
    println!("seed {seed}");
    let (mut dice, started) = (Dice(seed), Instant::now());
    let mut cancelled = 0;
    for turn in 0..TURNS {
        let tenant = dice.roll(TENANTS);
        let leave = [Leave::Commit, Leave::Rollback, Leave::Drop, Leave::Fail, Leave::Cancel][dice.roll(5)];
        let visitor = dice.roll(10);
        match (leave, visitor) {
            (Leave::Cancel, _) => {
                let polls = dice.roll(40);
                let finished = tokio::select! {
                    biased;
                    () = polled(polls) => false,
                    done = as_tenant(&db, tenant, Leave::Commit, turn) => { done.unwrap(); true }
                };
                cancelled += usize::from(!finished);
            }
            (_, 0) => as_bulk(&db, tenant).await.unwrap(),
            (_, 1 | 2) => as_customer(&db, tenant, dice.roll(2), turn).await.unwrap(),
            _ => as_tenant(&db, tenant, leave, turn).await.unwrap(),
        }
    }
    println!("{TURNS} turns, {cancelled} cancelled, in {:?}", started.elapsed());
    assert!(cancelled > TURNS / 20, "cancelling was tried: {cancelled}");
    assert!(started.elapsed().as_secs() < 60);
}

/// Reads everything without a filter, writes, looks again, and leaves.
async fn as_tenant(db: &Db, tenant: usize, leave: Leave, turn: usize) -> Result<(), DbError> {
    let tx = db.tenant(tenant_id(tenant)).await?;
    let seen: Vec<Seen> = tx.rows("SELECT tenant_id, NULL::uuid AS customer_id FROM outbox", []).await?;
    assert_eq!(seen.len(), ROWS, "turn {turn}: tenant {tenant} sees all of its rows and no other");
    assert!(
        seen.iter().all(|row| row.tenant_id == tenant_id(tenant).uuid()),
        "turn {turn}: a foreign row before {leave:?}"
    );
    match leave {
        Leave::Commit | Leave::Cancel => {
            assert_eq!(tx.run("UPDATE outbox SET attempts = attempts + 1", []).await?, ROWS as u64, "turn {turn}");
            tx.commit().await?;
        }
        Leave::Rollback => {
            tx.run("UPDATE outbox SET attempts = -1", []).await?;
            tx.rollback().await?;
        }
        Leave::Drop => drop(tx),
        Leave::Fail => assert!(tx.run("SELECT 1 / 0", []).await.is_err()),
    }
    Ok(())
}

async fn as_customer(db: &Db, tenant: usize, customer: usize, turn: usize) -> Result<(), DbError> {
    let tx = db.customer(tenant_id(tenant), customer_id(tenant, customer)).await?;
    let seen: Vec<Seen> = tx.rows("SELECT tenant_id, customer_id FROM member", []).await?;
    assert_eq!(seen.len(), ROWS / 2, "turn {turn}");
    let is_own = |row: &Seen| {
        row.tenant_id == tenant_id(tenant).uuid() && row.customer_id == Some(customer_id(tenant, customer).uuid())
    };
    assert!(seen.iter().all(is_own), "turn {turn}: a row of another customer");
    if turn.is_multiple_of(2) { tx.commit().await } else { Ok(()) }
}

async fn as_bulk(db: &Db, tenant: usize) -> Result<(), DbError> {
    let mut bulk = db.bulk(tenant_id(tenant)).await?;
    assert_eq!(bulk.number("SELECT count(*) FROM outbox WHERE tenant_id = current_tenant_id()").await?, ROWS as i64);
    assert_eq!(bulk.number("SELECT count(*) FROM outbox").await?, ROWS as i64);
    bulk.commit().await
}

/// Lets everybody else go first so many times.
async fn polled(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_left_without_commit_is_not_there() {
    let walled = Walled::new().await;
    let db = walled.narrow().await;
    for leave in [Leave::Rollback, Leave::Drop, Leave::Fail] {
        as_tenant(&db, 0, leave, 0).await.unwrap();
        let tx = db.tenant(tenant_id(0)).await.unwrap();
        let changed: Option<i64> = tx.value("SELECT count(*) AS v FROM outbox WHERE attempts <> 0", []).await.unwrap();
        assert_eq!(changed, Some(0), "{leave:?}");
    }
}

/// The control: without the wall the same look does go red.
#[tokio::test]
async fn the_look_for_foreign_rows_finds_them_once_the_wall_is_down() {
    let walled = Walled::new().await;
    let db = walled.narrow().await;
    walled.test.as_owner("ALTER TABLE outbox DISABLE ROW LEVEL SECURITY").await;
    let looked = tokio::spawn(async move { as_tenant(&db, 0, Leave::Commit, 0).await }).await;
    assert!(looked.is_err_and(|error| error.is_panic()));
}

#[tokio::test]
async fn what_is_only_tried_leaves_nothing_and_needs_no_second_connection() {
    let walled = Walled::new().await;
    let db = walled.narrow().await;
    let tx = db.tenant(tenant_id(0)).await.unwrap();
    let rows = async || tx.value::<i64, _>("SELECT count(*) AS v FROM outbox", []).await.unwrap().unwrap();
    let put = async |key: &str| db::enqueue(&tx, "test", key, serde_json::json!({}), chrono::Utc::now()).await;
    put("kept").await.unwrap();
    let before = rows().await;
    let within = tx.tried(async {
        put("tried").await.unwrap();
        rows().await
    });
    assert_eq!(within.await.unwrap(), before + 1);
    assert_eq!(rows().await, before);
    // What fails in it is no end of the transaction.
    assert!(tx.tried(tx.run("INSERT INTO outbox (id) VALUES (NULL)", [])).await.unwrap().is_err());
    assert_eq!(rows().await, before);
    tx.commit().await.unwrap();
}
