//! A price's part of an editor's sheet as fields: the model, and what it asks for.

use super::show::Show;
use crate::format;
use crate::read;
use crate::views::fields::Field;
use crate::views::form::Kept;
use crate::views::plan_edit::{CaseForm, CasesForm, Deed, PriceForm, TierRow, TierTable};
use crate::views::public::FieldGroup;
use subscription::ComponentKind;

/// Prices by dimension are offered in prices by dimension this deep.
const BY_OFFERED_TO: usize = 2;

/// How the prices of one component are shown.
pub struct Prices<'a> {
    pub show: &'a Show<'a>,
    /// "minute"; empty for a fee.
    pub unit: String,
    /// One amount, whatever is used.
    pub is_once: bool,
    /// Of other components' amounts.
    pub is_share: bool,
}

impl Prices<'_> {
    /// The fields of the price at a place.
    pub fn form(&self, place: &str, kind: ComponentKind, depth: usize) -> PriceForm {
        let at = |part: &str| format!("{place}/{part}");
        let model = self.show.sheet.text(&at("model"));
        let offered = models(kind, depth, model);
        let is_choice = offered.len() > 1;
        let field = Field::choice(at("model"), "Price", model, offered)
            .error(self.show.faults.at(&at("model")))
            .refreshes(format!("model {place}"));
        PriceForm {
            id: place.replace('/', "-"),
            action: self.show.action.to_owned(),
            hidden: Kept(if is_choice { Vec::new() } else { vec![(at("model"), model.to_owned())] }),
            model: is_choice.then_some(field),
            apply: Deed::new(format!("model {place}"), "Choose"),
            rows: self.rows(place, model),
            tiers: self.tiers(place, model),
            cases: (model == "by").then(|| self.cases(place, kind, depth)),
            limits: self.limits(place),
        }
    }

    fn figure(&self, name: String, label: impl Into<String>) -> Field {
        let error = self.show.faults.at(&name);
        Field::figure(name.clone(), label, self.show.sheet.text(&name)).error(error)
    }

    fn sign(&self) -> String {
        self.show.currency().symbol().trim().to_owned()
    }

    /// Is something set that only usage by events has?
    fn has_per_event(&self, place: &str) -> bool {
        const PARTS: [&str; 5] =
            ["fixed_per_event", "minimum_per_event", "maximum_per_event", "free_events", "free_amount"];
        PARTS.iter().any(|part| !self.show.sheet.text(&format!("{place}/{part}")).is_empty())
    }

    fn per_unit(&self) -> String {
        if self.unit.is_empty() { String::new() } else { super::preview::with_article(&self.unit) }
    }

    fn rows(&self, place: &str, model: &str) -> Vec<Vec<Field>> {
        let at = |part: &str| format!("{place}/{part}");
        let amount = |part: &str, label: &str| self.figure(at(part), label).before(self.sign());
        match model {
            "per_unit" if self.is_once => vec![vec![amount("unit", "Amount")]],
            "per_unit" => vec![vec![amount("unit", "Each").after(self.per_unit())]],
            "package" => vec![vec![
                self.figure(at("size"), "Package of"),
                amount("amount", "Each started one"),
                self.figure(at("free"), "Free before").placeholder("0"),
            ]],
            // A share of other components has no events of its own.
            "percent" if self.is_share && !self.has_per_event(place) => {
                vec![vec![self.figure(at("rate"), "Percent").after("%")]]
            }
            "percent" => vec![
                vec![
                    self.figure(at("rate"), "Percent").after("%"),
                    amount("fixed_per_event", "Plus each").placeholder("0"),
                ],
                vec![amount("minimum_per_event", "Each at least"), amount("maximum_per_event", "Each at most")],
                vec![self.figure(at("free_events"), "First events free"), amount("free_amount", "First amounts free")],
            ],
            _ => Vec::new(),
        }
    }

    fn tiers(&self, place: &str, model: &str) -> Option<TierTable> {
        let code = self.show.currency().code().to_owned();
        let unit = if self.unit.is_empty() { "unit" } else { &self.unit };
        let (heads, parts, note): (Vec<String>, &[(&str, &str)], _) = match model {
            "graduated" => (
                vec![format!("{code} a {unit}"), format!("Flat, {code}")],
                &[("unit", "Price each"), ("flat", "Flat amount")],
                "Each tier prices its own slice. “Up to” is included.",
            ),
            "volume" => (
                vec![format!("{code} a {unit}"), format!("Flat, {code}")],
                &[("unit", "Price each"), ("flat", "Flat amount")],
                "The tier that the whole falls in prices all of it.",
            ),
            "stairstep" => {
                (vec![format!("{code} in all")], &[("amount", "Amount")], "One amount for the range that is reached.")
            }
            "graduated_percent" => (
                vec!["Percent".into(), format!("Flat, {code}")],
                &[("percent", "Percent"), ("flat", "Flat amount")],
                "Each tier takes its share of its own slice of the amount.",
            ),
            _ => return None,
        };
        let list = format!("{place}/tiers");
        let rows: Vec<String> = self.show.sheet.entries(&list).collect();
        let end_of = |index: usize| rows.get(index).map(|row| self.show.sheet.text(&format!("{row}/up_to")).to_owned());
        let shown = rows.iter().enumerate().map(|(index, row)| {
            let number = index + 1;
            let from = match index.checked_sub(1).and_then(end_of) {
                None => "0".to_owned(),
                Some(end) => format!("over {}", read::number(&end).map_or(end, format::quantity)),
            };
            let is_last = number == rows.len();
            let end = self.figure(format!("{row}/up_to"), format!("Tier {number}, up to")).bare();
            let has_text = !end.value.is_empty();
            let end = if is_last && !has_text { end.placeholder("no end") } else { end };
            let mut fields = vec![end];
            fields.extend(parts.iter().map(|(part, label)| {
                let field =
                    self.figure(format!("{row}/{part}"), format!("Tier {number}, {}", label.to_lowercase())).bare();
                if *part == "flat" { field.placeholder("0.00") } else { field }
            }));
            let remove = (rows.len() > 1)
                .then(|| Deed::new(format!("remove {list} {index}"), "").label(format!("Remove tier {number}")));
            TierRow { from, fields, remove }
        });
        let up_to = if self.unit.is_empty() { "Up to".to_owned() } else { format!("Up to, {unit}s") };
        let heads = std::iter::once(up_to).chain(heads).collect();
        Some(TierTable { heads, rows: shown.collect(), add: Deed::new(format!("add {list}"), "Add a tier"), note })
    }

    fn cases(&self, place: &str, kind: ComponentKind, depth: usize) -> CasesForm {
        let at = |part: &str| format!("{place}/{part}");
        let component = place.split("/price").next().unwrap_or_default();
        let measure = self.show.sheet.text(&format!("{component}/measure"));
        let dimensions = self.show.dimensions(measure);
        let options = dimensions.iter().map(|name| (name.clone(), crate::pages::book::words::spoken(name)));
        let dimension = Field::choice(at("dimension"), "By", self.show.sheet.text(&at("dimension")), options)
            .error(self.show.faults.at(&at("dimension")));
        let list = at("cases");
        let cases = self.show.sheet.entries(&list).enumerate().map(|(index, row)| {
            let name = format!("{row}/value");
            CaseForm {
                value: Field::text(name.clone(), "When it is", self.show.sheet.text(&name))
                    .error(self.show.faults.at(&name)),
                price: self.form(&format!("{row}/price"), kind, depth + 1),
                remove: Deed::new(format!("remove {list} {index}"), "").label("Remove the case"),
            }
        });
        let has_default = self.show.sheet.is_ticked(&at("has_default"));
        CasesForm {
            dimension,
            cases: cases.collect(),
            add: Deed::new(format!("add {list}"), "Add a case"),
            has_default: Field::tick(at("has_default"), "A price for all other values", has_default)
                .refreshes(format!("default {place}")),
            default: has_default.then(|| Box::new(self.form(&at("default"), kind, depth + 1))),
        }
    }

    /// Least and most of a period, and fixed parts without use.
    fn limits(&self, place: &str) -> FieldGroup {
        let at = |part: &str| format!("{place}/{part}");
        let flat = Field::tick(
            at("flat_at_zero"),
            "Fixed parts are due without use",
            self.show.sheet.is_ticked(&at("flat_at_zero")),
        );
        let rows = vec![
            vec![
                self.figure(at("minimum"), "At least a month").before(self.sign()),
                self.figure(at("maximum"), "At most a month").before(self.sign()),
            ],
            vec![flat],
        ];
        let said: Vec<String> = [("minimum", "at least"), ("maximum", "at most")]
            .into_iter()
            .filter(|(part, _)| !self.show.sheet.text(&at(part)).is_empty())
            .map(|(part, word)| format!("{word} {}", self.show.sheet.text(&at(part))))
            .collect();
        FieldGroup::new("limits", "Limits", rows).summary(said.join(", "))
    }
}

