//! An estimate as its page shows it: staff by hour, rates, what is kept, where models change places.

use super::forecast::day_name;
use crate::charts::{Chart, Drawn};
use crate::format;
use crate::views::parts::{Stat, Stats, SumRow, Sums};
use crate::views::public::{EstimateResult, HeatCell, HeatDay, RateCard};
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use money::Money;
use pricing::{ChannelKind, Estimate, Forecast, ModelKind, ModelPrice, StaffedHour};
use rust_decimal::{Decimal, RoundingStrategy};

/// See the module. The addresses carry the same figures.
pub fn result(forecast: &Forecast, estimate: &Estimate, share_href: String, csv_href: String) -> EstimateResult {
    let mut stats = service(estimate);
    stats.push(
        Stat::new("Cost a month", estimate.cost.total.human_estimate())
            .note("before margin, tax excluded", Tone::Plain),
    );
    EstimateResult {
        title: title(estimate),
        badge: None,
        facts: facts(forecast, estimate),
        share_href,
        pdf_href: csv_href.replacen("/csv", "/pdf", 1),
        csv_href,
        save: None,
        quote_href: None,
        days: days(estimate),
        heat_note: format!("{} Below: what arrives in the hour. {}", away(forecast), zone(forecast)),
        service: Stats(stats),
        rates: rates(estimate),
        begin: begin(estimate),
        cost: cost(estimate),
        channels: channels(forecast, estimate),
        chart: chart(forecast, estimate, events(estimate)),
        side_by_side: side_by_side(estimate),
        break_evens: break_evens(estimate),
    }
}

fn events(estimate: &Estimate) -> Decimal {
    estimate.by_channel.iter().map(|channel| channel.events).sum()
}

/// The result in one line.
pub fn title(estimate: &Estimate) -> String {
    let scheduled = format::counted(estimate.peak_scheduled.into(), "agent", "agents");
    format!("{scheduled} at the busiest hour, about {} hours a month", whole(estimate.cost.agent_hours))
}

/// What it is of, and whom it employs.
pub fn facts(forecast: &Forecast, estimate: &Estimate) -> String {
    let minutes: Decimal = estimate.by_channel.iter().map(|channel| channel.minutes).sum();
    format!(
        "{} events and {} minutes a month. {} employed at {} hours a month each.",
        whole(events(estimate)),
        whole(minutes),
        format::counted(estimate.seats.into(), "person", "people"),
        format::quantity(forecast.hours_per_agent_month),
    )
}

/// How many of the people are away.
pub fn away(forecast: &Forecast) -> String {
    format!("People away {}% included.", percent(forecast.shrinkage))
}

/// Where the hours are counted.
pub fn zone(forecast: &Forecast) -> String {
    format!("Times are {}", forecast.time_zone)
}

/// What it is called in a list: "4,800 events a month, 20 agents".
pub fn name(estimate: &Estimate) -> String {
    let agents = format::counted(estimate.peak_scheduled.into(), "agent", "agents");
    format!("{} events a month, {agents}", whole(events(estimate)))
}

/// A number without its decimals, grouped: an estimate.
fn whole(number: Decimal) -> String {
    format::quantity(number.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero))
}

/// A share of one, in percent.
fn percent(share: Decimal) -> String {
    format::quantity((share * Decimal::ONE_HUNDRED).round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero))
}

