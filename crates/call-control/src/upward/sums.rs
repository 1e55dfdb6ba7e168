//! What a batch of calls counts in the book above: sums by the child's local hour and dimensions.

use crate::dimensions::Known;
use crate::error::Result;
use crate::settlement::minutes;
use crate::store::upward::FactRow;
use crate::upward::sold::Sold;
use crate::upward::split::Share;
use chrono::{DateTime, Utc};
use money::Decimal;
use std::collections::BTreeMap;
use subscription::{Billing, Customer};
use usage_metering::SumRow;

/// Sums by the child's local hour and dimensions: no row per call reaches a book above.
pub(crate) struct Sums<'a> {
    child: &'a Customer,
    /// Quantity and calls.
    rows: BTreeMap<SumKey, (Decimal, i64)>,
}

/// Meter, local hour, dimensions.
type SumKey = (String, DateTime<Utc>, BTreeMap<String, String>);

impl<'a> Sums<'a> {
    pub(crate) fn new(child: &'a Customer) -> Self {
        Self { child, rows: BTreeMap::new() }
    }

    /// A call in, or what corrects it.
    pub(crate) fn shared(&mut self, fact: &FactRow, seconds: i32, share: Option<&Share>) -> Result<()> {
        let hour = usage_metering::local_hour(fact.started_at, &self.child.time_zone)?;
        // How the level below charged its caller is not how this book charges: a tariff there must not pass for one here.
        self.usage(fact, hour, &known(fact, Some(&fact.called)).dimensions(), seconds);
        // A prepaid child pays its share at once, from its wallet: it must not meet it again on a document. Where this book
        // collects, the child pays no share: it gets one.
        let is_billed = |share: &&Share| self.child.billing == Billing::Postpaid && share.owed.is_none();
        if let Some(share) = share.filter(is_billed) {
            let number = BTreeMap::from([("number".to_owned(), fact.called.clone())]);
            self.put("share", hour, number, share.amount.as_decimal());
        }
        Ok(())
    }

    /// A call out, or what corrects it: this book has charged it, by its own deck.
    pub(crate) fn sold(&mut self, fact: &FactRow, sold: &Sold) -> Result<()> {
        let hour = usage_metering::local_hour(fact.started_at, &self.child.time_zone)?;
        let known = Known { charged_by: Some("tariff"), ..known(fact, fact.caller.as_deref()) };
        let dimensions = known.dimensions();
        self.usage(fact, hour, &dimensions, sold.billed_seconds);
        self.put("charge", hour, dimensions, sold.charge.as_decimal());
        Ok(())
    }

    fn usage(&mut self, fact: &FactRow, hour: DateTime<Utc>, kind: &BTreeMap<String, String>, seconds: i32) {
        // A correction is no further call.
        if fact.correction.is_none() {
            self.put("calls", hour, kind.clone(), Decimal::ONE);
        }
        if seconds != 0 || fact.correction.is_none() {
            self.put("minutes", hour, kind.clone(), minutes(seconds.unsigned_abs()));
        }
    }

    fn put(&mut self, meter: &str, hour: DateTime<Utc>, dimensions: BTreeMap<String, String>, quantity: Decimal) {
        let (sum, events) = self.rows.entry((meter.to_owned(), hour, dimensions)).or_default();
        *sum += quantity;
        *events += 1;
    }

    pub(crate) fn rows(self) -> Vec<SumRow> {
        let row = |((meter, hour, dimensions), (quantity, events))| SumRow {
            customer_id: self.child.id,
            subscription_id: None,
            meter,
            hour,
            dimensions,
            quantity,
            events,
        };
        self.rows.into_iter().map(row).collect()
    }
}

/// What is known of a call here: the topic is the affair of the level below.
fn known<'a>(fact: &'a FactRow, number: Option<&'a str>) -> Known<'a> {
    Known {
        number,
        direction: &fact.direction,
        handled_by: fact.handled_by.as_deref(),
        language: fact.language.as_deref(),
        region: fact.region.as_deref(),
        ..Known::default()
    }
}
