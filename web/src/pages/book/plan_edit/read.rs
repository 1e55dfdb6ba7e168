//! An editor's sheet as terms, or what is wrong at which field. Everything that can be read is, so that one look shows every
//! fault; the rules between the parts are the domain's.

use crate::pages::form::Faults;
use crate::read;
use crate::sheet::Sheet;
use money::{Currency, Money, Percent};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use subscription::{
    Billed, Component, ComponentKind, LateUsage, Limit, LoyaltyReward, LoyaltyRule, NewPlanVersion, Refusal, TrialEnd,
    TrialUsage,
};

/// The terms that a sheet describes.
pub fn version(sheet: &Sheet) -> Result<NewPlanVersion, Faults> {
    let mut reader = Reader { sheet, faults: Faults::default() };
    let read = reader.version();
    match read {
        Some(version) if reader.faults.none() => Ok(version),
        _ => {
            if reader.faults.none() {
                reader.faults.say("", "Something is missing.");
            }
            Err(reader.faults)
        }
    }
}

/// What a component charges, where its own part of the sheet reads.
pub fn component(sheet: &Sheet, place: &str) -> Option<Component> {
    let mut reader = Reader { sheet, faults: Faults::default() };
    reader.component(place).filter(|_| reader.faults.none())
}

/// Where a domain refusal stands in the sheet: `components/minutes/price/tiers/1/up_to` names a component by its key, and
/// rows of filters and cases by what they hold.
pub fn field_of(sheet: &Sheet, refusal: &Refusal) -> String {
    let parts: Vec<&str> = refusal.field.split('/').collect();
    let mut place = String::new();
    for (index, part) in parts.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| parts.get(before)).copied().unwrap_or_default();
        let row = match before {
            "components" => row_with(sheet, &place, "key", part).or_else(|| part.parse().ok()),
            "filter" => row_with(sheet, &place, "dimension", part),
            "cases" => row_with(sheet, &place, "value", part),
            "limits" => row_with(sheet, "features", "feature", part),
            _ => None,
        };
        let name = match (row, before) {
            (Some(row), "limits") => {
                place = "features".into();
                format!("{row}/limit")
            }
            (Some(row), "filter") => format!("{row}/dimension"),
            (Some(row), "cases") if index + 1 < parts.len() => format!("{row}/price"),
            (Some(row), _) => row.to_string(),
            (None, "") => renamed(part).to_owned(),
            (None, _) => (*part).to_owned(),
        };
        if !place.is_empty() {
            place.push('/');
        }
        place.push_str(&name);
    }
    known(sheet, place)
}

/// Terms whose fields have shorter names on the form.
fn renamed(part: &str) -> &str {
    match part {
        "term_discount_percent" => "term_discount",
        "trial_usage" => "trial_free",
        other => other,
    }
}

fn row_with(sheet: &Sheet, list: &str, part: &str, text: &str) -> Option<usize> {
    sheet.entries(list).position(|row| sheet.text(&format!("{row}/{part}")) == text)
}

/// The nearest place that has a field: a rule about a whole list stands at its first entry, one about a part at the part.
pub(super) fn known(sheet: &Sheet, place: String) -> String {
    let names: Vec<String> = sheet.fields().into_iter().map(|(name, _)| name).collect();
    if names.contains(&place) {
        return place;
    }
    let below = names.iter().find(|name| name.starts_with(&format!("{place}/")));
    match (below, place.rsplit_once('/')) {
        (Some(below), _) => below.clone(),
        (None, Some((above, _))) => known(sheet, above.to_owned()),
        (None, None) => place,
    }
}

/// Reads on after a fault, so that one look shows them all.
pub(super) struct Reader<'a> {
    pub(super) sheet: &'a Sheet,
    pub(super) faults: Faults,
}

