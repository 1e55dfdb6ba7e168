//! An estimate as a PDF: the words and figures of its page, for who reads on paper or passes it on.

use super::estimate_show as show;
use crate::error::PageResult;
use crate::views::parts::{SumRow, Sums};
use crate::views::public::HeatDay;
use crate::views::table::{Row, Table};
use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use db::TenantTx;
use invoicing::NewReport;
use invoicing::print::{ReportRow, Section};
use pricing::{Estimate, Forecast};
use std::collections::BTreeSet;

/// The file as the answer to a browser.
pub async fn answer(
    tx: &TenantTx,
    forecast: &Forecast,
    estimate: &Estimate,
    now: DateTime<Utc>,
) -> PageResult<HttpResponse> {
    let bytes = file(tx, forecast, estimate, now).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/pdf")
        .insert_header(("content-disposition", "attachment; filename=\"estimate.pdf\""))
        .insert_header(("cache-control", "private, no-store"))
        .body(bytes))
}

/// The file, under the brand of the book that the transaction is of.
pub async fn file(tx: &TenantTx, forecast: &Forecast, estimate: &Estimate, now: DateTime<Utc>) -> PageResult<Vec<u8>> {
    let report = NewReport {
        title: show::title(estimate),
        text: vec![
            show::facts(forecast, estimate),
            "An estimate from the figures that were given; tax excluded.".to_owned(),
        ],
        sections: sections(forecast, estimate),
        currency: forecast.currency,
    };
    Ok(invoicing::report_pdf(tx, report, now).await?)
}

/// In the order of the page.
fn sections(forecast: &Forecast, estimate: &Estimate) -> Vec<Section> {
    let rates = show::suggested(estimate).into_iter().map(|rate| {
        ReportRow::new([
            rate.name.to_owned(),
            format!("{} {}", rate.value, rate.per),
            rate.month.human_estimate(),
            rate.margin,
        ])
    });
    let service = show::service(estimate);
    let service = service.iter().map(|stat| ReportRow::new([&stat.label, &stat.note, &stat.value]));
    let mut sections = vec![
        Section {
            title: "Suggested rates".into(),
            heads: ["Model", "Rate", "A month", "Your margin"].map(Into::into).to_vec(),
            rows: rates.collect(),
            ..Section::default()
        },
        Section { note: show::break_evens(estimate).join(" "), ..table("Side by side", &show::side_by_side(estimate)) },
        sums("To agree on", &show::begin(estimate)),
        sums("What a month costs you", &show::cost(estimate)),
        Section { title: "In the busiest hour".into(), rows: service.collect(), ..Section::default() },
        table("By channel", &show::channels(forecast, estimate)),
        week(
            &show::days(estimate),
            format!("{} Agents for what arrives in the hour. {}", show::away(forecast), show::zone(forecast)),
        ),
    ];
    sections.retain(|section| !section.rows.is_empty());
    sections
}

fn sums(title: &str, sums: &Sums) -> Section {
    let rows = sums.0.iter().map(|row| match row {
        SumRow::Plain(label, value) => ReportRow::new([label, value]),
        SumRow::Sum(label, value) => ReportRow::new([label, value]).sum(),
        SumRow::Note(text) => ReportRow::new([text]),
    });
    Section { title: title.into(), rows: rows.collect(), ..Section::default() }
}

fn table(title: &str, of: &Table) -> Section {
    let cells = |cells: &Vec<crate::views::table::Cell>| ReportRow::new(cells.iter().map(|cell| cell.text.clone()));
    let rows = of.rows.iter().filter_map(|row| match row {
        Row::Cells(row) => Some(cells(row)),
        Row::Group(_) => None,
    });
    Section {
        title: title.into(),
        heads: of.columns.iter().map(|column| column.head.clone()).collect(),
        rows: rows.chain(of.totals.iter().map(|row| cells(row).sum())).collect(),
        ..Section::default()
    }
}

/// Agents by hour, days that are alike in one column.
fn week(days: &[HeatDay], note: String) -> Section {
    let hours: BTreeSet<&str> = days.iter().flat_map(|day| &day.cells).map(|cell| cell.hour.as_str()).collect();
    let rows = hours.into_iter().map(|hour| {
        let in_day = |day: &HeatDay| {
            let cell = day.cells.iter().find(|cell| cell.hour == hour);
            cell.map_or_else(String::new, |cell| format!("{} for {}", cell.agents, cell.events))
        };
        ReportRow::new(std::iter::once(hour.to_owned()).chain(days.iter().map(in_day)))
    });
    Section {
        title: "Agents to schedule, by hour".into(),
        heads: std::iter::once("From".to_owned()).chain(days.iter().map(|day| day.name.clone())).collect(),
        rows: rows.collect(),
        note,
    }
}
