//! What this organisation gets from its seller: plan, period so far and bills, read from the seller's book as the customer it is
//! there. Nothing else of that book can be seen through it.

use super::beneath::{Reader, beneath};
use super::customer::{self, Record};
use super::invoice::{self, Asked};
use super::lines::Of;
use super::owed::Owed;
use super::pdf_answer;
use super::subscription::{Leads, Subscribed, bill, card, quantity_of};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::seller;
use crate::shell::{Section, Token};
use crate::views::customers::Customer as CustomerView;
use crate::views::invoices::{Invoice as InvoiceView, LineCalls};
use crate::views::parts::{Fact, Facts, Heading, PagePath};
use crate::views::subscriptions::{NextBill, SubscriptionCard};
use crate::views::ui::Tone;
use actix_web::{HttpResponse, web};
use db::{CustomerTx, DocumentId, TenantTx};
use money::Money;

/// A transaction in the book of the seller; an organisation without one has no such page.
pub(super) async fn seller_book(member: &Member) -> PageResult<CustomerTx> {
    seller::seller_book(&member.app, member.session.tenant_id, member.now).await?.ok_or(PageError::NotFound)
}

/// `GET /admin/account`
pub async fn account(member: Member) -> PageResult<CustomerView> {
    let tx = seller_book(&member).await?;
    let seller = tenant::organisation(&tx).await?;
    let record = Record::read(&tx, tx.customer_id(), member.now).await?.ok_or(PageError::NotFound)?;
    let audience = member.audience;
    let mut facts = customer::facts(&record);
    facts.0.insert(0, Fact::new("Seller", &seller.name));
    if let Some(period) = record.subscriptions.all.iter().find_map(|subscribed| subscribed.period) {
        let minutes = quantity_of(&tx, tx.customer_id(), "minutes", period.starts_at, member.now).await?;
        facts.0.push(Fact::new("Minutes this period", crate::format::quantity(minutes.round())));
    }
    Ok(CustomerView {
        shell: member.shell("Plan and bills", Section::Account, 0),
        heading: heading(&record, &seller.name)
            .action("Settlements", audience.account_settlements())
            .action("Advisor", audience.account_advice())
            .action("Brand", audience.brand())
            .action("API keys", audience.api_keys()),
        facts,
        wallet: customer::wallet_card(&record, None, &member.zone)?,
        subscriptions: cards(&member, &record)?,
        subscribe_href: None,
        entitlements: record.entitlements.clone(),
        next_bill_href: Some(audience.account_next_bill()),
        invoices: customer::invoices(&record, |id| audience.account_invoice(id)),
        payments: customer::payments_table(&record, &member.zone),
        calls: None,
        payment: None,
        means: None,
        close_href: None,
        timeline: customer::timeline(&record, &member.zone, member.now)?,
    })
}

/// The cards as a reader sees them: the seller changes them, not the one who is charged.
fn cards(member: &Member, record: &Record) -> PageResult<Vec<SubscriptionCard>> {
    let card_of = |subscribed: &Subscribed| {
        let leads = Leads::of_a_reader();
        card(subscribed, &record.subscriptions.names, leads, Token::default(), &member.zone, member.now)
    };
    record.subscriptions.all.iter().map(card_of).collect()
}

/// `GET /admin/account/next-bill`: what the seller will bill, as far as it stands.
pub async fn next_bill(member: Member) -> PageResult<NextBill> {
    let tx = seller_book(&member).await?;
    let seller = tenant::organisation(&tx).await?;
    let customer = subscription::customer(&tx, tx.customer_id()).await?.ok_or(PageError::NotFound)?;
    let (bill, preview) = bill(&tx, &customer, member.now).await?;
    let gross = preview.next.as_ref().map_or(Money::zero(customer.currency), |document| document.totals.gross);
    Ok(NextBill {
        shell: member.shell("Next invoice", Section::Account, 0),
        heading: Heading::new(format!("{} so far from {}", gross.human(), seller.name)).path(PagePath::under(
            "Plan and bills",
            member.audience.account(),
            "Next invoice",
        )),
        facts: Facts(vec![
            Fact::new("Bills what is over before", super::words::day(preview.until_on)),
            Fact::new("Usage until", crate::format::stamp(member.now, &member.zone).text),
        ]),
        bill,
    })
}

fn heading(record: &Record, seller: &str) -> Heading {
    let answer = match &record.wallet {
        Some(wallet) => format!("You have {} with {seller}", wallet.balance.human_balance()),
        None if record.open.open.is_positive() => format!("You owe {seller} {}", record.open.open.human()),
        None => format!("You owe {seller} nothing"),
    };
    if record.open.overdue.is_positive() {
        Heading::new(answer).badge("Late", Tone::Wrong)
    } else {
        Heading::new(answer)
    }
}

/// `GET /admin/account/invoices/{document_id}`
pub async fn invoice(member: Member, path: web::Path<String>, asked: web::Query<Asked>) -> PageResult<InvoiceView> {
    let id: DocumentId = path.parse()?;
    let own = member.tx().await?;
    let tx = seller_book(&member).await?;
    let view = invoicing::document(&tx, id).await?;
    let owed = Owed::read(&tx, &view, member.now).await?;
    let shell = member.shell(&view.document.number, Section::Account, 0);
    let opened = invoice::opened(&tx, receiver(&member, &own), tx.customer_id(), &view.groups, &asked.open).await?;
    let of = Of::Account(member.audience, id);
    let mut page = invoice::page(shell, &view, &owed, of, opened, &member.zone)?;
    page.heading =
        page.heading.path(PagePath::under("Plan and bills", member.audience.account(), &view.document.number));
    page.pdf_href = Some(member.audience.account_invoice_pdf(id));
    Ok(page)
}

/// The one who got a document, looking at it.
fn receiver<'a>(member: &'a Member, own: &'a TenantTx) -> Reader<'a> {
    Reader { audience: member.audience, own, is_seller: false, zone: &member.zone }
}

/// `GET /admin/account/invoices/{document_id}/lines/{line_id}`: what lies beneath one line.
pub async fn line(member: Member, path: web::Path<(String, String)>) -> PageResult<LineCalls> {
    let (id, line_id) = path.into_inner();
    let own = member.tx().await?;
    let tx = seller_book(&member).await?;
    let view = invoicing::document(&tx, id.parse()?).await?;
    let line = invoice::find(&view.groups, &line_id).ok_or(PageError::NotFound)?;
    beneath(&tx, receiver(&member, &own), tx.customer_id(), line).await
}

/// `GET /admin/account/invoices/{document_id}/pdf`
pub async fn pdf(member: Member, path: web::Path<String>) -> PageResult<HttpResponse> {
    let id: DocumentId = path.parse()?;
    let tx = seller_book(&member).await?;
    let view = invoicing::document(&tx, id).await?;
    let seen_at = format!("{}{}", member.site.origin(&member.app), member.audience.account_invoice(id));
    let bytes = invoicing::pdf(&tx, id, Some(&seen_at), member.now).await?;
    tx.commit().await?;
    Ok(pdf_answer(&view.document.number, bytes))
}
