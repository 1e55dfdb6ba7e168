//! Prices and tariffs in rows that people read. Rates keep the digits they have.

use crate::format;
use crate::views::table::{Cell, Column, Empty, Table};
use money::{Currency, Decimal};
use pricing::{Band, Day, Model, Per, PercentPrice, Price, RateStep, Tariff};

/// The rows of a price: tiers, or one row.
pub fn table(price: &Price, currency: Currency) -> Table {
    let columns = vec![Column::text("For"), Column::figures("Price")];
    let mut table = Table::new("Prices", columns, Empty::new("tag", "No price", "It is included.")).dense();
    model(&mut table, &price.model, currency);
    for (limit, words) in [(price.minimum, "At least, in a period"), (price.maximum, "At most, in a period")] {
        if let Some(limit) = limit {
            table.row(vec![Cell::text(words), Cell::figure(currency.human_rate(limit))]);
        }
    }
    table
}

/// A price in a few words: "€0.55 a minute", "4 tiers, from €0.55 to €0.29".
pub fn in_short(price: &Price, unit: &str, currency: Currency) -> String {
    let rate = |rate: Decimal| currency.human_rate(rate);
    let tiers = |count: usize, what: &str, first: Decimal, last: Decimal| {
        let count = format::counted(count as i64, what, &format!("{what}s"));
        if first == last {
            format!("{count}, {}", rate(first))
        } else {
            format!("{count}, {} to {}", rate(first), rate(last))
        }
    };
    match &price.model {
        Model::PerUnit { unit: each } if unit.is_empty() => rate(*each),
        Model::PerUnit { unit: each } if unit.starts_with("hour") => format!("{} an {unit}", rate(*each)),
        Model::PerUnit { unit: each } => format!("{} a {unit}", rate(*each)),
        Model::Graduated { tiers: of } | Model::Volume { tiers: of } => match (of.first(), of.last()) {
            (Some(first), Some(last)) => tiers(of.len(), "tier", first.unit, last.unit),
            _ => String::new(),
        },
        Model::Stairstep { tiers: of } => match (of.first(), of.last()) {
            (Some(first), Some(last)) => tiers(of.len(), "stair", first.amount, last.amount),
            _ => String::new(),
        },
        Model::Package { size, amount, .. } => format!("{} for {}", rate(*amount), format::quantity(*size)),
        Model::Percent(percent) => format!("{}%", format::quantity(percent.rate)),
        Model::GraduatedPercent { tiers: of } => {
            format::counted(of.len() as i64, "tier of percent", "tiers of percent")
        }
        Model::By { dimension, cases, .. } => {
            format!("{} by {}", format::counted(cases.len() as i64, "price", "prices"), dimension.replace('_', " "))
        }
    }
}

fn model(table: &mut Table, model_of: &Model, currency: Currency) {
    let rate = |rate: &Decimal| currency.human_rate(*rate);
    match model_of {
        Model::PerUnit { unit } => table.row(vec![Cell::text("Each"), Cell::figure(rate(unit))]),
        Model::Graduated { tiers } | Model::Volume { tiers } => {
            let slice = matches!(model_of, Model::Graduated { .. });
            for tier in tiers {
                let flat = if tier.flat.is_zero() { String::new() } else { format!("plus {} once", rate(&tier.flat)) };
                let basis = if slice { "each within" } else { "each, when the whole falls here" };
                table.row(vec![Cell::text(up_to(tier.up_to)).sub(basis), Cell::figure(rate(&tier.unit)).sub(flat)]);
            }
        }
        Model::Package { size, amount, free } => {
            let free = if free.is_zero() { String::new() } else { format!("after {} free", format::quantity(*free)) };
            let started = format!("Each started {}", format::quantity(*size));
            table.row(vec![Cell::text(started).sub(free), Cell::figure(rate(amount))]);
        }
        Model::Stairstep { tiers } => {
            for tier in tiers {
                table.row(vec![Cell::text(up_to(tier.up_to)).sub("in all"), Cell::figure(rate(&tier.amount))]);
            }
        }
        Model::Percent(percent) => percentage(table, percent, currency),
        Model::GraduatedPercent { tiers } => {
            for tier in tiers {
                let flat = if tier.flat.is_zero() { String::new() } else { format!("plus {} once", rate(&tier.flat)) };
                table.row(vec![
                    Cell::text(up_to(tier.up_to)),
                    Cell::figure(format!("{}%", format::quantity(tier.percent))).sub(flat),
                ]);
            }
        }
        Model::By { dimension, cases, default } => {
            for (case, price) in cases {
                table.group(format!("{dimension}: {case}"));
                model(table, &price.model, currency);
            }
            if let Some(price) = default {
                table.group("Otherwise");
                model(table, &price.model, currency);
            }
        }
    }
}

