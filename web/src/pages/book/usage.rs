//! What was used: one meter over days or hours, by customer and by dimension. It reads sums, never events; the filter stands in
//! the address.

use super::usage_parts;
use super::words::{agent_names, civil_day, period};
use super::{meters, shell};
use crate::error::PageResult;
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Outcome, again};
use crate::read;
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::fields::{Control, Field};
use crate::views::parts::Heading;
use crate::views::usage::UsagePage;
use actix_web::web;
use chrono::{Days, NaiveDate};
use db::{CustomerId, TenantTx};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use subscription::{Customer, CustomerFilter};
use usage_metering::{Meter, UsageSeen};

/// Days shown when nothing is asked.
const DAYS_SHOWN: u64 = 30;
/// More bars than these are no picture.
const DAYS_MAX: i64 = 366;
pub(super) const DAYS_BY_HOUR_MAX: i64 = 14;
/// Rows of a table that compares.
const ROWS_SHOWN: u64 = 20;

/// The filter as it stands in the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub meter: String,
    pub customer: String,
    pub from: String,
    pub until: String,
    pub each: String,
    pub only: String,
    pub by: String,
}

impl Asked {
    /// This page with one value of its filter changed.
    pub fn with(&self, action: &str, name: &str, value: &str) -> String {
        let pairs = [
            ("meter", &self.meter),
            ("customer", &self.customer),
            ("from", &self.from),
            ("until", &self.until),
            ("each", &self.each),
            ("only", &self.only),
            ("by", &self.by),
        ];
        let pairs = pairs.map(|(known, kept)| (known, if known == name { value } else { kept.as_str() }));
        with_query(action, &pairs)
    }
}

/// The filter, understood.
pub(super) struct Looked {
    pub meter: Meter,
    pub customer: Option<Customer>,
    pub seen: UsageSeen,
    pub by_hour: bool,
    /// The dimension that is compared.
    pub by: Option<String>,
    /// Of topics and agents, which usage knows by id.
    names: HashMap<String, String>,
}

impl Looked {
    /// The value of a dimension as people know it.
    pub fn spoken(&self, value: &str) -> String {
        match self.names.get(value) {
            Some(name) => name.clone(),
            None if value.starts_with('+') => format::phone(value),
            None => value.to_owned(),
        }
    }
}

async fn names(tx: &TenantTx) -> PageResult<HashMap<String, String>> {
    let topics = subscription::topics_ever(tx).await?.into_iter().map(|topic| (topic.id.to_string(), topic.name));
    let agents = agent_names(tx).await?.into_iter().map(|(id, name)| (id.to_string(), name));
    Ok(topics.chain(agents).collect())
}

