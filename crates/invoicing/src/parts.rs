//! The parts of a stretch: one for each component and each set of terms that it has in it, with the usage that must be read for
//! it. Nothing is priced in here.

use crate::error::Result;
use crate::subscribed::Subscribed;
use crate::usage::{Counted, Read};
use chrono::{DateTime, Utc};
use money::Decimal;
use std::collections::BTreeMap;
use subscription::{Billed, Component, ComponentKind, Customer, ServicePeriod, Stretch, TrialUsage};
use usage_metering::UsageOf;

/// How much of a component there was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantity {
    Fixed(Decimal),
    /// The answer to the read at this place.
    Read(usize),
}

/// A component in a time in which its terms do not change.
pub(crate) struct Part {
    pub component: usize,
    pub piece: Stretch,
    pub quantity: Quantity,
    /// Usage of a trial that is free up to an amount.
    pub is_free_trial: bool,
    /// The start that its claim names: that of the period for the first part of a key in it.
    pub claimed_at: DateTime<Utc>,
}

/// A stretch with its parts.
pub(crate) struct Billable {
    pub stretch: Stretch,
    pub parts: Vec<Part>,
    /// The start that claims on what the stretch derives name.
    pub claimed_at: DateTime<Utc>,
}

/// Does a component measure something that lasts (a fee, seats, channels), so that its price is for a whole period?
pub(crate) fn lasts(component: &Component) -> bool {
    let is_daily = component.kind == ComponentKind::Seat && component.measure.as_deref() == Some("daily");
    component.is_recurring() && !is_daily
}

/// Makes parts of stretches, and collects what must be read.
pub(crate) struct Splitter<'a> {
    pub customer: &'a Customer,
    pub all: &'a [Subscribed],
    pub of: usize,
    pub period: &'a ServicePeriod,
    pub reads: &'a mut Vec<Read>,
}