/// The models that a kind of component can have.
fn models(kind: ComponentKind, depth: usize, chosen: &str) -> Vec<(String, String)> {
    const COUNTED: &[&str] = &["per_unit", "graduated", "volume", "package", "stairstep"];
    let names: Vec<&str> = match kind {
        ComponentKind::Percent => vec!["percent", "graduated_percent"],
        ComponentKind::Flat | ComponentKind::OneOff => vec!["per_unit"],
        ComponentKind::Usage if depth < BY_OFFERED_TO => [COUNTED, &["by", "percent", "graduated_percent"]].concat(),
        ComponentKind::Usage => [COUNTED, &["percent", "graduated_percent"]].concat(),
        ComponentKind::Hours if depth < BY_OFFERED_TO => [COUNTED, &["by"]].concat(),
        _ => COUNTED.to_vec(),
    };
    let mut offered: Vec<(String, String)> =
        names.iter().map(|name| ((*name).into(), model_word(name).into())).collect();
    if !names.contains(&chosen) && !chosen.is_empty() {
        offered.push((chosen.into(), model_word(chosen).into()));
    }
    offered
}

/// A model's name.
pub fn model_word(model: &str) -> &'static str {
    match model {
        "per_unit" => "The same for each",
        "graduated" => "Graduated tiers",
        "volume" => "Volume tiers",
        "package" => "By the package",
        "stairstep" => "Stairs",
        "percent" => "A percentage",
        "graduated_percent" => "Graduated percentages",
        "by" => "By a dimension",
        _ => "Another",
    }
}
