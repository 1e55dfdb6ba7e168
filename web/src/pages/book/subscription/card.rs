//! A subscription as its card shows it: what it has, until when, what staying brings, and what was asked of it.

use super::Subscribed;
use super::names::{Names, seats_said};
use crate::error::PageResult;
use crate::format;
use crate::pages::book::words::{self, day, period};
use crate::shell::Token;
use crate::views::parts::{Fact, Facts, Happening};
use crate::views::subscriptions::{Move, Progress, SubscriptionCard};
use crate::views::ui::{Badge, Link, Tone};
use chrono::{DateTime, Utc};
use db::ChangeId;
use jiff::tz::TimeZone;
use subscription::{Asked, Attached, ComponentKind, CouponOff, History, LoyaltyReward, Redeemed, SubscriptionStatus};

/// Where the parts of a card lead.
pub struct Leads<'a> {
    pub plan: &'a dyn Fn(db::PlanId) -> Option<String>,
    pub undo: &'a dyn Fn(ChangeId) -> Option<String>,
    pub actions: Vec<Link>,
    /// Whom the subscription is for sees what comes, not who of the seller asked for it.
    pub is_reader: bool,
}

impl Leads<'_> {
    /// A reader's card leads nowhere.
    pub fn of_a_reader() -> Leads<'static> {
        Leads { plan: &|_| None, undo: &|_| None, actions: Vec::new(), is_reader: true }
    }
}

/// The card of one subscription.
pub fn card(
    subscribed: &Subscribed,
    names: &Names,
    leads: Leads<'_>,
    csrf: Token,
    zone: &TimeZone,
    now: DateTime<Utc>,
) -> PageResult<SubscriptionCard> {
    let history = &subscribed.history;
    let plan = history.plan_at(now);
    let status = history.status_at(now);
    let is_shown = |asked: &&Asked| !leads.is_reader || asked.undone_at.is_none() && asked.at > now;
    let moves = subscribed.asked.iter().filter(is_shown);
    let moves = moves.map(|asked| shown(asked, names, &leads, zone, now));
    Ok(SubscriptionCard {
        id: history.subscription.id.to_string(),
        plan: Link::new(names.plan(plan.plan_id), (leads.plan)(plan.plan_id).unwrap_or_default()),
        sub: sub(history, names, now),
        state: words::subscription_status(status),
        facts: facts(subscribed, now)?,
        loyalty: loyalty(history, names, now)?,
        moves: moves.collect(),
        actions: leads.actions,
        csrf,
    })
}

/// "version 3, with CRM connector and, free of charge, Call analytics"
fn sub(history: &History, names: &Names, now: DateTime<Utc>) -> String {
    let add_ons = history.attached.iter().filter(|attached| attached.is_add_on && attached.holds(now));
    let named: Vec<String> = add_ons
        .map(|attached| match attached.is_free {
            true => format!("{} (free, for loyalty)", names.plan(attached.version.plan_id)),
            false => names.plan(attached.version.plan_id).to_owned(),
        })
        .collect();
    let version = format!("version {}", history.plan_at(now).version);
    if named.is_empty() { version } else { format!("{version}, with {}", named.join(", ")) }
}

fn facts(subscribed: &Subscribed, now: DateTime<Utc>) -> PageResult<Facts> {
    let history = &subscribed.history;
    let plan = history.plan_at(now);
    let zone = &history.subscription.time_zone;
    let mut facts = vec![term(history, now)];
    if let Some(running) = subscribed.period {
        facts.push(Fact::new("This month", period(running.starts_on, running.ends_on)));
    }
    facts.push(until(history, now)?);
    if let Some(trial) = history.subscription.trial_ends_at.filter(|ends_at| now < *ends_at) {
        let usage = match plan.trial_usage {
            subscription::TrialUsage::Charged => "usage is charged".to_owned(),
            subscription::TrialUsage::FreeUpTo(cap) => format!("usage free up to {}", cap.human()),
        };
        facts.push(Fact::new("Trial until", day(words::civil_day(trial, zone)?)).quiet(usage));
        let end = history.subscription.trial_end.unwrap_or(history.plan_at(trial).trial_end);
        facts.push(Fact::new("Without a means of payment", words::trial_end(end)));
    }
    if counts_seats(history, now) {
        let seats = Fact::new("Seats", format::count(history.seats_at(now).into()));
        facts.push(seats.quiet(seats_said(plan)));
    }
    if plan.commitment.is_positive() {
        facts.push(Fact::new("At least", format!("{} a month", plan.commitment.human())));
    }
    for least in plan.components.iter().filter(|part| !part.minimum_quantity.is_zero()) {
        let quantity = format::quantity(least.minimum_quantity);
        facts.push(Fact::new(format!("{}, at least", least.name), format!("{quantity} a month")));
    }
    if let Some(cap) = plan.fee_cap {
        facts.push(Fact::new("At most", format!("{} a month", cap.human())));
    }
    facts.extend(subscribed.history.redeemed.iter().filter_map(|redeemed| coupon(redeemed, subscribed)));
    if !subscribed.so_far.is_empty() {
        facts.push(Fact::new("So far", subscribed.so_far.join(", ")));
    }
    Ok(Facts(facts))
}

