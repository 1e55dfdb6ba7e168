//! How revenue is split with those who have this book's numbers: the terms of a customer, and of a number that differs.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::numbers_sold;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::read;
use crate::shell::Section;
use crate::views::fields::Field;
use crate::views::form::{Choice, Choices, Fields, FormPage, FormPart};
use crate::views::parts::{Heading, PagePath};
use actix_web::{Either, web};
use db::{NumberId, TenantTx};
use money::Percent;
use subscription::{Collection, Customer, NumberTerms, PartnerTerms, ShareOf, Split};
use tenant::Role;

/// The domain's fields, and ours.
const FIELDS: [(&str, &str); 2] = [("share_percent", "share"), ("agreement", "agreement")];

fn read_split(given: &Given, faults: &mut Faults) -> Option<Split> {
    let percent = read::percent(given.get("share"))
        .and_then(|percent| Percent::new(percent).map_err(|_| "Must have at most three decimals.".to_owned()));
    let share = faults.keep("share", percent);
    let one_of = || "Must be one of the two.".to_owned();
    let collection = faults.keep("collection", Collection::from_word(given.get("collection")).ok_or_else(one_of));
    let of = faults.keep("of", ShareOf::from_word(given.get("of")).ok_or_else(one_of));
    Some(Split { share: share?, collection: collection?, of: of? })
}

/// What is shown: as it is agreed, or as it was typed.
fn fields(split: &Split, given: &Given, faults: &Faults) -> Fields {
    let share = format::quantity(split.share.as_decimal());
    let collections = vec![
        Choice::new("tenant", "The customer").note("From its own callers; your share is usage on its bill"),
        Choice::new("seller", "The network, for you")
            .note("Premium rate: you owe the customer the rest, month by month"),
    ];
    let bases = vec![
        Choice::new("received", "Of what the level got").note("Net of tax, promotional credit included"),
        Choice::new("gross", "Of the caller's whole charge").note("Net of tax, whatever stands between"),
    ];
    Fields::new()
        .half(
            Field::figure("share", "Your share", given.or("share", &share).to_owned())
                .after("%")
                .hint("0 is rent only where the customer collects")
                .error(faults.at("share"))
                .required(),
        )
        .choices(
            Choices::one(
                "collection",
                "Who collects",
                given.or("collection", split.collection.as_str()).to_owned(),
                collections,
            )
            .error(faults.at("collection")),
        )
        .choices(
            Choices::one("of", "Your share is", given.or("of", split.of.as_str()).to_owned(), bases)
                .error(faults.at("of")),
        )
}

/// A number that this book sells, and its terms.
struct Sold {
    terms: NumberTerms,
    e164: String,
    customer: Customer,
}

async fn sold(member: &Member, tx: &TenantTx, path: &str) -> PageResult<Sold> {
    let id: NumberId = path.parse()?;
    let terms = subscription::number_terms(tx, id).await?.ok_or(PageError::NotFound)?;
    let customer = subscription::customer(tx, terms.customer_id).await?.ok_or(PageError::NotFound)?;
    let (e164, _) = numbers_sold::known(&member.app, member.now).await?.remove(&id).ok_or(PageError::NotFound)?;
    Ok(Sold { terms, e164, customer })
}

/// `GET /ops/numbers/{number_id}/split`
pub async fn of_number(member: Member, path: web::Path<String>) -> PageResult<FormPage> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let sold = sold(&member, &tx, &path).await?;
    number_page(&member, &tx, &sold, &Given::default(), &Faults::default()).await
}

async fn number_page(
    member: &Member,
    tx: &TenantTx,
    sold: &Sold,
    given: &Given,
    faults: &Faults,
) -> PageResult<FormPage> {
    let Sold { terms, e164, customer } = sold;
    let number = format::phone(e164);
    let split = Split { share: terms.share, collection: terms.collection, of: terms.of };
    let whose = vec![
        Choice::new("own", "Its own, below"),
        Choice::new("customer", format!("Those of {}", customer.name)).note("Whatever they become"),
    ];
    let chosen = if terms.follows_customer { "customer" } else { "own" };
    let whose = Choices::one("whose", "Terms", given.or("whose", chosen).to_owned(), whose).error(faults.at("whose"));
    let audience = member.audience;
    Ok(FormPage {
        shell: shell(member, tx, "Revenue split", Section::Numbers).await?,
        heading: Heading::new(format!("How {number} is shared"))
            .path(PagePath::under("Numbers", audience.numbers(), number.clone()))
            .facts(format!("Sold to {}", customer.name)),
        note: None,
        action: audience.number_split(terms.number_id),
        parts: vec![
            FormPart { title: "Whose terms", text: "", fields: Fields::new().choices(whose) },
            FormPart {
                title: "Its own terms",
                text: "Used only where the number has its own.",
                fields: fields(&split, given, faults),
            },
        ],
        button: "Agree".into(),
        remark: "Calls that have arrived keep the terms that they arrived with.".into(),
        back_href: audience.numbers(),
    })
}

