//! Tax of a document: one group for each category and rate, rounded once for what is priced net and once for what is priced
//! with tax inside.

use crate::content::{Line, TaxRow};
use crate::error::{InvoicingError, Result};
use money::{Currency, Decimal, Money, Percent, Rounding};
use pricing::{Exact, RoundTo, TaxLine, TaxSum, tax_groups, tax_groups_inclusive};
use subscription::TaxTreatment;

/// The category (EN 16931 letter) and rate of a customer's lines. The rate is the seller's; a seller without one is outside
/// the scope of VAT.
pub(crate) fn category(treatment: TaxTreatment, seller_percent: Decimal) -> (&'static str, Decimal) {
    match treatment {
        TaxTreatment::Standard if seller_percent.is_zero() => ("O", Decimal::ZERO),
        TaxTreatment::Standard => ("S", seller_percent.normalize()),
        TaxTreatment::ReverseCharge => ("AE", Decimal::ZERO),
        TaxTreatment::Exempt => ("E", Decimal::ZERO),
        TaxTreatment::OutOfScope => ("O", Decimal::ZERO),
    }
}

/// The tax groups of a document and what its calls come to.
pub(crate) struct Taxed {
    pub rows: Vec<TaxRow>,
    /// Net of the lines that are priced net.
    pub net_of_components: Money,
    /// Gross of tariff calls, in minor units: what their charges sum to, rounded once per group.
    pub gross_of_calls: Money,
    /// The same before rounding, in micros.
    pub exact_of_calls: Money,
    /// That without tax, in micros: what postpaid calls accrued as revenue when they ended.
    pub accrued_of_calls: Money,
}

/// Taxes lines. Lines with a gross (tariff calls) get their net here: `net = gross / (1 + rate)` of the group, shared by
/// the largest remainder, so that what callers were charged is what the document says they were charged.
pub(crate) fn tax(currency: Currency, lines: &mut [Line]) -> Result<Taxed> {
    let zero = Money::zero(currency);
    let mut taxed = Taxed {
        rows: Vec::new(),
        net_of_components: zero,
        gross_of_calls: zero,
        exact_of_calls: zero,
        accrued_of_calls: zero,
    };
    let mut keys: Vec<(String, Decimal)> = Vec::new();
    for line in lines.iter() {
        let key = (line.tax_category.clone(), line.tax_percent);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    for (category, percent) in keys {
        let of_group = |line: &&mut Line| line.tax_category == category && line.tax_percent == percent;
        let (mut calls, components): (Vec<&mut Line>, Vec<&mut Line>) =
            lines.iter_mut().filter(of_group).partition(|line| line.gross.is_some());
        let rate = Percent::new(percent)?;
        let net = Money::sum(currency, components.iter().map(|line| line.amount))?;
        let on_top = single(&tax_groups(currency, &[TaxLine { amount: net, rate, category: category.clone() }])?);
        let exact = Money::sum(currency, calls.iter().filter_map(|line| line.gross))?;
        let (gross, _) = exact.to_minor(Rounding::HalfAwayFromZero)?;
        let inside =
            single(&tax_groups_inclusive(currency, &[TaxLine { amount: gross, rate, category: category.clone() }])?);
        share_net(inside.0, &mut calls)?;
        let base = net.checked_add(inside.0)?;
        taxed.rows.push(TaxRow { category, percent, base, tax: on_top.1.checked_add(inside.1)? });
        taxed.net_of_components = taxed.net_of_components.checked_add(net)?;
        taxed.gross_of_calls = taxed.gross_of_calls.checked_add(gross)?;
        taxed.exact_of_calls = taxed.exact_of_calls.checked_add(exact)?;
        let whole = Exact::integer(1).plus(&Exact::from(percent).hundredths());
        let accrued = Exact::from(exact).over(&whole)?.to_money(currency, RoundTo::Micros)?;
        taxed.accrued_of_calls = taxed.accrued_of_calls.checked_add(accrued)?;
    }
    Ok(taxed)
}

fn single(sum: &TaxSum) -> (Money, Money) {
    (sum.net, sum.tax)
}

/// Gives each call line its share of the group's net, by what it grossed. A correction below zero has no weight to share by:
/// then each line takes its own proportion, and the first what rounding leaves.
fn share_net(net: Money, calls: &mut [&mut Line]) -> Result<()> {
    let gross: Vec<Money> = calls.iter().filter_map(|line| line.gross).collect();
    if gross.iter().all(Money::is_zero) {
        calls.iter_mut().for_each(|line| line.amount = Money::zero(net.currency()));
        return Ok(());
    }
    let shares = if gross.iter().any(Money::is_negative) {
        let whole = Money::sum(net.currency(), gross.iter().copied())?;
        let mut shares = Vec::with_capacity(gross.len());
        for part in &gross {
            let share = if whole.is_positive() { part.scale(net.micros(), whole.micros())? } else { *part };
            shares.push(share.to_minor(Rounding::HalfAwayFromZero)?.0);
        }
        let left = net.checked_sub(Money::sum(net.currency(), shares.iter().copied())?)?;
        shares[0] = shares[0].checked_add(left)?;
        shares
    } else {
        net.allocate(&gross.iter().map(Money::as_decimal).collect::<Vec<_>>())?
    };
    if shares.len() != calls.len() {
        return Err(InvoicingError::SumsMustAgree("a call line has no gross"));
    }
    calls.iter_mut().zip(shares).for_each(|(line, share)| line.amount = share);
    Ok(())
}
