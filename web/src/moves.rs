//! Subscribers of one version move to another of the same plan: many in one go, each with what it changes. The page and the API ask
//! here, so that both refuse the same and move the same.

use crate::error::{PageError, PageResult};
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanId, SubscriptionId, TenantTx};
use invoicing::DryRunRow;
use std::collections::{HashMap, HashSet};
use subscription::{Asked, Dated, History, PlanVersion, Refusal, When};

/// One request moves as many as these: each is checked against its whole history.
pub const MOVES_MAX: usize = 500;

/// Who moves to which version of the plan, and when.
pub struct Wanted {
    pub plan: PlanId,
    pub to: PlanVersion,
    pub when: When,
    pub subscriptions: Vec<SubscriptionId>,
}

/// What of it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The version itself.
    To,
    When,
    /// Who was chosen, all together.
    Subscriptions,
    /// One of them, by its place in the choice.
    Subscription(usize),
    /// The one after which a preview of everybody goes on.
    After,
}

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub place: Place,
    pub code: &'static str,
    pub rule: String,
    pub value: String,
}

/// A subscriber as a move would leave it.
pub struct Foreseen {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub customer: String,
    /// The version that it has.
    pub version: u32,
    /// `None`: no full period in this currency lies behind it.
    pub priced: Option<DryRunRow>,
    /// When it would move, or what keeps it from moving.
    pub outcome: Result<DateTime<Utc>, Refused>,
}

/// What moves would change: the last full period of each as it was and by the other version, in the order of the choice; of a choice
/// that names nobody, everybody on another version by name, as many as can move at once, from the one behind `after` on. True where
/// more are behind those.
pub async fn preview(
    tx: &TenantTx,
    wanted: &Wanted,
    after: Option<SubscriptionId>,
    now: DateTime<Utc>,
) -> PageResult<Result<(Vec<Foreseen>, bool), Vec<Refused>>> {
    let broken = refused_choice(tx, wanted, now).await?;
    if !broken.is_empty() {
        return Ok(Err(broken));
    }
    let run = invoicing::dry_run(tx, wanted.plan, &wanted.to.terms(), now).await?;
    let mut priced: HashMap<SubscriptionId, DryRunRow> =
        run.rows.into_iter().map(|row| (row.subscription_id, row)).collect();
    let mut known: HashMap<SubscriptionId, _> =
        run.subscribers.into_iter().map(|of| (of.subscription_id, of)).collect();
    let mut ids = wanted.subscriptions.clone();
    let mut has_more = false;
    if ids.is_empty() {
        let mut others: Vec<_> = known.values().collect();
        others.sort_by(|a, b| a.customer.cmp(&b.customer).then_with(|| a.subscription_id.cmp(&b.subscription_id)));
        if let Some(after) = after {
            // Who has moved since is still in its place.
            let Some(place) = others.iter().position(|of| of.subscription_id == after) else {
                let rule = "must be one of an earlier preview";
                return Ok(Err(vec![refused(Place::After, "must_be_subscriber", rule, &after.to_string())]));
            };
            others.drain(..=place);
        }
        others.retain(|of| of.version != wanted.to.version);
        has_more = others.len() > MOVES_MAX;
        ids = others.into_iter().map(|of| of.subscription_id).take(MOVES_MAX).collect();
    }
    let outcomes = subscription::preview_moves(tx, &ids, wanted.to.id, wanted.when, now).await?;
    let foreseen = outcomes.into_iter().filter_map(|of| {
        let is = known.remove(&of.subscription_id)?;
        Some(Foreseen {
            subscription_id: of.subscription_id,
            customer_id: is.customer_id,
            customer: is.customer,
            version: is.version,
            priced: priced.remove(&of.subscription_id),
            outcome: match of.outcome {
                Ok(after) => Ok(moves_at(&after).unwrap_or(now)),
                Err(refusal) => Err(of_subscription(&wanted.subscriptions, of.subscription_id, &refusal)),
            },
        })
    });
    Ok(Ok((foreseen.collect(), has_more)))
}

