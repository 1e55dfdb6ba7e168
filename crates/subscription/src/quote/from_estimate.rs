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
            offer.hours(whole(cost.agent_hours * forecast.core_share));
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
        self.quantities.insert("team".into(), whole(hours));
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
