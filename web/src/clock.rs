//! The only place that reads the clock. Everything else is told what time it is.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex, PoisonError};

/// What time it is: the machine's clock, one that runs ahead of it, or one that stands still until a test moves it.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Machine { ahead: TimeDelta },
    Standing(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Self {
        Self::ahead_by(TimeDelta::zero())
    }

    /// A clock that runs ahead of the machine's, to see today what a month's end does.
    pub fn ahead_by(ahead: TimeDelta) -> Self {
        Self(Source::Machine { ahead })
    }

    /// How far it runs ahead of the machine's.
    pub fn ahead(&self) -> TimeDelta {
        match &self.0 {
            Source::Machine { ahead } => *ahead,
            Source::Standing(_) => TimeDelta::zero(),
        }
    }

    /// A clock that stands at an instant; clones stand and move together.
    pub fn standing_at(instant: DateTime<Utc>) -> Self {
        Self(Source::Standing(Arc::new(Mutex::new(instant))))
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::Machine { ahead } => Utc::now() + *ahead,
            Source::Standing(instant) => *instant.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a standing clock to an instant; the machine's clock cannot be moved and stays.
    pub fn travel_to(&self, to: DateTime<Utc>) {
        if let Source::Standing(instant) = &self.0 {
            *instant.lock().unwrap_or_else(PoisonError::into_inner) = to;
        }
    }

    /// Moves a standing clock forward.
    pub fn advance(&self, by: TimeDelta) {
        self.travel_to(self.now() + by);
    }
}

impl sip_media::Clock for Clock {
    fn now(&self) -> DateTime<Utc> {
        Clock::now(self)
    }
}
