//! How many agents answer a load of calls (Erlang C), and how many channels carry it (Erlang B).
//!
//! The one place of this crate with floating point: these are probabilities, and no amount comes out of them.

use money::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Exact, PricingError};

/// No formula is followed beyond this many agents or channels.
const SERVERS_MAX: u32 = 2_000_000;

/// An expected load and the service promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staffing {
    /// Mean arrivals in an hour.
    pub calls_per_hour: Decimal,
    /// Mean time that a call keeps an agent busy, after-call work included.
    pub handling_seconds: Decimal,
    /// The share (0 to 1) of calls to be answered within `within_seconds`.
    pub target: Decimal,
    /// The wait that the target allows.
    pub within_seconds: Decimal,
    /// The share of their time that agents may talk at most, inclusive.
    pub maximum_occupancy: Decimal,
    /// The share of paid time that agents are away; below 1.
    pub shrinkage: Decimal,
}

/// The staff that keeps the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffingNeeded {
    /// Agents at their seats.
    pub agents: u32,
    /// Agents to be scheduled, shrinkage included.
    pub scheduled: u32,
    /// The share answered in time, to six decimals.
    pub service_level: Decimal,
    /// The share of their time that agents talk.
    pub occupancy: Decimal,
    /// Mean wait of all calls.
    pub average_wait_seconds: Decimal,
}

/// A load of calls that are refused when all channels are busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    /// Mean number of calls at once.
    pub erlangs: Decimal,
    /// The share of calls that may be refused.
    pub maximum_blocking: Decimal,
}

/// The channels that keep refusals below their bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelsNeeded {
    /// Calls that can be up at once.
    pub channels: u32,
    /// The share refused, to six decimals.
    pub blocking: Decimal,
}

impl Staffing {
    /// The fewest agents that reach the target and stay within the occupancy. Zero calls need 0 agents.
    pub fn needed(&self) -> Result<StaffingNeeded, PricingError> {
        for amount in [self.calls_per_hour, self.handling_seconds, self.within_seconds] {
            if amount < Decimal::ZERO {
                return Err(PricingError::MustNotBeNegative);
            }
        }
        for share in [self.target, self.maximum_occupancy, self.shrinkage] {
            must_be_share(share)?;
        }
        if self.shrinkage == Decimal::ONE || self.maximum_occupancy.is_zero() {
            return Err(PricingError::MustBeShare);
        }
        let exact_load =
            Exact::from(self.calls_per_hour).times(&Exact::from(self.handling_seconds)).over(&Exact::integer(3600))?;
        if exact_load.is_zero() {
            return Ok(StaffingNeeded {
                agents: 0,
                scheduled: 0,
                service_level: Decimal::ONE,
                occupancy: Decimal::ZERO,
                average_wait_seconds: Decimal::ZERO,
            });
        }
        let agents = self.fewest_agents(&exact_load)?;
        let load = float(exact_load.to_decimal()?);
        let answered = self.answered(load, agents, erlang_c(load, agents));
        let scheduled = Exact::integer(i64::from(agents)).over(&Exact::from(Decimal::ONE - self.shrinkage))?.ceil();
        Ok(StaffingNeeded {
            agents,
            scheduled: u32::try_from(scheduled.to_decimal()?.mantissa()).map_err(|_| PricingError::TooLarge)?,
            service_level: six_decimals(answered.service_level)?,
            occupancy: exact_load.over(&Exact::integer(i64::from(agents)))?.to_decimal_places(6)?,
            average_wait_seconds: six_decimals(answered.average_wait_seconds)?,
        })
    }

    /// Blocking of n servers follows from that of n - 1, so the search costs one step per agent.
    fn fewest_agents(&self, exact_load: &Exact) -> Result<u32, PricingError> {
        // The occupancy is compared exactly: load <= agents x maximum.
        let by_occupancy = exact_load.over(&Exact::from(self.maximum_occupancy))?.ceil().to_decimal()?;
        let by_occupancy = u32::try_from(by_occupancy.mantissa()).map_err(|_| PricingError::TooLarge)?;
        let load = float(exact_load.to_decimal()?);
        let mut blocking = 1.0;
        for agents in 1..=SERVERS_MAX {
            blocking = next_blocking(load, agents, blocking);
            if agents < by_occupancy || f64::from(agents) <= load {
                continue;
            }
            let waiting = waiting_from_blocking(load, agents, blocking);
            if self.answered(load, agents, waiting).service_level >= float(self.target) {
                return Ok(agents);
            }
        }
        Err(PricingError::TooLarge)
    }

    fn answered(&self, load: f64, agents: u32, waiting: f64) -> Answered {
        let (spare, handling) = (f64::from(agents) - load, float(self.handling_seconds));
        Answered {
            service_level: 1.0 - waiting * (-spare * float(self.within_seconds) / handling).exp(),
            average_wait_seconds: waiting * handling / spare,
        }
    }
}

struct Answered {
    service_level: f64,
    average_wait_seconds: f64,
}

impl Channels {
    /// The fewest channels whose blocking is at or below the bound. No load needs no channel.
    pub fn needed(&self) -> Result<ChannelsNeeded, PricingError> {
        if self.erlangs < Decimal::ZERO {
            return Err(PricingError::MustNotBeNegative);
        }
        must_be_share(self.maximum_blocking)?;
        if self.erlangs.is_zero() {
            return Ok(ChannelsNeeded { channels: 0, blocking: Decimal::ZERO });
        }
        if self.maximum_blocking.is_zero() {
            // Every finite number of channels refuses some call.
            return Err(PricingError::MustBeAboveZero);
        }
        let (load, bound) = (float(self.erlangs), float(self.maximum_blocking));
        let mut blocking = 1.0;
        for channels in 0..=SERVERS_MAX {
            if channels > 0 {
                blocking = next_blocking(load, channels, blocking);
            }
            if blocking <= bound {
                return Ok(ChannelsNeeded { channels, blocking: six_decimals(blocking)? });
            }
        }
        Err(PricingError::TooLarge)
    }
}

/// Erlang B, by its recurrence: stable for any number of servers.
fn next_blocking(load: f64, servers: u32, blocking: f64) -> f64 {
    load * blocking / (f64::from(servers) + load * blocking)
}

/// The probability of waiting (Erlang C) from that of being refused (Erlang B), for more servers than load.
fn waiting_from_blocking(load: f64, servers: u32, blocking: f64) -> f64 {
    let servers = f64::from(servers);
    servers * blocking / (servers - load * (1.0 - blocking))
}

fn erlang_c(load: f64, agents: u32) -> f64 {
    let blocking = (1..=agents).fold(1.0, |blocking, servers| next_blocking(load, servers, blocking));
    waiting_from_blocking(load, agents, blocking)
}

fn must_be_share(share: Decimal) -> Result<(), PricingError> {
    if share < Decimal::ZERO || share > Decimal::ONE {
        return Err(PricingError::MustBeShare);
    }
    Ok(())
}

fn float(number: Decimal) -> f64 {
    // By its text, which is the nearest float that there is.
    number.to_string().parse().unwrap_or(f64::MAX)
}

fn six_decimals(number: f64) -> Result<Decimal, PricingError> {
    let text = format!("{:.6}", number.max(0.0));
    Ok(money::parse_decimal(&text)?.normalize())
}
