//! How a call's net charge is shared by the levels above it; pure. Where the tenant collects, shares climb: each level takes its
//! part of what the level below got. Where the network collects, the money starts at the top of those levels that collect for
//! their child and comes down: each keeps its part of what it received and owes the rest.

use crate::error::Result;
use money::{Currency, Decimal, Money, Percent};
use subscription::{Collection, NumberTerms, ShareOf};

/// Where a book has the money from that it shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectedFrom {
    /// The callers' network: on its way.
    Network,
    /// The level above, which owes it.
    Seller,
}

/// What one book has of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub percent: Percent,
    /// What the book keeps: its sale to the level below.
    pub amount: Money,
    /// What was split.
    pub base: Money,
    /// Where the book collects: what it owes the level below, and whom it has it from.
    pub owed: Option<(Money, CollectedFrom)>,
}

/// One book above a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    pub terms: Option<NumberTerms>,
    /// Of the child in this book.
    pub currency: Currency,
}

/// What a book has to do for a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// No share: rent only, or nothing was charged.
    Nothing,
    Share(Share),
    /// The base is in another currency than the book's customer.
    MissingRate(Money),
    /// It collects, and nobody has said what it owes.
    MissingTerms(Money),
}

impl Part {
    pub(crate) fn share(&self) -> Option<&Share> {
        if let Self::Share(share) = self { Some(share) } else { None }
    }
}

/// The seller's part of a base, to the micro: the largest remainder, ties to the child.
fn cut(base: Money, share: Percent) -> Result<Money> {
    let kept_below = Percent::new(Decimal::ONE_HUNDRED - share.as_decimal())?;
    Ok(pricing::split(base, &[kept_below, share])?[1])
}

/// Parts of a call that its tenant collects, seller first.
pub(crate) fn climb(levels: &[Level], net: Money, received: Option<Money>) -> Result<Vec<Part>> {
    let mut received = received;
    let mut parts = Vec::with_capacity(levels.len());
    for level in levels {
        let part = match (&level.terms, received) {
            (Some(terms), received) if !terms.share.as_decimal().is_zero() => {
                match if terms.of == ShareOf::Gross { Some(net) } else { received } {
                    Some(base) if base.currency() != level.currency => Part::MissingRate(base),
                    Some(base) => {
                        let amount = cut(base, terms.share)?;
                        Part::Share(Share { percent: terms.share, amount, base, owed: None })
                    }
                    None => Part::Nothing,
                }
            }
            _ => Part::Nothing,
        };
        received = part.share().map(|share| share.amount);
        parts.push(part);
    }
    Ok(parts)
}

