//! What wants a person: usage without a price, late invoices, wallets that are nearly empty, customers that a run left out.

use super::words::{customer_names, spoken};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::urls::{Audience, with_query};
use crate::views::parts::Item;
use crate::views::ui::Tone;
use db::{CustomerId, TenantTx};
use invoicing::Run;
use ledger::Wallet;
use money::{Currency, Money};
use payments::{OpenItem, PaymentStatus};
use std::collections::HashMap;
use usage_metering::SuspenseSummary;

/// Late invoices that are named one by one.
const LATE_NAMED: usize = 3;
/// Below this many main units a prepaid wallet is nearly empty.
const LOW_WALLET_UNITS: i64 = 5;

/// Nearly empty wallets that one page lists.
pub const LOW_WALLETS_SHOWN: u64 = 100;

/// A wallet with less available than this is nearly empty.
pub fn low_wallet(currency: Currency) -> Money {
    Money::from_micros(LOW_WALLET_UNITS * money::MICROS_PER_UNIT, currency)
}

/// What wants a person now, the most urgent first.
pub async fn needs(member: &Member, tx: &TenantTx) -> PageResult<Vec<Item>> {
    let mut items = waiting(member, &usage_metering::suspense_summary(tx).await?);
    let late: Vec<OpenItem> = payments::all_open_items(tx, member.now)
        .await?
        .into_iter()
        .filter(|item| item.status == PaymentStatus::Overdue)
        .collect();
    let names = customer_names(tx, late.iter().take(LATE_NAMED).map(|item| item.customer_id)).await?;
    items.extend(overdue(member.audience, &late, &names));
    let below = low_wallet(member.session.organisation.currency);
    let low = ledger::wallets_below(tx, below, LOW_WALLETS_SHOWN).await?;
    let names = customer_names(tx, low.iter().take(1).map(|wallet| wallet.customer_id)).await?;
    items.extend(nearly_empty(member.audience, &low, &names, below));
    items.extend(invoicing::runs(tx, 1).await?.first().and_then(|run| left_out(member.audience, run)));
    Ok(items)
}

fn waiting(member: &Member, summary: &[SuspenseSummary]) -> Vec<Item> {
    let audience = member.audience;
    let item = |waits: &SuspenseSummary| {
        let count = i64::try_from(waits.waiting).unwrap_or(i64::MAX);
        let title = format!("{} without a price", format::counted(count, "event", "events"));
        // What has waited for a day says so.
        let since = match super::suspense::is_too_old(waits.oldest_at, member.now) {
            true => format!(", since {}", format::stamp(waits.oldest_at, &member.zone).text),
            false => String::new(),
        };
        let note = format!("{}{since}", spoken(waits.cause.as_str()));
        // Whatever waits has its page, calls and events alike.
        let item = Item::new("alert-circle", Tone::Wrong, title).note(note);
        item.action("Decide", audience.suspense_of(waits.cause.as_str()))
    };
    summary.iter().map(item).collect()
}

fn overdue(audience: Audience, late: &[OpenItem], names: &HashMap<CustomerId, String>) -> Vec<Item> {
    let item = |late: &OpenItem| {
        let name = names.get(&late.customer_id).map_or("A customer", String::as_str);
        let days = format::counted(i64::from(late.days_overdue), "day", "days");
        Item::new("clock-exclamation", Tone::Soon, format!("{} is {days} late", late.number))
            .note(format!("{name} owes {}", late.open.human()))
            .action("Open", audience.invoice(late.document_id))
    };
    let mut items: Vec<Item> = late.iter().take(LATE_NAMED).map(item).collect();
    if late.len() > LATE_NAMED {
        let more = format!("{} more late", format::counted((late.len() - LATE_NAMED) as i64, "invoice", "invoices"));
        items.push(
            Item::new("clock-exclamation", Tone::Soon, more)
                .action("All", with_query(&audience.invoices(), &[("state", "late")])),
        );
    }
    items
}

fn nearly_empty(audience: Audience, low: &[Wallet], names: &HashMap<CustomerId, String>, below: Money) -> Option<Item> {
    let first = low.first()?;
    let item = match low {
        [one] => {
            let name = names.get(&one.customer_id).map_or("A customer", String::as_str);
            let left = one.available().map(|left| left.human_balance()).unwrap_or_default();
            Item::new("wallet", Tone::Soon, format!("{name} has {left} left"))
                .action("Open", audience.customer(first.customer_id))
        }
        _ => Item::new("wallet", Tone::Soon, format!("{} wallets are below {}", low.len(), below.human()))
            .note("Their next call may be refused")
            .action("Look", with_query(&audience.customers(), &[("wallet", "low")])),
    };
    Some(item)
}

fn left_out(audience: Audience, run: &Run) -> Option<Item> {
    let failed = i64::try_from(run.counts.failed).ok().filter(|failed| *failed > 0)?;
    let title = format!("{} could not be billed", format::counted(failed, "customer", "customers"));
    Some(
        Item::new("file-alert", Tone::Wrong, title)
            .note("Each has its reason and what to do")
            .action("Open", audience.run(run.id)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::DocumentId;

    #[test]
    fn three_late_invoices_are_named_and_the_rest_is_counted() {
        let eur = |text: &str| Money::parse(text, Currency::EUR).unwrap();
        let late = |number: &str| OpenItem {
            document_id: DocumentId::new(),
            customer_id: CustomerId::new(),
            number: number.into(),
            issued_on: "2026-10-01".parse().unwrap(),
            due_on: "2026-10-15".parse().unwrap(),
            due: eur("119"),
            paid: eur("0"),
            open: eur("119"),
            status: PaymentStatus::Overdue,
            days_overdue: 6,
        };
        let items = overdue(Audience::Tenant, &["A-1", "A-2", "A-3", "A-4", "A-5"].map(late), &HashMap::new());
        let titles: Vec<_> = items.iter().map(|item| item.title.as_str()).collect();
        assert_eq!(titles, ["A-1 is 6 days late", "A-2 is 6 days late", "A-3 is 6 days late", "2 invoices more late"]);
        assert_eq!(items[0].note, "A customer owes €119.00");
    }
}