/// The instant of the change that is not stored yet.
fn moves_at(after: &History) -> Option<DateTime<Utc>> {
    after.changes.iter().filter(|dated| dated.id.is_none()).map(|dated: &Dated| dated.at).max()
}

/// Moves all of them, or none: then it tells each that was refused.
pub async fn make(
    tx: &TenantTx,
    wanted: &Wanted,
    by: &str,
    now: DateTime<Utc>,
) -> PageResult<Result<Vec<Asked>, Vec<Refused>>> {
    if wanted.subscriptions.is_empty() {
        return Ok(Err(vec![refused(Place::Subscriptions, "must_not_be_empty", "must name at least one", "")]));
    }
    let choice = refused_choice(tx, wanted, now).await?;
    if !choice.is_empty() {
        return Ok(Err(choice));
    }
    let ids = &wanted.subscriptions;
    let moved = subscription::move_customers(tx, ids, wanted.to.id, wanted.when, by, now).await?;
    let (mut made, mut broken) = (Vec::with_capacity(moved.len()), Vec::new());
    for of in moved {
        match of.outcome {
            Ok(id) => made.push(id),
            Err(refusal) => broken.push(of_subscription(ids, of.subscription_id, &refusal)),
        }
    }
    if !broken.is_empty() {
        // In the order of the choice; an instant that is refused for all is told once.
        broken.sort_by_key(|of: &Refused| of.place);
        broken.dedup();
        return Ok(Err(broken));
    }
    Ok(Ok(subscription::changes_by_id(tx, &made).await?))
}

/// The choice itself: a plan that is sold, not too many, nobody twice, and only subscribers of the plan.
async fn refused_choice(tx: &TenantTx, wanted: &Wanted, now: DateTime<Utc>) -> PageResult<Vec<Refused>> {
    let ids = &wanted.subscriptions;
    if ids.len() > MOVES_MAX {
        let rule = format!("must name at most {MOVES_MAX} at once");
        return Ok(vec![refused(Place::Subscriptions, "must_be_few", &rule, &ids.len().to_string())]);
    }
    let plan = subscription::plan(tx, wanted.plan).await?.ok_or(PageError::NotFound)?;
    let on_plan = subscription::subscribers(tx, wanted.plan, now).await?;
    let on_plan: HashSet<SubscriptionId> = on_plan.into_iter().map(|(of, _)| of.id).collect();
    let mut broken = Vec::new();
    if plan.archived_at.is_some() {
        let rule = subscription::Rule::MustNotBeArchived;
        broken.push(refused(Place::To, rule.code(), &rule.to_string(), &plan.code));
    }
    for (index, id) in ids.iter().enumerate() {
        let place = Place::Subscription(index);
        if ids[..index].contains(id) {
            broken.push(refused(place, "must_be_unique", "must not be repeated", &id.to_string()));
        } else if !on_plan.contains(id) {
            let (code, rule) = match subscription::subscription(tx, *id).await? {
                Some(_) => ("must_be_subscriber", "must have this plan now"),
                None => ("must_be_known", "must be a subscription of this book"),
            };
            broken.push(refused(place, code, rule, &id.to_string()));
        }
    }
    Ok(broken)
}

fn of_subscription(ids: &[SubscriptionId], id: SubscriptionId, refusal: &Refusal) -> Refused {
    if refusal.rule == subscription::Rule::MustNotLieInThePast {
        return refused(Place::When, refusal.rule.code(), &refusal.rule.to_string(), &refusal.value);
    }
    let index = ids.iter().position(|known| *known == id);
    let rule = match refusal.rule {
        subscription::Rule::MustDiffer => "must not have this version already".to_owned(),
        ref other => other.to_string(),
    };
    let place = index.map_or(Place::Subscriptions, Place::Subscription);
    refused(place, refusal.rule.code(), &rule, &id.to_string())
}

fn refused(place: Place, code: &'static str, rule: &str, value: &str) -> Refused {
    Refused { place, code, rule: rule.to_owned(), value: value.to_owned() }
}
