//! Who must be there: Erlang C for live channels, the work itself for deferred ones.

use money::Decimal;

use super::forecast::{ChannelForecast, ChannelKind, Forecast};
use super::week::{HOURS, Week};
use super::{Queue, StaffedHour, TeamHour};
use crate::tariff::Day;
use crate::{Channels, ChannelsNeeded, Exact, PricingError, Staffing, StaffingNeeded};

/// A channel's load beyond this is refused, in calls at once: an estimate should answer at once too.
const LOAD_MAX: i64 = 10_000;

/// The staff of the week for some multiple of the forecast volume.
pub(super) struct Staffed {
    pub(super) hours: Vec<StaffedHour>,
    /// The busiest hour of each live channel and team.
    pub(super) busiest: Vec<Queue>,
    pub(super) channels: ChannelsNeeded,
    /// Calls at once in the hour that needs most channels, the wait included.
    pub(super) erlangs: Decimal,
    /// What arrives in a week, by channel of the forecast.
    pub(super) weekly: Vec<Exact>,
    /// Agent minutes in a week that serve a channel, by channel of the forecast and by team.
    pub(super) attributed: Vec<Vec<Exact>>,
}

/// A team: a language's share of the volume.
pub(super) struct Team<'a> {
    pub(super) name: &'a str,
    pub(super) share: Decimal,
    pub(super) cost_per_agent_hour: Decimal,
}

/// The teams of a forecast: one without a name when no language is named.
pub(super) fn teams(forecast: &Forecast) -> Vec<Team<'_>> {
    let cost_per_agent_hour = forecast.cost_per_agent_hour;
    if forecast.languages.is_empty() {
        return vec![Team { name: "", share: Decimal::ONE, cost_per_agent_hour }];
    }
    let team = |language: &'_ super::forecast::Language| language.cost_per_agent_hour.unwrap_or(cost_per_agent_hour);
    forecast
        .languages
        .iter()
        .map(|language| Team { name: &language.name, share: language.share, cost_per_agent_hour: team(language) })
        .collect()
}

/// One channel's arrivals, and what one conversation takes.
struct Load<'a> {
    channel: &'a ChannelForecast,
    arrivals: Vec<Decimal>,
    /// Agent seconds of one conversation.
    handling: Decimal,
}

/// The week's staff when the volume is `factor` times the forecast's.
pub(super) fn staff(forecast: &Forecast, week: &Week, factor: &Exact) -> Result<Staffed, PricingError> {
    let teams = teams(forecast);
    let mut loads = Vec::with_capacity(forecast.channels.len());
    for channel in &forecast.channels {
        let conversation = Exact::from(channel.talk_seconds).plus(&Exact::from(channel.after_seconds));
        let handling = conversation.over(&Exact::integer(i64::from(channel.at_once)))?.to_decimal()?;
        let arrivals = week.arrivals(channel)?;
        let scaled = arrivals.iter().map(|volume| Exact::from(*volume).times(factor).to_decimal_places(12));
        loads.push(Load { channel, arrivals: scaled.collect::<Result<_, _>>()?, handling });
    }
    let mut sum = Staffed {
        hours: (0..HOURS).map(|hour| empty_hour(hour, week.open_minutes[hour])).collect(),
        busiest: Vec::new(),
        channels: ChannelsNeeded { channels: 0, blocking: Decimal::ZERO },
        erlangs: Decimal::ZERO,
        weekly: Vec::new(),
        attributed: vec![vec![Exact::zero(); teams.len()]; loads.len()],
    };
    for load in &loads {
        let total = load.arrivals.iter().fold(Exact::zero(), |sum, volume| sum.plus(&Exact::from(*volume)));
        sum.weekly.push(total);
        for (hour, volume) in load.arrivals.iter().enumerate() {
            let events = Exact::from(sum.hours[hour].events).plus(&Exact::from(*volume));
            sum.hours[hour].events = events.to_decimal_places(6)?;
        }
    }
    // What is deferred, by team and hour: agent hours of work.
    let mut work = vec![vec![vec![Exact::zero(); HOURS]; teams.len()]; loads.len()];
    let mut waiting = vec![Exact::zero(); HOURS];
    for (index, load) in loads.iter().enumerate() {
        for (team_index, team) in teams.iter().enumerate() {
            if load.channel.channel.is_live() {
                sum.serve_live(forecast, load, (index, team_index), team, &mut waiting)?;
            } else {
                work[index][team_index] = deferred(load, team, week)?;
            }
        }
    }
    let has_live = loads.iter().any(|load| load.channel.channel.is_live());
    for (team_index, team) in teams.iter().enumerate() {
        sum.close_hours(forecast, team_index, team.name, &work, has_live)?;
    }
    sum.find_channels(forecast, &waiting)?;
    Ok(sum)
}

