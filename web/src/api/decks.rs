//! Rate decks: prefixes and their rates, version by version; compared before they are published.

use super::body::{Number, Text};
use super::list::{self, List};
use super::problem::{ApiResult, FieldProblem, Problem};
use super::route::{Ask, Asked, Created, Csv, Given, Nothing, One, Route, Shown, get, post};
use chrono::{DateTime, Utc};
use db::DeckId;
use money::Currency;
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use usage_metering::{DeckChangeKind, DeckFaults, DeckImport, DeckKind, UsageError};
use utoipa::{IntoParams, ToSchema};

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Routes;
    vec![
        get("/v1/decks", group, "List rate decks by name", decks),
        post("/v1/decks", group, "Make a rate deck without content", create),
        get("/v1/decks/{deck_id}", group, "Read a rate deck with its versions", deck),
        post("/v1/decks/{deck_id}/versions", group, "Import a table of prefixes as a draft", import).large(),
        get("/v1/decks/{deck_id}/rows", group, "List the prefixes of a version", rows),
        get("/v1/decks/{deck_id}/changes", group, "What a version changes against the one in force", changes),
        get("/v1/decks/{deck_id}/losses", group, "What a sell deck would lose on against a cost deck", losses),
        post("/v1/decks/{deck_id}/publications", group, "Let a version hold from an instant on", publish),
        post("/v1/decks/{deck_id}/withdrawal", group, "Take back what has not begun", withdraw),
    ]
}

/// Prefixes and their rates, under one name through all versions.
#[derive(Serialize, ToSchema)]
struct Deck {
    object: &'static str,
    id: String,
    name: String,
    /// `sell`, `cost` or `payout`.
    kind: &'static str,
    #[schema(example = "EUR")]
    currency: String,
    /// Null before the first is published.
    version_in_force: Option<u32>,
    versions: Vec<Version>,
    publications: Vec<Publication>,
}

impl Shown for Deck {
    fn id(&self) -> String {
        self.id.clone()
    }
}

/// What was imported at one time.
#[derive(Serialize, ToSchema)]
#[schema(as = DeckVersion)]
struct Version {
    version: u32,
    prefixes: u64,
    source: String,
    created_at: DateTime<Utc>,
    created_by: String,
}

impl From<usage_metering::DeckVersion> for Version {
    fn from(of: usage_metering::DeckVersion) -> Self {
        let usage_metering::DeckVersion { version, prefixes, source, created_at, created_by } = of;
        Self { version, prefixes, source, created_at, created_by }
    }
}

/// From when on a version holds.
#[derive(Serialize, ToSchema)]
#[schema(as = DeckPublication)]
struct Publication {
    version: u32,
    effective_from: DateTime<Utc>,
    published_at: DateTime<Utc>,
    published_by: String,
    /// Undone before it took effect.
    withdrawn_at: Option<DateTime<Utc>>,
}

async fn shown(ask: &Ask, of: usage_metering::RateDeck) -> ApiResult<Deck> {
    let publications = usage_metering::publications(&ask.tx, of.id).await?;
    let in_force = usage_metering::in_force(&publications, ask.now).map(|held| held.version);
    let publication = |one: usage_metering::Publication| Publication {
        version: one.version,
        effective_from: one.effective_from,
        published_at: one.published_at,
        published_by: one.published_by,
        withdrawn_at: one.withdrawn_at,
    };
    Ok(Deck {
        object: "deck",
        id: of.id.to_string(),
        name: of.name,
        kind: of.kind.as_str(),
        currency: of.currency.code().to_owned(),
        version_in_force: in_force,
        versions: usage_metering::deck_versions(&ask.tx, of.id).await?.into_iter().map(Version::from).collect(),
        publications: publications.into_iter().map(publication).collect(),
    })
}

async fn find(ask: &Ask) -> ApiResult<usage_metering::RateDeck> {
    usage_metering::deck(&ask.tx, ask.id("deck_id")?).await?.ok_or_else(Problem::not_found)
}

