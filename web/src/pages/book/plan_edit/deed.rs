//! What a button of the editor asks for: rows that come and go, another model. Each works on the sheet and nothing else.

use super::write;
use crate::sheet::Sheet;
use serde_json::{Value, json};

/// The place that was touched, so that the page keeps it in sight.
pub fn act(sheet: &mut Sheet, deed: &str) -> String {
    let words: Vec<&str> = deed.split_whitespace().collect();
    match words.as_slice() {
        ["component", kind] => {
            sheet.insert("components", None, write::blank_component(kind));
            format!("components/{}", sheet.count("components").saturating_sub(1))
        }
        ["add", list] => {
            let entry = blank_entry(sheet, list);
            sheet.insert(list, None, entry);
            (*list).to_owned()
        }
        ["remove", list, index] => {
            if let Ok(index) = index.parse() {
                sheet.remove(list, index);
            }
            (*list).to_owned()
        }
        ["lift", list, index] => {
            if let Ok(index) = index.parse::<usize>() {
                sheet.lift(list, index);
            }
            String::new()
        }
        ["model", place] => {
            let model = sheet.text(&format!("{place}/model")).to_owned();
            let part = write::remodelled(sheet, place, &model);
            sheet.replace(place, part);
            (*place).to_owned()
        }
        ["default", place] => {
            let default = format!("{place}/default");
            if sheet.is_ticked(&format!("{place}/has_default")) && sheet.text(&format!("{default}/model")).is_empty() {
                sheet.replace(&default, json!({ "model": "per_unit", "unit": "" }));
            }
            (*place).to_owned()
        }
        ["refresh", place] => (*place).to_owned(),
        _ => String::new(),
    }
}

/// A new entry of a list, like the one before it where that helps.
fn blank_entry(sheet: &Sheet, list: &str) -> Value {
    match list.rsplit('/').next() {
        Some("tiers") => {
            let place = list.trim_end_matches("/tiers");
            match sheet.text(&format!("{place}/model")) {
                "stairstep" => json!({ "up_to": "", "amount": "" }),
                "graduated_percent" => json!({ "up_to": "", "percent": "", "flat": "" }),
                _ => json!({ "up_to": "", "unit": "", "flat": "" }),
            }
        }
        Some("cases") => json!({ "value": "", "price": { "model": "per_unit", "unit": "" } }),
        Some("filter") => json!({ "dimension": "", "value": "" }),
        Some("features") => json!({ "feature": "", "limit": "", "meter": "" }),
        Some("loyalty") => json!({ "after_months": "12", "reward": "percent", "percent": "" }),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let mut sheet = write::first(money::Currency::EUR, None);
        act(&mut sheet, "component usage");
        sheet
    }

    #[test]
    fn rows_come_and_go_and_models_change() {
        let mut sheet = sheet();
        assert_eq!(sheet.count("components"), 2);
        sheet.set("components/1/price/unit", "0.55");
        sheet.set("components/1/price/model", "graduated");
        assert_eq!(act(&mut sheet, "model components/1/price"), "components/1/price");
        act(&mut sheet, "add components/1/price/tiers");
        assert_eq!(sheet.count("components/1/price/tiers"), 2);
        assert_eq!(sheet.text("components/1/price/tiers/0/unit"), "0.55");
        act(&mut sheet, "remove components/1/price/tiers 0");
        assert_eq!(sheet.count("components/1/price/tiers"), 1);
        act(&mut sheet, "lift components 1");
        assert_eq!(sheet.text("components/0/kind"), "usage");
        act(&mut sheet, "add loyalty");
        act(&mut sheet, "add components/0/filter");
        assert_eq!((sheet.count("loyalty"), sheet.count("components/0/filter")), (1, 1));
    }

    #[test]
    fn what_nobody_asks_changes_nothing() {
        let mut sheet = sheet();
        let before = sheet.clone();
        for deed in ["", "remove components x", "remove nothing 0", "lift components 99", "explode", "save"] {
            act(&mut sheet, deed);
            assert_eq!(sheet, before, "{deed}");
        }
    }
}