impl Staffed {
    /// One live channel of one team, hour by hour.
    fn serve_live(
        &mut self,
        forecast: &Forecast,
        load: &Load<'_>,
        (index, team_index): (usize, usize),
        team: &Team<'_>,
        waiting: &mut [Exact],
    ) -> Result<(), PricingError> {
        let mut busiest: Option<Queue> = None;
        let mut last: Option<(Decimal, StaffingNeeded)> = None;
        for (hour, waiting) in waiting.iter_mut().enumerate() {
            let open = self.hours[hour].open_minutes;
            let Some(per_hour) = hourly(load.arrivals[hour], team.share, open)? else { continue };
            let busy = per_hour.times(&Exact::from(load.handling)).over(&Exact::integer(3_600))?;
            if busy > Exact::integer(LOAD_MAX) {
                return Err(PricingError::TooLarge);
            }
            let calls_per_hour = per_hour.to_decimal_places(12)?;
            // Many hours of a week are alike.
            let needed = match last {
                Some((same, needed)) if same == calls_per_hour => needed,
                _ => needed(forecast, load, calls_per_hour)?,
            };
            last = Some((calls_per_hour, needed));
            let seat = &mut team_of(&mut self.hours[hour], team.name).agents;
            *seat = seat.checked_add(needed.agents).ok_or(PricingError::TooLarge)?;
            let minutes = Exact::integer(i64::from(needed.agents) * i64::from(open));
            self.attributed[index][team_index] = self.attributed[index][team_index].plus(&minutes);
            if load.channel.channel == ChannelKind::Phone {
                let talk = Exact::from(load.channel.talk_seconds).plus(&Exact::from(needed.average_wait_seconds));
                let erlangs = per_hour.times(&talk).over(&Exact::integer(3_600))?.to_decimal_places(12)?;
                *waiting = waiting.plus(&Exact::from(erlangs));
            }
            if busiest.as_ref().is_none_or(|busiest| busiest.needed.agents < needed.agents) {
                let language = team.name.to_owned();
                let channel = load.channel.channel;
                busiest = Some(Queue { channel, language, hour_of_week: hour as u32, calls_per_hour, needed });
            }
        }
        self.busiest.extend(busiest);
        Ok(())
    }

    /// Adds the deferred work of a team, at least one agent where someone may call, and those who are away.
    fn close_hours(
        &mut self,
        forecast: &Forecast,
        team: usize,
        name: &str,
        work: &[Vec<Vec<Exact>>],
        has_live: bool,
    ) -> Result<(), PricingError> {
        let present = Exact::integer(1).minus(&Exact::from(forecast.shrinkage));
        for hour in 0..HOURS {
            let open = self.hours[hour].open_minutes;
            if open == 0 {
                continue;
            }
            let hours_open = Exact::ratio(i128::from(open), 0, 60);
            let whole = work.iter().fold(Exact::zero(), |sum, channel| sum.plus(&channel[team][hour]));
            let busy = whole.over(&hours_open)?.over(&Exact::from(forecast.maximum_occupancy))?;
            // The twelfth decimal of a sum of shares is no agent.
            let deferred = count(&Exact::from(busy.to_decimal_places(9)?).ceil())?;
            for (channel, minutes) in work.iter().zip(&mut self.attributed) {
                if !whole.is_zero() {
                    let share = channel[team][hour].over(&whole)?;
                    let minutes_of = share.times(&Exact::integer(i64::from(deferred) * i64::from(open)));
                    minutes[team] = minutes[team].plus(&Exact::from(minutes_of.to_decimal_places(12)?));
                }
            }
            let seat = team_of(&mut self.hours[hour], name);
            seat.agents = seat.agents.checked_add(deferred).ok_or(PricingError::TooLarge)?.max(u32::from(has_live));
            seat.scheduled = count(&Exact::integer(i64::from(seat.agents)).over(&present)?.ceil())?;
            let (agents, scheduled) = (seat.agents, seat.scheduled);
            let hour = &mut self.hours[hour];
            hour.agents = hour.agents.checked_add(agents).ok_or(PricingError::TooLarge)?;
            hour.scheduled = hour.scheduled.checked_add(scheduled).ok_or(PricingError::TooLarge)?;
        }
        Ok(())
    }

