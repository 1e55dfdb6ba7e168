//! Estimates that are kept in the book: the list, and one as it was kept.

use super::quotes::{After, PAGE, paged, tabs};
use super::shell;
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::public::{csv_answer, pdf_answer, shown_estimate, stored};
use crate::shell::Section;
use crate::urls::{self, with_query};
use crate::views::book::{List, TableCard};
use crate::views::parts::{Heading, Note, PagePath, Stats};
use crate::views::public::KeptEstimate;
use crate::views::table::{Cell, Column, Empty, Table};
use actix_web::{HttpResponse, web};
use db::{EstimateId, TenantTx};
use tenant::Role;

/// `GET /admin/estimates`
pub async fn estimates(member: Member, after: web::Query<After>) -> PageResult<List> {
    let tx = member.tx().await?;
    let href = member.audience.estimates();
    let mut estimates = subscription::estimates(&tx, after.read::<EstimateId>(), PAGE + 1).await?;
    let pager = paged(&mut estimates, ["estimate", "estimates"], &href, &after, |estimate| {
        After::of(estimate.created_at, estimate.id)
    });
    let columns = vec![Column::text("Estimate"), Column::text("Saved").hidden(), Column::text("By"), Column::text("")];
    let empty =
        Empty::new("adjustments-horizontal", "No estimate yet", "What is saved at the rate estimator shows here.");
    let mut table = Table::new("Estimates", columns, empty);
    let may_write = member.must(Role::Billing).is_ok();
    for estimate in &estimates {
        let id = estimate.id.to_string();
        let quote = with_query(&member.audience.quote_new(), &[("estimate", &id)]);
        let name = Cell::name(&estimate.name).to(member.audience.estimate(estimate.id));
        table.row(vec![
            name,
            Cell::text(format::stamp(estimate.created_at, &member.zone).text),
            Cell::text(&estimate.created_by),
            if may_write { Cell::text("Make a quote").to(quote) } else { Cell::none() },
        ]);
    }
    let heading = Heading::new("Estimates").facts("Saved by members here, and by visitors of the public estimator.");
    Ok(List {
        shell: shell(&member, &tx, "Estimates", Section::Plans).await?,
        heading: heading.action("Rate estimator", urls::ESTIMATE),
        stats: Stats::default(),
        search: None,
        tabs: tabs(member.audience, "Estimates"),
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: Some(pager),
    })
}

async fn find(tx: &TenantTx, path: &str) -> PageResult<subscription::Estimate> {
    let id: EstimateId = path.parse()?;
    subscription::estimate(tx, id).await?.ok_or(PageError::NotFound)
}

/// `GET /admin/estimates/{estimate_id}`
pub async fn estimate(member: Member, path: web::Path<String>) -> PageResult<KeptEstimate> {
    let tx = member.tx().await?;
    let kept = find(&tx, &path).await?;
    page(&member, &tx, &kept, None).await
}

/// `POST /admin/estimates/{estimate_id}/links`: answers the page with the link on it.
pub async fn link(member: Member, path: web::Path<String>) -> PageResult<KeptEstimate> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let kept = find(&tx, &path).await?;
    let token = subscription::share_estimate(&tx, kept.id).await?;
    let payload = serde_json::json!({ "name": kept.name });
    tenant::record_audit(&tx, &member.actor(), "estimate.link", &kept.id.to_string(), payload, member.now).await?;
    let link = format!("{}{}", member.site.origin(&member.app), urls::saved_estimate(&token));
    let page = page(&member, &tx, &kept, Some(link)).await?;
    tx.commit().await?;
    Ok(page)
}

async fn page(
    member: &Member,
    tx: &TenantTx,
    kept: &subscription::Estimate,
    link: Option<String>,
) -> PageResult<KeptEstimate> {
    let (forecast, estimate) = stored(kept)?;
    let csv = format!("{}/csv", member.audience.estimate(kept.id));
    let mut result = shown_estimate(&forecast, &estimate, String::new(), csv);
    let may_share = member.must(Role::Billing).is_ok();
    if may_share {
        let id = kept.id.to_string();
        result.quote_href = Some(with_query(&member.audience.quote_new(), &[("estimate", &id)]));
    }
    let at = format::stamp(kept.created_at, &member.zone).text;
    Ok(KeptEstimate {
        shell: shell(member, tx, &kept.name, Section::Plans).await?,
        path: PagePath::under("Estimates", member.audience.estimates(), kept.id.to_string()).id(),
        note: Note::plain(format!("Saved on {at} by {}, and kept as it was.", kept.created_by)),
        result,
        link_action: may_share.then(|| member.audience.estimate_links(kept.id)),
        link,
    })
}

/// `GET /admin/estimates/{estimate_id}/csv`
pub async fn csv(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let tx = member.tx().await?;
    let (forecast, estimate) = stored(&find(&tx, &path).await?)?;
    Ok(csv_answer(&forecast, &estimate))
}

/// `GET /admin/estimates/{estimate_id}/pdf`
pub async fn pdf(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let tx = member.tx().await?;
    let (forecast, estimate) = stored(&find(&tx, &path).await?)?;
    pdf_answer(&tx, &forecast, &estimate, member.now).await
}
