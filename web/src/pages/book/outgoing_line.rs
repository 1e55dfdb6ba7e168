//! Who pays for what agents dial on their phones, and which number is shown: its form on the page of calls out.

use super::carriers::broken;
use super::outgoing::page;
use crate::answer::{SeeOther, see_other};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::views::fields::Field;
use crate::views::form::Fields;
use crate::views::panels::{FormCard, Panels};
use actix_web::{Either, web};
use call_control::{LineOf, OutgoingLine};
use db::TenantTx;
use tenant::Role;

pub(super) async fn form(member: &Member, tx: &TenantTx, given: &Given, faults: &Faults) -> PageResult<FormCard> {
    let known = call_control::outgoing_line(tx, LineOf::Everybody).await?;
    let is_sent = given.get("form") == "line";
    let text = |name: &str, usual: String| if is_sent { given.get(name).to_owned() } else { usual };
    let customer = match &known {
        Some(line) => subscription::customer(tx, line.customer_id).await?.map(|customer| customer.customer_no),
        None => None,
    };
    let numbers = subscription::numbers(tx, member.now).await?;
    let numbers = numbers.into_iter().map(|number| (number.e164.clone(), format::phone(&number.e164)));
    let country = known.as_ref().and_then(|line| line.country_code.clone()).unwrap_or_default();
    let fields = Fields::new()
        .whole(
            Field::text("line_customer", "Customer's number", text("line_customer", customer.unwrap_or_default()))
                .hint("Who pays, within its own limits; empty: agents' phones dial nobody")
                .error(faults.at("line_customer")),
        )
        .whole(
            Field::choice(
                "line_number",
                "Number that is shown",
                text("line_number", known.map_or_else(String::new, |line| line.number)),
                numbers,
            )
            .error(faults.at("line_number")),
        )
        .whole(
            Field::text("line_country", "Country of numbers without a country's code", text("line_country", country))
                .before("+")
                .hint("49: who dials 030 12345 calls Berlin. Empty: every number is dialled with its country's code")
                .error(faults.at("line_country")),
        );
    Ok(FormCard::post("What agents dial", member.audience.outgoing_line(), fields, "Save who pays")
        .kept("form", "line"))
}

async fn read(tx: &TenantTx, given: &Given, faults: &mut Faults) -> PageResult<Option<Option<OutgoingLine>>> {
    let customer_no = given.get("line_customer");
    if customer_no.is_empty() {
        return Ok(Some(None));
    }
    let Some(customer) = subscription::customer_by_no(tx, customer_no).await? else {
        faults.say("line_customer", format!("Must be the number of a customer, not “{customer_no}”."));
        return Ok(None);
    };
    let country = given.get("line_country").trim_start_matches('+');
    Ok(Some(Some(OutgoingLine {
        customer_id: customer.id,
        number: given.get("line_number").to_owned(),
        country_code: Some(country.to_owned()).filter(|code| !code.is_empty()),
    })))
}

/// `POST /admin/outgoing/line`
pub async fn set(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, Panels>> {
    member.must(Role::Admin)?;
    let mut faults = Faults::default();
    let tx = member.tx().await?;
    if let Some(line) = read(&tx, &given, &mut faults).await? {
        match call_control::set_outgoing_line(&tx, LineOf::Everybody, line.as_ref(), member.now).await {
            Ok(()) => {
                let payload = serde_json::json!({ "number": line.as_ref().map(|line| &line.number) });
                tenant::record_audit(&tx, &member.actor(), "outgoing.line", "", payload, member.now).await?;
                tx.commit().await?;
                return Ok(Either::Left(
                    see_other(member.audience.outgoing()).notice("It holds from the next call on."),
                ));
            }
            Err(error) => broken(error, &mut faults)?,
        }
    }
    Ok(again(page(&member, &given, &faults).await?))
}
