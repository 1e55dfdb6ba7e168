//! A month that has ended is drafted by itself, once; and what was drafted may be thrown away.

use crate::world::{POSTPAID, World, at, component, each, on};
use invoicing::{BY_SCHEDULE, DraftState, InvoicingError, Phase};
use subscription::ComponentKind;

const NOW: &str = "2026-04-01T00:30:00Z";

async fn with_one_to_bill() -> World {
    let world = World::new().await;
    let customer = world.customer(POSTPAID).await;
    world.subscribe(customer, "2026-03-01", vec![component("fee", ComponentKind::Flat, None, each("10"))]).await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_look_at_the_same_moment_start_one_run() {
    let world = std::sync::Arc::new(with_one_to_bill().await);
    let workers = (0..8).map(|_| {
        let world = world.clone();
        tokio::spawn(async move {
            let tx = world.tx().await;
            let started = invoicing::schedule_run(&tx, on("2026-04-01"), at(NOW)).await.unwrap();
            tx.commit().await.unwrap();
            started
        })
    });
    let mut started = 0;
    for worker in workers.collect::<Vec<_>>() {
        started += usize::from(worker.await.unwrap().is_some());
    }
    let runs = invoicing::runs(&world.tx().await, 10).await.unwrap();
    assert_eq!((started, runs.len(), runs[0].started_by.as_str()), (1, 1, BY_SCHEDULE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_before_the_other_worker_sees_it_is_not_started_again() {
    let world = std::sync::Arc::new(with_one_to_bill().await);
    let first = world.tx().await;
    let run =
        invoicing::schedule_run(&first, on("2026-04-01"), at(NOW)).await.unwrap().expect("nothing stands in its way");
    invoicing::abandon_run(&first, run, at(NOW)).await.unwrap();
    let second = tokio::spawn({
        let world = world.clone();
        async move {
            let tx = world.tx().await;
            let started = invoicing::schedule_run(&tx, on("2026-04-01"), at(NOW)).await.unwrap();
            tx.commit().await.unwrap();
            started
        }
    });
    // The second has looked, found nothing, and waits for the first one's row.
    world.database.until_somebody_waits().await;
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), None);
    assert_eq!(invoicing::runs(&world.tx().await, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_month_waits_while_another_run_is_open_and_is_not_run_again_after_a_person_did() {
    let world = with_one_to_bill().await;
    let open = world.drafted("2026-03-15", "2026-03-15T08:00:00Z").await;
    let tx = world.tx().await;
    assert_eq!(invoicing::schedule_run(&tx, on("2026-04-01"), at(NOW)).await.unwrap(), None, "one is open");
    drop(tx);
    world.finalised(open.id, NOW).await;
    let tx = world.tx().await;
    let run = invoicing::schedule_run(&tx, on("2026-04-01"), at(NOW)).await.unwrap().expect("its turn has come");
    tx.commit().await.unwrap();
    world.draft_on(run, NOW).await;
    world.finalised(run, NOW).await;
    let tx = world.tx().await;
    for until in ["2026-04-01", "2026-03-01"] {
        assert_eq!(invoicing::schedule_run(&tx, on(until), at(NOW)).await.unwrap(), None, "{until} is done");
    }
}

#[tokio::test]
async fn who_had_no_customer_when_the_month_ended_has_no_run() {
    let world = World::new().await;
    let tx = world.tx().await;
    assert_eq!(invoicing::schedule_run(&tx, on("2026-04-01"), at(NOW)).await.unwrap(), None);
    drop(tx);
    // A customer since 1 January, Berlin's time: December had nobody.
    world.customer(POSTPAID).await;
    let tx = world.tx().await;
    assert_eq!(invoicing::schedule_run(&tx, on("2026-01-01"), at(NOW)).await.unwrap(), None);
    assert!(invoicing::schedule_run(&tx, on("2026-02-01"), at(NOW)).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_issued_is_not_thrown_away() {
    let world = with_one_to_bill().await;
    let run = world.billed("2026-04-01").await;
    let tx = world.tx().await;
    let refused = invoicing::abandon_run(&tx, run.id, at(NOW)).await;
    assert!(matches!(refused, Err(InvoicingError::RunMustNotBeIssued("done"))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_is_being_drafted_leaves_no_draft_in_a_run_that_is_thrown_away() {
    let world = std::sync::Arc::new(with_one_to_bill().await);
    let tx = world.tx().await;
    let run = invoicing::plan_run(&tx, on("2026-04-01"), "test", at(NOW)).await.unwrap();
    tx.commit().await.unwrap();
    let drafting = world.tx().await;
    assert_eq!(invoicing::draft_some(&drafting, run, 10, at(NOW)).await.unwrap().counts.drafted, 1);
    let abandoning = tokio::spawn({
        let world = world.clone();
        async move {
            let tx = world.tx().await;
            invoicing::abandon_run(&tx, run, at(NOW)).await.unwrap();
            tx.commit().await.unwrap();
        }
    });
    world.database.until_somebody_waits().await;
    drafting.commit().await.unwrap();
    abandoning.await.unwrap();
    let tx = world.tx().await;
    assert_eq!(invoicing::drafts(&tx, None, None, 10).await.unwrap(), Vec::new());
    let run = invoicing::run(&tx, run).await.unwrap();
    assert_eq!((run.phase, run.counts.voided, run.is_thrown_away()), (Phase::Done, 1, true));
}

#[tokio::test]
async fn a_draft_that_is_thrown_away_leaves_its_customer_out_and_is_due_again() {
    let world = with_one_to_bill().await;
    let run = world.drafted("2026-04-01", NOW).await;
    let tx = world.tx().await;
    let draft = invoicing::drafts(&tx, Some(run.id), None, 10).await.unwrap().pop().expect("one is drafted");
    invoicing::void_draft(&tx, draft.id, at(NOW)).await.unwrap();
    assert_eq!(invoicing::draft(&tx, draft.id).await.unwrap().state, DraftState::Void);
    let again = invoicing::void_draft(&tx, draft.id, at(NOW)).await;
    assert!(matches!(again, Err(InvoicingError::DraftMustBeOpen("void"))), "{again:?}");
    tx.commit().await.unwrap();
    let run = world.finalised(run.id, NOW).await;
    assert_eq!((run.counts.voided, run.counts.finalised), (1, 0));
    assert_eq!(world.billed("2026-04-01").await.counts.finalised, 1);
}

#[tokio::test]
async fn a_customer_that_came_after_the_month_does_not_hold_up_the_run_of_the_others() {
    let world = with_one_to_bill().await;
    let tx = world.tx().await;
    let late = subscription::NewCustomer::postpaid(
        "C-9",
        "Aaron",
        money::Currency::EUR,
        "Europe/Berlin",
        "DE",
        on("2026-04-01"),
    );
    subscription::create_customer(&tx, &late, at("2026-04-02T08:00:00Z")).await.unwrap();
    let run = invoicing::schedule_run(&tx, on("2026-04-01"), at("2026-04-03T08:00:00Z")).await.unwrap();
    assert!(run.is_some());
}

#[tokio::test]
async fn an_older_run_is_not_opened_again() {
    let world = with_one_to_bill().await;
    let march = world.billed("2026-04-01").await;
    let april = world.billed("2026-05-01").await;
    let tx = world.tx().await;
    let refused = invoicing::retry_failed(&tx, march.id, at(NOW)).await;
    assert!(matches!(refused, Err(InvoicingError::RunMustBeNewest)), "{refused:?}");
    assert_eq!(invoicing::retry_failed(&tx, april.id, at(NOW)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_waits_for_the_block_that_is_being_issued() {
    let world = std::sync::Arc::new(with_one_to_bill().await);
    let run = world.drafted("2026-04-01", NOW).await;
    let issuing = world.tx().await;
    invoicing::finalise_some(&issuing, run.id, 10, at(NOW)).await.unwrap();
    let coming_back = tokio::spawn({
        let world = world.clone();
        async move {
            let tx = world.tx().await;
            invoicing::retry_failed(&tx, run.id, at(NOW)).await.unwrap()
        }
    });
    world.database.until_somebody_waits().await;
    issuing.commit().await.unwrap();
    assert_eq!(coming_back.await.unwrap(), 0);
}
