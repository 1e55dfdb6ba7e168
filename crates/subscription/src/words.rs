use rust_decimal::Decimal;

/// An enum that is stored, sent and shown as one word per variant.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every variant, in the order of the manual.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word as stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// The variant that a word names.
            pub fn from_word(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$variant),)+ _ => None }
            }

            #[allow(dead_code, reason = "a status is derived, never read back")]
            pub(crate) fn stored(word: &str) -> Result<$name, crate::SubscriptionError> {
                Self::from_word(word).ok_or_else(|| crate::SubscriptionError::StoredWordUnknown {
                    kind: stringify!($name),
                    word: word.to_owned(),
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| serde::de::Error::unknown_variant(&word, &[$($word),+]))
            }
        }
    )+};
}

impl TaxTreatment {
    /// The tax rate on what such a customer buys: the seller's, or none.
    pub fn percent(self, seller_percent: Decimal) -> Decimal {
        match self {
            TaxTreatment::Standard => seller_percent,
            TaxTreatment::ReverseCharge | TaxTreatment::Exempt | TaxTreatment::OutOfScope => Decimal::ZERO,
        }
    }
}

words! {
    /// When a customer pays.
    Billing {
        /// Before: from a wallet, call by call.
        Prepaid = "prepaid",
        /// After: by invoice.
        Postpaid = "postpaid",
    }
    /// How a customer's documents are taxed.
    TaxTreatment {
        Standard = "standard",
        ReverseCharge = "reverse_charge",
        Exempt = "exempt",
        OutOfScope = "out_of_scope",
    }
    /// What sort of number a DID is.
    NumberKind {
        Local = "local",
        Premium = "premium",
        TollFree = "toll_free",
        Mobile = "mobile",
    }
    /// Who gets what callers of a number pay.
    Collection {
        /// The tenant, from its own customers; its seller takes a share as usage.
        Tenant = "tenant",
        /// The seller, from the callers' network; it owes the tenant its share.
        Seller = "seller",
    }
    /// What a share is a share of, net of tax.
    ShareOf {
        /// Of what the level got itself.
        Received = "received",
        /// Of what the caller was charged, whatever stands between.
        Gross = "gross",
    }
    /// What happens to a caller whose number no customer has.
    UnknownCallers {
        /// Account number and PIN are asked for.
        AskPin = "ask_pin",
        /// The call is refused.
        Refuse = "refuse",
    }
    /// What starts a topic's meter.
    MeterStarts {
        /// The agent's joining.
        AgentJoined = "agent_joined",
        /// The choice of the topic: where music or a recording is the service.
        TopicChosen = "topic_chosen",
    }
    /// What a component charges for.
    ComponentKind {
        /// Being subscribed.
        Flat = "flat",
        /// Agents' seats.
        Seat = "seat",
        /// A meter's quantity in the period.
        Usage = "usage",
        /// Hours logged, by kind of work.
        Hours = "hours",
        /// Concurrent calls: the period's peak.
        Channels = "channels",
        /// A share of other components' amounts in the period.
        Percent = "percent",
        /// Once.
        OneOff = "one_off",
    }
    /// On which side of its period a component is billed.
    Billed {
        InAdvance = "in_advance",
        InArrears = "in_arrears",
    }
    /// Where a plan stands.
    PlanState {
        /// Written, and not sold yet.
        Draft = "draft",
        Published = "published",
        /// Sold no longer; who has it keeps it.
        Archived = "archived",
    }
    /// What becomes of a trial whose customer has no means of payment on file when it ends.
    TrialEnd {
        /// It goes on, and is paid by invoice.
        Convert = "convert",
        /// It is over.
        Cancel = "cancel",
        /// It goes on, past due until there is one.
        PastDue = "past_due",
    }
    /// What becomes of usage that arrives after its period was billed.
    LateUsage {
        /// The difference goes on the next document.
        Bill = "bill",
        /// The seller bears it.
        Absorb = "absorb",
        /// It waits until a person decides: counted, it is billed as the difference.
        Suspend = "suspend",
    }
    /// What a subscription is at an instant.
    SubscriptionStatus {
        /// It begins later.
        Scheduled = "scheduled",
        /// Recurring components cost nothing yet.
        Trial = "trial",
        Active = "active",
        /// In service, but an invoice is overdue.
        PastDue = "past_due",
        /// Neither served nor charged for a while.
        Paused = "paused",
        Cancelled = "cancelled",
        /// Its fixed term is over.
        Expired = "expired",
    }
    /// Why a subscription is over.
    EndedBy {
        Cancellation = "cancellation",
        /// Its last fixed term has ended.
        Expiry = "expiry",
    }
    /// What a change changes.
    ChangeKind {
        Plan = "plan",
        Seats = "seats",
        AddOn = "add_on",
        FreeAddOn = "free_add_on",
        MoveAddOn = "move_add_on",
        RemoveAddOn = "remove_add_on",
        Pause = "pause",
        Resume = "resume",
        Cancel = "cancel",
        Reactivate = "reactivate",
        EndTrial = "end_trial",
    }
}