async fn decks(ask: &Ask, _: Nothing) -> ApiResult<List<Deck>> {
    let mut all = Vec::new();
    for deck in usage_metering::decks(&ask.tx).await? {
        all.push(shown(ask, deck).await?);
    }
    Ok(List::whole(all))
}

async fn deck(ask: &Ask, _: Nothing) -> ApiResult<One<Deck>> {
    let deck = find(ask).await?;
    Ok(One(shown(ask, deck).await?))
}

/// A deck to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDeck {
    name: String,
    /// `sell`: what customers pay; `cost`: what a carrier asks; `payout`: what a carrier pays.
    kind: String,
    #[schema(example = "EUR")]
    currency: String,
}

async fn create(ask: &Ask, Given(new): Given<NewDeck>) -> ApiResult<Created<Deck>> {
    let kind = DeckKind::from_word(&new.kind).ok_or_else(|| {
        let words = DeckKind::ALL.map(DeckKind::as_str).join(", ");
        Problem::invalid("/kind", "unknown_word", format!("must be one of: {words}")).with_value(&new.kind)
    })?;
    let currency: Currency = new.currency.parse().map_err(|_| {
        Problem::invalid("/currency", "must_be_currency", "must be an ISO 4217 code").with_value(&new.currency)
    })?;
    let made = usage_metering::create_deck(&ask.tx, &new.name, kind, currency, ask.now).await;
    let id = made.map_err(|error| match error {
        UsageError::DeckNameMustBeShort(_) => Problem::invalid("/name", "must_be_short", error.to_string()),
        UsageError::DeckNameMustBeFree(_) => Problem::invalid("/name", "must_be_free", error.to_string()),
        other => other.into(),
    })?;
    let deck = usage_metering::deck(&ask.tx, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Created(shown(ask, deck).await?))
}

/// What was taken.
#[derive(Serialize, ToSchema)]
struct Imported {
    #[schema(example = "deck_version")]
    object: &'static str,
    deck: String,
    version: u32,
    prefixes: u64,
    /// Lines that said the same as one before.
    repeated: u64,
    /// False when the deck had this content already.
    is_new: bool,
}

impl Shown for Imported {}

async fn import(ask: &Ask, Csv(text): Csv) -> ApiResult<Created<Imported>> {
    let deck = find(ask).await?;
    // In a transaction of its own, which can COPY; what is imported twice is one version.
    let (db, book, actor) = (&ask.app.db, ask.client.tenant_id, ask.actor());
    match usage_metering::import_deck(db, book, deck.id, "API", &text, &actor, ask.now).await? {
        DeckImport::Refused(faults) => Err(refused(&faults)),
        DeckImport::Taken { version, is_new, repeated } => Ok(Created(Imported {
            object: "deck_version",
            deck: deck.id.to_string(),
            version: version.version,
            prefixes: version.prefixes,
            repeated,
            is_new,
        })),
    }
}

/// Every line that is named, by its number and field.
fn refused(faults: &DeckFaults) -> Problem {
    let field = |fault: &usage_metering::DeckFault| FieldProblem {
        pointer: format!("/{}/{}", fault.line, fault.field),
        code: "line_refused".to_owned(),
        detail: fault.rule.clone(),
        value: Some(fault.value.clone()),
    };
    let mut problem =
        Problem::invalid("", "line_refused", format!("{} lines are wrong; nothing was stored", faults.count));
    problem.fields = faults.named.iter().map(field).collect();
    problem
}

/// A prefix.
#[derive(Serialize, ToSchema)]
#[schema(as = DeckRow)]
struct Row {
    prefix: String,
    destination: String,
    /// Per minute, at the beginning of a call.
    rate: Number,
    /// Where a rate by the second does not say all.
    #[schema(value_type = Option<Object>)]
    tariff: Option<serde_json::Value>,
}

impl Shown for Row {}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RowsAsked {
    /// The one in force when left out.
    #[param(value_type = Option<u32>)]
    version: Option<Text<u32>>,
    /// Begins with this prefix, by the order of their digits.
    from_prefix: Option<String>,
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
    /// The `next` of the page before.
    starting_after: Option<String>,
}