/// `POST /ops/numbers/{number_id}/split`
pub async fn agree_number(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let sold = sold(&member, &tx, &path).await?;
    let mut faults = Faults::default();
    let (number_id, customer_id) = (sold.terms.number_id, sold.terms.customer_id);
    let agreed = match given.get("whose") {
        "customer" => Some(subscription::follow_customer(&tx, number_id, customer_id, member.now).await),
        "own" => match read_split(&given, &mut faults) {
            Some(split) => Some(subscription::set_split(&tx, number_id, customer_id, split, member.now).await),
            None => None,
        },
        _ => {
            faults.say("whose", "Must be one of the two.");
            None
        }
    };
    if let Some(Err(error)) = agreed {
        faults.refused(error, &FIELDS)?;
    }
    if !faults.none() {
        return Ok(again(number_page(&member, &tx, &sold, &given, &faults).await?));
    }
    let payload = serde_json::json!({ "number": sold.e164, "whose": given.get("whose"), "share": given.get("share") });
    tenant::record_audit(&tx, &member.actor(), "number.split", &number_id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let notice = format!("Agreed for {}.", format::phone(&sold.e164));
    Ok(Either::Left(see_other(member.audience.numbers()).notice(notice)))
}

async fn find(tx: &TenantTx, path: &str) -> PageResult<Customer> {
    subscription::customer(tx, path.parse()?).await?.ok_or(PageError::NotFound)
}

/// `GET /ops/customers/{customer_id}/split`
pub async fn of_customer(member: Member, path: web::Path<String>) -> PageResult<FormPage> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    customer_page(&member, &tx, &customer, &Given::default(), &Faults::default()).await
}

async fn customer_page(
    member: &Member,
    tx: &TenantTx,
    customer: &Customer,
    given: &Given,
    faults: &Faults,
) -> PageResult<FormPage> {
    let terms = subscription::partner_terms(tx, customer.id).await?;
    let audience = member.audience;
    let agreement = Field::text("agreement", "Agreement", given.or("agreement", &terms.agreement).to_owned())
        .hint("As a statement names it: Agreement of 14 May 2026")
        .error(faults.at("agreement"));
    Ok(FormPage {
        shell: shell(member, tx, "Revenue split", Section::Customers).await?,
        heading: Heading::new(format!("How revenue is shared with {}", customer.name)).path(PagePath::under(
            &customer.name,
            audience.customer(customer.id),
            "Revenue split",
        )),
        note: None,
        action: audience.customer_split(customer.id),
        parts: vec![
            FormPart {
                title: "Terms",
                text: "Of each of its numbers that has none of its own.",
                fields: fields(&terms.split, given, faults),
            },
            FormPart {
                title: "Self-billing",
                text: "A statement is an invoice in the partner's name: it has agreed to that.",
                fields: Fields::new().whole(agreement),
            },
        ],
        button: "Agree".into(),
        remark: "Calls that have arrived keep the terms that they arrived with.".into(),
        back_href: audience.customer(customer.id),
    })
}

/// `POST /ops/customers/{customer_id}/split`
pub async fn agree_customer(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let customer = find(&tx, &path).await?;
    let mut faults = Faults::default();
    if let Some(split) = read_split(&given, &mut faults) {
        let terms = PartnerTerms { customer_id: customer.id, split, agreement: given.get("agreement").to_owned() };
        if let Err(error) = subscription::set_partner_terms(&tx, &terms, member.now).await {
            faults.refused(error, &FIELDS)?;
        }
    }
    if !faults.none() {
        return Ok(again(customer_page(&member, &tx, &customer, &given, &faults).await?));
    }
    let payload = serde_json::json!({ "share": given.get("share"), "collection": given.get("collection"), "of": given.get("of") });
    tenant::record_audit(&tx, &member.actor(), "customer.split", &customer.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let notice = format!("Agreed with {}.", customer.name);
    Ok(Either::Left(see_other(member.audience.customer(customer.id)).notice(notice)))
}
