//! Numbers in a seller's hands: taken into them, and given to an organisation below from a day on. Whose a number is, is known to
//! the platform alone; on what terms a customer has it, to the seller's book.

use crate::app::App;
use chrono::{DateTime, NaiveDate, Utc};
use db::{CustomerId, NumberId, PlatformReason, PlatformTx, TenantId, TenantTx};
use std::collections::HashMap;
use subscription::{NumberKind, Refusal, Rule, SubscriptionError};
use tenant::{Child, Organisation};

/// A number to be taken into a seller's hands.
#[derive(Clone, Debug)]
pub struct NewNumber {
    pub e164: String,
    pub kind: NumberKind,
    /// The first day on which it is the seller's; without one, today.
    pub since: Option<NaiveDate>,
}

/// Who is to have a number, and from which day on.
#[derive(Clone, Copy, Debug)]
pub struct NewAssignment {
    pub number_id: NumberId,
    /// An organisation directly below, as a customer of the book.
    pub customer_id: CustomerId,
    /// Its first instant in the book's time zone; of today, this instant.
    pub from: NaiveDate,
}

fn refuse(field: &str, rule: Rule, value: impl ToString) -> SubscriptionError {
    Refusal { field: field.into(), rule, value: value.to_string() }.into()
}

/// Does a book of this organisation sell numbers? Who has nobody below has nobody to give one to.
pub fn sells(kind: tenant::OrganisationKind) -> bool {
    kind != tenant::OrganisationKind::Tenant
}

/// The number becomes this organisation's from the start of a day on. One that somebody has is refused.
pub async fn add(app: &App, tx: &TenantTx, new: &NewNumber, now: DateTime<Utc>) -> Result<NumberId, SubscriptionError> {
    let book = tenant::organisation(tx).await?;
    let today = pricing::civil_date(now, &book.time_zone)?;
    let since = new.since.unwrap_or(today);
    if since > today {
        return Err(refuse("since", Rule::MustHaveBegun, since));
    }
    let from = pricing::start_of_day(since, &book.time_zone)?;
    let ptx = app.db.platform(PlatformReason::Provision).await?;
    // The row of the number is held from here on: of two who take the same one, the second sees the first.
    let id = subscription::add_number(&ptx, &new.e164, new.kind).await?;
    for at in [from, now] {
        if subscription::number_owner(&ptx, &new.e164, at).await?.is_some() {
            return Err(refuse("e164", Rule::MustBeFree, &new.e164));
        }
    }
    subscription::assign_number(&ptx, id, book.id, from).await.map_err(|error| since_of(error, since))?;
    ptx.commit().await?;
    Ok(id)
}

/// What is refused of an instant is said of the day that it was made of.
fn since_of(error: SubscriptionError, since: NaiveDate) -> SubscriptionError {
    match error.refusal() {
        Some(refusal) if refusal.field == "from" => refuse("since", refusal.rule.clone(), since),
        _ => error,
    }
}

/// Gives a number to an organisation below: its calls are that organisation's from then on, and what they earn is split on the
/// customer's terms until the number gets its own. Whoever had it has it until then. The same once more changes nothing.
pub async fn assign(
    app: &App,
    tx: &TenantTx,
    new: &NewAssignment,
    now: DateTime<Utc>,
) -> Result<(), SubscriptionError> {
    let book = tenant::organisation(tx).await?;
    let is_today = pricing::civil_date(now, &book.time_zone)? == new.from;
    let at = if is_today { now } else { pricing::start_of_day(new.from, &book.time_zone)? };
    let ptx = app.db.platform(PlatformReason::Provision).await?;
    let below = tenant::children_at(&ptx, book.id, now).await?;
    let Some(child) = below.iter().find(|child| child.customer_id == new.customer_id) else {
        return Err(refuse("customer", Rule::MustBeOrganisationBelow, new.customer_id));
    };
    must_be_given_by(&ptx, &book, &below, new, at).await?;
    let has_begun = at >= now;
    if !has_begun && holder(&ptx, new.number_id, at).await? != Some(book.id) {
        return Err(refuse("from", Rule::MustNotLieInThePast, new.from));
    }
    let terms = subscription::number_terms(tx, new.number_id).await?;
    let is_new = terms.is_none_or(|terms| terms.customer_id != new.customer_id);
    // Terms have no date: those of the customer who has it now must stand until it goes.
    if is_new && terms.is_some() && at > now {
        return Err(refuse("from", Rule::MoveMustBeToday, new.from));
    }
    let assigned = subscription::assign_number(&ptx, new.number_id, child.organisation.id, at).await;
    assigned.map_err(|error| match error.refusal() {
        Some(refusal) => refuse("from", refusal.rule.clone(), new.from),
        None => error,
    })?;
    if is_new {
        subscription::follow_customer(tx, new.number_id, new.customer_id, now).await?;
    }
    ptx.commit().await?;
    Ok(())
}

/// Only what is in the seller's own hands then, or in those of somebody directly below, is the seller's to give.
async fn must_be_given_by(
    ptx: &PlatformTx,
    book: &Organisation,
    below: &[Child],
    new: &NewAssignment,
    at: DateTime<Utc>,
) -> Result<(), SubscriptionError> {
    let holder = holder(ptx, new.number_id, at).await?;
    let is_below = |holder: TenantId| below.iter().any(|child| child.organisation.id == holder);
    if holder.is_some_and(|holder| holder == book.id || is_below(holder)) {
        return Ok(());
    }
    // A number of somebody else's is no more there than one that nobody has.
    Err(SubscriptionError::NotFound { kind: "number", id: new.number_id.to_string() })
}

async fn holder(
    ptx: &PlatformTx,
    number_id: NumberId,
    at: DateTime<Utc>,
) -> Result<Option<TenantId>, SubscriptionError> {
    let numbers = subscription::all_numbers(ptx, at).await?;
    Ok(numbers.into_iter().find(|(id, ..)| *id == number_id).and_then(|(.., holder)| holder))
}

/// What each number is called. Only the platform knows: a book shows of it what it has terms for.
pub async fn known(
    app: &App,
    now: DateTime<Utc>,
) -> Result<HashMap<NumberId, (String, NumberKind)>, SubscriptionError> {
    let ptx = app.db.platform(PlatformReason::WalkTheTree).await?;
    let numbers = subscription::all_numbers(&ptx, now).await?;
    ptx.commit().await?;
    Ok(numbers.into_iter().map(|(id, e164, kind, _)| (id, (e164, kind))).collect())
}

/// The organisations that a number can be given to, by name.
pub async fn below(app: &App, tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Child>, SubscriptionError> {
    let ptx = app.db.platform(PlatformReason::WalkTheTree).await?;
    let below = tenant::children_at(&ptx, tx.tenant_id(), now).await?;
    ptx.commit().await?;
    Ok(below)
}
