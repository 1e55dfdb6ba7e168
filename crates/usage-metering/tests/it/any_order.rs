//! Whatever the order of events and however they are cut into batches: what is counted is what a naive count of all says.

use crate::ways::{define, meter, percentile, swept, unique};
use crate::world::*;
use chrono::{DateTime, TimeDelta, Utc};
use db::{CustomerId, SubscriptionId};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use usage_metering::{Aggregate, Aggregation, UsageEvent, UsageOf, UsageQuery};

const CASES: usize = 16;
/// The clocks of Berlin and of Lord Howe change in these days, Lord Howe's by half an hour.
const FIRST: &str = "2026-03-28T09:00:00Z";
const DAYS: [&str; 4] = ["2026-03-28", "2026-03-30", "2026-04-05", "2026-04-06"];
const READ_AT: &str = "2026-04-20T12:00:00Z";

#[derive(Clone, Debug)]
struct Chat {
    starts_after_seconds: i64,
    lasts_millis: i64,
    caller: u8,
    /// 0 names no subscription.
    subscription: usize,
}

fn chat() -> impl Strategy<Value = Chat> {
    // Crowded, so that ends meet beginnings and hours are shared: in quarters of an hour, on three days of the nine.
    let starts =
        (prop_oneof![0..3i64, 28..36i64, 190..216i64], 0..4i64).prop_map(|(hour, quarter)| hour * 3600 + quarter * 900);
    let lasts = prop_oneof![Just(0), (1..5i64).prop_map(|n| n * 900_000), 1..9_000_000i64, Just(86_400_000)];
    (starts, lasts, 0..5u8, 0..3usize).prop_map(|(starts_after_seconds, lasts_millis, caller, subscription)| Chat {
        starts_after_seconds,
        lasts_millis,
        caller,
        subscription,
    })
}

/// One customer's chats, batch by batch; a batch comes by the mass path or in a transaction, and is followed by a sweep or not.
fn case() -> impl Strategy<Value = (Vec<Chat>, Vec<(usize, bool, bool)>)> {
    let cuts = prop::collection::vec((1..9usize, any::<bool>(), any::<bool>()), 60);
    (prop::collection::vec(chat(), 1..60), cuts)
}

fn seconds(millis: i64) -> Decimal {
    Decimal::new(millis, 3)
}

impl Chat {
    fn started_at(&self) -> DateTime<Utc> {
        at(FIRST) + TimeDelta::seconds(self.starts_after_seconds)
    }

    fn is_at(&self, instant: DateTime<Utc>) -> bool {
        (self.started_at()..self.started_at() + TimeDelta::milliseconds(self.lasts_millis)).contains(&instant)
    }

    fn event(&self, n: usize, customer_id: CustomerId, subscriptions: &[SubscriptionId]) -> UsageEvent {
        UsageEvent {
            meter: "chat".to_owned(),
            quantity: seconds(self.lasts_millis),
            occurred_at: self.started_at(),
            subscription_id: self.subscription.checked_sub(1).map(|nth| subscriptions[nth]),
            dimensions: dimensions(&[("caller", &self.caller.to_string())]),
            ..event(&format!("{customer_id} {n}"), customer_id, "0")
        }
    }
}

/// Different callers, the quantity that 90% do not exceed, and the most at once.
fn naive(chats: &[&Chat], from: DateTime<Utc>, to: DateTime<Utc>) -> [String; 3] {
    let begun: Vec<&&Chat> = chats.iter().filter(|chat| (from..to).contains(&chat.started_at())).collect();
    let callers: BTreeSet<u8> = begun.iter().map(|chat| chat.caller).collect();
    let mut lengths: Vec<Decimal> = begun.iter().map(|chat| seconds(chat.lasts_millis)).collect();
    lengths.sort();
    // At least nine tenths of them: of 10 the 9th, of 11 the 10th.
    let length = (lengths.len() * 9).div_ceil(10).checked_sub(1).map_or(Decimal::ZERO, |nth| lengths[nth]);
    let instants = std::iter::once(from).chain(begun.iter().map(|chat| chat.started_at()));
    let most =
        instants.map(|instant| chats.iter().filter(|chat| chat.is_at(instant)).count()).max().unwrap_or_default();
    [callers.len().to_string(), length.normalize().to_string(), most.to_string()]
}

async fn counted(
    world: &World,
    customer_id: CustomerId,
    of: UsageOf,
    days: [&str; 2],
    zone: &str,
) -> ([String; 3], [DateTime<Utc>; 2]) {
    let edges = days.map(|day| pricing::start_of_day(day.parse().unwrap(), zone).unwrap());
    let queries = ["callers", "p90", "at_once"].map(|meter| {
        let query = UsageQuery {
            customer_id,
            of,
            meter: meter.to_owned(),
            filter: dimensions(&[]),
            from: edges[0],
            to: edges[1],
        };
        (query, Aggregate::Sum)
    });
    let found = usage_metering::quantities(&world.tx().await, &queries).await.unwrap();
    (std::array::from_fn(|nth| found[nth].to_string()), edges)
}

#[tokio::test]
async fn any_order_and_any_batches_count_what_a_naive_count_of_all_says() {
    let world = World::new().await;
    for meter in [unique("callers"), percentile("p90", "90"), meter("at_once", Aggregation::Peak)] {
        define(&world, &meter).await;
    }
    let mut runner = TestRunner::deterministic();
    for round in 0..CASES {
        let (chats, cuts) = case().new_tree(&mut runner).unwrap().current();
        let zone = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"][round % 4];
        let customer = world.customer(&format!("C-{round}"), zone).await;
        let subscriptions = [(); 2].map(|()| SubscriptionId::new());
        let events: Vec<UsageEvent> =
            chats.iter().enumerate().map(|(n, chat)| chat.event(n, customer, &subscriptions)).collect();
        let mut rest = events.as_slice();
        for (length, repeats, sweeps) in cuts {
            let (batch, left) = rest.split_at(length.min(rest.len()));
            rest = left;
            for _ in 0..if batch.is_empty() { 0 } else { 1 + u32::from(repeats) } {
                let tx = world.tx().await;
                usage_metering::ingest_in(&tx, batch, at(READ_AT)).await.unwrap();
                tx.commit().await.unwrap();
            }
            if sweeps {
                swept(&world).await;
                world.fold().await;
            }
        }
        while swept(&world).await > 0 {}
        for days in DAYS.windows(2).map(|days| [days[0], days[1]]).chain([[DAYS[0], DAYS[3]]]) {
            for (of, whose) in [
                (UsageOf::Customer, vec![0, 1, 2]),
                (UsageOf::Named(subscriptions[0]), vec![1]),
                (UsageOf::NamedOrNone(subscriptions[1]), vec![0, 2]),
            ] {
                let (found, [from, to]) = counted(&world, customer, of, days, zone).await;
                let theirs: Vec<&Chat> = chats.iter().filter(|chat| whose.contains(&chat.subscription)).collect();
                assert_eq!(found, naive(&theirs, from, to), "round {round}, {zone}, {days:?}, {whose:?} of {chats:?}");
            }
        }
    }
    assert_eq!(usage_metering::recount(&world.tx().await).await.unwrap(), []);
    world.fold().await;
    assert_eq!(usage_metering::recount(&world.tx().await).await.unwrap(), []);
}
