//! Reports as PDF: what a page has computed, on paper under the brand of the book.

use crate::error::Result;
use crate::pdf;
use crate::print::{PrintError, Report, Section, typst_renderer};
use chrono::{DateTime, Utc};
use db::TenantTx;

/// What is to be printed.
pub struct NewReport {
    pub title: String,
    pub text: Vec<String>,
    pub sections: Vec<Section>,
    pub currency: money::Currency,
}

/// A report as PDF, dated where the organisation is. Not stored: it says what the page says.
pub async fn report_pdf(tx: &TenantTx, new: NewReport, now: DateTime<Utc>) -> Result<Vec<u8>> {
    let organisation = tenant::organisation(tx).await?;
    let report = Report {
        lang: "en".to_owned(),
        paper: if organisation.country == "US" { "us-letter" } else { "a4" }.to_owned(),
        currency: new.currency.code().to_owned(),
        number: new.title.clone(),
        title: new.title,
        text: new.text,
        sections: new.sections,
        issued: pricing::civil_date(now, &organisation.time_zone)?,
        brand: pdf::brand(tx, &pdf::seller(&organisation)).await?,
    };
    let printed = tokio::task::spawn_blocking(move || typst_renderer().render_report(&report)).await;
    Ok(printed.map_err(|_| PrintError::Interrupted)??.bytes)
}
