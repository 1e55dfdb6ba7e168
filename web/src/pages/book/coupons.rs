//! Coupons: the list, one with who has it, the form of a new one, and taking one out of sale.

use super::quotes::PAGE;
use super::subscription::coupon_off;
use super::words::{self, customer_names, day};
use super::{shell, subscription::Names};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{self, Faults, Given, Outcome, again};
use crate::read;
use crate::shell::Section;
use crate::urls::{Audience, with_query};
use crate::views::book::{List, TableCard};
use crate::views::customers::CouponPage;
use crate::views::fields::{Control, Field};
use crate::views::form::{Choice, Choices, Fields, FormPage, FormPart};
use crate::views::parts::{Fact, Facts, Heading, PagePath, Pager, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Link, Tone};
use actix_web::{Either, web};
use chrono::{DateTime, Days, Utc};
use db::{CouponId, CustomerId, TenantTx};
use money::Percent;
use serde::Deserialize;
use subscription::{Coupon, CouponOff, History, NewCoupon};
use tenant::Role;

/// The domain's fields, and ours.
const FIELDS: [(&str, &str); 7] = [
    ("code", "code"),
    ("name", "name"),
    ("percent_off", "off"),
    ("amount_off", "off"),
    ("periods", "periods"),
    ("redemptions_max", "redemptions_max"),
    ("valid_until", "valid_until"),
];

/// Where a page of the list begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Begin {
    /// The last code of the page before.
    after: String,
}

/// `GET /admin/coupons`
pub async fn coupons(member: Member, from: web::Query<Begin>) -> PageResult<List> {
    let tx = member.tx().await?;
    let mut coupons = subscription::coupons_page(&tx, &from.after, PAGE + 1).await?;
    let has_more = coupons.len() as u64 > PAGE;
    coupons.truncate(PAGE as usize);
    let here = member.audience.coupons();
    let next = coupons.last().filter(|_| has_more).map(|last| with_query(&here, &[("after", &last.code)]));
    let pager = Pager {
        shown: format!("{}, by code", format::counted(coupons.len() as i64, "coupon", "coupons")),
        first: (!from.after.is_empty()).then_some(here),
        next,
    };
    let heading =
        Heading::new("Coupons").facts("A coupon that is redeemed lowers documents from the running month on.");
    let may_change = member.must(Role::Billing).is_ok();
    let table = table(&member, &coupons)?;
    Ok(List {
        shell: shell(&member, &tx, "Coupons", Section::Plans).await?,
        heading: if may_change { heading.action("New coupon", member.audience.coupon_new()) } else { heading },
        stats: Stats::default(),
        search: None,
        tabs: super::quotes::tabs(member.audience, "Coupons"),
        cards: vec![TableCard { title: String::new(), all: None, table }],
        pager: Some(pager),
    })
}

fn table(member: &Member, coupons: &[Coupon]) -> PageResult<Table> {
    let columns = vec![
        Column::text("Code"),
        Column::text("Takes off").full(),
        Column::text("For").hidden(),
        Column::figures("Redeemed").label("Redeemed"),
        Column::text("Accepted until").hidden(),
        Column::text("State"),
    ];
    let mut empty = Empty::new("tag", "No coupon yet", "A coupon is redeemed by its code when a customer subscribes.");
    if member.must(Role::Billing).is_ok() {
        empty.action = Some(Link::new("New coupon", member.audience.coupon_new()));
    }
    let mut table = Table::new("Coupons", columns, empty);
    for coupon in coupons {
        table.row(vec![
            Cell::name(&coupon.code).to(member.audience.coupon(coupon.id)).sub(&coupon.name),
            Cell::text(coupon_off(&coupon.off)),
            Cell::text(months(coupon)),
            Cell::figure(redeemed(coupon)),
            Cell::text(until(coupon, &member.session.organisation.time_zone)?),
            Cell::none().with(state(coupon, member.now)),
        ]);
    }
    Ok(table)
}

fn months(coupon: &Coupon) -> String {
    match coupon.periods {
        Some(1) => "one month".to_owned(),
        Some(periods) => format::counted(periods.into(), "month", "months"),
        None => "for ever".to_owned(),
    }
}

fn redeemed(coupon: &Coupon) -> String {
    match coupon.redemptions_max {
        Some(most) => format!("{} of {}", format::count(coupon.redemptions.into()), format::count(most.into())),
        None => format::count(coupon.redemptions.into()),
    }
}

/// The last day on which it is accepted.
fn until(coupon: &Coupon, zone: &str) -> PageResult<String> {
    let Some(until) = coupon.valid_until else { return Ok("no end".to_owned()) };
    let last = until - chrono::TimeDelta::microseconds(1);
    Ok(day(words::civil_day(last, zone)?))
}

