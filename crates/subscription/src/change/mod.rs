//! Anything may change on any day: asked now, in effect now, at the end of the period or of the term, and undone until billed.

mod ask;
mod moving;
mod undo;

pub use ask::{change, what_if};
pub use moving::{
    Move, Moved, changes_by_id, move_customers, moves_of, moving_later, preview_moves, subscribers, undo_move,
};
pub use undo::{Asked, changes_billed, changes_of, undo_change, undone_since};

use crate::catalogue::{LoyaltyReward, PlanVersion};
use crate::error::Result;
use crate::life::{Dated, History};
use crate::words::ChangeKind;
use chrono::{DateTime, Utc};
use db::PlanVersionId;

/// What may be asked of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another version, another plan or another term; with other seats, if any are named.
    Plan {
        version: PlanVersionId,
        seats: Option<u32>,
    },
    /// Assigned seats.
    Seats(u32),
    AddOn {
        version: PlanVersionId,
    },
    /// What a loyalty rule gives: a paid attachment of the same add-on ends.
    FreeAddOn {
        version: PlanVersionId,
    },
    /// An add-on goes on by the terms of another version of it: free where it was free.
    MoveAddOn {
        version: PlanVersionId,
    },
    /// Takes it off, whichever of its versions it has by then.
    RemoveAddOn {
        version: PlanVersionId,
    },
    /// Neither served nor charged until it is resumed.
    Pause,
    Resume,
    /// It ends; with `credit`, what was billed in advance beyond the end is credited.
    Cancel {
        credit: bool,
    },
    /// What was over goes on; nothing is charged for the time between.
    Reactivate,
    /// The trial ends before its days are over.
    EndTrial,
}

impl Change {
    /// Its kind, as stored and sent.
    pub fn kind(&self) -> ChangeKind {
        match self {
            Change::Plan { .. } => ChangeKind::Plan,
            Change::Seats(_) => ChangeKind::Seats,
            Change::AddOn { .. } => ChangeKind::AddOn,
            Change::FreeAddOn { .. } => ChangeKind::FreeAddOn,
            Change::MoveAddOn { .. } => ChangeKind::MoveAddOn,
            Change::RemoveAddOn { .. } => ChangeKind::RemoveAddOn,
            Change::Pause => ChangeKind::Pause,
            Change::Resume => ChangeKind::Resume,
            Change::Cancel { .. } => ChangeKind::Cancel,
            Change::Reactivate => ChangeKind::Reactivate,
            Change::EndTrial => ChangeKind::EndTrial,
        }
    }

    /// The version that it names.
    pub fn version(&self) -> Option<PlanVersionId> {
        match self {
            Change::Plan { version, .. }
            | Change::AddOn { version }
            | Change::FreeAddOn { version }
            | Change::MoveAddOn { version }
            | Change::RemoveAddOn { version } => Some(*version),
            _ => None,
        }
    }

    /// Does this one, at an instant, stand in for an earlier one? The same thing asked again for the same instant does; so does
    /// another end for one that still lies ahead; and a plan does away with gifts to come that it does not give itself.
    pub(crate) fn replaces(&self, version: Option<&PlanVersion>, other: &Dated, at: DateTime<Utc>) -> bool {
        if other.billed_at.is_some() {
            return false;
        }
        match (self, &other.change) {
            (Change::Plan { .. }, Change::Plan { .. }) | (Change::Seats(_), Change::Seats(_)) => other.at == at,
            (Change::MoveAddOn { .. }, Change::MoveAddOn { .. }) => {
                let plan = |version: Option<&PlanVersion>| version.map(|version| version.plan_id);
                other.at == at && plan(version) == plan(other.version.as_ref())
            }
            (Change::Cancel { .. }, Change::Cancel { .. }) => other.at >= at,
            (Change::Plan { .. }, Change::FreeAddOn { version: gift }) => {
                let gives = |version: &PlanVersion| {
                    version.loyalty.iter().any(|rule| rule.reward == LoyaltyReward::FreeAddOn(*gift))
                };
                other.at > at && !version.is_some_and(gives)
            }
            _ => false,
        }
    }
}

/// When a change takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At once; before the start, with the start.
    Now,
    /// With the next service period.
    PeriodEnd,
    /// With the next term.
    TermEnd,
    /// At an instant that does not lie in the past.
    At(DateTime<Utc>),
}

impl When {
    /// The instant at which a change of this subscription takes effect.
    pub fn instant(self, history: &History, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let now = now.max(history.subscription.started_at);
        match self {
            When::Now => Ok(now),
            When::PeriodEnd => Ok(history.period_at(now)?.ends_at),
            When::TermEnd => history.term_end(now),
            When::At(instant) => Ok(instant),
        }
    }
}
