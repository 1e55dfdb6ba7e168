//! Where what is shared with partners stands, and the book entry by entry.

use super::Audience;
use std::fmt::Display;

impl Audience {
    /// Taking a charge back, POST does it.
    pub fn call_reversal(self, id: impl Display) -> String {
        self.at(format_args!("calls/{id}/reversal"))
    }
    /// What partners are owed, month by month.
    pub fn settlements(self) -> String {
        self.at("settlements")
    }
    pub fn settlement(self, id: impl Display) -> String {
        self.at(format_args!("settlements/{id}"))
    }
    pub fn settlement_pdf(self, id: impl Display) -> String {
        self.at(format_args!("settlements/{id}/pdf"))
    }
    /// Issuing a statement is a resource of its own: POST creates it.
    pub fn settlement_issue(self, id: impl Display) -> String {
        self.at(format_args!("settlements/{id}/issue"))
    }
    /// POST throws a draft away.
    pub fn settlement_discard(self, id: impl Display) -> String {
        self.at(format_args!("settlements/{id}/discard"))
    }
    /// POST drafts the month of a discarded statement again.
    pub fn settlement_redraft(self, id: impl Display) -> String {
        self.at(format_args!("settlements/{id}/redraft"))
    }
    /// POST records that it was paid.
    pub fn settlement_payout(self, id: impl Display) -> String {
        self.at(format_args!("settlements/{id}/payout"))
    }
    /// What this organisation's seller owes it.
    pub fn account_settlements(self) -> String {
        self.at("account/settlements")
    }
    pub fn account_settlement(self, id: impl Display) -> String {
        self.at(format_args!("account/settlements/{id}"))
    }
    pub fn account_settlement_pdf(self, id: impl Display) -> String {
        self.at(format_args!("account/settlements/{id}/pdf"))
    }
    /// The calls behind it.
    pub fn account_settlement_csv(self, id: impl Display) -> String {
        self.at(format_args!("account/settlements/{id}/csv"))
    }
    /// POST publishes a tariff.
    pub fn tariffs(self) -> String {
        self.at("tariffs")
    }
    /// The form of a tariff to be, with its preview.
    pub fn tariff_new(self) -> String {
        self.at("tariffs/new")
    }
    /// One number where calls arrive; POST says how it answers.
    pub fn number(self, id: impl Display) -> String {
        self.at(format_args!("numbers/{id}"))
    }
    /// POST sets what a digit offers.
    pub fn number_topics(self, id: impl Display) -> String {
        self.at(format_args!("numbers/{id}/topics"))
    }
    /// POST takes a topic away.
    pub fn number_topic_removal(self, id: impl Display, digit: impl Display) -> String {
        self.at(format_args!("numbers/{id}/topics/{digit}/removal"))
    }
    /// The form of a number to be sold; POST goes to the list.
    pub fn number_new(self) -> String {
        self.at("numbers/new")
    }
    /// Who has a number, and the form that gives it to somebody; POST does it.
    pub fn number_assignments(self, id: impl Display) -> String {
        self.at(format_args!("numbers/{id}/assignments"))
    }
    /// How a number's revenue is split; POST agrees it.
    pub fn number_split(self, id: impl Display) -> String {
        self.at(format_args!("numbers/{id}/split"))
    }
    /// How revenue is split with a customer, for its numbers without terms of their own; POST agrees it.
    pub fn customer_split(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/split"))
    }
    /// A customer's wallet: what is in it, and on what terms.
    pub fn customer_wallet(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/wallet"))
    }
    /// POST gives credit.
    pub fn customer_credits(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/wallet/credits"))
    }
    /// POST moves the floor.
    pub fn customer_credit_limit(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/wallet/credit-limit"))
    }
    /// POST agrees when the wallet asks for money by itself.
    pub fn customer_recharge(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/wallet/recharge"))
    }
    /// POST lets a wallet ask again whose breaker is open.
    pub fn customer_recharge_reset(self, id: impl Display) -> String {
        self.at(format_args!("customers/{id}/wallet/recharge/reset"))
    }
    /// Every account of the book, entry by entry.
    pub fn ledger_entries(self) -> String {
        self.at("ledger/entries")
    }
    pub fn ledger_entries_csv(self) -> String {
        self.at("ledger/entries/csv")
    }
}