fn state(coupon: &Coupon, now: DateTime<Utc>) -> Badge {
    if coupon.archived_at.is_some() {
        Badge::new("Archived", Tone::Plain)
    } else if coupon.valid_until.is_some_and(|until| until <= now) {
        Badge::new("Past its end", Tone::Plain)
    } else if coupon.redemptions_max.is_some_and(|most| coupon.redemptions >= most) {
        Badge::new("Used up", Tone::Soon)
    } else {
        Badge::new("Accepted", Tone::Good)
    }
}

async fn find(tx: &TenantTx, path: &str) -> PageResult<Coupon> {
    let id: CouponId = path.parse()?;
    subscription::coupon(tx, id).await?.ok_or(PageError::NotFound)
}

/// `GET /admin/coupons/{coupon_id}`
pub async fn coupon(member: Member, path: web::Path<String>) -> PageResult<CouponPage> {
    let tx = member.tx().await?;
    let coupon = find(&tx, &path).await?;
    let zone = &member.session.organisation.time_zone;
    let mut facts = vec![
        Fact::new("Takes off", coupon_off(&coupon.off)),
        Fact::new("For", months(&coupon)),
        Fact::new("Redeemed", redeemed(&coupon)),
        Fact::new("Accepted until", until(&coupon, zone)?),
    ];
    if let Some(at) = coupon.archived_at {
        facts.push(Fact::new("Archived", format::stamp(at, &member.zone).text));
    }
    let badge = state(&coupon, member.now);
    let shell = shell(&member, &tx, &coupon.code, Section::Plans).await?;
    let may_archive = coupon.archived_at.is_none() && member.must(Role::Billing).is_ok();
    Ok(CouponPage {
        heading: Heading::new(format!("{}, {}", coupon.code, coupon_off(&coupon.off)))
            .path(PagePath::under("Coupons", member.audience.coupons(), coupon.id.to_string()).id())
            .badge(badge.word, badge.tone)
            .facts(&coupon.name),
        facts: Facts(facts),
        redemptions: redemptions(&member, &tx, &coupon).await?,
        archive_href: may_archive.then(|| member.audience.coupon_archiving(coupon.id)),
        shell,
    })
}

async fn redemptions(member: &Member, tx: &TenantTx, coupon: &Coupon) -> PageResult<Table> {
    let found = subscription::redemptions(tx, coupon.id, PAGE).await?;
    let customers = customer_names(tx, found.iter().map(|(_, customer, _)| *customer)).await?;
    let columns = vec![Column::text("Customer"), Column::text("Subscription").full(), Column::text("Redeemed")];
    let empty = Empty::new("gift", "Nobody has it yet", "Who redeems it shows here.");
    let mut table = Table::new("Who has it", columns, empty);
    let theirs: Vec<CustomerId> = customers.keys().copied().collect();
    let mut of_them = subscription::subscriptions_of_many(tx, &theirs).await?;
    of_them.retain(|one| found.iter().any(|(id, ..)| *id == one.id));
    let histories: Vec<History> = subscription::histories(tx, &of_them).await?;
    let names = Names::read(tx, &histories.iter().collect::<Vec<_>>(), &[]).await?;
    for (subscription_id, customer_id, at) in found {
        let name = customers.get(&customer_id).map_or("A customer", String::as_str);
        let history = histories.iter().find(|history| history.subscription.id == subscription_id);
        let plan = history.map(|history| names.plan(history.plan_at(member.now).plan_id).to_owned());
        table.row(vec![
            Cell::name(name).to(member.audience.customer(customer_id)),
            Cell::text(plan.unwrap_or_default()),
            Cell::text(format::stamp(at, &member.zone).text),
        ]);
    }
    Ok(table)
}

/// `POST /admin/coupons/{coupon_id}/archiving`
pub async fn archive(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let coupon = find(&tx, &path).await?;
    subscription::archive_coupon(&tx, coupon.id, member.now).await?;
    let payload = serde_json::json!({ "code": coupon.code });
    tenant::record_audit(&tx, &member.actor(), "coupon.archive", &coupon.id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let text = format!("{} is no longer accepted. Who has it keeps it.", coupon.code);
    Ok(see_other(member.audience.coupon(coupon.id)).notice(text))
}

/// `GET /admin/coupons/new`
pub async fn form(member: Member) -> PageResult<FormPage> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    page(&member, &tx, &Given::default(), &Faults::default()).await
}

