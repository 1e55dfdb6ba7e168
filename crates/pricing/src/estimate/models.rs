//! What to ask for it: rates, a minimum, a fee to begin with, and the commercial models side by side.

use money::{Decimal, Money};

use super::cost::{self, Month, asked, upwards};
use super::forecast::{ChannelKind, Forecast};
use super::staff::{self, Staffed, teams};
use super::week::{Week, weeks_in_month};
use super::{BreakEven, CostPoint, ModelKind, ModelPrice, SuggestedRates};
use crate::{Exact, MonthlyPrice, PricingError, RoundTo, break_even};

/// The volumes of the curve, in percent of the forecast.
const CURVE_PERCENTS: [u32; 8] = [25, 50, 75, 100, 125, 150, 175, 200];

/// What is asked.
pub(super) struct Offer {
    pub(super) rates: SuggestedRates,
    pub(super) minimum_events: u64,
    pub(super) implementation_fee: Money,
    pub(super) models: Vec<ModelPrice>,
}

pub(super) fn offer(forecast: &Forecast, week: &Week, staffed: &Staffed, month: &Month) -> Result<Offer, PricingError> {
    let (by_volume, by_team) = (asked(forecast, month.cost.total, true), asked(forecast, month.cost.total, false));
    let seats = Exact::integer(i64::from(month.seats.max(1)));
    let rates = SuggestedRates {
        per_minute: upwards(forecast, &by_volume.over(&month.minutes)?, 2)?,
        per_event: upwards(forecast, &by_volume.over(&month.events)?, 0)?,
        per_hour: upwards(forecast, &by_team.over(&month.agent_hours)?, 0)?,
        per_seat: upwards(forecast, &by_team.over(&seats)?, 0)?,
    };
    let minimum_events = minimum_events(forecast, week, staffed, &rates)?;
    let models = models(forecast, month, &rates, minimum_events)?;
    Ok(Offer { rates, minimum_events, implementation_fee: implementation_fee(forecast, month)?, models })
}

/// As many events as pay for one agent of each team in every open hour, and one line.
fn minimum_events(
    forecast: &Forecast,
    week: &Week,
    staffed: &Staffed,
    rates: &SuggestedRates,
) -> Result<u64, PricingError> {
    let has_live = forecast.channels.iter().any(|channel| channel.channel.is_live());
    if !has_live || rates.per_event.is_zero() {
        return Ok(0);
    }
    let present = Exact::integer(1).minus(&Exact::from(forecast.shrinkage));
    let scheduled = Exact::integer(1).over(&present)?.ceil();
    let minutes: i64 = week.open_minutes.iter().map(|minutes| i64::from(*minutes)).sum();
    let hours = weeks_in_month().times(&Exact::ratio(i128::from(minutes), 0, 60)).times(&scheduled);
    let wages = teams(forecast)
        .iter()
        .fold(Exact::zero(), |sum, team| sum.plus(&hours.times(&Exact::from(team.cost_per_agent_hour))));
    let overhead = wages.times(&Exact::from(forecast.overhead_percent).hundredths());
    let has_phone = forecast.channels.iter().any(|channel| channel.channel == ChannelKind::Phone);
    let lines = Exact::integer(i64::from(has_phone && staffed.channels.channels > 0));
    let floor = wages.plus(&overhead).plus(&lines.times(&Exact::from(forecast.cost_per_channel)));
    let floor = asked(forecast, floor.to_money(forecast.currency, RoundTo::Minor)?, false);
    let events = floor.over(&Exact::from(rates.per_event))?.ceil().to_decimal()?;
    u64::try_from(events).map_err(|_| PricingError::TooLarge)
}

