//! Quotes: the list, one with what it offers and what has become of it, its links, and taking it back.

use super::shell;
use super::words::{civil_day, customer_names, day};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::mail;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::pages::offer::{offer, state};
use crate::shell::Section;
use crate::urls::{self, Audience, with_query};
use crate::views::book::{List, TableCard};
use crate::views::fields::{Control, Field};
use crate::views::parts::{Fact, Facts, Happening, Heading, PagePath, Pager, Stats, Timeline};
use crate::views::quotes::{QuotePage, SendForm};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Link, Tone};
use actix_web::{Either, web};
use chrono::{DateTime, Utc};
use db::{CustomerId, QuoteId, TenantTx};
use serde::Deserialize;
use std::collections::HashMap;
use subscription::{Billing, Quote, QuoteState, QuotedCustomer};
use tenant::Role;

/// Rows of one page.
pub(super) const PAGE: u64 = 50;

/// Pages of what is sold, as a switch above each.
pub(super) fn tabs(audience: Audience, here: &str) -> Vec<(String, String, bool)> {
    [
        ("Plans and tariffs", audience.plans()),
        ("Coupons", audience.coupons()),
        ("Quotes", audience.quotes()),
        ("Estimates", audience.estimates()),
    ]
    .into_iter()
    .map(|(text, href)| (text.to_owned(), href, text == here))
    .collect()
}

/// The last row of the page before.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: String,
}

impl After {
    /// Instant and id, as [`After::of`] wrote them; anything else begins at the beginning.
    pub(super) fn read<Id: std::str::FromStr>(&self) -> Option<(DateTime<Utc>, Id)> {
        let (at, id) = self.after.split_once('.')?;
        Some((DateTime::from_timestamp_micros(at.parse().ok()?)?, id.parse().ok()?))
    }

    pub(super) fn of(at: DateTime<Utc>, id: impl std::fmt::Display) -> String {
        format!("{}.{id}", at.timestamp_micros())
    }
}

/// Takes the row off that only says that there is more, and says where the next page begins.
pub(super) fn paged<T>(
    rows: &mut Vec<T>,
    [one, many]: [&str; 2],
    href: &str,
    after: &After,
    place: impl Fn(&T) -> String,
) -> Pager {
    let has_more = rows.len() as u64 > PAGE;
    rows.truncate(PAGE as usize);
    let next = rows.last().filter(|_| has_more).map(|last| with_query(href, &[("after", &place(last))]));
    let first = (!after.after.is_empty()).then(|| href.to_owned());
    Pager { shown: format!("{}, newest first", format::counted(rows.len() as i64, one, many)), first, next }
}

/// `GET /admin/quotes`
pub async fn quotes(member: Member, after: web::Query<After>) -> PageResult<List> {
    let tx = member.tx().await?;
    let href = member.audience.quotes();
    let mut quotes = subscription::quotes(&tx, after.read::<QuoteId>(), PAGE + 1).await?;
    let pager = paged(&mut quotes, ["quote", "quotes"], &href, &after, |quote| After::of(quote.created_at, quote.id));
    let names = names(&tx, &quotes).await?;
    let columns = vec![
        Column::text("Quote"),
        Column::text("For").full(),
        Column::figures("A month, net").label("A month"),
        Column::text("Until").hidden(),
        Column::text("State"),
    ];
    let mut empty =
        Empty::new("file-invoice", "No quote yet", "An offer to a customer or to somebody who becomes one.");
    let may_write = member.must(Role::Billing).is_ok();
    if may_write {
        empty.action = Some(Link::new("New quote", member.audience.quote_new()));
    }
    let mut table = Table::new("Quotes", columns, empty);
    for quote in &quotes {
        let badge = state(quote.state_at(member.now));
        // One that cannot be reckoned takes the list of the others along otherwise.
        let month = invoicing::sample_month(&quote.terms, &quote.quantities).map(|month| month.total.human());
        table.row(vec![
            Cell::name(&quote.number).to(member.audience.quote(quote.id)).sub(&quote.plan_name),
            Cell::text(buyer(quote, &names)),
            Cell::figure(month.unwrap_or_else(|_| "–".to_owned())),
            Cell::text(last_day(&member, quote).unwrap_or_else(|_| "–".to_owned())),
            Cell::none().with(badge),
        ]);
    }
    let heading = Heading::new("Quotes").facts("An accepted quote becomes a plan and a subscription, once.");
    Ok(List {
        shell: shell(&member, &tx, "Quotes", Section::Plans).await?,
        heading: if may_write { heading.action("New quote", member.audience.quote_new()) } else { heading },
        stats: Stats::default(),
        search: None,
        tabs: tabs(member.audience, "Quotes"),
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: Some(pager),
    })
}

