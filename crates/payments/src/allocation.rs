//! Which documents a payment pays: the oldest first.

use crate::error::PaymentError;
use crate::store::{allocations as store, payments};
use db::{CustomerId, DocumentId, PaymentId, TenantTx};
use invoicing::OpenDocument;
use money::Money;
use std::collections::BTreeMap;
use subscription::{Customer, lock_customer};

/// What a payment pays of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub payment_id: PaymentId,
    pub document_id: DocumentId,
    /// Above zero; below where an earlier share is taken back.
    pub amount: Money,
}

/// Sets a customer's payments against its documents anew, as far as they moved: what was paid on a document that a credit
/// note made smaller is free again, and what is free pays the documents that are open now, the oldest payment and the
/// oldest document first. To be called when a document or a credit note has become final.
pub async fn allocate_credit(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<Share>, PaymentError> {
    let customer = lock_customer(tx, customer_id).await?.ok_or(PaymentError::CustomerMustExist(customer_id))?;
    allocate_credit_of(tx, &customer).await
}

/// The same for every customer of the book that has credit left: to be called after a run. Returns how many documents got some.
pub async fn allocate_all_credit(tx: &TenantTx) -> Result<u64, PaymentError> {
    let mut paid = 0;
    // By id, so that two of these hold customers in the same order.
    for customer_id in payments::customers_with_credit(tx).await? {
        paid +=
            allocate_credit(tx, customer_id).await?.iter().filter(|share| share.amount.is_positive()).count() as u64;
    }
    Ok(paid)
}

/// Which documents a customer's payments pay: one share for each payment and document, in the order of the payments.
pub async fn shares_of(tx: &TenantTx, customer_id: CustomerId) -> Result<Vec<Share>, PaymentError> {
    store::of_customer(tx, customer_id).await
}

/// The same for a customer that is held already.
pub(crate) async fn allocate_credit_of(tx: &TenantTx, customer: &Customer) -> Result<Vec<Share>, PaymentError> {
    let documents = invoicing::open_documents(tx, customer.id).await?;
    let released = overpaid(&store::of_customer(tx, customer.id).await?, &documents)?;
    store::insert(tx, customer.id, &released).await?;
    let credits = payments::with_credit(tx, customer.id).await?;
    let paid = store::paid(tx, &documents.iter().map(|document| document.id).collect::<Vec<_>>()).await?;
    let shares = shares_for(&credits, &documents, &paid)?;
    store::insert(tx, customer.id, &shares).await?;
    Ok(released.into_iter().chain(shares).collect())
}

/// What is paid beyond what a document still asks for, taken back from its latest payments first. `shares` are sums per
/// payment and document, in the order of the payments. A document that is not among the open ones asks for nothing.
pub fn overpaid(shares: &[Share], documents: &[OpenDocument]) -> Result<Vec<Share>, PaymentError> {
    let mut asked: BTreeMap<DocumentId, Money> = documents.iter().map(|document| (document.id, document.due)).collect();
    let mut released = Vec::new();
    for share in shares {
        let nothing = Money::zero(share.amount.currency());
        let left = asked.entry(share.document_id).or_insert(nothing);
        let kept = share.amount.min(*left)?.max(nothing)?;
        *left = left.checked_sub(kept)?;
        let excess = share.amount.checked_sub(kept)?;
        if excess.is_positive() {
            released.push(Share { amount: excess.checked_neg()?, ..*share });
        }
    }
    Ok(released)
}

/// Splits credits (a payment and what is left of it, the oldest first) over what is unpaid of documents, by due date and
/// then by number. Documents with nothing due, and those in another currency, are passed over.
pub fn shares_for(
    credits: &[(PaymentId, Money)],
    documents: &[OpenDocument],
    paid: &BTreeMap<DocumentId, Money>,
) -> Result<Vec<Share>, PaymentError> {
    let mut documents: Vec<&OpenDocument> = documents.iter().collect();
    documents.sort_by(|a, b| (a.due_on, &a.number).cmp(&(b.due_on, &b.number)));
    let mut unpaid = Vec::with_capacity(documents.len());
    for document in documents {
        let open = match paid.get(&document.id) {
            Some(paid) => document.due.checked_sub(*paid)?,
            None => document.due,
        };
        unpaid.push((document.id, open));
    }
    let mut shares = Vec::new();
    for (payment_id, left) in credits {
        let mut left = *left;
        for (document_id, open) in &mut unpaid {
            if left.currency() != open.currency() || !open.is_positive() || !left.is_positive() {
                continue;
            }
            let amount = left.min(*open)?;
            left = left.checked_sub(amount)?;
            *open = open.checked_sub(amount)?;
            shares.push(Share { payment_id: *payment_id, document_id: *document_id, amount });
        }
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use money::Currency;

    fn eur(text: &str) -> Money {
        Money::parse(text, Currency::EUR).unwrap()
    }

    fn document(number: &str, due_on: &str, due: Money) -> OpenDocument {
        let due_on = due_on.parse().unwrap();
        OpenDocument {
            id: DocumentId::new(),
            number: number.into(),
            customer_id: CustomerId::new(),
            issued_on: due_on,
            due_on,
            due,
        }
    }

    #[test]
    fn the_oldest_payment_pays_the_document_that_is_due_first() {
        let late = document("AC-3", "2026-03-01", eur("50"));
        let first = document("AC-1", "2026-01-01", eur("30"));
        let second = document("AC-2", "2026-01-01", eur("20"));
        let nothing = document("AC-0", "2025-01-01", eur("0"));
        let foreign = document("AC-9", "2025-01-01", Money::parse("99", Currency::USD).unwrap());
        let (old, new) = (PaymentId::new(), PaymentId::new());
        // 10 of AC-1 is paid already: 20 + 20 + 50 are open, and 25 + 40 come in
        let paid = BTreeMap::from([(first.id, eur("10"))]);
        let documents = [late.clone(), second.clone(), foreign, nothing, first.clone()];
        let shares = shares_for(&[(old, eur("25")), (new, eur("40"))], &documents, &paid).unwrap();
        let expected = [(old, first.id, "20"), (old, second.id, "5"), (new, second.id, "15"), (new, late.id, "25")];
        assert_eq!(
            shares,
            expected.map(|(payment_id, document_id, amount)| Share { payment_id, document_id, amount: eur(amount) })
        );
    }

    #[test]
    fn what_a_credit_note_takes_back_frees_the_latest_payment_first() {
        let partly = document("AC-1", "2026-01-01", eur("30"));
        let (old, new) = (PaymentId::new(), PaymentId::new());
        let gone = DocumentId::new();
        let share = |payment_id, document_id, amount| Share { payment_id, document_id, amount: eur(amount) };
        // AC-1 asked for 50 and got 20 + 30; now it asks for 30: 20 are kept, 10 of the 30 are kept, 20 are free
        let shares = [share(old, partly.id, "20"), share(new, partly.id, "30"), share(new, gone, "5")];
        let released = overpaid(&shares, std::slice::from_ref(&partly)).unwrap();
        assert_eq!(released, [share(new, partly.id, "-20"), share(new, gone, "-5")]);
    }
}
