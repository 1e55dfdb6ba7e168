use crate::edge::EdgeCall;
use crate::world::{ANNA, PLAIN, World, at, eur};
use sip_media::EndCause;

/// Talks until the money ends.
async fn run(mut call: EdgeCall) -> u32 {
    call.start_meter().await;
    call.talk_to(100_000).await;
    call.end(EndCause::BalanceExhausted).await;
    call.metered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_calls_on_one_wallet_race_to_zero_and_share_its_last_cent() {
    let world = World::set().await;
    let mut one = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    let mut two = EdgeCall::arrive(&world, ANNA, 10).await.unwrap();
    one.choose(PLAIN).await.unwrap();
    two.choose(PLAIN).await.unwrap();
    let (one, two) = tokio::join!(tokio::spawn(run(one)), tokio::spawn(run(two)));
    let (one, two) = (one.unwrap(), two.unwrap());
    // 20.00 / 0.01 = 2000 seconds between them, whoever got more
    assert_eq!(one + two, 2000, "{one} + {two}");
    assert_eq!(world.wallet().await, (eur("0"), eur("0")));
    world.audit(at(5000)).await;
}
