//! Whether a book's documents keep their invariants: I6 (numbers have no gap or repeat), I7 (what is billed names its document
//! once), I9 (lines, tax groups and totals agree, and the tax account holds what documents say), I11 (nobody may change one),
//! I16 (what was billed is what its usage comes to).

use crate::error::Result;
use crate::rerate;
use crate::store::audit;
use chrono::{DateTime, Utc};
use db::TenantTx;
use ledger::{AccountKind, AccountRef, Violation, balance};

/// All violations in this book.
pub async fn check(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for (invariant, found) in [
        ("I6", audit::torn_series(tx).await?),
        ("I7", audit::unclaimed(tx).await?),
        ("I9", audit::torn_sums(tx).await?),
        ("I11", audit::changeable(tx).await?),
        ("I16", rerate::differences(tx, now).await?),
    ] {
        violations.extend(found.into_iter().map(|detail| Violation { invariant, detail }));
    }
    for said in audit::tax_by_currency(tx).await? {
        let posted = balance(tx, AccountRef::Book(AccountKind::Tax), said.currency(), now).await?;
        if posted != said {
            violations.push(Violation {
                invariant: "I9",
                detail: format!("documents say {said} of tax, the ledger says {posted}"),
            });
        }
    }
    Ok(violations)
}
