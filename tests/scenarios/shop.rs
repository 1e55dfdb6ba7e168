//! A seller's book in a story of plans: its customers, what they use, what they are shown beforehand and what they are billed.

use super::story::{Story, at, on};
use db::{CustomerId, PlanVersionId, SubscriptionId, TenantId, TenantTx};
use invoicing::{DocumentFilter, DocumentView, Line, Phase};
use money::{Currency, Decimal, Money};
use pricing::Price;
use std::collections::BTreeMap;
use subscription::{
    Billed, Change, Component, ComponentKind, NewCustomer, NewPlanVersion, NewSubscription, TaxTreatment, When,
};
use usage_metering::{Aggregation, Meter, Outcome, UsageEvent};

pub struct Shop<'a> {
    pub story: &'a Story,
    pub book: TenantId,
}

impl Shop<'_> {
    pub async fn tx(&self) -> TenantTx {
        self.story.book(self.book).await
    }

    /// A company that pays by invoice and is outside the seller's tax, so that its invoices are the arithmetic of its plan.
    pub async fn customer(&self, name: &str, currency: Currency) -> CustomerId {
        let tx = self.tx().await;
        let first_on = pricing::civil_date(self.story.now(), "Europe/Berlin").unwrap();
        let no = subscription::next_customer_no(&tx).await.unwrap();
        let mut new = NewCustomer::postpaid(&no, name, currency, "Europe/Berlin", "DE", first_on);
        new.tax_treatment = TaxTreatment::OutOfScope;
        let id = subscription::create_customer(&tx, &new, self.story.now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Something counted that not every book counts, reported in sums.
    pub async fn counts(&self, code: &str, unit: &str) {
        let tx = self.tx().await;
        let meter = Meter::new(code, code, unit, Aggregation::Sum, &[]);
        usage_metering::define_meter(&tx, &meter).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn sells(&self, code: &str, terms: NewPlanVersion) -> PlanVersionId {
        self.publishes(code, false, terms).await
    }

    pub async fn sells_add_on(&self, code: &str, terms: NewPlanVersion) -> PlanVersionId {
        self.publishes(code, true, terms).await
    }

    async fn publishes(&self, code: &str, is_add_on: bool, terms: NewPlanVersion) -> PlanVersionId {
        let tx = self.tx().await;
        let plan = subscription::create_plan(&tx, code, code, "", is_add_on).await.unwrap();
        let own = usage_metering::own_measures(&tx).await.unwrap();
        let version = subscription::publish_version_measuring(&tx, plan, &terms, &own, self.story.now()).await.unwrap();
        tx.commit().await.unwrap();
        version
    }

    /// Subscribes today; months are counted from today.
    pub async fn subscribes(&self, customer: CustomerId, version: PlanVersionId, trial: bool) -> SubscriptionId {
        let tx = self.tx().await;
        let new = NewSubscription {
            customer_id: customer,
            plan_version_id: version,
            seats: 0,
            anchor_on: pricing::civil_date(self.story.now(), "Europe/Berlin").unwrap(),
            starts_at: self.story.now(),
            trial,
        };
        let id = subscription::subscribe(&tx, &new, self.story.now()).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn changes(&self, subscription: SubscriptionId, change: Change, when: When) {
        let tx = self.tx().await;
        subscription::change(&tx, subscription, &change, when, "Ida Holm", self.story.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// So much of a meter, in as many events as its counting needs.
    pub async fn used(&self, customer: CustomerId, meter: &str, quantity: &str, of: &[(&str, &str)], when: &str) {
        let quantity: Decimal = quantity.parse().unwrap();
        let event = |quantity: Decimal| UsageEvent {
            source: "story".into(),
            id: uuid::Uuid::now_v7().to_string(),
            meter: meter.into(),
            customer_id: customer,
            subscription_id: None,
            quantity,
            dimensions: of.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            occurred_at: at(when),
        };
        // Calls are counted, everything else is summed.
        let events: Vec<UsageEvent> = match meter {
            "calls" => (0..u64::try_from(quantity).unwrap()).map(|_| event(Decimal::ONE)).collect(),
            _ => vec![event(quantity)],
        };
        for some in events.chunks(usage_metering::BATCH_MAX) {
            let taken = usage_metering::ingest(&self.story.database.db, self.book, some, at(when)).await.unwrap();
            assert!(taken.iter().all(|outcome| *outcome == Outcome::Accepted), "{meter}: {taken:?}");
        }
    }

    /// A whole run over the book: drafted by the worker, made final by a person. The month's own run is there already; one
    /// that goes further is started by hand, and the month's is thrown away for it.
    pub async fn bills(&self, until: &str) {
        self.story.work().await;
        let tx = self.tx().await;
        let open = invoicing::runs(&tx, 1).await.unwrap().pop().filter(|run| run.phase != Phase::Done);
        let run = match open {
            Some(open) if open.until_on == on(until) => open.id,
            open => {
                if let Some(open) = open {
                    invoicing::abandon_run(&tx, open.id, self.story.now()).await.unwrap();
                }
                invoicing::plan_run(&tx, on(until), "Ida Holm", self.story.now()).await.unwrap()
            }
        };
        tx.commit().await.unwrap();
        self.story.work().await;
        let tx = self.tx().await;
        invoicing::finalise_some(&tx, run, 1, self.story.now()).await.unwrap();
        tx.commit().await.unwrap();
        self.story.work().await;
        let done = invoicing::run(&self.tx().await, run).await.unwrap();
        assert_eq!((done.phase, done.counts.failed), (Phase::Done, 0));
    }

    /// A customer's newest document.
    pub async fn invoice(&self, customer: CustomerId) -> DocumentView {
        let tx = self.tx().await;
        let filter = DocumentFilter { customer_id: Some(customer), limit: 1, ..DocumentFilter::default() };
        let newest = invoicing::documents(&tx, &filter).await.unwrap().pop().expect("the customer has a document");
        invoicing::document(&tx, newest.id).await.unwrap()
    }

    /// What it says.
    pub async fn lines(&self, customer: CustomerId) -> Vec<String> {
        lines(&self.invoice(customer).await)
    }
}

/// `key | quantity | amount` of each line, and the net total.
pub fn lines(view: &DocumentView) -> Vec<String> {
    let all = view.groups.iter().flat_map(|grouped| &grouped.lines).map(spelled);
    all.chain([format!("net {}", view.document.totals.net.format_plain())]).collect()
}

fn spelled(line: &Line) -> String {
    format!("{} | {} | {}", line.text, line.quantity.normalize(), line.amount.format_plain())
}

/// Billed when the month is over.
pub fn component(key: &str, kind: ComponentKind, measure: Option<&str>, price: Price) -> Component {
    Component {
        key: key.to_owned(),
        kind,
        name: key.to_owned(),
        measure: measure.map(str::to_owned),
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price,
        billed: Billed::InArrears,
    }
}

pub fn in_advance(component: Component) -> Component {
    Component { billed: Billed::InAdvance, ..component }
}

/// Only what was used with this value of a dimension.
pub fn only(component: Component, dimension: &str, value: &str) -> Component {
    Component { filter: BTreeMap::from([(dimension.to_owned(), value.to_owned())]), ..component }
}

pub fn each(unit: &str) -> Price {
    Price::per_unit(unit.parse().unwrap())
}

/// Month by month and without a trial.
pub fn monthly(currency: Currency, components: Vec<Component>) -> NewPlanVersion {
    NewPlanVersion { trial_days: 0, ..NewPlanVersion::monthly(currency, components) }
}

pub fn money(text: &str, currency: Currency) -> Money {
    Money::parse(text, currency).unwrap()
}
