//! The lines of a customer's document: what each key comes to, less what is billed of it already. So a second look finds
//! nothing, late usage is a difference, and the order in which periods are looked at does not matter.

use crate::ahead::Book;
use crate::billed::{BilledBefore, BilledSum};
use crate::content::{Claim, Claimed, Line, LineGroup, LineSource, StandsOn};
use crate::due::{Due, Month, TERM_DISCOUNT_AHEAD, WALLET, service_of};
use crate::error::{InvoicingError, Result};
use crate::rate::Quantities;
use crate::subscribed::Subscribed;
use crate::target::{Derived, Target, derived, late};
use crate::usage::Read;
use crate::{calls, tax};
use chrono::{DateTime, TimeDelta, Utc};
use db::{LineId, PlanId};
use money::{Currency, Decimal, Money};
use pricing::{Exact, PriceVersion, RoundTo};
use std::collections::BTreeMap;
use subscription::{Customer, LateUsage};
use uuid::Uuid;

/// What all documents of a book have in common.
pub(crate) struct Seller {
    pub language: String,
    pub tax_percent: Decimal,
    /// Names of topics, those that were removed too.
    pub topics: BTreeMap<String, String>,
    /// Names of plans and add-ons.
    pub plans: BTreeMap<PlanId, String>,
}

/// One customer's document in the making.
pub(crate) struct Billing<'a> {
    pub seller: &'a Seller,
    pub customer: &'a Customer,
    pub subscribed: &'a [Subscribed],
    pub billed: &'a BilledBefore,
    pub reads: &'a [Read],
    /// Answers to the reads, in their order.
    pub quantities: &'a [Quantities],
    /// What is billed ahead, for each subscription.
    pub books: Vec<Book>,
}

/// Lines before tax, and what they claim.
#[derive(Default)]
pub(crate) struct Bill {
    pub lines: Vec<Line>,
    pub claims: Vec<Claim>,
    /// What a prepaid customer's wallet has paid of components, in micros; `None` for one that pays by invoice.
    pub paid: Option<Money>,
    pub stands_on: Vec<StandsOn>,
}

