//! What bounds the amounts of a stretch: usage of a trial that is free, what was promised at least, and the most that it may cost.

use crate::bill::Billing;
use crate::content::LineGroup;
use crate::due::{COMMITMENT, FEE_CAP, Month};
use crate::error::Result;
use crate::month::{Priced, share_of};
use crate::parts::Billable;
use crate::stack::{shares, sum};
use crate::subscribed::last_day_after;
use crate::target::{Derived, Target, derived, service_of};
use crate::words;
use money::Money;
use pricing::{Commitment, DateRange, Discount, Exact, Proration, RoundTo, Rule, Step, civil_date};
use subscription::{ComponentKind, TrialUsage};

impl Billing<'_> {
    /// Days of a stretch that are not in the trial.
    pub(crate) fn paid(&self, of: usize, billable: &Billable) -> Result<Proration> {
        let own = &self.subscribed[of];
        let share = billable.stretch.share();
        let Some(ends_at) = own.history.subscription.trial_ends_at.filter(|ends_at| *ends_at > billable.stretch.from)
        else {
            return Ok(share);
        };
        let pieces = billable.stretch.cut(&[ends_at], own.time_zone())?;
        let paid = pieces.last().filter(|piece| piece.from >= ends_at);
        Ok(paid.map_or(Proration { days: 0, ..share }, |piece| piece.share()))
    }

    /// Takes off what a trial's usage may cost nothing: up to the stated amount, of which a part of a trial has its days' share.
    pub(crate) fn free_in_trial(&self, month: &Month, billable: &Billable, priced: &mut [Priced]) -> Result<()> {
        let own = &self.subscribed[month.of];
        let TrialUsage::FreeUpTo(cap) = own.attached(billable.stretch.attached).version.trial_usage else {
            return Ok(());
        };
        let subscription = &own.history.subscription;
        let Some(ends_at) = subscription.trial_ends_at else { return Ok(()) };
        let mut free: Vec<&mut Priced> = priced.iter_mut().filter(|priced| priced.is_free_trial).collect();
        let used = Money::sum(self.currency(), free.iter().map(|priced| priced.target.amount))?;
        if used.is_zero() {
            return Ok(());
        }
        let trial = DateRange {
            from: civil_date(subscription.started_at, own.time_zone())?,
            to: last_day_after(ends_at, own.time_zone())?,
        };
        let in_trial = billable.stretch.cut(&[ends_at], own.time_zone())?[0].share_of_usage().days;
        let of_days = trial.days()?.max(1);
        let cap = share_of(cap, Proration { days: in_trial.min(of_days), of_days })?;
        let off = cap.to_money(self.currency(), RoundTo::Minor)?.min(used)?;
        let weights: Vec<Exact> = free.iter().map(|priced| Exact::from(priced.target.amount)).collect();
        for (priced, off) in free.iter_mut().zip(shares(off, &weights)?) {
            if off.is_zero() {
                continue;
            }
            let target = &mut priced.target;
            target.amount = target.amount.checked_sub(off)?;
            target.unit_price = None;
            let words = words::free_in_trial(&self.seller.language, off);
            target.detail = if target.detail.is_empty() { words } else { format!("{} · {words}", target.detail) };
            let free = Rule::AmountOff { kind: Discount::Trial };
            target.explanation.steps.push(Step::new(free, -off.as_decimal()));
            target.explanation.steps.push(Step::new(Rule::TOTAL, target.amount.as_decimal()));
        }
        Ok(())
    }

    /// What measured components fall short of the plan's commitment, of which trial days and days out of service count nothing.
    pub(crate) fn commitment(
        &self,
        month: &Month,
        index: usize,
        billable: &Billable,
        priced: &[Priced],
    ) -> Result<Option<Priced>> {
        let own = &self.subscribed[month.of];
        let attached = own.attached(billable.stretch.attached);
        let minimum = attached.version.commitment;
        let share = self.paid(month.of, billable)?;
        if !minimum.is_positive() || share.days == 0 || attached.is_free {
            return Ok(None);
        }
        let measured = |priced: &&Priced| {
            let kind = priced.target.component.map(|index| attached.version.components[index].kind);
            matches!(kind, Some(ComponentKind::Usage | ComponentKind::Hours))
        };
        let usage = Money::sum(self.currency(), priced.iter().filter(measured).map(|priced| priced.target.amount))?;
        let missing =
            Commitment { share: Some(share), ..Commitment::of(minimum) }.apply(usage, RoundTo::Minor)?.true_up;
        let steps = vec![
            Step::new(Rule::Commitment { days: share.days, of_days: share.of_days }, minimum.as_decimal()),
            Step::new(Rule::Usage, usage.as_decimal()),
            Step::new(Rule::TOTAL, missing.as_decimal()),
        ];
        let what = Derived {
            key: format!("{COMMITMENT}{}", own.scope(billable.stretch.attached)),
            group: LineGroup::Commitment,
            text: words::commitment(&self.seller.language, minimum),
            steps,
        };
        let target = self.bound(month.of, billable, what, share, missing);
        Ok(Some(Priced { target, stretch: index, is_ahead: false, is_free_trial: false, kept: None }))
    }

    /// What a stretch comes to beyond the plan's cap, which has its days' share; what is charged once is outside of it. Each line
    /// gives up its part by weight, so that discounts are taken off what is left.
    pub(crate) fn fee_cap(
        &self,
        month: &Month,
        index: usize,
        billable: &Billable,
        priced: &mut [Priced],
    ) -> Result<Option<Priced>> {
        let own = &self.subscribed[month.of];
        let attached = own.attached(billable.stretch.attached);
        let Some(cap) = attached.version.fee_cap else { return Ok(None) };
        let share = billable.stretch.share();
        let most = share_of(cap, share)?.to_money(self.currency(), RoundTo::Minor)?;
        let once = |priced: &Priced| priced.target.group == LineGroup::OneOff;
        let weights: Vec<Exact> = priced
            .iter()
            .map(|priced| if once(priced) { Exact::zero() } else { Exact::from(priced.target.amount) })
            .collect();
        let whole = sum(&weights).to_money(self.currency(), RoundTo::Minor)?;
        let beyond = whole.checked_sub(most)?.max(Money::zero(self.currency()))?;
        for (priced, off) in priced.iter_mut().zip(shares(beyond, &weights)?) {
            priced.kept = Some(priced.target.amount.checked_sub(off)?);
        }
        let off = beyond.checked_neg()?;
        let steps = vec![
            Step::new(Rule::FeeCap { instead_of: whole.as_decimal() }, most.as_decimal()),
            Step::new(Rule::TOTAL, off.as_decimal()),
        ];
        let what = Derived {
            key: format!("{FEE_CAP}{}", own.scope(billable.stretch.attached)),
            group: LineGroup::Discounts,
            text: words::fee_cap(&self.seller.language, cap),
            steps,
        };
        let target = self.bound(month.of, billable, what, share, off);
        let kept = Some(Money::zero(self.currency()));
        Ok(Some(Priced { target, stretch: index, is_ahead: false, is_free_trial: false, kept }))
    }

    /// The line of what bounds a stretch, for the days that it holds for.
    fn bound(&self, of: usize, billable: &Billable, what: Derived, share: Proration, amount: Money) -> Target {
        let attached = billable.stretch.attached;
        let terms = self.price_version(of, attached, "");
        let mut target = derived(what, attached, service_of(&billable.stretch), billable.claimed_at, amount);
        target.explanation = target.explanation.by(terms);
        if share.days < share.of_days {
            target.detail = words::days(&self.seller.language, share.days, share.of_days);
        }
        target
    }
}
