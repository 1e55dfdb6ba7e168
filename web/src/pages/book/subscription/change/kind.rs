//! The moves that a page offers: which of them are possible now, and what they are called.

use crate::pages::book::subscription::card::counts_seats;
use chrono::{DateTime, Utc};
use subscription::{History, SubscriptionStatus};

/// What somebody wants to do with a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plan,
    Seats,
    AddOns,
    Pause,
    Resume,
    End,
    Reactivate,
    EndTrial,
}

impl Kind {
    const ALL: [Kind; 8] =
        [Kind::Plan, Kind::Seats, Kind::AddOns, Kind::EndTrial, Kind::Pause, Kind::Resume, Kind::End, Kind::Reactivate];

    /// As it stands in the address.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Plan => "plan",
            Kind::Seats => "seats",
            Kind::AddOns => "add-ons",
            Kind::Pause => "pause",
            Kind::Resume => "resume",
            Kind::End => "end",
            Kind::Reactivate => "reactivate",
            Kind::EndTrial => "end-trial",
        }
    }

    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    pub fn title(self) -> &'static str {
        match self {
            Kind::Plan => "Plan",
            Kind::Seats => "Seats",
            Kind::AddOns => "Add-ons",
            Kind::Pause => "Pause",
            Kind::Resume => "Resume",
            Kind::End => "End",
            Kind::Reactivate => "Reactivate",
            Kind::EndTrial => "End the trial",
        }
    }

    /// The moves that a page offers in this state, the first one first.
    pub fn offered(history: &History, now: DateTime<Utc>) -> Vec<Kind> {
        use SubscriptionStatus as S;
        let possible = |kind: &Kind| match (history.status_at(now), kind) {
            (S::Cancelled | S::Expired, kind) => *kind == Kind::Reactivate,
            (_, Kind::Reactivate) => false,
            (status, Kind::EndTrial) => status == S::Trial,
            (status, Kind::Pause) => matches!(status, S::Trial | S::Active | S::PastDue),
            (status, Kind::Resume) => status == S::Paused,
            (_, Kind::Seats) => counts_seats(history, now),
            (_, Kind::Plan | Kind::AddOns | Kind::End) => true,
        };
        Kind::ALL.into_iter().filter(possible).collect()
    }
}