impl Splitter<'_> {
    /// The stretches of the period with their parts.
    pub(crate) fn split(&mut self) -> Result<Vec<Billable>> {
        let own = &self.all[self.of];
        let stretches = own.history.stretches(self.period)?;
        let mut billables = Vec::with_capacity(stretches.len());
        for stretch in &stretches {
            let version = &own.attached(stretch.attached).version;
            let mut parts = Vec::new();
            for (index, component) in version.components.iter().enumerate() {
                self.parts_of(stretch, index, component, &stretches, &mut parts)?;
            }
            billables.push(Billable { stretch: *stretch, parts, claimed_at: stretch.from });
        }
        self.claim_from_the_beginning(&mut billables);
        Ok(billables)
    }

    /// The first part of a key is claimed from the beginning of the period on, whenever in it the service began.
    fn claim_from_the_beginning(&self, billables: &mut [Billable]) {
        let own = &self.all[self.of];
        let mut firsts: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
        let mut note = |key: String, from: DateTime<Utc>| {
            let first = firsts.entry(key).or_insert(from);
            *first = (*first).min(from);
        };
        for billable in billables.iter() {
            note(format!("*{}", own.scope(billable.stretch.attached)), billable.stretch.from);
            for part in &billable.parts {
                note(own.component(billable.stretch.attached, part.component).key.clone(), part.piece.from);
            }
        }
        for billable in billables {
            let scope = format!("*{}", own.scope(billable.stretch.attached));
            if firsts[&scope] == billable.stretch.from {
                billable.claimed_at = self.period.starts_at;
            }
            for part in &mut billable.parts {
                let key = &own.component(billable.stretch.attached, part.component).key;
                if firsts[key] == part.piece.from {
                    part.claimed_at = self.period.starts_at;
                }
            }
        }
    }

    fn parts_of(
        &mut self,
        stretch: &Stretch,
        index: usize,
        component: &Component,
        stretches: &[Stretch],
        parts: &mut Vec<Part>,
    ) -> Result<()> {
        let own = &self.all[self.of];
        let fixed = |piece: Stretch, quantity: Decimal| Part {
            component: index,
            piece,
            quantity: Quantity::Fixed(quantity),
            is_free_trial: false,
            claimed_at: piece.from,
        };
        if component.kind == ComponentKind::OneOff {
            let is_first = stretch.from == own.attached(stretch.attached).from;
            if component.billed == Billed::InArrears && is_first && own.charges_once(stretch.attached, &component.key) {
                parts.push(fixed(*stretch, Decimal::ONE));
            }
            return Ok(());
        }
        if component.kind == ComponentKind::Percent {
            return Ok(());
        }
        for piece in self.pieces(stretch, component)? {
            let trial_ends_at = own.history.subscription.trial_ends_at;
            let in_trial = trial_ends_at.is_some_and(|ends_at| piece.from < ends_at);
            if component.is_recurring() && in_trial || lasts(component) && piece.share().days == 0 {
                continue;
            }
            match self.read_of(component, &piece, stretches)? {
                Some(read) => {
                    self.reads.push(read);
                    let quantity = Quantity::Read(self.reads.len() - 1);
                    let is_free_trial = in_trial && self.is_trial_free(stretch);
                    parts.push(Part { quantity, is_free_trial, ..fixed(piece, Decimal::ZERO) });
                }
                None => {
                    let seats = Decimal::from(own.history.seats_at(piece.from));
                    let is_seat = component.kind == ComponentKind::Seat;
                    parts.push(fixed(piece, if is_seat { seats } else { Decimal::ONE }));
                }
            }
        }
        Ok(())
    }

    fn is_trial_free(&self, stretch: &Stretch) -> bool {
        let version = &self.all[self.of].attached(stretch.attached).version;
        matches!(version.trial_usage, TrialUsage::FreeUpTo(_))
    }

    /// Seats that are assigned change by their dates; the end of a trial parts what it makes free from the rest.
    fn pieces(&self, stretch: &Stretch, component: &Component) -> Result<Vec<Stretch>> {
        let history = &self.all[self.of].history;
        let mut cuts = Vec::new();
        if component.is_recurring() || self.is_trial_free(stretch) {
            cuts.extend(history.subscription.trial_ends_at);
        }
        if component.kind == ComponentKind::Seat && !component.is_metered() {
            cuts.extend(history.seats.iter().map(|count| count.from));
        }
        Ok(stretch.cut(&cuts, &history.subscription.time_zone)?)
    }

    fn read_of(&self, component: &Component, piece: &Stretch, stretches: &[Stretch]) -> Result<Option<Read>> {
        let measure = component.measure.as_deref().unwrap_or_default();
        let (meter, counted) = match (component.kind, measure) {
            (ComponentKind::Usage | ComponentKind::Hours, meter) => (meter, Counted::Sum),
            (ComponentKind::Channels, _) => ("channel_peak", Counted::Max),
            (ComponentKind::Seat, "active") => ("seat_days", Counted::Distinct("agent")),
            (ComponentKind::Seat, "peak") => ("seat_peak", Counted::Max),
            (ComponentKind::Seat, "daily") => ("seat_days", Counted::Sum),
            _ => return Ok(None),
        };
        let (from, to) = self.hours(component, piece, stretches)?;
        let own = &self.all[self.of].history;
        let id = own.subscription.id;
        let histories = self.all.iter().map(|subscribed| &subscribed.history);
        let takes_unnamed = own.takes_unnamed(component, (piece.from, piece.to), histories);
        Ok(Some(Read {
            customer_id: self.customer.id,
            of: if takes_unnamed { UsageOf::NamedOrNone(id) } else { UsageOf::Named(id) },
            meter: meter.to_owned(),
            filter: component.filter.clone(),
            dimensions: dimensions_of(&component.price),
            counted,
            with_tariff_calls: false,
            from,
            to,
        }))
    }

    /// Usage is kept by hours of the customer's clock: the hour in which service begins counts, and the hour of a change is of
    /// what follows, if that counts the same.
    fn hours(
        &self,
        component: &Component,
        piece: &Stretch,
        stretches: &[Stretch],
    ) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
        let zone = &self.customer.time_zone;
        let from = usage_metering::local_hour(piece.from, zone)?.max(self.period.starts_at);
        let edge = usage_metering::local_hour(piece.to, zone)?;
        if edge == piece.to {
            return Ok((from, piece.to));
        }
        let is_cut = stretches.iter().all(|stretch| stretch.to != piece.to);
        let own = &self.all[self.of];
        let mut followed = is_cut;
        for later in stretches.iter().filter(|later| later.from >= piece.to) {
            let in_this_hour = usage_metering::local_hour(later.from, zone)? == edge;
            let parts = &own.attached(later.attached).version.components;
            followed |= in_this_hour && parts.iter().any(|part| component.counts_with(part));
        }
        Ok((from, if followed { edge.max(from) } else { piece.to }))
    }
}

/// The dimensions that a price asks for.
pub(crate) fn dimensions_of(price: &pricing::Price) -> Vec<String> {
    let pricing::Model::By { dimension, cases, default } = &price.model else { return Vec::new() };
    let mut dimensions = vec![dimension.clone()];
    for inner in cases.values().chain(default.as_deref()).flat_map(dimensions_of) {
        if !dimensions.contains(&inner) {
            dimensions.push(inner);
        }
    }
    dimensions
}
