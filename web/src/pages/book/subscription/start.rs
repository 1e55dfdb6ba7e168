//! Puts a customer on a plan: the form, what the first document would say, and subscribing.

use super::change::prices_in_short;
use super::preview::{self, Figures};
use crate::answer::{SeeOther, see_other};
use crate::begin::{self, Beginning, Part, Refused};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::pages::book::shell;
use crate::pages::book::words::{self, civil_day, midnight};
use crate::pages::form::{self, Faults, Given, Outcome as Answer, again};
use crate::read;
use crate::shell::Section;
use crate::views::fields::{Control, Field};
use crate::views::form::{Choice, Choices, Fields, FormPart, Kept};
use crate::views::parts::{Heading, Note, PagePath};
use crate::views::subscriptions::{Decide, Outcome};
use actix_web::{Either, web};
use chrono::{Datelike, NaiveDate};
use db::{CustomerId, TenantTx};
use subscription::{Customer, NewSubscription, Plan, TrialEnd};
use tenant::Role;

/// The fields that refusals of the domain name, and ours.
const FIELDS: [(&str, &str); 10] = [
    ("trial_end", "trial_end"),
    ("plan_version_id", "version"),
    ("seats", "seats"),
    ("anchor_on", "anchor_on"),
    ("starts_at", "starts_on"),
    ("trial", "trial"),
    ("customer_id", "version"),
    ("components", "add_on"),
    ("coupon", "coupon"),
    ("code", "coupon"),
];

/// The same where an add-on is what does not fit.
const ADD_ON_FIELDS: [(&str, &str); 2] = [("plan_version_id", "add_on"), ("components", "add_on")];

/// `GET /admin/customers/{customer_id}/subscriptions/new`: the form, and beside it what confirming would do.
pub async fn start(member: Member, path: web::Path<String>, given: web::Query<Given>) -> PageResult<Decide> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let (customer, sold) = read_both(&tx, path.parse()?).await?;
    let mut faults = Faults::default();
    let outcome =
        if given.has("sent") { outcome(&member, &tx, &customer, &sold, &given, &mut faults).await? } else { None };
    page(&member, &tx, &customer, &sold, &given, &faults, None, outcome.map(|(outcome, _)| outcome)).await
}

/// `POST /admin/customers/{customer_id}/subscriptions`
pub async fn begin(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Answer<SeeOther, Decide>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let (customer, sold) = read_both(&tx, path.parse()?).await?;
    let mut faults = Faults::default();
    let shown = outcome(&member, &tx, &customer, &sold, &given, &mut faults).await?;
    let wish = read_wish(&member, &customer, &sold, &given, &mut faults)?;
    let (Some((shown, figures)), Some(wish)) = (shown, wish) else {
        return Ok(again(page(&member, &tx, &customer, &sold, &given, &faults, None, None).await?));
    };
    if figures.print() != given.get("figures") {
        let note = Note::wrong(
            "Nothing was changed.",
            "The figures are others than those that were shown. Look at them again.",
        );
        return Ok(again(page(&member, &tx, &customer, &sold, &given, &faults, Some(note), Some(shown)).await?));
    }
    let begun = begin::begin(&tx, &wish, &member.actor(), member.now).await;
    let id = begun.map_err(|refused| refused.error)?;
    let name =
        sold.iter().find(|plan| plan.newest.as_ref().is_some_and(|newest| newest.id == wish.new.plan_version_id));
    let name = name.map_or("a plan", |plan| plan.name.as_str());
    let payload = serde_json::json!({ "customer": customer.id.to_string(), "plan": name });
    tenant::record_audit(&tx, &member.actor(), "subscription.start", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.customer(customer.id)).notice(format!("{} has {name}.", customer.name))))
}

async fn read_both(tx: &TenantTx, id: CustomerId) -> PageResult<(Customer, Vec<Plan>)> {
    let customer = subscription::customer(tx, id).await?.ok_or(PageError::NotFound)?;
    let sold = subscription::plans(tx).await?.into_iter();
    let in_its_currency = |plan: &Plan| plan.newest.as_ref().is_some_and(|newest| newest.currency == customer.currency);
    Ok((customer.clone(), sold.filter(|plan| plan.archived_at.is_none() && in_its_currency(plan)).collect()))
}

