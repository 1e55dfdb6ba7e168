//! The JSON document of a forecast, read strictly, and the rules that one built in code must keep too.

use money::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::forecast::{
    ChannelForecast, ChannelKind, Forecast, Implementation, Language, OpenHours, Profile, Region, Volume,
};
use crate::json::{Fields, Node, or};
use crate::tariff_json::{read_day, read_time};
use crate::{DocumentError, PricingError};

type Read<T> = Result<T, DocumentError>;

impl Forecast {
    /// Reads a forecast; refuses unknown fields and broken rules with a pointer into `document`.
    pub fn from_json(document: &Value) -> Read<Forecast> {
        Forecast::read(&Node::root(document)).map_err(|error| error.found_in(document))
    }

    fn read(node: &Node<'_>) -> Read<Forecast> {
        let mut fields = node.object()?;
        let forecast = Forecast {
            currency: fields.required("currency")?.currency()?,
            time_zone: fields.required("time_zone")?.text()?.to_owned(),
            week_of: fields.required("week_of")?.date()?,
            hours: read_hours(&fields.required("hours")?)?,
            channels: fields.required("channels")?.list()?.iter().map(read_channel).collect::<Read<_>>()?,
            languages: read_each(fields.optional("languages"), read_language)?,
            regions: read_each(fields.optional("regions"), read_region)?,
            maximum_occupancy: fields.required("maximum_occupancy")?.unsigned()?,
            shrinkage: fields.required("shrinkage")?.unsigned()?,
            cost_per_agent_hour: fields.required("cost_per_agent_hour")?.unsigned()?,
            overhead_percent: or(fields.optional("overhead_percent"), Decimal::ZERO, Node::unsigned)?,
            cost_per_channel: or(fields.optional("cost_per_channel"), Decimal::ZERO, Node::unsigned)?,
            margin_percent: fields.required("margin_percent")?.unsigned()?,
            risk_percent: or(fields.optional("risk_percent"), Decimal::ZERO, Node::unsigned)?,
            // One call in a hundred is what networks are built for.
            maximum_blocking: or(fields.optional("maximum_blocking"), Decimal::new(1, 2), Node::unsigned)?,
            hours_per_agent_month: or(fields.optional("hours_per_agent_month"), Decimal::from(160), Node::positive)?,
            core_share: or(fields.optional("core_share"), Decimal::new(8, 1), Node::unsigned)?,
            implementation: or(fields.optional("implementation"), Implementation::NONE, read_implementation)?,
        };
        fields.finish()?;
        forecast.check()?;
        Ok(forecast)
    }

