//! Routes and staffing.

use money::{Decimal, Percent};
use serde_json::{Value, json};

use super::Answer;
use crate::explain::{Rule, Step};
use crate::json::{Fields, Node};
use crate::route::{called_digits, is_number};
use crate::{Carrier, Channels, DocumentError, Explanation, PricingError, Route, Routing, Staffing};

type Read<T> = Result<T, DocumentError>;

pub(super) fn route(fields: &mut Fields<'_>) -> Read<Answer> {
    fields.required("currency")?.currency()?;
    let called = fields.required("called")?;
    called_digits(called.text()?).map_err(|rule| called.refuse(rule))?;
    let margin = fields.required("minimum_margin_percent")?;
    let routing = Routing {
        called: called.text()?.to_owned(),
        sell_rate: fields.required("sell_rate")?.positive()?,
        minimum_margin: Percent::new(margin.unsigned()?).map_err(|error| margin.refuse(error))?,
    };
    let carriers: Vec<Carrier> = fields.required("carriers")?.list()?.iter().map(read_carrier).collect::<Read<_>>()?;
    let routes = routing.routes(&carriers).map_err(|rule| fields.refuse(rule))?;
    let step = |route: &Route| {
        let (carrier, prefix) = (route.carrier.clone(), route.prefix.clone());
        Step::new(Rule::Margin { carrier, prefix, sell: routing.sell_rate, rate: route.rate }, route.margin_percent)
    };
    let steps = routes.iter().map(step).collect();
    let row = |route: &Route| {
        json!({
            "carrier": route.carrier,
            "prefix": route.prefix,
            "rate": route.rate.to_string(),
            "margin_percent": route.margin_percent.to_string(),
        })
    };
    let rows: Vec<Value> = routes.iter().map(row).collect();
    Ok(Answer { fields: vec![("routes", rows.into())], explanation: Explanation::of(steps) })
}

pub(super) fn erlang_c(fields: &mut Fields<'_>) -> Read<Answer> {
    let staffing = Staffing {
        calls_per_hour: fields.required("calls_per_hour")?.unsigned()?,
        handling_seconds: fields.required("handling_seconds")?.unsigned()?,
        target: read_share(&fields.required("target")?)?,
        within_seconds: fields.required("within_seconds")?.unsigned()?,
        maximum_occupancy: read_share(&fields.required("maximum_occupancy")?)?,
        shrinkage: read_share(&fields.required("shrinkage")?)?,
    };
    let needed = staffing.needed().map_err(|rule| fields.refuse(rule))?;
    let Staffing { calls_per_hour, handling_seconds, shrinkage, .. } = staffing;
    let steps = vec![
        Step::new(Rule::Agents { calls_per_hour, handling_seconds }, Decimal::from(needed.agents)),
        Step::new(Rule::Scheduled { shrinkage }, Decimal::from(needed.scheduled)),
    ];
    Ok(Answer {
        fields: vec![
            ("agents", needed.agents.into()),
            ("scheduled", needed.scheduled.into()),
            ("service_level", needed.service_level.to_string().into()),
            ("occupancy", needed.occupancy.to_string().into()),
            ("average_wait_seconds", needed.average_wait_seconds.to_string().into()),
        ],
        explanation: Explanation::of(steps),
    })
}

pub(super) fn erlang_b(fields: &mut Fields<'_>) -> Read<Answer> {
    let channels = Channels {
        erlangs: fields.required("erlangs")?.unsigned()?,
        maximum_blocking: read_share(&fields.required("maximum_blocking")?)?,
    };
    let needed = channels.needed().map_err(|rule| fields.refuse(rule))?;
    let step = Step::new(Rule::Channels { erlangs: channels.erlangs }, Decimal::from(needed.channels));
    Ok(Answer {
        fields: vec![("channels", needed.channels.into()), ("blocking", needed.blocking.to_string().into())],
        explanation: Explanation::of(vec![step]),
    })
}

fn read_share(node: &Node<'_>) -> Read<Decimal> {
    let share = node.unsigned()?;
    if share > Decimal::ONE {
        return Err(node.refuse(PricingError::MustBeShare));
    }
    Ok(share)
}

fn read_carrier(node: &Node<'_>) -> Read<Carrier> {
    let mut fields = node.object()?;
    let carrier = Carrier {
        code: fields.required("code")?.text()?.to_owned(),
        up: fields.required("up")?.flag()?,
        rates: fields.required("rates")?.members()?.iter().map(read_rate).collect::<Read<_>>()?,
    };
    fields.finish()?;
    Ok(carrier)
}

fn read_rate((prefix, rate): &(&str, Node<'_>)) -> Read<(String, Decimal)> {
    if !is_number(prefix) {
        return Err(rate.refuse(PricingError::MustBePrefix));
    }
    Ok(((*prefix).to_owned(), rate.unsigned()?))
}