fn percentage(table: &mut Table, percent: &PercentPrice, currency: Currency) {
    let fixed = match percent.fixed_per_event.is_zero() {
        true => String::new(),
        false => format!("plus {} each", currency.human_rate(percent.fixed_per_event)),
    };
    table.row(vec![
        Cell::text("Of the amount"),
        Cell::figure(format!("{}%", format::quantity(percent.rate))).sub(fixed),
    ]);
    for (limit, words) in [
        (percent.free_amount, "Free up to"),
        (percent.minimum_per_event, "At least, each"),
        (percent.maximum_per_event, "At most, each"),
    ] {
        if let Some(limit) = limit {
            table.row(vec![Cell::text(words), Cell::figure(currency.human_rate(limit))]);
        }
    }
    if let Some(free) = percent.free_events {
        table.row(vec![Cell::text("Free"), Cell::figure(format::counted(free.into(), "event", "events"))]);
    }
}

fn up_to(bound: Option<Decimal>) -> String {
    bound.map_or_else(|| "Above".to_owned(), |bound| format!("Up to {}", format::quantity(bound)))
}

/// "€5.00 to connect, then €0.50/min, after 20 min €0.25/min"
pub fn tariff_words(tariff: &Tariff, currency: Currency) -> String {
    if is_free(tariff) {
        return "free".into();
    }
    let steps: Vec<String> = tariff.steps.iter().map(|step| step_words(step, tariff.per, currency)).collect();
    let steps = steps.join(", ");
    if tariff.connection.is_zero() {
        steps
    } else {
        format!("{} to connect, then {steps}", currency.human_rate(tariff.connection))
    }
}

/// Costs nothing at any time.
pub fn is_free(tariff: &Tariff) -> bool {
    let free = |steps: &[RateStep]| steps.iter().all(|step| step.rate.is_zero());
    let band_is_free = |band: &Band| free(&band.steps) && band.connection.is_none_or(|fee| fee.is_zero());
    tariff.connection.is_zero() && free(&tariff.steps) && tariff.bands.iter().all(band_is_free)
}

fn step_words(step: &RateStep, per: Per, currency: Currency) -> String {
    let unit = match per {
        Per::Second => "s",
        Per::Minute => "min",
        Per::Hour => "h",
    };
    let rate = format!("{}/{unit}", currency.human_rate(step.rate));
    if step.from_second == 0 { rate } else { format!("after {} {rate}", after(step.from_second)) }
}

/// "20 min", "90 s": never what could be read as a time of day.
fn after(seconds: u32) -> String {
    if seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}

/// "each started 6 s, at least 60 s, at most €60.00 a call"
pub fn tariff_rules(tariff: &Tariff, currency: Currency) -> String {
    let mut rules = Vec::new();
    match tariff.first_increment {
        Some(first) => rules.push(format!("first {first} s, then each started {} s", tariff.increment)),
        None => rules.push(format!("each started {} s", tariff.increment)),
    }
    if tariff.minimum_seconds > 0 {
        rules.push(format!("at least {} s", tariff.minimum_seconds));
    }
    if tariff.free_seconds > 0 {
        rules.push(format!("{} s free", tariff.free_seconds));
    }
    if let Some(maximum) = tariff.maximum {
        rules.push(format!("at most {} a call", currency.human_rate(maximum)));
    }
    rules.join(", ")
}

/// "Mon to Fri 18:00–08:00, Sat and Sun: €0.29/min": each other price with all the times at which it holds.
pub fn tariff_times(tariff: &Tariff, currency: Currency) -> Vec<String> {
    let price = |band: &Band| {
        let steps: Vec<String> = band.steps.iter().map(|step| step_words(step, tariff.per, currency)).collect();
        let connect =
            band.connection.map_or_else(String::new, |fee| format!("{} to connect, ", currency.human_rate(fee)));
        format!("{connect}{}", steps.join(", "))
    };
    times_by_price(&tariff.bands, price).into_iter().map(|(price, times)| format!("{times}: {price}")).collect()
}

