//! A plan version as a JSON document: what the editor keeps as a draft, the API accepts and a quote carries. Read whole:
//! every refusal is told, each with its field, its rule and the value.

use super::component::{Component, Measure};
use super::loyalty::{LoyaltyReward, LoyaltyRule};
use super::reader::{Reader, decimal, refusal, shown};
use super::terms::{Limit, NewPlanVersion, PlanVersion, TrialUsage};
use crate::error::{Refusal, Rule};
use crate::words::{Billed, ComponentKind, LateUsage, TrialEnd};
use money::{Currency, Money, Percent};
use pricing::Price;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

impl NewPlanVersion {
    /// Reads a document and checks it whole; all refusals, in the order of the document, if there are any.
    ///
    /// Components may charge by the meters that every book has and by those named here.
    pub fn from_document(document: &Value, own_meters: &[Measure]) -> Result<NewPlanVersion, Vec<Refusal>> {
        let (version, mut refusals) = read(document);
        let Some(version) = version else { return Err(refusals) };
        refusals.extend(version.refusals(own_meters));
        if refusals.is_empty() { Ok(version) } else { Err(refusals) }
    }

    /// Reads a document that was checked when it was stored; meters may have come and gone since.
    pub(crate) fn from_stored(document: &Value) -> Result<NewPlanVersion, Vec<Refusal>> {
        let (version, refusals) = read(document);
        version.filter(|_| refusals.is_empty()).ok_or(refusals)
    }

    /// The document of this version.
    pub fn to_document(&self) -> Value {
        let trial_usage = match self.trial_usage {
            TrialUsage::Charged => json!("charged"),
            TrialUsage::FreeUpTo(cap) => json!({ "free_up_to": cap }),
        };
        json!({
            "currency": self.currency,
            "term_months": self.term_months,
            "fixed_terms": self.fixed_terms,
            "trial_days": self.trial_days,
            "trial_usage": trial_usage,
            "trial_end": self.trial_end,
            "term_discount_percent": self.term_discount_percent,
            "commitment": self.commitment,
            "fee_cap": self.fee_cap,
            "late_usage": self.late_usage,
            "loyalty": self.loyalty,
            "features": self.features,
            "limits": self.limits,
            "seat_limit": self.seat_limit,
            "sells_extra_seats": self.sells_extra_seats,
            "components": self.components,
        })
    }
}

impl PlanVersion {
    /// Its terms, to make the next version of.
    pub fn terms(&self) -> NewPlanVersion {
        NewPlanVersion {
            currency: self.currency,
            term_months: self.term_months,
            fixed_terms: self.fixed_terms,
            trial_days: self.trial_days,
            trial_usage: self.trial_usage,
            trial_end: self.trial_end,
            term_discount_percent: self.term_discount_percent,
            commitment: self.commitment,
            fee_cap: self.fee_cap,
            late_usage: self.late_usage,
            loyalty: self.loyalty.clone(),
            features: self.features.clone(),
            limits: self.limits.clone(),
            seat_limit: self.seat_limit,
            sells_extra_seats: self.sells_extra_seats,
            components: self.components.clone(),
        }
    }
}

