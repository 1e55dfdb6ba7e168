//! The fields of a quote, with what was typed, else what its source proposes.

use super::source::Source;
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::pages::book::words::civil_day;
use crate::pages::form::{Faults, Given};
use crate::views::fields::{Control, Field};
use crate::views::form::{Choice, Choices, Fields, FormPart};
use chrono::Days;
use db::TenantTx;
use subscription::{Billing, CUSTOMERS_PER_PAGE_MAX, Component, ComponentKind, CustomerFilter};

/// For how long a quote holds when nothing else is said.
const DAYS_VALID: u64 = 30;

/// What the form shows.
pub struct Shown<'a> {
    pub member: &'a Member,
    pub source: &'a Source,
    pub given: &'a Given,
    pub faults: &'a Faults,
}

impl Shown<'_> {
    fn field(&self, name: &str, label: &str, usual: &str) -> Field {
        Field::text(name, label, self.given.or(name, usual)).error(self.faults.at(name))
    }

    fn figure(&self, name: &str, label: &str, usual: &str) -> Field {
        Field::figure(name, label, self.given.or(name, usual)).error(self.faults.at(name))
    }

    /// Somebody of the book, or nobody yet.
    pub async fn buyer(&self, tx: &TenantTx) -> PageResult<FormPart> {
        let filter = CustomerFilter { limit: CUSTOMERS_PER_PAGE_MAX, ..CustomerFilter::default() };
        let customers = subscription::customers(tx, &filter).await?;
        let fitting = customers
            .iter()
            .filter(|customer| customer.closed_at.is_none() && customer.currency == self.source.terms.currency);
        let options = std::iter::once((String::new(), "Somebody new".to_owned()))
            .chain(fitting.map(|customer| (customer.id.to_string(), customer.name.clone())));
        let field = Field::choice("customer", "Customer", self.given.get("customer"), options);
        let currency = self.source.terms.currency;
        Ok(FormPart {
            title: "For whom",
            text: "A customer of the book, or somebody who becomes one by accepting.",
            fields: Fields::new().whole(
                field.hint(format!("Customers who are charged in {currency}")).error(self.faults.at("customer")),
            ),
        })
    }

    pub fn newcomer(&self) -> FormPart {
        let organisation = &self.member.session.organisation;
        let ways = vec![
            Choice::new(Billing::Postpaid.as_str(), "By invoice").note("At the end of each period"),
            Choice::new(Billing::Prepaid.as_str(), "From a wallet").note("Opened when the quote is accepted"),
        ];
        let billing = self.given.or("billing", Billing::Postpaid.as_str());
        let fields = Fields::new()
            .half(self.field("name", "Name", ""))
            .half(self.field("email", "E-mail", "").control(Control::Email))
            .whole(self.field("address", "Address", "").control(Control::Area))
            .half(self.field("country", "Country", &organisation.country).hint("Two letters, as DE"))
            .half(self.field("time_zone", "Time zone", &organisation.time_zone).hint("As Europe/Berlin"))
            .half(self.field("tax_id", "Tax id", ""))
            .half(self.figure("payment_terms_days", "Time to pay", "14").after("days"))
            .choices(Choices::one("billing", "Pays", billing, ways).error(self.faults.at("billing")));
        FormPart { title: "Somebody new", text: "Whoever accepts may correct it.", fields }
    }

    pub fn what(&self) -> FormPart {
        let name = self.field("plan_name", "Name of the plan", &self.source.plan_name);
        let description = self.field("plan_description", "In a sentence", &self.source.plan_description);
        FormPart {
            title: "What",
            text: "It becomes a plan of this name when it is accepted.",
            fields: Fields::new().whole(name.required()).whole(description.control(Control::Area)),
        }
    }

    pub fn terms(&self) -> FormPart {
        let terms = &self.source.terms;
        let months = terms.term_months.to_string();
        let discount = format::quantity(terms.term_discount_percent.as_decimal());
        let least = terms.commitment.as_decimal().normalize().to_string();
        let least = self.figure("commitment", "Least to pay for usage", &least).before(terms.currency.symbol());
        let mut fields = Fields::new()
            .half(self.figure("term_months", "Term", &months).after("months").required())
            .half(self.figure("term_discount", "Off what recurs", &discount).after("%"))
            .half(least.hint("A month; 0 for nothing"));
        if terms.trial_days > 0 {
            let days = format::counted(terms.trial_days.into(), "day", "days");
            let tick = Field::tick("with_trial", format!("Begin with the trial of {days}"), self.is_ticked());
            fields = fields.whole(tick.error(self.faults.at("with_trial")));
        }
        FormPart { title: "Terms", text: "For this quote alone.", fields }
    }

    fn is_ticked(&self) -> bool {
        self.given.get("with_trial") == "yes"
    }

    /// One field for each quantity that a month has.
    pub fn month(&self) -> Option<FormPart> {
        let mut fields = Fields::new();
        for component in self.source.terms.components.iter().filter(|component| component.is_counted()) {
            fields = fields.half(match Source::is_assigned(component) {
                true => self.figure("seats", &component.name, &self.source.seats.to_string()).after("seats"),
                false => {
                    let usual = self.source.quantities.get(&component.key).copied();
                    let usual = usual.map_or_else(String::new, |quantity| quantity.normalize().to_string());
                    let name = format!("quantities/{}", component.key);
                    self.figure(&name, &component.name, &usual).after(unit(component))
                }
            });
        }
        (!fields.0.is_empty()).then_some(FormPart {
            title: "A month of it",
            text: "The quantities that the reader is shown a month of.",
            fields,
        })
    }

    pub fn until(&self) -> PageResult<FormPart> {
        let today = civil_day(self.member.now, &self.member.session.organisation.time_zone)?;
        let usual = today.checked_add_days(Days::new(DAYS_VALID)).unwrap_or(today).to_string();
        let until = self.field("valid_until", "Can be accepted until", &usual).control(Control::Date);
        let note = self.field("note", "A word to the reader", "").control(Control::Area);
        Ok(FormPart {
            title: "Until when",
            text: "",
            fields: Fields::new().half(until.hint("That day included").required()).whole(note),
        })
    }
}

fn unit(component: &Component) -> &'static str {
    match (component.kind, component.measure.as_deref()) {
        (ComponentKind::Seat, Some("daily")) => "seat-days",
        (ComponentKind::Seat, _) => "seats",
        (ComponentKind::Hours, _) => "hours",
        (ComponentKind::Channels, _) => "at once",
        (_, Some("calls")) => "calls",
        (_, Some("minutes")) => "minutes",
        _ => "",
    }
}
