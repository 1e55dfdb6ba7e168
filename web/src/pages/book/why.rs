//! Why a call cost what it cost: the stored derivation as steps that open one after the other.

use crate::format;
use crate::urls::with_query;
use crate::views::parts::{Reason, Why, WhyStep};
use crate::views::ui::Link;
use call_control::{CallExplanation, IncludedUnits, PricedBy};
use chrono::{DateTime, Utc};
use jiff::tz::TimeZone;
use money::{Currency, Decimal, Money};
use pricing::Step;

/// What the call page may link to.
pub struct Links {
    /// Where the tariffs are listed; `None` for a reader who may not see them.
    pub plans: Option<String>,
}

/// When the meter ran.
pub struct Ran {
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

/// The steps: which price, how long, what it costs, rounding, tax.
pub fn why(explanation: &CallExplanation, charge: Option<Money>, ran: &Ran, links: &Links, zone: &TimeZone) -> Why {
    let currency = charge.map(|charge| charge.currency());
    let mut steps = vec![which_price(&explanation.priced_by, links)];
    if explanation.metered_seconds > 0 {
        steps.push(how_long(explanation, ran, zone));
    }
    steps.extend(explanation.included.iter().map(|units| included(units, zone)));
    if let Some(currency) = currency.filter(|_| !explanation.sum.steps.is_empty()) {
        steps.push(what_it_costs(explanation, charge, currency));
        steps.push(rounding(explanation, charge, currency));
    }
    if let Some(tax) = &explanation.tax {
        let plain = |amount: Decimal| bare(amount, currency);
        let percent = format::quantity(tax.percent);
        let divisor = (Decimal::ONE_HUNDRED + tax.percent) / Decimal::ONE_HUNDRED;
        let net =
            Reason::new("Net", plain(tax.net)).calculation(format!("{} / {}", plain(tax.gross), divisor.normalize()));
        let step = WhyStep::new("Tax", format!("{percent}% is inside the price"), plain(tax.tax));
        steps.push(step.reasons(vec![net, Reason::new(format!("Tax {percent}%"), plain(tax.tax))]));
    }
    if let Some(unpaid) = explanation.unpaid {
        let note = Reason::new("The wallet could not pay this part", bare(unpaid, currency))
            .note("written off, never below the floor");
        steps.push(WhyStep::new("Not paid", "the wallet was empty", bare(unpaid, currency)).open().reasons(vec![note]));
    }
    Why(steps)
}

fn which_price(by: &PricedBy, links: &Links) -> WhyStep {
    let place = |text: &str| Link::new(text, "");
    match by {
        PricedBy::Tariff { number, digit, topic, tariff, version, .. } => {
            let name = format!("{tariff}, version {version}");
            let href = links.plans.as_ref().map(|plans| with_query(plans, &[("tariff", tariff)])).unwrap_or_default();
            let path = vec![
                place(&format::phone(number)),
                place(&format!("digit {digit}")),
                place(topic),
                Link::new(name.clone(), href),
            ];
            WhyStep::new("Which price", name, "")
                .open()
                .path(path, "No plan of the customer covers the call, so the topic's tariff holds")
        }
        PricedBy::Deck { called, deck, version, prefix, destination, .. } => {
            let name = format!("{deck}, version {version}");
            let path = vec![
                place(&format::phone(called)),
                place(&format!("prefix {prefix}")),
                place(destination),
                place(&name),
            ];
            WhyStep::new("Which price", name.clone(), "")
                .open()
                .path(path, "No plan of the customer covers the call, so the longest prefix of the deck holds")
        }
        PricedBy::Component { number, digit, topic, plan, plan_version, component, .. } => {
            let name = format!("{component} of {plan}");
            let path = vec![
                place(&format::phone(number)),
                place(&format!("digit {digit}")),
                place(topic),
                place(&format!("{plan}, version {plan_version}")),
                place(component),
            ];
            WhyStep::new("Which price", name, "")
                .open()
                .path(path, "The customer's plan covers the call; the tariff does not apply")
        }
        PricedBy::Nothing { reason } => {
            WhyStep::new("Which price", "none", "").open().reasons(vec![Reason::new(reason, "").idle()])
        }
    }
}

fn how_long(explanation: &CallExplanation, ran: &Ran, zone: &TimeZone) -> WhyStep {
    let (metered, billed) = (i64::from(explanation.metered_seconds), i64::from(explanation.billed_seconds));
    let clock = |at: Option<DateTime<Utc>>| at.map(|at| format::second(at, zone).text).unwrap_or_default();
    let ran = Reason::new(
        format!("From {} to {}", clock(ran.from), clock(ran.until)),
        format!("{} s", format::count(metered)),
    )
    .note(format!("talk time {}", format::talk_time(metered)));
    let up =
        Reason::new("Charged, after free seconds, increments and the minimum", format!("{} s", format::count(billed)));
    WhyStep::new("How long", format!("{} s metered", format::count(metered)), format::billed_minutes(billed))
        .open()
        .reasons(vec![ran, up])
}

/// What the plan included of the call, before any price.
fn included(units: &IncludedUnits, zone: &TimeZone) -> WhyStep {
    let said = |quantity: Decimal| format!("{} {}", format::quantity(quantity), units.unit);
    let mut reasons = vec![
        Reason::new(format!("{} includes", units.component), said(units.included)).note(format!(
            "from {} to {}",
            format::short(units.from, zone).text,
            format::short(units.until, zone).text
        )),
        Reason::new("This call used", said(units.used)),
        Reason::new("Priced beyond what is included", said(units.beyond)),
    ];
    if units.free > units.used {
        let note = "it held units that an earlier call was priced for, and left them";
        reasons.push(Reason::new("Makes an earlier call free", said(units.free - units.used)).note(note));
    }
    let left = format!("{} left after it", said(units.left));
    WhyStep::new("Included", left, said(units.free)).open().reasons(reasons)
}

fn what_it_costs(explanation: &CallExplanation, charge: Option<Money>, currency: Currency) -> WhyStep {
    let steps = &explanation.sum.steps;
    let last = steps.len().saturating_sub(1);
    let reason = |(index, step): (usize, &Step)| {
        let reason = Reason::new(step.title(), bare(step.amount, Some(currency)))
            .calculation(step.calculation())
            .note(step.detail());
        if index == last && last > 0 { reason.sum() } else { reason }
    };
    let reasons = steps.iter().enumerate().map(reason).collect();
    let summary = format::counted(steps.len().saturating_sub(1).max(1) as i64, "term", "terms");
    WhyStep::new("What it costs", summary, charge.map(|charge| charge.human()).unwrap_or_default())
        .open()
        .reasons(reasons)
}

fn rounding(explanation: &CallExplanation, charge: Option<Money>, currency: Currency) -> WhyStep {
    let exact = explanation.sum.steps.last().map(|step| step.amount).unwrap_or_default();
    let rounded = charge.map(|charge| charge.as_decimal()).unwrap_or_default();
    let difference = rounded - exact;
    let to = if explanation.rounded_to == "minor" { "to the cent" } else { "to a millionth" };
    let amount = if difference.is_zero() { "0.00".to_owned() } else { format::quantity(difference) };
    let summary =
        if difference.is_zero() { format!("{} is already exact", currency.human_rate(rounded)) } else { to.to_owned() };
    let reason =
        Reason::new("Rounded once, at the end of the call", amount.clone()).note(format!("{to}, half away from zero"));
    WhyStep::new("Rounding", summary, amount).reasons(vec![reason])
}

/// An amount in main units with the digits that it has, at least those of the currency.
fn bare(amount: Decimal, currency: Option<Currency>) -> String {
    let digits = currency.map_or(2, |currency| currency.exponent());
    let amount = amount.round_dp(6).normalize();
    let scale = amount.scale().max(digits) as usize;
    let text = format!("{:.scale$}", amount.abs());
    if amount.is_sign_negative() && !amount.is_zero() { format!("−{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::TariffId;
    use pricing::{Explanation, Per, Rule};

    #[test]
    fn the_steps_of_a_tariff_call_end_in_its_charge_and_its_tax() {
        let half: Decimal = "0.50".parse().unwrap();
        let minutes =
            Rule::Stretch { from_second: 0, seconds: 1200, times: 1, rate: half, per: Per::Minute, band: None };
        let steps = vec![
            Step::new(Rule::Connection, Decimal::from(5)),
            Step::new(minutes, Decimal::from(10)),
            Step::new(Rule::TOTAL, Decimal::from(15)),
        ];
        let charge = Money::parse("15", Currency::EUR).unwrap();
        let explanation = CallExplanation {
            priced_by: PricedBy::Tariff {
                number: "+493023125014".into(),
                digit: 2,
                topic: "Tenancy law".into(),
                tariff_id: TariffId::new(),
                tariff: "Advice".into(),
                version: 3,
            },
            included: Vec::new(),
            metered_seconds: 1195,
            billed_seconds: 1200,
            sum: Explanation::of(steps),
            rounded_to: "micros".into(),
            discounts: Vec::new(),
            tax: None,
            unpaid: None,
        };
        let why =
            why(&explanation, Some(charge), &Ran { from: None, until: None }, &Links { plans: None }, &TimeZone::UTC);
        let titles: Vec<_> = why.0.iter().map(|step| (step.title.as_str(), step.amount.as_str())).collect();
        assert_eq!(
            titles,
            [("Which price", ""), ("How long", "20.0 min"), ("What it costs", "€15.00"), ("Rounding", "0.00")]
        );
    }

    #[test]
    fn an_amount_keeps_the_digits_it_has() {
        for (amount, text) in [("5", "5.00"), ("13.907563", "13.907563"), ("-0.5", "−0.50"), ("0", "0.00")] {
            assert_eq!(bare(amount.parse().unwrap(), Some(Currency::EUR)), text);
        }
    }
}