/// What can be read, and everything that cannot.
pub(super) fn read(document: &Value) -> (Option<NewPlanVersion>, Vec<Refusal>) {
    let mut reader = match Reader::new(document, "") {
        Ok(reader) => reader,
        Err(refusal) => return (None, vec![refusal]),
    };
    let currency =
        reader.read("currency", "a currency code such as EUR", |value| value.as_str()?.parse::<Currency>().ok());
    let Some(currency) = reader.required("currency", currency) else {
        return (None, reader.refusals);
    };
    let mut version = NewPlanVersion::monthly(currency, Vec::new());
    version.term_months = reader.count("term_months").unwrap_or(version.term_months);
    version.fixed_terms = reader.count("fixed_terms");
    version.trial_days = reader.count("trial_days").unwrap_or(version.trial_days);
    version.trial_usage = trial_usage(&mut reader, currency);
    version.trial_end = reader
        .read("trial_end", "convert, cancel or past_due", |value| TrialEnd::from_word(value.as_str()?))
        .unwrap_or(TrialEnd::Convert);
    version.term_discount_percent = percent(&mut reader, "term_discount_percent").unwrap_or(Percent::ZERO);
    version.commitment = money(&mut reader, "commitment", currency).unwrap_or(version.commitment);
    version.fee_cap = money(&mut reader, "fee_cap", currency);
    version.late_usage = reader
        .read("late_usage", "bill, absorb or suspend", |value| LateUsage::from_word(value.as_str()?))
        .unwrap_or(LateUsage::Bill);
    version.features = reader.read("features", "a list of words", words).unwrap_or_default();
    version.seat_limit = reader.count("seat_limit");
    version.sells_extra_seats = reader.flag("sells_extra_seats").unwrap_or(false);
    let (mut inner, mut lists) = (Vec::new(), Lists::default());
    lists.read(&mut reader, &mut inner);
    version.loyalty = lists.loyalty;
    version.limits = lists.limits;
    version.components = lists.components;
    let mut refusals = reader.finish();
    refusals.extend(inner);
    (Some(version), refusals)
}

/// An amount: a decimal string in the document's currency, or an amount beside its own.
fn amount(value: &Value, currency: Currency) -> Option<Money> {
    match value {
        Value::Object(_) => serde_json::from_value(value.clone()).ok(),
        other => Money::parse(&decimal(other)?.to_string(), currency).ok(),
    }
}

fn money(reader: &mut Reader<'_>, name: &'static str, currency: Currency) -> Option<Money> {
    reader.read(name, "an amount of at most six decimals", |value| amount(value, currency))
}

fn percent(reader: &mut Reader<'_>, name: &'static str) -> Option<Percent> {
    let number = reader.decimal(name)?;
    let percent = Percent::new(number).ok();
    if percent.is_none() {
        reader.refuse(name, Rule::MustNotBeNegative, number);
    }
    percent
}

fn trial_usage(reader: &mut Reader<'_>, currency: Currency) -> TrialUsage {
    let wanted = "charged, or {\"free_up_to\": an amount}";
    let found = reader.read("trial_usage", wanted, |value| match value {
        Value::String(word) if word == "charged" => Some(TrialUsage::Charged),
        Value::Object(object) if object.len() == 1 => {
            Some(TrialUsage::FreeUpTo(amount(object.get("free_up_to")?, currency)?))
        }
        _ => None,
    });
    found.unwrap_or_default()
}

fn words(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
}

/// What stands in lists and maps.
#[derive(Default)]
struct Lists {
    loyalty: Vec<LoyaltyRule>,
    limits: BTreeMap<String, Limit>,
    components: Vec<Component>,
}

impl Lists {
    fn read(&mut self, reader: &mut Reader<'_>, refusals: &mut Vec<Refusal>) {
        let rules = reader.read("loyalty", "a list", Value::as_array).into_iter().flatten();
        for (index, rule) in rules.enumerate() {
            self.loyalty.extend(loyalty(rule, &format!("loyalty/{index}"), refusals));
        }
        let limits: Option<&Map<String, Value>> = reader.read("limits", "an object", Value::as_object);
        for (feature, document) in limits.into_iter().flatten() {
            if let Some(limit) = limit(document, &format!("limits/{feature}"), refusals) {
                self.limits.insert(feature.clone(), limit);
            }
        }
        let parts = reader.read("components", "a list", Value::as_array).into_iter().flatten();
        for (index, part) in parts.enumerate() {
            self.components.extend(component(part, index, refusals));
        }
    }
}

