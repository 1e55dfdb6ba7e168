//! Prices, proration, changes, allocations, discounts, tax and commitments.

use std::collections::BTreeMap;

use money::{Currency, Decimal, Money, Percent};
use serde_json::{Value, json};

use super::Answer;
use crate::commitment::committed;
use crate::explain::{Rule, Step};
use crate::json::{Fields, Node, or};
use crate::price::Segment;
use crate::proration::{DateRange, Proration, change_exact};
use crate::{DocumentError, Exact, Explanation, Price, PricingError, RoundTo, TaxLine, Usage};

type Read<T> = Result<T, DocumentError>;

pub(super) fn price(fields: &mut Fields<'_>) -> Read<Answer> {
    let currency = fields.required("currency")?.currency()?;
    let price_node = fields.required("price")?;
    let price = Price::read(&price_node)?;
    let events = fields.optional("events");
    let events = events.map(|node| node.list()?.iter().map(Node::unsigned).collect::<Read<Vec<_>>>()).transpose()?;
    let quantity = match fields.optional("quantity") {
        Some(node) => node.unsigned()?,
        // Events stand for themselves.
        None if events.is_some() => Decimal::ZERO,
        None => return Err(PricingError::Missing.at("/quantity")),
    };
    let usage = Usage {
        quantity,
        already_used: or(fields.optional("already_used"), Decimal::ZERO, Node::unsigned)?,
        events,
        dimensions: or(fields.optional("dimensions"), BTreeMap::new(), read_dimensions)?,
        segment: Segment::WHOLE,
    };
    let round = or(fields.optional("round"), RoundTo::Micros, Node::round)?;
    let refuse = |rule: PricingError| price_node.refuse(rule);
    let amount = price.money(&usage, currency, round).map_err(refuse)?;
    let explanation = price.explain(&usage).map_err(refuse)?;
    Ok(Answer { fields: vec![("amount", plain(amount))], explanation })
}

pub(super) fn prorate(fields: &mut Fields<'_>) -> Read<Answer> {
    let currency = fields.required("currency")?.currency()?;
    let amount_node = fields.required("amount")?;
    let amount = read_fitting(&amount_node, currency)?;
    let period_node = fields.required("period")?;
    let used_node = fields.required("used")?;
    let share = read_share(&period_node, &used_node)?;
    let round = or(fields.optional("round"), RoundTo::Micros, Node::round)?;
    let exact = share.of(&Exact::from(amount)).map_err(|rule| amount_node.refuse(rule))?;
    let prorated = exact.to_money(currency, round).map_err(|rule| amount_node.refuse(rule))?;
    let rule = Rule::Days { of: amount, days: share.days, of_days: share.of_days };
    let step = Step::new(rule, prorated.as_decimal());
    Ok(Answer {
        fields: vec![("amount", plain(prorated)), ("days", share.days.into()), ("of_days", share.of_days.into())],
        explanation: Explanation::of(vec![step]),
    })
}

pub(super) fn change(fields: &mut Fields<'_>) -> Read<Answer> {
    let currency = fields.required("currency")?.currency()?;
    let old = read_unsigned_fitting(&fields.required("old")?, currency)?;
    let new = read_unsigned_fitting(&fields.required("new")?, currency)?;
    let period_node = fields.required("period")?;
    let period = read_range(&period_node)?;
    let on_node = fields.required("on")?;
    let on = on_node.date()?;
    let billed = fields.optional("billed").map(|node| read_money(&node, currency)).transpose()?;
    let credited = fields.optional("credited").map(|node| read_money(&node, currency)).transpose()?;
    let refuse = |rule: PricingError| match rule {
        PricingError::ChangeMustLieInPeriod => on_node.refuse(rule),
        PricingError::PeriodMustNotBeEmpty => period_node.refuse(rule),
        _ => rule.at(""),
    };
    let mut change = change_exact(&Exact::from(old), &Exact::from(new), currency, &period, on).map_err(refuse)?;
    if billed.is_some() || credited.is_some() {
        // Without a word on what was billed, the old amount was.
        let billed =
            billed.map_or_else(|| Money::from_decimal(old, currency), Ok).map_err(|error| refuse(error.into()))?;
        change = crate::change_capped(change, billed, credited.unwrap_or(Money::zero(currency))).map_err(refuse)?;
    }
    let steps = vec![
        Step::new(Rule::UnusedDays { from: on, until: period.to }, change.credit.as_decimal()),
        Step::new(Rule::NewDays { from: on, until: period.to }, change.charge.as_decimal()),
        Step::new(Rule::Net, change.net.as_decimal()),
    ];
    Ok(Answer {
        fields: vec![("credit", plain(change.credit)), ("charge", plain(change.charge)), ("net", plain(change.net))],
        explanation: Explanation::of(steps),
    })
}

