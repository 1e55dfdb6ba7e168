//! An editor's sheet as fields on the page: components, their prices, terms, lists that grow.

use super::read;
use super::show_price::Prices;
use crate::format;
use crate::pages::book::words::trial_end as trial_end_words;
use crate::pages::book::{prices, words};
use crate::pages::form::Faults;
use crate::sheet::Sheet;
use crate::views::fields::Field;
use crate::views::form::Kept;
use crate::views::plan_edit::{ComponentForm, Deed, GrowingList, GrowingRow};
use money::Currency;
use std::collections::BTreeMap;
use subscription::{ComponentKind, LateUsage, TrialEnd, standard_measures};
use usage_metering::Meter;

/// What the fields are made of.
pub struct Show<'a> {
    pub sheet: &'a Sheet,
    pub faults: &'a Faults,
    /// Where the form goes.
    pub action: &'a str,
    /// The book's meters.
    pub meters: &'a [Meter],
    /// Published add-ons: version and name.
    pub add_ons: &'a [(String, String)],
    /// A place that was just touched: it stays open.
    pub touched: &'a str,
}

/// Kinds of components, as the buttons that add them say it.
pub const KINDS: [(ComponentKind, &str); 7] = [
    (ComponentKind::Flat, "Fixed fee"),
    (ComponentKind::Seat, "Seats"),
    (ComponentKind::Usage, "Usage"),
    (ComponentKind::Hours, "Hours of work"),
    (ComponentKind::Channels, "Channels"),
    (ComponentKind::Percent, "Share of others"),
    (ComponentKind::OneOff, "Charged once"),
];

pub fn kind_word(kind: ComponentKind) -> &'static str {
    KINDS.iter().find(|(of, _)| *of == kind).map_or("", |(_, word)| word)
}

