//! When it arrives: the volume of a channel over the 168 hours of the week as the forecast's zone shows it.

use std::collections::BTreeMap;

use chrono::NaiveTime;
use money::Decimal;

use super::forecast::{ChannelForecast, Forecast, OpenHours, Profile, Region, Volume};
use crate::tariff::Day;
use crate::zone::Zone;
use crate::{Exact, PricingError};

/// Hours of a week.
pub(super) const HOURS: usize = 168;
const WEEK_MINUTES: usize = 7 * 24 * 60;

/// An average month has 365.25 / 12 days, so 1461 / 336 weeks.
pub(super) fn weeks_in_month() -> Exact {
    Exact::ratio(1461, 0, 336)
}

/// The forecast's week.
pub(super) struct Week {
    /// Minutes in which some region is served, by hour.
    pub(super) open_minutes: Vec<u32>,
    regions: Vec<ServedRegion>,
}

struct ServedRegion {
    share: Exact,
    /// Open minutes by the hour of the region's own week and the hour of the shown week.
    minutes: BTreeMap<(usize, usize), u32>,
}

impl Week {
    pub(super) fn of(forecast: &Forecast) -> Result<Week, PricingError> {
        let everywhere = [Region {
            name: String::new(),
            share: Decimal::ONE,
            time_zone: None,
            hours: None,
            carriage_per_minute: Decimal::ZERO,
        }];
        let regions = if forecast.regions.is_empty() { &everywhere[..] } else { &forecast.regions };
        let noon = forecast.week_of.and_time(NaiveTime::MIN).and_utc().timestamp() + 12 * 3_600;
        let shown_offset = Zone::named(&forecast.time_zone)?.offset_at(noon).0;
        let mut open_somewhere = vec![false; WEEK_MINUTES];
        let mut served = Vec::with_capacity(regions.len());
        for region in regions {
            let zone = region.time_zone.as_ref().unwrap_or(&forecast.time_zone);
            // Minutes to add to the region's time for the shown time.
            let shift = (shown_offset - Zone::named(zone)?.offset_at(noon).0).div_euclid(60);
            let mut minutes = BTreeMap::new();
            for minute in open_minutes_of(region.hours.as_ref().unwrap_or(&forecast.hours)) {
                let shown = (minute as i64 + shift).rem_euclid(WEEK_MINUTES as i64) as usize;
                open_somewhere[shown] = true;
                *minutes.entry((minute / 60, shown / 60)).or_insert(0) += 1;
            }
            served.push(ServedRegion { share: Exact::from(region.share), minutes });
        }
        let open_minutes =
            open_somewhere.chunks(60).map(|hour| hour.iter().filter(|open| **open).count() as u32).collect();
        Ok(Week { open_minutes, regions: served })
    }

    /// What arrives in each hour of the week, to twelve decimals.
    pub(super) fn arrivals(&self, channel: &ChannelForecast) -> Result<Vec<Decimal>, PricingError> {
        match &channel.volume {
            Volume::HoursOfWeek { per_hour_of_week } => Ok(per_hour_of_week.clone()),
            Volume::Month { per_month, profile } => {
                let mut sums = vec![Exact::zero(); HOURS];
                let per_week = Exact::from(*per_month).over(&weeks_in_month())?;
                for region in &self.regions {
                    region.spread(&per_week.times(&region.share), profile.as_ref(), &mut sums)?;
                }
                sums.iter().map(|sum| sum.to_decimal_places(12)).collect()
            }
        }
    }
}

impl ServedRegion {
    /// A week's volume over the open minutes, by weight.
    fn spread(&self, volume: &Exact, profile: Option<&Profile>, sums: &mut [Exact]) -> Result<(), PricingError> {
        let weighed = |(local, minutes): (usize, u32)| weight(profile, local).times(&Exact::integer(minutes.into()));
        let whole = self
            .minutes
            .iter()
            .fold(Exact::zero(), |sum, ((local, _), minutes)| sum.plus(&weighed((*local, *minutes))));
        if whole.is_zero() {
            // Every open hour weighs nothing; then they are alike.
            return self.spread(volume, None, sums);
        }
        for ((local, shown), minutes) in &self.minutes {
            let part = volume.times(&weighed((*local, *minutes))).over(&whole)?;
            // Short decimals: exact sums of many different divisors would grow without end, and no cent hangs on them.
            let part = Exact::from(part.to_decimal_places(15)?);
            sums[*shown] = sums[*shown].plus(&part);
        }
        Ok(())
    }
}

/// How busy an hour of the week is against the others.
fn weight(profile: Option<&Profile>, hour: usize) -> Exact {
    let of =
        |weights: &[Decimal], index: usize| weights.get(index).map_or(Exact::integer(1), |weight| (*weight).into());
    match profile {
        Some(profile) => of(&profile.days, hour / 24).times(&of(&profile.hours, hour % 24)),
        None => Exact::integer(1),
    }
}

/// The minutes of a week, Monday 00:00 first, that lie in some stretch of opening.
fn open_minutes_of(hours: &[OpenHours]) -> impl Iterator<Item = usize> {
    let mut open = vec![false; WEEK_MINUTES];
    for stretch in hours {
        let (from, to) = (stretch.from.seconds() / 60, stretch.to.seconds() / 60);
        let length = if to > from { to - from } else { to + 24 * 60 - from };
        for (weekday, day) in Day::WEEK.iter().enumerate().filter(|(_, day)| stretch.days.contains(day)) {
            debug_assert!(*day != Day::Holiday);
            let first = weekday * 24 * 60 + from as usize;
            (first..first + length as usize).for_each(|minute| open[minute % WEEK_MINUTES] = true);
        }
    }
    open.into_iter().enumerate().filter(|(_, open)| *open).map(|(minute, _)| minute)
}