async fn names(tx: &TenantTx, quotes: &[Quote]) -> PageResult<HashMap<CustomerId, String>> {
    let known = quotes.iter().filter_map(|quote| match quote.customer {
        QuotedCustomer::Known(id) => Some(id),
        QuotedCustomer::New(_) => None,
    });
    customer_names(tx, known).await
}

fn buyer(quote: &Quote, names: &HashMap<CustomerId, String>) -> String {
    match &quote.customer {
        QuotedCustomer::Known(id) => names.get(id).cloned().unwrap_or_else(|| "A customer".into()),
        QuotedCustomer::New(prospect) => prospect.name.clone(),
    }
}

/// The last day on which it can be accepted.
fn last_day(member: &Member, quote: &Quote) -> PageResult<String> {
    let instant = quote.valid_until - chrono::TimeDelta::seconds(1);
    Ok(day(civil_day(instant, &member.session.organisation.time_zone)?))
}

async fn find(tx: &TenantTx, path: &str) -> PageResult<Quote> {
    let id: QuoteId = path.parse()?;
    subscription::quote(tx, id).await?.ok_or(PageError::NotFound)
}

/// `GET /admin/quotes/{quote_id}`
pub async fn quote(member: Member, path: web::Path<String>) -> PageResult<QuotePage> {
    let tx = member.tx().await?;
    let quote = find(&tx, &path).await?;
    page(&member, &tx, &quote, Shown::default()).await
}

/// `POST /admin/quotes/{quote_id}/links`: answers the page with the link on it.
pub async fn link(member: Member, path: web::Path<String>) -> PageResult<QuotePage> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let quote = find(&tx, &path).await?;
    let token = subscription::link_quote(&tx, quote.id, &member.actor(), member.now).await?;
    let payload = serde_json::json!({ "number": quote.number });
    tenant::record_audit(&tx, &member.actor(), "quote.link", &quote.id.to_string(), payload, member.now).await?;
    let link = format!("{}{}", member.site.origin(&member.app), urls::quote(&token));
    let page = page(&member, &tx, &quote, Shown { link: Some(link), ..Shown::default() }).await?;
    tx.commit().await?;
    Ok(page)
}

/// `POST /admin/quotes/{quote_id}/sendings`: the letter leaves with the worker's next round.
pub async fn send(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, QuotePage>> {
    member.must(Role::Billing)?;
    if member.app.mail.is_none() {
        return Err(PageError::NotFound);
    }
    let tx = member.tx().await?;
    let quote = find(&tx, &path).await?;
    let to = given.get("email");
    if let Err(error) = subscription::send_quote(&tx, quote.id, to, member.now).await {
        let mut faults = Faults::default();
        faults.refused(error, &[("email", "email")])?;
        return Ok(again(page(&member, &tx, &quote, Shown { to: Some(to), faults, ..Shown::default() }).await?));
    }
    let origin = member.site.origin(&member.app);
    mail::post_quote(&tx, quote.id, to, &member.actor(), &origin, member.now).await?;
    let payload = serde_json::json!({ "number": quote.number, "to": to });
    tenant::record_audit(&tx, &member.actor(), "quote.send", &quote.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let text = format!("{} is on its way to {to}.", quote.number);
    Ok(Either::Left(see_other(member.audience.quote(quote.id)).notice(text)))
}

/// `POST /admin/quotes/{quote_id}/withdrawal`
pub async fn withdraw(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let quote = find(&tx, &path).await?;
    subscription::withdraw_quote(&tx, quote.id, member.now).await?;
    let payload = serde_json::json!({ "number": quote.number });
    tenant::record_audit(&tx, &member.actor(), "quote.withdraw", &quote.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.quote(quote.id)).notice(format!("{} is withdrawn.", quote.number)))
}

/// `GET /admin/quotes/{quote_id}/pdf`
pub async fn pdf(member: Member, path: web::Path<String>) -> PageResult<actix_web::HttpResponse> {
    let tx = member.tx().await?;
    let quote = find(&tx, &path).await?;
    let bytes = invoicing::quote_pdf(&tx, &quote, None).await?;
    Ok(super::pdf_answer(&quote.number, bytes))
}

/// What the page shows of what was just asked.
#[derive(Default)]
struct Shown<'a> {
    /// Made just now.
    link: Option<String>,
    /// The address that was typed, and what is wrong with it.
    to: Option<&'a str>,
    faults: Faults,
}