/// `POST /admin/coupons`
pub async fn create(member: Member, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let mut faults = Faults::default();
    let Some(new) = read_coupon(&member, &given, &mut faults)? else {
        return Ok(again(page(&member, &tx, &given, &faults).await?));
    };
    let id = match subscription::create_coupon(&tx, &new, member.now).await {
        Ok(id) => id,
        Err(error) => {
            faults.refused(error, &FIELDS)?;
            // The transaction may be broken by what was refused: the page is read by another one.
            drop(tx);
            return Ok(again(page(&member, &member.tx().await?, &given, &faults).await?));
        }
    };
    let payload = serde_json::json!({ "code": new.code, "off": coupon_off(&new.off) });
    tenant::record_audit(&tx, &member.actor(), "coupon.create", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.coupon(id)).notice(format!("{} is accepted now.", new.code))))
}

fn read_coupon(member: &Member, given: &Given, faults: &mut Faults) -> PageResult<Option<NewCoupon>> {
    let code = faults.keep("code", form::text(given.get("code"))).map(|code| code.to_uppercase());
    let name = faults.keep("name", form::text(given.get("name")));
    let off = match given.get("kind") {
        "amount" => faults
            .keep("off", read::money(given.get("off"), member.session.organisation.currency))
            .map(CouponOff::Amount),
        "percent" => {
            let percent = read::percent(given.get("off"))
                .and_then(|percent| Percent::new(percent).map_err(|_| "Must have at most three decimals.".to_owned()));
            faults.keep("off", percent).map(CouponOff::Percent)
        }
        _ => {
            faults.say("kind", "Must be one of the two.");
            None
        }
    };
    let whole = |field: &str, most: u32, faults: &mut Faults| match given.get(field) {
        "" => Some(None),
        count => faults.keep(field, read::count(count, 1, most)).map(Some),
    };
    let periods = whole("periods", 600, faults);
    let redemptions_max = whole("redemptions_max", 1_000_000, faults);
    let valid_until = match given.get("valid_until") {
        "" => Some(None),
        on => match faults.keep("valid_until", read::day(on)) {
            // The day itself still counts.
            Some(on) => {
                let after =
                    on.checked_add_days(Days::new(1)).ok_or_else(|| PageError::failed("a day without a next"))?;
                Some(Some(words::midnight(after, &member.session.organisation.time_zone)?))
            }
            None => None,
        },
    };
    Ok(match (code, name, off, periods, redemptions_max, valid_until) {
        (Some(code), Some(name), Some(off), Some(periods), Some(redemptions_max), Some(valid_until)) => {
            Some(NewCoupon { code, name, off, periods, redemptions_max, valid_until })
        }
        _ => None,
    })
}

async fn page(member: &Member, tx: &TenantTx, given: &Given, faults: &Faults) -> PageResult<FormPage> {
    let audience: Audience = member.audience;
    let currency = member.session.organisation.currency;
    let kinds = vec![
        Choice::new("percent", "Percent").note("Of what a month comes to"),
        Choice::new("amount", format!("An amount in {currency}")).note("Taken after percentages, never below zero"),
    ];
    let what = Fields::new()
        .half(
            Field::text("code", "Code", given.get("code"))
                .hint("Capital letters, digits and -, as SPRING-26")
                .error(faults.at("code"))
                .required(),
        )
        .half(
            Field::text("name", "Name", given.get("name"))
                .hint("As printed on invoices")
                .error(faults.at("name"))
                .required(),
        )
        .choices(Choices::one("kind", "Takes off", given.or("kind", "percent"), kinds).error(faults.at("kind")))
        .half(Field::figure("off", "How much", given.get("off")).error(faults.at("off")).required());
    let until = Field::text("valid_until", "Accepted until", given.get("valid_until")).control(Control::Date);
    let limits = Fields::new()
        .half(
            Field::figure("periods", "Months", given.get("periods"))
                .hint("1 for once; empty for ever")
                .error(faults.at("periods")),
        )
        .half(
            Field::figure("redemptions_max", "Redemptions at most", given.get("redemptions_max"))
                .hint("Empty for any number")
                .error(faults.at("redemptions_max")),
        )
        .half(until.hint("That day included; empty for no end").error(faults.at("valid_until")));
    Ok(FormPage {
        shell: shell(member, tx, "A new coupon", Section::Plans).await?,
        heading: Heading::new("A new coupon").path(PagePath::under("Coupons", audience.coupons(), "New")),
        note: None,
        action: audience.coupons(),
        parts: vec![
            FormPart {
                title: "What it takes off",
                text: "Redeemed by its code, once by each subscription.",
                fields: what,
            },
            FormPart { title: "How long", text: "", fields: limits },
        ],
        button: "Create the coupon".into(),
        remark: "It stays as it is; a mistake is archived and made anew.".into(),
        back_href: audience.coupons(),
    })
}
