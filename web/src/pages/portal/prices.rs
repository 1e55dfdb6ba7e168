//! What a call costs, said before it is made.

use crate::error::PageResult;
use crate::extract::PortalCustomer;
use crate::format;
use crate::pages::book::prices::{is_free, times_by_price};
use crate::shell::Section;
use crate::views::parts::Heading;
use crate::views::portal::{PriceLine, PriceRow, Prices};
use chrono::{DateTime, Utc};
use db::CustomerTx;
use money::Currency;
use pricing::{Band, RateStep, Tariff};
use std::collections::HashMap;
use subscription::{MeterStarts, Number, StoredTariff, Topic};

/// `GET /portal/prices`
pub async fn prices(who: PortalCustomer) -> PageResult<Prices> {
    let tx = who.tx().await?;
    let sold = sold_topics(&tx, who.now).await?;
    Ok(Prices {
        shell: who.shell("Prices", Section::Prices),
        heading: Heading::new("What a call costs").facts("Tax is inside every price."),
        lines: price_lines(&sold),
        note: format!("{} A plan of yours may include calls; then they cost what it says.", starts_in_words(&sold)),
    })
}

/// From when a call costs something, with the topics that differ named.
fn starts_in_words(sold: &[(Number, Topic, StoredTariff)]) -> String {
    let at_once = |topic: &&Topic| topic.meter_starts == MeterStarts::TopicChosen;
    let mut names: Vec<&str> =
        sold.iter().map(|(_, topic, _)| topic).filter(at_once).map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let answered = "Nothing is charged while the menu plays or an agent's phone rings. A call costs from when an agent \
                    answers; where nobody is there, from when the music begins.";
    match names.as_slice() {
        [] => answered.into(),
        names if sold.iter().all(|(_, topic, _)| at_once(&topic)) && !names.is_empty() => {
            "Nothing is charged while the menu plays. A call costs from when its topic is chosen.".into()
        }
        names => format!("{answered} {} costs from when it is chosen.", names.join(", ")),
    }
}

/// Every topic that can be called, with its number and its tariff.
pub async fn sold_topics(tx: &CustomerTx, now: DateTime<Utc>) -> PageResult<Vec<(Number, Topic, StoredTariff)>> {
    let tariffs: HashMap<_, _> =
        subscription::tariffs(tx).await?.into_iter().map(|tariff| (tariff.id, tariff)).collect();
    let mut sold = Vec::new();
    for number in subscription::numbers(tx, now).await? {
        for topic in &number.topics {
            if let Some(tariff) = tariffs.get(&topic.tariff_id) {
                sold.push((number.clone(), topic.clone(), tariff.clone()));
            }
        }
    }
    Ok(sold)
}

/// The lines that can be called, each with its prices and the digits that lead there.
pub fn price_lines(sold: &[(Number, Topic, StoredTariff)]) -> Vec<PriceLine> {
    let mut lines: Vec<PriceLine> = Vec::new();
    for (number, topic, stored) in sold {
        let tel_href = format!("tel:{}", number.e164);
        if lines.last().is_none_or(|line| line.tel_href != tel_href) {
            let label = number.label.clone();
            lines.push(PriceLine { number: format::phone(&number.e164), label, tel_href, prices: Vec::new() });
        }
        let words = in_words(&stored.tariff, stored.currency);
        let Some(line) = lines.last_mut() else { continue };
        match line.prices.iter_mut().find(|price| price.words == words) {
            Some(price) => price.topics.push((topic.digit, topic.name.clone())),
            None => line.prices.push(PriceRow { words, topics: vec![(topic.digit, topic.name.clone())] }),
        }
    }
    lines
}

/// "€5.00 to start, €0.50 a minute, €0.25 after 20 minutes"
fn in_words(tariff: &Tariff, currency: Currency) -> String {
    if is_free(tariff) {
        return "Free".into();
    }
    let mut words = Vec::new();
    if !tariff.connection.is_zero() {
        words.push(format!("{} to start", currency.human_rate(tariff.connection)));
    }
    words.extend(steps_in_words(&tariff.steps, tariff, currency));
    if tariff.free_seconds > 0 {
        words.push(format!("the first {} free", format::duration_words(tariff.free_seconds.into())));
    }
    if let Some(maximum) = tariff.maximum {
        words.push(format!("at most {}", currency.human_rate(maximum)));
    }
    let price = |band: &Band| steps_in_words(&band.steps, tariff, currency).join(", ");
    let times = times_by_price(&tariff.bands, price).into_iter().map(|(price, times)| format!("; {times} {price}"));
    words.join(", ") + &times.collect::<String>()
}

fn steps_in_words(steps: &[RateStep], tariff: &Tariff, currency: Currency) -> Vec<String> {
    let word = |step: &RateStep| match step.from_second {
        0 if step.rate.is_zero() && steps.len() == 1 => None,
        0 => Some(format!("{} {}", currency.human_rate(step.rate), tariff.per.each())),
        from if from % 60 == 0 => Some(format!(
            "{} after {}",
            currency.human_rate(step.rate),
            format::counted(i64::from(from / 60), "minute", "minutes")
        )),
        from => Some(format!("{} after {}", currency.human_rate(step.rate), format::duration_words(from.into()))),
    };
    steps.iter().filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pricing::Per;

    #[test]
    fn a_tariff_is_told_in_one_line() {
        let rate = |text: &str| text.parse().expect("a rate");
        let mut tariff = Tariff::flat(rate("0.50"), Per::Minute);
        tariff.connection = rate("5");
        tariff.steps.push(RateStep { from_second: 1200, rate: rate("0.25"), increment: None });
        assert_eq!(in_words(&tariff, Currency::EUR), "€5.00 to start, €0.50 a minute, €0.25 after 20 minutes");
        assert_eq!(in_words(&Tariff::flat(rate("0"), Per::Minute), Currency::EUR), "Free");
        let tariff: Tariff = serde_json::from_value(serde_json::json!({
            "per": "minute", "rate": "0.49",
            "bands": [{"days": ["sat", "sun"], "from": "00:00", "to": "24:00", "rate": "0.29"}],
        }))
        .expect("a tariff");
        assert_eq!(in_words(&tariff, Currency::EUR), "€0.49 a minute; Sat and Sun €0.29 a minute");
    }
}
