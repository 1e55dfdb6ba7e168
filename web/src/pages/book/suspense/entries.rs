//! What waits for one cause, entry by entry.

use crate::extract::Member;
use crate::format;
use crate::views::table::{Cell, Column, Empty, Table};
use usage_metering::{Suspended, UsageEvent};

pub(super) fn table(member: &Member, entries: &[Suspended]) -> Table {
    let columns = vec![
        Column::text("Event"),
        Column::text("What is wrong").full(),
        Column::text("Meter").hidden(),
        Column::figures("Quantity").label("Quantity"),
        Column::text("Came in"),
    ];
    let mut table =
        Table::new("What waits", columns, Empty::new("check", "Nothing waits", "This cause has no events now."));
    for entry in entries {
        let event: Option<UsageEvent> = serde_json::from_value(entry.payload.clone()).ok();
        let (id, source, meter, quantity) = match event {
            Some(event) => (event.id, event.source, event.meter, format::quantity(event.quantity)),
            None => {
                let record = &entry.payload["call_record"];
                let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
                match text(&record["id"]) {
                    Some(id) => {
                        let source = text(&entry.payload["source"]).unwrap_or_default();
                        (id, source, "A recorded call".to_owned(), String::new())
                    }
                    None => ("No usage event".to_owned(), String::new(), String::new(), String::new()),
                }
            }
        };
        table.row(vec![
            Cell::name(id).sub(source),
            Cell::text(&entry.detail),
            Cell::text(meter),
            if quantity.is_empty() { Cell::none() } else { Cell::figure(quantity) },
            Cell::text(format::stamp(entry.received_at, &member.zone).text),
        ]);
    }
    table
}
