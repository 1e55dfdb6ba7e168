//! How routes and refusals of calls out are said, and the table of a decision.

use crate::format;
use crate::views::table::{Cell, Column, Empty, Table};
use crate::views::ui::{Badge, Tone};
use call_control::{CarrierAttempt, Decision, OutgoingRefusal, RouteRefusal};
use db::CarrierId;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use std::collections::HashMap;

/// A rate a minute, with the digits that it has up to six.
pub(super) fn rate(rate: Decimal) -> String {
    rate.round_dp(6).normalize().to_string()
}

pub(super) fn refusal_word(refusal: OutgoingRefusal) -> &'static str {
    use OutgoingRefusal as R;
    match refusal {
        R::UnknownNumber => "Not our number",
        R::NotANumber => "No number",
        R::UnknownCustomer => "Unknown customer",
        R::Suspended => "Suspended",
        R::NotOpen => "Not open",
        R::DestinationClosed => "Destination closed",
        R::NoPrice => "No price",
        R::Currency => "Other currency",
        R::NoRoute => "No route",
        R::Loss => "Would lose",
        R::CallsAtOnce => "Too many at once",
        R::CallLimit => "Limit of one call",
        R::HourLimit => "Limit of the hour",
        R::DayLimit => "Limit of the day",
        R::ClassLimit => "Limit of the class",
        R::NoCredit => "No credit",
    }
}

fn route_word(reason: RouteRefusal) -> Badge {
    use RouteRefusal as R;
    let (word, tone) = match reason {
        R::Down => ("Down", Tone::Plain),
        R::NoAddress => ("No address", Tone::Plain),
        R::NoDeck => ("No deck", Tone::Plain),
        R::Currency => ("Other currency", Tone::Plain),
        R::NoPrefix => ("Unknown prefix", Tone::Plain),
        R::Quality => ("Answers too few", Tone::Wrong),
        R::Channels => ("Full", Tone::Soon),
        R::CallsPerSecond => ("Busy", Tone::Soon),
        R::Failed => ("Failed", Tone::Wrong),
        R::Margin => ("Too dear", Tone::Wrong),
        R::Seller => ("Refused", Tone::Plain),
    };
    Badge::new(word, tone)
}

/// The routes of a decision in their order, then those that were refused, each with its reason.
pub(super) fn routes(
    decision: &Decision,
    names: &HashMap<CarrierId, String>,
    attempts: &[CarrierAttempt],
    zone: &TimeZone,
) -> Table {
    let columns = vec![
        Column::text("Way"),
        Column::text("Why").full(),
        Column::figures("Asks a minute").label("Asks"),
        Column::figures("Margin").label("Margin"),
        Column::text("State"),
    ];
    let empty = Empty::new("route", "No way out", "No carrier of this book, and no seller, was looked at.");
    let mut table = Table::new("Ways out", columns, empty);
    for (place, offer) in decision.routes.offers.iter().enumerate() {
        let name = match offer.carrier_id {
            Some(id) => names.get(&id).cloned().unwrap_or_else(|| offer.code.clone()),
            None => "Your seller".to_owned(),
        };
        let tried = attempts.iter().rev().find(|attempt| Some(attempt.carrier_id) == offer.carrier_id);
        let (why, state) = match tried {
            Some(attempt) => {
                let at = format::second(attempt.at, zone).text;
                match attempt.is_answered {
                    Some(true) => (format!("answered, given at {at}"), Badge::new("Took it", Tone::Good)),
                    Some(false) => {
                        let said = attempt.failure.as_deref().unwrap_or("not answered");
                        (format!("given at {at}: {said}"), Badge::new("Failed", Tone::Wrong))
                    }
                    None => (format!("given at {at}"), Badge::new("Rings", Tone::On)),
                }
            }
            None if offer.is_below_margin => {
                ("keeps less than the margin; let go last".to_owned(), Badge::new("Loses", Tone::Wrong))
            }
            None if place == 0 => ("the cheapest that may take it".to_owned(), Badge::new("First", Tone::Good)),
            None => ("if those before it fail".to_owned(), Badge::new("Next", Tone::Plain)),
        };
        table.row(vec![
            Cell::name(name).sub(format!("prefix {}", offer.prefix)),
            Cell::text(why),
            Cell::figure(rate(offer.rate)),
            offer
                .margin_percent
                .map_or_else(Cell::none, |margin| Cell::figure(format!("{}%", margin.round_dp(2).normalize()))),
            Cell::none().with(state),
        ]);
    }
    for refused in &decision.routes.refused {
        let name = if refused.code == "seller" { "Your seller" } else { refused.code.as_str() };
        table.row(vec![
            Cell::text(name),
            Cell::text(&refused.detail),
            Cell::none(),
            Cell::none(),
            Cell::none().with(route_word(refused.reason)),
        ]);
    }
    table
}
