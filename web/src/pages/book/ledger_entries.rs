//! Every account of the book, entry by entry: narrowed by account, customer and days, as a page and as a file.

use super::shell;
use super::words::{self, civil_day, customer_names, midnight};
use crate::csv;
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::fields::{Control, Field};
use crate::views::form::Fields;
use crate::views::parts::{Heading, PagePath, Pager, SumRow, Sums};
use crate::views::settlements::LedgerEntries;
use crate::views::table::{Cell, Column, Empty, Table};
use actix_web::{HttpResponse, web};
use chrono::{Datelike, Days, NaiveDate};
use db::{CustomerId, Db, TenantId};
use futures_util::{Stream, stream};
use ledger::{AccountKind, EntryFilter, EntryLine};
use money::Currency;
use serde::Deserialize;
use std::collections::HashMap;

const SHOWN: u64 = 100;
/// Entries of one page of a file.
const ENTRIES_AT_ONCE: u64 = 2_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    account: String,
    customer: String,
    currency: String,
    /// First and last day, both counted in the book's zone.
    from: String,
    until: String,
    after: String,
}

/// What was asked for, as far as it can be read.
struct Read {
    filter: EntryFilter,
    from: NaiveDate,
    until: NaiveDate,
    wrong: [Option<String>; 2],
}

fn read(member: &Member, asked: &Asked) -> PageResult<Read> {
    let organisation = &member.session.organisation;
    let today = civil_day(member.now, &organisation.time_zone)?;
    let mut wrong = [None, None];
    let mut on = |text: &str, usual: NaiveDate, index: usize| match text {
        "" => usual,
        text => crate::read::day(text).unwrap_or_else(|why| {
            wrong[index] = Some(why);
            usual
        }),
    };
    let from = on(&asked.from, today.with_day(1).unwrap_or(today), 0);
    let until = on(&asked.until, today, 1);
    if from > until && wrong.iter().all(Option::is_none) {
        wrong[1] = Some(format!("Must not lie before {from}."));
    }
    let after_last = until.checked_add_days(Days::new(1)).unwrap_or(until);
    let customer_id = match asked.customer.trim() {
        "" => None,
        id => Some(id.parse::<CustomerId>()?),
    };
    let filter = EntryFilter {
        account: asked.account.parse().ok(),
        customer_id,
        currency: asked.currency.parse().unwrap_or(organisation.currency),
        from: midnight(from, &organisation.time_zone)?,
        to: midnight(after_last, &organisation.time_zone)?,
        after: asked.after.parse().ok(),
        limit: SHOWN + 1,
    };
    Ok(Read { filter, from, until, wrong })
}

/// `GET /admin/ledger/entries`
pub async fn entries(member: Member, asked: web::Query<Asked>) -> PageResult<LedgerEntries> {
    let tx = member.tx().await?;
    let Read { filter, from, until, wrong } = read(&member, &asked)?;
    let mut lines = ledger::entries(&tx, &filter).await?;
    let has_more = lines.len() as u64 > SHOWN;
    lines.truncate(SHOWN as usize);
    let customers = lines.iter().filter_map(|line| line.account.customer_id()).chain(filter.customer_id);
    let names = customer_names(&tx, customers).await?;
    if filter.customer_id.is_some_and(|id| !names.contains_key(&id)) {
        return Err(PageError::NotFound);
    }
    let mut sums = Vec::new();
    if filter.account.is_some() || filter.customer_id.is_some() {
        let opening = ledger::balance_before(&tx, &filter, filter.from).await?;
        let closing = ledger::balance_before(&tx, &filter, filter.to).await?;
        sums.push(SumRow::plain(format!("Balance before {}", words::day(from)), format::exact(opening)));
        sums.push(SumRow::plain("Moved", format::exact(closing.checked_sub(opening)?)));
        sums.push(SumRow::sum(format!("Balance after {}", words::day(until)), format::exact(closing)));
    }
    let audience = member.audience;
    let (from, until) = (from.to_string(), until.to_string());
    let query = |after: &str| {
        let customer = asked.customer.trim();
        let currency = filter.currency.code();
        [("account", asked.account.as_str()), ("customer", customer), ("currency", currency), ("from", &from)]
            .into_iter()
            .chain([("until", until.as_str()), ("after", after)])
            .map(|(name, value)| (name, value.to_owned()))
            .collect::<Vec<_>>()
    };
    let link = |base: &str, after: &str| {
        let pairs = query(after);
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        with_query(base, &pairs)
    };
    let here = audience.ledger_entries();
    let next = lines.last().filter(|_| has_more).map(|line| link(&here, &line.place.to_string()));
    let whose = filter.customer_id.and_then(|id| names.get(&id)).map(|name| format!(", {name}")).unwrap_or_default();
    Ok(LedgerEntries {
        shell: shell(&member, &tx, "Entries", Section::Ledger).await?,
        heading: Heading::new(format!("Entries{whose}"))
            .path(PagePath::under("Trial balance", audience.ledger(), "Entries"))
            .facts(format!("{} · credits are positive, debits negative", filter.currency))
            .action("As CSV", link(&audience.ledger_entries_csv(), "")),
        action: here.clone(),
        fields: fields(&asked, filter.currency, (&from, &until), wrong),
        sums: Sums(sums),
        table: table(&lines, &names, filter.currency, &member.zone),
        pager: Pager {
            shown: format!("{}, oldest first", format::counted(lines.len() as i64, "entry", "entries")),
            first: filter.after.map(|_| link(&here, "")),
            next,
        },
    })
}

