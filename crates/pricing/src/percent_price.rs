//! Percentages of events: the free part, the fixed fee, the limits.

use money::Decimal;

use crate::Exact;
use crate::explain::{Rule, Step, Workings};
use crate::price::PercentPrice;
use crate::spell::shown;
use crate::tiers::Context;

impl PercentPrice {
    /// The sum of the fees of events, in their order.
    pub(crate) fn of_events(
        &self,
        events: impl Iterator<Item = Exact>,
        context: &Context<'_>,
        workings: &mut Workings,
    ) -> Exact {
        let mut free = FreePart {
            events: self.free_events.map(|count| context.scaled(Decimal::from(count))),
            amount: self.free_amount.map(|amount| context.scaled(amount)),
            took_last: false,
        };
        let mut sum = Exact::zero();
        for event in events {
            let charged = event.minus(&free.take(&event));
            if charged.is_zero() && free.took_last {
                workings.note(|| Step::new(Rule::FreeEvent { base: shown(&event) }, Decimal::ZERO));
                continue;
            }
            let share = charged.times(&Exact::from(self.rate).hundredths());
            let unlimited = share.plus(&Exact::from(self.fixed_per_event));
            let mut fee = unlimited.clone();
            if let Some(minimum) = self.minimum_per_event {
                fee = fee.max(Exact::from(minimum));
            }
            if let Some(maximum) = self.maximum_per_event {
                fee = fee.min(Exact::from(maximum));
            }
            workings.note(|| {
                let instead_of = (fee != unlimited).then(|| shown(&unlimited));
                let (base, percent, fixed) = (shown(&charged), self.rate, self.fixed_per_event);
                Step::new(Rule::PercentOf { base, percent, fixed, instead_of }, shown(&fee))
            });
            sum = sum.plus(&fee);
        }
        sum
    }
}

/// What is left of the free events and of the free amount; whichever runs out first ends both.
struct FreePart {
    events: Option<Exact>,
    amount: Option<Exact>,
    /// Did the last event fall into the free part, at least in part?
    took_last: bool,
}

impl FreePart {
    /// The part of an event's amount that is free.
    fn take(&mut self, event: &Exact) -> Exact {
        let given = self.events.is_some() || self.amount.is_some();
        let over = |left: &Option<Exact>| left.as_ref().is_some_and(|left| left.is_zero() || left.is_negative());
        self.took_last = given && !over(&self.events) && !over(&self.amount);
        if !self.took_last {
            return Exact::zero();
        }
        let free = match &self.amount {
            Some(left) => event.clone().min(left.clone()),
            None => event.clone(),
        };
        self.amount = self.amount.take().map(|left| left.minus(&free));
        self.events = self.events.take().map(|left| left.minus(&Exact::integer(1)));
        free
    }
}