/// What the wish would do: it is done and given up again, so that what is shown is what is done.
async fn outcome(
    member: &Member,
    tx: &TenantTx,
    customer: &Customer,
    sold: &[Plan],
    given: &Given,
    faults: &mut Faults,
) -> PageResult<Option<(Outcome, Figures)>> {
    let Some(wish) = read_wish(member, customer, sold, given, faults)? else { return Ok(None) };
    let foreseen = async {
        Ok(match begin::begin(tx, &wish, &member.actor(), member.now).await {
            Ok(_) => Ok(preview::of_start(tx, customer, member.now).await?),
            Err(refused) => Err(refused),
        })
    };
    let foreseen: PageResult<_> = tx.tried(foreseen).await?;
    let (bill, figures) = match foreseen? {
        Ok(foreseen) => foreseen,
        Err(Refused { part, error }) => {
            match part {
                Part::AddOn(_) => faults.refused(error, &ADD_ON_FIELDS)?,
                Part::Plan | Part::Coupon => faults.refused(error, &FIELDS)?,
            }
            return Ok(None);
        }
    };
    let mut kept = given.kept();
    kept.retain(|(name, _)| name != "figures");
    kept.push(("figures".into(), figures.print()));
    let name =
        sold.iter().find(|plan| plan.newest.as_ref().is_some_and(|newest| newest.id == wish.new.plan_version_id));
    Ok(Some((
        Outcome {
            changes: None,
            bill: Some(bill),
            action: member.audience.customer_subscriptions(customer.id),
            kept: Kept(kept),
            confirm: format!("Subscribe to {}", name.map_or("the plan", |plan| plan.name.as_str())),
            is_danger: false,
            remark: format!("From {} on.", words::day(civil_day(wish.new.starts_at, &customer.time_zone)?)),
        },
        figures,
    )))
}

fn read_wish(
    member: &Member,
    customer: &Customer,
    sold: &[Plan],
    given: &Given,
    faults: &mut Faults,
) -> PageResult<Option<Beginning>> {
    let version: Option<db::PlanVersionId> = faults.keep("version", form::id(given.get("version")));
    let seats = match given.get("seats") {
        "" => Some(0),
        seats => faults.keep("seats", read::count(seats, 0, 100_000)),
    };
    let today = civil_day(member.now, &customer.time_zone)?;
    let starts_on = faults.keep("starts_on", read::day(given.or("starts_on", &today.to_string())));
    let anchor = match given.get("anchor_on") {
        "" => starts_on.and_then(first_of_month),
        anchor => faults.keep("anchor_on", read::day(anchor)),
    };
    let wanted: Vec<&str> = given.all("add_on").collect();
    let add_ons = sold.iter().filter(|plan| plan.is_add_on && wanted.contains(&plan.id.to_string().as_str()));
    let add_ons = add_ons.filter_map(|plan| plan.newest.as_ref()).map(|newest| newest.id).collect();
    let coupon = Some(given.get("coupon").to_uppercase()).filter(|code| !code.is_empty());
    let (Some(plan_version_id), Some(seats), Some(starts_on), Some(anchor_on)) = (version, seats, starts_on, anchor)
    else {
        return Ok(None);
    };
    // What begins today begins now; what began or begins on another day, with that day.
    let starts_at = if starts_on == today { member.now } else { midnight(starts_on, &customer.time_zone)? };
    let trial = given.get("trial") == "yes";
    let new = NewSubscription { customer_id: customer.id, plan_version_id, seats, anchor_on, starts_at, trial };
    let trial_end = match given.get("trial_end") {
        "" => None,
        word => match TrialEnd::from_word(word) {
            Some(end) => Some(end),
            None => {
                faults.say("trial_end", "Must be one of the list.");
                return Ok(None);
            }
        },
    };
    Ok(Some(Beginning { new, trial_end, add_ons, coupon }))
}

fn first_of_month(day: NaiveDate) -> Option<NaiveDate> {
    day.with_day(1)
}

