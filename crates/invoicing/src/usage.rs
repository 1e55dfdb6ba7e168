//! Reads of usage for documents: sums of rollups, never events.

use crate::error::Result;
use crate::rate::Quantities;
use chrono::{DateTime, Utc};
use db::{CustomerId, TenantTx};
use money::Decimal;
use std::collections::BTreeMap;
use usage_metering::{Aggregate, DimensionSum, UsageOf, UsageQuery, quantities, sums_by_dimension};

/// Dimension that says whether a tariff or a component charged a call.
const CHARGED_BY: &str = "charged_by";
const TARIFF: &str = "tariff";

/// How usage of a period becomes a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    Sum,
    /// The highest hour.
    Max,
    /// Different values of a dimension.
    Distinct(&'static str),
}

/// A question about usage.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub customer_id: CustomerId,
    pub of: UsageOf,
    pub meter: String,
    pub filter: BTreeMap<String, String>,
    /// Apart by these dimensions.
    pub dimensions: Vec<String>,
    pub counted: Counted,
    /// Calls that their topic's tariff has charged count, too: where one asks what another plan would have charged.
    pub with_tariff_calls: bool,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Read {
    fn query(&self) -> UsageQuery {
        UsageQuery {
            customer_id: self.customer_id,
            of: self.of,
            meter: self.meter.clone(),
            filter: self.filter.clone(),
            from: self.from,
            to: self.to,
        }
    }

    /// Calls that their topic's tariff has charged are not a component's: a call is charged once.
    fn shares_with_tariffs(&self) -> bool {
        let is_call_meter = matches!(self.meter.as_str(), "calls" | "minutes");
        is_call_meter && !self.with_tariff_calls && !self.filter.contains_key(CHARGED_BY)
    }

    /// Its own dimensions, and the one that tells who charged a call.
    fn asked(&self) -> Vec<String> {
        let charged_by = self.shares_with_tariffs().then(|| CHARGED_BY.to_owned());
        self.dimensions.iter().cloned().chain(charged_by).collect()
    }

    /// Sums by its own dimensions, without calls that a tariff has charged.
    fn kept(&self, found: Vec<DimensionSum>) -> Quantities {
        let mut sums: BTreeMap<BTreeMap<String, String>, Decimal> = BTreeMap::new();
        for found in found {
            let by_tariff = found.dimensions.get(CHARGED_BY).is_some_and(|charged_by| charged_by == TARIFF);
            if by_tariff && self.shares_with_tariffs() {
                continue;
            }
            let kept =
                found.dimensions.into_iter().filter(|(dimension, _)| self.dimensions.contains(dimension)).collect();
            *sums.entry(kept).or_default() += found.quantity;
        }
        sums.into_iter().collect()
    }

    fn aggregate(&self) -> Aggregate {
        match self.counted {
            Counted::Sum => Aggregate::Sum,
            Counted::Max => Aggregate::Max,
            Counted::Distinct(dimension) => Aggregate::CountDistinct(dimension.to_owned()),
        }
    }
}

/// Answers reads in their order. Plain sums of a whole block are one statement, sums by dimension another.
pub(crate) async fn answer(tx: &TenantTx, reads: &[Read]) -> Result<Vec<Quantities>> {
    let mut answers: Vec<Quantities> = vec![Vec::new(); reads.len()];
    let mut queries = Vec::new();
    let mut places = Vec::new();
    for (place, read) in reads.iter().enumerate() {
        if !read.dimensions.is_empty() {
            continue;
        }
        queries.push((read.query(), read.aggregate()));
        places.push((place, Decimal::ONE));
        if read.shares_with_tariffs() {
            let mut charged = read.query();
            charged.filter.insert(CHARGED_BY.to_owned(), TARIFF.to_owned());
            queries.push((charged, read.aggregate()));
            places.push((place, -Decimal::ONE));
        }
    }
    for ((place, sign), quantity) in places.into_iter().zip(quantities(tx, &queries).await?) {
        match answers[place].first_mut() {
            Some((_, sum)) => *sum += sign * quantity,
            None => answers[place].push((BTreeMap::new(), sign * quantity)),
        }
    }
    let apart: Vec<(usize, &Read)> = reads.iter().enumerate().filter(|(_, read)| !read.dimensions.is_empty()).collect();
    let queries: Vec<(UsageQuery, Vec<String>)> = apart.iter().map(|(_, read)| (read.query(), read.asked())).collect();
    for ((place, read), found) in apart.into_iter().zip(sums_by_dimension(tx, &queries).await?) {
        answers[place] = read.kept(found);
    }
    Ok(answers)
}
