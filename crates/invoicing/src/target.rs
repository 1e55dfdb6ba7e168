//! What one key comes to from one start on, before it is known whether that is new, known already, or a difference.

use crate::bill::Billing;
use crate::content::{Claimed, LineGroup, LineSource, Service};
use crate::parts::{Part, Quantity};
use crate::rate::Rated;
use crate::subscribed::Subscribed;
use crate::words;
use chrono::{DateTime, Utc};
use money::{Decimal, Money};
use pricing::{Explanation, Proration, Rule, Step};
use subscription::{Component, ComponentKind, Stretch};

/// What a key comes to, priced whole.
pub(crate) struct Target {
    pub key: String,
    pub attached: usize,
    pub component: Option<usize>,
    pub group: LineGroup,
    pub text: String,
    pub detail: String,
    pub service: Service,
    pub quantity: Decimal,
    pub unit: String,
    pub unit_price: Option<Decimal>,
    pub amount: Money,
    pub explanation: Explanation,
    pub source: LineSource,
    pub claimed: Claimed,
    pub claimed_at: DateTime<Utc>,
    /// The start from which it was billed before, where it has the tax of then; else today's.
    pub taxed_as_of: Option<DateTime<Utc>>,
}

impl Billing<'_> {
    /// A component's own target.
    pub(crate) fn target(&self, of: usize, attached: usize, part: &Part, rated: Rated) -> Target {
        let own = &self.subscribed[of];
        let component = own.component(attached, part.component);
        let service = service_of(&part.piece);
        Target {
            key: component.key.clone(),
            attached,
            component: Some(part.component),
            group: group_of(component, own.attached(attached).is_add_on),
            text: component.name.clone(),
            detail: self.detail(component, &rated, part.piece.share()),
            service,
            quantity: rated.used,
            unit: component.measure.clone().unwrap_or_default(),
            unit_price: rated.unit_price,
            amount: rated.amount,
            explanation: rated.explanation.by(self.price_version(of, attached, &component.name)),
            source: self.source_of(own, component, part),
            claimed: Claimed::Arrears,
            claimed_at: part.claimed_at,
            taxed_as_of: None,
        }
    }

    /// What a reader must know beside quantity and price: what is included, and of how many days this is.
    fn detail(&self, component: &Component, rated: &Rated, share: Proration) -> String {
        let language = &self.seller.language;
        let mut details = Vec::new();
        if !component.included.is_zero() {
            details.push(words::included(language, rated.used, rated.included));
        }
        if share.days < share.of_days && component.kind != ComponentKind::OneOff {
            details.push(words::days(language, share.days, share.of_days));
        }
        details.join(" · ")
    }

    fn source_of(&self, own: &Subscribed, component: &Component, part: &Part) -> LineSource {
        let (subscription_id, component_key) = (own.history.subscription.id, component.key.clone());
        let (from, to) = match part.quantity {
            Quantity::Read(place) => (self.reads[place].from, self.reads[place].to),
            Quantity::Fixed(_) => (part.piece.from, part.piece.to),
        };
        let measure = component.measure.clone().unwrap_or_default();
        match component.kind {
            ComponentKind::Usage | ComponentKind::Hours | ComponentKind::Channels => LineSource::Usage {
                subscription_id,
                component_key,
                meter: measure,
                filter: component.filter.clone(),
                from,
                to,
            },
            ComponentKind::Seat => LineSource::Seats { subscription_id, component_key, measure, from, to },
            _ => LineSource::None,
        }
    }
}

/// The time of a stretch, as a line says it. Hours that have no day of their own are shown with the day they lie on.
pub(crate) fn service_of(stretch: &Stretch) -> Service {
    let (starts_on, ends_on) = (stretch.days.from, stretch.days.to);
    let ends_on = if ends_on > starts_on { ends_on } else { starts_on.succ_opt().unwrap_or(starts_on) };
    Service { starts_at: stretch.from, ends_at: stretch.to, starts_on, ends_on }
}

/// The same line as a difference: priced whole now, less what was billed.
pub(crate) fn late(target: Target, before: Money, quantity: Decimal, difference: Money, language: &str) -> Target {
    let mut explanation = target.explanation;
    if !before.is_zero() {
        explanation.steps.push(Step::new(Rule::BilledBefore, -before.as_decimal()));
        explanation.steps.push(Step::new(Rule::Difference, difference.as_decimal()));
    }
    Target {
        group: LineGroup::Late,
        detail: words::late(language).to_owned(),
        quantity,
        unit_price: None,
        amount: difference,
        explanation,
        taxed_as_of: Some(target.claimed_at),
        ..target
    }
}

/// A line that follows from others: a commitment, a cap, a discount.
pub(crate) struct Derived {
    pub key: String,
    pub group: LineGroup,
    pub text: String,
    pub steps: Vec<Step>,
}

pub(crate) fn derived(
    what: Derived,
    attached: usize,
    service: Service,
    claimed_at: DateTime<Utc>,
    amount: Money,
) -> Target {
    let Derived { key, group, text, steps } = what;
    Target {
        key,
        attached,
        component: None,
        group,
        text,
        detail: String::new(),
        service,
        quantity: Decimal::ZERO,
        unit: String::new(),
        unit_price: None,
        amount,
        explanation: Explanation::of(steps),
        source: LineSource::None,
        claimed: Claimed::Arrears,
        claimed_at,
        taxed_as_of: None,
    }
}

pub(crate) fn group_of(component: &Component, is_add_on: bool) -> LineGroup {
    match component.kind {
        ComponentKind::Percent => LineGroup::Percent,
        ComponentKind::OneOff => LineGroup::OneOff,
        _ if is_add_on => LineGroup::Addons,
        ComponentKind::Flat => LineGroup::Platform,
        ComponentKind::Seat => LineGroup::Seats,
        ComponentKind::Usage => LineGroup::Usage,
        ComponentKind::Hours => LineGroup::Hours,
        ComponentKind::Channels => LineGroup::Channels,
    }
}
