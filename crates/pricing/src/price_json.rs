//! The JSON document of a price, read strictly and written back.

use std::collections::BTreeMap;

use money::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::json::{Fields, Node, or};
use crate::price::{Model, PercentPrice, PercentTier, Price, StairTier, Tier};
use crate::{DocumentError, PricingError};

type Read<T> = Result<T, DocumentError>;

impl Price {
    /// Reads a price; refuses unknown fields and broken rules with a pointer into `document`.
    pub fn from_json(document: &Value) -> Result<Price, DocumentError> {
        Price::read(&Node::root(document)).map_err(|error| error.found_in(document))
    }

    pub(crate) fn read(node: &Node<'_>) -> Read<Price> {
        let mut fields = node.object()?;
        let name = fields.required("model")?;
        let model = match name.text()? {
            "per_unit" => Model::PerUnit { unit: fields.required("unit")?.unsigned()? },
            "graduated" => Model::Graduated { tiers: read_tiers(&mut fields, read_tier)? },
            "volume" => Model::Volume { tiers: read_tiers(&mut fields, read_tier)? },
            "stairstep" => Model::Stairstep { tiers: read_tiers(&mut fields, read_stair)? },
            "graduated_percent" => Model::GraduatedPercent { tiers: read_tiers(&mut fields, read_percent_tier)? },
            "package" => Model::Package {
                size: fields.required("size")?.positive()?,
                amount: fields.required("amount")?.unsigned()?,
                free: or(fields.optional("free"), Decimal::ZERO, Node::unsigned)?,
            },
            "percent" => Model::Percent(read_percent(&mut fields)?),
            "by" => read_by(&mut fields)?,
            unknown => return Err(name.refuse(PricingError::UnknownModel(unknown.chars().take(40).collect()))),
        };
        let (minimum, maximum) = read_limits(&mut fields, "minimum", "maximum")?;
        let flat_at_zero = or(fields.optional("flat_at_zero"), false, Node::flag)?;
        fields.finish()?;
        Ok(Price { model, minimum, maximum, flat_at_zero })
    }

    /// The document of this price.
    pub fn to_json(&self) -> Value {
        let mut document = match &self.model {
            Model::PerUnit { unit } => json!({"model": "per_unit", "unit": text(*unit)}),
            Model::Graduated { tiers } => {
                json!({"model": "graduated", "tiers": tiers.iter().map(write_tier).collect::<Vec<_>>()})
            }
            Model::Volume { tiers } => {
                json!({"model": "volume", "tiers": tiers.iter().map(write_tier).collect::<Vec<_>>()})
            }
            Model::Package { size, amount, free } => {
                json!({"model": "package", "size": text(*size), "amount": text(*amount), "free": text(*free)})
            }
            Model::Stairstep { tiers } => {
                let tiers: Vec<Value> = tiers
                    .iter()
                    .map(|tier| json!({"up_to": tier.up_to.map(text), "amount": text(tier.amount)}))
                    .collect();
                json!({"model": "stairstep", "tiers": tiers})
            }
            Model::GraduatedPercent { tiers } => {
                let write = |tier: &PercentTier| json!({"up_to": tier.up_to.map(text), "percent": text(tier.percent), "flat": text(tier.flat)});
                json!({"model": "graduated_percent", "tiers": tiers.iter().map(write).collect::<Vec<_>>()})
            }
            Model::Percent(price) => write_percent(price),
            Model::By { dimension, cases, default } => {
                let cases: Map<String, Value> =
                    cases.iter().map(|(name, price)| (name.clone(), price.to_json())).collect();
                let mut document = json!({"model": "by", "dimension": dimension, "cases": cases});
                put(&mut document, "default", default.as_ref().map(|price| price.to_json()));
                document
            }
        };
        put(&mut document, "minimum", self.minimum.map(text));
        put(&mut document, "maximum", self.maximum.map(text));
        put(&mut document, "flat_at_zero", self.flat_at_zero.then_some(Value::Bool(true)));
        document
    }
}

/// A decimal as the string of a document.
fn text(number: Decimal) -> Value {
    Value::String(number.to_string())
}

fn put(document: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(map), Some(value)) = (document.as_object_mut(), value) {
        map.insert(name.to_owned(), value);
    }
}

fn write_tier(tier: &Tier) -> Value {
    json!({"up_to": tier.up_to.map(text), "unit": text(tier.unit), "flat": text(tier.flat)})
}

