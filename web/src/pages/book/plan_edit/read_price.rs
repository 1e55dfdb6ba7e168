//! A price's part of an editor's sheet, read by way of the grammar of prices: its refusals point to the field.

use super::read::{Reader, known};
use crate::{read, rules};
use pricing::Price;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Prices by dimension may stand in one another this deep.
const BY_DEPTH_MAX: usize = 4;

impl Reader<'_> {
    /// By way of the grammar, whose refusals point to the field.
    pub(super) fn price(&mut self, place: &str, depth: usize) -> Option<Price> {
        let document = self.price_document(place, depth)?;
        match Price::from_json(&document) {
            Ok(price) => Some(price),
            Err(error) => {
                let field = known(self.sheet, format!("{place}{}", error.pointer));
                self.faults.say(&field, self.said(&field, &error.rule));
                None
            }
        }
    }

    /// A tier that does not rise says above what it should be.
    fn said(&self, field: &str, rule: &pricing::PricingError) -> String {
        let before = field.strip_suffix("/up_to").and_then(|tier| tier.rsplit_once('/')).and_then(|(tiers, index)| {
            let index = index.parse::<usize>().ok()?.checked_sub(1)?;
            Some(self.sheet.text(&format!("{tiers}/{index}/up_to")).to_owned())
        });
        match (rule, before) {
            (pricing::PricingError::TiersMustRise, Some(before)) => {
                format!("Must be above {before}, the end of the tier before.")
            }
            (rule, _) => rules::of_pricing(rule),
        }
    }

    fn price_document(&mut self, place: &str, depth: usize) -> Option<Value> {
        let at = |part: &str| format!("{place}/{part}");
        let model = self.sheet.text(&at("model")).to_owned();
        let mut document = Map::from_iter([("model".to_owned(), json!(model))]);
        let mut is_whole = true;
        let fields: &[(&str, bool)] = match model.as_str() {
            "per_unit" => &[("unit", true)],
            "package" => &[("size", true), ("amount", true), ("free", false)],
            "percent" => &[
                ("rate", true),
                ("fixed_per_event", false),
                ("free_events", false),
                ("free_amount", false),
                ("minimum_per_event", false),
                ("maximum_per_event", false),
            ],
            _ => &[],
        };
        for (field, is_required) in fields.iter().chain(&[("minimum", false), ("maximum", false)]) {
            match self.figure(&at(field), *is_required) {
                Some(Some(number)) => drop(document.insert((*field).into(), json!(number.to_string()))),
                Some(None) => {}
                None => is_whole = false,
            }
        }
        match model.as_str() {
            "graduated" | "volume" | "stairstep" | "graduated_percent" => {
                document.insert("tiers".into(), self.tiers(place, &model, &mut is_whole));
            }
            "by" => self.cases(place, depth, &mut document)?,
            _ => {}
        }
        if self.sheet.is_ticked(&at("flat_at_zero")) {
            document.insert("flat_at_zero".into(), json!(true));
        }
        is_whole.then_some(Value::Object(document))
    }

    /// A number of a price: `Some(None)` where an optional one is empty, `None` where it cannot be read.
    fn figure(&mut self, at: &str, is_required: bool) -> Option<Option<Decimal>> {
        match self.sheet.text(at) {
            "" if !is_required => Some(None),
            text => self.faults.keep(at, read::amount(text)).map(Some),
        }
    }

    /// The last tier has no end; an empty end anywhere else is a fault of the grammar.
    fn tiers(&mut self, place: &str, model: &str, is_whole: &mut bool) -> Value {
        let rows: Vec<String> = self.sheet.entries(&format!("{place}/tiers")).collect();
        let fields: &[(&str, bool)] = match model {
            "stairstep" => &[("amount", true)],
            "graduated_percent" => &[("percent", true), ("flat", false)],
            _ => &[("unit", true), ("flat", false)],
        };
        let mut tiers = Vec::new();
        for row in &rows {
            let mut tier = Map::new();
            let end = format!("{row}/up_to");
            match self.figure(&end, false) {
                Some(number) => drop(tier.insert("up_to".into(), json!(number.map(|number| number.to_string())))),
                None => *is_whole = false,
            }
            for (field, is_required) in fields {
                match self.figure(&format!("{row}/{field}"), *is_required) {
                    Some(Some(number)) => drop(tier.insert((*field).into(), json!(number.to_string()))),
                    Some(None) => {}
                    None => *is_whole = false,
                }
            }
            tiers.push(Value::Object(tier));
        }
        if rows.is_empty() {
            self.faults.say(&format!("{place}/model"), "Must have one tier at least.");
            *is_whole = false;
        }
        Value::Array(tiers)
    }

    fn cases(&mut self, place: &str, depth: usize, document: &mut Map<String, Value>) -> Option<()> {
        let at = |part: &str| format!("{place}/{part}");
        if depth >= BY_DEPTH_MAX {
            self.faults.say(&at("model"), "Must not stand so deep in others.");
            return None;
        }
        let dimension = crate::pages::form::text(self.sheet.text(&at("dimension")));
        document.insert("dimension".into(), json!(self.faults.keep(&at("dimension"), dimension)?));
        let mut cases = Map::new();
        let mut is_whole = true;
        for row in self.sheet.entries(&at("cases")) {
            let value = format!("{row}/value");
            let name = self.faults.keep(&value, crate::pages::form::text(self.sheet.text(&value)));
            let price = self.price(&format!("{row}/price"), depth + 1);
            let (Some(name), Some(price)) = (name, price) else {
                is_whole = false;
                continue;
            };
            if cases.insert(name, price.to_json()).is_some() {
                self.faults.say(&value, "Must not stand here twice.");
                is_whole = false;
            }
        }
        document.insert("cases".into(), Value::Object(cases));
        if self.sheet.is_ticked(&at("has_default")) {
            match self.price(&at("default"), depth + 1) {
                Some(price) => drop(document.insert("default".into(), price.to_json())),
                None => is_whole = false,
            }
        }
        is_whole.then_some(())
    }
}
