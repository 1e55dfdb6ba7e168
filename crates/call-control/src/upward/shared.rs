//! Calls in: each level's share of what the level below received, or, where a level collects, what it keeps and owes.

use crate::error::{CallError, Result};
use crate::explanation::read_currency;
use crate::store::legs::{self, Standing};
use crate::store::upward::{Correction, FactRow};
use crate::upward::split::{self, Level, Share};
use crate::upward::{Book, Climbing, Part};
use db::{CallId, Db, NumberId, TenantTx};
use money::Money;
use std::collections::HashMap;
use subscription::NumberTerms;
use tenant::Upward;

/// What the book of this transaction takes from its child for a number that the child collects: of what the level below received,
/// or of the net charge. `None` without terms.
pub(crate) async fn share(
    tx: &TenantTx,
    step: &Upward,
    number_id: NumberId,
    net: Money,
    received: Option<Money>,
) -> Result<Option<Share>> {
    let terms = subscription::number_terms(tx, number_id).await?.filter(|terms| terms.customer_id == step.customer_id);
    let level = Level { terms, currency: net.currency() };
    Ok(split::climb(&[level], net, received)?.first().and_then(|part| part.share().copied()))
}

/// What a book above knows before it takes its part.
struct Terms<'a> {
    book: &'a Book,
    by_number: HashMap<NumberId, NumberTerms>,
    /// What calls that are corrected or taken back had come to here.
    standing: HashMap<CallId, Standing>,
}

/// Every book's part of these calls.
pub(super) async fn climbing(db: &Db, books: &[Book], facts: Vec<FactRow>) -> Result<Vec<Climbing>> {
    if facts.is_empty() {
        return Ok(Vec::new());
    }
    let mut levels = Vec::with_capacity(books.len());
    for book in books {
        levels.push(Terms::read(db, book, &facts).await?);
    }
    let climbing = |fact: FactRow| Ok(Climbing { parts: parts_of(&levels, &fact)?, fact });
    facts.into_iter().map(climbing).collect()
}

impl Terms<'_> {
    async fn read<'a>(db: &Db, book: &'a Book, facts: &[FactRow]) -> Result<Terms<'a>> {
        let tx = db.tenant(book.step.book).await?;
        let terms = subscription::all_number_terms(&tx).await?.into_iter();
        let terms = terms.filter(|terms| terms.customer_id == book.step.customer_id);
        let corrected = facts.iter().filter(|fact| fact.correction.is_some());
        let corrected: Vec<CallId> = corrected.map(FactRow::call_id).collect();
        let standing = legs::standing(&tx, &corrected).await?;
        Ok(Terms { book, by_number: terms.map(|terms| (terms.number_id, terms)).collect(), standing })
    }

    /// The terms of a call. What corrects it is split as the call was, whatever has been agreed since.
    fn of(&self, fact: &FactRow) -> Option<NumberTerms> {
        let terms = self.by_number.get(&fact.number_id.into()).copied();
        let Some(standing) = self.standing.get(&fact.call_id()) else { return terms };
        match standing.share {
            Some(share) => terms.map(|terms| NumberTerms { share: share.percent, ..terms }),
            // Without a share it was rent only, or waits for a rate, as its correction then does.
            None => terms.filter(|_| fact.currency.as_deref() != Some(self.book.child.currency.code())),
        }
    }
}

fn parts_of(levels: &[Terms<'_>], fact: &FactRow) -> Result<Vec<Part>> {
    if fact.correction() == Some(Correction::Reversal) {
        return levels.iter().map(|level| mirrored(level, fact)).collect();
    }
    let currency = fact.currency.as_deref().map(read_currency).transpose()?;
    let Some((micros, currency)) = fact.net_micros.zip(currency) else {
        return Ok(levels.iter().map(|_| Part::Shared(split::Part::Nothing, 0)).collect());
    };
    let net = Money::from_micros(micros, currency);
    let level = |level: &Terms<'_>| Level { terms: level.of(fact), currency: level.book.child.currency };
    let levels: Vec<Level> = levels.iter().map(level).collect();
    let parts = match fact.collected_by.as_str() {
        "seller" => split::descend(&levels, net)?,
        _ => split::climb(&levels, net, Some(net))?,
    };
    Ok(parts.into_iter().map(|part| Part::Shared(part, 0)).collect())
}

/// A call that is taken back: what stands of it in the book, with the other sign.
fn mirrored(level: &Terms<'_>, fact: &FactRow) -> Result<Part> {
    let call_id = fact.call_id();
    let standing = level.standing.get(&call_id).ok_or(CallError::LegsMustComeFirst(call_id))?;
    let Some(share) = &standing.share else { return Ok(Part::Shared(split::Part::Nothing, 0)) };
    let owed = share.owed.map(|(owed, from)| owed.checked_neg().map(|owed| (owed, from))).transpose()?;
    let (percent, amount, base) = (share.percent, share.amount.checked_neg()?, share.base.checked_neg()?);
    Ok(Part::Shared(split::Part::Share(Share { percent, amount, base, owed }), standing.unpaid_micros))
}
