//! What is asked of a subscription, since it began: plan, seats, add-ons, pause, end; undone until it is billed.

use super::estimates::Newest;
use super::list::{self, At, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, delete, get, post};
use super::shapes;
use super::subscriptions::{find, named};
use chrono::{DateTime, Utc};
use db::{ChangeId, PlanVersionId, SubscriptionId};
use serde::{Deserialize, Serialize};
use subscription::{Change, ChangeKind, When};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Subscriptions;
    vec![
        get(
            "/v1/subscriptions/{subscription_id}/changes",
            group,
            "List what was asked of it, the newest first",
            changes,
        ),
        post(
            "/v1/subscriptions/{subscription_id}/changes",
            group,
            "Change it: plan, seats, add-ons, pause, end",
            change,
        ),
        delete(
            "/v1/subscriptions/{subscription_id}/changes/{change_id}",
            group,
            "Undo a change that is not billed yet",
            undo,
        ),
    ]
}

/// What is asked of a subscription.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewChange)]
pub struct NewChange {
    #[schema(schema_with = shapes::change_kind)]
    kind: ChangeKind,
    /// Of `plan`, `add_on`, `move_add_on` (to another version of one that it has), `remove_add_on`: which version.
    #[schema(value_type = Option<String>)]
    plan_version: Option<PlanVersionId>,
    /// Of `seats`, and of `plan` when they change with it.
    seats: Option<u32>,
    /// Of `cancel`: credit what was billed in advance beyond the end.
    credit: Option<bool>,
    /// `now` (when left out), `period_end`, `term_end`, or an instant (RFC 3339) that does not lie in the past.
    when: Option<String>,
}

impl NewChange {
    /// What is asked, and when it takes effect.
    pub fn read(&self) -> ApiResult<(Change, When)> {
        let version = || self.plan_version.ok_or_else(|| missing("/plan_version"));
        let change = match self.kind {
            ChangeKind::Plan => Change::Plan { version: version()?, seats: self.seats },
            ChangeKind::Seats => Change::Seats(self.seats.ok_or_else(|| missing("/seats"))?),
            ChangeKind::AddOn => Change::AddOn { version: version()? },
            ChangeKind::MoveAddOn => Change::MoveAddOn { version: version()? },
            ChangeKind::RemoveAddOn => Change::RemoveAddOn { version: version()? },
            ChangeKind::Pause => Change::Pause,
            ChangeKind::Resume => Change::Resume,
            ChangeKind::Cancel => Change::Cancel { credit: self.credit.unwrap_or(false) },
            ChangeKind::Reactivate => Change::Reactivate,
            ChangeKind::EndTrial => Change::EndTrial,
            ChangeKind::FreeAddOn => {
                let rule = "is given by a loyalty rule and cannot be asked for";
                return Err(Problem::invalid("/kind", "unknown_word", rule).with_value(self.kind.as_str()));
            }
        };
        use ChangeKind as K;
        let names_version = matches!(self.kind, K::Plan | K::AddOn | K::MoveAddOn | K::RemoveAddOn);
        must_fit("/plan_version", self.plan_version.is_none() || names_version)?;
        must_fit("/seats", self.seats.is_none() || matches!(self.kind, K::Seats | K::Plan))?;
        must_fit("/credit", self.credit.is_none() || self.kind == K::Cancel)?;
        Ok((change, self.when()?))
    }

    fn when(&self) -> ApiResult<When> {
        self.when.as_deref().map_or(Ok(When::Now), when_of)
    }
}

/// `now`, `period_end`, `term_end`, or an instant.
pub fn when_of(word: &str) -> ApiResult<When> {
    Ok(match word {
        "now" => When::Now,
        "period_end" => When::PeriodEnd,
        "term_end" => When::TermEnd,
        instant => When::At(instant.parse().map_err(|_| {
            let rule = "must be now, period_end, term_end or an instant";
            Problem::invalid("/when", "unknown_word", rule).with_value(instant)
        })?),
    })
}

fn missing(pointer: &str) -> Problem {
    Problem::invalid(pointer, "missing", "this field is missing")
}

/// Refuses a field that has no meaning beside the others.
pub fn must_fit(pointer: &str, fits: bool) -> ApiResult<()> {
    if fits { Ok(()) } else { Err(Problem::invalid(pointer, "must_be_absent", "must be left out here")) }
}

/// A change as it was asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
pub struct ShownChange {
    #[schema(example = "change")]
    object: &'static str,
    id: String,
    subscription: String,
    #[schema(schema_with = shapes::change_kind)]
    kind: &'static str,
    plan_version: Option<String>,
    seats: Option<u32>,
    credit: Option<bool>,
    /// When it takes, or took, effect.
    at: DateTime<Utc>,
    asked_at: DateTime<Utc>,
    asked_by: String,
    /// From here on it can no longer be undone.
    billed_at: Option<DateTime<Utc>>,
    undone_at: Option<DateTime<Utc>>,
    undone_by: Option<String>,
}

impl Shown for ShownChange {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl From<subscription::Asked> for ShownChange {
    fn from(of: subscription::Asked) -> Self {
        Self {
            object: "change",
            id: of.id.to_string(),
            subscription: of.subscription_id.to_string(),
            kind: of.change.kind().as_str(),
            plan_version: of.change.version().map(|version| version.to_string()),
            seats: match of.change {
                Change::Plan { seats, .. } => seats,
                Change::Seats(seats) => Some(seats),
                _ => None,
            },
            credit: match of.change {
                Change::Cancel { credit } => Some(credit),
                _ => None,
            },
            at: of.at,
            asked_at: of.asked_at,
            asked_by: of.asked_by,
            billed_at: of.billed_at,
            undone_at: of.undone_at,
            undone_by: of.undone_by,
        }
    }
}

async fn changes(ask: &Ask, Asked(page): Asked<Newest>) -> ApiResult<List<ShownChange>> {
    let id = ask.id("subscription_id")?;
    find(ask, id).await?;
    let limit = list::limit(page.limit)?;
    let after = list::after::<At<ChangeId>>(page.starting_after.as_deref())?;
    let mut asked = subscription::changes_of(&ask.tx, id).await?;
    asked.retain(|of| after.is_none_or(|At(at, id)| (of.asked_at, of.id) < (at, id)));
    let (asked, next) = list::cut(asked, limit, |last| list::place(At(last.asked_at, last.id)));
    Ok(List::page(asked.into_iter().map(ShownChange::from).collect(), next))
}

async fn change(ask: &Ask, Given(given): Given<NewChange>) -> ApiResult<Created<ShownChange>> {
    let id = ask.id("subscription_id")?;
    find(ask, id).await?;
    let (change, when) = given.read()?;
    let change_id = subscription::change(&ask.tx, id, &change, when, &ask.actor(), ask.now).await.map_err(named)?;
    Ok(Created(asked(ask, id, change_id).await?))
}

async fn undo(ask: &Ask, _: Nothing) -> ApiResult<One<ShownChange>> {
    let (id, change_id) = (ask.id("subscription_id")?, ask.id("change_id")?);
    asked(ask, id, change_id).await?;
    subscription::undo_change(&ask.tx, change_id, &ask.actor(), ask.now).await.map_err(named)?;
    Ok(One(asked(ask, id, change_id).await?))
}

async fn asked(ask: &Ask, id: SubscriptionId, change_id: ChangeId) -> ApiResult<ShownChange> {
    let all = subscription::changes_of(&ask.tx, id).await?;
    all.into_iter().find(|asked| asked.id == change_id).map(ShownChange::from).ok_or_else(Problem::not_found)
}
