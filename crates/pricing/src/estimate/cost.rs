//! What the staff and the lines cost in an average month.

use money::{Decimal, Money};

use super::forecast::{ChannelKind, Forecast};
use super::staff::{Staffed, Team, count, teams};
use super::week::weeks_in_month;
use super::{ChannelCost, MonthlyCost};
use crate::{Exact, PricingError, RoundTo};

/// A month's cost and what it was made of.
pub(super) struct Month {
    pub(super) cost: MonthlyCost,
    pub(super) by_channel: Vec<ChannelCost>,
    pub(super) peak_scheduled: u32,
    pub(super) seats: u32,
    /// Events of all channels, exact.
    pub(super) events: Exact,
    /// Minutes talked or written, exact.
    pub(super) minutes: Exact,
    /// Hours of agents at their seats, exact.
    pub(super) agent_hours: Exact,
    /// What a paid hour costs on average over the teams, before overhead, exact.
    pub(super) cost_per_paid_hour: Exact,
}

pub(super) fn month(forecast: &Forecast, staffed: &Staffed) -> Result<Month, PricingError> {
    let (weeks, teams) = (weeks_in_month(), teams(forecast));
    let hours = |minutes: i64| weeks.times(&Exact::ratio(i128::from(minutes), 0, 60));
    let (mut seated, mut paid, mut wages) = (0, 0, Exact::zero());
    for team in &teams {
        let (team_seated, team_paid) = minutes_of(staffed, team);
        (seated, paid) = (seated + team_seated, paid + team_paid);
        wages = wages.plus(&hours(team_paid).times(&Exact::from(team.cost_per_agent_hour)));
    }
    let (agent_hours, paid_hours) = (hours(seated), hours(paid));
    let cost_per_paid_hour =
        if paid == 0 { Exact::from(forecast.cost_per_agent_hour) } else { wages.over(&paid_hours)? };
    let carriage = carriage(forecast, staffed);
    let lines = Exact::integer(i64::from(staffed.channels.channels)).times(&Exact::from(forecast.cost_per_channel));
    let overhead = wages.times(&Exact::from(forecast.overhead_percent).hundredths());
    let amounts = [wages, overhead, lines, carriage];
    let [wages, overhead, channels, carriage] = to_minor(forecast, amounts)?;
    let total = Money::sum(forecast.currency, [wages, overhead, channels, carriage])?;
    let cost = MonthlyCost {
        agent_hours: agent_hours.to_decimal_places(2)?,
        paid_hours: paid_hours.to_decimal_places(2)?,
        wages,
        overhead,
        channels,
        carriage,
        total,
    };
    let peak_scheduled = staffed.hours.iter().map(|hour| hour.scheduled).max().unwrap_or(0);
    let by_contract = count(&paid_hours.over(&Exact::from(forecast.hours_per_agent_month))?.ceil())?;
    let by_channel = by_channel(forecast, staffed, &teams, &cost)?;
    let events = staffed.weekly.iter().fold(Exact::zero(), |sum, weekly| sum.plus(&weekly.times(&weeks)));
    let talked = staffed.weekly.iter().zip(&forecast.channels);
    let minutes = talked.fold(Exact::zero(), |sum, (weekly, channel)| {
        sum.plus(&weekly.times(&weeks).times(&Exact::from(channel.talk_seconds)).times(&Exact::ratio(1, 0, 60)))
    });
    let seats = peak_scheduled.max(by_contract);
    Ok(Month { cost, by_channel, peak_scheduled, seats, events, minutes, agent_hours, cost_per_paid_hour })
}

/// Minutes in a week of a team's agents at their seats, and of those to be paid.
fn minutes_of(staffed: &Staffed, team: &Team<'_>) -> (i64, i64) {
    let (mut seated, mut paid) = (0, 0);
    for hour in &staffed.hours {
        for row in hour.teams.iter().filter(|row| row.language == team.name) {
            seated += i64::from(row.agents) * i64::from(hour.open_minutes);
            paid += i64::from(row.scheduled) * i64::from(hour.open_minutes);
        }
    }
    (seated, paid)
}

