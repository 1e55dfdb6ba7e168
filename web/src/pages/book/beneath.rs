//! What lies beneath a line of an invoice: calls one by one where they are this book's, else usage by day, work or agent.

use super::foot;
use super::words::{agent_names, spoken};
use crate::error::PageResult;
use crate::format;
use crate::urls::{Audience, with_query};
use crate::views::invoices::LineCalls;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::Link;
use call_control::{CallPage, ChargedBy};
use chrono::{DateTime, TimeDelta, Utc};
use db::{AgentId, CustomerId, TenantTx};
use invoicing::{Line, LineSource};
use jiff::tz::TimeZone;
use money::{Decimal, Money};
use std::collections::{BTreeMap, HashMap};
use usage_metering::DimensionSum;

/// Calls that open in place; the rest is behind a link.
const CALLS_SHOWN: u64 = 50;

/// The dimension that tells who charged a call.
const CHARGED_BY: &str = "charged_by";

/// True when a line opens.
pub fn opens(line: &Line) -> bool {
    match &line.source {
        LineSource::None => false,
        LineSource::Seats { measure, .. } => measure != "assigned",
        LineSource::TariffCalls { .. } | LineSource::Usage { .. } => true,
    }
}

/// Whose line it is, as its reader stands to it.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub audience: Audience,
    /// The reader's own book, which knows the names of agents.
    pub own: &'a TenantTx,
    /// True where the document is of the reader's book; false where it is a bill that the reader got.
    pub is_seller: bool,
    pub zone: &'a TimeZone,
}

/// Reads what a line sums; `tx` is of the book that issued it.
pub async fn beneath(tx: &TenantTx, reader: Reader<'_>, customer_id: CustomerId, line: &Line) -> PageResult<LineCalls> {
    let Reader { audience, zone, .. } = reader;
    match &line.source {
        LineSource::TariffCalls { topic_id, from, to } => {
            let of = call_control::Line::TariffCalls { topic_id: *topic_id };
            let page = call_control::calls_of_line(tx, customer_id, &of, *from, *to, CALLS_SHOWN).await?;
            let asked = customer_id.to_string();
            calls(audience, &page, line, &asked, (*from, *to), zone)
        }
        LineSource::Usage { subscription_id, component_key, meter, filter, from, to } => {
            let is_of_calls = matches!(meter.as_str(), "calls" | "minutes" | "charge");
            if audience == Audience::Tenant && reader.is_seller && is_of_calls {
                let of =
                    call_control::Line::Component { subscription_id: *subscription_id, key: component_key.clone() };
                let page = call_control::calls_of_line(tx, customer_id, &of, *from, *to, CALLS_SHOWN).await?;
                return calls(audience, &page, line, &format!("{subscription_id}:{component_key}"), (*from, *to), zone);
            }
            let dimensions: &[&str] = match meter.as_str() {
                "hours" => &["work"],
                "seat_days" => &["agent"],
                _ => &["number"],
            };
            let asked: Vec<&str> =
                dimensions.iter().copied().chain(filter.keys().map(String::as_str)).chain([CHARGED_BY]).collect();
            let sums = usage_metering::by_dimension(tx, Some(customer_id), meter, &asked, *from, *to).await?;
            let sums = of_component(sums, dimensions, filter, is_of_calls);
            let names = if dimensions == ["agent"] { agent_names(reader.own).await? } else { HashMap::new() };
            // What its seller charges a call centre for are calls of its own, which it can look up.
            let own_calls = (audience == Audience::Tenant && !reader.is_seller).then(|| {
                let on = |at| format::zoned(at, zone).strftime("%Y-%m-%d").to_string();
                let (from, until) = (on(*from), on(*to - TimeDelta::seconds(1)));
                move |number: &str| with_query(&audience.calls(), &[("q", number), ("from", &from), ("until", &until)])
            });
            Ok(usage(meter, &sums, &names, own_calls))
        }
        LineSource::Seats { measure, from, to, .. } => {
            let meter = if measure == "peak" { "seat_peak" } else { "seat_days" };
            let sums = usage_metering::by_dimension(tx, Some(customer_id), meter, &["agent"], *from, *to).await?;
            Ok(usage(meter, &sums, &agent_names(reader.own).await?, None::<fn(&str) -> String>))
        }
        LineSource::None => Ok(usage("", &[], &HashMap::new(), None::<fn(&str) -> String>)),
    }
}

/// The usage that a component charges, by some dimensions: what passes its filter, and is not charged by a tariff already.
fn of_component(
    sums: Vec<DimensionSum>,
    dimensions: &[&str],
    filter: &BTreeMap<String, String>,
    is_of_calls: bool,
) -> Vec<DimensionSum> {
    let leaves_tariffs = is_of_calls && !filter.contains_key(CHARGED_BY);
    let mut kept: BTreeMap<BTreeMap<String, String>, (Decimal, i64)> = BTreeMap::new();
    for mut sum in sums {
        let passes = filter.iter().all(|(dimension, wanted)| sum.dimensions.get(dimension) == Some(wanted));
        let by_tariff = sum.dimensions.get(CHARGED_BY).is_some_and(|by| by == ChargedBy::Tariff.as_str());
        if !passes || (leaves_tariffs && by_tariff) {
            continue;
        }
        sum.dimensions.retain(|dimension, _| dimensions.contains(&dimension.as_str()));
        let (quantity, events) = kept.entry(sum.dimensions).or_default();
        *quantity += sum.quantity;
        *events += sum.events;
    }
    kept.into_iter().map(|(dimensions, (quantity, events))| DimensionSum { dimensions, quantity, events }).collect()
}

