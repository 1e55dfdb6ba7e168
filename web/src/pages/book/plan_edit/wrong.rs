//! What stands beside the form while its terms cannot be read: why, and the sample month as it was typed.

use super::preview::nothing;
use super::show::Show;
use crate::pages::book::words;
use crate::pages::form::Faults;
use crate::sheet::Sheet;
use crate::views::fields::{Field, id_of};
use crate::views::plan_edit::Preview;
use crate::views::ui::Link;

/// Quantities of the sample month as they were typed, while the terms cannot be read.
pub fn kept_samples(sheet: &Sheet) -> Vec<Field> {
    let typed = sheet.fields().into_iter().filter_map(|(name, text)| {
        let key = name.strip_prefix("sample/")?.to_owned();
        Some(Field::figure(name, words::spoken(&key), text))
    });
    typed.collect()
}

/// Why there is no figure: each fault with its field, what stands in it, and a link to it.
pub fn not_yet(show: &Show<'_>, faults: &Faults) -> Preview {
    let labels = show.labels();
    let link = |(field, said): (&str, &str)| {
        let name = labels.get(field).map_or("These terms", String::as_str);
        let text = show.sheet.text(field);
        let value = if text.is_empty() { String::new() } else { format!(", {text}") };
        Link::new(format!("{name}{value}: {}", decapital(said)), format!("#{}", id_of(field)))
    };
    Preview { faults: faults.all().map(link).collect(), ..nothing() }
}

fn decapital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