/// Days alike stand together; hours in which nobody is there at either end are left out.
pub fn days(estimate: &Estimate) -> Vec<HeatDay> {
    let alike = |a: &[StaffedHour], b: &[StaffedHour]| {
        a.iter().zip(b).all(|(a, b)| {
            (a.scheduled, a.open_minutes, whole(a.events)) == (b.scheduled, b.open_minutes, whole(b.events))
        })
    };
    let mut groups: Vec<(Vec<&'static str>, &[StaffedHour])> = Vec::new();
    for day in estimate.week.chunks(24).filter(|day| day.iter().any(|hour| hour.open_minutes > 0)) {
        let Some(first) = day.first() else { continue };
        match groups.last_mut() {
            Some((names, hours)) if alike(hours, day) => names.push(day_name(first.day)),
            _ => groups.push((vec![day_name(first.day)], day)),
        }
    }
    let most = estimate.peak_scheduled.max(1);
    groups
        .into_iter()
        .map(|(names, hours)| HeatDay {
            name: match names.as_slice() {
                [one] => (*one).to_owned(),
                [first, .., last] => format!("{first} to {last}"),
                [] => String::new(),
            },
            cells: hours.iter().filter(|hour| hour.open_minutes > 0).map(|hour| heat_cell(hour, most)).collect(),
        })
        .collect()
}

fn heat_cell(hour: &StaffedHour, most: u32) -> HeatCell {
    // Five steps of one hue, by the share of the busiest hour.
    let level = (u64::from(hour.scheduled) * 5).div_ceil(u64::from(most)).clamp(1, 5);
    HeatCell {
        hour: format!("{:02}:00", hour.hour),
        agents: hour.scheduled.to_string(),
        events: whole(hour.events),
        level: u8::try_from(level).unwrap_or(5),
    }
}

/// What callers and chatters find in the busiest hour, and the lines that carry the calls.
pub fn service(estimate: &Estimate) -> Vec<Stat> {
    let mut stats: Vec<Stat> = estimate
        .busiest
        .iter()
        .take(3)
        .map(|queue| {
            let language = if queue.language.is_empty() { String::new() } else { format!(", {}", queue.language) };
            let wait =
                queue.needed.average_wait_seconds.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
            Stat::new(
                format!("{} in time{language}", channel_name(queue.channel)),
                format!("{}%", percent(queue.needed.service_level)),
            )
            .note(
                format!(
                    "{} s wait on average, agents {}% busy",
                    format::quantity(wait),
                    percent(queue.needed.occupancy)
                ),
                Tone::Plain,
            )
        })
        .collect();
    if estimate.channels.channels > 0 {
        stats.push(
            Stat::new("Channels", estimate.channels.channels.to_string())
                .note(format!("{}% of calls find all busy", percent(estimate.channels.blocking)), Tone::Plain),
        );
    }
    stats
}

pub fn channel_name(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Phone => "Calls",
        ChannelKind::Chat => "Chats",
        ChannelKind::Email => "E-mails",
        ChannelKind::Messaging => "Messages",
    }
}

pub fn model_name(model: ModelKind) -> &'static str {
    match model {
        ModelKind::PerEvent => "Per event",
        ModelKind::PerMinute => "Per minute",
        ModelKind::PerHour => "Per hour",
        ModelKind::PerSeat => "Per seat",
        ModelKind::Mixed => "Core and overflow",
    }
}

/// One commercial model with the rate that is suggested for it.
pub struct Suggested {
    pub name: &'static str,
    pub value: String,
    /// "a minute"
    pub per: String,
    /// What the forecast month comes to.
    pub month: Money,
    /// "28.0%", or that there is none.
    pub margin: String,
    /// What it means to agree on it.
    text: String,
}

pub fn suggested(estimate: &Estimate) -> Vec<Suggested> {
    let of = |model: &ModelPrice| {
        let (value, per, text) = rate_words(estimate, model);
        let kept = model.price.micros().saturating_sub(estimate.cost.total.micros());
        let margin = format::percent(kept, model.price.micros()).unwrap_or_else(|| "none".into());
        Suggested { name: model_name(model.model), value, per, month: model.price, margin, text }
    };
    estimate.models.iter().map(of).collect()
}

fn rates(estimate: &Estimate) -> Vec<RateCard> {
    let lowest = estimate.models.iter().map(|model| model.price.micros()).min();
    let card = |rate: Suggested| RateCard {
        name: rate.name.into(),
        badge: (Some(rate.month.micros()) == lowest).then(|| Badge::new("Lowest", Tone::On)),
        value: rate.value,
        per: rate.per,
        sums: Sums(vec![
            SumRow::plain("A month", rate.month.human_estimate()),
            SumRow::plain("Your margin", rate.margin),
        ]),
        text: rate.text,
    };
    suggested(estimate).into_iter().map(card).collect()
}

