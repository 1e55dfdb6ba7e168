//! Who would pay more and who less: the quantities that each subscriber was billed for last, priced by the version it has and
//! by the new one, with the arithmetic of bills. Nothing is posted.

use super::plan_edit::change_badge;
use super::words::{customer_names, period};
use crate::error::PageResult;
use crate::format;
use crate::urls::Audience;
use crate::views::table::{Cell, Column, Empty, Table};
use chrono::{DateTime, NaiveDate, Utc};
use db::{PlanId, TenantTx};
use invoicing::{DocumentFilter, LineGroup, sample_month};
use money::{Decimal, Money};
use std::collections::{BTreeMap, HashMap};
use subscription::{ComponentKind, NewPlanVersion, PlanVersion, Subscription};

/// No more subscribers than these are tried; the page says so.
const TRIED_MAX: usize = 300;
/// Documents of a customer that are looked at for its last full month.
const DOCUMENTS: u64 = 4;
/// A change beyond this, in percent, wants a second look.
const FAR_PERCENT: i64 = 30;

/// One subscriber.
pub struct Row {
    pub subscription: Subscription,
    pub customer: String,
    pub version: u32,
    /// The days that were billed; `None`: nothing was billed yet.
    pub billed: Option<(NaiveDate, NaiveDate)>,
    pub before: Option<Money>,
    pub after: Option<Money>,
}

/// All of them.
pub struct Tried {
    pub rows: Vec<Row>,
    pub left_out: usize,
}

impl Row {
    pub fn difference(&self) -> Option<i64> {
        Some(self.after?.micros() - self.before?.micros())
    }

    /// Beyond 30% up or down; from nothing to something is far, too.
    pub fn is_far(&self) -> bool {
        let (Some(difference), Some(before)) = (self.difference(), self.before) else { return false };
        i128::from(difference.abs()) * 100 > i128::from(before.micros().abs()) * i128::from(FAR_PERCENT)
    }

    pub fn percent(&self) -> Option<String> {
        format::change(self.after?.micros(), self.before?.micros())
    }
}

impl Tried {
    pub fn note(&self) -> String {
        let mut note =
            "The quantities billed last, priced again by both versions: a whole month, coupons and loyalty left out, \
                        tax excluded. Nothing is posted."
                .to_owned();
        if self.left_out > 0 {
            note += &format!(" {} more are not shown.", format::count(self.left_out as i64));
        }
        note
    }
}

/// Subscribers of a plan, by name, each with its version.
pub async fn subscribers(
    tx: &TenantTx,
    plan: PlanId,
    now: DateTime<Utc>,
) -> PageResult<Vec<(Subscription, PlanVersion, String)>> {
    let versions = subscription::versions_of(tx, plan).await?;
    let active = subscription::all_active(tx, now).await?;
    let on = subscription::plan_versions_at(tx, &active, now).await?;
    let mut found = Vec::new();
    for subscription in active {
        let version = on.get(&subscription.id).and_then(|id| versions.iter().find(|version| version.id == *id));
        found.extend(version.map(|version| (subscription, version.clone())));
    }
    let names = customer_names(tx, found.iter().map(|(subscription, _)| subscription.customer_id)).await?;
    let mut named: Vec<_> = found
        .into_iter()
        .map(|(subscription, version)| {
            let name = names.get(&subscription.customer_id).cloned().unwrap_or_default();
            (subscription, version, name)
        })
        .collect();
    named.sort_by(|a, b| a.2.cmp(&b.2));
    Ok(named)
}

/// Everybody's last billed quantities through new terms.
pub async fn on_last_billed(
    tx: &TenantTx,
    plan: PlanId,
    new: &NewPlanVersion,
    now: DateTime<Utc>,
) -> PageResult<Tried> {
    let subscribers = subscribers(tx, plan, now).await?;
    let left_out = subscribers.len().saturating_sub(TRIED_MAX);
    let mut rows = Vec::new();
    for (subscription, version, customer) in subscribers.into_iter().take(TRIED_MAX) {
        let billed = last_billed(tx, &subscription, &version).await?;
        let comparable = version.currency == new.currency;
        let (before, after) = match &billed {
            Some((_, quantities)) if comparable => {
                (Some(sample_month(&version.terms(), quantities)?.total), Some(sample_month(new, quantities)?.total))
            }
            _ => (None, None),
        };
        let billed = billed.map(|(days, _)| days);
        rows.push(Row { subscription, customer, version: version.version, billed, before, after });
    }
    Ok(Tried { rows, left_out })
}