/// Bands of one price together, in the order in which their price comes first: (price, "Mon to Fri 18:00–08:00, Sat and Sun").
pub fn times_by_price(bands: &[Band], price: impl Fn(&Band) -> String) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for band in bands {
        let (price, time) = (price(band), band_words(band));
        match found.iter_mut().find(|(known, _)| *known == price) {
            Some((_, times)) => times.push_str(&format!(", {time}")),
            None => found.push((price, time)),
        }
    }
    found
}

/// "Mon to Fri 18:00–08:00", "Sat and Sun", "Holidays"
pub fn band_words(band: &Band) -> String {
    let mut days: Vec<String> = Vec::new();
    let mut rest: Vec<usize> = (0..Day::WEEK.len()).filter(|at| band.days.contains(&Day::WEEK[*at])).collect();
    while let Some(first) = rest.first().copied() {
        let run = rest.iter().enumerate().take_while(|(nth, at)| **at == first + nth).count();
        let name = |at: usize| short_name(Day::WEEK[at]);
        days.push(match run {
            1 => name(first).to_owned(),
            2 => format!("{} and {}", name(first), name(first + 1)),
            7 => "Every day".to_owned(),
            _ => format!("{} to {}", name(first), name(first + run - 1)),
        });
        rest.drain(..run);
    }
    if band.days.contains(&Day::Holiday) {
        days.push(short_name(Day::Holiday).to_owned());
    }
    let days = days.join(", ");
    let (from, to) = (band.from.to_string(), band.to.to_string());
    if from == to || (from == "00:00" && to == "24:00") { days } else { format!("{days} {from}–{to}") }
}

fn short_name(day: Day) -> &'static str {
    match day {
        Day::Mon => "Mon",
        Day::Tue => "Tue",
        Day::Wed => "Wed",
        Day::Thu => "Thu",
        Day::Fri => "Fri",
        Day::Sat => "Sat",
        Day::Sun => "Sun",
        Day::Holiday => "Holidays",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pricing::Tier;

    #[test]
    fn the_times_of_a_price_are_told_as_people_say_them() {
        let tariff: Tariff = serde_json::from_value(serde_json::json!({
            "per": "minute", "rate": "0.49",
            "bands": [
                {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "18:00", "to": "08:00", "rate": "0.29"},
                {"days": ["sat", "sun"], "from": "00:00", "to": "24:00", "rate": "0.29"},
                {"days": ["holiday"], "from": "00:00", "to": "24:00", "rate": "0.19"}
            ],
        }))
        .unwrap();
        assert_eq!(
            tariff_times(&tariff, Currency::EUR),
            ["Mon to Fri 18:00–08:00, Sat and Sun: €0.29/min", "Holidays: €0.19/min"]
        );
        assert!(!is_free(&tariff) && is_free(&Tariff::flat(Decimal::ZERO, Per::Minute)));
        assert_eq!(tariff_words(&Tariff::flat(Decimal::ZERO, Per::Minute), Currency::EUR), "free");
    }

    #[test]
    fn each_tier_is_a_row_and_the_last_is_open() {
        let tier = |up_to: Option<i64>, unit: &str| Tier {
            up_to: up_to.map(Decimal::from),
            unit: unit.parse().unwrap(),
            flat: Decimal::ZERO,
        };
        let model = Model::Graduated { tiers: vec![tier(Some(1000), "1.2"), tier(None, "0.0095")] };
        let price = Price { model, minimum: Some(Decimal::from(49)), maximum: None, flat_at_zero: false };
        let table = table(&price, Currency::EUR);
        let cells: Vec<_> = table
            .rows
            .iter()
            .map(|row| match row {
                crate::views::table::Row::Cells(cells) => {
                    cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>()
                }
                crate::views::table::Row::Group(_) => Vec::new(),
            })
            .collect();
        assert_eq!(cells, [["Up to 1,000", "€1.20"], ["Above", "€0.0095"], ["At least, in a period", "€49.00"]]);
    }
}
