//! What this organisation's seller owes it: read from the seller's book as the customer that it is there; the calls behind a
//! statement from its own.

use super::account::seller_book;
use super::pdf_answer;
use super::settlements::{self, Asked};
use crate::csv;
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::book::{List, TableCard};
use crate::views::parts::{Heading, PagePath, Stats};
use crate::views::settlements::SettlementPage;
use actix_web::{HttpResponse, web};
use call_control::SharedCall;
use chrono::NaiveDate;
use db::{CustomerTx, Db, TenantId};
use futures_util::{Stream, stream};
use invoicing::{Settlement, SettlementFilter};
use uuid::Uuid;

/// Calls of one page of a file.
const CALLS_AT_ONCE: u64 = 1_000;

/// `GET /admin/account/settlements`
pub async fn settlements(member: Member, asked: web::Query<Asked>) -> PageResult<List> {
    let tx = seller_book(&member).await?;
    let seller = tenant::organisation(&tx).await?.name;
    let filter = SettlementFilter {
        issued_only: true,
        after: settlements::place(&asked.after),
        limit: settlements::SHOWN + 1,
        ..SettlementFilter::default()
    };
    let (found, next) = settlements::cut(invoicing::settlements(&tx, &filter).await?);
    let audience = member.audience;
    let table =
        settlements::table("From", &found, |_| seller.clone(), |settlement| audience.account_settlement(settlement.id));
    let here = |after: &str| with_query(&audience.account_settlements(), &[("after", after)]);
    Ok(List {
        shell: member.shell("Settlements", Section::Account, 0),
        heading: Heading::new("Settlements")
            .path(PagePath::under("Plan and bills", audience.account(), "Settlements"))
            .facts(format!("What {seller} owes you for calls that the network collected.")),
        stats: Stats::default(),
        search: None,
        tabs: Vec::new(),
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: Some(settlements::pager(found.len(), !asked.after.is_empty(), next, here)),
    })
}

/// A statement that was issued; a draft is the seller's alone.
async fn find(tx: &CustomerTx, path: &str) -> PageResult<Settlement> {
    let settlement = invoicing::settlement(tx, path.parse()?).await?;
    settlement.document_id.map(|_| settlement).ok_or(PageError::NotFound)
}

/// `GET /admin/account/settlements/{settlement_id}`
pub async fn settlement(member: Member, path: web::Path<String>) -> PageResult<SettlementPage> {
    let tx = seller_book(&member).await?;
    let settlement = find(&tx, &path).await?;
    let audience = member.audience;
    let shell = member.shell("Settlement", Section::Account, 0);
    let words = ("Seller's share", "Your share");
    let days = (settlement.period_starts_on, settlement.period_ends_on.pred_opt().unwrap_or(settlement.period_ends_on));
    let calls = |number: &str| {
        let (from, until) = (days.0.to_string(), days.1.to_string());
        with_query(&audience.calls(), &[("q", number), ("from", &from), ("until", &until)])
    };
    let mut page = settlements::statement(shell, &tx, &settlement, words, calls, &member.zone).await?;
    page.heading =
        page.heading.path(PagePath::under("Settlements", audience.account_settlements(), settlement.id.to_string()));
    page.pdf_href = Some(audience.account_settlement_pdf(settlement.id));
    page.csv_href = Some(audience.account_settlement_csv(settlement.id));
    Ok(page)
}

/// `GET /admin/account/settlements/{settlement_id}/pdf`
pub async fn pdf(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let tx = seller_book(&member).await?;
    let settlement = find(&tx, &path).await?;
    let id = settlement.document_id.ok_or(PageError::NotFound)?;
    let number = invoicing::document(&tx, id).await?.document.number;
    let seen_at = format!("{}{}", member.site.origin(&member.app), member.audience.account_settlement(settlement.id));
    let bytes = invoicing::pdf(&tx, id, Some(&seen_at), member.now).await?;
    tx.commit().await?;
    Ok(pdf_answer(&number, bytes))
}

/// `GET /admin/account/settlements/{settlement_id}/csv`: the calls behind a statement.
pub async fn calls(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let tx = seller_book(&member).await?;
    let settlement = find(&tx, &path).await?;
    let id = settlement.document_id.ok_or(PageError::NotFound)?;
    let number = invoicing::document(&tx, id).await?.document.number;
    let shares = ledger::shares_of(&tx, settlement.id).await?;
    let batches = shares.into_iter().map(|share| (share.batch_id, share.shared_on)).collect();
    drop(tx);
    Ok(csv::answer(&number, file(member.app.db.clone(), member.session.tenant_id, batches)))
}

const HEAD: [&str; 9] =
    ["call", "kind", "started_at", "called", "seconds", "currency", "collected", "seller_percent", "owed"];

/// Page by page, each in a short transaction of its own.
fn file(db: Db, tenant_id: TenantId, batches: Vec<(Uuid, NaiveDate)>) -> impl Stream<Item = Result<String, PageError>> {
    enum At {
        Head,
        After(Option<SharedCall>),
        End,
    }
    stream::unfold((At::Head, batches), move |(at, batches)| {
        let db = db.clone();
        async move {
            let after = match at {
                At::Head => return Some((Ok(csv::row(HEAD)), (At::After(None), batches))),
                At::End => return None,
                At::After(after) => after,
            };
            match page(&db, tenant_id, &batches, after.as_ref()).await {
                Err(error) => Some((Err(error), (At::End, batches))),
                Ok(calls) => {
                    let text: String = calls.iter().map(line).collect();
                    let last = calls.into_iter().next_back()?;
                    Some((Ok(text), (At::After(Some(last)), batches)))
                }
            }
        }
    })
}

async fn page(
    db: &Db,
    tenant_id: TenantId,
    batches: &[(Uuid, NaiveDate)],
    after: Option<&SharedCall>,
) -> PageResult<Vec<SharedCall>> {
    let tx = db.tenant(tenant_id).await?;
    Ok(call_control::shared_calls(&tx, batches, after, CALLS_AT_ONCE).await?)
}

fn line(call: &SharedCall) -> String {
    let kind = match call.kind.as_str() {
        "seller_correction" => "correction",
        "seller_reversal" => "reversal",
        _ => "call",
    };
    csv::row([
        call.call_id.to_string().as_str(),
        kind,
        &call.started_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        &call.called,
        &call.seconds.to_string(),
        call.owed.currency().code(),
        &call.base.format_plain(),
        &call.share_percent.map(|percent| percent.normalize().to_string()).unwrap_or_default(),
        &call.owed.format_plain(),
    ])
}
