//! What customers are billed: drafts from subscriptions and charged calls, documents with numbers, tax, postings and PDFs.
//! Never: prices a call, takes a payment, changes a document, reads single usage events.
//! Invariants: numbers of a series have no gap or repeat (I6); what is billed is billed once, later usage as a difference (I7);
//! lines sum to the document and the document is its posting (I9); documents are written once and only read (I11).
//! Start at `run.rs`; what is due is in `due.rs`, what it comes to in `bill.rs`, how it becomes final in `finalise.rs`.

mod advise;
mod ahead;
mod ahead_discounts;
mod assemble;
pub mod audit;
mod bill;
mod billed;
mod calls;
mod chain;
mod content;
mod credit;
mod discounts;
mod document;
mod draft;
mod dry_run;
mod due;
mod entity;
mod error;
mod finalise;
mod gather;
mod limits;
#[cfg(test)]
mod lives_tests;
mod month;
mod orphans;
mod parts;
mod pdf;
mod preview;
pub mod print;
mod quote;
mod rate;
mod received;
mod replay;
mod report;
mod rerate;
mod run;
mod sample;
mod settle;
mod settlement;
mod stack;
mod store;
mod subscribed;
mod target;
mod tax;
mod usage;
mod words;

pub use advise::{Advice, Advised, Reason, advise};
pub use audit::check;
pub use content::{
    Claim, DraftContent, Ledgered, Line, LineGroup, LineSource, PERCENT_UNIT, Service, StandsOn, TaxRow, Totals,
};
pub use credit::{credit, credit_lines};
pub use document::{
    BilledTotal, CreditedBy, Document, DocumentFilter, DocumentKind, DocumentView, Frozen, Grouped, OpenDocument,
    asking_documents, asking_documents_due_before, billed_between, document, document_by_number, documents, grouped,
    open_documents, open_documents_by_id,
};
pub use draft::{Draft, DraftState, draft, drafts, void_draft};
pub use dry_run::{DryRun, DryRunRow, DryRunSubscriber, dry_run};
pub use error::InvoicingError;
pub use finalise::{finalise, finalise_some};
pub use pdf::{draft_pdf, pdf, unprinted};
pub use preview::{Preview, preview, preview_until};
pub use quote::{Quoted, QuotedOnce, must_be_reckoned, quote_pdf, quoted};
pub use received::deliver_settlements;
pub use replay::{Replay, Replayed, ReplayedMonth, replay};
pub use report::{NewReport, report_pdf};
pub use run::{
    BY_SCHEDULE, Counts, Item, ItemState, Pace, Phase, Run, abandon_run, draft_some, plan_run, retry_failed, run,
    run_items, runs, schedule_run,
};
pub use sample::{SampleLine, SampleMonth, sample_month};
pub use settle::{discard_settlement, issue_settlement, record_payout};
pub use settlement::{
    Discard, Payee, Payout, Settlement, SettlementFilter, SettlementState, Statement, StatementRow, draft_again,
    draft_settlements, settlement, settlements,
};
