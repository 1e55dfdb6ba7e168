//! What serving a customer would take and cost: staff for each hour of the week, lines, a month's cost, suggested rates, and the
//! commercial models side by side.
//!
//! Staff comes from Erlang's formulas, which know nobody who hangs up, and so from the safe side. What is money is exact: a cost is
//! rounded once to the minor unit, a suggested rate upwards, so that the margin holds.
//! Start at `forecast.rs` for what goes in; `week.rs`, `staff.rs`, `cost.rs` and `models.rs` follow one another.

mod cost;
mod forecast;
mod models;
mod read;
mod staff;
#[cfg(test)]
mod tests;
mod week;

use money::{Decimal, Money};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use forecast::{
    ChannelForecast, ChannelKind, Forecast, Implementation, Language, OpenHours, Profile, Region, Volume,
};

use crate::tariff::Day;
use crate::{ChannelsNeeded, DocumentError, Exact, MonthlyPrice, PricingError, StaffingNeeded};
use week::Week;

/// What a forecast takes and costs, and what to ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The 168 hours of the week in the forecast's zone, Monday 00:00 first.
    pub week: Vec<StaffedHour>,
    /// For each live channel and language, the hour that needs most agents.
    pub busiest: Vec<Queue>,
    /// The most agents scheduled in one hour.
    pub peak_scheduled: u32,
    /// People to employ: as many as the peak needs, and as many as share the paid hours of a month.
    pub seats: u32,
    /// Calls at once in the busiest hour: talking and waiting.
    pub erlangs: Decimal,
    /// Channels that carry them (Erlang B).
    pub channels: ChannelsNeeded,
    /// What a month costs.
    pub cost: MonthlyCost,
    /// The same cost by channel; together it is the month's.
    pub by_channel: Vec<ChannelCost>,
    /// What to ask, in one rate for everything.
    pub rates: SuggestedRates,
    /// The least volume of a month to be paid for: below it open hours cost more than their events bring in.
    pub minimum_events: u64,
    /// To begin with, its margin included.
    pub implementation_fee: Money,
    /// The commercial models side by side, at the forecast volume.
    pub models: Vec<ModelPrice>,
    /// Where two models change places.
    pub break_evens: Vec<BreakEven>,
    /// Cost and prices at other volumes than forecast.
    pub curve: Vec<CostPoint>,
}

/// Who must be there in one hour of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaffedHour {
    /// Its day.
    pub day: Day,
    /// 0 to 23.
    pub hour: u32,
    /// Minutes of it in which someone is served.
    pub open_minutes: u32,
    /// What arrives on all channels together.
    pub events: Decimal,
    /// Agents at their seats.
    pub agents: u32,
    /// Agents to be scheduled, shrinkage included.
    pub scheduled: u32,
    /// The same by language.
    pub teams: Vec<TeamHour>,
}

/// A language's agents in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamHour {
    /// Empty when the forecast names none.
    pub language: String,
    /// At their seats.
    pub agents: u32,
    /// To be scheduled.
    pub scheduled: u32,
}

/// The busiest hour of a live channel in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Phone or chat.
    pub channel: ChannelKind,
    /// Empty when the forecast names none.
    pub language: String,
    /// 0 is Monday 00:00.
    pub hour_of_week: u32,
    /// What arrives in that hour, as a rate.
    pub calls_per_hour: Decimal,
    /// The agents that keep the promise, and what they keep.
    pub needed: StaffingNeeded,
}

/// What an average month costs the seller; each amount is rounded to the minor unit, the total is their sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonthlyCost {
    /// Hours of agents at their seats, to two decimals.
    pub agent_hours: Decimal,
    /// Hours to be paid, shrinkage included, to two decimals.
    pub paid_hours: Decimal,
    /// Paid hours times their cost.
    pub wages: Money,
    /// On top of wages.
    pub overhead: Money,
    /// Channels.
    pub channels: Money,
    /// Minutes of calls, by region.
    pub carriage: Money,
    /// All of it.
    pub total: Money,
}

/// A channel's part of the month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelCost {
    /// Which channel.
    pub channel: ChannelKind,
    /// What arrives in an average month, to two decimals.
    pub events: Decimal,
    /// Minutes talked or written, to two decimals.
    pub minutes: Decimal,
    /// Its part of the cost: agents by the time they give it; lines and carriage are the phone's.
    pub cost: Money,
    /// To be asked for each event, margin and risk included; `None` when nothing arrives.
    pub per_event: Option<Money>,
    /// To be asked for each minute.
    pub per_minute: Option<Money>,
}

/// One rate for everything, in each of the units that the product sells by. Rounded upwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuggestedRates {
    /// For each minute talked or written, to a hundredth of the minor unit; margin and risk included.
    pub per_minute: Money,
    /// For each conversation; margin and risk included.
    pub per_event: Money,
    /// For each hour of an agent at the seat; margin included.
    pub per_hour: Money,
    /// For each person employed, a month; margin included.
    pub per_seat: Money,
}

/// The commercial models that an estimate compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// A rate for each conversation, with the minimum volume.
    PerEvent,
    /// A rate for each minute.
    PerMinute,
    /// The team's hours whatever the volume.
    PerHour,
    /// The seats whatever the volume.
    PerSeat,
    /// A core team by the hour, and what goes beyond it by the event.
    Mixed,
}

/// What the customer pays for a month in one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// Which model.
    pub model: ModelKind,
    /// Its price by events in the month.
    pub terms: MonthlyPrice,
    /// At the forecast volume.
    pub price: Money,
}

/// Two models that cost the same at some volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakEven {
    /// The cheaper one below it.
    pub below: ModelKind,
    /// The cheaper one above it.
    pub above: ModelKind,
    /// Events in a month, to six decimals.
    pub events: Decimal,
}

/// Another volume than the forecast's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostPoint {
    /// 100 is the forecast.
    pub percent: u32,
    /// Events in the month.
    pub events: Decimal,
    /// What it costs the seller, staffed for this volume.
    pub cost: Money,
    /// What the customer pays in each model, in the order of `models`.
    pub prices: Vec<Money>,
}

/// The staff, cost and suggested prices of a forecast.
pub fn estimate(forecast: &Forecast) -> Result<Estimate, DocumentError> {
    forecast.check().map_err(|error| error.found_in(&json!(forecast)))?;
    let whole = |rule: PricingError| rule.at("");
    let week = Week::of(forecast).map_err(whole)?;
    let staffed = staff::staff(forecast, &week, &Exact::integer(1)).map_err(whole)?;
    if staffed.weekly.iter().all(Exact::is_zero) {
        return Err(PricingError::VolumeMustNotBeZero.at("/channels"));
    }
    let month = cost::month(forecast, &staffed).map_err(whole)?;
    let offer = models::offer(forecast, &week, &staffed, &month).map_err(whole)?;
    let curve = models::curve(forecast, &week, &month, &offer.models).map_err(whole)?;
    Ok(Estimate {
        peak_scheduled: month.peak_scheduled,
        seats: month.seats,
        erlangs: staffed.erlangs,
        channels: staffed.channels,
        cost: month.cost,
        by_channel: month.by_channel,
        rates: offer.rates,
        minimum_events: offer.minimum_events,
        implementation_fee: offer.implementation_fee,
        break_evens: models::break_evens(&offer.models).map_err(whole)?,
        models: offer.models,
        curve,
        week: staffed.hours,
        busiest: staffed.busiest,
    })
}
