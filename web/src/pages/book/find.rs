//! One box for everything: an id, a phone number, the number of an invoice, the beginning of a name. What is exact leads there.

use super::shell;
use crate::answer::see_other;
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::book::Find;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use actix_web::{Either, HttpRequest, HttpResponse, Responder, web};
use db::{AgentId, CallId, CustomerId, DocumentId, DraftId, PlanId, RunId, SubscriptionId, TenantTx};
use serde::Deserialize;
use subscription::CustomerFilter;

const SHOWN: u64 = 25;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    q: String,
}

/// Something that fits: what it is called, what it is, where it is.
struct Hit {
    name: String,
    kind: &'static str,
    href: String,
}

/// `GET /admin/find?q=`
pub async fn find(
    request: HttpRequest,
    member: Member,
    asked: web::Query<Asked>,
) -> PageResult<Either<Find, HttpResponse>> {
    let asked = asked.q.trim();
    let tx = member.tx().await?;
    if let Some(href) = by_id(member.audience, &tx, asked).await? {
        return Ok(Either::Right(see_other(href).respond_to(&request)));
    }
    let hits = hits(&member, &tx, asked).await?;
    if let [only] = hits.as_slice() {
        return Ok(Either::Right(see_other(only.href.clone()).respond_to(&request)));
    }
    Ok(Either::Left(Find {
        shell: shell(&member, &tx, "Find", Section::Elsewhere).await?,
        query: asked.to_owned(),
        table: table(&hits),
    }))
}

/// An id says itself what it is; the page that it leads to says whether it is there.
async fn by_id(audience: Audience, tx: &TenantTx, asked: &str) -> PageResult<Option<String>> {
    if let Ok(id) = asked.parse::<SubscriptionId>() {
        let found = subscription::subscription(tx, id).await?;
        return Ok(found.map(|subscription| audience.customer(subscription.customer_id)));
    }
    let is_tenant = audience == Audience::Tenant;
    if let (Ok(id), true) = (asked.parse::<AgentId>(), is_tenant) {
        return Ok(Some(with_query(&audience.calls(), &[("q", &id.to_string())])));
    }
    let call = || asked.parse::<CallId>().ok().filter(|_| is_tenant).map(|id| audience.call(id));
    Ok(call()
        .or_else(|| asked.parse::<CustomerId>().ok().map(|id| audience.customer(id)))
        .or_else(|| asked.parse::<DocumentId>().ok().map(|id| audience.invoice(id)))
        .or_else(|| asked.parse::<DraftId>().ok().map(|id| audience.draft(id)))
        .or_else(|| asked.parse::<PlanId>().ok().map(|id| audience.plan(id)))
        .or_else(|| asked.parse::<RunId>().ok().map(|id| audience.run(id))))
}

async fn hits(member: &Member, tx: &TenantTx, asked: &str) -> PageResult<Vec<Hit>> {
    let audience = member.audience;
    let mut hits = Vec::new();
    if asked.is_empty() {
        return Ok(hits);
    }
    let e164: String = asked.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '/' | '(' | ')')).collect();
    if e164.starts_with('+') {
        if let Some(customer) = subscription::customer_by_phone(tx, &e164).await? {
            hits.push(Hit { name: customer.name, kind: "Customer", href: audience.customer(customer.id) });
        }
        if audience == Audience::Tenant {
            let numbers = subscription::numbers(tx, member.now).await?;
            hits.extend(numbers.into_iter().filter(|number| number.e164.starts_with(&e164)).map(|number| Hit {
                name: format::phone(&number.e164),
                kind: "Number",
                href: with_query(&audience.calls(), &[("q", &number.e164)]),
            }));
        }
        return Ok(hits);
    }
    if let Some(document) = invoicing::document_by_number(tx, asked).await? {
        hits.push(Hit { name: document.number, kind: "Invoice", href: audience.invoice(document.id) });
    }
    if let Some(customer) = subscription::customer_by_no(tx, asked).await? {
        hits.push(Hit { name: customer.name, kind: "Customer", href: audience.customer(customer.id) });
    }
    let filter = CustomerFilter { prefix: Some(asked.to_owned()), after: None, limit: SHOWN };
    for customer in subscription::customers(tx, &filter).await? {
        hits.push(Hit { name: customer.name, kind: "Customer", href: audience.customer(customer.id) });
    }
    let begins = asked.to_lowercase();
    for plan in subscription::plans(tx).await?.into_iter().filter(|plan| plan.name.to_lowercase().starts_with(&begins))
    {
        hits.push(Hit { name: plan.name, kind: "Plan", href: audience.plan(plan.id) });
    }
    Ok(hits)
}

fn table(hits: &[Hit]) -> Table {
    let empty = Empty::new(
        "search",
        "Nothing begins with this",
        "Try an id, a phone number with +, the number of an invoice, or a name.",
    );
    let mut table = Table::new("Found", vec![Column::text("What"), Column::text("Kind")], empty);
    for hit in hits {
        table.row(vec![Cell::name(&hit.name).to(&hit.href), Cell::none().with(Badge::new(hit.kind, Tone::Plain))]);
    }
    table
}