fn term(history: &History, now: DateTime<Utc>) -> Fact {
    let plan = history.plan_at(now);
    let fact = Fact::new("Term", format::counted(plan.term_months.into(), "month", "months"));
    let percent = plan.term_discount_percent.as_decimal();
    if percent.is_zero() { fact } else { fact.quiet(format!("{}% off what recurs", format::quantity(percent))) }
}

/// When it renews, or when it ends.
fn until(history: &History, now: DateTime<Utc>) -> PageResult<Fact> {
    let zone = &history.subscription.time_zone;
    let on = |at| words::civil_day(at, zone).map(day);
    Ok(match (history.ended, history.status_at(now)) {
        (Some(ended), _) if ended.at <= now => Fact::new("Ended", on(ended.at)?),
        (Some(ended), _) => Fact::new("Ends", on(ended.at)?).quiet(match ended.by {
            subscription::EndedBy::Cancellation => "cancelled",
            subscription::EndedBy::Expiry => "its fixed term is over",
        }),
        (None, SubscriptionStatus::Scheduled) => Fact::new("Begins", on(history.subscription.started_at)?),
        (None, _) => Fact::new("Renews", on(history.term_end(now)?)?),
    })
}

pub fn counts_seats(history: &History, now: DateTime<Utc>) -> bool {
    let plan = history.plan_at(now);
    let assigned = |part: &subscription::Component| {
        part.kind == ComponentKind::Seat && part.measure.as_deref() == Some("assigned")
    };
    plan.seat_limit.is_some() || history.components_at(now).any(assigned) || plan.components.iter().any(assigned)
}

/// "SPRING, 10% off" with the months that are left.
fn coupon(redeemed: &Redeemed, subscribed: &Subscribed) -> Option<Fact> {
    let running = subscribed.period?;
    if !redeemed.lowers(&running) {
        return None;
    }
    let off = coupon_off(&redeemed.coupon.off);
    let left = redeemed.coupon.periods.map(|periods| {
        let left = periods.saturating_sub(running.position.saturating_sub(redeemed.first_position));
        format!(", for {} more", format::counted(left.into(), "month", "months"))
    });
    Some(Fact::new("Coupon", &redeemed.coupon.code).quiet(format!("{off}{}", left.unwrap_or_default())))
}

/// "10% off", "€20.00 off"
pub fn coupon_off(off: &CouponOff) -> String {
    match off {
        CouponOff::Percent(percent) => format!("{}% off", format::quantity(percent.as_decimal())),
        CouponOff::Amount(amount) => format!("{} off", amount.human()),
    }
}

/// Each loyalty rule and how near it is; of percentages the ones that another has passed are left out.
fn loyalty(history: &History, names: &Names, now: DateTime<Utc>) -> PageResult<Vec<Progress>> {
    let plan = history.plan_at(now);
    if plan.loyalty.is_empty() {
        return Ok(Vec::new());
    }
    let months = history.period_at(now)?.position;
    let best = plan
        .loyalty
        .iter()
        .filter(|rule| rule.after_months <= months && matches!(rule.reward, LoyaltyReward::PercentOff(_)));
    let best = best.map(|rule| rule.after_months).max();
    let is_passed = |rule: &subscription::LoyaltyRule| {
        matches!(rule.reward, LoyaltyReward::PercentOff(_)) && Some(rule.after_months) < best
    };
    let step = |rule: &subscription::LoyaltyRule| {
        let reward = names.reward(&rule.reward);
        let word = format::counted(rule.after_months.into(), "month", "months");
        if rule.after_months <= months {
            return Progress { text: reward, note: format!("for staying {word}"), done: 1000 };
        }
        Progress {
            text: format!("{months} of {word}"),
            note: format!("then {reward}"),
            done: months.saturating_mul(1000) / rule.after_months.max(1),
        }
    };
    Ok(plan.loyalty.iter().filter(|rule| !is_passed(rule)).map(step).collect())
}

