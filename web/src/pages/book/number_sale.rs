//! At the seller of numbers: a number taken in, and given to an organisation below from a day on.

use super::{shell, words};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::numbers_sold::{self, NewAssignment, NewNumber};
use crate::pages::form::{self, Faults, Given, Outcome, again};
use crate::read;
use crate::shell::Section;
use crate::views::fields::{Control, Field};
use crate::views::form::{Fields, FormPage, FormPart};
use crate::views::parts::{Heading, PagePath};
use actix_web::{Either, web};
use chrono::NaiveDate;
use db::{NumberId, TenantTx};
use subscription::NumberKind;
use tenant::Role;

/// The domain's fields, and ours.
const FIELDS: [(&str, &str); 4] = [("e164", "e164"), ("since", "since"), ("customer", "customer"), ("from", "from")];

fn today(member: &Member) -> PageResult<NaiveDate> {
    words::civil_day(member.now, &member.session.organisation.time_zone)
}

/// `GET /ops/numbers/new`
pub async fn form(member: Member) -> PageResult<FormPage> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    page(&member, &tx, &Given::default(), &Faults::default()).await
}

async fn page(member: &Member, tx: &TenantTx, given: &Given, faults: &Faults) -> PageResult<FormPage> {
    let kinds = NumberKind::ALL.iter().map(|kind| (kind.as_str(), words::spoken(super::numbers::kind(*kind))));
    let fields = Fields::new()
        .half(
            Field::text("e164", "Number", given.get("e164"))
                .hint("With + and its country, as +493055514002")
                .error(faults.at("e164"))
                .required(),
        )
        .half(Field::choice("kind", "Kind", given.or("kind", "local"), kinds).error(faults.at("kind")))
        .half(
            Field::text("since", "Yours since", given.or("since", &today(member)?.to_string()))
                .control(Control::Date)
                .error(faults.at("since")),
        );
    Ok(FormPage {
        shell: shell(member, tx, "A new number", Section::Numbers).await?,
        heading: Heading::new("A new number").path(PagePath::under("Numbers", member.audience.numbers(), "New")),
        note: None,
        action: member.audience.numbers(),
        parts: vec![FormPart {
            title: "The number",
            text: "It is in your hands until you give it to one of those below you.",
            fields,
        }],
        button: "Take it in".into(),
        remark: "Its rental is a part of a plan.".into(),
        back_href: member.audience.numbers(),
    })
}

/// `POST /ops/numbers`
pub async fn add(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let kind = NumberKind::from_word(given.get("kind")).ok_or_else(|| "Must be one of the list.".to_owned());
    let kind = faults.keep("kind", kind);
    let since = match given.get("since") {
        "" => Some(None),
        day => faults.keep("since", read::day(day)).map(Some),
    };
    let e164: String = given.get("e164").chars().filter(|c| !matches!(c, ' ' | '\u{a0}')).collect();
    if let (Some(kind), Some(since)) = (kind, since) {
        match numbers_sold::add(&member.app, &tx, &NewNumber { e164: e164.clone(), kind, since }, member.now).await {
            Ok(id) => {
                let payload = serde_json::json!({ "number": e164, "kind": kind });
                tenant::record_audit(&tx, &member.actor(), "number.add", &id.to_string(), payload, member.now).await?;
                tx.commit().await?;
                let notice = format!("{} is yours. Now give it to whom it is for.", format::phone(&e164));
                return Ok(Either::Left(see_other(member.audience.number_assignments(id)).notice(notice)));
            }
            Err(error) => faults.refused(error, &FIELDS)?,
        }
    }
    Ok(again(page(&member, &tx, &given, &faults).await?))
}

/// The number, if it is in this seller's hands or sold by it.
async fn find(member: &Member, tx: &TenantTx, path: &str) -> PageResult<(NumberId, String, Option<String>)> {
    let id: NumberId = path.parse()?;
    let (e164, _) = numbers_sold::known(&member.app, member.now).await?.remove(&id).ok_or(PageError::NotFound)?;
    if let Some(terms) = subscription::number_terms(tx, id).await? {
        return Ok((id, e164, Some(terms.customer_id.to_string())));
    }
    subscription::number(tx, id, member.now).await?.ok_or(PageError::NotFound)?;
    Ok((id, e164, None))
}

/// `GET /ops/numbers/{number_id}/assignments`
pub async fn give(member: Member, path: web::Path<String>) -> PageResult<FormPage> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let found = find(&member, &tx, &path).await?;
    give_page(&member, &tx, found, &Given::default(), &Faults::default()).await
}

async fn give_page(
    member: &Member,
    tx: &TenantTx,
    (id, e164, sold_to): (NumberId, String, Option<String>),
    given: &Given,
    faults: &Faults,
) -> PageResult<FormPage> {
    let below = numbers_sold::below(&member.app, tx, member.now).await?;
    let mut offered = below.iter().map(|child| (child.customer_id.to_string(), child.organisation.name.clone()));
    let has = sold_to.as_ref().and_then(|sold_to| offered.clone().find(|(id, _)| id == sold_to)).map(|(_, name)| name);
    let usual = sold_to.or_else(|| offered.clone().next().map(|(id, _)| id)).unwrap_or_default();
    let fields = Fields::new()
        .half(
            Field::choice("customer", "To", given.or("customer", &usual), offered.by_ref().collect::<Vec<_>>())
                .error(faults.at("customer")),
        )
        .half(
            Field::text("from", "From", given.or("from", &today(member)?.to_string()))
                .control(Control::Date)
                .hint("Today is from this moment on")
                .error(faults.at("from"))
                .required(),
        );
    let number = format::phone(&e164);
    Ok(FormPage {
        shell: shell(member, tx, "Give a number", Section::Numbers).await?,
        heading: Heading::new(format!("Who has {number}"))
            .path(PagePath::under("Numbers", member.audience.numbers(), number))
            .facts(has.map_or_else(|| "It is in your hands.".to_owned(), |name| format!("Sold to {name}"))),
        note: None,
        action: member.audience.number_assignments(id),
        parts: vec![FormPart {
            title: "Give it to",
            text: "Its calls are theirs from then on; who had it has it until then.",
            fields,
        }],
        button: "Give it".into(),
        remark: "What it earns is split on the customer's terms until the number gets its own.".into(),
        back_href: member.audience.numbers(),
    })
}

/// `POST /ops/numbers/{number_id}/assignments`
pub async fn assign(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Admin)?;
    let tx = member.tx().await?;
    let found = find(&member, &tx, &path).await?;
    let mut faults = Faults::default();
    let customer = faults.keep("customer", form::id(given.get("customer")));
    let from = faults.keep("from", read::day(given.get("from")));
    if let (Some(customer_id), Some(from)) = (customer, from) {
        let new = NewAssignment { number_id: found.0, customer_id, from };
        match numbers_sold::assign(&member.app, &tx, &new, member.now).await {
            Ok(()) => {
                let payload = serde_json::json!({ "number": found.1, "customer": customer_id, "from": from });
                let subject = found.0.to_string();
                tenant::record_audit(&tx, &member.actor(), "number.assign", &subject, payload, member.now).await?;
                tx.commit().await?;
                let notice = format!("{} goes over on {}.", format::phone(&found.1), words::day(from));
                return Ok(Either::Left(see_other(member.audience.numbers()).notice(notice)));
            }
            Err(error) => faults.refused(error, &FIELDS)?,
        }
    }
    Ok(again(give_page(&member, &tx, found, &given, &faults).await?))
}