/// The calls one by one. Where each has a charge of its own, the foot leads from their sum to the line's net; where the plan
/// charges them together, there is no charge to show.
fn calls(
    audience: Audience,
    page: &CallPage,
    line: &Line,
    asked: &str,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    zone: &TimeZone,
) -> PageResult<LineCalls> {
    let totals = &page.totals;
    let is_charged = matches!(line.source, LineSource::TariffCalls { .. });
    let mut columns = vec![
        Column::text(format!("Call, {}", zone.iana_name().unwrap_or("UTC"))),
        Column::text("From").hidden(),
        Column::figures("Billed").label("Billed"),
    ];
    if is_charged {
        columns.push(Column::figures(format!("Charge, {}", totals.charge.currency())));
    }
    let empty = Empty::new("phone", "No calls", "Nothing was used in this period.");
    let mut table = Table::new("Calls of this line", columns, empty).dense();
    let cells = |what: Cell, from: Cell, seconds: i64, charge: Money| {
        let mut cells = vec![what, from, Cell::figure(format::talk_time(seconds))];
        if is_charged {
            cells.push(Cell::figure(format::exact(charge)));
        }
        cells
    };
    let nothing = Money::zero(totals.charge.currency());
    let (mut charged, mut billed) = (nothing, 0);
    for call in &page.calls {
        let from = call.caller.as_deref().map_or_else(|| "withheld".to_owned(), format::phone);
        let what = Cell::text(format::short(call.started_at, zone).text).to(audience.call(call.id));
        let (seconds, charge) = (i64::from(call.billed_seconds.unwrap_or_default()), call.charge.unwrap_or(nothing));
        (charged, billed) = (charged.checked_add(charge)?, billed + seconds);
        table.row(cells(what, Cell::text(from).class("tel"), seconds, charge));
    }
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (count, billed_in_all) = (signed(totals.calls), signed(totals.billed_seconds));
    let rest = count - i64::try_from(page.calls.len()).unwrap_or(i64::MAX);
    if rest > 0 {
        let what = Cell::text(format::counted(rest, "more call", "more calls")).class("quiet");
        table.row(cells(what, Cell::none(), billed_in_all - billed, totals.charge.checked_sub(charged)?));
    }
    table.total(cells(Cell::text(format::counted(count, "call", "calls")), Cell::none(), billed_in_all, totals.charge));
    if is_charged {
        for (words, amount) in foot::rows(line, totals.charge)? {
            table.total(vec![Cell::text(words), Cell::none(), Cell::none(), Cell::figure(format::exact(amount))]);
        }
    }
    let day = |at: DateTime<Utc>| format::zoned(at, zone).strftime("%Y-%m-%d").to_string();
    let all = with_query(
        &audience.calls(),
        &[("q", asked), ("from", &day(from)), ("until", &day(to - TimeDelta::seconds(1))), ("outcome", "settled")],
    );
    let more = (rest > 0).then(|| Link::new(format!("All {}", format::counted(count, "call", "calls")), all));
    Ok(LineCalls { table, more })
}

fn usage(
    meter: &str,
    sums: &[DimensionSum],
    agents: &HashMap<AgentId, String>,
    calls_of_number: Option<impl Fn(&str) -> String>,
) -> LineCalls {
    let columns = vec![Column::text("Of"), Column::figures("Events").label("Events"), Column::figures(spoken(meter))];
    let mut table = Table::new(
        "Usage of this line",
        columns,
        Empty::new("activity", "Nothing beneath", "Nothing was used in this period."),
    )
    .dense();
    for sum in sums {
        let name = match sum.dimensions.iter().next() {
            Some((dimension, value)) if dimension == "number" => {
                let cell = Cell::text(format::phone(value));
                calls_of_number.iter().fold(cell, |cell, href| cell.to(href(value)))
            }
            Some((dimension, value)) if dimension == "agent" => Cell::text(
                value.parse().ok().and_then(|id: AgentId| agents.get(&id).cloned()).unwrap_or_else(|| value.clone()),
            ),
            Some((_, value)) => Cell::text(spoken(value)),
            None => Cell::text("All"),
        };
        table.row(vec![
            name,
            Cell::figure(format::count(sum.events)),
            Cell::figure(format::quantity(sum.quantity.round_dp(4))),
        ]);
    }
    let (quantity, events) = sums.iter().fold((Decimal::ZERO, 0), |(q, e), sum| (q + sum.quantity, e + sum.events));
    if sums.len() > 1 {
        table.total(vec![
            Cell::text("All"),
            Cell::figure(format::count(events)),
            Cell::figure(format::quantity(quantity.round_dp(4))),
        ]);
    }
    LineCalls { table, more: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beneath_a_component_lies_what_passes_its_filter_and_no_tariff_has_charged() {
        let sum = |number: &str, by: &str, handled: &str, quantity: i64| DimensionSum {
            dimensions: [("number", number), (CHARGED_BY, by), ("handled_by", handled)]
                .map(|(dimension, value)| (dimension.to_owned(), value.to_owned()))
                .into(),
            quantity: quantity.into(),
            events: 1,
        };
        let sums = vec![
            sum("+49", "component", "overflow", 3),
            sum("+49", "component", "core", 5),
            sum("+49", "tariff", "overflow", 7),
            sum("+353", "component", "overflow", 11),
        ];
        let filter = BTreeMap::from([("handled_by".to_owned(), "overflow".to_owned())]);
        let kept = of_component(sums, &["number"], &filter, true);
        let shown: Vec<_> = kept.iter().map(|sum| (sum.dimensions["number"].as_str(), sum.quantity)).collect();
        assert_eq!(shown, [("+353", 11.into()), ("+49", 3.into())]);
    }
}
