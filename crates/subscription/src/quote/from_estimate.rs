//! The terms that an estimate suggests: one commercial model of it, as components with the suggested rates, the forecast as the
//! quantities of a month, the least volume as a commitment and what it takes to begin as a fee.

use crate::catalogue::{Component, Measure, NewPlanVersion, standard_measures};
use crate::error::{Result, Rule, must};
use crate::words::{Billed, ComponentKind};
use money::Money;
use pricing::{ChannelCost, ChannelKind, Estimate, Exact, Forecast, ModelKind, Price, RoundTo};
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::BTreeMap;

/// What an estimate offers in one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    pub terms: NewPlanVersion,
    /// By component: the forecast month.
    pub quantities: BTreeMap<String, Decimal>,
    pub seats: u32,
}

/// The terms of one model. What is counted on a channel must be a meter of the book: calls and minutes are in every book; chats,
/// e-mails and messages are when the book has meters of these names.
pub fn offered(forecast: &Forecast, estimate: &Estimate, model: ModelKind, own_meters: &[Measure]) -> Result<Offered> {
    let mut offer = Offer { estimate, own_meters, components: Vec::new(), quantities: BTreeMap::new() };
    let (rates, cost) = (&estimate.rates, &estimate.cost);
    let (mut commitment, mut seats) = (Money::zero(forecast.currency), 0);
    match model {
        ModelKind::PerEvent => {
            offer.channels(rates.per_event, Decimal::ZERO, |channel| (event_meter(channel.channel), channel.events))?;
            let least = Exact::from(rates.per_event).times(&Exact::from(Decimal::from(estimate.minimum_events)));
            commitment = least.to_money(forecast.currency, RoundTo::Minor)?;
        }
        ModelKind::PerMinute => {
            offer.channels(rates.per_minute, Decimal::ZERO, |channel| {
                (minute_meter(channel.channel), channel.minutes)
            })?;
        }
        ModelKind::PerHour => offer.hours(cost.agent_hours),
        ModelKind::PerSeat => {
            seats = estimate.seats;
            offer.seats(seats);
        }
        ModelKind::Mixed => {
            offer.hours(cost.agent_hours * forecast.core_share);
            let share = forecast.core_share;
            offer.channels(rates.per_event, share, |channel| (event_meter(channel.channel), channel.events))?;
        }
    }
    if estimate.implementation_fee.is_positive() {
        let price = Price::per_unit(estimate.implementation_fee.as_decimal());
        offer.components.push(part("implementation", ComponentKind::OneOff, "Implementation", None, price));
    }
    let terms =
        NewPlanVersion { commitment, trial_days: 0, ..NewPlanVersion::monthly(forecast.currency, offer.components) };
    Ok(Offered { terms, quantities: offer.quantities, seats })
}

/// An offer while it is put together.
struct Offer<'a> {
    estimate: &'a Estimate,
    own_meters: &'a [Measure],
    components: Vec<Component>,
    quantities: BTreeMap<String, Decimal>,
}

impl Offer<'_> {
    /// Each channel on which something arrives, at one rate; a share of it may be in the team's hours already.
    fn channels(
        &mut self,
        rate: Money,
        included_share: Decimal,
        counted: impl Fn(&ChannelCost) -> (&'static str, Decimal),
    ) -> Result<()> {
        let known: Vec<String> =
            standard_measures().into_iter().chain(self.own_meters.iter().cloned()).map(|meter| meter.code).collect();
        for channel in self.estimate.by_channel.iter().filter(|channel| channel.events > Decimal::ZERO) {
            let (meter, quantity) = counted(channel);
            let is_known = known.iter().any(|code| code == meter);
            must(is_known, "meter", Rule::MustBeKnownMeasure(known.join(", ")), meter)?;
            let price = Price::per_unit(rate.as_decimal());
            let included = whole(quantity * included_share);
            let component = part(meter, ComponentKind::Usage, name_of(meter), Some(meter), price);
            self.components.push(Component { included, ..component });
            self.quantities.insert(meter.to_owned(), whole(quantity));
        }
        Ok(())
    }

    fn hours(&mut self, hours: Decimal) {
        let price = Price::per_unit(self.estimate.rates.per_hour.as_decimal());
        self.components.push(part("team", ComponentKind::Hours, "Team hours", Some("hours"), price));
        self.quantities.insert("team".into(), hours.round_dp(2).normalize());
    }

    fn seats(&mut self, seats: u32) {
        let price = Price::per_unit(self.estimate.rates.per_seat.as_decimal());
        let component = part("seats", ComponentKind::Seat, "Agents", Some("assigned"), price);
        self.components.push(Component { billed: Billed::InAdvance, ..component });
        self.quantities.insert("seats".into(), Decimal::from(seats));
    }
}

fn whole(quantity: Decimal) -> Decimal {
    quantity.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).normalize()
}