impl Billing<'_> {
    /// All lines that are due.
    pub(crate) fn lines(&mut self, due: &Due) -> Result<Bill> {
        for attached in self.subscribed.iter().flat_map(|own| &own.history.attached) {
            let (expected, found) = (self.customer.currency, attached.version.currency);
            if expected != found {
                return Err(InvoicingError::CurrencyMustMatchCustomer { expected, found });
            }
        }
        self.open_books(due)?;
        let mut bill = Bill::default();
        for month in &due.months {
            for target in self.targets_of(month)? {
                self.take(month.of, target, !month.is_new, &mut bill)?;
            }
            self.take_paid(month, &mut bill)?;
        }
        for (of, book) in std::mem::take(&mut self.books).into_iter().enumerate() {
            let orphans = self.orphans_ahead(of, &due.chains[of], &book.targets, due.until)?;
            for target in book.targets.into_iter().chain(orphans) {
                self.take(of, target, false, &mut bill)?;
            }
        }
        calls::lines(self, &due.calls, &mut bill)?;
        bill.lines.sort_by_key(|line| (line.group, line.service.starts_at));
        Ok(bill)
    }

    /// The lines of a month that is priced whole and billed by nobody, with what tariffs charged in it (tax included there).
    pub(crate) fn replayed(&self, month: &Month, by_tariff: Money) -> Result<Vec<Line>> {
        let mut lines: Vec<Line> = self.month(month)?.into_iter().map(|target| self.line(month.of, target)).collect();
        if !by_tariff.is_zero() {
            let (category, percent) = tax::category(self.customer.tax_treatment, self.seller.tax_percent);
            let whole = Exact::integer(1).plus(&Exact::from(percent).hundredths());
            let net = Exact::from(by_tariff).over(&whole)?.to_money(self.currency(), RoundTo::Minor)?;
            let text = crate::words::calls(&self.seller.language).to_owned();
            let key = crate::due::CALLS.to_owned();
            let what = Derived { key, group: LineGroup::Usage, text, steps: Vec::new() };
            let target = derived(what, 0, service_of(&month.period), month.period.starts_at, net);
            lines.push(Line {
                gross: Some(by_tariff),
                tax_category: category.to_owned(),
                ..self.line(month.of, target)
            });
        }
        lines.retain(|line| !line.amount.is_zero() || !line.quantity.is_zero());
        lines.sort_by_key(|line| (line.group, line.service.starts_at));
        Ok(lines)
    }

    /// The price of a component as the catalogue keeps it; no part stands for the plan's own terms, like its minimum.
    pub(crate) fn price_version(&self, of: usize, attached: usize, part: &str) -> PriceVersion {
        let version = &self.subscribed[of].attached(attached).version;
        let name = self.seller.plans.get(&version.plan_id).cloned().unwrap_or_default();
        PriceVersion { name, version: version.version, component: part.to_owned() }
    }

    pub(crate) fn currency(&self) -> Currency {
        self.customer.currency
    }

    pub(crate) fn nothing(&self) -> Money {
        Money::zero(self.customer.currency)
    }

    /// Prices what is billed ahead: coupons of a period know what is left of them then.
    pub(crate) fn open_books(&mut self, due: &Due) -> Result<()> {
        let books = due.chains.iter().enumerate().map(|(of, entries)| self.ahead(of, entries));
        self.books = books.collect::<Result<Vec<_>>>()?;
        Ok(())
    }

    /// What a period comes to. One that was billed before may have changed by usage that came later, unless its plan bears that
    /// itself; and what was billed in it for terms that did not come about, because they were undone, comes to nothing.
    pub(crate) fn targets_of(&self, month: &Month) -> Result<Vec<Target>> {
        let own = &self.subscribed[month.of];
        let mut targets = self.month(month)?;
        if !month.is_new {
            let absorbs = |target: &Target| own.attached(target.attached).version.late_usage == LateUsage::Absorb;
            targets.extend(self.orphans(month, &targets));
            targets.retain(|target| !absorbs(target));
        }
        Ok(targets)
    }

    /// Counts what a wallet has paid of a period, or has paid of it since it was billed.
    fn take_paid(&self, month: &Month, bill: &mut Bill) -> Result<()> {
        let Some(place) = month.paid else { return Ok(()) };
        let id = self.subscribed[month.of].id();
        let in_all = self.quantities[place].iter().map(|(_, paid)| *paid).sum();
        let before = self.billed.of(id, WALLET, month.period.starts_at, Claimed::Arrears);
        let ends_at = month.period.ends_at;
        let nothing = BilledSum { amount: self.nothing(), quantity: Decimal::ZERO, times: 0, ends_at };
        let known = before.copied().unwrap_or(nothing);
        let paid = Money::from_decimal(in_all, self.currency())?.checked_sub(known.amount)?;
        bill.paid = Some(bill.paid.unwrap_or_else(|| self.nothing()).checked_add(paid)?);
        if !paid.is_zero() {
            bill.claims.push(Claim {
                billed_id: id,
                component_key: WALLET.to_owned(),
                service_starts_at: month.period.starts_at,
                service_ends_at: month.period.ends_at,
                kind: Claimed::Arrears.kind(known.times),
                quantity: Decimal::ZERO,
                amount: paid,
            });
        }
        Ok(())
    }

    /// Bills what is new, and the difference where it was billed before.
    fn take(&self, of: usize, target: Target, is_late: bool, bill: &mut Bill) -> Result<()> {
        let own = &self.subscribed[of];
        let before = self.billed.of(own.id(), &target.key, target.claimed_at, target.claimed);
        if before.is_none() && self.was_billed_otherwise(own, &target)? {
            return Ok(());
        }
        let ends_at = target.service.ends_at;
        let nothing = BilledSum { amount: self.nothing(), quantity: Decimal::ZERO, times: 0, ends_at };
        let known = before.copied().unwrap_or(nothing);
        let difference = target.amount.checked_sub(known.amount)?;
        let is_news = before.is_none() && !is_late;
        if difference.is_zero() && !is_news {
            return Ok(());
        }
        let mut claim = Claim {
            billed_id: own.id(),
            component_key: target.key.clone(),
            service_starts_at: target.claimed_at,
            service_ends_at: target.service.ends_at,
            kind: target.claimed.kind(known.times),
            quantity: target.quantity,
            amount: target.amount,
        };
        self.stand_on(of, &target, bill);
        if is_news {
            let is_told = !target.quantity.is_zero() && !matches!(target.source, LineSource::None);
            if !target.amount.is_zero() || is_told {
                bill.lines.push(self.line(of, target));
            }
        } else {
            claim.quantity = target.quantity - known.quantity;
            claim.amount = difference;
            let changed = late(target, known.amount, claim.quantity, difference, &self.seller.language);
            bill.lines.push(self.line(of, changed));
        }
        bill.claims.push(claim);
        Ok(())
    }

    /// Documents of an earlier version of this program claimed what they billed ahead like what was served, from the beginning
    /// of its period on.
    fn was_billed_otherwise(&self, own: &Subscribed, target: &Target) -> Result<bool> {
        if target.claimed != Claimed::Ahead
            || !(own.is_ahead(&target.key) || target.key.starts_with(TERM_DISCOUNT_AHEAD))
        {
            return Ok(false);
        }
        let period = own.history.period_at(target.claimed_at)?;
        Ok(self.billed.of(own.id(), &target.key, period.starts_at, Claimed::Arrears).is_some())
    }

    fn stand_on(&self, of: usize, target: &Target, bill: &mut Bill) {
        let before = match target.claimed {
            Claimed::Arrears | Claimed::Returned => target.service.ends_at,
            Claimed::Ahead | Claimed::Credit => target.claimed_at + TimeDelta::microseconds(1),
        };
        let subscription_id = self.subscribed[of].history.subscription.id;
        match bill.stands_on.iter_mut().find(|known| known.subscription_id == subscription_id) {
            Some(known) => known.before = known.before.max(before),
            None => bill.stands_on.push(StandsOn { subscription_id, before }),
        }
    }

    /// The tax of what was billed from a start on before, where that is known, else today's: a difference has the tax of its
    /// supply and a credit that of its charge (Directive 2006/112/EC, articles 90 and 219).
    pub(crate) fn tax_of(&self, id: Uuid, at: DateTime<Utc>, key: &str) -> (String, Decimal) {
        let (category, percent) = tax::category(self.customer.tax_treatment, self.seller.tax_percent);
        self.billed.tax_at(id, at, key).unwrap_or_else(|| (category.to_owned(), percent))
    }

    fn line(&self, of: usize, target: Target) -> Line {
        let (today, percent) = tax::category(self.customer.tax_treatment, self.seller.tax_percent);
        let (category, percent) = match target.taxed_as_of {
            Some(at) => self.tax_of(self.subscribed[of].id(), at, &target.key),
            None => (today.to_owned(), percent),
        };
        Line {
            id: LineId::new(),
            group: target.group,
            subscription_id: Some(self.subscribed[of].history.subscription.id),
            component_key: Some(target.key),
            topic_id: None,
            text: target.text,
            detail: target.detail,
            service: target.service,
            quantity: target.quantity,
            unit: target.unit,
            unit_price: target.unit_price,
            amount: target.amount,
            gross: None,
            tax_category: category,
            tax_percent: percent,
            explanation: target.explanation,
            source: target.source,
            corrects: None,
        }
    }
}
