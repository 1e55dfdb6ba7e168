//! What the demo world sells and buys to the world: two carriers, a deck at each level, and limits that let customers call out a little.

use super::World;
use anyhow::bail;
use call_control::{LimitOf, LossGuard, NewCarrier, OutgoingPolicy, SpendLimit};
use chrono::{DateTime, Utc};
use db::{Db, DeckId, TenantId};
use money::{Decimal, Money};
use tenant::Organisation;
use usage_metering::{DeckImport, DeckKind};

/// Prefix, destination, and what the two carriers ask for a minute, in ten thousandths of the main unit.
const PLACES: [(&str, &str, u32, u32); 24] = [
    ("1", "United States and Canada", 40, 45),
    ("31", "Netherlands", 60, 55),
    ("316", "Netherlands mobile", 220, 240),
    ("32", "Belgium", 110, 95),
    ("324", "Belgium mobile", 280, 300),
    ("33", "France", 55, 60),
    ("336", "France mobile", 190, 180),
    ("337", "France mobile", 190, 180),
    ("34", "Spain", 65, 62),
    ("346", "Spain mobile", 170, 165),
    ("353", "Ireland", 80, 70),
    ("3538", "Ireland mobile", 260, 235),
    ("39", "Italy", 70, 78),
    ("393", "Italy mobile", 240, 225),
    ("41", "Switzerland", 140, 150),
    ("417", "Switzerland mobile", 520, 480),
    ("43", "Austria", 95, 90),
    ("436", "Austria mobile", 230, 260),
    ("44", "United Kingdom", 45, 48),
    ("447", "United Kingdom mobile", 150, 140),
    ("49", "Germany", 50, 58),
    ("4915", "Germany mobile", 240, 210),
    ("4916", "Germany mobile", 240, 210),
    ("4917", "Germany mobile", 240, 210),
];

/// Of the dearer carrier, how much each level asks, tax included, in percent.
const WHOLESALE: u32 = 160;
const RESALE: u32 = 200;
const RETAIL: u32 = 320;

/// Decks, carriers and limits of every book.
pub async fn create(db: &Db, world: &World, began: DateTime<Utc>) -> anyhow::Result<()> {
    for (code, name, place) in [("nordsee", "Nordsee Carrier", 0), ("atlantic", "Atlantic Voice", 1)] {
        let cost_deck =
            deck(db, world.operator, &format!("{name}, cost"), DeckKind::Cost, &asked(place), began).await?;
        let tx = db.tenant(world.operator).await?;
        let new = NewCarrier {
            code: code.into(),
            name: name.into(),
            cost_deck,
            channels_max: Some(500),
            calls_per_second_max: Some(20),
            is_up: true,
            priority: 100,
        };
        call_control::create_carrier(&tx, &new, began).await?;
        tx.commit().await?;
    }
    for (book, name, percent) in [
        (world.operator, "Wholesale", WHOLESALE),
        (world.reseller, "Resale", RESALE),
        (world.nordlicht, "Calls out", RETAIL),
        (world.brightline, "Calls out", RETAIL),
    ] {
        let sell_deck = deck(db, book, name, DeckKind::Sell, &sold(percent), began).await?;
        sell(db, book, sell_deck, began).await?;
    }
    Ok(())
}

fn table(rate: impl Fn(u32, u32) -> u32) -> String {
    let lines = PLACES.iter().map(|(prefix, name, one, other)| {
        let rate = Decimal::new(i64::from(rate(*one, *other)), 4);
        format!("{prefix},{rate},{name}")
    });
    std::iter::once("prefix,rate,destination".to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

fn asked(place: usize) -> String {
    table(|one, other| [one, other][place])
}

fn sold(percent: u32) -> String {
    table(|one, other| one.max(other) * percent / 100)
}

async fn deck(
    db: &Db,
    book: TenantId,
    name: &str,
    kind: DeckKind,
    rows: &str,
    began: DateTime<Utc>,
) -> anyhow::Result<DeckId> {
    let tx = db.tenant(book).await?;
    let organisation: Organisation = tenant::organisation(&tx).await?;
    let id = usage_metering::create_deck(&tx, name, kind, organisation.currency, began).await?;
    tx.commit().await?;
    let imported = usage_metering::import_deck(db, book, id, "rates.csv", rows, "Demo", began).await?;
    let DeckImport::Taken { version, .. } = imported else { bail!("the demo's rates are refused: {imported:?}") };
    let tx = db.tenant(book).await?;
    usage_metering::publish_deck(&tx, id, version.version, began, "Demo", began).await?;
    tx.commit().await?;
    Ok(id)
}

async fn sell(db: &Db, book: TenantId, sell_deck: DeckId, began: DateTime<Utc>) -> anyhow::Result<()> {
    let tx = db.tenant(book).await?;
    let policy = OutgoingPolicy {
        sell_deck: Some(sell_deck),
        loss_guard: LossGuard::Refuse,
        minimum_margin_percent: Decimal::from(5),
        minimum_answer_percent: Decimal::from(30),
    };
    call_control::set_outgoing_policy(&tx, &policy, began).await?;
    let currency = tenant::organisation(&tx).await?.currency;
    let amount =
        |main_units: i64| Money::from_decimal(Decimal::from(main_units), currency).map(|amount| amount.micros());
    let limit = SpendLimit {
        is_open: true,
        sell_deck: None,
        call_micros: Some(amount(20)?),
        hour_micros: Some(amount(50)?),
        day_micros: Some(amount(100)?),
        calls_at_once_max: Some(10),
    };
    call_control::set_spend_limit(&tx, LimitOf::Everybody, Some(&limit), began).await?;
    tx.commit().await?;
    Ok(())
}
