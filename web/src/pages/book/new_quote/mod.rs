//! Writes a quote: what it is made of, then its form. From a plan it takes the terms of its newest version, from an estimate
//! those of one commercial model; term, discount and least amount may be others for this quote alone.

mod fields;
mod source;

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::pages::form::{self, Faults, Given, Outcome, again};
use crate::read;
use crate::rules;
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::book::List;
use crate::views::form::FormPage;
use crate::views::parts::{Heading, PagePath};
use actix_web::{Either, web};
use chrono::Days;
use db::TenantTx;
use invoicing::InvoicingError;
use money::Percent;
use rust_decimal::Decimal;
use source::{Chosen, Source};
use std::collections::BTreeMap;
use subscription::{Billing, Measure, NewPlanVersion, NewQuote, Prospect, Quote, QuotedCustomer, SubscriptionError};
use tenant::Role;

/// The domain's fields, and ours.
const FIELDS: [(&str, &str); 14] = [
    ("plan_name", "plan_name"),
    ("valid_until", "valid_until"),
    ("with_trial", "with_trial"),
    ("seats", "seats"),
    ("term_months", "term_months"),
    ("term_discount_percent", "term_discount"),
    ("commitment", "commitment"),
    ("fee_cap", "commitment"),
    ("terms/currency", "customer"),
    ("customer_id", "customer"),
    ("name", "name"),
    ("email", "email"),
    ("time_zone", "time_zone"),
    ("country", "country"),
];

/// `GET /admin/quotes/new`: first what it is made of, then the form.
pub async fn form(member: Member, given: web::Query<Given>) -> PageResult<Either<List, FormPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    Ok(match source::choose(&member, &tx, &given).await? {
        Chosen::List(list) => Either::Left(*list),
        Chosen::Source(source) => Either::Right(page(&member, &tx, &source, &given, &Faults::default()).await?),
    })
}

