//! From what the calls beneath a line were charged, tax inside, to the net that the line says: rows that add up to the last digit.

use crate::error::PageResult;
use crate::format;
use invoicing::Line;
use money::{Decimal, Money};

/// Millionths in one percent, as a rate is counted here.
const MILLIONTHS: i64 = 1_000_000;

/// Each row's words and amount; the last one is the line's net. Nothing where the line takes back what another one billed.
pub fn rows(line: &Line, charged: Money) -> PageResult<Vec<(String, Money)>> {
    if line.corrects.is_some() {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    let gross = line.gross.unwrap_or(charged);
    let elsewhere = gross.checked_sub(charged)?;
    if !elsewhere.is_zero() {
        rows.push(("On other invoices".to_owned(), elsewhere));
    }
    let millionths = i64::try_from(line.tax_percent * Decimal::from(MILLIONTHS)).unwrap_or_default();
    let tax = gross.scale(millionths, 100 * MILLIONTHS + millionths)?;
    if millionths != 0 {
        rows.push((format!("Tax in it, {}%", format::quantity(line.tax_percent)), tax.checked_neg()?));
    }
    // Tax is rounded once for the whole document; what that leaves on this line is said here.
    let rounding = line.amount.checked_sub(gross.checked_sub(tax)?)?;
    if !rounding.is_zero() {
        rows.push(("Rounding".to_owned(), rounding));
    }
    rows.push(("Net".to_owned(), line.amount));
    Ok(rows)
}
