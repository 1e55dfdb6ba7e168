//! What should this cost? Prices, tariffs, periods, proration, discounts, tax, commitments, splits, routes and staffing.
//! Never: reads a clock, a table or the network; rounds twice; uses a float (only the Erlang formulas do, and they give no amount).
//! Invariants: everything is exact until it becomes [`money::Money`], rounded once, half away from zero; rating a quantity in
//! pieces gives the same total as rating it whole; a bad document is refused with a code, a sentence and a JSON pointer.
//! Start at `tariff.rs` and `call.rs` for calls, `price.rs` for quantities, `documents/` for the grammar of `ringtill price`.

mod break_even;
mod call;
mod cliff;
mod clock;
mod commitment;
mod compiled;
mod deck;
mod discount;
pub mod documents;
mod erlang;
mod error;
mod estimate;
mod exact;
mod explain;
mod explain_text;
mod json;
mod percent_price;
mod period;
mod price;
mod price_json;
mod proration;
mod returns;
mod route;
mod spell;
mod split;
mod talk;
mod tariff;
mod tariff_json;
mod tax;
mod tiers;
mod twice;
mod zone;

pub use break_even::{Crossing, MonthlyPrice, break_even};
pub use call::CallCharge;
pub use cliff::Cliff;
pub use commitment::{Commitment, CommitmentCharge, true_up};
pub use compiled::CompiledTariff;
pub use deck::Deck;
pub use discount::{Discounted, discount};
pub use erlang::{Channels, ChannelsNeeded, Staffing, StaffingNeeded};
pub use error::{DocumentError, PricingError};
pub use estimate::{
    BreakEven, ChannelCost, ChannelForecast, ChannelKind, CostPoint, Estimate, Forecast, Implementation, Language,
    ModelKind, ModelPrice, MonthlyCost, OpenHours, Profile, Queue, Region, StaffedHour, SuggestedRates, TeamHour,
    Volume, estimate,
};
pub use exact::{Exact, RoundTo};
pub use explain::{Discount, Explanation, PriceVersion, Rule, Step};
pub use period::{Period, Periods, civil_date, days_between, days_in, start_of_day};
pub use price::{Model, PercentPrice, PercentTier, Price, Segment, StairTier, Tier, Usage};
pub use proration::{Change, DateRange, Proration, change, change_capped, prorate, prorate_to};
pub use returns::{Operation, Return, return_on};
pub use route::{Carrier, Route, Routing};
pub use split::{split, split_minor};
pub use tariff::{Band, Day, Per, RateStep, Tariff, TimeOfDay};
pub use tax::{TaxGroup, TaxLine, TaxSum, tax_groups, tax_groups_inclusive};
pub use twice::must_name_each_field_once;
pub use zone::must_be_time_zone;
