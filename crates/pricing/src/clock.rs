//! Which band holds at an instant: the bands of a tariff as tables of a local week and of a local holiday.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

use crate::tariff::{Band, Day, Tariff};
use crate::{PricingError, zone::Zone};

const HOUR_SECONDS: i64 = 3_600;
const DAY_SECONDS: i64 = 86_400;
const WEEK_SECONDS: i64 = 7 * DAY_SECONDS;

/// Index of the tariff's own prices; band `n` is `n + 1`.
pub(crate) const NO_BAND: usize = 0;

/// The bands by local time. Built once; a lookup enters two tables near the place and allocates nothing.
#[derive(Debug, Clone)]
pub(crate) struct BandClock {
    zone: Arc<Zone>,
    /// By second of the week, Monday 00:00 first.
    week: Edges,
    /// By second of a day that is a holiday.
    holiday: Edges,
    /// Days since 1970-01-01, sorted; empty when no band is for holidays, because then a holiday is an ordinary day.
    holidays: Vec<i64>,
}

/// Where another band begins to hold, over a week or a day.
#[derive(Debug, Clone)]
struct Edges {
    edges: Vec<Edge>,
    /// By hour: the edge that holds where the hour begins. Bands seldom begin within an hour.
    hours: Vec<u32>,
    end: i64,
}

/// From this second on, this band holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    second: i64,
    band: usize,
}

impl BandClock {
    pub(crate) fn new(tariff: &Tariff, time_zone: &str) -> Result<BandClock, PricingError> {
        let bands = &tariff.bands;
        let week = (0..7).flat_map(|weekday| {
            edges_of_day(bands).into_iter().map(move |second| Edge {
                second: weekday as i64 * DAY_SECONDS + second,
                band: first_match(bands, |band| holds_on_weekday(band, weekday, second)),
            })
        });
        let holiday = edges_of_day(bands)
            .into_iter()
            .map(|second| Edge { second, band: first_match(bands, |band| holds_on_holiday(band, second)) });
        let has_holiday_band = bands.iter().any(|band| band.days.contains(&Day::Holiday));
        let mut holidays: Vec<i64> =
            if has_holiday_band { tariff.holidays.iter().map(|date| day_number(*date)).collect() } else { Vec::new() };
        holidays.sort_unstable();
        Ok(BandClock {
            zone: Zone::named(time_zone)?,
            week: Edges::of(week, WEEK_SECONDS),
            holiday: Edges::of(holiday, DAY_SECONDS),
            holidays,
        })
    }

    /// The band that holds at `instant` (Unix seconds), and the instant until which it certainly does.
    pub(crate) fn at(&self, instant: i64) -> (usize, i64) {
        let (offset, offset_until) = self.zone.offset_at(instant);
        let local = instant + offset;
        let day = local.div_euclid(DAY_SECONDS);
        let next_holiday = self.holidays.partition_point(|holiday| *holiday < day);
        let (band, until) = match self.holidays.get(next_holiday) {
            Some(today) if *today == day => {
                let second = local - day * DAY_SECONDS;
                let (band, next) = self.holiday.at(second);
                (band, local - second + next)
            }
            upcoming => {
                // 1970-01-01 was a Thursday.
                let second = (day + 3).rem_euclid(7) * DAY_SECONDS + local.rem_euclid(DAY_SECONDS);
                let (band, next) = self.week.at(second);
                let until = local - second + next;
                (band, upcoming.map_or(until, |holiday| until.min(holiday * DAY_SECONDS)))
            }
        };
        // A change of the clocks may bring an edge back, so nothing is taken to hold beyond it.
        (band, (until - offset).min(offset_until))
    }
}

impl Edges {
    /// Neighbouring edges of one band become one.
    fn of(edges: impl Iterator<Item = Edge>, end: i64) -> Edges {
        let mut edges: Vec<Edge> = edges.collect();
        edges.dedup_by_key(|edge| edge.band);
        let holds = |hour: i64| edges.partition_point(|edge| edge.second <= hour * HOUR_SECONDS) as u32 - 1;
        let hours = (0..end / HOUR_SECONDS).map(holds).collect();
        Edges { edges, hours, end }
    }

    /// The band that holds at a second, and the second of the next edge.
    fn at(&self, second: i64) -> (usize, i64) {
        let mut at = self.hours[(second / HOUR_SECONDS) as usize] as usize;
        loop {
            let next = self.edges.get(at + 1).map_or(self.end, |next| next.second);
            if second < next {
                return (self.edges[at].band, next);
            }
            at += 1;
        }
    }
}

/// Every second of a day at which some band may begin or end.
fn edges_of_day(bands: &[Band]) -> Vec<i64> {
    let mut seconds: Vec<i64> =
        bands.iter().flat_map(|band| [band.from, band.to]).map(|time| i64::from(time.seconds())).collect();
    seconds.push(0);
    seconds.retain(|second| *second < DAY_SECONDS);
    seconds.sort_unstable();
    seconds.dedup();
    seconds
}

fn first_match(bands: &[Band], holds: impl FnMut(&Band) -> bool) -> usize {
    bands.iter().position(holds).map_or(NO_BAND, |index| index + 1)
}

/// On an ordinary day. What lies after midnight belongs to the day on which the band began.
fn holds_on_weekday(band: &Band, weekday: usize, second: i64) -> bool {
    let today = band.days.contains(&Day::WEEK[weekday]);
    let yesterday = band.days.contains(&Day::WEEK[(weekday + 6) % 7]);
    match span(band) {
        Span::WholeDay => today,
        Span::WithinDay { from, to } => today && (from..to).contains(&second),
        Span::OverMidnight { from, to } => (today && second >= from) || (yesterday && second < to),
    }
}

/// On a date that is a holiday, decided by the date of the instant itself.
fn holds_on_holiday(band: &Band, second: i64) -> bool {
    band.days.contains(&Day::Holiday)
        && match span(band) {
            Span::WholeDay => true,
            Span::WithinDay { from, to } => (from..to).contains(&second),
            Span::OverMidnight { from, to } => second >= from || second < to,
        }
}

enum Span {
    WholeDay,
    WithinDay { from: i64, to: i64 },
    OverMidnight { from: i64, to: i64 },
}

fn span(band: &Band) -> Span {
    let (from, to) = (i64::from(band.from.seconds()), i64::from(band.to.seconds()));
    match from.cmp(&to) {
        std::cmp::Ordering::Equal => Span::WholeDay,
        std::cmp::Ordering::Less => Span::WithinDay { from, to },
        std::cmp::Ordering::Greater => Span::OverMidnight { from, to },
    }
}

fn day_number(date: NaiveDate) -> i64 {
    i64::from(date.num_days_from_ce()) - i64::from(NaiveDate::default().num_days_from_ce())
}