impl Show<'_> {
    pub fn currency(&self) -> Currency {
        self.sheet.text("currency").parse().unwrap_or(Currency::EUR)
    }

    fn text(&self, name: &str, label: &str) -> Field {
        Field::text(name, label, self.sheet.text(name)).error(self.faults.at(name))
    }

    fn figure(&self, name: &str, label: &str) -> Field {
        Field::figure(name, label, self.sheet.text(name)).error(self.faults.at(name))
    }

    fn choice(&self, name: &str, label: &str, options: Vec<(String, String)>) -> Field {
        Field::choice(name, label, self.sheet.text(name), options).error(self.faults.at(name))
    }

    /// Every component, in the order of the invoice.
    pub fn components(&self) -> Vec<ComponentForm> {
        let places: Vec<String> = self.sheet.entries("components").collect();
        let is_short = places.len() <= 2;
        places.iter().enumerate().map(|(index, place)| self.component(index, place, is_short)).collect()
    }

    fn component(&self, index: usize, place: &str, is_short: bool) -> ComponentForm {
        let at = |part: &str| format!("{place}/{part}");
        let kind = ComponentKind::from_word(self.sheet.text(&at("kind"))).unwrap_or(ComponentKind::Flat);
        let name = self.sheet.text(&at("name"));
        let is_wrong = self.faults.all().any(|(field, _)| field.starts_with(&format!("{place}/")));
        let is_touched = self.touched == place || self.touched.starts_with(&format!("{place}/"));
        let key = self
            .text(&at("key"), "Key")
            .placeholder(read::key_of(name))
            .hint("Stays the same across versions and plans");
        let mut rows = vec![vec![self.text(&at("name"), "Name on the invoice"), key]];
        let mut hidden = vec![(at("kind"), kind.as_str().to_owned())];
        self.what_counts(place, kind, &mut rows, &mut hidden);
        let is_filtered = matches!(kind, ComponentKind::Usage | ComponentKind::Hours);
        let prices = Prices {
            show: self,
            unit: self.unit(place, kind),
            is_once: matches!(kind, ComponentKind::Flat | ComponentKind::OneOff),
            is_share: kind == ComponentKind::Percent,
        };
        ComponentForm {
            id: format!("component-{index}"),
            title: if name.is_empty() { "Not named yet".into() } else { name.to_owned() },
            summary: self.summary(place),
            kind: kind_word(kind).into(),
            hidden: Kept(hidden),
            is_open: is_short || is_wrong || is_touched,
            rows,
            filter: if is_filtered { self.filter(place) } else { Vec::new() },
            add_filter: is_filtered.then(|| Deed::new(format!("add {place}/filter"), "Add a condition")),
            price: prices.form(&at("price"), kind, 0),
            remove: Deed::new(format!("remove components {index}"), "Remove the component"),
            lift: (index > 0).then(|| Deed::new(format!("lift components {index}"), "Move up")),
        }
    }

    /// What is measured, when it is billed, what is included and what is promised.
    fn what_counts(
        &self,
        place: &str,
        kind: ComponentKind,
        rows: &mut Vec<Vec<Field>>,
        hidden: &mut Vec<(String, String)>,
    ) {
        let at = |part: &str| format!("{place}/{part}");
        let unit = format!("{}s", self.unit(place, kind));
        match kind {
            ComponentKind::Seat => {
                rows.push(vec![self.choice(&at("measure"), "Counts", seat_words()), self.billed(place)]);
            }
            ComponentKind::Usage => {
                let measure = self.choice(&at("measure"), "Counts", self.meter_words());
                rows.push(vec![measure.refreshes(format!("refresh {place}"))]);
                hidden.push((at("billed"), "in_arrears".into()));
            }
            ComponentKind::Hours | ComponentKind::Channels => {
                let measure = if kind == ComponentKind::Hours { "hours" } else { "channel_peak" };
                hidden.push((at("measure"), measure.into()));
                hidden.push((at("billed"), "in_arrears".into()));
            }
            ComponentKind::Percent => {
                rows.push(vec![self.choice(&at("measure"), "A share of", self.other_components(place))]);
                hidden.push((at("billed"), "in_arrears".into()));
            }
            ComponentKind::Flat => rows.push(vec![self.billed(place)]),
            ComponentKind::OneOff => rows.push(vec![self.charged(place)]),
        }
        if !matches!(kind, ComponentKind::Flat | ComponentKind::OneOff | ComponentKind::Percent) {
            rows.push(vec![
                self.figure(&at("included"), "Included a month").placeholder("0").after(unit.clone()),
                self.figure(&at("minimum_quantity"), "Agreed at least").placeholder("0").after(unit),
            ]);
        }
    }

    fn billed(&self, place: &str) -> Field {
        let words = [("in_advance", "In advance, prorated by day"), ("in_arrears", "In arrears")];
        let options = words.map(|(value, word)| (value.to_owned(), word.to_owned())).to_vec();
        self.choice(&format!("{place}/billed"), "Billed", options)
    }

    /// When what is charged once is charged.
    fn charged(&self, place: &str) -> Field {
        let words = [("in_advance", "At the start"), ("in_arrears", "After the first month")];
        let options = words.map(|(value, word)| (value.to_owned(), word.to_owned())).to_vec();
        self.choice(&format!("{place}/billed"), "Charged", options)
    }

    fn meter_words(&self) -> Vec<(String, String)> {
        let mut words: Vec<(String, String)> = self
            .meters
            .iter()
            .map(|meter| (meter.code.clone(), format!("{}, per {}", meter.name, meter.unit)))
            .collect();
        for measure in standard_measures() {
            if !words.iter().any(|(code, _)| *code == measure.code) {
                words.push((measure.code.clone(), words::spoken(&measure.code)));
            }
        }
        words
    }

    fn other_components(&self, place: &str) -> Vec<(String, String)> {
        let mut others = vec![(String::new(), "everything else in the month".to_owned())];
        for other in self.sheet.entries("components").filter(|other| other != place) {
            let name = self.sheet.text(&format!("{other}/name"));
            let key = self.sheet.text(&format!("{other}/key"));
            let key = if key.is_empty() { read::key_of(name) } else { key.to_owned() };
            if self.sheet.text(&format!("{other}/kind")) != "percent" && !key.is_empty() {
                others.push((key, name.to_owned()));
            }
        }
        others
    }

    /// What one of it is called: "minute", "seat", "hour".
    pub fn unit(&self, place: &str, kind: ComponentKind) -> String {
        let measure = self.sheet.text(&format!("{place}/measure"));
        let of_meter = self.meters.iter().find(|meter| meter.code == measure).map(|meter| meter.unit.clone());
        match kind {
            ComponentKind::Seat if measure == "daily" => "seat-day".into(),
            ComponentKind::Seat => "seat".into(),
            ComponentKind::Hours => "hour".into(),
            ComponentKind::Channels => "channel".into(),
            ComponentKind::Usage => of_meter.unwrap_or_else(|| "unit".into()),
            ComponentKind::Flat | ComponentKind::OneOff | ComponentKind::Percent => String::new(),
        }
    }

    fn summary(&self, place: &str) -> String {
        let Some(component) = read::component(self.sheet, place) else { return "not complete".into() };
        let unit = self.unit(place, component.kind);
        let mut said = prices::in_short(&component.price, &unit, self.currency());
        if !component.included.is_zero() {
            said = format!("{said}, {} included", format::quantity(component.included));
        }
        said
    }

    fn filter(&self, place: &str) -> Vec<GrowingRow> {
        let list = format!("{place}/filter");
        let measure = self.sheet.text(&format!("{place}/measure"));
        let dimensions = self.dimensions(measure);
        let rows = self.sheet.entries(&list).enumerate().map(|(index, row)| {
            let options = dimensions.iter().map(|name| (name.clone(), words::spoken(name))).collect();
            let dimension = self.choice(&format!("{row}/dimension"), "Dimension", options).bare();
            let value = self.text(&format!("{row}/value"), "Value").placeholder("overflow").bare();
            let remove = Deed::new(format!("remove {list} {index}"), "").label("Remove the condition");
            GrowingRow { fields: vec![dimension, value], remove }
        });
        rows.collect()
    }

    /// The dimensions of a meter's usage.
    pub fn dimensions(&self, measure: &str) -> Vec<String> {
        let own = self.meters.iter().find(|meter| meter.code == measure).map(|meter| meter.dimensions.clone());
        own.unwrap_or_else(|| {
            let standard = standard_measures().into_iter().find(|known| known.code == measure);
            standard.map(|known| known.dimensions.into_iter().collect()).unwrap_or_default()
        })
    }

    pub fn terms(&self) -> Vec<Field> {
        let currency = self.sheet.text("currency").to_owned();
        vec![
            self.text("currency", "Currency").hint("Of every price in it").row(),
            self.figure("term_months", "Term").hint("1, 3, 6, 12 or any number of months").after("months").row(),
            self.figure("fixed_terms", "Ends after").hint("Empty: it renews by itself").after("terms").row(),
            self.figure("term_discount", "Term discount").hint("Off what recurs").after("%").placeholder("0").row(),
            self.figure("commitment", "Agreed at least")
                .hint("Of usage and hours, a month")
                .after(currency.clone())
                .row(),
            self.figure("fee_cap", "At most").hint("All fees of a month, before discounts").after(currency).row(),
        ]
    }

    pub fn more_terms(&self) -> Vec<Field> {
        let words = |words: &[(&str, &str)]| {
            words.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect()
        };
        let ends: Vec<(&str, &str)> = TrialEnd::ALL.iter().map(|end| (end.as_str(), trial_end_words(*end))).collect();
        let late = [
            (LateUsage::Bill.as_str(), "On the next invoice"),
            (LateUsage::Absorb.as_str(), "The seller bears it"),
            (LateUsage::Suspend.as_str(), "Waits for a person"),
        ];
        let usage = [("charged", "Costs what it costs later"), ("free", "Free up to an amount")];
        vec![
            self.figure("trial_days", "Trial").hint("What recurs costs nothing in it").after("days").row(),
            self.choice("trial_usage", "Usage in the trial", words(&usage)).row(),
            self.figure("trial_free", "Free up to")
                .hint("Where usage in the trial is free")
                .after(self.sheet.text("currency"))
                .row(),
            self.choice("trial_end", "Without a means of payment", words(&ends)).hint("When the trial ends").row(),
            self.choice("late_usage", "Late usage", words(&late)).hint("After its month was billed").row(),
            self.figure("seat_limit", "Seats").hint("At most; empty: no limit").row(),
            Field::tick("sells_extra_seats", "Sells extra seats", self.sheet.is_ticked("sells_extra_seats"))
                .error(self.faults.at("sells_extra_seats"))
                .hint("Above that number they are sold, not refused")
                .row(),
        ]
    }

    /// Is anything wrong, or anything said, among the less usual terms?
    pub fn more_is_open(&self) -> bool {
        const MORE: [&str; 7] =
            ["trial_days", "trial_usage", "trial_free", "trial_end", "late_usage", "seat_limit", "sells_extra_seats"];
        MORE.iter().any(|field| self.faults.at(field).is_some())
    }

    /// What each field is called, by its name: one of a component with the component's name before it.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::new();
        for component in self.components() {
            for field in component.fields() {
                labels.insert(field.name.clone(), format!("{}, {}", component.title, field.label.to_lowercase()));
            }
        }
        let lists = self.lists();
        let rows = lists.iter().flat_map(|list| &list.rows).flat_map(|row| row.fields.clone());
        for field in self.terms().into_iter().chain(self.more_terms()).chain(rows) {
            labels.insert(field.name, field.label);
        }
        labels
    }

    pub fn lists(&self) -> Vec<GrowingList> {
        vec![self.features(), self.loyalty()]
    }

    fn features(&self) -> GrowingList {
        let mut meters = vec![(String::new(), "a plain number".to_owned())];
        meters.extend(
            self.meters.iter().map(|meter| (meter.code.clone(), format!("{} a month", meter.name.to_lowercase()))),
        );
        let rows = self.sheet.entries("features").enumerate().map(|(index, row)| GrowingRow {
            fields: vec![
                self.text(&format!("{row}/feature"), "Feature").placeholder("premium_support").bare(),
                self.figure(&format!("{row}/limit"), "Limit").placeholder("no limit").bare(),
                self.choice(&format!("{row}/meter"), "Limit counts", meters.clone()).bare(),
            ],
            remove: Deed::new(format!("remove features {index}"), "").label("Remove the feature"),
        });
        GrowingList {
            id: "features",
            title: "Features and limits",
            text: "What a subscriber may use; the product obeys it",
            rows: rows.collect(),
            add: Deed::new("add features", "Add a feature"),
            empty: "None beyond what every account has.",
        }
    }

    fn loyalty(&self) -> GrowingList {
        let rewards = [("percent", "% off what recurs"), ("add_on", "an add-on for nothing"), ("feature", "a feature")];
        let rows = self.sheet.entries("loyalty").enumerate().map(|(index, row)| {
            let at = |part: &str| format!("{row}/{part}");
            let options = rewards.map(|(value, word)| (value.to_owned(), word.to_owned())).to_vec();
            let reward = self.choice(&at("reward"), "Brings", options).refreshes(format!("refresh {row}")).bare();
            let what = match self.sheet.text(&at("reward")) {
                "add_on" => self.choice(&at("add_on"), "Add-on", self.add_ons.to_vec()),
                "feature" => self.text(&at("feature"), "Feature").placeholder("premium_support"),
                _ => self.figure(&at("percent"), "Percent off").after("%"),
            };
            GrowingRow {
                fields: vec![
                    self.figure(&at("after_months"), "After months").after("months").bare(),
                    reward,
                    what.bare(),
                ],
                remove: Deed::new(format!("remove loyalty {index}"), "").label("Remove the rule"),
            }
        });
        GrowingList {
            id: "loyalty",
            title: "Loyalty",
            text: "What staying brings, by itself",
            rows: rows.collect(),
            add: Deed::new("add loyalty", "Add a rule"),
            empty: "Nothing yet.",
        }
    }
}

fn seat_words() -> Vec<(String, String)> {
    [
        ("assigned", "Assigned seats, prorated by day"),
        ("active", "Agents who logged in during the month"),
        ("peak", "Most agents logged in at once"),
        ("daily", "Days on which an agent logged in"),
    ]
    .map(|(value, word)| (value.to_owned(), word.to_owned()))
    .to_vec()
}
