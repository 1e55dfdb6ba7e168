//! Derivations in words: the one place that renders them, for pages, documents and `ringtill price`.

use money::Decimal;

use crate::explain::{Discount, Explanation, PriceVersion, Rule, Step};
use crate::spell::{quantity, rate};
use crate::{Exact, RoundTo};

impl Explanation {
    /// One short line per step: `0:00–20:00 at 0.50 a minute: 20.0 × 0.50 = 10`; the price's version first, where it is known.
    pub fn lines(&self) -> Vec<String> {
        let price = self.price.iter().map(|price| format!("Price: {}", price.text()));
        price.chain(self.steps.iter().map(Step::line)).collect()
    }
}

impl PriceVersion {
    /// `Support, version 3, calls`.
    pub fn text(&self) -> String {
        let component = if self.component.is_empty() { String::new() } else { format!(", {}", self.component) };
        format!("{}, version {}{component}", self.name, self.version)
    }
}

impl Step {
    /// Title, detail, calculation and result in one line.
    pub fn line(&self) -> String {
        let (detail, calculation) = (self.detail(), self.calculation());
        let detail = if detail.is_empty() { detail } else { format!(" ({detail})") };
        let calculation = if calculation.is_empty() { calculation } else { format!("{calculation} = ") };
        format!("{}{detail}: {calculation}{}", self.title(), self.amount)
    }

    /// What it is: `Connection`, `Tier`, `Total`.
    pub fn title(&self) -> String {
        let title = match &self.rule {
            Rule::Stretch { from_second, seconds, times, rate: each, per, .. } => {
                return format!("{} at {} {}", span(*from_second, *seconds, *times), rate(*each), per.each());
            }
            Rule::Margin { carrier, .. } => return format!("Margin over {carrier}"),
            Rule::NotAnswered => "Not answered",
            Rule::Connection => "Connection",
            Rule::FreeSeconds { .. } => "Free",
            Rule::CallTotal { .. } | Rule::Total { .. } | Rule::Gross { .. } => "Total",
            Rule::TalkTime { unlimited: false } => "Seconds that the balance pays for",
            Rule::TalkTime { unlimited: true } => "The balance pays for any length",
            Rule::Units { .. } => "Units",
            Rule::Tier { .. } | Rule::PercentTier { .. } => "Tier",
            Rule::Volume { .. } => "All units",
            Rule::Packages { .. } => "Packages",
            Rule::Range { .. } => "Range",
            Rule::FreeEvent { .. } => "Free event",
            Rule::PercentOf { .. } | Rule::Share { .. } => "Share",
            Rule::Minimum { .. } => "Minimum",
            Rule::Maximum { .. } => "Maximum reached",
            Rule::AlreadyRated { .. } => "Already rated",
            Rule::Included { .. } => "Included",
            Rule::Days { .. } => "Prorated",
            Rule::CallCharges { .. } => "Charges of calls, tax included",
            Rule::Recurring => "Recurring",
            Rule::Usage => "Usage",
            Rule::Commitment { .. } => "Agreed minimum",
            Rule::TrueUp => "True-up",
            Rule::PercentOff { kind, .. } | Rule::AmountOff { kind } => discount(*kind),
            Rule::Discounts { .. } => "Discount",
            Rule::FeeCap { .. } => "Fee cap reached",
            Rule::PercentOfOthers { .. } => "Share of other components",
            Rule::UnusedDays { .. } => "Unused days of the old",
            Rule::NewDays { .. } => "The same days of the new",
            Rule::BilledBefore => "Billed before",
            Rule::Difference => "Difference",
            Rule::Tax { .. } => "Tax",
            Rule::Part { .. } => "Part",
            Rule::Net => "Net",
            Rule::TotalWithTax => "Total, tax included",
            Rule::Periods { .. } => "Periods",
            Rule::CivilDays { .. } => "Civil days",
            Rule::Agents { .. } => "Agents",
            Rule::Scheduled { .. } => "Scheduled",
            Rule::Channels { .. } => "Channels",
        };
        title.to_owned()
    }

    /// What decided it: the band, the increments, the tier, the part of the usage. Empty when nothing did.
    pub fn detail(&self) -> String {
        let own = self.own_detail();
        match (self.part.is_empty(), own.is_empty()) {
            (true, _) => own,
            (false, true) => self.part.clone(),
            (false, false) => format!("{}, {own}", self.part),
        }
    }

