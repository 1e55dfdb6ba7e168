//! Lines of calls that were charged by a topic's tariff: one for each topic and month, tax included. The calls were priced
//! when they ended; a document sums what they were charged and never prices them again.

use crate::bill::{Bill, Billing};
use crate::content::{Claim, Claimed, Line, LineGroup, LineSource};
use crate::due::{CALLS, CallsMonth};
use crate::error::Result;
use crate::rate::Quantities;
use crate::{tax, words};
use db::{LineId, TopicId};
use money::{Decimal, Money};
use pricing::{Explanation, Rule, Step};
use std::collections::BTreeMap;

/// What a topic's calls come to in a month.
#[derive(Clone, Copy, Default)]
struct Sums {
    charge: Decimal,
    calls: Decimal,
    minutes: Decimal,
}

/// Lines of the months that are due, and of calls that arrived after their month's document.
pub(crate) fn lines(billing: &Billing<'_>, months: &[CallsMonth], bill: &mut Bill) -> Result<()> {
    for month in months {
        let mut topics: BTreeMap<String, Sums> = BTreeMap::new();
        add(&mut topics, &billing.quantities[month.charge], |sums, quantity| sums.charge += quantity);
        add(&mut topics, &billing.quantities[month.calls], |sums, quantity| sums.calls += quantity);
        add(&mut topics, &billing.quantities[month.minutes], |sums, quantity| sums.minutes += quantity);
        let mut whole = Sums::default();
        for (topic, sums) in &topics {
            whole.charge += sums.charge;
            whole.calls += sums.calls;
            of_topic(billing, month, topic, *sums, bill)?;
        }
        if month.is_new {
            let amount = Money::from_decimal(whole.charge, billing.currency())?;
            bill.claims.push(claim(billing, month, CALLS, "charge".to_owned(), whole.calls, amount));
        }
    }
    Ok(())
}

/// What the calls of a month were charged, topic by topic.
pub(crate) fn charged(billing: &Billing<'_>, month: &CallsMonth) -> Result<Vec<(String, Money)>> {
    let mut topics: BTreeMap<String, Sums> = BTreeMap::new();
    add(&mut topics, &billing.quantities[month.charge], |sums, quantity| sums.charge += quantity);
    let amount = |(topic, sums): (String, Sums)| Ok((topic, Money::from_decimal(sums.charge, billing.currency())?));
    topics.into_iter().map(amount).collect()
}

fn add(topics: &mut BTreeMap<String, Sums>, quantities: &Quantities, put: impl Fn(&mut Sums, Decimal)) {
    for (dimensions, quantity) in quantities {
        let topic = dimensions.get("topic").cloned().unwrap_or_default();
        put(topics.entry(topic).or_default(), *quantity);
    }
}

fn of_topic(billing: &Billing<'_>, month: &CallsMonth, topic: &str, sums: Sums, bill: &mut Bill) -> Result<()> {
    let amount = Money::from_decimal(sums.charge, billing.currency())?;
    let before = billing
        .billed
        .of(billing.customer.id.uuid(), topic, month.service.starts_at, Claimed::Arrears)
        .filter(|_| !month.is_new);
    let zero = Money::zero(billing.currency());
    let (billed, counted, kind) = before.map_or((zero, Decimal::ZERO, "charge".to_owned()), |before| {
        (before.amount, before.quantity, format!("late-{}", before.times))
    });
    let (difference, calls) = (amount.checked_sub(billed)?, sums.calls - counted);
    if difference.is_zero() && (calls.is_zero() || !month.is_new) {
        return Ok(());
    }
    let mut steps = vec![Step::new(Rule::CallCharges { calls: sums.calls.normalize() }, amount.as_decimal())];
    if !billed.is_zero() {
        steps.push(Step::new(Rule::BilledBefore, -billed.as_decimal()));
    }
    steps.push(Step::new(Rule::TotalWithTax, difference.as_decimal()));
    let language = &billing.seller.language;
    // Usage names a topic by its id; calls without a topic open to nothing.
    let topic_id: Option<TopicId> = topic.parse().ok();
    let (category, percent) = match month.is_new {
        true => {
            let (category, percent) = tax::category(billing.customer.tax_treatment, billing.seller.tax_percent);
            (category.to_owned(), percent)
        }
        false => billing.tax_of(billing.customer.id.uuid(), month.service.starts_at, topic),
    };
    let (from, to) = (month.service.starts_at, month.service.ends_at);
    bill.lines.push(Line {
        id: LineId::new(),
        group: if month.is_new { LineGroup::Usage } else { LineGroup::Late },
        subscription_id: None,
        component_key: None,
        topic_id,
        text: billing.seller.topics.get(topic).cloned().unwrap_or_else(|| words::calls(language).to_owned()),
        detail: if month.is_new {
            words::minutes_talked(language, sums.minutes)
        } else {
            words::late(language).to_owned()
        },
        service: month.service,
        quantity: calls,
        unit: "calls".to_owned(),
        unit_price: None,
        amount: zero,
        gross: Some(difference),
        tax_category: category,
        tax_percent: percent,
        explanation: Explanation::of(steps),
        source: topic_id.map_or(LineSource::None, |topic_id| LineSource::TariffCalls { topic_id, from, to }),
        corrects: None,
    });
    bill.claims.push(claim(billing, month, topic, kind, calls, difference));
    Ok(())
}

fn claim(
    billing: &Billing<'_>,
    month: &CallsMonth,
    key: &str,
    kind: String,
    quantity: Decimal,
    amount: Money,
) -> Claim {
    Claim {
        billed_id: billing.customer.id.uuid(),
        component_key: key.to_owned(),
        service_starts_at: month.service.starts_at,
        service_ends_at: month.service.ends_at,
        kind,
        quantity,
        amount,
    }
}
