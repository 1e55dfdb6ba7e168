//! The demo world: one operator, a reseller with its own name and colours, two call centres, their agents, numbers, plans,
//! callers and three past months. The same day gives the same world; it is also the world of the tests.
//! Everything is made through the same functions that serve a person; only time is played.

mod billing;
mod callers;
mod catalogue;
mod centres;
mod history;
mod imports;
mod offers;
mod outward;
mod partners;
mod people;
mod random;

use chrono::{DateTime, Utc};
use db::{CustomerId, Db, PlatformReason, TenantId};

pub use callers::{Caller, Cast, Centre};
pub use centres::DEMO_SLUG;
pub use partners::{BRIGHTLINE_PREMIUM, NORDLICHT_PREMIUM};
pub use people::{Login, PASSWORD, logins};

/// What a test needs to know about the world.
#[derive(Clone, Debug)]
pub struct World {
    pub operator: TenantId,
    pub reseller: TenantId,
    /// Below the operator.
    pub nordlicht: TenantId,
    /// Below the reseller.
    pub brightline: TenantId,
    /// The reseller in the operator's book.
    pub reseller_as_customer: CustomerId,
    pub nordlicht_as_customer: CustomerId,
    /// In the reseller's book.
    pub brightline_as_customer: CustomerId,
}

/// The called numbers; the first shares its revenue 70/30.
pub const NORDLICHT_ADVICE: &str = "+493023125014";
/// Rental only.
pub const NORDLICHT_SUPPORT: &str = "+493023125019";
/// The reseller's tenant's number.
pub const BRIGHTLINE_HELP: &str = "+35315550142";
/// A prepaid caller of Nordlicht's, known by this number.
pub const JONAS_PHONE: &str = "+491713920014";
/// Host of the reseller's brand.
pub const VOXHOUSE_HOST: &str = "voxhouse.localhost";

/// Loads the world into an empty database and plays three months up to `now`. `None` when there is an organisation already.
pub async fn load(db: &Db, now: DateTime<Utc>, say: impl Fn(&str)) -> anyhow::Result<Option<World>> {
    if !organisations(db).await?.is_empty() {
        return Ok(None);
    }
    let began = history::first_day(now);
    let (world, cast) = found(db, began, &say).await?;
    history::play(db, &world, &cast, began, now, &say).await?;
    imports::send(db, world.nordlicht, NORDLICHT_ADVICE, JONAS_PHONE, now).await?;
    Ok(Some(world))
}

/// Creates everybody and everything that is sold, at one instant, and lets nothing happen yet.
pub async fn found(db: &Db, began: DateTime<Utc>, say: &impl Fn(&str)) -> anyhow::Result<(World, Vec<Cast>)> {
    say("organisations, members and agents");
    let world = centres::create(db, began).await?;
    people::create(db, &world, began).await?;
    say("plans, tariffs, numbers and topics");
    catalogue::create(db, &world, began).await?;
    partners::create(db, &world, began).await?;
    offers::create(db, &world, began).await?;
    say("rate decks, carriers and limits");
    outward::create(db, &world, began).await?;
    say("customers");
    let cast = callers::create(db, &world, began).await?;
    Ok((world, cast))
}

/// Is this the demo world? Its logins are shown only where it is.
pub async fn is_loaded(db: &Db) -> anyhow::Result<bool> {
    Ok(organisations(db).await?.iter().any(|organisation| organisation.slug == centres::DEMO_SLUG))
}

async fn organisations(db: &Db) -> anyhow::Result<Vec<tenant::Organisation>> {
    let tx = db.platform(PlatformReason::Provision).await?;
    let known = tenant::organisations(&tx).await?;
    tx.commit().await?;
    Ok(known)
}

/// The one currency of the demo world.
fn euro() -> money::Currency {
    "EUR".parse().expect("EUR is in ISO 4217")
}