    fn own_detail(&self) -> String {
        match &self.rule {
            Rule::FreeSeconds { free, of } => format!("{free} s of {of} s"),
            Rule::Stretch { band, .. } => band.clone().unwrap_or_default(),
            Rule::CallTotal { metered_seconds, billed_seconds, first_increment, increment, rounded_to } => format!(
                "{metered_seconds} s metered, {billed_seconds} s billed, increments {first_increment}/{increment}, rounded to {}",
                rounded(*rounded_to)
            ),
            Rule::Tier { up_to, .. } | Rule::PercentTier { up_to, .. } => range(*up_to),
            Rule::Volume { up_to, .. } | Rule::Range { up_to } => range(*up_to),
            Rule::Packages { beyond, free, size, .. } => {
                format!("{} beyond {} free, {} each", quantity(*beyond), quantity(*free), quantity(*size))
            }
            Rule::FreeEvent { base } => base.to_string(),
            Rule::PercentOf { instead_of: Some(other), .. } => format!("instead of {other} by the limit of each event"),
            Rule::Minimum { instead_of } | Rule::Maximum { instead_of } | Rule::FeeCap { instead_of } => {
                format!("instead of {instead_of}")
            }
            Rule::AlreadyRated { used } => format!("{} used before", quantity(*used)),
            Rule::Included { used } => format!("of {} used", used.normalize()),
            Rule::Share { share, .. } => share.clone(),
            Rule::CallCharges { calls } => format!("{} calls", calls.normalize()),
            // One day of one is how a whole period without dates is told.
            Rule::Commitment { days: 1, of_days: 1 } => String::new(),
            Rule::Commitment { days, of_days } => format!("{days}/{of_days} days"),
            Rule::Discounts { percents, amounts } => {
                let percents = percents.iter().map(|percent| format!("{percent} off"));
                let amounts = amounts.iter().map(|amount| format!("{} off", rate(*amount)));
                let after = ["rounded once".to_owned(), "shared by weight".to_owned()];
                percents.chain(amounts).chain(after).collect::<Vec<_>>().join(", ")
            }
            Rule::UnusedDays { from, until } | Rule::NewDays { from, until } => format!("from {from} until {until}"),
            Rule::Tax { category, .. } => category.clone(),
            Rule::Part { weight } => format!("weight {}", weight.normalize()),
            Rule::Total { rounded_to, segment } => {
                let days = segment.map(|segment| format!("{} of {} days", segment.days, segment.of_days));
                let rounded = rounded_to.map(|to| format!("rounded to {}", rounded(to)));
                days.into_iter().chain(rounded).collect::<Vec<_>>().join(", ")
            }
            Rule::Periods { anchor, months, time_zone } => {
                format!("bound n is {anchor} plus n × {months} months, at the first instant of its day in {time_zone}")
            }
            Rule::CivilDays { time_zone } => format!("dates in {time_zone}"),
            Rule::Margin { prefix, .. } => format!("prefix {prefix}"),
            Rule::Agents { calls_per_hour, handling_seconds } => {
                format!("{} calls an hour of {} s", calls_per_hour.normalize(), handling_seconds.normalize())
            }
            Rule::Scheduled { shrinkage } => format!("{} away", shrinkage.normalize()),
            Rule::Channels { erlangs } => format!("{} calls at once", erlangs.normalize()),
            _ => String::new(),
        }
    }

    /// The calculation as a person would write it: `20.0 × 0.50`. Empty when nothing was calculated.
    pub fn calculation(&self) -> String {
        match &self.rule {
            Rule::Stretch { seconds, rate: each, per, .. } => stretch(*seconds, per.seconds(), *each),
            Rule::Units { quantity: units, rate: each } => format!("{} × {}", quantity(*units), rate(*each)),
            Rule::Tier { quantity: units, rate: each, flat, .. }
            | Rule::Volume { quantity: units, rate: each, flat, .. } => {
                format!("{} × {}{}", quantity(*units), rate(*each), plus(*flat))
            }
            Rule::PercentTier { base, percent, flat, .. } | Rule::PercentOf { base, percent, fixed: flat, .. } => {
                format!("{} × {}%{}", quantity(*base), percent.normalize(), plus(*flat))
            }
            Rule::Packages { packages, rate: each, .. } => format!("{packages} × {}", rate(*each)),
            Rule::Share { of, share } => format!("{} × {share}", of.normalize()),
            Rule::Days { of, days, of_days } => format!("{} × {days} ÷ {of_days} days", rate(*of)),
            Rule::PercentOff { percent, of, .. } => format!("{} × −{percent}", rate(*of)),
            Rule::PercentOfOthers { base, percent } => format!("{} × {}%", rate(*base), percent.normalize()),
            Rule::Tax { base, percent, .. } => format!("{} × {percent}", rate(*base)),
            Rule::Gross { net, tax } => format!("{} + {}", rate(*net), rate(*tax)),
            Rule::Margin { sell, rate: buy, .. } => format!("({} − {}) ÷ {0}", rate(*sell), rate(*buy)),
            _ => String::new(),
        }
    }
}

fn discount(kind: Discount) -> &'static str {
    match kind {
        Discount::Term => "Term discount",
        Discount::Loyalty => "Loyalty discount",
        Discount::Coupon => "Coupon",
        Discount::Trial => "Free in the trial",
    }
}

fn rounded(to: RoundTo) -> &'static str {
    match to {
        RoundTo::Micros => "six decimals",
        RoundTo::Minor => "the minor unit",
    }
}

/// Where a tier ends.
fn range(up_to: Option<Decimal>) -> String {
    up_to.map_or("no upper bound".to_owned(), |bound| format!("up to {}", bound.normalize()))
}

fn plus(flat: Decimal) -> String {
    if flat.is_zero() { String::new() } else { format!(" + {}", rate(flat)) }
}

/// Minutes or hours times the rate where they are round, else the seconds, which say it exactly.
fn stretch(seconds: u64, per_seconds: u32, each: Decimal) -> String {
    let units = Exact::ratio(i128::from(seconds), 0, u64::from(per_seconds));
    match units.to_decimal_places(4).ok().filter(|short| Exact::from(*short) == units) {
        Some(units) => format!("{} × {}", quantity(units), rate(each)),
        None => format!("{seconds} s ÷ {per_seconds} × {}", rate(each)),
    }
}

/// `0:00–20:00`, minutes and seconds of the call, or how often the rate held.
fn span(from_second: u64, seconds: u64, times: u64) -> String {
    if times > 1 {
        return format!("{times} times");
    }
    let clock = |second: u64| format!("{}:{:02}", second / 60, second % 60);
    format!("{}–{}", clock(from_second), clock(from_second.saturating_add(seconds)))
}
