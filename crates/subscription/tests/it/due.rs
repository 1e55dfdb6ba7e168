//! The worker and a person at the same subscription at the same time.

use crate::life::{monthly, read, tries};
use crate::world::*;
use std::collections::HashSet;
use subscription::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_asked_whether_it_can_pay_is_who_is_looked_at() {
    let world = std::sync::Arc::new(World::new().await);
    let terms = NewPlanVersion { trial_days: 14, trial_end: TrialEnd::Cancel, ..monthly() };
    let (customer, id, _) = tries(&world, terms).await;
    // The reminder is due, the end of the trial is not: nobody is asked about means of payment.
    let now = berlin("2026-03-13");
    let worker = world.tx().await;
    let locked = due(&worker, 10, now).await.unwrap();
    assert_eq!(locked.iter().map(|due| due.trial_is_over).collect::<Vec<_>>(), [false]);
    // Somebody ends the trial between the question and the look: that waits, and is the next round's.
    let other = tokio::spawn({
        let world = world.clone();
        async move {
            let tx = world.tx().await;
            change(&tx, id, &Change::EndTrial, When::Now, "Ann", now).await.unwrap();
            tx.commit().await.unwrap();
        }
    });
    world.database.until_somebody_waits().await;
    look(&worker, &locked, &HashSet::new(), now).await.unwrap();
    worker.commit().await.unwrap();
    other.await.unwrap();
    let tx = world.tx().await;
    let locked = due(&tx, 10, now).await.unwrap();
    assert_eq!(locked.iter().map(|due| (due.customer_id, due.trial_is_over)).collect::<Vec<_>>(), [(customer, true)]);
    look(&tx, &locked, &HashSet::from([customer]), now).await.unwrap();
    assert_eq!(read(&tx, id).await.status_at(now), SubscriptionStatus::Active, "it can pay, and goes on");
}