fn rate_words(estimate: &Estimate, model: &ModelPrice) -> (String, String, String) {
    let rates = &estimate.rates;
    let (value, per, text) = match model.model {
        ModelKind::PerEvent => {
            let least = format::count(i64::try_from(estimate.minimum_events).unwrap_or(i64::MAX));
            (rates.per_event.human_rate(), "each", format!("Volume risk inside. At least {least} a month."))
        }
        ModelKind::PerMinute => {
            (rates.per_minute.human_rate(), "a minute", "Volume risk inside. Simple to explain.".into())
        }
        ModelKind::PerHour => (rates.per_hour.human_rate(), "an hour", "A dedicated team; idle time is paid.".into()),
        ModelKind::PerSeat => (rates.per_seat.human_estimate(), "a seat", "Pays for the peak all month.".into()),
        ModelKind::Mixed => {
            let core = Money::from_decimal(model.terms.fixed, estimate.cost.total.currency());
            let each = rates.per_event.human_rate();
            let text = format!("Core team for {} events, then {each} each.", whole(model.terms.included));
            (core.map_or_else(|_| String::new(), |core| core.human_estimate()), "a month", text)
        }
    };
    (value, per.to_owned(), text)
}

pub fn begin(estimate: &Estimate) -> Sums {
    let least = i64::try_from(estimate.minimum_events).unwrap_or(i64::MAX);
    Sums(vec![
        SumRow::plain("Minimum volume a month", format::counted(least, "event", "events")),
        SumRow::Note("Below it open hours cost more than their events bring in.".into()),
        SumRow::plain("Implementation fee", estimate.implementation_fee.human_estimate()),
        SumRow::Note("Training of everybody and what is fixed, with the margin.".into()),
        SumRow::plain("People to employ", estimate.seats.to_string()),
        SumRow::plain("Calls at once, busiest hour", format::quantity(estimate.erlangs.round_dp(1))),
    ])
}

pub fn cost(estimate: &Estimate) -> Sums {
    let cost = &estimate.cost;
    let paid = format!("Wages, about {} paid hours", whole(cost.paid_hours));
    Sums(vec![
        SumRow::plain(paid, cost.wages.human_estimate()),
        SumRow::plain("Overhead", cost.overhead.human_estimate()),
        SumRow::plain("Channels", cost.channels.human_estimate()),
        SumRow::plain("Carriage", cost.carriage.human_estimate()),
        SumRow::sum("A month", cost.total.human_estimate()),
    ])
}

pub fn channels(forecast: &Forecast, estimate: &Estimate) -> Table {
    let code = forecast.currency.code();
    let columns = vec![
        Column::text("Channel"),
        Column::figures("A month").label("A month"),
        Column::figures("Minutes").hidden(),
        Column::figures(format!("Cost, {code}")).label("Cost"),
        Column::figures(format!("Each, {code}")).label("Each"),
        Column::figures(format!("A minute, {code}")).label("A minute"),
    ];
    let mut table =
        Table::new("By channel", columns, Empty::new("tag", "No channel", "Each channel shows here.")).dense();
    for channel in &estimate.by_channel {
        let rate = |rate: Option<Money>| rate.map_or_else(Cell::none, |rate| Cell::figure(rate.human_rate()));
        table.row(vec![
            Cell::name(channel_name(channel.channel)),
            Cell::figure(whole(channel.events)),
            Cell::figure(whole(channel.minutes)),
            Cell::figure(channel.cost.human_estimate()),
            rate(channel.per_event),
            rate(channel.per_minute),
        ]);
    }
    table
}

/// The models that the chart draws; the others run beside one of them.
const DRAWN: [(ModelKind, &str); 3] =
    [(ModelKind::PerEvent, "c1"), (ModelKind::PerHour, "c2"), (ModelKind::Mixed, "c3")];

