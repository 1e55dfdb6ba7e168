//! F33: top-ups, refunds, call charges and corrections by hand, 64 at a time, on one wallet.

use super::dice::{Dice, is_long, seeds};
use chrono::{DateTime, TimeDelta, Utc};
use db::{CallId, CustomerId, TenantId};
use ledger::{AccountKind, AccountRef, Block, BlockAnswers, LedgerError, Leg, Posting, Reserve, Reserved, Settle};
use manual::guarded_demo_database;
use money::{Currency, Money};
use ringtill::clock::Clock;
use ringtill::demo::JONAS_PHONE;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CLIENTS: usize = 64;
const STEPS: usize = 1_280;
/// Once in the nightly run.
const STEPS_LONG: usize = 100_000;

struct Hot {
    database: db::testing::TestDatabase,
    book: TenantId,
    customer: CustomerId,
    now: DateTime<Utc>,
}

impl Hot {
    async fn new() -> Hot {
        let database = guarded_demo_database().await;
        let ptx = database.db.platform(db::PlatformReason::Audit).await.unwrap();
        let organisations = tenant::organisations(&ptx).await.unwrap();
        ptx.commit().await.unwrap();
        let book = organisations.iter().find(|organisation| organisation.slug == "nordlicht").unwrap().id;
        let tx = database.db.tenant(book).await.unwrap();
        let customer = subscription::customer_by_phone(&tx, JONAS_PHONE).await.unwrap().unwrap().id;
        tx.commit().await.unwrap();
        Hot { database, book, customer, now: Clock::machine().now() }
    }

    async fn apply(&self, block: Block) -> Result<BlockAnswers, LedgerError> {
        ledger::apply_block(&self.database.db, self.book, &block, self.now).await
    }

    /// Moves so many cents between the wallet and an account of the book.
    async fn post(&self, kind: &'static str, key: String, cents: i64, other: AccountKind) -> bool {
        let amount = cents_of(cents);
        let entries = vec![
            (AccountRef::Customer(AccountKind::Wallet, self.customer), amount),
            (AccountRef::Book(other), amount.checked_neg().unwrap()),
        ];
        let posting = Posting::new(kind, key, "A fault test", self.now, entries).unwrap();
        match self.apply(Block { post: vec![posting], ..Block::default() }).await {
            Ok(_) => true,
            Err(LedgerError::WalletMustKeepItsFloor) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// A call that holds 3.00 and costs up to that.
    async fn call(&self, cents: i64) -> bool {
        let (call_id, leg) = (CallId::new(), Leg::Caller);
        let (customer_id, lease_until) = (self.customer, self.now + TimeDelta::minutes(5));
        let wish = Reserve { call_id, leg, seq: 1, customer_id, amount: cents_of(300), lease_until };
        let answers = self.apply(Block { reserve: vec![wish], ..Block::default() }).await.unwrap();
        if answers.reserved != [Reserved::Open] {
            return false;
        }
        let (charge, memo) = (cents_of(cents), String::new());
        let charge = Settle { call_id, leg, customer_id, charge, kind: "call", memo, effective_at: self.now };
        let answers = self.apply(Block { settle: vec![charge], ..Block::default() }).await.unwrap();
        assert!(answers.settled[0].unpaid.is_zero(), "more was promised than there was");
        true
    }

    /// The floor is looked at all the time, by somebody who takes no part.
    async fn assert_never_below_its_floor(&self) {
        let tx = self.database.db.tenant(self.book).await.unwrap();
        let wallet = ledger::wallet_of(&tx, self.customer).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let available = wallet.available().unwrap();
        assert!(!available.is_negative(), "more was promised than there was: {available} is available");
    }
}

fn cents_of(cents: i64) -> Money {
    Money::from_minor(cents, Currency::EUR).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_at_once_on_one_wallet_leave_every_cent_explained() {
    for (round, seed) in seeds().enumerate() {
        let steps = if is_long() && round == 0 { STEPS_LONG } else { STEPS };
        let hot = Arc::new(Hot::new().await);
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(work(Arc::clone(&hot), seed, client, steps / CLIENTS));
        }
        let mut took: Vec<Duration> = clients.join_all().await.into_iter().flatten().collect();
        took.sort_unstable();
        println!("{steps} steps of {CLIENTS}: 99 of 100 within {:?}", took[took.len() * 99 / 100]);
        let tx = hot.database.db.tenant(hot.book).await.unwrap();
        assert_eq!(ledger::check(&tx, hot.now).await.unwrap(), []);
    }
}

async fn work(hot: Arc<Hot>, seed: u64, client: usize, steps: usize) -> Vec<Duration> {
    let mut dice = Dice::new(seed * 64 + client as u64 + 1);
    let mut took = Vec::with_capacity(steps);
    for step in 0..steps {
        let (key, cents) = (format!("{seed}-{client}-{step}"), 1 + dice.roll(290) as i64);
        let began = Instant::now();
        // More goes out than comes in, so that the wallet is at its floor again and again.
        match dice.roll(8) {
            0 => assert!(hot.post("top_up", key, cents, AccountKind::ProcessorClearing).await),
            1 => drop(hot.post("refund", key, -cents, AccountKind::ProcessorClearing).await),
            2 => drop(hot.post("adjustment", key, -cents * 3, AccountKind::Rounding).await),
            _ => drop(hot.call(cents).await),
        }
        took.push(began.elapsed());
        if step % 16 == 0 {
            hot.assert_never_below_its_floor().await;
        }
    }
    took
}
