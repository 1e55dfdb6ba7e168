//! What is billed ahead, priced: the charges of a chain with the discounts on them, and the credits for what is unused, which
//! give their part of the discounts back. A credit is never more than what its charge was billed for.

use crate::ahead_discounts::{AheadDiscounts, ChargedAt};
use crate::bill::Billing;
use crate::chain::{Does, Entry};
use crate::content::{Claimed, LineGroup, LineSource, Service};
use crate::discounts::Discount;
use crate::error::Result;
use crate::rate::{Factor, Rateable, Rated, rate};
use crate::stack::{Base, Taken, shares, stack, sum};
use crate::target::{Derived, Target, derived, group_of};
use crate::words;
use chrono::{DateTime, Utc};
use money::{Decimal, Money};
use pricing::{DateRange, Exact, Proration, RoundTo, Rule, Segment, Step};
use std::collections::{BTreeMap, BTreeSet};
use subscription::{ComponentKind, Redeemed};

/// Days of one month of service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonthPart {
    pub position: u32,
    pub share: Proration,
}

/// A charge as it was billed.
struct Charged {
    gross: Money,
    parts: Vec<MonthPart>,
    offs: Vec<ChargedOff>,
}

/// What a discount takes off one charge.
struct ChargedOff {
    /// Among the discounts of the same instant.
    discount: usize,
    share: Money,
    by_month: BTreeMap<u32, Exact>,
}

/// Everything that a subscription is billed ahead, and how much of its coupons that takes.
#[derive(Default)]
pub(crate) struct Book {
    pub targets: Vec<Target>,
    /// By coupon (its place among the redeemed) and month.
    coupons: BTreeMap<(usize, u32), Exact>,
}

/// A line that gives something back, and what it gives back of each discount.
type Credited = (Target, Vec<(usize, Money)>);

impl Book {
    pub(crate) fn coupon_used(&self, coupon: usize, month: u32) -> Exact {
        self.coupons.get(&(coupon, month)).cloned().unwrap_or_else(Exact::zero)
    }
}

/// The discounts of one instant at which something was charged.
struct Group {
    discounts: Vec<Discount>,
    coupons: Vec<Option<usize>>,
}

/// Walks through a chain in the order of time.
struct Pass<'a> {
    billing: &'a Billing<'a>,
    of: usize,
    entries: &'a [Entry],
    charged: BTreeMap<usize, Charged>,
    groups: BTreeMap<DateTime<Utc>, Group>,
    book: Book,
}

impl<'a> Billing<'a> {
    /// Prices a chain. What is over before the claims that were read is left out: it is settled.
    pub(crate) fn ahead(&'a self, of: usize, entries: &'a [Entry]) -> Result<Book> {
        let id = self.subscribed[of].id();
        let alive = |entry: &&Entry| !self.billed.is_closed(id, entry.ends_at);
        let instants: BTreeSet<DateTime<Utc>> = entries.iter().filter(alive).map(|entry| entry.at).collect();
        let mut pass = Pass {
            billing: self,
            of,
            entries,
            charged: BTreeMap::new(),
            groups: BTreeMap::new(),
            book: Book::default(),
        };
        for at in instants {
            let due = || entries.iter().enumerate().filter(|(_, entry)| entry.at == at && alive(entry));
            let credits: Vec<usize> =
                due().filter(|(_, entry)| entry.does != Does::Charges).map(|(index, _)| index).collect();
            let charges: Vec<usize> =
                due().filter(|(_, entry)| entry.does == Does::Charges).map(|(index, _)| index).collect();
            let mut targets = pass.credit(at, &credits)?;
            targets.extend(pass.charge(at, &charges)?);
            if !self.billed.is_closed(id, at) {
                pass.book.targets.extend(targets);
            }
        }
        Ok(pass.book)
    }

    /// What coupons have taken off a month that was billed ahead.
    pub(crate) fn coupon_used_ahead(
        &self,
        of: usize,
        coupon: &Redeemed,
        period: &subscription::ServicePeriod,
    ) -> Result<Exact> {
        let place = self.subscribed[of].history.redeemed.iter().position(|redeemed| redeemed == coupon);
        Ok(place.map_or_else(Exact::zero, |place| self.books[of].coupon_used(place, period.position)))
    }
}