/// What the minutes of calls cost, each region at its own rate.
fn carriage(forecast: &Forecast, staffed: &Staffed) -> Exact {
    let phone =
        forecast.channels.iter().zip(&staffed.weekly).find(|(channel, _)| channel.channel == ChannelKind::Phone);
    let Some((channel, weekly)) = phone else { return Exact::zero() };
    let minutes =
        weekly.times(&weeks_in_month()).times(&Exact::from(channel.talk_seconds)).times(&Exact::ratio(1, 0, 60));
    forecast.regions.iter().fold(Exact::zero(), |sum, region| {
        let rate = Exact::from(region.carriage_per_minute).times(&Exact::from(region.share));
        sum.plus(&minutes.times(&rate))
    })
}

fn to_minor<const N: usize>(forecast: &Forecast, amounts: [Exact; N]) -> Result<[Money; N], PricingError> {
    let mut rounded = [Money::zero(forecast.currency); N];
    for (place, amount) in rounded.iter_mut().zip(&amounts) {
        *place = amount.to_money(forecast.currency, RoundTo::Minor)?;
    }
    Ok(rounded)
}

/// The month's cost by channel: agents by what their time costs, lines and carriage to the phone.
fn by_channel(
    forecast: &Forecast,
    staffed: &Staffed,
    teams: &[Team<'_>],
    cost: &MonthlyCost,
) -> Result<Vec<ChannelCost>, PricingError> {
    let mut weights = Vec::with_capacity(forecast.channels.len());
    for by_team in &staffed.attributed {
        let weight = by_team.iter().zip(teams).fold(Exact::zero(), |sum, (minutes, team)| {
            sum.plus(&minutes.times(&Exact::from(team.cost_per_agent_hour)))
        });
        weights.push(weight.to_decimal_places(6)?);
    }
    if weights.iter().all(Decimal::is_zero) {
        // Agents who cost nothing: their nothing is shared alike.
        weights.fill(Decimal::ONE);
    }
    let agents = cost.wages.checked_add(cost.overhead)?.allocate(&weights)?;
    let lines = cost.channels.checked_add(cost.carriage)?;
    let weeks = weeks_in_month();
    let mut rows = Vec::with_capacity(weights.len());
    for ((channel, weekly), agents) in forecast.channels.iter().zip(&staffed.weekly).zip(agents) {
        let events = weekly.times(&weeks);
        let minutes = events.times(&Exact::from(channel.talk_seconds)).times(&Exact::ratio(1, 0, 60));
        let is_phone = channel.channel == ChannelKind::Phone;
        let cost = if is_phone { agents.checked_add(lines)? } else { agents };
        let rate = |units: &Exact, places: u32| -> Result<Option<Money>, PricingError> {
            if units.is_zero() {
                return Ok(None);
            }
            asked(forecast, cost, true).over(units).and_then(|rate| upwards(forecast, &rate, places)).map(Some)
        };
        rows.push(ChannelCost {
            channel: channel.channel,
            events: events.to_decimal_places(2)?,
            minutes: minutes.to_decimal_places(2)?,
            cost,
            per_event: rate(&events, 0)?,
            per_minute: rate(&minutes, 2)?,
        });
    }
    Ok(rows)
}

/// The price of a cost: `cost / (1 - margin)`, and the risk on top where the price depends on the volume.
pub(super) fn asked(forecast: &Forecast, cost: Money, by_volume: bool) -> Exact {
    let kept = Decimal::ONE_HUNDRED - forecast.margin_percent;
    // A margin is below 100 (`Forecast::check`), so something is left to divide by.
    let price = Exact::from(cost).times(&Exact::integer(100)).over(&Exact::from(kept)).unwrap_or(Exact::zero());
    if !by_volume {
        return price;
    }
    price.times(&Exact::integer(1).plus(&Exact::from(forecast.risk_percent).hundredths()))
}

/// An amount rounded upwards to the minor unit, or `places` decimals finer.
pub(super) fn upwards(forecast: &Forecast, amount: &Exact, places: u32) -> Result<Money, PricingError> {
    let digits = (forecast.currency.exponent() + places).min(6);
    let step = Exact::ratio(1, digits, 1);
    amount.over(&step)?.ceil().times(&step).to_money(forecast.currency, RoundTo::Micros)
}