/// `POST /admin/quotes`: the address names what it is made of, as the form's did.
pub async fn create(
    member: Member,
    asked: web::Query<Given>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let Chosen::Source(source) = source::choose(&member, &tx, &asked).await? else { return Err(PageError::NotFound) };
    let mut faults = Faults::default();
    let Some(new) = read_quote(&member, &source, &given, &mut faults)? else {
        return Ok(again(page(&member, &tx, &source, &given, &faults).await?));
    };
    let meters = usage_metering::own_measures(&tx).await?;
    let quote = match write(&member, &tx, &new, &meters).await? {
        Ok(quote) => quote,
        Err(error) => {
            refused(&mut faults, error)?;
            // The transaction may be broken by what was refused: the page is read by another one.
            drop(tx);
            return Ok(again(page(&member, &member.tx().await?, &source, &given, &faults).await?));
        }
    };
    let id = quote.id;
    let payload = serde_json::json!({ "number": quote.number, "plan_name": quote.plan_name });
    tenant::record_audit(&tx, &member.actor(), "quote.create", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let text = format!("{} is written. Make its link, and nobody sees it before.", quote.number);
    Ok(Either::Left(see_other(member.audience.quote(id)).notice(text)))
}

/// Writes it, or says what was refused.
async fn write(
    member: &Member,
    tx: &TenantTx,
    new: &NewQuote,
    meters: &[Measure],
) -> PageResult<Result<Quote, SubscriptionError>> {
    let id = match subscription::create_quote(tx, new, meters, &member.actor(), member.now).await {
        Ok((id, _)) => id,
        Err(error) => return Ok(Err(error)),
    };
    let quote = subscription::quote(tx, id).await?.ok_or_else(|| PageError::failed("a quote that is not there"))?;
    match invoicing::must_be_reckoned(tx, &quote).await {
        Ok(_) => Ok(Ok(quote)),
        Err(InvoicingError::Subscription(error)) => Ok(Err(error)),
        Err(error) => Err(error.into()),
    }
}

/// A quantity stands at its component's field, everything else where the list says.
fn refused(faults: &mut Faults, error: SubscriptionError) -> PageResult<()> {
    match error.refusal() {
        Some(refusal) if refusal.field.starts_with("quantities/") => {
            faults.say(&refusal.field, rules::of_subscription(&refusal.rule));
            Ok(())
        }
        // A price is the plan's, and has no field here.
        Some(refusal) if refusal.field.starts_with("components/") => {
            let key = refusal.field.split('/').nth(1).unwrap_or_default();
            faults.say("plan_name", format!("The price of “{key}”: {}", rules::of_subscription(&refusal.rule)));
            Ok(())
        }
        _ => faults.refused(error, &FIELDS),
    }
}

fn read_quote(member: &Member, source: &Source, given: &Given, faults: &mut Faults) -> PageResult<Option<NewQuote>> {
    let zone = &member.session.organisation.time_zone;
    let plan_name = faults.keep("plan_name", form::text(given.get("plan_name")));
    let terms = read_terms(source, given, faults);
    let (seats, quantities) = read_quantities(source, given, faults);
    let customer = read_customer(given, faults);
    // The day itself still counts.
    let valid_until = match faults.keep("valid_until", read::day(given.get("valid_until"))) {
        Some(on) => {
            let after = on.checked_add_days(Days::new(1));
            let until = after.and_then(|after| super::words::midnight(after, zone).ok());
            if until.is_none() {
                // Beyond the calendar, and the rule says ten years.
                faults.say("valid_until", "Must lie within ten years.");
            }
            until
        }
        None => None,
    };
    let (Some(plan_name), Some(terms), Some(customer), Some(valid_until)) = (plan_name, terms, customer, valid_until)
    else {
        return Ok(None);
    };
    if !faults.none() {
        return Ok(None);
    }
    Ok(Some(NewQuote {
        plan_name,
        plan_description: given.get("plan_description").to_owned(),
        terms,
        seats,
        quantities,
        with_trial: given.get("with_trial") == "yes",
        customer,
        estimate_id: source.estimate_id,
        note: given.get("note").to_owned(),
        valid_until,
    }))
}

fn read_terms(source: &Source, given: &Given, faults: &mut Faults) -> Option<NewPlanVersion> {
    let currency = source.terms.currency;
    let months = faults.keep("term_months", read::count(given.get("term_months"), 1, 120));
    let percent = read::percent(given.or("term_discount", "0"))
        .and_then(|percent| Percent::new(percent).map_err(|_| "Must have at most three decimals.".to_owned()));
    let discount = faults.keep("term_discount", percent);
    let commitment = faults.keep("commitment", read::money(given.or("commitment", "0"), currency));
    Some(NewPlanVersion {
        term_months: months?,
        term_discount_percent: discount?,
        commitment: commitment?,
        ..source.terms.clone()
    })
}

/// Assigned seats are typed once: they are subscribed, and they are the month's quantity.
fn read_quantities(source: &Source, given: &Given, faults: &mut Faults) -> (u32, BTreeMap<String, Decimal>) {
    let mut seats = 0;
    if source.seat_component().is_some() {
        seats = faults.keep("seats", read::count(given.get("seats"), 0, 100_000)).unwrap_or_default();
    }
    let mut quantities = BTreeMap::new();
    for component in source.terms.components.iter().filter(|component| component.is_counted()) {
        if Source::is_assigned(component) {
            quantities.insert(component.key.clone(), Decimal::from(seats));
            continue;
        }
        let name = format!("quantities/{}", component.key);
        if let Some(quantity) = faults.keep(&name, read::amount(given.or(&name, "0"))) {
            quantities.insert(component.key.clone(), quantity);
        }
    }
    (seats, quantities)
}

fn read_customer(given: &Given, faults: &mut Faults) -> Option<QuotedCustomer> {
    if !given.get("customer").is_empty() {
        return faults.keep("customer", form::id(given.get("customer"))).map(QuotedCustomer::Known);
    }
    let kept = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    let name = faults.keep("name", form::text(given.get("name")));
    let days = faults.keep("payment_terms_days", read::count(given.get("payment_terms_days"), 0, 365));
    let billing = Billing::from_word(given.get("billing")).ok_or("Must be one of the two.".to_owned());
    let billing = faults.keep("billing", billing);
    Some(QuotedCustomer::New(Prospect {
        name: name?,
        email: kept(given.get("email")),
        time_zone: given.get("time_zone").to_owned(),
        country: given.get("country").to_uppercase(),
        address_lines: form::lines(given.get("address")),
        tax_id: kept(given.get("tax_id")),
        payment_terms_days: u16::try_from(days?).ok()?,
        billing: billing?,
    }))
}

async fn page(member: &Member, tx: &TenantTx, source: &Source, given: &Given, faults: &Faults) -> PageResult<FormPage> {
    let shown = fields::Shown { member, source, given, faults };
    let month = shown.month();
    let mut parts = vec![shown.buyer(tx).await?, shown.newcomer(), shown.what(), shown.terms()];
    parts.extend(month);
    parts.push(shown.until()?);
    Ok(FormPage {
        shell: shell(member, tx, "A new quote", Section::Plans).await?,
        heading: Heading::new(format!("A quote from {}", source.name))
            .path(PagePath::under("Quotes", member.audience.quotes(), "New"))
            .facts(source.said.clone()),
        note: None,
        action: with_query(&member.audience.quotes(), &source.asked()),
        parts,
        button: "Write the quote".into(),
        remark: "Nobody sees it before you make its link.".into(),
        back_href: member.audience.quotes(),
    })
}
