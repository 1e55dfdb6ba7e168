//! What is expected: how much arrives where and when, the service promised, and what a working hour costs.

use chrono::NaiveDate;
use money::{Currency, Decimal};
use serde::Serialize;

use crate::tariff::{Day, TimeOfDay};

/// The document of an estimate. Read strictly by [`Forecast::from_json`]; [`crate::estimate`] checks the rest, so that a
/// forecast built in code obeys the same rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Of every amount in it.
    pub currency: Currency,
    /// The IANA zone in which the staffing is shown.
    pub time_zone: String,
    /// A date of the week meant: it decides how far zones lie apart.
    pub week_of: NaiveDate,
    /// When the customer's customers are served, where a region has no hours of its own.
    pub hours: Vec<OpenHours>,
    /// At least one; each kind once.
    pub channels: Vec<ChannelForecast>,
    /// Each language is a team of its own: who speaks one does not answer another. Empty: one team.
    pub languages: Vec<Language>,
    /// Where the customer's customers are. Empty: all are where `time_zone` is.
    pub regions: Vec<Region>,
    /// The share of their time that agents may be busy at most, inclusive.
    pub maximum_occupancy: Decimal,
    /// The share of paid time that agents are away; below 1.
    pub shrinkage: Decimal,
    /// What a paid hour of an agent costs.
    pub cost_per_agent_hour: Decimal,
    /// On top of it: rooms, leaders, tools. 20 is 20%.
    pub overhead_percent: Decimal,
    /// What a channel (a call at once) costs a month.
    pub cost_per_channel: Decimal,
    /// The share of the price that is kept; below 100.
    pub margin_percent: Decimal,
    /// On top of prices by volume, because with them the seller carries the risk of the volume.
    pub risk_percent: Decimal,
    /// The share of calls that may find all channels busy.
    pub maximum_blocking: Decimal,
    /// The paid hours that one agent's contract has in a month.
    pub hours_per_agent_month: Decimal,
    /// The share of the volume that the core team of a mixed model serves.
    pub core_share: Decimal,
    /// What it costs to begin.
    pub implementation: Implementation,
}

/// A stretch of opening on some days, `[from, to)` in the region's own time; the rules are those of a tariff's bands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenHours {
    /// Days of the week on which it begins.
    pub days: Vec<Day>,
    /// Its first minute.
    pub from: TimeOfDay,
    /// The minute after its last; before `from` means on the next day, equal to `from` means the whole day.
    pub to: TimeOfDay,
}

/// What arrives on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelForecast {
    /// Which channel.
    pub channel: ChannelKind,
    /// How much arrives.
    #[serde(flatten)]
    pub volume: Volume,
    /// Mean time of the conversation, or of writing the answer.
    pub talk_seconds: Decimal,
    /// Mean time of work after it.
    pub after_seconds: Decimal,
    /// Conversations that one agent has at once; above 1 for chat.
    pub at_once: u32,
    /// The share of live conversations to be answered within `within_seconds`. Deferred work is all done within.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Decimal>,
    /// The wait that the promise allows. Deferred work counts open hours, at least the one in which it arrives.
    pub within_seconds: Decimal,
}

/// How customers reach an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Calls: answered while the caller waits.
    Phone,
    /// Letters by mail: answered later.
    Email,
    /// Chat on a page: answered while the visitor waits.
    Chat,
    /// Messages of an application: answered later.
    Messaging,
}

/// How much arrives, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Volume {
    /// So much a month, over the open hours of each region.
    Month {
        /// Conversations in an average month.
        per_month: Decimal,
        /// How busy hours and days are against one another; absent: all alike.
        #[serde(skip_serializing_if = "Option::is_none")]
        profile: Option<Profile>,
    },
    /// As measured: 168 numbers, Monday 00:00 of `time_zone` first.
    HoursOfWeek {
        /// Conversations in each hour of the week.
        per_hour_of_week: Vec<Decimal>,
    },
}

/// Weights of hours and days, in the region's own time; only how they compare matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// 24 weights, 00:00 first; empty: all alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Decimal>,
    /// Seven weights, Monday first; empty: all alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Decimal>,
}

/// A language and the team that speaks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Language {
    /// Its name or code, as the reader calls it.
    pub name: String,
    /// Its share of the volume; all together are 1.
    pub share: Decimal,
    /// A paid hour of its agents, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_agent_hour: Option<Decimal>,
}

/// A part of the world that the volume comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Region {
    /// As the reader calls it.
    pub name: String,
    /// Its share of the volume; all together are 1.
    pub share: Decimal,
    /// Its IANA zone; absent: the forecast's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// When it is served, in its own time; absent: the forecast's hours, in its own time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<OpenHours>>,
    /// What a minute of a call from there costs the seller.
    pub carriage_per_minute: Decimal,
}

/// What it costs to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Implementation {
    /// Paid hours of training for each agent.
    pub hours_per_agent: Decimal,
    /// Everything else: connection, documents, project.
    pub fixed: Decimal,
}

impl ChannelKind {
    /// All, in the order of a page.
    pub const ALL: [ChannelKind; 4] =
        [ChannelKind::Phone, ChannelKind::Chat, ChannelKind::Email, ChannelKind::Messaging];

    /// The name in documents.
    pub fn name(self) -> &'static str {
        match self {
            ChannelKind::Phone => "phone",
            ChannelKind::Email => "email",
            ChannelKind::Chat => "chat",
            ChannelKind::Messaging => "messaging",
        }
    }

    /// Does the customer wait for the answer?
    pub fn is_live(self) -> bool {
        matches!(self, ChannelKind::Phone | ChannelKind::Chat)
    }
}
