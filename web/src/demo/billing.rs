//! The end of a month in the demo world: each book's invoice run, and who pays what.

use super::World;
use super::random::Random;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use db::{Db, TenantId};
use invoicing::Phase;
use payments::{Method, NewPayment};

/// Customers that one transaction of a run takes.
const BLOCK: u64 = 50;
/// Who pays, pays this many days after the invoice.
const PAID_AFTER_DAYS: u64 = 9;

/// Invoices in every book what ended before `until_on`, then books the payments that arrive before `now`.
pub async fn close_month(db: &Db, world: &World, until_on: NaiveDate, now: DateTime<Utc>) -> anyhow::Result<()> {
    let at = super::history::at(until_on, 6, 0);
    for tenant_id in [world.nordlicht, world.brightline, world.reseller, world.operator] {
        run_invoices(db, tenant_id, until_on, at).await?;
        pay_invoices(db, tenant_id, until_on, now).await?;
    }
    Ok(())
}

async fn run_invoices(db: &Db, tenant_id: TenantId, until_on: NaiveDate, at: DateTime<Utc>) -> anyhow::Result<()> {
    let tx = db.tenant(tenant_id).await?;
    let Some(id) = invoicing::schedule_run(&tx, until_on, at).await? else { return Ok(()) };
    while invoicing::draft_some(&tx, id, BLOCK, at).await?.phase != Phase::Ready {}
    while invoicing::finalise_some(&tx, id, BLOCK, at).await?.phase != Phase::Done {}
    tx.commit().await?;
    Ok(())
}

/// Everybody pays in time, but for the newest invoices: of those one in three is forgotten, so that somebody is overdue.
async fn pay_invoices(db: &Db, tenant_id: TenantId, issued_on: NaiveDate, now: DateTime<Utc>) -> anyhow::Result<()> {
    let received_at = super::history::at(issued_on + Days::new(PAID_AFTER_DAYS), 10, 30);
    if received_at > now {
        return Ok(());
    }
    let tx = db.tenant(tenant_id).await?;
    for customer in subscription::customers(&tx, &subscription::CustomerFilter::default()).await? {
        for open in invoicing::open_documents(&tx, customer.id).await? {
            let is_newest = received_at + TimeDelta::days(31) > now;
            let forgets = is_newest && Random::of(&open.number).between(1, 3) == 1;
            if !open.due.is_zero() && !forgets && open.issued_on == issued_on {
                let payment = NewPayment {
                    customer_id: customer.id,
                    amount: open.due,
                    method: Method::BankTransfer,
                    reference: format!("SEPA {}", open.number),
                    received_at,
                    by: "bank statement".into(),
                };
                payments::record_payment(&tx, &payment, received_at).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(())
}