/// Training of everybody at what an hour costs on average over the teams, and what is fixed, with the margin.
fn implementation_fee(forecast: &Forecast, month: &Month) -> Result<Money, PricingError> {
    let hours = Exact::from(forecast.implementation.hours_per_agent).times(&Exact::integer(i64::from(month.seats)));
    let loaded = Exact::integer(1).plus(&Exact::from(forecast.overhead_percent).hundredths());
    let training = hours.times(&month.cost_per_paid_hour).times(&loaded);
    let cost = training.plus(&Exact::from(forecast.implementation.fixed));
    upwards(forecast, &asked(forecast, cost.to_money(forecast.currency, RoundTo::Minor)?, false), 0)
}

/// Each model by the events of a month, made of the suggested rates.
fn models(
    forecast: &Forecast,
    month: &Month,
    rates: &SuggestedRates,
    minimum_events: u64,
) -> Result<Vec<ModelPrice>, PricingError> {
    let per_event = rates.per_event.as_decimal();
    let minutes_each = month.minutes.over(&month.events)?;
    let team = Exact::from(rates.per_hour).times(&month.agent_hours);
    let core = team.times(&Exact::from(forecast.core_share)).to_money(forecast.currency, RoundTo::Minor)?;
    let core_events = month.events.times(&Exact::from(forecast.core_share)).to_decimal_places(6)?;
    let seats = Exact::from(rates.per_seat).times(&Exact::integer(i64::from(month.seats)));
    let terms = [
        (ModelKind::PerEvent, MonthlyPrice::with_minimum(per_event, Decimal::from(minimum_events))?),
        (ModelKind::PerMinute, {
            let each = Exact::from(rates.per_minute).times(&minutes_each).to_decimal_places(10)?;
            MonthlyPrice::pay_per_use(each)
        }),
        (ModelKind::PerHour, MonthlyPrice::fixed(team.to_money(forecast.currency, RoundTo::Minor)?.as_decimal())),
        (ModelKind::PerSeat, MonthlyPrice::fixed(seats.to_money(forecast.currency, RoundTo::Minor)?.as_decimal())),
        (ModelKind::Mixed, MonthlyPrice { fixed: core.as_decimal(), included: core_events, rate: per_event }),
    ];
    let events = month.events.to_decimal_places(6)?;
    let price = |(model, terms): (ModelKind, MonthlyPrice)| {
        let price = terms.of(events).to_money(forecast.currency, RoundTo::Minor)?;
        Ok(ModelPrice { model, terms, price })
    };
    terms.into_iter().map(price).collect()
}

/// Where each two models change places, rising.
pub(super) fn break_evens(models: &[ModelPrice]) -> Result<Vec<BreakEven>, PricingError> {
    let mut found = Vec::new();
    for (index, first) in models.iter().enumerate() {
        for second in &models[index + 1..] {
            for crossing in break_even(&first.terms, &second.terms)? {
                let (below, above) = match crossing.first_is_cheaper_below {
                    true => (first.model, second.model),
                    false => (second.model, first.model),
                };
                found.push(BreakEven { below, above, events: crossing.volume });
            }
        }
    }
    found.sort_by_key(|meeting| meeting.events);
    Ok(found)
}

/// Cost and prices at other volumes, each staffed for itself.
pub(super) fn curve(
    forecast: &Forecast,
    week: &Week,
    month: &Month,
    models: &[ModelPrice],
) -> Result<Vec<CostPoint>, PricingError> {
    let point = |percent: u32| {
        let factor = Exact::integer(i64::from(percent)).hundredths();
        let events = month.events.times(&factor).to_decimal_places(6)?;
        let cost = match percent {
            100 => month.cost.total,
            _ => cost::month(forecast, &staff::staff(forecast, week, &factor)?)?.cost.total,
        };
        let price = |model: &ModelPrice| model.terms.of(events).to_money(forecast.currency, RoundTo::Minor);
        Ok(CostPoint { percent, events, cost, prices: models.iter().map(price).collect::<Result<_, _>>()? })
    };
    CURVE_PERCENTS.into_iter().map(point).collect()
}