fn fields(asked: &Asked, currency: Currency, (from, until): (&str, &str), wrong: [Option<String>; 2]) -> Fields {
    let accounts = std::iter::once(("", "All accounts"))
        .chain(AccountKind::all().map(|kind| (kind.code(), words::account(kind).0)));
    let [wrong_from, wrong_until] = wrong;
    let typed = |given: &str, usual: &str| if given.is_empty() { usual.to_owned() } else { given.to_owned() };
    Fields::new()
        .half(Field::choice("account", "Account", &asked.account, accounts))
        .half(Field::text("customer", "Customer's id", &asked.customer).hint("Empty for the whole book"))
        .half(Field::text("from", "From", typed(&asked.from, from)).control(Control::Date).error(wrong_from))
        .half(Field::text("until", "Until", typed(&asked.until, until)).control(Control::Date).error(wrong_until))
        .half(Field::text("currency", "Currency", currency.code()))
}

fn table(
    lines: &[EntryLine],
    names: &HashMap<CustomerId, String>,
    currency: Currency,
    zone: &jiff::tz::TimeZone,
) -> Table {
    let columns = vec![
        Column::text("When"),
        Column::text("What").full(),
        Column::text("Account"),
        Column::figures(format!("Amount, {currency}")).label("Amount"),
    ];
    let empty = Empty::new("scale", "No entry", "Nothing was posted in these days.");
    let mut table = Table::new("Entries", columns, empty).dense();
    for line in lines {
        let account = Cell::text(words::account(line.account.kind()).0);
        let whose = line.account.customer_id().and_then(|id| names.get(&id));
        table.row(vec![
            Cell::text(format::stamp(line.place.at, zone).text),
            Cell::text(format::with_phones(&line.memo)).sub(line.kind.replace('_', " ")),
            whose.into_iter().fold(account, |cell, name| cell.sub(name.clone())),
            Cell::figure(format::exact(line.amount)),
        ]);
    }
    table
}

/// `GET /admin/ledger/entries/csv`
pub async fn file(member: Member, asked: web::Query<Asked>) -> PageResult<HttpResponse> {
    let Read { filter, from, until, .. } = read(&member, &asked)?;
    let filter = EntryFilter { after: None, limit: ENTRIES_AT_ONCE, ..filter };
    let name = format!("ledger-{from}-{until}");
    Ok(csv::answer(&name, pages(member.app.db.clone(), member.session.tenant_id, filter)))
}

const HEAD: [&str; 9] = ["transaction", "position", "at", "kind", "memo", "account", "customer", "currency", "amount"];

/// Page by page, each in a short transaction of its own: what is posted meanwhile changes no entry that was sent.
fn pages(db: Db, tenant_id: TenantId, filter: EntryFilter) -> impl Stream<Item = Result<String, PageError>> {
    enum At {
        Head,
        Page,
        End,
    }
    stream::unfold((At::Head, filter), move |(at, mut filter)| {
        let db = db.clone();
        async move {
            match at {
                At::Head => return Some((Ok(csv::row(HEAD)), (At::Page, filter))),
                At::End => return None,
                At::Page => {}
            }
            match page(&db, tenant_id, &filter).await {
                Err(error) => Some((Err(error), (At::End, filter))),
                Ok(lines) => {
                    filter.after = Some(lines.last()?.place);
                    Some((Ok(lines.iter().map(line).collect()), (At::Page, filter)))
                }
            }
        }
    })
}

async fn page(db: &Db, tenant_id: TenantId, filter: &EntryFilter) -> PageResult<Vec<EntryLine>> {
    let tx = db.tenant(tenant_id).await?;
    Ok(ledger::entries(&tx, filter).await?)
}

fn line(line: &EntryLine) -> String {
    let customer = line.account.customer_id().map(|id| id.to_string()).unwrap_or_default();
    csv::row([
        line.place.transaction_id.to_string().as_str(),
        &line.place.position.to_string(),
        &line.place.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        &line.kind,
        &line.memo,
        line.account.kind().code(),
        &customer,
        line.amount.currency().code(),
        &line.amount.format_plain(),
    ])
}
