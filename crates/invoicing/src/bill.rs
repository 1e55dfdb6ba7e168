//! The lines of a customer's document: components, then percentages, then the commitment's true-up, then discounts; in
//! months that were billed before, only what has changed since.

use crate::content::{Claim, Line, LineSource};
use crate::due::{BilledBefore, Contract, Due};
use crate::error::{InvoicingError, Result};
use crate::rate::Quantities;
use crate::target::{Target, claimed_from, late};
use crate::{calls, tax};
use db::LineId;
use money::{Currency, Decimal};
use std::collections::BTreeMap;
use subscription::Customer;

/// What all documents of a book have in common.
pub(crate) struct Seller {
    pub language: String,
    pub tax_percent: Decimal,
    /// Names of topics, those that were removed too.
    pub topics: BTreeMap<String, String>,
}

/// One customer's document in the making.
pub(crate) struct Billing<'a> {
    pub seller: &'a Seller,
    pub customer: &'a Customer,
    pub contracts: &'a [Contract],
    pub billed: &'a BilledBefore,
    /// Answers to [`Due::reads`], in their order.
    pub quantities: &'a [Quantities],
}

/// Lines before tax, and what they claim.
pub(crate) struct Bill {
    pub lines: Vec<Line>,
    pub claims: Vec<Claim>,
}

impl Billing<'_> {
    /// All lines that are due.
    pub(crate) fn lines(&self, due: &Due) -> Result<Bill> {
        for contract in self.contracts {
            let (expected, found) = (self.customer.currency, contract.attached.version.currency);
            if expected != found {
                return Err(InvoicingError::CurrencyMustMatchCustomer { expected, found });
            }
        }
        let mut billed = Bill { lines: Vec::new(), claims: Vec::new() };
        for month in &due.months {
            for target in self.month(month)? {
                self.take(month.contract, target, &mut billed)?;
            }
        }
        self.advances(&due.advances, &mut billed)?;
        calls::lines(self, &due.calls, &mut billed)?;
        billed.lines.sort_by_key(|line| (line.group, line.service.starts_at));
        Ok(billed)
    }

    pub(crate) fn currency(&self) -> Currency {
        self.customer.currency
    }

    /// Bills what is new, and the difference where it was billed before.
    pub(crate) fn take(&self, contract: usize, target: Target, billed: &mut Bill) -> Result<()> {
        let contract = &self.contracts[contract];
        let id = contract.subscription.id.uuid();
        let starts_at = claimed_from(contract, &target);
        let mut claim = Claim {
            billed_id: id,
            component_key: target.key.clone(),
            service_starts_at: starts_at,
            service_ends_at: target.service.ends_at,
            kind: "charge".to_owned(),
            quantity: target.quantity,
            amount: target.amount,
        };
        if self.billed.is_new(id, &target.key, starts_at) {
            if !target.amount.is_zero() || !target.quantity.is_zero() && !matches!(target.source, LineSource::None) {
                billed.lines.push(self.line(contract, target));
            }
            billed.claims.push(claim);
            return Ok(());
        }
        let Some(before) = self.billed.of(id, &target.key, starts_at).filter(|_| target.changes) else { return Ok(()) };
        let difference = target.amount.checked_sub(before.amount)?;
        if difference.is_zero() {
            return Ok(());
        }
        claim.kind = format!("late-{}", before.times);
        claim.quantity = target.quantity - before.quantity;
        claim.amount = difference;
        billed
            .lines
            .push(self.line(contract, late(target, before.amount, claim.quantity, difference, &self.seller.language)));
        billed.claims.push(claim);
        Ok(())
    }

    fn line(&self, contract: &Contract, target: Target) -> Line {
        let (category, percent) = tax::category(self.customer.tax_treatment, self.seller.tax_percent);
        Line {
            id: LineId::new(),
            group: target.group,
            subscription_id: Some(contract.subscription.id),
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
            tax_category: category.to_owned(),
            tax_percent: percent,
            explanation: target.explanation,
            source: target.source,
        }
    }
}
