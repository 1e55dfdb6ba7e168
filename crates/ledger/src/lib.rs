//! Double-entry ledger of a book: accounts, postings, wallets, allowances, and what of both is promised to calls before it is used.
//! Never: knows an invoice, a price, a payment or what a call is; edits or deletes an entry (a mistake is reversed).
//! Invariants: the entries of a transaction sum to zero in each currency ([`Posting::new`], and a trigger); a wallet's balance is
//! the sum of its entries and its reserved part the sum of its open reservations, kept by the same transaction; balance minus
//! reserved never goes below the floor, and no more included units are free or promised than there are; the same (kind, key) is
//! one transaction. Positive credits, negative debits. One order of locks: allowances, by key, then wallets, by id, then their
//! reservations.
//! Start at `posting.rs`, then `reservation.rs` and `settlement.rs`; `allowance.rs` for included units.

mod account;
mod allowance;
pub mod audit;
mod batch;
mod block;
mod entity;
mod entries;
mod error;
mod partner;
mod posting;
mod promotion;
mod reading;
mod recharge;
mod reservation;
mod settlement;
mod store;
mod together;
mod units;
mod wallet;

pub use account::{AccountKind, AccountRef};
pub use allowance::{
    Allowance, AllowanceHeld, AllowanceKey, AllowanceTerms, AllowanceUse, AllowanceUsed, AllowanceWish, HeldByCall,
    agree_allowance, allowance, allowances_of, count_allowance, held_of_allowance, holds_of_call, reserve_allowance,
    use_allowances,
};
pub use audit::{Violation, check, check as check_ledger};
pub use batch::{reserve_batch, settle_batch};
pub use block::{Block, BlockAnswers, Extend, apply_block};
pub use entries::{EntryFilter, EntryLine, EntryPlace, balance_before, entries};
pub use error::LedgerError;
pub use partner::{
    Owed, PartnerShare, ShareKind, claim_shares, earn, free_shares, owe, payees, settled, shares_of, unsettled,
};
pub use posting::{Posted, Posting, accrual, accrue, post, post_many, reverse, reverse_keyed};
pub use promotion::{Credit, Grant, Promotion, credit_of, expire_promotions, grant};
pub use reading::{StatementLine, TrialBalanceLine, balance, statement, trial_balance};
pub use recharge::{
    AutoRecharge, AutoRechargeState, RECHARGE, Recharge, RechargeState, auto_recharge_of, close_breaker,
    decide_recharges, recharge_arrived, recharge_failed, recharge_paid, recharges_asked_before, recharges_of,
    set_auto_recharge,
};
pub use reservation::{Held, Leg, Reserve, Reserved, expire_leases, extend_lease, held, release, reserve};
pub use settlement::{Settle, Settled, settle};
pub use together::{SettledTogether, Together, settle_together, summed};
pub use units::Units;
pub use wallet::{Wallet, customers_with_credit, open_wallet, set_floor, top_up, wallet_of, wallets_below};