fn chart(forecast: &Forecast, estimate: &Estimate, events: Decimal) -> Chart {
    let note = format!("{} Tax excluded", first_sentence(estimate));
    let mut chart = Chart::lines(
        "volumes",
        "What the client pays, by volume",
        "A month's price by events a month",
        "Events a month",
    )
    .note(note)
    .height(248)
    .unit(forecast.currency.symbol().trim())
    .mark(events.round_dp(0).to_string(), format!("Your volume, {}", whole(events)));
    let drawn: Vec<usize> =
        DRAWN.iter().filter_map(|(kind, _)| estimate.models.iter().position(|model| model.model == *kind)).collect();
    for (kind, colour) in DRAWN {
        chart = chart.series(model_name(kind), Drawn::Line, colour);
    }
    chart = chart.series("What it costs you", Drawn::Dash, "past");
    for point in &estimate.curve {
        let value = |money: Money| Some((money.as_decimal().to_string(), money.human_estimate()));
        let mut values: Vec<_> = drawn.iter().map(|index| point.prices.get(*index).copied().and_then(value)).collect();
        values.push(value(point.cost));
        chart.point_at(point.events.round_dp(0).to_string(), format!("{} events", whole(point.events)), values);
    }
    chart
}

fn first_sentence(estimate: &Estimate) -> String {
    let wanted = |model: &ModelKind| matches!(model, ModelKind::PerEvent | ModelKind::PerHour);
    let found = estimate.break_evens.iter().find(|meeting| wanted(&meeting.below) && wanted(&meeting.above));
    found.map_or_else(
        || "All models cost about the same at your volume.".into(),
        |meeting| {
            format!(
                "Below about {} events a month {} is cheaper for the client, above it {}.",
                whole(meeting.events),
                model_name(meeting.below).to_lowercase(),
                model_name(meeting.above).to_lowercase()
            )
        },
    )
}

/// Where the drawn models change places within twice the volume.
pub fn break_evens(estimate: &Estimate) -> Vec<String> {
    let most = estimate.curve.last().map_or(Decimal::MAX, |point| point.events);
    let is_drawn = |model: ModelKind| DRAWN.iter().any(|(drawn, _)| *drawn == model);
    estimate
        .break_evens
        .iter()
        .filter(|meeting| meeting.events <= most && is_drawn(meeting.below) && is_drawn(meeting.above))
        .take(6)
        .map(|meeting| {
            format!(
                "At about {} events: below it {} is cheaper for the client, above it {}.",
                whole(meeting.events),
                model_name(meeting.below),
                model_name(meeting.above)
            )
        })
        .collect()
}

pub fn side_by_side(estimate: &Estimate) -> Table {
    let mut columns = vec![Column::text("Model")];
    let shown: Vec<_> = [50, 100, 200]
        .into_iter()
        .filter_map(|percent| estimate.curve.iter().find(|point| point.percent == percent))
        .collect();
    for (point, label) in shown.iter().zip(["Half", "Yours", "Twice"]) {
        columns.push(Column::figures(format!("{} events", whole(point.events))).label(label));
    }
    let mut table = Table::new("Models side by side", columns, Empty::new("tag", "No model", "Models show here."));
    let lowest: Vec<Option<i64>> = shown.iter().map(|point| point.prices.iter().map(Money::micros).min()).collect();
    for (index, model) in estimate.models.iter().enumerate() {
        let mut row = vec![Cell::name(model_name(model.model))];
        for (point, lowest) in shown.iter().zip(&lowest) {
            let price = point.prices.get(index).copied().unwrap_or(model.price);
            let cell = Cell::figure(price.human_estimate());
            row.push(if Some(price.micros()) == *lowest { cell.with(Badge::new("Lowest", Tone::On)) } else { cell });
        }
        table.row(row);
    }
    let mut cost = vec![Cell::text("What it costs you")];
    cost.extend(shown.iter().map(|point| Cell::figure(point.cost.human_estimate())));
    table.total(cost);
    table
}
