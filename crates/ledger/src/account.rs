use crate::error::LedgerError;
use db::{AccountId, CustomerId, TenantId};
use money::Currency;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// What an account is for. The chart is the same in every book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountKind {
    /// Per customer: prepaid money.
    Wallet,
    /// Per customer: credit given away.
    PromotionalCredit,
    /// Per customer: what invoices ask for and payments pay.
    Receivable,
    /// Per customer: charged or accrued, not yet on a document.
    Unbilled,
    Revenue,
    DeferredRevenue,
    Tax,
    Discount,
    /// What is owed to a child for calls that its seller collected.
    PartnerPayable,
    /// The child's side of the same.
    DueFromSeller,
    CarrierCost,
    /// What is owed to carriers for calls that they took.
    CarrierPayable,
    /// Money on its way from a card processor or a bank.
    ProcessorClearing,
    /// Both sides of a conversion of currency.
    Exchange,
    /// What rounding a line to the minor unit leaves over.
    Rounding,
    /// Charged and never to be paid.
    BadDebt,
}

const CODES: [(AccountKind, &str); 16] = [
    (AccountKind::Wallet, "wallet"),
    (AccountKind::PromotionalCredit, "promotional_credit"),
    (AccountKind::Receivable, "receivable"),
    (AccountKind::Unbilled, "unbilled"),
    (AccountKind::Revenue, "revenue"),
    (AccountKind::DeferredRevenue, "deferred_revenue"),
    (AccountKind::Tax, "tax"),
    (AccountKind::Discount, "discount"),
    (AccountKind::PartnerPayable, "partner_payable"),
    (AccountKind::DueFromSeller, "due_from_seller"),
    (AccountKind::CarrierCost, "carrier_cost"),
    (AccountKind::CarrierPayable, "carrier_payable"),
    (AccountKind::ProcessorClearing, "processor_clearing"),
    (AccountKind::Exchange, "exchange"),
    (AccountKind::Rounding, "rounding"),
    (AccountKind::BadDebt, "bad_debt"),
];

impl AccountKind {
    /// The whole chart.
    pub fn all() -> impl Iterator<Item = AccountKind> {
        CODES.into_iter().map(|(kind, _)| kind)
    }

    /// As stored and shown: `processor_clearing`.
    pub fn code(self) -> &'static str {
        CODES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, code)| code)
    }

    /// True for accounts that every customer has its own of.
    pub const fn is_per_customer(self) -> bool {
        matches!(self, Self::Wallet | Self::PromotionalCredit | Self::Receivable | Self::Unbilled)
    }
}

impl fmt::Display for AccountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for AccountKind {
    type Err = LedgerError;
    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let found = CODES.iter().find(|(_, code)| *code == text);
        found.map(|(kind, _)| *kind).ok_or_else(|| LedgerError::UnknownAccountKind(text.to_owned()))
    }
}

/// An account of a book, by what it is for; the currency comes from the amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountRef {
    /// One for the whole book.
    Book(AccountKind),
    /// One per customer.
    Customer(AccountKind, CustomerId),
}

impl AccountRef {
    /// What it is for.
    pub const fn kind(self) -> AccountKind {
        match self {
            Self::Book(kind) | Self::Customer(kind, _) => kind,
        }
    }

    /// Whose it is, for an account kept per customer.
    pub const fn customer_id(self) -> Option<CustomerId> {
        match self {
            Self::Book(_) => None,
            Self::Customer(_, customer_id) => Some(customer_id),
        }
    }

    /// Refuses a customer's account without customer, and a book's account with one.
    pub(crate) fn check(self) -> Result<(), LedgerError> {
        match self {
            Self::Book(kind) if kind.is_per_customer() => Err(LedgerError::AccountMustNameCustomer(kind)),
            Self::Customer(kind, _) if !kind.is_per_customer() => Err(LedgerError::AccountBelongsToBook(kind)),
            _ => Ok(()),
        }
    }

    /// The account's id follows from what it is, so that a posting needs no look-up and two postings that open the same
    /// account at once open one.
    pub(crate) fn id(self, tenant_id: TenantId, currency: Currency) -> AccountId {
        let mut name = [0u8; 16 + 3 + 24];
        if let Some(customer_id) = self.customer_id() {
            name[..16].copy_from_slice(customer_id.uuid().as_bytes());
        }
        let code = self.kind().code().as_bytes();
        name[16..19].copy_from_slice(currency.code().as_bytes());
        name[19..19 + code.len()].copy_from_slice(code);
        AccountId::from_uuid(Uuid::new_v5(&tenant_id.uuid(), &name[..19 + code.len()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_of_its_own_that_reads_back() {
        for (kind, code) in CODES {
            assert_eq!(kind.code(), code);
            assert_eq!(code.parse::<AccountKind>().unwrap(), kind);
        }
    }

    #[test]
    fn an_account_s_id_tells_book_customer_kind_and_currency_apart() {
        let (book, other) = (TenantId::new(), TenantId::new());
        let (anna, ben) = (CustomerId::new(), CustomerId::new());
        let wallet = AccountRef::Customer(AccountKind::Wallet, anna);
        let id = wallet.id(book, Currency::EUR);
        assert_eq!(id, wallet.id(book, Currency::EUR));
        assert_ne!(id, wallet.id(other, Currency::EUR));
        assert_ne!(id, wallet.id(book, Currency::USD));
        assert_ne!(id, AccountRef::Customer(AccountKind::Wallet, ben).id(book, Currency::EUR));
        assert_ne!(id, AccountRef::Customer(AccountKind::Unbilled, anna).id(book, Currency::EUR));
    }

    #[test]
    fn a_customer_s_account_names_its_customer_and_a_book_s_account_does_not() {
        let anna = CustomerId::new();
        assert!(AccountRef::Customer(AccountKind::Unbilled, anna).check().is_ok());
        assert!(AccountRef::Book(AccountKind::Revenue).check().is_ok());
        assert!(matches!(AccountRef::Book(AccountKind::Wallet).check(), Err(LedgerError::AccountMustNameCustomer(_))));
        assert!(matches!(
            AccountRef::Customer(AccountKind::Tax, anna).check(),
            Err(LedgerError::AccountBelongsToBook(_))
        ));
    }
}
