//! Terms of a plan's version in words, for its page, for a quote and for whoever reads one: what it costs, for what, for how
//! long, and what staying brings.

use super::prices;
use super::subscription::seats_said;
use super::words::{self, spoken};
use crate::format;
use crate::views::catalogue::ComponentCard;
use crate::views::parts::{Fact, Facts};
use db::PlanVersionId;
use subscription::{
    Billed, Component, ComponentKind, LateUsage, Limit, LoyaltyReward, LoyaltyRule, PlanVersion, TrialUsage,
};

/// Terms and components of a version, as its page shows them. `add_on` names what loyalty may give, where it is known.
pub(in crate::pages) fn prices_of(
    version: &PlanVersion,
    add_on: impl Fn(PlanVersionId) -> Option<String>,
) -> (Facts, Vec<ComponentCard>) {
    (terms(version, add_on), version.components.iter().map(|part| component(part, version)).collect())
}

fn terms(version: &PlanVersion, add_on: impl Fn(PlanVersionId) -> Option<String>) -> Facts {
    let mut facts = vec![term(version), trial(version)];
    if version.trial_days > 0 {
        let then = Fact::new("Without a means of payment", words::trial_end(version.trial_end));
        facts.push(then.quiet("when the trial ends"));
    }
    if let Some(terms) = version.fixed_terms {
        let months = format::counted((u64::from(terms) * u64::from(version.term_months)) as i64, "month", "months");
        facts.push(Fact::new("Ends", format!("after {months}")));
    }
    if version.commitment.is_positive() {
        let least = format!("{} a month", version.commitment.human());
        facts.push(Fact::new("Least to pay", least).quiet("of usage and hours"));
    }
    if let Some(cap) = version.fee_cap {
        facts.push(Fact::new("Most to pay", format!("{} a month", cap.human())).quiet("before discounts"));
    }
    if version.components.iter().any(is_assigned) || version.seat_limit.is_some() {
        facts.push(Fact::new("Seats", seats_said(version)));
    }
    facts.push(Fact::new("Currency", version.currency.code()));
    if !version.features.is_empty() {
        let features = version.features.iter().map(|key| feature(key, version.limits.get(key))).collect::<Vec<_>>();
        facts.push(Fact::new("Features", features.join(", ")));
    }
    for LoyaltyRule { after_months, reward } in &version.loyalty {
        let brings = match reward {
            LoyaltyReward::PercentOff(percent) => {
                format!("{}% off what recurs", format::quantity(percent.as_decimal()))
            }
            LoyaltyReward::FreeAddOn(id) => {
                format!("{} free of charge", add_on(*id).unwrap_or_else(|| "an add-on".into()))
            }
            LoyaltyReward::Feature(feature) => words::feature(feature),
        };
        let months = format::counted((*after_months).into(), "month", "months");
        facts.push(Fact::new(format!("After {months}"), brings));
    }
    if version.late_usage == LateUsage::Absorb && version.components.iter().any(Component::is_metered) {
        facts.push(Fact::new("Late usage", "is not charged"));
    }
    Facts(facts)
}

fn term(version: &PlanVersion) -> Fact {
    let term = Fact::new("Term", format::counted(version.term_months.into(), "month", "months"));
    let percent = version.term_discount_percent.as_decimal();
    if percent.is_zero() { term } else { term.quiet(format!("{}% off what recurs", format::quantity(percent))) }
}

fn trial(version: &PlanVersion) -> Fact {
    if version.trial_days == 0 {
        return Fact::new("Trial", "none");
    }
    let days = Fact::new("Trial", format::counted(version.trial_days.into(), "day", "days"));
    match version.trial_usage {
        TrialUsage::Charged => days,
        TrialUsage::FreeUpTo(cap) => days.quiet(format!("usage free up to {}", cap.human())),
    }
}

/// "Call analytics (up to 2,000 calls a month)": what it is, and how much of it where there is a limit.
pub(super) fn feature(key: &str, limit: Option<&Limit>) -> String {
    let name = words::feature(key);
    let Some(Limit { amount, meter }) = limit else { return name };
    let amount = format::quantity(*amount);
    match meter {
        Some(meter) => format!("{name} (up to {amount} {} a month)", spoken(meter).to_lowercase()),
        None => format!("{name} (up to {amount})"),
    }
}

fn is_assigned(component: &Component) -> bool {
    component.kind == ComponentKind::Seat && component.measure.as_deref() == Some("assigned")
}

fn component(component: &Component, version: &PlanVersion) -> ComponentCard {
    let mut basis = vec![what_for(component, version)];
    for (dimension, value) in &component.filter {
        basis.push(format!("{} {}", spoken(dimension).to_lowercase(), spoken(value).to_lowercase()));
    }
    if !component.minimum_quantity.is_zero() {
        basis.push(format!("{} at least", format::quantity(component.minimum_quantity)));
    }
    if !component.included.is_zero() {
        basis.push(format!("{} included in a month", format::quantity(component.included)));
    }
    if component.kind != ComponentKind::OneOff {
        basis.push(if component.billed == Billed::InAdvance { "in advance" } else { "in arrears" }.into());
    }
    ComponentCard {
        name: component.name.clone(),
        basis: basis.join(", "),
        prices: prices::table(&component.price, version.currency),
    }
}

/// What a price is for, to somebody who knows nothing of meters: "per call".
fn what_for(component: &Component, version: &PlanVersion) -> String {
    let measure = component.measure.as_deref();
    let known = match (component.kind, measure) {
        (ComponentKind::Flat, _) => "a month",
        (ComponentKind::OneOff, _) if component.billed == Billed::InAdvance => "once, at the start",
        (ComponentKind::OneOff, _) => "once, after the first month",
        (ComponentKind::Hours, _) => "per hour",
        (ComponentKind::Channels, _) => "per call at once, the most of a month",
        (ComponentKind::Seat, Some("assigned")) => "per assigned seat, prorated by day",
        (ComponentKind::Seat, Some("active")) => "per agent who logged in during the month",
        (ComponentKind::Seat, Some("peak")) => "per agent logged in at once, the most of a month",
        (ComponentKind::Seat, Some("daily")) => "per agent and day",
        (ComponentKind::Seat, _) => "per agent and month",
        (ComponentKind::Usage, Some("calls")) => "per call",
        (ComponentKind::Usage, Some("minutes")) => "per minute",
        (ComponentKind::Usage, Some(own)) => return format!("per unit of {}", spoken(own).to_lowercase()),
        (ComponentKind::Usage, None) => "per unit used",
        (ComponentKind::Percent, of) => {
            let other = of.and_then(|key| version.components.iter().find(|other| other.key == key));
            return match other {
                Some(other) => format!("a share of {}", other.name),
                None => "a share of everything else in the month".to_owned(),
            };
        }
    };
    known.to_owned()
}