/// Runs a reading and collects its refusals; nothing when any was refused.
fn collected<T>(
    value: &Value,
    place: &str,
    refusals: &mut Vec<Refusal>,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Option<T> {
    let mut reader = match Reader::new(value, place) {
        Ok(reader) => reader,
        Err(refusal) => {
            refusals.push(refusal);
            return None;
        }
    };
    let found = read(&mut reader);
    let refused = reader.finish();
    let found = found.filter(|_| refused.is_empty());
    refusals.extend(refused);
    found
}

fn loyalty(value: &Value, place: &str, refusals: &mut Vec<Refusal>) -> Option<LoyaltyRule> {
    collected(value, place, refusals, |reader| {
        let after_months = reader.count("after_months");
        let after_months = reader.required("after_months", after_months);
        let percent = percent(reader, "percent_off").map(LoyaltyReward::PercentOff);
        let add_on = reader
            .read("free_add_on", "the id of an add-on's version", |value| value.as_str()?.parse().ok())
            .map(LoyaltyReward::FreeAddOn);
        let feature = reader.text("feature").map(LoyaltyReward::Feature);
        let mut rewards = [percent, add_on, feature].into_iter().flatten();
        let reward = match (rewards.next(), rewards.next()) {
            (Some(only), None) => Some(only),
            _ => {
                let rule = Rule::MustBeWritten("one of percent_off, free_add_on and feature");
                reader.refuse("reward", rule, shown(value));
                None
            }
        };
        Some(LoyaltyRule { after_months: after_months?, reward: reward? })
    })
}

fn limit(value: &Value, place: &str, refusals: &mut Vec<Refusal>) -> Option<Limit> {
    if let Some(amount) = decimal(value) {
        return Some(Limit { amount, meter: None });
    }
    collected(value, place, refusals, |reader| {
        let amount = reader.decimal("amount");
        let amount = reader.required("amount", amount);
        let meter = reader.text("meter");
        Some(Limit { amount: amount?, meter })
    })
}

fn component(value: &Value, index: usize, refusals: &mut Vec<Refusal>) -> Option<Component> {
    let key = value.get("key").and_then(Value::as_str).filter(|key| !key.is_empty());
    let place = key.map_or_else(|| format!("components/{index}"), |key| format!("components/{key}"));
    collected(value, &place, refusals, |reader| {
        let key = reader.text("key").unwrap_or_default();
        let name = reader.text("name").unwrap_or_default();
        let kind = reader.read("kind", KINDS, |value| ComponentKind::from_word(value.as_str()?));
        let kind = reader.required("kind", kind);
        let billed = reader.read("billed", "in_advance or in_arrears", |value| Billed::from_word(value.as_str()?));
        let billed = reader.required("billed", billed);
        let measure = reader.text("measure").filter(|measure| !measure.is_empty());
        let filter = reader.read("filter", "an object of words", filter).unwrap_or_default();
        let included = reader.decimal("included").unwrap_or(Decimal::ZERO);
        let minimum_quantity = reader.decimal("minimum_quantity").unwrap_or(Decimal::ZERO);
        let price = price(reader);
        let (kind, billed, price) = (kind?, billed?, price?);
        Some(Component { key, kind, name, measure, filter, included, minimum_quantity, price, billed })
    })
}

const KINDS: &str = "flat, seat, usage, hours, channels, percent or one_off";

fn filter(value: &Value) -> Option<BTreeMap<String, String>> {
    let pairs = value.as_object()?.iter();
    pairs.map(|(name, wanted)| Some((name.clone(), wanted.as_str()?.to_owned()))).collect()
}

/// Gaps and overlapping tiers, a negative amount, an unknown model: refused at the place inside the price.
fn price(reader: &mut Reader<'_>) -> Option<Price> {
    let document = reader.value("price");
    let document = reader.required("price", document)?;
    match Price::from_json(document) {
        Ok(price) => Some(price),
        Err(refused) => {
            let found = document.pointer(&refused.pointer).unwrap_or(&Value::Null);
            let field = format!("{}{}", reader.field("price"), refused.pointer);
            reader.refusals.push(refusal(&field, Rule::Document(refused.rule), found));
            None
        }
    }
}