pub(super) fn allocate(fields: &mut Fields<'_>) -> Read<Answer> {
    let currency = fields.required("currency")?.currency()?;
    let amount_node = fields.required("amount")?;
    let amount = read_whole_money(&amount_node, currency)?;
    let weights_node = fields.required("weights")?;
    let weights: Vec<Decimal> = weights_node.list()?.iter().map(Node::unsigned).collect::<Read<_>>()?;
    let parts = amount.allocate(&weights).map_err(|error| weights_node.refuse(error))?;
    let step = |(part, weight): (&Money, &Decimal)| Step::new(Rule::Part { weight: *weight }, part.as_decimal());
    let steps = parts.iter().zip(&weights).map(step).collect();
    Ok(Answer { fields: vec![("parts", plain_list(&parts))], explanation: Explanation::of(steps) })
}

pub(super) fn discount(fields: &mut Fields<'_>) -> Read<Answer> {
    let currency = fields.required("currency")?.currency()?;
    let lines_node = fields.required("lines")?;
    let lines = read_unsigned_list(&lines_node, currency)?;
    let percents: Vec<Percent> =
        fields.required("percents")?.list()?.iter().map(read_discount_percent).collect::<Read<_>>()?;
    let amounts = read_unsigned_list(&fields.required("amounts")?, currency)?;
    let refuse = |rule: PricingError| lines_node.refuse(rule);
    let discounted = crate::discount(&lines, &percents, &amounts, Money::zero(currency)).map_err(refuse)?;
    let amounts = amounts.iter().map(Money::as_decimal).collect();
    let steps = vec![Step::new(Rule::Discounts { percents, amounts }, discounted.discount.as_decimal())];
    Ok(Answer {
        fields: vec![("discount", plain(discounted.discount)), ("lines", plain_list(&discounted.lines))],
        explanation: Explanation::of(steps),
    })
}

pub(super) fn tax(fields: &mut Fields<'_>) -> Read<Answer> {
    let currency = fields.required("currency")?.currency()?;
    let lines_node = fields.required("lines")?;
    let lines: Vec<TaxLine> =
        lines_node.list()?.iter().map(|node| read_tax_line(node, currency)).collect::<Read<_>>()?;
    let inclusive = or(fields.optional("inclusive"), false, Node::flag)?;
    let sum =
        if inclusive { crate::tax_groups_inclusive(currency, &lines) } else { crate::tax_groups(currency, &lines) };
    let sum = sum.map_err(|rule| lines_node.refuse(rule))?;
    let group = |group: &crate::TaxGroup| json!({"rate": group.rate, "category": group.category, "base": plain(group.base), "tax": plain(group.tax)});
    let step = |group: &crate::TaxGroup| {
        let (category, base) = (group.category.clone(), group.base.as_decimal());
        Step::new(Rule::Tax { category, base, percent: group.rate }, group.tax.as_decimal())
    };
    let mut steps: Vec<Step> = sum.groups.iter().map(step).collect();
    let gross = Rule::Gross { net: sum.net.as_decimal(), tax: sum.tax.as_decimal() };
    steps.push(Step::new(gross, sum.total.as_decimal()));
    let groups: Vec<Value> = sum.groups.iter().map(group).collect();
    Ok(Answer {
        fields: vec![
            ("groups", groups.into()),
            ("net", plain(sum.net)),
            ("tax", plain(sum.tax)),
            ("total", plain(sum.total)),
        ],
        explanation: Explanation::of(steps),
    })
}

