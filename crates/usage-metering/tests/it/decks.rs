//! Rate decks, on a real database: imported whole, looked at before they are published, undone until they begin.

use crate::world::*;
use db::DeckId;
use money::Currency;
use usage_metering::{DeckImport, DeckKind, DeckVersion, UsageError};

async fn deck(world: &World, name: &str) -> DeckId {
    let tx = world.tx().await;
    let id = usage_metering::create_deck(&tx, name, DeckKind::Sell, Currency::EUR, at(NOW)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn import(world: &World, id: DeckId, text: &str) -> DeckImport {
    usage_metering::import_deck(&world.database.db, world.tenant, id, "rates.csv", text, "Ada", at(NOW)).await.unwrap()
}

async fn taken(world: &World, id: DeckId, text: &str) -> DeckVersion {
    match import(world, id, text).await {
        DeckImport::Taken { version, .. } => version,
        DeckImport::Refused(faults) => panic!("refused: {faults:?}"),
    }
}

async fn publish(world: &World, id: DeckId, version: u32, from: &str, now: &str) -> Result<(), UsageError> {
    let tx = world.tx().await;
    usage_metering::publish_deck(&tx, id, version, at(from), "Ada", at(now)).await?;
    tx.commit().await.unwrap();
    Ok(())
}

async fn rate(world: &World, id: DeckId, number: &str, when: &str) -> Option<String> {
    let tx = world.tx().await;
    let version = usage_metering::version_in_force(&tx, id, at(when)).await.unwrap()?;
    let table = usage_metering::deck_table(&tx, id, version).await.unwrap();
    table.longest(number).map(|row| row.rate.to_string())
}

#[tokio::test]
async fn a_deck_is_a_draft_until_its_day_and_comes_back_by_being_published_again() {
    let world = World::new().await;
    let id = deck(&world, "Retail").await;
    let first = taken(&world, id, "49,0.02,Germany\n4915,0.10,Germany mobile").await;
    assert_eq!((first.version, first.prefixes, first.source.as_str()), (1, 2, "rates.csv"));
    assert_eq!(rate(&world, id, "+491512345", "2027-01-01T00:00:00Z").await, None, "a draft holds for nobody");
    publish(&world, id, 1, NOW, NOW).await.unwrap();
    assert_eq!(rate(&world, id, "+491512345", NOW).await.as_deref(), Some("0.1"));
    // From 1 April mobiles cost 0.12.
    assert_eq!(taken(&world, id, "49,0.02,Germany\n4915,0.12,Germany mobile").await.version, 2);
    let april = "2026-03-31T22:00:00Z";
    publish(&world, id, 2, april, NOW).await.unwrap();
    assert_eq!(rate(&world, id, "+491512345", "2026-03-31T21:59:59Z").await.as_deref(), Some("0.1"));
    assert_eq!(rate(&world, id, "+491512345", april).await.as_deref(), Some("0.12"));
    // Undone on 20 March, and too late on 2 April.
    let tx = world.tx().await;
    let undone = usage_metering::withdraw_publication(&tx, id, 2, at("2026-03-20T08:00:00Z")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(undone.version, 2);
    assert_eq!(rate(&world, id, "+491512345", april).await.as_deref(), Some("0.1"));
    publish(&world, id, 2, april, "2026-03-21T08:00:00Z").await.unwrap();
    let late = usage_metering::withdraw_publication(&world.tx().await, id, 3, at("2026-04-02T08:00:00Z")).await;
    assert!(matches!(late, Err(UsageError::DeckMustNotHaveBegun)));
    publish(&world, id, 1, "2026-04-02T08:00:00Z", "2026-04-02T08:00:00Z").await.unwrap();
    assert_eq!(rate(&world, id, "+491512345", "2026-04-02T09:00:00Z").await.as_deref(), Some("0.1"));
    assert_eq!(rate(&world, id, "+491512345", "2026-04-01T09:00:00Z").await.as_deref(), Some("0.12"), "what was, was");
    let past = publish(&world, id, 2, "2026-04-01T00:00:00Z", "2026-04-03T00:00:00Z").await;
    assert!(matches!(past, Err(UsageError::DeckMustBeginLater(_))));
    assert!(matches!(publish(&world, id, 9, NOW, NOW).await, Err(UsageError::DeckVersionMustExist(9))));
}

#[tokio::test]
async fn of_several_that_wait_each_is_taken_back_and_is_compared_with_what_it_takes_the_place_of() {
    let world = World::new().await;
    let id = deck(&world, "Retail").await;
    for cents in 1..=5 {
        taken(&world, id, &format!("49,0.0{cents}")).await;
    }
    let (april, may) = ("2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z");
    publish(&world, id, 1, NOW, NOW).await.unwrap();
    publish(&world, id, 2, april, NOW).await.unwrap();
    publish(&world, id, 3, may, NOW).await.unwrap();
    // Published last, and in force at once: what waits still waits.
    publish(&world, id, 4, NOW, NOW).await.unwrap();
    let tx = world.tx().await;
    let replaces = async |version| {
        let publications = usage_metering::publications(&tx, id).await.unwrap();
        usage_metering::replaced_by(&publications, version, at(NOW)).map(|one| one.version)
    };
    for (version, before) in [
        (4, None),    // in force
        (2, Some(4)), // from April on
        (3, Some(2)), // from May on, after April's
        (5, Some(3)), // nobody has published it: it would come after all of them
        (1, Some(3)), // over, and likewise if it came back
    ] {
        assert_eq!(replaces(version).await, before, "version {version}");
    }
    for position in [1, 4, 9] {
        let refused = usage_metering::withdraw_publication(&tx, id, position, at(NOW)).await;
        assert!(matches!(refused, Err(UsageError::DeckMustNotHaveBegun)), "{position} has begun, or is none");
    }
    assert_eq!(usage_metering::withdraw_publication(&tx, id, 2, at(NOW)).await.unwrap().version, 2);
    assert_eq!((replaces(3).await, replaces(2).await), (Some(4), Some(3)));
    assert!(usage_metering::withdraw_publication(&tx, id, 2, at(NOW)).await.is_err(), "once");
    assert_eq!(usage_metering::withdraw_publication(&tx, id, 3, at(NOW)).await.unwrap().version, 3);
    tx.commit().await.unwrap();
    assert_eq!(rate(&world, id, "+4930", may).await.as_deref(), Some("0.04"));
}

#[tokio::test]
async fn the_same_content_is_one_version_and_a_wrong_line_stores_nothing() {
    let world = World::new().await;
    let id = deck(&world, "Retail").await;
    taken(&world, id, "prefix,rate\n49,0.02\n44,0.03").await;
    let again = import(&world, id, "prefix;rate\n44;0.030\n+49;0.02\n49;0.02").await;
    assert!(
        matches!(&again, DeckImport::Taken { version, is_new: false, repeated: 1 } if version.version == 1),
        "{again:?}"
    );
    let DeckImport::Refused(faults) = import(&world, id, "prefix,rate\n49,0.02\n44,free").await else {
        panic!("a rate is a number")
    };
    let fault = &faults.named[0];
    assert_eq!((fault.line, fault.field, fault.value.as_str()), (3, "rate", "free"));
    let tx = world.tx().await;
    assert_eq!(usage_metering::deck_versions(&tx, id).await.unwrap().len(), 1);
    let name = usage_metering::create_deck(&tx, "Retail", DeckKind::Cost, Currency::EUR, at(NOW)).await;
    assert!(matches!(name, Err(UsageError::DeckNameMustBeFree(_))));
    let stranger =
        usage_metering::import_deck(&world.database.db, db::TenantId::new(), id, "x", "49,1", "Eve", at(NOW)).await;
    assert!(matches!(stranger, Err(UsageError::DeckMustExist)), "another book has no such deck");
}

#[tokio::test]
async fn two_hundred_thousand_prefixes_are_imported_and_looked_up() {
    let world = World::new().await;
    let id = deck(&world, "World").await;
    let lines = (0..200_000u32).map(|n| format!("{},0.{:04},Place {n}", 100_000 + n, n % 9_999 + 1));
    let text: Vec<String> = std::iter::once("prefix,rate,destination".to_owned()).chain(lines).collect();
    let began = std::time::Instant::now();
    assert_eq!(taken(&world, id, &text.join("\n")).await.prefixes, 200_000);
    let imported = began.elapsed();
    publish(&world, id, 1, NOW, NOW).await.unwrap();
    assert_eq!(rate(&world, id, "+1234567890", NOW).await.as_deref(), Some("0.3459")); // 123456 is n = 23456, % 9999 = 3458
    let read = began.elapsed() - imported;
    assert_eq!(rate(&world, id, "+299999", NOW).await.as_deref(), Some("0.002")); // n = 199999, % 9999 = 19
    println!("200,000 prefixes: imported in {imported:?}, read in {read:?}");
    let tx = world.tx().await;
    let page = usage_metering::deck_rows(&tx, id, 1, "123", 2).await.unwrap();
    assert_eq!(page.iter().map(|row| &*row.prefix).collect::<Vec<_>>(), ["123000", "123001"]);
}

#[tokio::test]
async fn a_draft_that_nobody_published_is_forgotten_by_age_and_its_number_is_never_given_again() {
    let world = World::new().await;
    let id = deck(&world, "Retail").await;
    taken(&world, id, "49,0.02").await;
    publish(&world, id, 1, NOW, NOW).await.unwrap();
    taken(&world, id, "49,0.03\n44,0.04").await;
    taken(&world, id, "49,0.05").await;
    let forget = async |when: chrono::DateTime<chrono::Utc>| {
        let tx = world.tx().await;
        let forgotten = usage_metering::forget_old_draft(&tx, when).await.unwrap();
        tx.commit().await.unwrap();
        forgotten
    };
    let old = at(NOW) + usage_metering::DRAFTS_KEPT;
    assert_eq!(forget(old).await, 0, "not yet");
    let older = old + chrono::TimeDelta::days(1);
    assert_eq!((forget(older).await, forget(older).await), (1, 0), "one was published, one is the newest");
    let versions = usage_metering::deck_versions(&world.tx().await, id).await.unwrap();
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [3, 1]);
    assert_eq!(usage_metering::deck_rows(&world.tx().await, id, 2, "", 10).await.unwrap(), []);
    assert_eq!(taken(&world, id, "49,0.06").await.version, 4);
    for what in ["DELETE FROM rate_deck_row WHERE version = 1", "DELETE FROM rate_deck_version WHERE version = 1"] {
        assert!(world.tx().await.run(what, []).await.is_err(), "what was published stays: {what}");
    }
}