type Billed = ((NaiveDate, NaiveDate), BTreeMap<String, Decimal>);

/// The newest month of which a document charges this subscription, and how much of each component it charged.
async fn last_billed(tx: &TenantTx, of: &Subscription, version: &PlanVersion) -> PageResult<Option<Billed>> {
    let filter = DocumentFilter { customer_id: Some(of.customer_id), limit: DOCUMENTS, ..DocumentFilter::default() };
    let mut months: HashMap<NaiveDate, Billed> = HashMap::new();
    for document in invoicing::documents(tx, &filter).await? {
        let lines = invoicing::document(tx, document.id).await?.groups.into_iter().flat_map(|group| group.lines);
        for line in lines.filter(|line| line.subscription_id == Some(of.id) && counts(line.group)) {
            let Some(key) = line.component_key else { continue };
            let service = line.service;
            let month = months
                .entry(service.starts_on)
                .or_insert_with(|| ((service.starts_on, service.ends_on), BTreeMap::new()));
            let sum = month.1.entry(key.clone()).or_insert(Decimal::ZERO);
            // Parts of a month add up where things flow, and overlap where they last.
            *sum = if flows(version, &key) { *sum + line.quantity } else { (*sum).max(line.quantity) };
        }
    }
    Ok(months.into_values().max_by_key(|((from, _), _)| *from))
}

fn counts(group: LineGroup) -> bool {
    matches!(group, LineGroup::Usage | LineGroup::Hours | LineGroup::Seats | LineGroup::Channels)
}

fn flows(version: &PlanVersion, key: &str) -> bool {
    let kind = version.components.iter().find(|component| component.key == key).map(|component| component.kind);
    matches!(kind, Some(ComponentKind::Usage | ComponentKind::Hours))
}

/// One row for each subscriber, the widest change first.
pub fn table(audience: Audience, tried: &Tried) -> Table {
    let columns = vec![
        Column::text("Customer"),
        Column::text("Billed last").hidden(),
        Column::figures("Now").label("Now"),
        Column::figures("New").label("New"),
        Column::figures("Difference").label("Difference"),
        Column::figures("Change"),
    ];
    let empty = Empty::new("repeat", "Nobody has it", "Its subscribers show here with what they would have paid.");
    let mut table = Table::new("What it would have done", columns, empty);
    let mut rows: Vec<&Row> = tried.rows.iter().collect();
    rows.sort_by_key(|row| -row.difference().unwrap_or_default().abs());
    for row in rows {
        let amount = |money: Option<Money>| {
            money.map_or_else(|| Cell::text("not billed yet").class("quiet"), |money| Cell::figure(money.human()))
        };
        let difference =
            row.difference().zip(row.before).map(|(micros, before)| Money::from_micros(micros, before.currency()));
        let badge = row.percent().map(|percent| change_badge(&percent, row.is_far()));
        table.row(vec![
            Cell::name(&row.customer)
                .to(audience.customer(row.subscription.customer_id))
                .sub(format!("version {}", row.version)),
            Cell::text(row.billed.map(|(from, until)| period(from, until)).unwrap_or_default()),
            amount(row.before),
            amount(row.after),
            difference.map_or_else(Cell::none, |money| Cell::figure(money.human_signed())),
            badge.map_or_else(Cell::none, |badge| Cell::none().with(badge)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::SubscriptionId;
    use money::Currency;

    fn row(before: &str, after: &str) -> Row {
        let eur = |text: &str| Money::parse(text, Currency::EUR).ok();
        let at = DateTime::from_timestamp(0, 0).unwrap();
        let subscription = Subscription {
            id: SubscriptionId::new(),
            customer_id: db::CustomerId::new(),
            first_plan_version_id: db::PlanVersionId::new(),
            first_seats: 1,
            anchor_on: at.date_naive(),
            time_zone: "Europe/Berlin".into(),
            started_at: at,
            trial_ends_at: None,
            cancelled_at: None,
            ended_by: None,
            past_due_since: None,
            trial_end: None,
        };
        Row { subscription, customer: String::new(), version: 1, billed: None, before: eur(before), after: eur(after) }
    }

    #[test]
    fn a_bill_that_moves_by_more_than_thirty_percent_is_far() {
        for (before, after, is_far) in [
            ("100", "130", false),
            ("100", "130.01", true),
            ("100", "70", false),
            ("100", "69.99", true),
            ("0", "1", true),
            ("0", "0", false),
        ] {
            assert_eq!(row(before, after).is_far(), is_far, "{before} to {after}");
        }
    }
}
