//! `ringtill audit`: every invariant that applies, over every book. Run by tests after each story and by the operator at will.

use chrono::{DateTime, Utc};
use db::{Db, PlatformReason, TenantId};
use std::fmt;

/// What the audit found.
#[derive(Debug, Default)]
pub struct Report {
    /// Books looked at.
    pub books: usize,
    /// Each violation: book, invariant, what is wrong.
    pub violations: Vec<(String, String, String)>,
}

impl Report {
    /// Nothing is violated.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (book, invariant, detail) in &self.violations {
            writeln!(f, "{invariant} {book}: {detail}")?;
        }
        match self.violations.len() {
            0 => writeln!(f, "{} books, no violation", self.books),
            1 => writeln!(f, "{} books, 1 violation", self.books),
            n => writeln!(f, "{} books, {n} violations", self.books),
        }
    }
}

/// Checks all books. Reads only; each book in its own transaction.
pub async fn check_all(db: &Db, now: DateTime<Utc>) -> anyhow::Result<Report> {
    let tx = db.platform(PlatformReason::Audit).await?;
    let organisations = tenant::organisations(&tx).await?;
    tx.commit().await?;
    let mut report = Report { books: organisations.len(), ..Report::default() };
    for organisation in organisations {
        for (invariant, detail) in check_book(db, organisation.id, now).await? {
            report.violations.push((organisation.name.clone(), invariant, detail));
        }
    }
    Ok(report)
}

/// Counts every hour of usage once more from its events, in all books: what `--recount` adds to the rest.
pub async fn recount_all(db: &Db, report: &mut Report) -> anyhow::Result<()> {
    let tx = db.platform(PlatformReason::Audit).await?;
    let organisations = tenant::organisations(&tx).await?;
    tx.commit().await?;
    for organisation in organisations {
        let tx = db.tenant(organisation.id).await?;
        for violation in usage_metering::recount(&tx).await? {
            report.violations.push((organisation.name.clone(), violation.invariant.to_owned(), violation.detail));
        }
    }
    Ok(())
}

async fn check_book(db: &Db, tenant_id: TenantId, now: DateTime<Utc>) -> anyhow::Result<Vec<(String, String)>> {
    let tx = db.tenant(tenant_id).await?;
    let mut found = ledger::check(&tx, now).await?;
    found.extend(subscription::check(&tx, now).await?);
    found.extend(usage_metering::check(&tx, now).await?);
    found.extend(call_control::check(&tx, now).await?);
    found.extend(invoicing::check(&tx, now).await?);
    found.extend(payments::check(&tx, now).await?);
    let mut violations: Vec<(String, String)> = found.into_iter().map(|v| (v.invariant.to_owned(), v.detail)).collect();
    violations.extend(tenant::verify_audit(&tx).await?.into_iter().map(|detail| ("I15".to_owned(), detail)));
    Ok(violations)
}