    /// Lines for the hour with most calls at once; whoever waits holds one too.
    fn find_channels(&mut self, forecast: &Forecast, waiting: &[Exact]) -> Result<(), PricingError> {
        let most = waiting.iter().fold(Exact::zero(), |most, erlangs| most.max(erlangs.clone()));
        self.erlangs = most.to_decimal_places(6)?;
        self.channels = Channels { erlangs: self.erlangs, maximum_blocking: forecast.maximum_blocking }.needed()?;
        Ok(())
    }
}

/// What arrives for a team as a rate per hour; nothing when nothing arrives, or nobody is there.
fn hourly(volume: Decimal, share: Decimal, open_minutes: u32) -> Result<Option<Exact>, PricingError> {
    let volume = Exact::from(volume).times(&Exact::from(share));
    if volume.is_zero() || open_minutes == 0 {
        return Ok(None);
    }
    volume.times(&Exact::integer(60)).over(&Exact::integer(i64::from(open_minutes))).map(Some)
}

fn needed(forecast: &Forecast, load: &Load<'_>, calls_per_hour: Decimal) -> Result<StaffingNeeded, PricingError> {
    let staffing = Staffing {
        calls_per_hour,
        handling_seconds: load.handling,
        target: load.channel.target.unwrap_or_default(),
        within_seconds: load.channel.within_seconds,
        maximum_occupancy: forecast.maximum_occupancy,
        shrinkage: forecast.shrinkage,
    };
    staffing.needed()
}

/// Agent hours of a team's deferred work in each hour: what arrives is spread over the open hours that the promise allows.
fn deferred(load: &Load<'_>, team: &Team<'_>, week: &Week) -> Result<Vec<Exact>, PricingError> {
    let open: Vec<usize> = (0..HOURS).filter(|hour| week.open_minutes[*hour] > 0).collect();
    let allowed = (load.channel.within_seconds / Decimal::from(3_600)).floor();
    let span = usize::try_from(allowed).unwrap_or(usize::MAX).clamp(1, open.len());
    let mut work = vec![Exact::zero(); HOURS];
    for (hour, volume) in load.arrivals.iter().enumerate() {
        let seconds = Exact::from(*volume).times(&Exact::from(team.share)).times(&Exact::from(load.handling));
        if seconds.is_zero() {
            continue;
        }
        let first = open.partition_point(|open| *open < hour);
        let slots = (first..first + span).map(|slot| open[slot % open.len()]);
        let minutes: i64 = slots.clone().map(|slot| i64::from(week.open_minutes[slot])).sum();
        for slot in slots {
            let share = Exact::integer(i64::from(week.open_minutes[slot])).over(&Exact::integer(minutes * 3_600))?;
            let part = Exact::from(seconds.times(&share).to_decimal_places(12)?);
            work[slot] = work[slot].plus(&part);
        }
    }
    Ok(work)
}

fn empty_hour(hour: usize, open_minutes: u32) -> StaffedHour {
    StaffedHour {
        day: Day::WEEK[hour / 24],
        hour: (hour % 24) as u32,
        open_minutes,
        events: Decimal::ZERO,
        agents: 0,
        scheduled: 0,
        teams: Vec::new(),
    }
}

/// The row of a team in an hour, made when it is first asked for.
fn team_of<'a>(hour: &'a mut StaffedHour, language: &str) -> &'a mut TeamHour {
    let index = hour.teams.iter().position(|team| team.language == language).unwrap_or_else(|| {
        hour.teams.push(TeamHour { language: language.to_owned(), agents: 0, scheduled: 0 });
        hour.teams.len() - 1
    });
    &mut hour.teams[index]
}

pub(super) fn count(number: &Exact) -> Result<u32, PricingError> {
    u32::try_from(number.to_decimal_places(0)?.mantissa()).map_err(|_| PricingError::TooLarge)
}
