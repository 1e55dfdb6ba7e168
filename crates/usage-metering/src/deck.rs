//! Rate decks: which prefix is sold, or bought, for how much. A deck keeps its name; its content comes in versions that never
//! change, each a draft until it is published from an instant on.

use crate::error::UsageError;
use crate::store::deck as store;
pub use crate::store::deck::{
    all as decks, publications, rows as deck_rows, version_in_force, versions as deck_versions,
};
use chrono::{DateTime, TimeDelta, Utc};
use db::{DeckId, TenantTx};
use money::Currency;
use pricing::{Per, Tariff};
use rust_decimal::Decimal;

/// How far in the past a deck may begin: somebody has typed the minute that it is.
const BEGINS_LATE: TimeDelta = TimeDelta::minutes(2);

/// What was imported and never published is kept for so long.
pub const DRAFTS_KEPT: TimeDelta = TimeDelta::days(90);

/// Which way a deck's money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeckKind {
    /// What customers pay.
    Sell,
    /// What a carrier asks.
    Cost,
    /// What a carrier pays for a call that it brings.
    Payout,
}

impl DeckKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sell, Self::Cost, Self::Payout];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sell => "sell",
            Self::Cost => "cost",
            Self::Payout => "payout",
        }
    }

    /// The kind that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A deck without its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateDeck {
    pub id: DeckId,
    pub name: String,
    pub kind: DeckKind,
    pub currency: Currency,
    pub created_at: DateTime<Utc>,
}

/// What was imported at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeckVersion {
    pub version: u32,
    pub prefixes: u64,
    /// Where it came from: a file's name.
    pub source: String,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
}

/// From when on a version holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub position: u32,
    pub version: u32,
    pub effective_from: DateTime<Utc>,
    pub published_at: DateTime<Utc>,
    pub published_by: String,
    /// Undone before it took effect.
    pub withdrawn_at: Option<DateTime<Utc>>,
}

/// What a prefix costs.
#[derive(Clone, Debug, PartialEq)]
pub struct DeckRow {
    pub prefix: Box<str>,
    /// What people call it: "Germany mobile".
    pub destination: Box<str>,
    /// Per minute, at the beginning of a call.
    pub rate: Decimal,
    /// Where a rate by the second does not say all.
    pub tariff: Option<Box<Tariff>>,
}

impl DeckRow {
    /// The whole price of a call.
    pub fn tariff(&self) -> Tariff {
        match &self.tariff {
            Some(tariff) => (**tariff).clone(),
            None => Tariff::flat(self.rate, Per::Minute),
        }
    }
}

/// Makes a deck without content.
pub async fn create_deck(
    tx: &TenantTx,
    name: &str,
    kind: DeckKind,
    currency: Currency,
    now: DateTime<Utc>,
) -> Result<DeckId, UsageError> {
    let name = name.trim();
    if !(1..=80).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(UsageError::DeckNameMustBeShort(name.chars().take(90).collect()));
    }
    store::create(tx, name, kind, currency, now).await
}

/// One deck.
pub async fn deck(tx: &TenantTx, id: DeckId) -> Result<Option<RateDeck>, UsageError> {
    Ok(store::all(tx).await?.into_iter().find(|deck| deck.id == id))
}

/// The publication that holds at an instant, of those of [`publications`].
pub fn in_force(publications: &[Publication], at: DateTime<Utc>) -> Option<&Publication> {
    let begun = publications.iter().filter(|one| one.withdrawn_at.is_none() && one.effective_from <= at);
    begun.max_by_key(|one| (one.effective_from, one.position))
}

/// Lets a version hold from an instant on. A former version is published again in the same way.
pub async fn publish_deck(
    tx: &TenantTx,
    id: DeckId,
    version: u32,
    effective_from: DateTime<Utc>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Publication, UsageError> {
    store::lock(tx, id).await?;
    if !store::versions(tx, id).await?.iter().any(|known| known.version == version) {
        return Err(UsageError::DeckVersionMustExist(version));
    }
    if effective_from < now - BEGINS_LATE {
        return Err(UsageError::DeckMustBeginLater(effective_from));
    }
    store::publish(tx, id, version, effective_from.max(now), by, now).await
}

/// What waits for its day, of those of [`publications`]: what was published last comes first.
pub fn waiting(publications: &[Publication], at: DateTime<Utc>) -> impl Iterator<Item = &Publication> {
    publications.iter().filter(move |one| one.withdrawn_at.is_none() && one.effective_from > at)
}

/// What a version takes the place of: of one that waits for its day, what holds until then; of one that nobody has published,
/// what holds when all that waits has begun. Nothing for what is in force itself.
pub fn replaced_by(publications: &[Publication], version: u32, now: DateTime<Utc>) -> Option<&Publication> {
    if in_force(publications, now).is_some_and(|held| held.version == version) {
        return None;
    }
    let order = |one: &Publication| (one.effective_from, one.position);
    let own = waiting(publications, now).filter(|one| one.version == version).min_by_key(|one| order(one)).map(order);
    let standing = publications.iter().filter(|one| one.withdrawn_at.is_none());
    let before = standing.filter(|one| own.is_none_or(|own| order(one) < own)).max_by_key(|one| order(one));
    before.filter(|one| one.version != version)
}

/// Undoes a publication that has not begun. What holds already is replaced by publishing the former version again.
pub async fn withdraw_publication(
    tx: &TenantTx,
    id: DeckId,
    position: u32,
    now: DateTime<Utc>,
) -> Result<Publication, UsageError> {
    store::lock(tx, id).await?;
    let publications = store::publications(tx, id).await?;
    let chosen = waiting(&publications, now).find(|one| one.position == position).cloned();
    let chosen = chosen.ok_or(UsageError::DeckMustNotHaveBegun)?;
    store::withdraw(tx, id, position, now).await?;
    Ok(Publication { withdrawn_at: Some(now), ..chosen })
}

/// Undoes what was published last of what has not begun.
pub async fn withdraw_last_publication(
    tx: &TenantTx,
    id: DeckId,
    now: DateTime<Utc>,
) -> Result<Publication, UsageError> {
    let publications = store::publications(tx, id).await?;
    let last = waiting(&publications, now).next().ok_or(UsageError::DeckMustNotHaveBegun)?;
    withdraw_publication(tx, id, last.position, now).await
}

/// Removes one draft that is older than [`DRAFTS_KEPT`]; how many it was. The newest version of a deck stays whatever it is: its
/// number must not be given again.
pub async fn forget_old_draft(tx: &TenantTx, now: DateTime<Utc>) -> Result<u64, UsageError> {
    let Some((id, version)) = store::old_draft(tx, now - DRAFTS_KEPT).await? else { return Ok(0) };
    // Somebody may be publishing it.
    store::lock(tx, id).await?;
    store::remove_draft(tx, id, version).await
}
