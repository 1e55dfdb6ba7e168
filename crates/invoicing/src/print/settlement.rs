//! The page of a statement: how what was collected is shared, and where the payee's share is paid to.

use super::{Payout, Share, Split, SplitRow, SplitTotal};
use crate::error::Result;
use crate::settle::minutes;
use crate::settlement::{Statement, StatementRow, fitted};
use crate::words;
use chrono::NaiveDate;
use money::{Currency, Decimal, Money};

/// Words that a payout block knows.
const BANK_WORDS: [&str; 6] = ["iban", "bic", "bank", "account", "routing", "swift"];

/// The split as it is printed: in the minor unit, every column summing to its total.
pub(crate) fn split(currency: Currency, statement: &Statement, language: &str) -> Result<Split> {
    let rows: Vec<&StatementRow> = statement.all().collect();
    let column = |of: fn(&StatementRow) -> Money| -> Result<Vec<Money>> {
        fitted(currency, &rows.iter().map(|row| of(row)).collect::<Vec<_>>())
    };
    let (gross, owed) = (column(|row| row.gross)?, column(|row| row.owed)?);
    let amount = |money: Money| {
        let mut decimal = money.as_decimal();
        decimal.rescale(currency.exponent());
        decimal
    };
    let sums = |calls: i64, seconds: i64, gross: Money, owed: Money| -> Result<SplitTotal> {
        Ok(SplitTotal {
            calls: calls.into(),
            minutes: minutes(seconds).normalize(),
            gross: amount(gross),
            supplier: amount(owed),
            platform: amount(gross.checked_sub(owed)?),
        })
    };
    let mut printed = Vec::with_capacity(rows.len());
    for ((row, gross), owed) in rows.iter().zip(&gross).zip(&owed) {
        let cost = (!row.carrier_cost.is_zero()).then(|| words::carrier_cost(language, row.carrier_cost));
        let details: Vec<String> =
            Some(row.note.clone()).filter(|note| !note.is_empty()).into_iter().chain(cost).collect();
        printed.push(SplitRow {
            text: row.called.clone(),
            detail: (!details.is_empty()).then(|| details.join(" · ")),
            sums: sums(row.calls, row.seconds, *gross, *owed)?,
        });
    }
    let whole = Statement::sum(currency, statement.all())?;
    let (gross, owed) = (Money::sum(currency, gross)?, Money::sum(currency, owed)?);
    let total = sums(whole.calls, whole.seconds, gross, owed)?;
    let percent = match total.gross.is_zero() {
        true => Decimal::ZERO,
        false => (total.supplier * Decimal::ONE_HUNDRED / total.gross).round_dp(2).normalize(),
    };
    let shares = vec![
        Share { percent, amount: total.supplier },
        Share { percent: (Decimal::ONE_HUNDRED - percent).normalize(), amount: total.platform },
    ];
    Ok(Split { gross: total.gross, shares, rows: printed, total })
}

/// Where and when it is paid.
pub(crate) fn payout(statement: &Statement, number: &str, on: NaiveDate) -> Payout {
    let payee = &statement.payee;
    let known = |word: &str| BANK_WORDS.into_iter().find(|known| *known == word.to_lowercase());
    let mut bank: super::Bank =
        payee.bank.iter().filter_map(|(word, value)| Some((known(word)?.to_owned(), value.clone()))).collect();
    if !bank.is_empty() {
        bank.insert(0, ("beneficiary".to_owned(), payee.party.name.clone()));
        bank.push(("reference".to_owned(), number.to_owned()));
    }
    Payout { date: on, bank }
}
