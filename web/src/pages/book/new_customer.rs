//! Takes a customer into the book: the form, and the form once more when a value breaks a rule.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::PageResult;
use crate::extract::Member;
use crate::pages::form::{self, Faults, Given, Outcome, again};
use crate::read;
use crate::shell::Section;
use crate::views::fields::{Control, Field};
use crate::views::form::{Choice, Choices, Fields, FormPage, FormPart};
use crate::views::parts::{Heading, PagePath};
use actix_web::{Either, web};
use chrono::Datelike;
use db::{CustomerId, TenantTx};
use money::{Currency, Money};
use subscription::{Billing, NewCustomer, TaxTreatment};
use tenant::{Organisation, Role};

/// The domain's fields, and ours.
const FIELDS: [(&str, &str); 11] = [
    ("customer_no", "customer_no"),
    ("name", "name"),
    ("email", "email"),
    ("billing", "billing"),
    ("currency", "currency"),
    ("time_zone", "time_zone"),
    ("country", "country"),
    ("tax_id", "tax_id"),
    ("payment_terms_days", "payment_terms_days"),
    ("anchor_on", "anchor_on"),
    ("floor", "credit_limit"),
];

/// `GET /admin/customers/new`
pub async fn form(member: Member, given: web::Query<Given>) -> PageResult<FormPage> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    page(&member, &tx, &given, &Faults::default()).await
}

/// `POST /admin/customers`
pub async fn create(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let Some(new) = read(&given, &mut faults) else {
        return Ok(again(page(&member, &tx, &given, &faults).await?));
    };
    let created: Result<CustomerId, _> = subscription::create_customer(&tx, &new, member.now).await;
    let id = match created {
        Ok(id) => id,
        Err(error) => {
            faults.refused(error, &FIELDS)?;
            // The transaction may be broken by what was refused: the page is read by another one.
            drop(tx);
            return Ok(again(page(&member, &member.tx().await?, &given, &faults).await?));
        }
    };
    let payload = serde_json::json!({ "customer_no": new.customer_no, "name": new.name });
    tenant::record_audit(&tx, &member.actor(), "customer.create", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.customer(id)).notice(format!("{} is a customer now.", new.name))))
}

fn read(given: &Given, faults: &mut Faults) -> Option<NewCustomer> {
    let customer_no = faults.keep("customer_no", form::text(given.get("customer_no")));
    let name = faults.keep("name", form::text(given.get("name")));
    let billing =
        faults.keep("billing", Billing::from_word(given.get("billing")).ok_or("Must be one of the two.".into()));
    let currency = given.get("currency").to_uppercase().parse::<Currency>();
    let currency = faults.keep("currency", currency.map_err(|_| "Must be an ISO 4217 code such as EUR.".into()));
    let treatment = TaxTreatment::from_word(given.get("tax_treatment")).ok_or("Must be one of the list.".into());
    let treatment = faults.keep("tax_treatment", treatment);
    let days = faults.keep("payment_terms_days", read::count(given.get("payment_terms_days"), 0, 365));
    let anchor_on = faults.keep("anchor_on", read::day(given.get("anchor_on")));
    let limit = match (given.get("credit_limit"), currency) {
        ("", Some(currency)) => Some(Money::zero(currency)),
        (limit, Some(currency)) => faults.keep("credit_limit", read::money(limit, currency)),
        _ => None,
    };
    let kept = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
    Some(NewCustomer {
        customer_no: customer_no?,
        name: name?,
        email: kept(given.get("email")),
        organisation_id: None,
        billing: billing?,
        currency: currency?,
        time_zone: given.get("time_zone").to_owned(),
        country: given.get("country").to_uppercase(),
        address_lines: given
            .get("address")
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(Into::into)
            .collect(),
        tax_id: kept(given.get("tax_id")),
        tax_treatment: treatment?,
        payment_terms_days: u16::try_from(days?).ok()?,
        anchor_on: anchor_on?,
        floor: limit?.checked_neg().ok()?,
    })
}