fn shown(asked: &Asked, names: &Names, leads: &Leads<'_>, zone: &TimeZone, now: DateTime<Utc>) -> Move {
    let at = format::stamp(asked.at, zone);
    let state = match asked {
        Asked { undone_at: Some(_), .. } => Badge::new("Undone", Tone::Plain),
        Asked { billed_at: Some(_), .. } => Badge::new("Billed", Tone::Good),
        Asked { at, .. } if *at > now => Badge::new("Planned", Tone::On),
        _ => Badge::new("Not billed yet", Tone::Soon),
    };
    let by = match &asked.undone_by {
        _ if leads.is_reader => String::new(),
        Some(by) => format!("undone by {by}"),
        None => format!("asked by {}", asked.asked_by),
    };
    let can_be_undone = asked.undone_at.is_none() && asked.billed_at.is_none();
    let undo_href = if can_be_undone { (leads.undo)(asked.id) } else { None };
    Move { at, title: names.change(&asked.change), note: by, state, undo_href }
}

/// What comes: changes that were asked for, the end of the trial, what loyalty brings, the next term. The farthest first.
pub fn upcoming(
    subscribed: &Subscribed,
    names: &Names,
    zone: &TimeZone,
    now: DateTime<Utc>,
) -> PageResult<Vec<(DateTime<Utc>, Happening)>> {
    let history = &subscribed.history;
    let mut coming: Vec<(DateTime<Utc>, String, String)> = Vec::new();
    for asked in subscribed.asked.iter().filter(|asked| asked.at > now && asked.undone_at.is_none()) {
        coming.push((asked.at, names.change(&asked.change), format!("asked by {}", asked.asked_by)));
    }
    let is_over = history.ended.is_some_and(|ended| ended.at <= now);
    if let Some(trial) = history.subscription.trial_ends_at.filter(|ends_at| *ends_at > now && !is_over) {
        coming.push((trial, format!("The trial of {} ends", names.plan(history.plan_at(now).plan_id)), String::new()));
    }
    let goes_on = |at: DateTime<Utc>| history.ended.is_none_or(|ended| at < ended.at);
    let months = history.period_at(now)?.position;
    for rule in history.plan_at(now).loyalty.iter().filter(|rule| rule.after_months > months && !is_over) {
        let at = at_position(history, rule.after_months)?;
        if goes_on(at) {
            coming.push((
                at,
                names.reward(&rule.reward),
                format!("for staying {}", format::counted(rule.after_months.into(), "month", "months")),
            ));
        }
    }
    let renewal = history.term_end(now)?;
    if !is_over && goes_on(renewal) {
        let next = history.plan_at(renewal);
        let term = format::counted(next.term_months.into(), "month", "months");
        coming.push((renewal, format!("{} renews for {term}", names.plan(next.plan_id)), String::new()));
    }
    coming.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    let shown = |(at, title, note): (DateTime<Utc>, String, String)| {
        (at, Happening::new(format::day_of(at, zone), title, Tone::On).note(note))
    };
    Ok(coming.into_iter().map(shown).collect())
}

/// The first instant of the month at a position.
fn at_position(history: &History, position: u32) -> PageResult<DateTime<Utc>> {
    let subscription = &history.subscription;
    let periods = pricing::Periods::new(subscription.anchor_on, 1, &subscription.time_zone)?;
    Ok(periods.bound_at(position.into())?)
}

/// The add-ons that hold at an instant.
pub fn add_ons(history: &History, now: DateTime<Utc>) -> impl Iterator<Item = &Attached> {
    history.attached.iter().filter(move |attached| attached.is_add_on && attached.holds(now))
}
