//! Support by chat: paid by how many chats ran at once, by how many people wrote, and by the wait that 95 of 100 did not exceed. None
//! of these of a month is the sum of its hours.

use super::shop::{Shop, component, each, monthly};
use super::story::{Story, at};
use db::CustomerId;
use money::Currency;
use subscription::ComponentKind;
use usage_metering::{Aggregation, Meter, Outcome, UsageEvent};

/// A chat of a person from Berlin's March or April on, of so many seconds, which waited for so many.
async fn chats(shop: &Shop<'_>, customer_id: CustomerId, told: &[(&str, &str, &str, &str)]) {
    let event = |kind: &str, (person, when, lasted, waited): &(&str, &str, &str, &str)| UsageEvent {
        source: "chat".into(),
        id: format!("{kind} {person} {when}"),
        meter: kind.into(),
        customer_id,
        subscription_id: None,
        quantity: if kind == "wait" { waited } else { lasted }.parse().unwrap(),
        dimensions: [("person".to_owned(), (*person).to_owned())].into(),
        occurred_at: at(when),
    };
    let events: Vec<UsageEvent> = told.iter().flat_map(|chat| [event("chat", chat), event("wait", chat)]).collect();
    let taken = usage_metering::ingest(&shop.story.database.db, shop.book, &events, shop.story.now()).await.unwrap();
    assert!(taken.iter().all(|outcome| *outcome == Outcome::Accepted), "{taken:?}");
}

async fn defines(shop: &Shop<'_>) {
    let meter = |code, event_type: &str, aggregation| Meter {
        event_type: event_type.to_owned(),
        ..Meter::new(code, code, "chat", aggregation, &[])
    };
    let people = Meter { of_dimension: Some("person".into()), ..meter("people", "chat", Aggregation::Unique) };
    let wait = Meter { percent: Some(95.into()), ..meter("wait95", "wait", Aggregation::Percentile) };
    let tx = shop.tx().await;
    for meter in [people, wait, meter("at_once", "chat", Aggregation::Peak)] {
        usage_metering::define_meter(&tx, &meter).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn chats_are_paid_by_the_most_at_once_the_people_who_wrote_and_the_wait_of_almost_all() {
    let story = Story::begins("2026-02-28T23:00:00Z").await; // midnight of 1 March in Berlin
    let shop = Shop { story: &story, book: story.world.nordlicht };
    defines(&shop).await;
    let bakery = shop.customer("Morgenrot Bakery", Currency::EUR).await;
    let usage = |name, meter, amount| component(name, ComponentKind::Usage, Some(meter), each(amount));
    let plan =
        vec![usage("at_once", "at_once", "20"), usage("people", "people", "0.50"), usage("seconds", "wait95", "0.10")];
    let plan = shop.sells("chat", monthly(Currency::EUR, plan)).await;
    shop.subscribes(bakery, plan, false).await;

    story.travel_to("2026-03-31T21:59:00Z"); // a minute before April in Berlin
    chats(
        &shop,
        bakery,
        &[
            ("ada", "2026-03-10T08:50:00Z", "900", "5"),  // until 09:05
            ("bob", "2026-03-10T09:00:00Z", "600", "7"),  // beside ada
            ("ada", "2026-03-10T09:10:00Z", "600", "40"), // begins as bob ends
            // The clock goes forward that night: 01:30 to 03:30 there is an hour.
            ("cid", "2026-03-29T00:30:00Z", "3600", "6"),
            ("dan", "2026-03-29T01:15:00Z", "600", "6"), // beside cid
            // Until five past midnight: April's first hour has it, too.
            ("ada", "2026-03-31T21:55:00Z", "600", "9"),
        ],
    )
    .await;
    story.travel_to("2026-04-01T08:00:00Z");
    shop.bills("2026-04-01").await;
    assert_eq!(
        shop.lines(bakery).await,
        [
            "at_once | 2 | 40.00", // ada and bob, cid and dan: 2 x 20
            "people | 4 | 2.00",   // ada, bob, cid and dan, once each: 4 x 0.50
            "seconds | 40 | 4.00", // of 6 waits 95% are 5.7: all six, and the longest is 40 x 0.10
            "net 46.00",
        ]
    );

    // April's own: two beside what is left of ada's. And one of March comes late, beside cid and dan: 3 x 20, 5 x 0.50 for March.
    chats(
        &shop,
        bakery,
        &[
            ("ada", "2026-03-31T22:01:00Z", "60", "3"),
            ("eva", "2026-03-31T22:01:30Z", "60", "3"),
            ("eva", "2026-03-29T01:20:00Z", "60", "1"),
        ],
    )
    .await;
    story.travel_to("2026-05-01T08:00:00Z");
    shop.bills("2026-05-01").await;
    let lines = shop.lines(bakery).await;
    assert_eq!(
        lines[..3],
        [
            "at_once | 3 | 60.00", // ada's of March, ada's and eva's of April: 3 x 20
            "people | 2 | 1.00",   // ada and eva: 2 x 0.50
            "seconds | 3 | 0.30",  // 3 x 0.10
        ],
        "{lines:?}"
    );
    // (60.00 + 2.50 + 4.00) - 46.00 of March, and 61.30 of April
    assert_eq!(lines.last().map(String::as_str), Some("net 81.80"), "{lines:?}");
    story.assert_audit_is_clean().await;
    let recounted = usage_metering::recount(&shop.tx().await).await.unwrap();
    assert_eq!(recounted, []);
}
