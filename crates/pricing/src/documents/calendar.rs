//! Periods and civil days.

use money::Decimal;
use serde_json::Value;

use super::Answer;
use crate::explain::{Rule, Step};
use crate::json::{Fields, Node};
use crate::period::{Periods, with_offset};
use crate::{DocumentError, Explanation, PricingError, zone};

/// A line asks for at most so many periods: a thousand years of months.
const PERIODS_MAX: u32 = 12_000;

pub(super) fn periods(fields: &mut Fields<'_>) -> Result<Answer, DocumentError> {
    let anchor_node = fields.required("anchor")?;
    let anchor = anchor_node.date()?;
    let months = fields.required("months")?.positive_count()?;
    let count_node = fields.required("count")?;
    let count = count_node.positive_count()?;
    if count > PERIODS_MAX {
        return Err(count_node.refuse(PricingError::TooLarge));
    }
    let (name, at) = time_zone(fields)?;
    let rules = zone::rules(&name).map_err(|rule| rule.at(at.clone()))?;
    let periods = Periods::new(anchor, months, &name).map_err(|rule| rule.at(at))?;
    let bound = |index: u32| with_offset(&rules, periods.bound_at(i64::from(index))?);
    let bounds: Vec<String> =
        (0..=count).map(bound).collect::<Result<_, _>>().map_err(|rule| anchor_node.refuse(rule))?;
    let step = Step::new(Rule::Periods { anchor, months, time_zone: name }, Decimal::from(count));
    Ok(Answer { fields: vec![("bounds", bounds.into())], explanation: Explanation::of(vec![step]) })
}

pub(super) fn days(fields: &mut Fields<'_>) -> Result<Answer, DocumentError> {
    let from = fields.required("from")?.instant()?;
    let to_node = fields.required("to")?;
    let to = to_node.instant()?;
    let (name, at) = time_zone(fields)?;
    let days = crate::days_between(from, to, &name).map_err(|rule| match rule {
        PricingError::UnknownTimeZone(_) => rule.at(at),
        _ => to_node.refuse(rule),
    })?;
    let step = Step::new(Rule::CivilDays { time_zone: name }, Decimal::from(days));
    Ok(Answer { fields: vec![("days", Value::from(days))], explanation: Explanation::of(vec![step]) })
}

/// The zone's name and where it stands; UTC when none is named.
fn time_zone(fields: &mut Fields<'_>) -> Result<(String, String), DocumentError> {
    let node = fields.optional("time_zone");
    let name = node.as_ref().map_or(Ok("UTC"), Node::text)?;
    Ok((name.to_owned(), node.map_or(String::new(), |node| node.pointer)))
}
