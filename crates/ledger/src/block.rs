//! Much at once in one transaction: reserve, extend, settle and post, in this order. All wallets of the block are taken first, by
//! id, so that two blocks never wait for each other in a circle; should PostgreSQL choose one as a victim all the same (another
//! kind of transaction in between), the whole block is tried again, later each time and never in step with the other.

use crate::batch::{reserve_batch, settle_batch};
use crate::error::LedgerError;
use crate::posting::{Posted, Posting, post_many, wallets_of};
use crate::reservation::{Leg, Reserve, Reserved};
use crate::settlement::{Settle, Settled};
use crate::store::{reservations, wallets};
use chrono::{DateTime, Utc};
use db::{CallId, CustomerId, Db, TenantId, TenantTx};
use rand::Rng;
use std::time::Duration;
use tracing::warn;

const TRIES: u32 = 6;
const FIRST_WAIT_MS: u64 = 10;

/// What a leg holds is kept until then.
#[derive(Clone, Copy, Debug)]
pub struct Extend {
    pub call_id: CallId,
    pub leg: Leg,
    pub until: DateTime<Utc>,
}

/// What is to be done. Each part may be empty; repeats are harmless, as those of the single functions are.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub reserve: Vec<Reserve>,
    pub extend: Vec<Extend>,
    pub settle: Vec<Settle>,
    pub post: Vec<Posting>,
}

/// The answers, in the order of the questions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockAnswers {
    pub reserved: Vec<Reserved>,
    /// Reservations that are kept.
    pub extended: u64,
    pub settled: Vec<Settled>,
    pub posted: Vec<Posted>,
}

impl Block {
    fn customers(&self) -> impl Iterator<Item = CustomerId> {
        let reserved = self.reserve.iter().map(|wish| wish.customer_id);
        let settled = self.settle.iter().map(|charge| charge.customer_id);
        reserved.chain(settled).chain(wallets_of(&self.post).into_iter().map(|(customer_id, _)| customer_id))
    }
}

/// Does a whole block, durable when it returns. A refusal (no wallet, below the floor) refuses all of it.
pub async fn apply_block(
    db: &Db,
    tenant_id: TenantId,
    block: &Block,
    now: DateTime<Utc>,
) -> Result<BlockAnswers, LedgerError> {
    for tried in 1.. {
        match attempt(db, tenant_id, block, now).await {
            Err(error) if error.is_retryable() && tried < TRIES => {
                warn!(%error, tried, "A block of the ledger lost a conflict and is tried again");
                let longest_ms = FIRST_WAIT_MS << tried;
                let wait_ms = rand::rng().random_range(longest_ms / 2..=longest_ms);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            outcome => return outcome,
        }
    }
    unreachable!("the loop ends by its return")
}

async fn attempt(db: &Db, tenant_id: TenantId, block: &Block, now: DateTime<Utc>) -> Result<BlockAnswers, LedgerError> {
    let tx = db.tenant(tenant_id).await?;
    let answers = all(&tx, block, now).await?;
    tx.commit().await?;
    Ok(answers)
}

async fn all(tx: &TenantTx, block: &Block, now: DateTime<Utc>) -> Result<BlockAnswers, LedgerError> {
    wallets::lock_by_customer(tx, block.customers()).await?;
    let mut answers = BlockAnswers::default();
    if !block.reserve.is_empty() {
        answers.reserved = reserve_batch(tx, &block.reserve, now).await?;
    }
    if !block.extend.is_empty() {
        answers.extended = reservations::extend_leases(tx, &block.extend).await?;
    }
    if !block.settle.is_empty() {
        answers.settled = settle_batch(tx, &block.settle, now).await?;
    }
    answers.posted = post_many(tx, &block.post, now).await?;
    Ok(answers)
}
