//! Who would pay more and who less: each subscriber's last full period through the terms it has and through others, as invoicing
//! prices it; and who has no full period yet.

use super::plan_edit::change_badge;
use super::words::period;
use crate::error::PageResult;
use crate::format;
use crate::urls::Audience;
use crate::views::table::{Cell, Column, Empty, Table};
use chrono::{DateTime, Utc};
use db::{CustomerId, PlanId, SubscriptionId, TenantTx};
use invoicing::DryRunRow;
use money::Money;
use subscription::NewPlanVersion;

/// As many are shown at once; the page says how many more there are.
pub const SHOWN_MAX: usize = 300;

/// One subscriber.
pub struct Row {
    pub subscription_id: SubscriptionId,
    pub customer_id: CustomerId,
    pub customer: String,
    pub version: u32,
    /// `None`: no full period in this currency lies behind it.
    pub priced: Option<DryRunRow>,
}

/// All of them, the widest change first.
pub struct Tried {
    pub rows: Vec<Row>,
    pub in_other_currency: u64,
}

impl Row {
    pub fn difference(&self) -> Option<Money> {
        self.priced.as_ref().map(|priced| priced.difference)
    }

    /// Beyond 30% up or down; from nothing to something is far, too.
    pub fn is_far(&self) -> bool {
        self.priced.as_ref().is_some_and(DryRunRow::needs_confirmation)
    }

    pub fn percent(&self) -> Option<String> {
        let priced = self.priced.as_ref()?;
        format::change(priced.after.micros(), priced.before.micros())
    }
}

impl Tried {
    /// What the figures are, for whoever reads them.
    pub fn note(&self) -> String {
        let mut note = "Everybody's last full month, priced as it was and by the new version, as an invoice would: \
                        what is charged once is left out, tax excluded. Nothing is posted."
            .to_owned();
        if self.in_other_currency > 0 {
            let whom = format::counted(self.in_other_currency as i64, "customer pays", "customers pay");
            note += &format!(" {whom} in another currency and cannot be moved to it.");
        }
        note
    }

    /// The same, with how many the table below leaves out.
    pub fn note_of_table(&self) -> String {
        let more = self.rows.len().saturating_sub(SHOWN_MAX);
        match more {
            0 => self.note(),
            _ => {
                let more = format::count(more as i64);
                format!("{} The widest {SHOWN_MAX} changes are shown; {more} more are not.", self.note())
            }
        }
    }
}

/// Everybody's last full period through other terms.
pub async fn on_last_period(
    tx: &TenantTx,
    plan: PlanId,
    new: &NewPlanVersion,
    now: DateTime<Utc>,
) -> PageResult<Tried> {
    let run = invoicing::dry_run(tx, plan, new, now).await?;
    let mut rows: Vec<Row> = run
        .subscribers
        .into_iter()
        .map(|on| Row {
            subscription_id: on.subscription_id,
            customer_id: on.customer_id,
            customer: on.customer,
            version: on.version,
            priced: None,
        })
        .collect();
    for priced in run.rows {
        let of = rows.iter_mut().find(|row| row.subscription_id == priced.subscription_id);
        if let Some(row) = of {
            row.priced = Some(priced);
        }
    }
    let width = |row: &Row| row.difference().map_or(-1, |difference| i128::from(difference.micros()).abs());
    rows.sort_by(|a, b| width(b).cmp(&width(a)).then_with(|| a.customer.cmp(&b.customer)));
    Ok(Tried { rows, in_other_currency: run.in_other_currency })
}

/// One row for each subscriber, the widest change first.
pub fn table(audience: Audience, tried: &Tried) -> Table {
    let columns = vec![
        Column::text("Customer"),
        Column::text("Last month").hidden(),
        Column::figures("Now").label("Now"),
        Column::figures("New").label("New"),
        Column::figures("Difference").label("Difference"),
        Column::figures("Change"),
    ];
    let empty = Empty::new("repeat", "Nobody has it", "Its subscribers show here with what they would have paid.");
    let mut table = Table::new("What it would have done", columns, empty);
    for row in tried.rows.iter().take(SHOWN_MAX) {
        let priced = row.priced.as_ref();
        let amount = |of: fn(&DryRunRow) -> Money| {
            priced.map_or_else(
                || Cell::text("no full month yet").class("quiet"),
                |priced| Cell::figure(of(priced).human()),
            )
        };
        let badge = row.percent().map(|percent| change_badge(&percent, row.is_far()));
        table.row(vec![
            Cell::name(&row.customer).to(audience.customer(row.customer_id)).sub(format!("version {}", row.version)),
            Cell::text(priced.map(|priced| period(priced.starts_on, priced.ends_on)).unwrap_or_default()),
            amount(|priced| priced.before),
            amount(|priced| priced.after),
            row.difference().map_or_else(Cell::none, |difference| Cell::figure(difference.human_signed())),
            badge.map_or_else(Cell::none, |badge| Cell::none().with(badge)),
        ]);
    }
    table
}
