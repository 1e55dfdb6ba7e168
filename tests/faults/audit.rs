//! What is looked at after every fault: the book's own audit, and what it has counted.

use db::{CustomerId, TenantId};
use manual::Program;
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use usage_metering::Meter;

/// Nordlicht's book and its customers, once it has this meter.
pub async fn nordlicht(program: &Program, meter: &Meter) -> (TenantId, Vec<CustomerId>) {
    let ptx = program.database.db.platform(db::PlatformReason::Audit).await.unwrap();
    let organisations = tenant::organisations(&ptx).await.unwrap();
    ptx.commit().await.unwrap();
    let id = organisations.iter().find(|organisation| organisation.slug == "nordlicht").unwrap().id;
    let tx = program.database.db.tenant(id).await.unwrap();
    usage_metering::define_meter(&tx, meter).await.unwrap();
    let filter = subscription::CustomerFilter::default();
    let customers = subscription::customers(&tx, &filter).await.unwrap();
    tx.commit().await.unwrap();
    (id, customers.into_iter().map(|customer| customer.id).collect())
}

/// All units and events that the book has counted.
pub async fn counted(program: &Program, book: TenantId, meter: &str) -> (Decimal, i64) {
    let tx = program.database.db.tenant(book).await.unwrap();
    let (from, to) = ("2020-01-01T00:00:00Z".parse().unwrap(), "2040-01-01T00:00:00Z".parse().unwrap());
    let hours = usage_metering::by_hour(&tx, meter, &BTreeMap::new(), from, to).await.unwrap();
    hours.iter().fold((Decimal::ZERO, 0), |(units, events), hour| (units + hour.quantity, events + hour.events))
}

/// `ringtill audit --recount` on the same database finds nothing.
pub fn assert_recount_is_clean(program: &Program) {
    assert_clean(program, &["audit", "--recount"]);
}

/// `ringtill audit` on the same database finds nothing.
pub fn assert_audit_is_clean(program: &Program) {
    assert_clean(program, &["audit"]);
}

fn assert_clean(program: &Program, arguments: &[&str]) {
    let audit = program.command(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&audit.stdout);
    assert_eq!(audit.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&audit.stderr));
}