#[allow(clippy::too_many_arguments, reason = "one page, in two states, from what was read and what was given")]
async fn page(
    member: &Member,
    tx: &TenantTx,
    customer: &Customer,
    sold: &[Plan],
    given: &Given,
    faults: &Faults,
    note: Option<Note>,
    outcome: Option<Outcome>,
) -> PageResult<Decide> {
    let href = member.audience.customer(customer.id);
    let today = civil_day(member.now, &customer.time_zone)?.to_string();
    Ok(Decide {
        shell: shell(member, tx, "A subscription", Section::Customers).await?,
        heading: Heading::new(format!("A plan for {}", customer.name)).path(PagePath::under(
            &customer.name,
            &href,
            "Subscribe",
        )),
        tabs: Vec::new(),
        note,
        action: member.audience.customer_subscription_new(customer.id),
        kept: Kept(vec![("sent".into(), "yes".into())]),
        parts: vec![
            FormPart {
                title: "Plan",
                text: "In its newest version, which it keeps.",
                fields: plan_fields(sold, given, faults),
            },
            FormPart {
                title: "Start",
                text: "Months are counted from the anchor, in its time zone.",
                fields: start_fields(&today, given, faults),
            },
            FormPart { title: "Besides", text: "", fields: besides(sold, given, faults) },
        ],
        outcome,
        back_href: href,
    })
}

fn plan_fields(sold: &[Plan], given: &Given, faults: &Faults) -> Fields {
    let plans = sold.iter().filter(|plan| !plan.is_add_on).filter_map(|plan| Some((plan, plan.newest.as_ref()?)));
    let choices: Vec<Choice> = plans
        .map(|(plan, newest)| Choice::new(newest.id.to_string(), &plan.name).note(prices_in_short(newest)))
        .collect();
    let group = Choices::one("version", "Plan", given.get("version"), choices.clone()).error(faults.at("version"));
    let group = if choices.is_empty() { group.hint("No plan is sold in this customer's currency.") } else { group };
    let seats = Field::figure("seats", "Seats", given.get("seats")).error(faults.at("seats"));
    Fields::new().choices(group).half(seats.hint("Assigned seats, where the plan counts them; empty: none"))
}

fn start_fields(today: &str, given: &Given, faults: &Faults) -> Fields {
    let starts = Field::text("starts_on", "Begins on", given.or("starts_on", today)).control(Control::Date);
    let anchor = Field::text("anchor_on", "Months are counted from", given.get("anchor_on")).control(Control::Date);
    let trial = Field::tick("trial", "Begin with the plan's trial", given.get("trial") == "yes");
    let plan = [("", "What the plan says")].into_iter();
    let ends = plan.chain(TrialEnd::ALL.iter().map(|end| (end.as_str(), words::trial_end(*end))));
    Fields::new()
        .half(starts.error(faults.at("starts_on")).required())
        .half(anchor.hint("Empty: the first of the month of the start").error(faults.at("anchor_on")))
        .whole(
            trial
                .hint("What recurs costs nothing until it ends. Once for each customer and plan.")
                .error(faults.at("trial")),
        )
        .whole(
            Field::choice("trial_end", "When it ends without a means of payment on file", given.get("trial_end"), ends)
                .error(faults.at("trial_end")),
        )
}

fn besides(sold: &[Plan], given: &Given, faults: &Faults) -> Fields {
    let add_ons = sold.iter().filter(|plan| plan.is_add_on).filter_map(|plan| Some((plan, plan.newest.as_ref()?)));
    let choices: Vec<Choice> = add_ons
        .map(|(plan, newest)| Choice::new(plan.id.to_string(), &plan.name).note(prices_in_short(newest)))
        .collect();
    let coupon = Field::text("coupon", "Coupon", given.get("coupon")).error(faults.at("coupon"));
    let fields = Fields::new();
    let fields = if choices.is_empty() {
        fields
    } else {
        fields.choices(Choices::any("add_on", "Add-ons", given.all("add_on"), choices).error(faults.at("add_on")))
    };
    fields.half(coupon.hint("Its code; empty for none"))
}
