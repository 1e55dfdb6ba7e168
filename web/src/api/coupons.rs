//! Coupons: a percentage or an amount off, once, for some periods or for ever.

use super::body::Number;
use super::estimates::Newest;
use super::list::{self, List};
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Asked, Created, Given, Nothing, One, Route, Shown, delete, get, post};
use super::shapes::{self, Amount};
use super::subscriptions::{self, Subscription};
use chrono::{DateTime, Utc};
use db::{CouponId, SubscriptionId};
use money::{Money, Percent};
use serde::{Deserialize, Serialize};
use subscription::{CouponOff, NewCoupon, SubscriptionError};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let (catalogue, subscriptions) = (ScopeGroup::Catalogue, ScopeGroup::Subscriptions);
    vec![
        get("/v1/coupons", catalogue, "List coupons by code", coupons),
        post("/v1/coupons", catalogue, "Make a coupon", create),
        get("/v1/coupons/{coupon_id}", catalogue, "Read a coupon", coupon),
        post("/v1/coupons/{coupon_id}/archival", catalogue, "Accept it no longer; who has it keeps it", archive),
        post("/v1/subscriptions/{subscription_id}/coupons", subscriptions, "Redeem a coupon", redeem),
        delete(
            "/v1/subscriptions/{subscription_id}/coupons/{coupon_id}",
            subscriptions,
            "Take a coupon away: later periods pay in full",
            end,
        ),
    ]
}

/// A discount that is asked for by its code.
#[derive(Serialize, ToSchema)]
#[schema(as = Coupon)]
struct Coupon {
    #[schema(example = "coupon")]
    object: &'static str,
    id: String,
    #[schema(example = "SPRING-10")]
    code: String,
    /// As printed on a document.
    name: String,
    percent_off: Option<Number>,
    amount_off: Option<Amount>,
    /// For how many periods: 1 is once, null for ever.
    periods: Option<u32>,
    redemptions: u32,
    redemptions_max: Option<u32>,
    /// The first instant at which it is no longer accepted.
    valid_until: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
}

impl Shown for Coupon {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl From<subscription::Coupon> for Coupon {
    fn from(of: subscription::Coupon) -> Self {
        let (percent_off, amount_off) = match of.off {
            CouponOff::Percent(percent) => (Some(Number(percent.as_decimal())), None),
            CouponOff::Amount(amount) => (None, Some(amount.into())),
        };
        Self {
            object: "coupon",
            id: of.id.to_string(),
            code: of.code,
            name: of.name,
            percent_off,
            amount_off,
            periods: of.periods,
            redemptions: of.redemptions,
            redemptions_max: of.redemptions_max,
            valid_until: of.valid_until,
            archived_at: of.archived_at,
        }
    }
}

async fn coupons(ask: &Ask, Asked(asked): Asked<Newest>) -> ApiResult<List<Coupon>> {
    let limit = list::limit(asked.limit)?;
    let after: String = list::after(asked.starting_after.as_deref())?.unwrap_or_default();
    let found = subscription::coupons_page(&ask.tx, &after, limit + 1).await?;
    let (found, next) = list::cut(found, limit, |last| list::place(&last.code));
    Ok(List::page(found.into_iter().map(Coupon::from).collect(), next))
}

async fn find(ask: &Ask, id: CouponId) -> ApiResult<Coupon> {
    Ok(subscription::coupon(&ask.tx, id).await?.ok_or_else(Problem::not_found)?.into())
}

async fn coupon(ask: &Ask, _: Nothing) -> ApiResult<One<Coupon>> {
    Ok(One(find(ask, ask.id("coupon_id")?).await?))
}

/// A coupon to be: a percentage or an amount off.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCoupon)]
struct Creation {
    /// Capital letters, digits and -; unique in the book.
    code: String,
    name: String,
    percent_off: Option<Number>,
    #[schema(value_type = Option<shapes::Amount>)]
    amount_off: Option<Money>,
    periods: Option<u32>,
    redemptions_max: Option<u32>,
    valid_until: Option<DateTime<Utc>>,
}

async fn create(ask: &Ask, Given(given): Given<Creation>) -> ApiResult<Created<Coupon>> {
    let off = match (given.percent_off, given.amount_off) {
        (Some(percent), None) => CouponOff::Percent(Percent::new(percent.0).map_err(|error| {
            let rule = pricing::PricingError::from(error);
            Problem::invalid("/percent_off", rule.code(), rule.to_string())
        })?),
        (None, Some(amount)) => CouponOff::Amount(amount),
        _ => return Err(Problem::invalid("/percent_off", "one_of_two", "give either percent_off or amount_off")),
    };
    let new = NewCoupon {
        code: given.code,
        name: given.name,
        off,
        periods: given.periods,
        redemptions_max: given.redemptions_max,
        valid_until: given.valid_until,
    };
    let id = subscription::create_coupon(&ask.tx, &new, ask.now).await?;
    Ok(Created(find(ask, id).await?))
}

async fn archive(ask: &Ask, _: Nothing) -> ApiResult<One<Coupon>> {
    let id = ask.id("coupon_id")?;
    subscription::archive_coupon(&ask.tx, id, ask.now).await?;
    Ok(One(find(ask, id).await?))
}

/// A coupon by its code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Redemption {
    code: String,
}

async fn redeem(ask: &Ask, Given(given): Given<Redemption>) -> ApiResult<Created<Subscription>> {
    let id: SubscriptionId = ask.id("subscription_id")?;
    subscriptions::find(ask, id).await?;
    let redeemed = subscription::redeem_coupon(&ask.tx, id, &given.code, ask.now).await;
    redeemed.map_err(|error| not_redeemed(error, "/code", &given.code))?;
    Ok(Created(subscriptions::shown(&subscriptions::find(ask, id).await?, ask.now)?))
}

/// Why a coupon was not redeemed, where the body has its code.
pub fn not_redeemed(error: SubscriptionError, pointer: &str, code: &str) -> Problem {
    match error {
        SubscriptionError::NotFound { kind: "coupon", .. } => {
            Problem::invalid(pointer, "unknown_coupon", "must be the code of a coupon").with_value(code)
        }
        SubscriptionError::Refused(refusal) if refusal.field == "code" => {
            Problem::invalid(pointer, refusal.rule.code(), refusal.rule.to_string()).with_value(refusal.value)
        }
        other => other.into(),
    }
}

async fn end(ask: &Ask, _: Nothing) -> ApiResult<One<Subscription>> {
    let id = ask.id("subscription_id")?;
    subscription::end_coupon(&ask.tx, ask.id("coupon_id")?, id, ask.now).await?;
    Ok(One(subscriptions::shown(&subscriptions::find(ask, id).await?, ask.now)?))
}