async fn version_asked(ask: &Ask, id: DeckId, asked: Option<Text<u32>>) -> ApiResult<Option<u32>> {
    match asked {
        Some(version) => Ok(Some(version.0)),
        None => Ok(usage_metering::version_in_force(&ask.tx, id, ask.now).await?),
    }
}

async fn rows(ask: &Ask, Asked(asked): Asked<RowsAsked>) -> ApiResult<List<Row>> {
    let deck = find(ask).await?;
    let Some(version) = version_asked(ask, deck.id, asked.version).await? else { return Ok(List::whole(Vec::new())) };
    let limit = list::limit(asked.limit)?;
    let after: Option<String> = list::after(asked.starting_after.as_deref())?;
    // The first prefix that comes after another is that one with a zero behind it; its own digits are at most 15.
    let from = after.map(|after| format!("{after}0")).or(asked.from_prefix).unwrap_or_default();
    let rows = usage_metering::deck_rows(&ask.tx, deck.id, version, &from, limit + 1).await?;
    let row = |row: usage_metering::DeckRow| {
        let tariff = row.tariff.as_deref().map(serde_json::to_value).transpose().map_err(Problem::failed)?;
        Ok(Row { prefix: row.prefix.into(), destination: row.destination.into(), rate: Number(row.rate), tariff })
    };
    let rows = rows.into_iter().map(row).collect::<ApiResult<Vec<_>>>()?;
    let (rows, next) = list::cut(rows, limit, |row: &Row| list::place(&row.prefix));
    Ok(List::page(rows, next))
}

/// A prefix that differs from the version in force.
#[derive(Serialize, ToSchema)]
#[schema(as = DeckChange)]
struct Change {
    /// `new`, `gone`, `up`, `down`, `terms` or `redundant`.
    kind: &'static str,
    prefix: String,
    destination: String,
    before: Option<Number>,
    after: Option<Number>,
    percent: Option<Number>,
}

impl Shown for Change {}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ChangesAsked {
    /// The newest when left out.
    #[param(value_type = Option<u32>)]
    version: Option<Text<u32>>,
    /// Only of this kind.
    kind: Option<String>,
    /// 1 to 100; 50 when left out.
    #[param(value_type = Option<u32>)]
    limit: Option<Text<u32>>,
    /// The `next` of the page before.
    starting_after: Option<String>,
}

async fn changes(ask: &Ask, Asked(asked): Asked<ChangesAsked>) -> ApiResult<List<Change>> {
    let deck = find(ask).await?;
    let kind = match &asked.kind {
        Some(word) => Some(DeckChangeKind::from_word(word).ok_or_else(|| {
            let words = DeckChangeKind::ALL.map(DeckChangeKind::as_str).join(", ");
            Problem::invalid("/kind", "unknown_word", format!("must be one of: {words}")).with_value(word)
        })?),
        None => None,
    };
    let version = match asked.version {
        Some(version) => Some(version.0),
        None => usage_metering::deck_versions(&ask.tx, deck.id).await?.first().map(|newest| newest.version),
    };
    let Some(version) = version else { return Ok(List::whole(Vec::new())) };
    let after = usage_metering::deck_table(&ask.tx, deck.id, version).await?;
    let publications = usage_metering::publications(&ask.tx, deck.id).await?;
    let before = match usage_metering::replaced_by(&publications, version, ask.now) {
        Some(held) => Some(usage_metering::deck_table(&ask.tx, deck.id, held.version).await?),
        None => None,
    };
    let diff = usage_metering::deck_diff(before.as_deref(), &after);
    let limit = list::limit(asked.limit)?;
    let skipped: u64 = list::after(asked.starting_after.as_deref())?.unwrap_or(0);
    let chosen = diff.changes.iter().filter(|change| kind.is_none_or(|kind| change.kind == kind));
    let page = chosen.skip(usize::try_from(skipped).unwrap_or(usize::MAX)).take(limit as usize + 1);
    let change = |change: &usage_metering::DeckChange| Change {
        kind: change.kind.as_str(),
        prefix: change.prefix.clone(),
        destination: change.destination.clone(),
        before: change.before.map(Number),
        after: change.after.map(Number),
        percent: change.percent.map(Number),
    };
    let (rows, next) = list::cut(page.map(change).collect(), limit, |_| list::place(skipped + limit));
    Ok(List::page(rows, next))
}