pub(super) fn commitment(fields: &mut Fields<'_>) -> Read<Answer> {
    let currency = fields.required("currency")?.currency()?;
    let usage = read_unsigned_fitting(&fields.required("usage")?, currency)?;
    let minimum = read_unsigned_fitting(&fields.required("minimum")?, currency)?;
    let share = match (fields.optional("period"), fields.optional("used")) {
        (None, None) => None,
        (Some(period), Some(used)) => Some(read_share(&period, &used)?),
        _ => return Err(fields.refuse(PricingError::PeriodAndUsedComeTogether)),
    };
    let overage_factor = or(fields.optional("overage_factor"), Decimal::ONE, Node::unsigned)?;
    let round = or(fields.optional("round"), RoundTo::Micros, Node::round)?;
    let whole = Exact::from(minimum);
    let due = share.map_or(Ok(whole.clone()), |share| share.of(&whole)).map_err(|rule| fields.refuse(rule))?;
    let charge = committed(&Exact::from(usage), &due, overage_factor, currency, round);
    let charge = charge.map_err(|rule| fields.refuse(rule))?;
    let (days, of_days) = share.map_or((1, 1), |share| (share.days, share.of_days));
    let steps = vec![
        Step::new(Rule::Usage, usage.normalize()),
        Step::new(Rule::Commitment { days, of_days }, minimum.normalize()),
        Step::new(Rule::TrueUp, charge.true_up.as_decimal()),
        Step::new(Rule::Total { rounded_to: Some(round), segment: None }, charge.total.as_decimal()),
    ];
    Ok(Answer {
        fields: vec![("true_up", plain(charge.true_up)), ("total", plain(charge.total))],
        explanation: Explanation::of(steps),
    })
}

fn plain(amount: Money) -> Value {
    Value::String(amount.format_plain())
}

fn plain_list(amounts: &[Money]) -> Value {
    amounts.iter().map(|amount| plain(*amount)).collect()
}

/// An amount that enters a sum as money: what is finer than micros would be rounded twice, so it is refused.
fn read_money(node: &Node<'_>, currency: Currency) -> Read<Money> {
    let amount = node.decimal()?;
    if amount.normalize().scale() > 6 {
        return Err(node.refuse(money::MoneyError::FinerThanMicros));
    }
    Money::from_decimal(amount, currency).map_err(|error| node.refuse(error))
}

/// An amount that is rounded later; beyond what money can be it is refused at once.
fn read_fitting(node: &Node<'_>, currency: Currency) -> Read<Decimal> {
    let amount = node.decimal()?;
    Money::from_decimal(amount, currency).map_err(|error| node.refuse(error))?;
    Ok(amount)
}

fn read_unsigned_fitting(node: &Node<'_>, currency: Currency) -> Read<Decimal> {
    node.unsigned()?;
    read_fitting(node, currency)
}

fn read_unsigned_money(node: &Node<'_>, currency: Currency) -> Read<Money> {
    node.unsigned()?;
    read_money(node, currency)
}

fn read_whole_money(node: &Node<'_>, currency: Currency) -> Read<Money> {
    let amount = read_money(node, currency)?;
    amount.minor_units().map_err(|error| node.refuse(error))?;
    Ok(amount)
}

fn read_unsigned_list(node: &Node<'_>, currency: Currency) -> Read<Vec<Money>> {
    node.list()?.iter().map(|amount| read_unsigned_money(amount, currency)).collect()
}

fn read_discount_percent(node: &Node<'_>) -> Read<Percent> {
    let percent = Percent::new(node.unsigned()?).map_err(|error| node.refuse(error))?;
    if percent > Percent::WHOLE {
        return Err(node.refuse(PricingError::PercentMustNotExceedWhole));
    }
    Ok(percent)
}

fn read_tax_line(node: &Node<'_>, currency: Currency) -> Read<TaxLine> {
    let mut fields = node.object()?;
    let rate = fields.required("rate")?;
    let line = TaxLine {
        amount: read_whole_money(&fields.required("amount")?, currency)?,
        rate: Percent::new(rate.unsigned()?).map_err(|error| rate.refuse(error))?,
        category: fields.required("category")?.text()?.to_owned(),
    };
    fields.finish()?;
    Ok(line)
}

fn read_dimensions(node: &Node<'_>) -> Read<BTreeMap<String, String>> {
    node.members()?.iter().map(|(name, value)| Ok(((*name).to_owned(), value.text()?.to_owned()))).collect()
}

/// Two dates, `[from, to)`.
fn read_range(node: &Node<'_>) -> Read<DateRange> {
    match node.list()?.as_slice() {
        [from, to] => Ok(DateRange { from: from.date()?, to: to.date()? }),
        _ => Err(node.refuse(PricingError::WrongType("a list of two dates"))),
    }
}

fn read_share(period: &Node<'_>, used: &Node<'_>) -> Read<Proration> {
    let (whole, part) = (read_range(period)?, read_range(used)?);
    whole.share(&part).map_err(|rule| match rule {
        PricingError::PeriodMustNotBeEmpty => period.refuse(rule),
        _ => used.refuse(rule),
    })
}
