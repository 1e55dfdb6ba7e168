//! A book's own meters: which events they count, and what they would have counted.

use crate::world::*;
use usage_metering::Outcome::{Accepted, Duplicate, Suspended};
use usage_metering::{Aggregate, Aggregation, Correction, Meter, SuspenseCause, UsageEvent};

/// Counts chats, all or those with these dimensions.
fn chats(code: &str, aggregation: Aggregation, filter: &[(&str, &str)]) -> Meter {
    Meter {
        event_type: "chat".into(),
        filter: dimensions(filter),
        ..Meter::new(code, "Chats", "chat", aggregation, &["language"])
    }
}

fn chat(id: &str, customer: db::CustomerId, quantity: &str, language: &str) -> UsageEvent {
    UsageEvent {
        meter: "chat".into(),
        dimensions: dimensions(&[("language", language)]),
        ..event(id, customer, quantity)
    }
}

#[tokio::test]
async fn an_event_counts_on_every_meter_of_its_type_whose_filter_it_passes() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    let events = [chat("a", customer, "2.5", "de"), chat("b", customer, "4", "fr")];
    let unknown = Suspended(SuspenseCause::UnknownMeter);
    assert_eq!(world.ingest(&[chat("early", customer, "1", "de")]).await, [unknown], "no meter counts chats yet");
    let tx = world.tx().await;
    for meter in [
        chats("chats", Aggregation::Count, &[]),
        chats("chat_minutes", Aggregation::Sum, &[]),
        chats("german_chats", Aggregation::Sum, &[("language", "de")]),
    ] {
        usage_metering::define_meter(&tx, &meter).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(world.ingest(&events).await, [Accepted, Accepted]);
    assert_eq!(world.ingest(&events).await, [Duplicate, Duplicate]);
    let used = async |meter: &str| world.used_of(customer, meter, &[], None, Aggregate::Sum).await;
    assert_eq!(used("chats").await, "2");
    assert_eq!(used("chat_minutes").await, "6.5"); // 2.5 + 4
    assert_eq!(used("german_chats").await, "2.5"); // b is French
    // From inside a transaction it is the same, and a known one among new ones counts nowhere again.
    assert_eq!(world.ingest_in(&[chat("c", customer, "8", "de"), events[0].clone()]).await, [Accepted, Duplicate]);
    assert_eq!(used("german_chats").await, "10.5"); // 2.5 + 8
    assert_eq!(world.ingest(&[chat("d", customer, "1", "fr"), events[1].clone()]).await, [Accepted, Duplicate]);
    assert_eq!((used("chats").await, used("chat_minutes").await), ("4".into(), "15.5".into())); // 6.5 + 8 + 1
    // What waited for a meter counts on all of them, too.
    let tx = world.tx().await;
    let cause = SuspenseCause::UnknownMeter;
    let replay = usage_metering::replay_suspense(&tx, cause, &Correction::default(), "Ada", at(NOW)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((replay.accepted, replay.counted.len()), (1, 3));
    assert_eq!(used("chats").await, "5");
    assert_eq!(world.violations().await, []);
    assert_eq!(usage_metering::recount(&world.tx().await).await.unwrap(), []);
}

#[tokio::test]
async fn a_meter_is_tried_on_what_came_before_it() {
    let world = World::new().await;
    let customer = world.customer("C-1", "UTC").await;
    world.ingest(&[event("a", customer, "1.5"), event("b", customer, "2")]).await;
    let support = UsageEvent { dimensions: dimensions(&[("topic", "tax")]), ..event("c", customer, "7") };
    world.ingest(&[support, chat("d", customer, "3", "de"), chat("e", customer, "1", "fr")]).await;
    let (from, to) = (at("2026-03-01T00:00:00Z"), at(NOW));
    let law = Meter {
        event_type: "minutes".into(),
        filter: dimensions(&[("topic", "law")]),
        ..Meter::new("law_minutes", "Minutes of law", "minute", Aggregation::Sum, &["topic"])
    };
    let tx = world.tx().await;
    let preview = usage_metering::preview_meter(&tx, &law, from, to).await.unwrap();
    assert_eq!((preview.quantity.to_string().as_str(), preview.events, preview.waiting), ("3.5", 2, 0)); // 1.5 + 2
    // Nobody counts chats: both wait, and would be counted by trying them again.
    let preview = usage_metering::preview_meter(&tx, &chats("chats", Aggregation::Count, &[]), from, to).await.unwrap();
    assert_eq!((preview.quantity.to_string().as_str(), preview.events, preview.waiting), ("2", 2, 2));
    let languages: Vec<&str> = preview.by_dimension.iter().map(|sum| sum.dimensions["language"].as_str()).collect();
    assert_eq!(languages, ["de", "fr"]);
    for (wrong, said) in [
        (Meter { code: "Law".into(), ..law.clone() }, "code"),
        (Meter { name: String::new(), ..law.clone() }, "name"),
        (Meter { dimensions: (0..9).map(|n| n.to_string()).collect(), ..law.clone() }, "at most 8 dimensions"),
        (Meter { filter: dimensions(&[("topic", "")]), ..law.clone() }, "filter"),
    ] {
        let error = usage_metering::preview_meter(&tx, &wrong, from, to).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn of_two_who_define_one_code_at_once_one_is_refused_and_a_comma_names_no_dimension() {
    let world = World::new().await;
    let (first, second) = (world.tx().await, world.tx().await);
    let minutes = chats("chat_minutes", Aggregation::Sum, &[]);
    usage_metering::create_meter(&first, &minutes).await.unwrap();
    let another = Meter { name: "Others".into(), ..chats("chat_minutes", Aggregation::Sum, &[("language", "de")]) };
    // The second waits for the first, and then finds the code taken.
    let (later, ()) = tokio::join!(usage_metering::create_meter(&second, &another), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        first.commit().await.unwrap();
    });
    assert!(matches!(later, Err(usage_metering::UsageError::MeterCodeMustBeFree(code)) if code == "chat_minutes"));
    drop(second);
    let tx = world.tx().await;
    let known = usage_metering::meters(&tx).await.unwrap();
    assert_eq!(known.iter().find(|meter| meter.code == "chat_minutes"), Some(&minutes), "as it was defined first");
    let mut torn = chats("torn", Aggregation::Sum, &[]);
    torn.dimensions = vec!["language,region".into()];
    let refused = usage_metering::create_meter(&tx, &torn).await;
    assert!(matches!(refused, Err(usage_metering::UsageError::MeterDimensionMustHaveNoComma(_))));
}