async fn page(member: &Member, tx: &TenantTx, given: &Given, faults: &Faults) -> PageResult<FormPage> {
    let next_no = subscription::next_customer_no(tx).await?;
    let today = super::words::civil_day(member.now, &member.session.organisation.time_zone)?;
    let month = today.with_day(1).unwrap_or(today).to_string();
    let word = member.audience.customers_word();
    let organisation = &member.session.organisation;
    let part = |title, text, fields| FormPart { title, text, fields };
    Ok(FormPage {
        shell: shell(member, tx, "A new customer", Section::Customers).await?,
        heading: Heading::new("A new customer")
            .path(PagePath::under(word, member.audience.customers(), "New"))
            .facts("Number, currency and the way of paying stay as they are once something is charged."),
        note: None,
        action: member.audience.customers(),
        parts: vec![
            part("Who it is", "As it stands on invoices.", who(given, faults, &next_no)),
            part(
                "How it pays",
                "Calls of a prepaid customer end when its wallet is empty.",
                paying(given, faults, organisation, &month),
            ),
            part(
                "Tax and place",
                "Days and periods are counted in its own time zone.",
                place(given, faults, organisation),
            ),
        ],
        button: "Create the customer".into(),
        remark: String::new(),
        back_href: member.audience.customers(),
    })
}

fn who(given: &Given, faults: &Faults, next_no: &str) -> Fields {
    let number = Field::text("customer_no", "Customer number", given.or("customer_no", next_no))
        .hint("Names the customer on transfers and in calls with a PIN");
    Fields::new()
        .half(Field::text("name", "Name", given.get("name")).error(faults.at("name")).required())
        .half(number.error(faults.at("customer_no")).required())
        .half(Field::text("email", "E-mail", given.get("email")).control(Control::Email).error(faults.at("email")))
        .half(Field::text("tax_id", "Tax id", given.get("tax_id")).error(faults.at("tax_id")))
        .whole(
            Field::text("address", "Address", given.get("address")).control(Control::Area).error(faults.at("address")),
        )
}

fn paying(given: &Given, faults: &Faults, organisation: &Organisation, month: &str) -> Fields {
    let ways = vec![
        Choice::new(Billing::Postpaid.as_str(), "By invoice").note("At the end of each period, within the days below"),
        Choice::new(Billing::Prepaid.as_str(), "From a wallet")
            .note("Topped up before; each call is charged while it runs"),
    ];
    let currency = Field::text("currency", "Currency", given.or("currency", organisation.currency.code()));
    let limit = Field::figure("credit_limit", "Credit limit of the wallet", given.get("credit_limit"));
    let anchor =
        Field::text("anchor_on", "Months are counted from", given.or("anchor_on", month)).control(Control::Date);
    Fields::new()
        .choices(
            Choices::one("billing", "Pays", given.or("billing", Billing::Postpaid.as_str()), ways)
                .error(faults.at("billing")),
        )
        .half(currency.hint("The only one in which it is charged").error(faults.at("currency")).required())
        .half(
            Field::figure("payment_terms_days", "Time to pay", given.or("payment_terms_days", "14"))
                .after("days")
                .error(faults.at("payment_terms_days"))
                .required(),
        )
        .half(limit.hint("How far below zero it may go; empty for not at all").error(faults.at("credit_limit")))
        .half(anchor.hint("For calls that no plan covers").error(faults.at("anchor_on")).required())
}

fn place(given: &Given, faults: &Faults, organisation: &Organisation) -> Fields {
    let treatments = TaxTreatment::ALL.iter().map(|it| (it.as_str(), super::words::spoken(it.as_str())));
    let treatment = given.or("tax_treatment", TaxTreatment::Standard.as_str());
    let country = Field::text("country", "Country", given.or("country", &organisation.country));
    let zone = Field::text("time_zone", "Time zone", given.or("time_zone", &organisation.time_zone));
    Fields::new()
        .half(Field::choice("tax_treatment", "Tax", treatment, treatments).error(faults.at("tax_treatment")))
        .half(country.hint("Two letters, as DE").error(faults.at("country")).required())
        .half(zone.hint("As Europe/Berlin").error(faults.at("time_zone")).required())
}
