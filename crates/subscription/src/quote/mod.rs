//! What is offered: estimates that are kept and shared, and quotes that become plan and subscription when they are accepted.

mod accept;
mod estimate;
mod from_estimate;
mod link;
mod offer;

pub use accept::{Acceptance, Accepted, accept_quote};
pub use estimate::{Estimate, NewEstimate, estimate, estimate_by_token, estimates, save_estimate, share_estimate};
pub use from_estimate::{Offered, offered};
pub use link::tenant_of_token;
pub use offer::{
    NewQuote, Prospect, Quote, QuoteState, QuotedCustomer, create_quote, link_quote, quote, quote_by_token,
    quoted_plans, quotes, send_quote, withdraw_quote,
};