/// A prefix whose calls would lose money.
#[derive(Serialize, ToSchema)]
#[schema(as = DeckLoss)]
struct Loss {
    prefix: String,
    destination: String,
    /// Per minute, tax included.
    sell: Number,
    /// Per minute.
    cost: Number,
}

impl Shown for Loss {}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LossesAsked {
    /// The one in force when left out.
    #[param(value_type = Option<u32>)]
    version: Option<Text<u32>>,
    /// The cost deck, in the version in force.
    #[param(value_type = String)]
    against: Option<Text<DeckId>>,
}

/// The hundred largest losses.
async fn losses(ask: &Ask, Asked(asked): Asked<LossesAsked>) -> ApiResult<List<Loss>> {
    let deck = find(ask).await?;
    let against = asked.against.ok_or_else(|| Problem::invalid("/against", "missing", "this parameter is missing"))?;
    let cost = usage_metering::deck(&ask.tx, against.0).await?.ok_or_else(Problem::not_found)?;
    if cost.currency != deck.currency {
        let rule = "must be in the deck's currency";
        return Err(Problem::invalid("/against", "must_match_currency", rule).with_value(cost.currency.code()));
    }
    let versions = (
        version_asked(ask, deck.id, asked.version).await?,
        usage_metering::version_in_force(&ask.tx, cost.id, ask.now).await?,
    );
    let (Some(version), Some(asked)) = versions else { return Ok(List::whole(Vec::new())) };
    let sell = usage_metering::deck_table(&ask.tx, deck.id, version).await?;
    let cost = usage_metering::deck_table(&ask.tx, cost.id, asked).await?;
    let tax = tenant::organisation(&ask.tx).await?.tax_percent;
    let tax = rust_decimal::Decimal::ONE + tax / rust_decimal::Decimal::ONE_HUNDRED;
    let (losses, _) = usage_metering::deck_losses(&sell, &cost, |gross| gross / tax);
    let loss = |loss: usage_metering::DeckLoss| Loss {
        prefix: loss.prefix,
        destination: loss.destination,
        sell: Number(loss.sell),
        cost: Number(loss.cost),
    };
    Ok(List::whole(losses.into_iter().take(100).map(loss).collect()))
}

/// From when on a version holds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPublication {
    version: u32,
    /// At once when left out.
    effective_from: Option<DateTime<Utc>>,
}

async fn publish(ask: &Ask, Given(new): Given<NewPublication>) -> ApiResult<Created<Deck>> {
    let deck = find(ask).await?;
    let (from, by) = (new.effective_from.unwrap_or(ask.now), ask.actor());
    let published = usage_metering::publish_deck(&ask.tx, deck.id, new.version, from, &by, ask.now).await;
    published.map_err(|error| match error {
        UsageError::DeckVersionMustExist(_) => {
            Problem::invalid("/version", "unknown_version", error.to_string()).with_value(new.version.to_string())
        }
        UsageError::DeckMustBeginLater(_) => {
            Problem::invalid("/effective_from", "must_not_be_past", error.to_string()).with_value(from.to_rfc3339())
        }
        other => other.into(),
    })?;
    Ok(Created(shown(ask, deck).await?))
}

async fn withdraw(ask: &Ask, _: Nothing) -> ApiResult<One<Deck>> {
    let deck = find(ask).await?;
    usage_metering::withdraw_last_publication(&ask.tx, deck.id, ask.now).await?;
    shown(ask, deck).await.map(One)
}
