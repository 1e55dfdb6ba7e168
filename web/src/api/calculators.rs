//! Calculators: the same functions as the pages of that name, nothing stored.

use super::documents::{Document, Shape, reckoned};
use super::problem::ApiResult;
use super::route::{Ask, One, Route, reckon};
use pricing::{Estimate, Forecast, Operation, Return};
use tenant::ScopeGroup;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Quotes;
    vec![
        reckon("/v1/calculators/estimate", group, "Staff, cost and rates of a forecast, without keeping it", estimate),
        reckon("/v1/calculators/return", group, "What a month of minutes brings in", return_on),
    ]
}

async fn estimate(_: &Ask, Document(forecast): Document<Forecast>) -> ApiResult<One<Shape<Estimate>>> {
    Ok(One(Shape(reckoned(move || pricing::estimate(&forecast)).await?)))
}

async fn return_on(_: &Ask, Document(operation): Document<Operation>) -> ApiResult<One<Shape<Return>>> {
    Ok(One(Shape(reckoned(move || pricing::return_on(&operation)).await?)))
}