    /// The rules between the numbers; a refusal points into the document of this forecast.
    pub(super) fn check(&self) -> Read<()> {
        crate::must_be_time_zone(&self.time_zone).map_err(|rule| rule.at("/time_zone"))?;
        check_hours(&self.hours, "/hours")?;
        self.check_numbers()?;
        if self.channels.is_empty() {
            return Err(PricingError::MustNotBeEmpty.at("/channels"));
        }
        for (index, channel) in self.channels.iter().enumerate() {
            let pointer = format!("/channels/{index}");
            if self.channels[..index].iter().any(|earlier| earlier.channel == channel.channel) {
                let at = format!("{pointer}/channel");
                return Err(PricingError::MustNotRepeat.at(at));
            }
            channel.check(&pointer)?;
        }
        check_shares(self.languages.iter().map(|language| (language.name.as_str(), language.share)), "/languages")?;
        check_shares(self.regions.iter().map(|region| (region.name.as_str(), region.share)), "/regions")?;
        for (index, language) in self.languages.iter().enumerate() {
            if let Some(cost) = language.cost_per_agent_hour {
                not_negative(cost, &format!("/languages/{index}/cost_per_agent_hour"))?;
            }
        }
        for (index, region) in self.regions.iter().enumerate() {
            not_negative(region.carriage_per_minute, &format!("/regions/{index}/carriage_per_minute"))?;
            if let Some(zone) = &region.time_zone {
                crate::must_be_time_zone(zone).map_err(|rule| rule.at(format!("/regions/{index}/time_zone")))?;
            }
            if let Some(hours) = &region.hours {
                check_hours(hours, &format!("/regions/{index}/hours"))?;
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Read<()> {
        for (name, share) in [
            ("maximum_occupancy", self.maximum_occupancy),
            ("shrinkage", self.shrinkage),
            ("maximum_blocking", self.maximum_blocking),
            ("core_share", self.core_share),
        ] {
            must_be_share(share, &format!("/{name}"))?;
        }
        if self.shrinkage == Decimal::ONE {
            return Err(PricingError::MustBeBelowOne.at("/shrinkage"));
        }
        for (name, number) in [
            ("cost_per_agent_hour", self.cost_per_agent_hour),
            ("overhead_percent", self.overhead_percent),
            ("cost_per_channel", self.cost_per_channel),
            ("margin_percent", self.margin_percent),
            ("risk_percent", self.risk_percent),
            ("implementation/hours_per_agent", self.implementation.hours_per_agent),
            ("implementation/fixed", self.implementation.fixed),
        ] {
            not_negative(number, &format!("/{name}"))?;
        }
        if self.margin_percent >= Decimal::ONE_HUNDRED {
            return Err(PricingError::MarginMustBeBelowWhole.at("/margin_percent"));
        }
        for (name, number) in [
            ("maximum_occupancy", self.maximum_occupancy),
            ("maximum_blocking", self.maximum_blocking),
            ("hours_per_agent_month", self.hours_per_agent_month),
        ] {
            above_zero(number, &format!("/{name}"))?;
        }
        Ok(())
    }
}

impl Implementation {
    /// Nothing to begin with.
    pub const NONE: Implementation = Implementation { hours_per_agent: Decimal::ZERO, fixed: Decimal::ZERO };
}

impl ChannelForecast {
    fn check(&self, pointer: &str) -> Read<()> {
        above_zero(self.talk_seconds, &format!("{pointer}/talk_seconds"))?;
        not_negative(self.after_seconds, &format!("{pointer}/after_seconds"))?;
        not_negative(self.within_seconds, &format!("{pointer}/within_seconds"))?;
        if self.at_once == 0 {
            return Err(PricingError::MustBeAboveZero.at(format!("{pointer}/at_once")));
        }
        match (self.target, self.channel.is_live()) {
            (Some(target), true) => {
                must_be_share(target, &format!("{pointer}/target"))?;
                // Every finite team lets some caller wait.
                if target == Decimal::ONE {
                    return Err(PricingError::MustBeBelowOne.at(format!("{pointer}/target")));
                }
            }
            (None, true) => return Err(PricingError::Missing.at(format!("{pointer}/target"))),
            (Some(_), false) => {
                return Err(PricingError::OnlyLiveChannelsHaveTarget.at(format!("{pointer}/target")));
            }
            (None, false) => {}
        }
        match &self.volume {
            Volume::Month { per_month, profile } => {
                not_negative(*per_month, &format!("{pointer}/per_month"))?;
                if let Some(profile) = profile {
                    check_weights(&profile.hours, 24, &format!("{pointer}/profile/hours"))?;
                    check_weights(&profile.days, 7, &format!("{pointer}/profile/days"))?;
                }
                Ok(())
            }
            Volume::HoursOfWeek { per_hour_of_week } => {
                let pointer = format!("{pointer}/per_hour_of_week");
                must_have_entries(per_hour_of_week, 168, &pointer)?;
                let mut each = per_hour_of_week.iter().enumerate();
                each.try_for_each(|(index, number)| not_negative(*number, &format!("{pointer}/{index}")))
            }
        }
    }
}

/// Weights that are given are complete and not all zero.
fn check_weights(weights: &[Decimal], wanted: usize, pointer: &str) -> Read<()> {
    if weights.is_empty() {
        return Ok(());
    }
    must_have_entries(weights, wanted, pointer)?;
    for (index, weight) in weights.iter().enumerate() {
        not_negative(*weight, &format!("{pointer}/{index}"))?;
    }
    if weights.iter().all(Decimal::is_zero) {
        return Err(PricingError::from(money::MoneyError::WeightsMustNotBeZero).at(pointer).with("only zeros"));
    }
    Ok(())
}

fn must_have_entries(list: &[Decimal], wanted: usize, pointer: &str) -> Read<()> {
    if list.len() != wanted {
        return Err(PricingError::MustHaveEntries { wanted }.at(pointer).with(format!("{} entries", list.len())));
    }
    Ok(())
}

/// Names once each, shares that make a whole.
fn check_shares<'a>(parts: impl Iterator<Item = (&'a str, Decimal)> + Clone, pointer: &str) -> Read<()> {
    let mut sum = Decimal::ZERO;
    for (index, (name, share)) in parts.clone().enumerate() {
        must_be_share(share, &format!("{pointer}/{index}/share"))?;
        if parts.clone().take(index).any(|(earlier, _)| earlier == name) {
            return Err(PricingError::MustNotRepeat.at(format!("{pointer}/{index}/name")));
        }
        sum += share;
    }
    if parts.count() > 0 && sum != Decimal::ONE {
        return Err(PricingError::SharesMustSumToOne.at(pointer).with(sum.normalize()));
    }
    Ok(())
}

fn check_hours(hours: &[OpenHours], pointer: &str) -> Read<()> {
    if hours.is_empty() {
        return Err(PricingError::MustNotBeEmpty.at(pointer));
    }
    for (index, open) in hours.iter().enumerate() {
        if open.days.is_empty() {
            return Err(PricingError::MustNotBeEmpty.at(format!("{pointer}/{index}/days")));
        }
        if let Some(day) = open.days.iter().position(|day| *day == crate::Day::Holiday) {
            return Err(PricingError::UnknownDay.at(format!("{pointer}/{index}/days/{day}")));
        }
        if open.from.seconds() == 86_400 {
            return Err(PricingError::MustBeTimeOfDay.at(format!("{pointer}/{index}/from")));
        }
    }
    Ok(())
}

fn must_be_share(share: Decimal, pointer: &str) -> Read<()> {
    if share < Decimal::ZERO || share > Decimal::ONE {
        return Err(PricingError::MustBeShare.at(pointer));
    }
    Ok(())
}

fn not_negative(number: Decimal, pointer: &str) -> Read<()> {
    if number < Decimal::ZERO {
        return Err(PricingError::MustNotBeNegative.at(pointer));
    }
    Ok(())
}

fn above_zero(number: Decimal, pointer: &str) -> Read<()> {
    if number <= Decimal::ZERO {
        return Err(PricingError::MustBeAboveZero.at(pointer));
    }
    Ok(())
}

fn read_each<T>(node: Option<Node<'_>>, read: fn(&Node<'_>) -> Read<T>) -> Read<Vec<T>> {
    or(node, Vec::new(), |node| node.list()?.iter().map(read).collect())
}

