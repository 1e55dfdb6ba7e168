use chrono::NaiveDate;
use db::{DbError, DocumentId, DraftId, LineId, RunId, SettlementId};
use money::{Currency, Money, MoneyError};
use pricing::PricingError;

/// Every rule of this crate that a caller can break, and what the floors below refuse.
#[derive(Debug, thiserror::Error)]
pub enum InvoicingError {
    /// A book has one open run at a time, so that nothing is drafted twice.
    #[error("a run is open already; finish it, or void its drafts")]
    RunMustBeTheOnlyOne,
    /// An older run is closed: whom it failed is due in a newer one.
    #[error("a newer run has begun; whom this one failed is due there")]
    RunMustBeNewest,
    #[error("{0} is not a run of this book")]
    UnknownRun(RunId),
    #[error("{0} is not a draft of this book")]
    UnknownDraft(DraftId),
    #[error("{0} is not a document of this book")]
    UnknownDocument(DocumentId),
    /// Only a draft that is neither final nor void may be finalised or voided.
    #[error("the draft is {0} already")]
    DraftMustBeOpen(&'static str),
    /// Drafts come before documents.
    #[error("{waiting} customers of this run have no draft yet")]
    RunMustBeDrafted { waiting: u64 },
    /// What stands in an hour that is not swept is not all that was used in it.
    #[error("{hours} of its hours of usage are still being counted; the draft waits for them")]
    UsageMustBeSwept { hours: u64 },
    /// What has a number is not thrown away.
    #[error("the run is {0} already and cannot be thrown away; what it issued is corrected by credit notes")]
    RunMustNotBeIssued(&'static str),
    /// A document has one currency, its customer's.
    #[error("a plan in {found} cannot be put on an invoice in {expected}; move the customer to a plan in {expected}")]
    CurrencyMustMatchCustomer { expected: Currency, found: Currency },
    /// I7.
    #[error("{component} of the period from {starts_on} is on a document already; void this draft")]
    AlreadyBilled { component: String, starts_on: NaiveDate },
    /// What a draft bills must be in effect still when it becomes final.
    #[error("a change that this draft bills was undone since; void this draft")]
    DraftMustStandOnChanges,
    /// What is credited wholly has nothing left.
    #[error("only an invoice that is not wholly credited yet can be credited")]
    MustBeUncreditedInvoice,
    #[error("{0} is not a line of this invoice")]
    UnknownLine(LineId),
    /// A line is credited up to what it was billed, discounts below zero likewise, and once in one credit note.
    #[error("{text} has {left} left to credit, not {found}")]
    CreditMustNotExceedLine { text: String, left: Money, found: Money },
    /// Its lines together come to less than the invoice has left, and to more than nothing.
    #[error("the invoice has {left} left to credit, tax included, not {found}")]
    CreditMustNotExceedInvoice { left: Money, found: Money },
    #[error("{0} is not a settlement of this book")]
    UnknownSettlement(SettlementId),
    /// A settlement is issued once.
    #[error("the settlement is {0} already")]
    SettlementMustBeDraft(&'static str),
    /// Why a draft was wrong is told.
    #[error("discarding needs a reason of {longest} letters at most")]
    DiscardMustHaveReason { longest: usize },
    /// What was discarded is drafted again, nothing else.
    #[error("only a settlement that was discarded is drafted again, and this one is {0}")]
    SettlementMustBeDiscarded(&'static str),
    /// There must be something to pay.
    #[error("nothing is owed any more for this month, or another settlement says it")]
    SettlementMustOweSomething,
    /// What is issued is paid once.
    #[error("only a settlement that is issued and unpaid can be paid out, and this one is {0}")]
    SettlementMustBeUnpaid(&'static str),
    /// A payout is found again by its reference.
    #[error("a payout needs a reference of {longest} letters at most")]
    ReferenceMustBeGiven { longest: usize },
    /// A payout is made after the statement, and has been made.
    #[error("the payout's day must lie between {first} and {last}, not on {found}")]
    PayoutMustFollowIssue { found: NaiveDate, first: NaiveDate, last: NaiveDate },
    /// The gross of a document and what its parts come to.
    #[error("the document's parts do not agree: {0}")]
    SumsMustAgree(&'static str),
    /// Stored content that this version cannot read.
    #[error("stored {kind} cannot be read: {reason}")]
    StoredContentUnreadable { kind: &'static str, reason: String },
    #[error(transparent)]
    Print(#[from] crate::print::PrintError),
    #[error(transparent)]
    Pricing(#[from] PricingError),
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    #[error(transparent)]
    Subscription(#[from] subscription::SubscriptionError),
    #[error(transparent)]
    Tenant(#[from] tenant::TenantError),
    #[error(transparent)]
    Usage(#[from] usage_metering::UsageError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl InvoicingError {
    /// True where a sum is more than money is kept in, and nothing else is wrong.
    pub fn is_too_large(&self) -> bool {
        let of_money = |error: &MoneyError| matches!(error, MoneyError::Overflow);
        match self {
            Self::Money(error) | Self::Pricing(PricingError::Money(error)) => of_money(error),
            Self::Pricing(error) => matches!(error, PricingError::TooLarge),
            _ => false,
        }
    }

    /// True when the database refused, and the transaction with it: nothing more can be done in it.
    pub(crate) fn is_of_database(&self) -> bool {
        use ledger::LedgerError;
        use subscription::SubscriptionError;
        use tenant::TenantError;
        use usage_metering::UsageError;
        matches!(
            self,
            Self::Db(_)
                | Self::Ledger(LedgerError::Db(_))
                | Self::Subscription(SubscriptionError::Db(_))
                | Self::Tenant(TenantError::Db(_))
                | Self::Usage(UsageError::Db(_) | UsageError::Subscription(SubscriptionError::Db(_)))
        )
    }

    pub(crate) fn unreadable(kind: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::StoredContentUnreadable { kind, reason: error.to_string() }
    }
}

/// What this crate's functions return.
pub type Result<T, E = InvoicingError> = std::result::Result<T, E>;
