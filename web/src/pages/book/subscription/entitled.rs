//! What a customer may use now: each feature with its limit, what is used of it and what is left, and the seats.

use crate::entitled::with_usage;
use crate::error::PageResult;
use crate::format;
use crate::pages::book::words;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Tone;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx};
use money::Decimal;
use subscription::{Entitled, Entitlements};

/// The entitlements of a customer, with what its meters have counted; no row where it is entitled to nothing.
pub async fn entitled(tx: &TenantTx, customer_id: CustomerId, now: DateTime<Utc>) -> PageResult<Table> {
    let all = subscription::entitlements(tx, customer_id, now).await?;
    Ok(table(&with_usage(tx, customer_id, all).await?))
}

fn table(all: &Entitlements) -> Table {
    let columns = vec![
        Column::text("May use"),
        Column::figures("Limit").label("Limit"),
        Column::figures("Used").label("Used"),
        Column::figures("Remaining").label("Remaining"),
    ];
    let empty = Empty::new("key", "Nothing beside its calls", "Plans and add-ons grant features; they show here.");
    let mut table = Table::new("What may be used", columns, empty).dense();
    if all.seats.limit.is_some() || all.seats.assigned > 0 {
        let assigned = Decimal::from(all.seats.assigned);
        let remaining = all.seats.limit.map(|limit| (Decimal::from(limit) - assigned).max(Decimal::ZERO));
        let name =
            if all.seats.sells_more { Cell::name("Seats").sub("more are sold as well") } else { Cell::name("Seats") };
        let mut row = cells(name, all.seats.limit.map(Decimal::from), Some(assigned), remaining);
        if all.seats.sells_more
            && let Some(left) = row.last_mut()
        {
            // Nothing is used up where more is sold.
            *left = Cell::text("no limit").class("quiet");
        }
        table.row(row);
    }
    for (feature, Entitled { granted_by, limit, used, remaining, .. }) in &all.features {
        let (name, granted_by) = (words::feature(feature), granted_by.join(", "));
        let cell = Cell::name(&name);
        let cell = if granted_by == name { cell } else { cell.sub(granted_by) };
        table.row(cells(cell, *limit, *used, *remaining));
    }
    table
}

fn cells(name: Cell, limit: Option<Decimal>, used: Option<Decimal>, remaining: Option<Decimal>) -> Vec<Cell> {
    let figure = |value: Option<Decimal>| {
        value.map_or_else(Cell::none, |value| Cell::figure(format::quantity(value.round_dp(2))))
    };
    let left = match remaining {
        Some(left) if left.is_zero() => Cell::badge("used up", Tone::Soon),
        left => figure(left),
    };
    let limit =
        limit.map_or_else(|| Cell::text("no limit").class("quiet"), |limit| Cell::figure(format::quantity(limit)));
    vec![name, limit, figure(used), left]
}
