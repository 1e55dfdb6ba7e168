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
    let letter = match treatment {
        TaxTreatment::Standard if seller_percent.is_zero() => "O",
        TaxTreatment::Standard => "S",
        TaxTreatment::ReverseCharge => "AE",
        TaxTreatment::Exempt => "E",
        TaxTreatment::OutOfScope => "O",
    };
    (letter, treatment.percent(seller_percent).normalize())
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

/// Gives each call line its share of the group's net, by what it grossed.
fn share_net(net: Money, calls: &mut [&mut Line]) -> Result<()> {
    let gross: Vec<Money> = calls.iter().filter_map(|line| line.gross).collect();
    let shares = shares(net, &gross)?;
    if shares.len() != calls.len() {
        return Err(InvoicingError::SumsMustAgree("a call line has no gross"));
    }
    calls.iter_mut().zip(shares).for_each(|(line, share)| line.amount = share);
    Ok(())
}

/// A group's net by what its lines grossed. A correction below zero has no weight to share by: then each line takes its own
/// proportion, and the first what rounding leaves. Where the lines sum to nothing, none has a proportion: each keeps its gross.
fn shares(net: Money, gross: &[Money]) -> Result<Vec<Money>> {
    if gross.iter().all(Money::is_zero) {
        return Ok(gross.iter().map(|_| Money::zero(net.currency())).collect());
    }
    if !gross.iter().any(Money::is_negative) {
        return Ok(net.allocate(&gross.iter().map(Money::as_decimal).collect::<Vec<_>>())?);
    }
    let whole = Money::sum(net.currency(), gross.iter().copied())?;
    // A ratio of two negative amounts is the ratio of the amounts.
    let (of, whole) = if whole.is_negative() { (net.checked_neg()?, whole.checked_neg()?) } else { (net, whole) };
    let mut shares = Vec::with_capacity(gross.len());
    for part in gross {
        let share = if whole.is_zero() { *part } else { part.scale(of.micros(), whole.micros())? };
        shares.push(share.to_minor(Rounding::HalfAwayFromZero)?.0);
    }
    let left = net.checked_sub(Money::sum(net.currency(), shares.iter().copied())?)?;
    shares[0] = shares[0].checked_add(left)?;
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_share_of_the_net_also_where_corrections_make_it_negative() {
        let eur = |text: &str| Money::parse(text, Currency::EUR).unwrap();
        for (net, gross, expected) in [
            ("30", vec!["11.90", "23.80"], vec!["10", "20"]),
            ("-30", vec!["-11.90", "-23.80"], vec!["-10", "-20"]),
            ("10", vec!["23.80", "-11.90"], vec!["20", "-10"]),
            ("-10", vec!["11.90", "-23.80"], vec!["10", "-20"]),
            // Nothing in all: no proportion, and the sum is right.
            ("0", vec!["11.90", "-11.90"], vec!["11.90", "-11.90"]),
            ("0", vec!["0", "0"], vec!["0", "0"]),
            // 0.01 / 1.19 = 0.0084 is 0.01 each; their sum -0.02 is one cent more than the net, and the first gives it back.
            ("-0.01", vec!["-0.01", "-0.01"], vec!["0", "-0.01"]),
        ] {
            let gross: Vec<Money> = gross.into_iter().map(eur).collect();
            let expected: Vec<Money> = expected.into_iter().map(eur).collect();
            assert_eq!(shares(eur(net), &gross).unwrap(), expected, "{net} by {gross:?}");
        }
    }
}