fn part(key: &str, kind: ComponentKind, name: &str, measure: Option<&str>, price: Price) -> Component {
    let billed = if kind == ComponentKind::OneOff { Billed::InAdvance } else { Billed::InArrears };
    Component {
        key: key.to_owned(),
        kind,
        name: name.to_owned(),
        measure: measure.map(str::to_owned),
        filter: BTreeMap::new(),
        included: Decimal::ZERO,
        minimum_quantity: Decimal::ZERO,
        price,
        billed,
    }
}

/// The meter that counts what arrives on a channel.
const fn event_meter(channel: ChannelKind) -> &'static str {
    match channel {
        ChannelKind::Phone => "calls",
        ChannelKind::Chat => "chats",
        ChannelKind::Email => "emails",
        ChannelKind::Messaging => "messages",
    }
}

/// The meter of the time that it takes.
const fn minute_meter(channel: ChannelKind) -> &'static str {
    match channel {
        ChannelKind::Phone => "minutes",
        ChannelKind::Chat => "chat_minutes",
        ChannelKind::Email => "email_minutes",
        ChannelKind::Messaging => "message_minutes",
    }
}

fn name_of(meter: &str) -> &'static str {
    match meter {
        "calls" => "Calls",
        "minutes" => "Minutes of calls",
        "chats" => "Chats",
        "chat_minutes" => "Minutes of chats",
        "emails" => "E-mails",
        "email_minutes" => "Minutes of e-mails",
        "messages" => "Messages",
        _ => "Minutes of messages",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(channels: serde_json::Value) -> (Forecast, Estimate) {
        let document = json!({
            "currency": "EUR", "time_zone": "Europe/Berlin", "week_of": "2026-03-02",
            "hours": [{"days": ["mon", "tue"], "from": "09:00", "to": "17:00"}],
            "channels": channels, "maximum_occupancy": "0.85", "shrinkage": "0.3", "cost_per_agent_hour": "18",
            "margin_percent": "30", "core_share": "0.8", "implementation": {"hours_per_agent": "20", "fixed": "1000"},
        });
        let forecast = Forecast::from_json(&document).expect("a forecast");
        let estimate = pricing::estimate(&forecast).expect("it can be staffed");
        (forecast, estimate)
    }

    fn phone() -> serde_json::Value {
        json!({"channel": "phone", "per_month": "800", "talk_seconds": "180", "target": "0.8", "within_seconds": "20"})
    }

    #[test]
    fn each_model_is_made_of_the_suggested_rates_and_keeps_the_rules_of_a_version() {
        let (forecast, estimate) = made(json!([phone()]));
        let rates = &estimate.rates;
        for (model, key, rate, quantity) in [
            (ModelKind::PerEvent, "calls", rates.per_event, Decimal::from(800)),
            (ModelKind::PerMinute, "minutes", rates.per_minute, Decimal::from(2400)), // 800 x 3 min
            (ModelKind::PerHour, "team", rates.per_hour, estimate.cost.agent_hours.normalize()),
            (ModelKind::PerSeat, "seats", rates.per_seat, Decimal::from(estimate.seats)),
        ] {
            let offered = offered(&forecast, &estimate, model, &[]).unwrap();
            assert_eq!(offered.terms.refusals(&[]), [], "{model:?}");
            assert_eq!(offered.quantities, BTreeMap::from([(key.to_owned(), quantity)]), "{model:?}");
            assert_eq!(offered.terms.components[0].price, Price::per_unit(rate.as_decimal()), "{model:?}");
            let once = &offered.terms.components[1];
            assert_eq!(once.price, Price::per_unit(estimate.implementation_fee.as_decimal()), "{model:?}");
        }
        let per_event = offered(&forecast, &estimate, ModelKind::PerEvent, &[]).unwrap();
        let least = rates.per_event.as_decimal() * Decimal::from(estimate.minimum_events);
        assert_eq!(per_event.terms.commitment.as_decimal(), least);
        let mixed = offered(&forecast, &estimate, ModelKind::Mixed, &[]).unwrap();
        // four fifths of 800 calls are in the team's hours
        assert_eq!(mixed.terms.components[1].included, Decimal::from(640));
    }

    #[test]
    fn what_no_meter_of_the_book_counts_cannot_be_sold_by_the_event() {
        let chat = json!({"channel": "chat", "per_month": "300", "talk_seconds": "300", "target": "0.8", "within_seconds": "60"});
        let (forecast, estimate) = made(json!([phone(), chat]));
        let refused = offered(&forecast, &estimate, ModelKind::PerEvent, &[]).unwrap_err();
        assert_eq!(refused.refusal().map(|refusal| refusal.value.as_str()), Some("chats"));
        let own = [Measure::new("chats", &[])];
        let offer = offered(&forecast, &estimate, ModelKind::PerEvent, &own).unwrap();
        assert_eq!(offer.quantities["chats"], Decimal::from(300));
        assert!(offered(&forecast, &estimate, ModelKind::PerHour, &[]).is_ok(), "hours need no meter of their own");
    }
}