fn send_form(member: &Member, quote: &Quote, shown: &Shown<'_>) -> Option<SendForm> {
    member.app.mail.as_ref()?;
    let known = match &quote.customer {
        QuotedCustomer::New(prospect) => prospect.email.as_deref(),
        QuotedCustomer::Known(_) => None,
    };
    let usual = quote.sent_to.as_deref().or(known).unwrap_or_default();
    let email = Field::text("email", "E-mail", shown.to.unwrap_or(usual)).control(Control::Email);
    Some(SendForm {
        action: member.audience.quote_sendings(quote.id),
        email: email.error(shown.faults.at("email")).required(),
    })
}

async fn page(member: &Member, tx: &TenantTx, quote: &Quote, shown: Shown<'_>) -> PageResult<QuotePage> {
    let names = names(tx, std::slice::from_ref(quote)).await?;
    let stands = quote.state_at(member.now);
    let badge = state(stands);
    let audience = member.audience;
    let may_change = member.must(Role::Billing).is_ok();
    let is_open = stands == QuoteState::Open;
    let heading = Heading::new(&quote.plan_name)
        .path(PagePath::under("Quotes", audience.quotes(), &quote.number))
        .badge(badge.word, badge.tone)
        .facts(format!("{} for {}, until {}", quote.number, buyer(quote, &names), last_day(member, quote)?))
        .action("PDF", audience.quote_pdf(quote.id));
    Ok(QuotePage {
        shell: shell(member, tx, &quote.number, Section::Plans).await?,
        heading,
        facts: facts(member, quote, &names),
        offer: offer(tx, quote, member.now).await?,
        send: send_form(member, quote, &shown).filter(|_| is_open && may_change),
        link: shown.link,
        link_action: (is_open && may_change).then(|| audience.quote_links(quote.id)),
        withdraw_action: (may_change && matches!(stands, QuoteState::Open | QuoteState::Expired))
            .then(|| audience.quote_withdrawal(quote.id)),
        timeline: timeline(member, quote),
    })
}

fn facts(member: &Member, quote: &Quote, names: &HashMap<CustomerId, String>) -> Facts {
    let audience = member.audience;
    let mut facts = match &quote.customer {
        QuotedCustomer::Known(id) => vec![Fact::new("Customer", buyer(quote, names)).to(audience.customer(id))],
        QuotedCustomer::New(prospect) => {
            let pays = match prospect.billing {
                Billing::Prepaid => "from a wallet".to_owned(),
                Billing::Postpaid => {
                    format!("by invoice, {}", format::counted(prospect.payment_terms_days.into(), "day", "days"))
                }
            };
            let email = prospect.email.clone().unwrap_or_default();
            vec![Fact::new("To be a customer", &prospect.name).quiet(email), Fact::new("Pays", pays)]
        }
    };
    if let Some(estimate) = quote.estimate_id {
        facts.push(Fact::new("Made from", "an estimate").to(audience.estimate(estimate)));
    }
    if quote.with_trial {
        let days = format::counted(quote.terms.trial_days.into(), "day", "days");
        facts.push(Fact::new("Begins with", format!("a trial of {days}")));
    }
    Facts(facts)
}

fn timeline(member: &Member, quote: &Quote) -> Timeline {
    let at = |instant| format::dated(instant, &member.zone);
    let mut steps = vec![Happening::new(at(quote.created_at), format!("Written by {}", quote.created_by), Tone::Plain)];
    if let (Some(sent), Some(to)) = (quote.sent_at, &quote.sent_to) {
        steps.push(Happening::new(at(sent), format!("Sent to {to}"), Tone::On));
    }
    if let Some(withdrawn) = quote.withdrawn_at {
        steps.push(Happening::new(at(withdrawn), "Withdrawn", Tone::Plain));
    }
    if let (Some(accepted), Some(by)) = (quote.accepted_at, &quote.accepted_by) {
        let email = quote.acceptance.as_ref().and_then(|acceptance| acceptance.email.clone()).unwrap_or_default();
        steps.push(Happening::new(at(accepted), format!("Accepted by {by}"), Tone::Good).note(email));
    }
    if quote.state_at(member.now) == QuoteState::Expired {
        steps.push(Happening::new(at(quote.valid_until), "Expired", Tone::Soon));
    }
    Timeline { wide: true, steps }
}
