//! Where a price makes more usage cheaper: just above the bound of a tier that lowers the price of everything.

use crate::error::Result;
use money::{Currency, Money};
use pricing::{Model, Price, RoundTo, Usage};
use rust_decimal::Decimal;

/// A quantity above which more is cheaper. A warning, never a refusal: volume prices are sold on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cliff {
    /// The value of the dimension whose price this is, where the price has one.
    pub case: Option<String>,
    /// The last quantity of the dearer tier.
    pub at: Decimal,
    /// What it costs.
    pub amount: Money,
    /// What one unit more costs in all.
    pub amount_above: Money,
}

/// Every cliff of a price, by quantity.
pub fn cliffs(price: &Price, currency: Currency) -> Result<Vec<Cliff>> {
    let mut found = Vec::new();
    look(price, currency, None, &mut found)?;
    Ok(found)
}

fn look(price: &Price, currency: Currency, case: Option<&str>, found: &mut Vec<Cliff>) -> Result<()> {
    if let Model::By { cases, default, .. } = &price.model {
        for (value, price) in cases {
            look(price, currency, Some(value), found)?;
        }
        return default.as_deref().map_or(Ok(()), |price| look(price, currency, Some("otherwise"), found));
    }
    // Rounded to micros: what rounding alone makes cheaper is no cliff.
    let amount = |quantity| price.money(&Usage::of(quantity), currency, RoundTo::Micros);
    for at in bounds(&price.model) {
        let (amount, amount_above) = (amount(at)?, amount(at + Decimal::ONE)?);
        if amount_above.micros() < amount.micros() {
            found.push(Cliff { case: case.map(str::to_owned), at, amount, amount_above });
        }
    }
    Ok(())
}

/// The bounds of tiers that price all of a quantity.
fn bounds(model: &Model) -> Vec<Decimal> {
    match model {
        Model::Volume { tiers } => tiers.iter().filter_map(|tier| tier.up_to).collect(),
        Model::Stairstep { tiers } => tiers.iter().filter_map(|tier| tier.up_to).collect(),
        // Slices, packages and shares only ever add.
        Model::Graduated { .. }
        | Model::GraduatedPercent { .. }
        | Model::PerUnit { .. }
        | Model::Package { .. }
        | Model::Percent(_)
        | Model::By { .. } => Vec::new(),
    }
}