/// Parts of a call that is collected above its tenant, seller first.
pub(crate) fn descend(levels: &[Level], net: Money) -> Result<Vec<Part>> {
    let collects = |level: &Level| level.terms.is_some_and(|terms| terms.collection == Collection::Seller);
    // The tenant's seller at least, for the call was told so when it arrived.
    let top = levels.iter().skip(1).take_while(|level| collects(level)).count().min(levels.len().saturating_sub(1));
    let mut parts = vec![Part::Nothing; levels.len()];
    let mut received = net;
    for index in (0..=top.min(levels.len().saturating_sub(1))).rev() {
        let Some(level) = levels.get(index) else { break };
        let Some(terms) = level.terms else {
            parts[index] = Part::MissingTerms(received);
            return Ok(parts);
        };
        if received.currency() != level.currency {
            parts[index] = Part::MissingRate(received);
            return Ok(parts);
        }
        // Never more than it has: of the gross, a level between may be asked for what it did not get.
        let amount = match terms.of {
            ShareOf::Received => cut(received, terms.share)?,
            ShareOf::Gross => cut(net, terms.share)?.min(received)?,
        };
        let owed = received.checked_sub(amount)?;
        let from = if index == top { CollectedFrom::Network } else { CollectedFrom::Seller };
        parts[index] = Part::Share(Share { percent: terms.share, amount, base: received, owed: Some((owed, from)) });
        received = owed;
    }
    // Above the one who collects, shares climb again: from what it keeps.
    if let Some(above) = levels.get(top + 1..) {
        let kept = parts[top].share().map(|share| share.amount);
        parts.splice(top + 1.., climb(above, net, kept)?);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use db::{CustomerId, NumberId};

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    fn level(share: &str, collection: Collection, of: ShareOf) -> Level {
        let share = Percent::new(share.parse().unwrap()).unwrap();
        let (number_id, customer_id) = (NumberId::new(), CustomerId::new());
        let terms = NumberTerms { number_id, customer_id, share, collection, of, follows_customer: false };
        Level { terms: Some(terms), currency: Currency::EUR }
    }

    /// (kept, owed) of each level.
    fn sums(parts: &[Part]) -> Vec<(String, String)> {
        let told = |part: &Part| {
            let share = part.share().expect("a share");
            let owed = share.owed.map_or("-".to_owned(), |(owed, _)| owed.format_plain());
            (share.amount.format_plain(), owed)
        };
        parts.iter().map(told).collect()
    }

    fn pair(kept: &str, owed: &str) -> (String, String) {
        (kept.to_owned(), owed.to_owned())
    }

    #[test]
    fn shares_climb_where_the_tenant_collects_and_come_down_where_the_network_does() {
        use Collection::{Seller, Tenant};
        use ShareOf::Received;
        let chain = |collection| [level("30", collection, Received), level("30", collection, Received)];
        // 30% of 10.00 = 3.00 for the reseller; 30% of that = 0.90 for the operator
        let climbed = climb(&chain(Tenant), eur("10.00"), Some(eur("10.00"))).unwrap();
        assert_eq!(sums(&climbed), [pair("3.00", "-"), pair("0.90", "-")]);
        // the operator keeps 30% of 10.00 and owes 7.00; of those the reseller keeps 2.10 and owes 4.90: 3.00 + 2.10 + 4.90 = 10.00
        let come_down = descend(&chain(Seller), eur("10.00")).unwrap();
        assert_eq!(sums(&come_down), [pair("2.10", "4.90"), pair("3.00", "7.00")]);
        assert_eq!(come_down[1].share().unwrap().owed.unwrap().1, CollectedFrom::Network);
        assert_eq!(come_down[0].share().unwrap().owed.unwrap().1, CollectedFrom::Seller);
        // the reseller collects itself: 3.00 stay with it, of which the operator has 30%
        let mixed = [level("30", Seller, Received), level("30", Tenant, Received)];
        assert_eq!(sums(&descend(&mixed, eur("10.00")).unwrap()), [pair("3.00", "7.00"), pair("0.90", "-")]);
    }

    #[test]
    fn a_share_of_the_gross_is_of_the_caller_s_charge_and_never_more_than_was_received() {
        use Collection::{Seller, Tenant};
        use ShareOf::{Gross, Received};
        let chain = [level("30", Tenant, Received), level("20", Tenant, Gross)];
        // 30% of 10.00 = 3.00; 20% of the same 10.00 = 2.00
        let parts = climb(&chain, eur("10.00"), Some(eur("10.00"))).unwrap();
        assert_eq!(sums(&parts), [pair("3.00", "-"), pair("2.00", "-")]);
        // the operator keeps 80% = 8.00 and owes 2.00; the reseller's 30% of the gross would be 3.00, and it has 2.00
        let chain = [level("30", Seller, Gross), level("80", Seller, Received)];
        assert_eq!(sums(&descend(&chain, eur("10.00")).unwrap()), [pair("2.00", "0.00"), pair("8.00", "2.00")]);
    }

    #[test]
    fn every_split_sums_to_what_was_split_to_the_micro() {
        use Collection::Seller;
        use ShareOf::Received;
        for micros in [1, 2, 3, 7, 99, 101, 13_907_563, 999_999_999] {
            let net = Money::from_micros(micros, Currency::EUR);
            for share in ["30", "33.333", "0", "100"] {
                let levels = [level(share, Seller, Received), level("70", Seller, Received)];
                let parts = descend(&levels, net).unwrap();
                let [below, above] = [parts[0].share().unwrap(), parts[1].share().unwrap()];
                let owed = |share: &Share| share.owed.unwrap().0.micros();
                assert_eq!(above.amount.micros() + owed(above), micros);
                assert_eq!(below.amount.micros() + owed(below), owed(above));
            }
        }
    }

    #[test]
    fn a_level_that_collects_without_terms_owes_nothing_until_somebody_decides() {
        let levels = [Level { terms: None, currency: Currency::EUR }];
        assert_eq!(descend(&levels, eur("1.00")).unwrap(), [Part::MissingTerms(eur("1.00"))]);
        let dollars = [Level { currency: Currency::USD, ..level("30", Collection::Seller, ShareOf::Received) }];
        assert_eq!(descend(&dollars, eur("1.00")).unwrap(), [Part::MissingRate(eur("1.00"))]);
        assert_eq!(descend(&[], eur("1.00")).unwrap(), []);
    }
}
