//! What a quote is made of: a plan that is sold, or an estimate in one of its commercial models.

use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::pages::book::quotes;
use crate::pages::book::shell;
use crate::pages::book::subscription::prices_in_short;
use crate::pages::form::Given;
use crate::pages::public::model_name;
use crate::shell::Section;
use crate::urls::with_query;
use crate::views::book::{List, TableCard};
use crate::views::parts::{Heading, PagePath, Stats};
use crate::views::table::{Cell, Column, Empty, Table};
use db::{EstimateId, PlanId, TenantTx};
use pricing::{Forecast, ModelKind};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use subscription::{Component, ComponentKind, Estimate, NewPlanVersion};

/// Estimates that are proposed.
const ESTIMATES_SHOWN: u64 = 20;

/// Terms to begin with.
pub struct Source {
    /// Of the plan or the estimate.
    pub name: String,
    /// One line about it.
    pub said: String,
    pub plan_name: String,
    pub plan_description: String,
    pub terms: NewPlanVersion,
    pub seats: u32,
    /// The month that an estimate forecasts.
    pub quantities: BTreeMap<String, Decimal>,
    pub estimate_id: Option<EstimateId>,
    pairs: Vec<(&'static str, String)>,
}

impl Source {
    /// The query that leads here again.
    pub fn asked(&self) -> Vec<(&str, &str)> {
        self.pairs.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Seats that are bought rather than counted.
    pub fn is_assigned(component: &Component) -> bool {
        component.kind == ComponentKind::Seat && component.measure.as_deref() == Some("assigned")
    }

    pub fn seat_component(&self) -> Option<&Component> {
        self.terms.components.iter().find(|component| Self::is_assigned(component))
    }
}

/// A list to choose from, or what was chosen.
pub enum Chosen {
    List(Box<List>),
    Source(Box<Source>),
}

pub async fn choose(member: &Member, tx: &TenantTx, given: &Given) -> PageResult<Chosen> {
    match (given.get("plan"), given.get("estimate")) {
        ("", "") => Ok(Chosen::List(Box::new(both(member, tx).await?))),
        (plan, "") => Ok(Chosen::Source(Box::new(of_plan(tx, plan).await?))),
        (_, estimate) => of_estimate(member, tx, estimate, given.get("model")).await,
    }
}

async fn of_plan(tx: &TenantTx, path: &str) -> PageResult<Source> {
    let id: PlanId = path.parse()?;
    let plan = subscription::plan(tx, id).await?.ok_or(PageError::NotFound)?;
    let is_sold = !plan.is_add_on && plan.archived_at.is_none();
    let newest = plan.newest.filter(|_| is_sold).ok_or(PageError::NotFound)?;
    Ok(Source {
        said: format!("The terms of version {}. Other terms here are for this quote alone.", newest.version),
        plan_name: plan.name.clone(),
        plan_description: plan.description,
        name: plan.name,
        terms: newest.terms(),
        seats: 1,
        quantities: BTreeMap::new(),
        estimate_id: None,
        pairs: vec![("plan", id.to_string())],
    })
}

async fn of_estimate(member: &Member, tx: &TenantTx, path: &str, model: &str) -> PageResult<Chosen> {
    let id: EstimateId = path.parse()?;
    let kept = subscription::estimate(tx, id).await?.ok_or(PageError::NotFound)?;
    let forecast = Forecast::from_json(&kept.input).map_err(|error| PageError::failed(error.to_string()))?;
    let asked = forecast.clone();
    // Staffing a week takes some milliseconds of one core.
    let estimate = actix_web::web::block(move || pricing::estimate(&asked)).await.map_err(PageError::failed)?;
    let estimate = estimate.map_err(|error| PageError::failed(error.to_string()))?;
    let meters = usage_metering::own_measures(tx).await?;
    let chosen: Option<ModelKind> = serde_json::from_value(model.into()).ok();
    let Some(chosen) = chosen else {
        let mut rows = Vec::new();
        for price in &estimate.models {
            let offered = subscription::offered(&forecast, &estimate, price.model, &meters);
            rows.push((price.model, price.price, offered.err().map(|error| missing(&error))));
        }
        return Ok(Chosen::List(Box::new(models(member, tx, &kept, rows).await?)));
    };
    let offered = subscription::offered(&forecast, &estimate, chosen, &meters)?;
    let word = model_name(chosen);
    Ok(Chosen::Source(Box::new(Source {
        name: kept.name.clone(),
        said: format!("{word}, with the rates and the volume of the estimate."),
        plan_name: kept.name,
        plan_description: String::new(),
        terms: offered.terms,
        seats: offered.seats,
        quantities: offered.quantities,
        estimate_id: Some(id),
        pairs: vec![("estimate", id.to_string()), ("model", model.to_owned())],
    })))
}

/// Why a model cannot be offered: something of it that this book does not count.
fn missing(error: &subscription::SubscriptionError) -> String {
    let counted = error.refusal().map_or("something", |refusal| refusal.value.as_str());
    format!("This book has no meter named {counted}.")
}

fn list(shell: crate::shell::Shell, heading: Heading, cards: Vec<TableCard>) -> List {
    List { shell, heading, stats: Stats::default(), search: None, tabs: Vec::new(), cards, pager: None }
}

async fn both(member: &Member, tx: &TenantTx) -> PageResult<List> {
    let new = member.audience.quote_new();
    let empty = Empty::new("tag", "No plan is sold", "A quote may also be made from an estimate.");
    let mut plans = Table::new("Plans", vec![Column::text("Plan"), Column::text("Price").full()], empty);
    let sold = subscription::plans(tx).await?.into_iter().filter(|plan| !plan.is_add_on && plan.archived_at.is_none());
    for plan in sold {
        let Some(newest) = &plan.newest else { continue };
        let href = with_query(&new, &[("plan", &plan.id.to_string())]);
        plans.row(vec![Cell::name(&plan.name).to(href).sub(&plan.description), Cell::text(prices_in_short(newest))]);
    }
    let empty = Empty::new("adjustments-horizontal", "No estimate is saved", "Save one at the rate estimator.");
    let mut estimates = Table::new("Estimates", vec![Column::text("Estimate"), Column::text("Saved")], empty);
    for estimate in subscription::estimates(tx, None, ESTIMATES_SHOWN).await? {
        let href = with_query(&new, &[("estimate", &estimate.id.to_string())]);
        estimates.row(vec![
            Cell::name(&estimate.name).to(href).sub(&estimate.created_by),
            Cell::text(format::stamp(estimate.created_at, &member.zone).text),
        ]);
    }
    let heading = Heading::new("What is the quote made of?")
        .path(PagePath::under("Quotes", member.audience.quotes(), "New"))
        .facts("A plan with its prices, or an estimate in one of its models.");
    let card = |title: &str, table: Table| TableCard { title: title.into(), all: None, table };
    let mut page = list(
        shell(member, tx, "A new quote", Section::Plans).await?,
        heading,
        vec![card("Plans", plans), card("Estimates", estimates)],
    );
    page.tabs = quotes::tabs(member.audience, "");
    Ok(page)
}

async fn models(
    member: &Member,
    tx: &TenantTx,
    estimate: &Estimate,
    rows: Vec<(ModelKind, money::Money, Option<String>)>,
) -> PageResult<List> {
    let columns = vec![Column::text("Model"), Column::figures("A month at the forecast volume").label("A month")];
    let mut table = Table::new("Models", columns, Empty::new("tag", "No model", "Models show here."));
    for (model, price, missing) in rows {
        let word = serde_json::to_value(model).map_err(PageError::failed)?;
        let pairs = [("estimate", estimate.id.to_string()), ("model", word.as_str().unwrap_or_default().to_owned())];
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let name = Cell::name(model_name(model));
        let name = match missing {
            None => name.to(with_query(&member.audience.quote_new(), &pairs)),
            Some(why) => name.sub(why),
        };
        table.row(vec![name, Cell::figure(price.human_estimate())]);
    }
    let heading = Heading::new(format!("A quote from {}", estimate.name))
        .path(PagePath::under("Quotes", member.audience.quotes(), "New"))
        .facts("By which model is it sold?");
    let card = TableCard { title: "Models".into(), all: None, table };
    Ok(list(shell(member, tx, "A new quote", Section::Plans).await?, heading, vec![card]))
}
