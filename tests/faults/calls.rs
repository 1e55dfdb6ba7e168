//! F05, F06, F07, F29, F30: the program dies while it settles a call, before it tells the edge what it has held, and before the
//! books above are told; an edge dies, is given up, and comes back. Each call is charged once, and nothing stays held.

use super::audit::assert_audit_is_clean;
use super::dice::{Dice, seeds};
use super::power_cut::{
    Jonas, assert_charged_once, assert_charged_once_and_told, call, eur, last_heartbeat_ms, wait_for,
};
use call_control::CallState;
use manual::Program;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_while_a_call_is_settled_leaves_no_half_of_it_and_one_charge() {
    for seed in seeds() {
        // In the middle of the transaction; and after it, before the books above are told.
        for place in ["settle.halfway", "settle.committed"] {
            let mut program = Program::that_dies_at(place).await;
            let jonas = Jonas::of(&program).await;
            let talk = Duration::from_millis(3_000 + Dice::new(seed).roll(2_000));
            let calling = call(&program, talk);
            program.await_death();
            calling.abort();
            program.start_again();
            let detail = jonas.settled(&program).await;
            assert_charged_once(&program, &jonas, &detail).await;
            assert_audit_is_clean(&program);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_held_for_a_call_that_was_never_told_so_is_given_back() {
    for _ in seeds() {
        let mut program = Program::that_dies_at("reserve.committed").await;
        let jonas = Jonas::of(&program).await;
        let calling = call(&program, Duration::from_secs(60));
        program.await_death();
        calling.abort();
        assert!(jonas.wallet(&program).await.1.is_positive(), "it died with money held");
        program.start_again();
        let detail = wait_for("the end of a call that nobody hears of", || async {
            jonas.detail(&program).await.filter(|detail| detail.call.state == CallState::Ended)
        })
        .await;
        assert_eq!((detail.call.metered_seconds, detail.call.charge), (0, None));
        assert_eq!(jonas.wallet(&program).await, (jonas.balance, eur("0")));
        assert_audit_is_clean(&program);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_edge_is_gone_is_closed_at_its_last_heartbeat_and_not_charged_again_when_it_comes_back() {
    let mut program = Program::on_the_demo_world().await;
    let jonas = Jonas::of(&program).await;
    let calling = call(&program, Duration::from_secs(600));
    wait_for("the first heartbeat of a running call", || async {
        jonas.detail(&program).await.filter(|detail| last_heartbeat_ms(detail).is_some())
    })
    .await;
    program.cut_off();
    calling.abort();
    program.hide_spool();
    // A day later nobody has heard of it.
    program.start_again_with(&[("RINGTILL_DAYS_AHEAD", "1")]);
    let detail = jonas.settled(&program).await;
    assert!(detail.call.is_estimated);
    let heard = last_heartbeat_ms(&detail).unwrap().div_ceil(1000);
    assert_eq!(u64::from(detail.call.metered_seconds), heard);
    assert_charged_once_and_told(&program, &jonas, &detail, 0).await;
    assert_audit_is_clean(&program);

    program.cut_off();
    program.bring_spool_back();
    program.start_again_with(&[("RINGTILL_DAYS_AHEAD", "1")]);
    // It tells what it knew: no second more than what was heard of.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let again = jonas.settled(&program).await;
    assert_eq!((again.call.charge, again.call.metered_seconds), (detail.call.charge, detail.call.metered_seconds));
    assert_eq!(jonas.charges(&program).await.len(), jonas.charges + 1);
    assert_eq!(jonas.wallet(&program).await.1, eur("0"));
    assert_audit_is_clean(&program);
}
