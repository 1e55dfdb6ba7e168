//! Whether a book's documents keep their invariants: I6 (numbers have no gap or repeat), I7 (what is billed names its document
//! once), I9 (lines, tax groups and totals agree, and the tax account holds what documents say), I11 (nobody may change one),
//! I8 (payables are the unpaid shares), I16 (what was billed is what its usage comes to).

use crate::error::Result;
use crate::rerate;
use crate::store::{audit, settlements};
use chrono::{DateTime, Utc};
use db::TenantTx;
use ledger::{AccountKind, AccountRef, Violation, balance};
use money::{Currency, Money};
use std::collections::{BTreeMap, HashMap};

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
    violations.extend(payables(tx, now).await?);
    Ok(violations)
}

/// I8: a statement says what its shares sum to, and what the ledger owes to partners is what is unpaid of them.
async fn payables(tx: &TenantTx, now: DateTime<Utc>) -> Result<Vec<Violation>> {
    let mut violations = Vec::new();
    let mut found = |detail: String| violations.push(Violation { invariant: "I8", detail });
    let sums: HashMap<_, _> = ledger::settled(tx).await?.into_iter().collect();
    for (id, owed_micros) in settlements::owed(tx).await? {
        let shared = sums.get(&id).map_or(0, Money::micros);
        if shared != owed_micros {
            found(format!("settlement {id} says {owed_micros} micros are owed, its shares sum to {shared}"));
        }
    }
    let mut unpaid: BTreeMap<String, i64> = BTreeMap::new();
    for (_, owed) in ledger::unsettled(tx).await? {
        *unpaid.entry(owed.currency().code().to_owned()).or_default() += owed.micros();
    }
    for (currency, micros) in settlements::unpaid(tx).await? {
        *unpaid.entry(currency).or_default() += micros;
    }
    let balances = ledger::trial_balance(tx, now).await?.into_iter();
    for line in balances.filter(|line| line.kind == AccountKind::PartnerPayable) {
        unpaid.entry(line.balance.currency().code().to_owned()).or_default();
    }
    for (code, micros) in unpaid {
        let owed = Money::from_micros(micros, code.parse::<Currency>()?);
        let posted = balance(tx, AccountRef::Book(AccountKind::PartnerPayable), owed.currency(), now).await?;
        if posted != owed {
            found(format!("{owed} of shares are unpaid, the ledger owes {posted}"));
        }
    }
    Ok(violations)
}
