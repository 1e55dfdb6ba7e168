//! The JSON document of a tariff, read strictly.

use money::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::json::{Fields, Node, or};
use crate::tariff::{Band, Day, Per, RateStep, Tariff, TimeOfDay};
use crate::{DocumentError, PricingError};

impl Tariff {
    /// Reads a tariff; refuses unknown fields and broken rules with a pointer into `document`.
    pub fn from_json(document: &Value) -> Result<Tariff, DocumentError> {
        Tariff::read(&Node::root(document)).map_err(|error| error.found_in(document))
    }

    pub(crate) fn read(node: &Node<'_>) -> Result<Tariff, DocumentError> {
        let mut fields = node.object()?;
        let tariff = Tariff {
            connection: or(fields.optional("connection"), Decimal::ZERO, Node::unsigned)?,
            per: or(fields.optional("per"), Per::Minute, read_per)?,
            first_increment: fields.optional("first_increment").map(|node| node.positive_count()).transpose()?,
            increment: or(fields.optional("increment"), 1, Node::positive_count)?,
            minimum_seconds: or(fields.optional("minimum_seconds"), 0, Node::count)?,
            free_seconds: or(fields.optional("free_seconds"), 0, Node::count)?,
            maximum: fields.nullable("maximum").map(|node| node.unsigned()).transpose()?,
            bands: or(fields.optional("bands"), Vec::new(), |node| node.list()?.iter().map(read_band).collect())?,
            holidays: or(fields.optional("holidays"), Vec::new(), |node| {
                node.list()?.iter().map(Node::date).collect()
            })?,
            steps: read_steps(&mut fields)?,
        };
        fields.finish()?;
        Ok(tariff)
    }

    /// The rules that a tariff built in code must keep too.
    pub(crate) fn check(&self) -> Result<(), PricingError> {
        let fees =
            [Some(self.connection), self.maximum].into_iter().chain(self.bands.iter().map(|band| band.connection));
        if fees.flatten().any(|fee| fee < Decimal::ZERO) {
            return Err(PricingError::MustNotBeNegative);
        }
        if self.increment == 0 || self.first_increment == Some(0) {
            return Err(PricingError::MustBeAboveZero);
        }
        check_steps(&self.steps).map_err(|(rule, _)| rule)?;
        for band in &self.bands {
            if band.days.is_empty() {
                return Err(PricingError::MustNotBeEmpty);
            }
            check_steps(&band.steps).map_err(|(rule, _)| rule)?;
        }
        Ok(())
    }
}

/// Steps by length; a refusal names the step.
fn check_steps(steps: &[RateStep]) -> Result<(), (PricingError, usize)> {
    let first = steps.first().ok_or((PricingError::MustNotBeEmpty, 0))?;
    if first.from_second != 0 {
        return Err((PricingError::FirstStepMustBeAtZero, 0));
    }
    for (index, step) in steps.iter().enumerate() {
        if step.rate < Decimal::ZERO {
            return Err((PricingError::MustNotBeNegative, index));
        }
        if step.increment == Some(0) {
            return Err((PricingError::MustBeAboveZero, index));
        }
        if index > 0 && step.from_second <= steps[index - 1].from_second {
            return Err((PricingError::StepsMustRise, index));
        }
    }
    Ok(())
}

/// `steps`, or `rate` for a single one.
fn read_steps(fields: &mut Fields<'_>) -> Result<Vec<RateStep>, DocumentError> {
    let (rate, steps) = (fields.optional("rate"), fields.optional("steps"));
    match (rate, steps) {
        (Some(rate), None) => Ok(vec![RateStep { from_second: 0, rate: rate.unsigned()?, increment: None }]),
        (None, Some(node)) => {
            let steps: Vec<RateStep> = node.list()?.iter().map(read_step).collect::<Result<_, _>>()?;
            check_steps(&steps).map_err(|(rule, index)| match rule {
                PricingError::MustNotBeEmpty => node.refuse(rule),
                _ => rule.at(format!("{}/{index}/from_second", node.pointer)),
            })?;
            Ok(steps)
        }
        _ => Err(fields.refuse(PricingError::RateOrSteps)),
    }
}

fn read_step(node: &Node<'_>) -> Result<RateStep, DocumentError> {
    let mut fields = node.object()?;
    let step = RateStep {
        from_second: fields.required("from_second")?.count()?,
        rate: fields.required("rate")?.unsigned()?,
        increment: fields.optional("increment").map(|node| node.positive_count()).transpose()?,
    };
    fields.finish()?;
    Ok(step)
}

fn read_band(node: &Node<'_>) -> Result<Band, DocumentError> {
    let mut fields = node.object()?;
    let days = fields.required("days")?;
    let from = fields.required("from")?;
    let band = Band {
        days: days.list()?.iter().map(read_day).collect::<Result<_, _>>()?,
        from: read_time(&from)?,
        to: read_time(&fields.required("to")?)?,
        connection: fields.optional("connection").map(|node| node.unsigned()).transpose()?,
        steps: read_steps(&mut fields)?,
    };
    fields.finish()?;
    if band.days.is_empty() {
        return Err(days.refuse(PricingError::MustNotBeEmpty));
    }
    if band.from.seconds() == 86_400 {
        return Err(from.refuse(PricingError::MustBeTimeOfDay));
    }
    Ok(band)
}

pub(crate) fn read_time(node: &Node<'_>) -> Result<TimeOfDay, DocumentError> {
    TimeOfDay::parse(node.text()?).map_err(|rule| node.refuse(rule))
}

pub(crate) fn read_day(node: &Node<'_>) -> Result<Day, DocumentError> {
    let name = node.text()?;
    let mut days = Day::WEEK.into_iter().chain([Day::Holiday]);
    days.find(|day| day.name() == name).ok_or_else(|| node.refuse(PricingError::UnknownDay))
}

fn read_per(node: &Node<'_>) -> Result<Per, DocumentError> {
    let name = node.text()?;
    let mut all = [Per::Second, Per::Minute, Per::Hour].into_iter();
    all.find(|per| per.name() == name).ok_or_else(|| node.refuse(PricingError::UnknownUnitOfTime))
}

impl<'de> Deserialize<'de> for Tariff {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a value: numbers are taken by their text, and a refusal carries its pointer.
        let document = Value::deserialize(deserializer)?;
        Tariff::from_json(&document).map_err(serde::de::Error::custom)
    }
}
