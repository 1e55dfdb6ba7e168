//! Calls: what one costs, and how long a balance lasts.

use money::{Currency, Decimal, Money};
use serde_json::{Value, json};

use super::Answer;
use crate::explain::{Rule, Step};
use crate::json::{Fields, Node, or};
use crate::{CompiledTariff, DocumentError, Exact, Explanation, PricingError, RoundTo, Tariff};

type Read<T> = Result<T, DocumentError>;

pub(super) fn call(fields: &mut Fields<'_>) -> Read<Answer> {
    let (compiled, _) = read_tariff(fields)?;
    let start = fields.required("start")?.instant()?;
    let seconds = fields.required("seconds")?.count()?;
    let round = or(fields.optional("round"), RoundTo::Micros, Node::round)?;
    let refuse = |rule: PricingError| rule.at("/tariff");
    let charge = compiled.rate_to(start, seconds, round).map_err(refuse)?;
    let explanation = compiled.explain_to(start, seconds, round).map_err(refuse)?;
    Ok(Answer {
        fields: vec![
            ("amount", charge.amount.format_plain().into()),
            ("billed_seconds", charge.billed_seconds.into()),
            ("connection", charge.connection.format_plain().into()),
        ],
        explanation,
    })
}

pub(super) fn talk_time(fields: &mut Fields<'_>) -> Read<Answer> {
    let (compiled, currency) = read_tariff(fields)?;
    let balance_node = fields.required("balance")?;
    // Charges are whole micros, so what a balance has beyond them pays for nothing.
    let balance = floor(balance_node.decimal()?, currency).map_err(|rule| balance_node.refuse(rule))?;
    let start = fields.required("start")?.instant()?;
    let seconds = compiled.talk_seconds(balance, start, RoundTo::Micros).map_err(|rule| rule.at("/tariff"))?;
    let step = match seconds {
        Some(seconds) => Step::new(Rule::TalkTime { unlimited: false }, Decimal::from(seconds)),
        None => Step::new(Rule::TalkTime { unlimited: true }, balance.as_decimal()),
    };
    Ok(Answer {
        fields: vec![("max_seconds", seconds.map_or(Value::Null, |seconds| json!(seconds)))],
        explanation: Explanation::of(vec![step]),
    })
}

fn read_tariff(fields: &mut Fields<'_>) -> Read<(CompiledTariff, Currency)> {
    let currency = fields.required("currency")?.currency()?;
    let node = fields.required("tariff")?;
    let tariff = Tariff::read(&node)?;
    let zone = fields.optional("time_zone");
    let time_zone = zone.as_ref().map_or(Ok("UTC"), Node::text)?;
    let compiled = CompiledTariff::compile(&tariff, currency, time_zone).map_err(|rule| match rule {
        PricingError::UnknownTimeZone(_) => rule.at("/time_zone"),
        _ => node.refuse(rule),
    })?;
    Ok((compiled, currency))
}

fn floor(amount: Decimal, currency: Currency) -> Result<Money, PricingError> {
    let rounded = Money::from_decimal(amount, currency)?;
    if Exact::from(rounded) > Exact::from(amount) {
        return Ok(rounded.checked_sub(Money::from_micros(1, currency))?);
    }
    Ok(rounded)
}