fn read_hours(node: &Node<'_>) -> Read<Vec<OpenHours>> {
    node.list()?.iter().map(read_open).collect()
}

fn read_open(node: &Node<'_>) -> Read<OpenHours> {
    let mut fields = node.object()?;
    let open = OpenHours {
        days: fields.required("days")?.list()?.iter().map(read_day).collect::<Read<_>>()?,
        from: read_time(&fields.required("from")?)?,
        to: read_time(&fields.required("to")?)?,
    };
    fields.finish()?;
    Ok(open)
}

fn read_channel(node: &Node<'_>) -> Read<ChannelForecast> {
    let mut fields = node.object()?;
    let channel = ChannelForecast {
        channel: read_kind(&fields.required("channel")?)?,
        volume: read_volume(&mut fields)?,
        talk_seconds: fields.required("talk_seconds")?.positive()?,
        after_seconds: or(fields.optional("after_seconds"), Decimal::ZERO, Node::unsigned)?,
        at_once: or(fields.optional("at_once"), 1, Node::positive_count)?,
        target: fields.optional("target").map(|node| node.unsigned()).transpose()?,
        within_seconds: fields.required("within_seconds")?.unsigned()?,
    };
    fields.finish()?;
    Ok(channel)
}

fn read_kind(node: &Node<'_>) -> Read<ChannelKind> {
    let name = node.text()?;
    let kind = ChannelKind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.ok_or_else(|| node.refuse(PricingError::UnknownChannel))
}

/// `per_month`, with a `profile` or without, or `per_hour_of_week`.
fn read_volume(fields: &mut Fields<'_>) -> Read<Volume> {
    let (month, profile, hours) =
        (fields.optional("per_month"), fields.optional("profile"), fields.optional("per_hour_of_week"));
    match (month, hours) {
        (Some(month), None) => Ok(Volume::Month {
            per_month: month.unsigned()?,
            profile: profile.map(|node| read_profile(&node)).transpose()?,
        }),
        (None, Some(hours)) if profile.is_none() => Ok(Volume::HoursOfWeek { per_hour_of_week: read_numbers(&hours)? }),
        _ => Err(fields.refuse(PricingError::MonthOrHoursOfWeek)),
    }
}

fn read_profile(node: &Node<'_>) -> Read<Profile> {
    let mut fields = node.object()?;
    let profile = Profile {
        hours: or(fields.optional("hours"), Vec::new(), read_numbers)?,
        days: or(fields.optional("days"), Vec::new(), read_numbers)?,
    };
    fields.finish()?;
    Ok(profile)
}

fn read_numbers(node: &Node<'_>) -> Read<Vec<Decimal>> {
    node.list()?.iter().map(Node::unsigned).collect()
}

fn read_language(node: &Node<'_>) -> Read<Language> {
    let mut fields = node.object()?;
    let language = Language {
        name: fields.required("name")?.text()?.to_owned(),
        share: fields.required("share")?.unsigned()?,
        cost_per_agent_hour: fields.nullable("cost_per_agent_hour").map(|node| node.unsigned()).transpose()?,
    };
    fields.finish()?;
    Ok(language)
}

fn read_region(node: &Node<'_>) -> Read<Region> {
    let mut fields = node.object()?;
    let region = Region {
        name: fields.required("name")?.text()?.to_owned(),
        share: fields.required("share")?.unsigned()?,
        time_zone: fields.nullable("time_zone").map(|node| node.text().map(str::to_owned)).transpose()?,
        hours: fields.nullable("hours").map(|node| read_hours(&node)).transpose()?,
        carriage_per_minute: or(fields.optional("carriage_per_minute"), Decimal::ZERO, Node::unsigned)?,
    };
    fields.finish()?;
    Ok(region)
}

fn read_implementation(node: &Node<'_>) -> Read<Implementation> {
    let mut fields = node.object()?;
    let implementation = Implementation {
        hours_per_agent: or(fields.optional("hours_per_agent"), Decimal::ZERO, Node::unsigned)?,
        fixed: or(fields.optional("fixed"), Decimal::ZERO, Node::unsigned)?,
    };
    fields.finish()?;
    Ok(implementation)
}

impl<'de> Deserialize<'de> for Forecast {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // By way of a value: numbers are taken by their text, and a refusal carries its pointer.
        let document = Value::deserialize(deserializer)?;
        Forecast::from_json(&document).map_err(serde::de::Error::custom)
    }
}
