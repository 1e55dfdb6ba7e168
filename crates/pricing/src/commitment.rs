//! Minimum commitments: what is missing is charged, what is above may cost more.

use money::{Currency, Decimal, Money};
use serde::{Deserialize, Serialize};

use crate::{Exact, PricingError, Proration, RoundTo};

/// A promise to spend at least an amount in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment {
    /// For the whole period.
    pub minimum: Money,
    /// The days that count, when the commitment did not hold for the whole period.
    pub share: Option<Proration>,
    /// Usage above the minimum is charged this many times.
    pub overage_factor: Decimal,
}

/// What a commitment makes of usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitmentCharge {
    /// What is charged because too little was used; zero or above.
    pub true_up: Money,
    /// Usage, the true-up and the overage together.
    pub total: Money,
}

impl Commitment {
    /// A minimum for a whole period, with nothing special above it.
    pub fn of(minimum: Money) -> Commitment {
        Commitment { minimum, share: None, overage_factor: Decimal::ONE }
    }

    /// Applies it to the amount of usage; each result is rounded once.
    pub fn apply(&self, usage: Money, round: RoundTo) -> Result<CommitmentCharge, PricingError> {
        self.minimum.compare(usage)?;
        if usage.is_negative() || self.minimum.is_negative() || self.overage_factor < Decimal::ZERO {
            return Err(PricingError::MustNotBeNegative);
        }
        let whole = Exact::from(self.minimum);
        let minimum = self.share.map_or(Ok(whole.clone()), |share| share.of(&whole))?;
        committed(&Exact::from(usage), &minimum, self.overage_factor, usage.currency(), round)
    }
}

/// Applies a minimum that is already the share of its days; each result is rounded once.
pub(crate) fn committed(
    usage: &Exact,
    minimum: &Exact,
    overage_factor: Decimal,
    currency: Currency,
    round: RoundTo,
) -> Result<CommitmentCharge, PricingError> {
    let missing = minimum.minus(usage).max(Exact::zero());
    let above = usage.minus(minimum).max(Exact::zero());
    // What is at or below the minimum counts once, whichever of the two it is.
    let counted_once = usage.plus(&missing).minus(&above);
    let total = counted_once.plus(&above.times(&Exact::from(overage_factor)));
    Ok(CommitmentCharge { true_up: missing.to_money(currency, round)?, total: total.to_money(currency, round)? })
}

/// What is missing to a minimum, in minor units.
pub fn true_up(usage: Money, minimum: Money) -> Result<Money, PricingError> {
    Ok(Commitment::of(minimum).apply(usage, RoundTo::Minor)?.true_up)
}