/// `GET /admin/usage`
pub async fn usage(member: Member, asked: web::Query<Asked>) -> PageResult<Outcome<UsagePage, UsagePage>> {
    let mut asked = asked.into_inner();
    let tx = member.tx().await?;
    let meters = usage_metering::meters(&tx).await?;
    let mut faults = Faults::default();
    let looked = look(&member, &tx, &meters, &mut asked, &mut faults).await?;
    let fields = fields(&meters, &asked, &faults);
    let shell = shell(&member, &tx, "Usage", Section::Usage).await?;
    let waiting = usage_parts::waiting(
        &member,
        &usage_metering::suspense_summary(&tx).await?,
        &usage_metering::dirty_hours(&tx).await?,
    );
    let mut page = UsagePage {
        shell,
        heading: Heading::new("Usage"),
        tabs: meters::tabs(&member, "Usage"),
        action: member.audience.usage(),
        fields,
        stats: Default::default(),
        chart: usage_parts::nothing(),
        tables: Vec::new(),
        waiting,
    };
    let Some(looked) = looked.filter(|_| faults.none()) else {
        return Ok(if faults.none() { Outcome::Left(page) } else { again(page) });
    };
    page.heading = heading(&looked);
    let all = usage_metering::seen_total(&tx, &looked.seen).await?;
    if looked.by_hour {
        let hours = usage_metering::seen_by_hour(&tx, &looked.seen).await?;
        page.stats = usage_parts::stats_of_hours(&looked, all, &hours, &member.zone);
        page.chart = usage_parts::hours(&looked, &hours, &member.zone, &member.session.organisation.time_zone)?;
    } else {
        let days = usage_metering::seen_by_day(&tx, &looked.seen).await?;
        page.stats = usage_parts::stats_of_days(&looked, all, &days);
        page.chart = usage_parts::days(&looked, &days);
    }
    if looked.customer.is_none() {
        let (sums, all) = usage_metering::seen_by_customer(&tx, &looked.seen, ROWS_SHOWN).await?;
        let ids: Vec<CustomerId> = sums.iter().map(|sum| sum.customer_id).collect();
        let known = subscription::customers_by_id(&tx, &ids).await?;
        let known = known.into_iter().map(|customer| (customer.id, customer)).collect();
        page.tables.push(usage_parts::customers(&member, &asked, &looked, &sums, &known, all));
    }
    if let Some(by) = &looked.by {
        let sums = usage_metering::seen_by_dimension(&tx, &looked.seen, by, ROWS_SHOWN).await?;
        page.tables.push(usage_parts::dimension(&member, &asked, &looked, by, &sums));
    }
    Ok(Outcome::Left(page))
}

fn heading(looked: &Looked) -> Heading {
    let seen = &looked.seen;
    let mut facts = vec![period(seen.from_on, seen.until_on)];
    facts.push(looked.customer.as_ref().map_or_else(|| "all customers".to_owned(), |customer| customer.name.clone()));
    facts
        .extend(seen.filter.iter().map(|(name, value)| format!("{} {}", name.replace('_', " "), looked.spoken(value))));
    Heading::new(looked.meter.name.clone()).facts(facts.join(" · ")).remark("Days are each customer's own")
}

/// What the filter means. Days that are not said are written into it, so that links keep them.
async fn look(
    member: &Member,
    tx: &TenantTx,
    meters: &[Meter],
    asked: &mut Asked,
    faults: &mut Faults,
) -> PageResult<Option<Looked>> {
    let today = civil_day(member.now, &member.session.organisation.time_zone)?;
    let until_on = day(faults, "until", &asked.until, today);
    let from_on = day(faults, "from", &asked.from, until_on - Days::new(DAYS_SHOWN - 1));
    let by_hour = asked.each == "hour";
    check_days(faults, from_on, until_on, by_hour);
    let customer = whose(tx, &asked.customer, faults).await?;
    let usual = meters.iter().find(|meter| meter.code == "minutes").or(meters.first());
    let meter = match asked.meter.as_str() {
        "" => usual,
        code => meters.iter().find(|meter| meter.code == code),
    };
    let Some(meter) = meter.cloned() else {
        if !asked.meter.is_empty() {
            faults.say("meter", format!("No meter has the code {}.", asked.meter));
        }
        return Ok(None);
    };
    let names = names(tx).await?;
    let filter = only(&asked.only, &meter, &names, faults);
    // What a call is about, where nothing is asked.
    let by = if asked.by.is_empty() { "topic" } else { asked.by.as_str() };
    let by = meter.dimensions.iter().find(|known| *known == by).or(meter.dimensions.first()).cloned();
    asked.meter = meter.code.clone();
    if faults.none() {
        (asked.from, asked.until) = (from_on.to_string(), until_on.to_string());
    }
    let customer_id: Option<CustomerId> = customer.as_ref().map(|customer| customer.id);
    let seen = UsageSeen { meter: meter.code.clone(), customer: customer_id, filter, from_on, until_on };
    Ok(Some(Looked { meter, customer, seen, by_hour, by, names }))
}