impl Reader<'_> {
    fn version(&mut self) -> Option<NewPlanVersion> {
        let currency = self.sheet.text("currency").parse::<Currency>();
        let currency =
            self.faults.keep("currency", currency.map_err(|_| "Must be an ISO 4217 code such as EUR.".into()));
        let term_months = self.count("term_months", 1, 120);
        let fixed_terms = self.optional("fixed_terms", |reader, at| reader.count(at, 1, 120));
        let trial_days = self.count("trial_days", 0, 365);
        let discount = self.number_or("term_discount", Decimal::ZERO, read::percent);
        let seat_limit = self.optional("seat_limit", |reader, at| reader.count(at, 0, 1_000_000));
        let trial_end = self.word("trial_end", TrialEnd::from_word);
        let late_usage = self.word("late_usage", LateUsage::from_word);
        let (features, limits) = self.features();
        let loyalty = self.loyalty();
        let components = self.components();
        let currency = currency?;
        let commitment = self.money("commitment", currency);
        let fee_cap = self.optional("fee_cap", |reader, at| reader.money(at, currency));
        let trial_usage = match self.sheet.text("trial_usage") {
            "free" => TrialUsage::FreeUpTo(self.required_money("trial_free", currency)?),
            _ => TrialUsage::Charged,
        };
        Some(NewPlanVersion {
            currency,
            term_months: term_months?,
            fixed_terms: fixed_terms?,
            trial_days: trial_days?,
            trial_usage,
            trial_end: trial_end?,
            term_discount_percent: Percent::new(discount?).ok()?,
            commitment: commitment?,
            fee_cap: fee_cap?,
            late_usage: late_usage?,
            loyalty,
            features,
            limits,
            seat_limit: seat_limit?,
            sells_extra_seats: self.sheet.is_ticked("sells_extra_seats"),
            components,
        })
    }

    /// Empty is nothing; anything else is read. The outer option says whether it could be.
    fn optional<T>(&mut self, at: &str, read: impl Fn(&mut Self, &str) -> Option<T>) -> Option<Option<T>> {
        if self.sheet.text(at).is_empty() { Some(None) } else { read(self, at).map(Some) }
    }

    fn count(&mut self, at: &str, least: u32, most: u32) -> Option<u32> {
        self.faults.keep(at, read::count(self.sheet.text(at), least, most))
    }

    fn number_or(&mut self, at: &str, usual: Decimal, read: fn(&str) -> Result<Decimal, String>) -> Option<Decimal> {
        match self.sheet.text(at) {
            "" => Some(usual),
            text => self.faults.keep(at, read(text)),
        }
    }

    /// An amount; empty is nothing.
    fn money(&mut self, at: &str, currency: Currency) -> Option<Money> {
        match self.sheet.text(at) {
            "" => Some(Money::zero(currency)),
            text => self.faults.keep(at, read::money(text, currency)),
        }
    }

    fn required_money(&mut self, at: &str, currency: Currency) -> Option<Money> {
        self.faults.keep(at, read::money(self.sheet.text(at), currency))
    }

    fn word<T>(&mut self, at: &str, of: fn(&str) -> Option<T>) -> Option<T> {
        self.faults.keep(at, of(self.sheet.text(at)).ok_or_else(|| "Must be one of the list.".to_owned()))
    }

    /// Rows without a feature are not there.
    fn features(&mut self) -> (Vec<String>, BTreeMap<String, Limit>) {
        let (mut features, mut limits) = (Vec::new(), BTreeMap::new());
        for row in self.sheet.entries("features") {
            let feature = self.sheet.text(&format!("{row}/feature"));
            let limit = format!("{row}/limit");
            if feature.is_empty() {
                if !self.sheet.text(&limit).is_empty() {
                    self.faults.say(&format!("{row}/feature"), "Must name the feature that the limit is for.");
                }
                continue;
            }
            features.push(feature.to_owned());
            if !self.sheet.text(&limit).is_empty() {
                let amount = self.faults.keep(&limit, read::amount(self.sheet.text(&limit)));
                let meter = Some(self.sheet.text(&format!("{row}/meter")).to_owned()).filter(|meter| !meter.is_empty());
                limits.extend(amount.map(|amount| (feature.to_owned(), Limit { amount, meter })));
            }
        }
        (features, limits)
    }

    fn loyalty(&mut self) -> Vec<LoyaltyRule> {
        let mut rules = Vec::new();
        for row in self.sheet.entries("loyalty") {
            let at = |part: &str| format!("{row}/{part}");
            let after_months = self.count(&at("after_months"), 1, 600);
            let reward = match self.sheet.text(&at("reward")) {
                "add_on" => {
                    let version = self.sheet.text(&at("add_on")).parse();
                    let version = version.map_err(|_| "Must be an add-on of the list.".to_owned());
                    self.faults.keep(&at("add_on"), version).map(LoyaltyReward::FreeAddOn)
                }
                "feature" => {
                    let feature = crate::pages::form::text(self.sheet.text(&at("feature")));
                    self.faults.keep(&at("feature"), feature).map(LoyaltyReward::Feature)
                }
                _ => {
                    let percent = self.faults.keep(&at("percent"), read::percent(self.sheet.text(&at("percent"))));
                    percent.and_then(|percent| Percent::new(percent).ok()).map(LoyaltyReward::PercentOff)
                }
            };
            rules.extend(after_months.zip(reward).map(|(after_months, reward)| LoyaltyRule { after_months, reward }));
        }
        rules
    }

    fn components(&mut self) -> Vec<Component> {
        let places: Vec<String> = self.sheet.entries("components").collect();
        places.iter().filter_map(|place| self.component(place)).collect()
    }

    fn component(&mut self, place: &str) -> Option<Component> {
        let at = |part: &str| format!("{place}/{part}");
        let kind = self.word(&at("kind"), ComponentKind::from_word)?;
        let name = self.faults.keep(&at("name"), crate::pages::form::text(self.sheet.text(&at("name"))));
        let key = match self.sheet.text(&at("key")) {
            "" => key_of(self.sheet.text(&at("name"))),
            key => key.to_owned(),
        };
        let measure = self.sheet.text(&at("measure"));
        let measured = !matches!(kind, ComponentKind::Flat | ComponentKind::OneOff);
        let filtered = matches!(kind, ComponentKind::Usage | ComponentKind::Hours);
        let counts = measured && kind != ComponentKind::Percent;
        let included =
            if counts { self.number_or(&at("included"), Decimal::ZERO, read::amount) } else { Some(Decimal::ZERO) };
        let minimum = if counts {
            self.number_or(&at("minimum_quantity"), Decimal::ZERO, read::amount)
        } else {
            Some(Decimal::ZERO)
        };
        let filter = if filtered { self.filter(place) } else { BTreeMap::new() };
        let billed = self.word(&at("billed"), Billed::from_word);
        let price = self.price(&at("price"), 0);
        Some(Component {
            key,
            kind,
            name: name?,
            measure: Some(measure.to_owned()).filter(|measure| measured && !measure.is_empty()),
            filter,
            included: included?,
            minimum_quantity: minimum?,
            price: price?,
            billed: billed?,
        })
    }

    fn filter(&mut self, place: &str) -> BTreeMap<String, String> {
        let mut filter = BTreeMap::new();
        for row in self.sheet.entries(&format!("{place}/filter")) {
            let (dimension, value) =
                (self.sheet.text(&format!("{row}/dimension")), self.sheet.text(&format!("{row}/value")));
            match (dimension.is_empty(), value.is_empty()) {
                (true, true) => {}
                (false, true) => self.faults.say(&format!("{row}/value"), "Must say which value counts."),
                (true, false) => self.faults.say(&format!("{row}/dimension"), "Must say what the value is of."),
                (false, false) => {
                    if filter.insert(dimension.to_owned(), value.to_owned()).is_some() {
                        self.faults.say(&format!("{row}/dimension"), "Must not stand here twice.");
                    }
                }
            }
        }
        filter
    }
}

/// "Calls, by the minute" is `calls_by_the_minute`.
pub fn key_of(name: &str) -> String {
    let mut key = String::new();
    for letter in name.chars() {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => key.push(letter),
            _ if !key.is_empty() && !key.ends_with('_') => key.push('_'),
            _ => {}
        }
    }
    key.truncate(40);
    key.trim_end_matches('_').to_owned()
}
