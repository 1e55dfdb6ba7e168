//! What the next document of a customer will say, as a page shows it.

use crate::error::PageResult;
use crate::views::subscriptions::BillPreview;
use chrono::{DateTime, Utc};
use db::TenantTx;
use subscription::{Customer, History};

/// The figures that a confirmation stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures(String);

impl Figures {
    pub fn print(&self) -> String {
        self.0.clone()
    }
}

pub async fn of_change(
    _tx: &TenantTx,
    _customer: &Customer,
    _after: &History,
    _now: DateTime<Utc>,
) -> PageResult<(Option<BillPreview>, Figures)> {
    Ok((None, Figures::default()))
}

pub async fn of_start(
    _tx: &TenantTx,
    _customer: &Customer,
    _now: DateTime<Utc>,
) -> PageResult<(Option<BillPreview>, Figures)> {
    Ok((None, Figures::default()))
}