fn write_percent(price: &PercentPrice) -> Value {
    let mut document = json!({"model": "percent", "rate": text(price.rate)});
    let fixed = Some(price.fixed_per_event).filter(|fixed| !fixed.is_zero());
    put(&mut document, "fixed_per_event", fixed.map(text));
    put(&mut document, "free_events", price.free_events.map(Value::from));
    put(&mut document, "free_amount", price.free_amount.map(text));
    put(&mut document, "minimum_per_event", price.minimum_per_event.map(text));
    put(&mut document, "maximum_per_event", price.maximum_per_event.map(text));
    document
}

/// A tier as read: where it ends, and what it says.
type ReadTier<T> = fn(&mut Fields<'_>, Option<Decimal>) -> Read<T>;

/// Tiers that rise, the last one open.
fn read_tiers<T>(fields: &mut Fields<'_>, read: ReadTier<T>) -> Read<Vec<T>> {
    let node = fields.required("tiers")?;
    let list = node.list()?;
    if list.is_empty() {
        return Err(node.refuse(PricingError::MustNotBeEmpty));
    }
    let mut below = Decimal::ZERO;
    let mut tiers = Vec::with_capacity(list.len());
    for (index, tier) in list.iter().enumerate() {
        let mut fields = tier.object()?;
        let end = fields.required("up_to")?;
        let up_to = if end.value.is_null() { None } else { Some(end.unsigned()?) };
        match (up_to, index + 1 == list.len()) {
            (Some(_), true) => return Err(end.refuse(PricingError::LastTierMustBeOpen)),
            (None, false) => return Err(end.refuse(PricingError::OnlyLastTierIsOpen)),
            (Some(bound), false) if bound <= below => return Err(end.refuse(PricingError::TiersMustRise)),
            _ => below = up_to.unwrap_or(below),
        }
        tiers.push(read(&mut fields, up_to)?);
        fields.finish()?;
    }
    Ok(tiers)
}

fn read_tier(fields: &mut Fields<'_>, up_to: Option<Decimal>) -> Read<Tier> {
    Ok(Tier {
        up_to,
        unit: fields.required("unit")?.unsigned()?,
        flat: or(fields.optional("flat"), Decimal::ZERO, Node::unsigned)?,
    })
}

fn read_stair(fields: &mut Fields<'_>, up_to: Option<Decimal>) -> Read<StairTier> {
    Ok(StairTier { up_to, amount: fields.required("amount")?.unsigned()? })
}

fn read_percent_tier(fields: &mut Fields<'_>, up_to: Option<Decimal>) -> Read<PercentTier> {
    Ok(PercentTier {
        up_to,
        percent: fields.required("percent")?.unsigned()?,
        flat: or(fields.optional("flat"), Decimal::ZERO, Node::unsigned)?,
    })
}

fn read_percent(fields: &mut Fields<'_>) -> Read<PercentPrice> {
    let rate = fields.required("rate")?.unsigned()?;
    let fixed_per_event = or(fields.optional("fixed_per_event"), Decimal::ZERO, Node::unsigned)?;
    let free_events = fields.nullable("free_events").map(|node| node.count()).transpose()?;
    let free_amount = fields.nullable("free_amount").map(|node| node.unsigned()).transpose()?;
    let (minimum_per_event, maximum_per_event) = read_limits(fields, "minimum_per_event", "maximum_per_event")?;
    Ok(PercentPrice { rate, fixed_per_event, free_events, free_amount, minimum_per_event, maximum_per_event })
}

fn read_by(fields: &mut Fields<'_>) -> Read<Model> {
    let dimension = fields.required("dimension")?.text()?.to_owned();
    let cases = fields.required("cases")?.members()?;
    let cases: BTreeMap<String, Price> =
        cases.iter().map(|(name, node)| Ok(((*name).to_owned(), Price::read(node)?))).collect::<Read<_>>()?;
    let default = fields.nullable("default").map(|node| Price::read(&node).map(Box::new)).transpose()?;
    Ok(Model::By { dimension, cases, default })
}

fn read_limits(
    fields: &mut Fields<'_>,
    minimum: &'static str,
    maximum: &'static str,
) -> Read<(Option<Decimal>, Option<Decimal>)> {
    let least = fields.nullable(minimum).map(|node| node.unsigned()).transpose()?;
    let Some(node) = fields.nullable(maximum) else {
        return Ok((least, None));
    };
    let most = node.unsigned()?;
    if least.is_some_and(|least| least > most) {
        return Err(node.refuse(PricingError::MinimumMustNotExceedMaximum));
    }
    Ok((least, Some(most)))
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a value: numbers are taken by their text, and a refusal carries its pointer.
        let document = Value::deserialize(deserializer)?;
        Price::from_json(&document).map_err(serde::de::Error::custom)
    }
}