fn day(faults: &mut Faults, name: &str, text: &str, usual: NaiveDate) -> NaiveDate {
    if text.is_empty() {
        return usual;
    }
    faults.keep(name, read::day(text).map_err(|rule| format!("{rule} “{text}” is none."))).unwrap_or(usual)
}

fn check_days(faults: &mut Faults, from_on: NaiveDate, until_on: NaiveDate, by_hour: bool) {
    let days = (until_on - from_on).num_days() + 1;
    if days < 1 {
        faults.say("until", format!("Must not be before {from_on}."));
    } else if by_hour && days > DAYS_BY_HOUR_MAX {
        faults.say("each", format!("Hours are shown of at most {DAYS_BY_HOUR_MAX} days; these are {days}."));
    } else if days > DAYS_MAX {
        faults.say("from", format!("At most {DAYS_MAX} days are shown; these are {days}."));
    }
}

/// Whom the box for a customer means: a number as C-00042, or how its name begins.
async fn whose(tx: &TenantTx, asked: &str, faults: &mut Faults) -> PageResult<Option<Customer>> {
    let asked = asked.trim();
    if asked.is_empty() {
        return Ok(None);
    }
    let mut found = subscription::customer_by_no(tx, asked).await?;
    if found.is_none() {
        let begins = CustomerFilter { prefix: Some(asked.to_owned()), after: None, limit: 2 };
        let named = subscription::customers(tx, &begins).await?;
        if named.len() > 1 && !named[0].name.eq_ignore_ascii_case(asked) {
            faults.say("customer", format!("Several names begin with “{asked}”: say more, or the number."));
            return Ok(None);
        }
        found = named.into_iter().next();
    }
    if found.is_none() {
        faults.say("customer", format!("No customer has the number or a name that begins with “{asked}”."));
    }
    Ok(found)
}

/// "topic=law, language=de"; a topic or an agent by id, or by the name that only one of them has.
fn only(text: &str, meter: &Meter, names: &HashMap<String, String>, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut filter = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
            faults.say("only", format!("Must be pairs such as topic=law, not {pair}."));
            continue;
        };
        if meter.dimensions.iter().any(|known| known == name) {
            let mut called = names.iter().filter(|(_, known)| known.eq_ignore_ascii_case(value)).map(|(id, _)| id);
            match (called.next(), called.next()) {
                (Some(_), Some(_)) => {
                    faults.say("only", format!("Several are called {value}: choose one in the table by {name}."));
                }
                (Some(id), None) if matches!(name, "topic" | "agent") => {
                    filter.insert(name.to_owned(), id.clone());
                }
                _ => {
                    filter.insert(name.to_owned(), value.to_owned());
                }
            }
        } else if meter.dimensions.is_empty() {
            faults.say("only", format!("{} are not kept by any dimension.", meter.name));
        } else {
            faults.say("only", format!("{} are kept by {}, not by {name}.", meter.name, meter.dimensions.join(", ")));
        }
    }
    filter
}

fn fields(meters: &[Meter], asked: &Asked, faults: &Faults) -> Vec<Field> {
    let codes = meters.iter().map(|meter| (meter.code.clone(), meter.name.clone()));
    let date = |name: &'static str, label: &str, value: &str| {
        Field::text(name, label, value).control(Control::Date).error(faults.at(name))
    };
    vec![
        Field::choice("meter", "Meter", asked.meter.clone(), codes).error(faults.at("meter")),
        Field::text("customer", "Customer", asked.customer.clone())
            .placeholder("Number or name")
            .error(faults.at("customer")),
        date("from", "From", &asked.from),
        date("until", "Until", &asked.until),
        Field::choice("each", "Each", asked.each.clone(), [("day", "Day"), ("hour", "Hour")]).error(faults.at("each")),
        Field::text("only", "Only with", asked.only.clone()).placeholder("topic=law").error(faults.at("only")),
    ]
}