impl Pass<'_> {
    fn own(&self) -> &crate::subscribed::Subscribed {
        &self.billing.subscribed[self.of]
    }

    /// The days of an entry, month by month.
    fn parts(&self, entry: &Entry) -> Result<Vec<MonthPart>> {
        let months = self.own().months()?;
        let mut parts = Vec::new();
        for position in entry.position.. {
            let month = months.days(position)?;
            let (from, to) = (month.from.max(entry.days.from), month.to.min(entry.days.to));
            if from < to {
                parts.push(MonthPart { position, share: month.share(&DateRange { from, to })? });
            }
            if month.to >= entry.days.to {
                return Ok(parts);
            }
        }
        Ok(parts)
    }

    fn rated(&self, entry: &Entry, parts: &[MonthPart]) -> Result<Rated> {
        let component = self.own().component(entry.state.attached, entry.state.component);
        let is_seat = component.kind == ComponentKind::Seat;
        let quantity = if is_seat { Decimal::from(entry.state.seats) } else { Decimal::ONE };
        let quantities = vec![(BTreeMap::new(), quantity.max(component.minimum_quantity))];
        let shares: Vec<Proration> = parts.iter().map(|part| part.share).collect();
        let factor = if entry.is_once { Factor::whole() } else { Factor::months(&shares)? };
        let rateable = Rateable {
            price: &component.price,
            included: component.included,
            quantities: &quantities,
            segment: Segment::WHOLE,
            factor: &factor,
        };
        rate(&rateable, self.billing.currency())
    }

    /// Charges of one instant, and the discounts on them.
    fn charge(&mut self, at: DateTime<Utc>, charges: &[usize]) -> Result<Vec<Target>> {
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        let mut targets = Vec::new();
        let mut bases: Vec<(usize, Base)> = Vec::new();
        let mut shares_of_month: BTreeMap<u32, Proration> = BTreeMap::new();
        for &index in charges {
            let entry = &self.entries[index];
            let parts = self.parts(entry)?;
            let rated = self.rated(entry, &parts)?;
            let gross = Exact::from(rated.amount);
            let weights: Vec<Exact> = if entry.is_once {
                parts.iter().take(1).map(|_| Exact::integer(1)).collect()
            } else {
                parts
                    .iter()
                    .map(|part| part.share.of(&Exact::integer(1)))
                    .collect::<Result<_, pricing::PricingError>>()?
            };
            let whole = sum(&weights);
            for (part, weight) in parts.iter().zip(&weights) {
                let amount = gross.times(weight).over(&whole)?;
                bases.push((index, Base { month: part.position, amount }));
                let known = shares_of_month.entry(part.position).or_insert(part.share);
                known.days = known.days.max(part.share.days);
            }
            self.charged.insert(index, Charged { gross: rated.amount, parts, offs: Vec::new() });
            targets.push(self.charge_line(index, rated)?);
        }
        let only: Vec<Base> = bases.iter().map(|(_, base)| base.clone()).collect();
        let charged = ChargedAt { of: self.of, at, entries: self.entries, bases: &bases, shares: &shares_of_month };
        let AheadDiscounts { discounts, offs, coupons } = self.billing.discounts_ahead(&charged, &self.book)?;
        let taken = stack(&only, &offs, self.billing.currency())?;
        for (place, (discount, taken)) in discounts.iter().zip(&taken).enumerate() {
            self.share_out(place, coupons[place], taken, &bases)?;
            let names: Vec<&str> = bases.iter().map(|(index, _)| self.name(*index)).collect();
            let (taken, names) = joined(taken, &names);
            let mut target = self.billing.discount(self.of, discount.clone(), &taken, &names)?;
            target.claimed = Claimed::Ahead;
            targets.push(target);
        }
        self.groups.insert(at, Group { discounts, coupons });
        Ok(targets)
    }

    fn name(&self, index: usize) -> &str {
        let state = self.entries[index].state;
        &self.own().component(state.attached, state.component).name
    }

    /// Notes what a discount takes off each charge, and off each month for coupons.
    fn share_out(
        &mut self,
        discount: usize,
        coupon: Option<usize>,
        taken: &Taken,
        bases: &[(usize, Base)],
    ) -> Result<()> {
        let mut by_entry: BTreeMap<usize, BTreeMap<u32, Exact>> = BTreeMap::new();
        for ((index, base), off) in bases.iter().zip(&taken.exact) {
            let by_month = by_entry.entry(*index).or_default();
            let known = by_month.entry(base.month).or_insert_with(Exact::zero);
            *known = known.plus(off);
            if let Some(coupon) = coupon {
                let used = self.book.coupons.entry((coupon, base.month)).or_insert_with(Exact::zero);
                *used = used.plus(off);
            }
        }
        let weights: Vec<Exact> =
            by_entry.values().map(|months| sum(&months.values().cloned().collect::<Vec<_>>())).collect();
        for ((index, by_month), share) in by_entry.into_iter().zip(shares(taken.off, &weights)?) {
            if let Some(charged) = self.charged.get_mut(&index) {
                charged.offs.push(ChargedOff { discount, share, by_month });
            }
        }
        Ok(())
    }

    fn charge_line(&self, index: usize, rated: Rated) -> Result<Target> {
        let entry = &self.entries[index];
        let mut line = self.line(entry, rated, Claimed::Ahead);
        if !entry.is_once {
            let said = self.months_said(&self.charged[&index].parts);
            line.detail = said;
        }
        Ok(line)
    }

    fn line(&self, entry: &Entry, rated: Rated, claimed: Claimed) -> Target {
        let own = self.own();
        let component = own.component(entry.state.attached, entry.state.component);
        Target {
            key: entry.key.clone(),
            attached: entry.state.attached,
            component: Some(entry.state.component),
            group: group_of(component, own.attached(entry.state.attached).is_add_on),
            text: component.name.clone(),
            detail: String::new(),
            service: service(entry),
            quantity: rated.used,
            unit: component.measure.clone().unwrap_or_default(),
            unit_price: rated.unit_price,
            amount: rated.amount,
            explanation: rated.explanation.by(self.billing.price_version(
                self.of,
                entry.state.attached,
                &component.name,
            )),
            source: if component.kind == ComponentKind::Seat {
                LineSource::Seats {
                    subscription_id: own.history.subscription.id,
                    component_key: entry.key.clone(),
                    measure: component.measure.clone().unwrap_or_default(),
                    from: entry.at,
                    to: entry.ends_at,
                }
            } else {
                LineSource::None
            },
            claimed,
            claimed_at: entry.at,
            taxed_as_of: None,
        }
    }

    /// Credits of one instant: what is unused of earlier charges, less the discounts that were on it.
    fn credit(&mut self, at: DateTime<Utc>, credits: &[usize]) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        // Charges of several instants may have had the same discount: it is given back once, in one line.
        let mut backs: BTreeMap<String, (Discount, Money, DateTime<Utc>)> = BTreeMap::new();
        for &index in credits {
            let entry = &self.entries[index];
            let Does::Credits(charge) = entry.does else { continue };
            let Some((line, given_back)) = self.credited(index, charge)? else { continue };
            targets.push(line);
            for (discount, back) in given_back {
                let charged_at = self.entries[charge].at;
                let discount = &self.groups[&charged_at].discounts[discount];
                let nothing = || (discount.clone(), self.billing.nothing(), charged_at);
                let (_, known, latest) = backs.entry(discount.key.clone()).or_insert_with(nothing);
                *known = known.checked_add(back)?;
                *latest = charged_at.max(*latest);
            }
        }
        for (discount, back, charged_at) in backs.into_values() {
            let steps = vec![Step::new(Rule::AmountOff { kind: discount.kind }, back.as_decimal())];
            let text = words::on_credit(&self.billing.seller.language, &discount.text);
            let what = Derived { key: discount.key, group: LineGroup::Discounts, text, steps };
            let ends_at = credits.iter().map(|index| self.entries[*index].ends_at).max().unwrap_or(at);
            let service = Service { starts_at: at, ends_at, ..discount.service };
            let mut target = derived(what, discount.attached, service, at, back);
            target.claimed = Claimed::Credit;
            target.taxed_as_of = Some(charged_at);
            targets.push(target);
        }
        Ok(targets)
    }

    /// The line of a credit, and what it gives back of each discount of its charge.
    fn credited(&mut self, index: usize, charge: usize) -> Result<Option<Credited>> {
        let (entry, opened) = (&self.entries[index], &self.entries[charge]);
        let parts = self.parts(entry)?;
        let rated = self.rated(entry, &parts)?;
        let Some(charged) = self.charged.get(&charge) else { return Ok(None) };
        let nothing = self.billing.nothing();
        let own_id = self.own().id();
        let returned = self.billing.billed.of(own_id, &entry.key, opened.at, Claimed::Returned);
        let returned = returned.map_or(Ok(nothing), |sum| sum.amount.checked_neg())?;
        let left = charged.gross.checked_sub(returned)?.max(nothing)?;
        if !left.is_positive() {
            return Ok(None);
        }
        // What a credit note has given back is not given back again, nor are the discounts on it.
        let kept = Exact::from(left).over(&Exact::from(charged.gross))?;
        let (mut backs, mut net, mut used) = (Vec::new(), left, Vec::new());
        for off in &charged.offs {
            let mut back = Exact::zero();
            for part in &parts {
                let of_month = charged.parts.iter().find(|whole| whole.position == part.position);
                let (Some(whole), Some(exact)) = (of_month, off.by_month.get(&part.position)) else { continue };
                let share = Proration { days: part.share.days, of_days: whole.share.days };
                let of_part = share.of(exact)?.times(&kept);
                used.push((off.discount, part.position, of_part.clone()));
                back = back.plus(&of_part);
            }
            let share = Exact::from(off.share).times(&kept).to_money(nothing.currency(), RoundTo::Minor)?;
            let back = back.to_money(nothing.currency(), RoundTo::Minor)?.min(share)?;
            net = net.checked_sub(share)?;
            backs.push((off.discount, back));
        }
        let given_back = Money::sum(nothing.currency(), backs.iter().map(|(_, back)| *back))?;
        let most = left.min(net.checked_add(given_back)?)?;
        let amount = rated.amount.min(most)?;
        let opened_at = opened.at;
        let group = &self.groups[&opened_at];
        for (discount, month, exact) in used {
            if let Some(coupon) = group.coupons[discount] {
                let used = self.book.coupons.entry((coupon, month)).or_insert_with(Exact::zero);
                *used = used.minus(&exact);
            }
        }
        let entry = &self.entries[index];
        let said = words::unused(&self.billing.seller.language, &self.months_said(&parts));
        let mut line = self.line(entry, rated, Claimed::Credit);
        let unused = Rule::UnusedDays { from: entry.days.from, until: entry.days.to };
        line.explanation.steps.push(Step::new(unused, -amount.as_decimal()));
        line.detail = said;
        line.unit_price = None;
        line.taxed_as_of = Some(opened_at);
        line.amount = amount.checked_neg()?;
        Ok(Some((line, backs)))
    }

    /// Months and days for people.
    fn months_said(&self, parts: &[MonthPart]) -> String {
        let language = &self.billing.seller.language;
        let whole = parts.iter().filter(|part| part.share.days == part.share.of_days).count();
        let months = words::unit(language, "months").unwrap_or("months");
        let whole = (whole > 1 || whole == 1 && parts.len() > 1).then(|| format!("{whole} {months}"));
        let days = parts.iter().filter(|part| part.share.days < part.share.of_days);
        let days = days.map(|part| words::days(language, part.share.days, part.share.of_days));
        whole.into_iter().chain(days).collect::<Vec<_>>().join(" + ")
    }
}

/// The same discount, one entry for each name.
fn joined<'n>(taken: &Taken, names: &[&'n str]) -> (Taken, Vec<&'n str>) {
    let mut exact: Vec<Exact> = Vec::new();
    let mut unique: Vec<&str> = Vec::new();
    for (name, off) in names.iter().zip(&taken.exact) {
        match unique.iter().position(|known| known == name) {
            Some(place) => exact[place] = exact[place].plus(off),
            None => {
                unique.push(name);
                exact.push(off.clone());
            }
        }
    }
    (Taken { exact, ..taken.clone() }, unique)
}

fn service(entry: &Entry) -> Service {
    Service { starts_at: entry.at, ends_at: entry.ends_at, starts_on: entry.days.from, ends_on: entry.days.to }
}
