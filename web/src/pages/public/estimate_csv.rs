//! An estimate as a file for a spreadsheet: plain numbers, one block after another.

use super::estimate_show::{channel_name, model_name};
use super::forecast::day_name;
use pricing::{Estimate, Forecast};
use std::fmt::Write;

/// The whole estimate. Fields are our own words, numbers and the names that somebody typed; those are quoted.
pub fn file(forecast: &Forecast, estimate: &Estimate) -> String {
    let mut out = String::new();
    let code = forecast.currency.code();
    line(&mut out, &["estimate", "value", "unit"]);
    for (name, value, unit) in [
        ("agents scheduled at the busiest hour", estimate.peak_scheduled.to_string(), "agents"),
        ("people to employ", estimate.seats.to_string(), "people"),
        ("hours of agents at their seats", estimate.cost.agent_hours.to_string(), "hours a month"),
        ("paid hours", estimate.cost.paid_hours.to_string(), "hours a month"),
        ("channels", estimate.channels.channels.to_string(), "channels"),
        ("minimum volume", estimate.minimum_events.to_string(), "events a month"),
        ("implementation fee", estimate.implementation_fee.format_plain(), code),
        ("wages", estimate.cost.wages.format_plain(), code),
        ("overhead", estimate.cost.overhead.format_plain(), code),
        ("channel cost", estimate.cost.channels.format_plain(), code),
        ("carriage", estimate.cost.carriage.format_plain(), code),
        ("cost a month", estimate.cost.total.format_plain(), code),
        ("rate per minute", estimate.rates.per_minute.as_decimal().to_string(), code),
        ("rate per event", estimate.rates.per_event.as_decimal().to_string(), code),
        ("rate per hour", estimate.rates.per_hour.as_decimal().to_string(), code),
        ("rate per seat", estimate.rates.per_seat.as_decimal().to_string(), code),
    ] {
        line(&mut out, &[name, &value, unit]);
    }
    out.push_str("\r\n");
    line(&mut out, &["day", "hour", "open minutes", "events", "agents at seats", "agents scheduled"]);
    for hour in estimate.week.iter().filter(|hour| hour.open_minutes > 0) {
        let cells = [
            day_name(hour.day).to_owned(),
            format!("{:02}:00", hour.hour),
            hour.open_minutes.to_string(),
            hour.events.round_dp(2).to_string(),
            hour.agents.to_string(),
            hour.scheduled.to_string(),
        ];
        line(&mut out, &cells.each_ref().map(String::as_str));
    }
    out.push_str("\r\n");
    line(&mut out, &["channel", "events", "minutes", "cost", "per event", "per minute"]);
    for channel in &estimate.by_channel {
        let rate = |rate: Option<money::Money>| rate.map(|rate| rate.as_decimal().to_string()).unwrap_or_default();
        let cells = [
            channel_name(channel.channel).to_owned(),
            channel.events.to_string(),
            channel.minutes.to_string(),
            channel.cost.format_plain(),
            rate(channel.per_event),
            rate(channel.per_minute),
        ];
        line(&mut out, &cells.each_ref().map(String::as_str));
    }
    out.push_str("\r\n");
    let names: Vec<&str> = estimate.models.iter().map(|model| model_name(model.model)).collect();
    line(&mut out, &[&["percent of volume", "events", "cost"], names.as_slice()].concat());
    for point in &estimate.curve {
        let mut cells =
            vec![point.percent.to_string(), point.events.round_dp(2).to_string(), point.cost.format_plain()];
        cells.extend(point.prices.iter().map(money::Money::format_plain));
        line(&mut out, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    out
}

/// One line, every cell quoted where it must be. A cell that a spreadsheet could take for a formula is told to be text.
pub fn line(out: &mut String, cells: &[&str]) {
    for (index, cell) in cells.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let is_formula =
            cell.starts_with(['=', '+', '@', '\t', '\r']) || (cell.starts_with('-') && cell.parse::<f64>().is_err());
        let guard = if is_formula { "'" } else { "" };
        if is_formula || cell.contains([',', '"', '\n', '\r']) {
            let _ = write!(out, "{comma}\"{guard}{}\"", cell.replace('"', "\"\""));
        } else {
            let _ = write!(out, "{comma}{cell}");
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        let mut out = String::new();
        line(&mut out, &["a", "b,c", "d\"e", "=1+1", "-5.20", "-x"]);
        assert_eq!(out, "a,\"b,c\",\"d\"\"e\",\"'=1+1\",-5.20,\"'-x\"\r\n");
    }
}
