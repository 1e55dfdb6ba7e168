//! Whether payments keep their invariants.

use crate::error::PaymentError;
use crate::store::allocations as store;
use chrono::{DateTime, Utc};
use db::TenantTx;
use ledger::Violation;

/// I10: money is what the ledger moved, what is paid and refunded out of a payment never exceeds it, and no document is paid beyond
/// what is due.
pub async fn check(tx: &TenantTx, _now: DateTime<Utc>) -> Result<Vec<Violation>, PaymentError> {
    let mut violations = Vec::new();
    for (payment_id, amount, used) in store::overdrawn(tx).await? {
        let detail = format!("{payment_id}: {used} used of {amount}");
        violations.push(Violation { invariant: "I10", detail });
    }
    for (what, amount, posted) in store::posted_otherwise(tx).await? {
        violations.push(Violation {
            invariant: "I10",
            detail: format!("{what} is of {amount} and the ledger moved {posted}"),
        });
    }
    for customer_id in store::customers_with_allocations(tx).await? {
        let documents = invoicing::open_documents(tx, customer_id).await?;
        let paid = store::paid(tx, &documents.iter().map(|document| document.id).collect::<Vec<_>>()).await?;
        for document in documents {
            let Some(paid) = paid.get(&document.id) else { continue };
            if !document.due.at_least(*paid)? {
                let detail = format!("{}: {paid} paid of {} due", document.id, document.due);
                violations.push(Violation { invariant: "I10", detail });
            }
        }
    }
    Ok(violations)
}
