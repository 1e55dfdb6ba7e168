//! What a batch of calls counts in the book above: sums by the child's local hour and dimensions.

use crate::error::Result;
use crate::settlement::minutes;
use crate::split::Share;
use crate::store::upward::FactRow;
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

    pub(crate) fn add(&mut self, fact: &FactRow, seconds: i32, share: Option<&Share>) -> Result<()> {
        let hour = usage_metering::local_hour(fact.started_at, &self.child.time_zone)?;
        let number = BTreeMap::from([("number".to_owned(), fact.called.clone())]);
        let mut kind = number.clone();
        kind.insert("direction".to_owned(), "inbound".to_owned());
        // How the level below charged its caller is not how this book charges: a tariff there must not pass for one here.
        kind.extend(fact.handled_by.clone().map(|handled_by| ("handled_by".to_owned(), handled_by)));
        // A correction is no further call.
        if fact.correction.is_none() {
            self.put("calls", hour, kind.clone(), Decimal::ONE);
        }
        if seconds != 0 || fact.correction.is_none() {
            self.put("minutes", hour, kind, minutes(seconds.unsigned_abs()));
        }
        // A prepaid child pays its share call by call, from its wallet: it must not meet it again on a document. Where this book
        // collects, the child pays no share: it gets one.
        let is_billed = |share: &&Share| self.child.billing == Billing::Postpaid && share.owed.is_none();
        if let Some(share) = share.filter(is_billed) {
            self.put("share", hour, number, share.amount.as_decimal());
        }
        Ok(())
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
