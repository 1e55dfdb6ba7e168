//! Least-cost routing: which carriers may take a call, in which order, and why not the others. Pure.

use crate::carrier::{Carrier, CarrierQuality, over};
use db::CarrierId;
use money::{Currency, Decimal, Percent};
use pricing::{PricingError, Routing};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use usage_metering::DeckTable;

/// A way for a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteOffer {
    /// `None`: bought from the seller, who routes it on.
    pub carrier_id: Option<CarrierId>,
    /// The carrier's code, or `seller`.
    pub code: String,
    pub prefix: String,
    /// Per minute, without tax.
    pub rate: Decimal,
    /// Of what the call is sold for, without tax; `None` where that is not known before the period ends.
    pub margin_percent: Option<Decimal>,
    /// It loses money, or keeps less than it must: taken only where the book lets such calls go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_below_margin: bool,
}

/// Why a carrier may not take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteRefusal {
    /// Switched off.
    Down,
    /// It has no SIP address, and the call is live.
    NoAddress,
    /// No version of its cost deck is in force.
    NoDeck,
    /// Its deck is in another currency than the call is sold in.
    Currency,
    /// Its deck does not know the number.
    NoPrefix,
    /// Too few of its last calls were answered.
    Quality,
    /// All its channels are taken.
    Channels,
    /// It has been given as many calls in this second as it takes.
    CallsPerSecond,
    /// It was given this call and failed.
    Failed,
    /// Less would be left than the book wants.
    Margin,
    /// The seller does not take the call.
    Seller,
}

/// A carrier that may not take the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRoute {
    pub code: String,
    pub reason: RouteRefusal,
    /// "asks 0.12 a minute, sold for 0.10".
    pub detail: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// In the order in which they are tried.
    pub offers: Vec<RouteOffer>,
    pub refused: Vec<RefusedRoute>,
}

/// A carrier with what is known of it now.
pub(crate) struct Candidate {
    pub carrier: Carrier,
    /// The version of its cost deck that is in force.
    pub deck: Option<Arc<DeckTable>>,
    pub currency: Currency,
    pub quality: CarrierQuality,
    /// May be rung, if that is what the call needs.
    pub has_address: bool,
    /// What it said when it was given this call.
    pub failure: Option<String>,
}

/// What a book wants of a route.
pub(crate) struct Wanted<'a> {
    /// Digits.
    pub called: &'a str,
    /// What the call is sold for, per minute without tax; `None`: not known before the period ends.
    pub sell: Option<Decimal>,
    pub currency: Currency,
    pub minimum_margin: Decimal,
    pub minimum_answer_percent: Decimal,
    /// Let what keeps less than the margin go last, flagged, instead of refusing it.
    pub takes_losses: bool,
}

/// A price at which the book may buy the call.
pub(crate) struct Priced {
    pub carrier_id: Option<CarrierId>,
    pub code: String,
    pub prefix: String,
    pub rate: Decimal,
}

impl Wanted<'_> {
    /// Goes through the carriers, and what the seller asks; both by priority.
    pub fn routes(&self, candidates: &[Candidate], seller: Option<Priced>) -> Result<Routes, PricingError> {
        let mut routes = Routes::default();
        let mut priced = Vec::new();
        for candidate in candidates {
            match self.look(candidate) {
                Ok(found) => priced.push(found),
                Err((reason, detail)) => {
                    routes.refused.push(RefusedRoute { code: candidate.carrier.of.code.clone(), reason, detail });
                }
            }
        }
        priced.extend(seller);
        self.order(priced, &mut routes)?;
        Ok(routes)
    }

    fn look(&self, candidate: &Candidate) -> Result<Priced, (RouteRefusal, String)> {
        let (of, quality) = (&candidate.carrier.of, &candidate.quality);
        if !of.is_up {
            return Err((RouteRefusal::Down, "is switched off".into()));
        }
        if !candidate.has_address {
            return Err((RouteRefusal::NoAddress, "has no SIP address".into()));
        }
        if let Some(failure) = &candidate.failure {
            return Err((RouteRefusal::Failed, format!("was tried and failed: {failure}")));
        }
        if candidate.currency != self.currency {
            let detail = format!("asks in {}, the call is sold in {}", candidate.currency, self.currency);
            return Err((RouteRefusal::Currency, detail));
        }
        let Some(deck) = &candidate.deck else {
            return Err((RouteRefusal::NoDeck, "has no cost deck in force".into()));
        };
        let Some(row) = deck.longest(self.called) else {
            return Err((RouteRefusal::NoPrefix, "does not know the number".into()));
        };
        if let Some(percent) = quality.answer_percent().filter(|percent| *percent < self.minimum_answer_percent) {
            let least = self.minimum_answer_percent.normalize();
            return Err((RouteRefusal::Quality, format!("answered {percent}% of its last calls, less than {least}%")));
        }
        if over(of.channels_max, quality.running) {
            return Err((RouteRefusal::Channels, format!("carries {} calls already", quality.running)));
        }
        if over(of.calls_per_second_max, quality.begun) {
            return Err((RouteRefusal::CallsPerSecond, format!("was given {} calls in this second", quality.begun)));
        }
        Ok(Priced {
            carrier_id: Some(candidate.carrier.id),
            code: of.code.clone(),
            prefix: row.prefix.to_string(),
            rate: row.rate,
        })
    }

    /// Cheapest first; what keeps too little is refused, or goes last.
    fn order(&self, priced: Vec<Priced>, routes: &mut Routes) -> Result<(), PricingError> {
        let kept = self.keeping(&priced)?;
        let mut rest: Vec<Priced> = Vec::new();
        let mut by_code: BTreeMap<String, Priced> = BTreeMap::new();
        for one in priced {
            if kept.iter().any(|(code, _)| *code == one.code) {
                by_code.insert(one.code.clone(), one);
            } else {
                rest.push(one);
            }
        }
        for (code, margin) in kept {
            let Some(one) = by_code.remove(&code) else { continue };
            routes.offers.push(offer(one, margin, false));
        }
        rest.sort_by_key(|one| one.rate);
        for one in rest {
            let sold = self.sell.unwrap_or_default();
            if self.takes_losses {
                let margin = margin_percent(sold, one.rate);
                routes.offers.push(offer(one, margin, true));
                continue;
            }
            let least = match self.minimum_margin.is_zero() {
                true => String::new(),
                false => format!("; {}% must be left", self.minimum_margin.normalize()),
            };
            let detail =
                format!("asks {} a minute, sold for {} net{least}", one.rate.normalize(), sold.round_dp(6).normalize());
            routes.refused.push(RefusedRoute { code: one.code, reason: RouteRefusal::Margin, detail });
        }
        Ok(())
    }

    /// Codes of those that keep the margin, cheapest first, each with its margin.
    fn keeping(&self, priced: &[Priced]) -> Result<Vec<(String, Option<Decimal>)>, PricingError> {
        match self.sell {
            Some(sell) if sell > Decimal::ZERO => {
                let carrier = |one: &Priced| pricing::Carrier {
                    code: one.code.clone(),
                    up: true,
                    rates: BTreeMap::from([(one.prefix.clone(), one.rate)]),
                };
                let carriers: Vec<pricing::Carrier> = priced.iter().map(carrier).collect();
                let minimum_margin = Percent::new(self.minimum_margin)?;
                let routing = Routing { called: self.called.to_owned(), sell_rate: sell, minimum_margin };
                let routes = routing.routes(&carriers)?.into_iter();
                Ok(routes.map(|route| (route.carrier, Some(route.margin_percent))).collect())
            }
            // A free destination keeps its margin only where it is free to buy.
            sold => {
                let mut all: Vec<&Priced> = priced.iter().filter(|one| sold.is_none() || one.rate.is_zero()).collect();
                all.sort_by_key(|one| one.rate);
                Ok(all.into_iter().map(|one| (one.code.clone(), None)).collect())
            }
        }
    }
}

fn offer(one: Priced, margin_percent: Option<Decimal>, is_below_margin: bool) -> RouteOffer {
    let Priced { carrier_id, code, prefix, rate } = one;
    RouteOffer { carrier_id, code, prefix, rate, margin_percent, is_below_margin }
}

fn margin_percent(sell: Decimal, rate: Decimal) -> Option<Decimal> {
    let margin = (sell - rate).checked_mul(Decimal::ONE_HUNDRED)?.checked_div(sell)?;
    Some(margin.round_dp(6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::NewCarrier;
    use db::DeckId;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn candidate(code: &str, rows: &str) -> Candidate {
        let of = NewCarrier {
            code: code.into(),
            name: code.into(),
            cost_deck: DeckId::new(),
            channels_max: Some(10),
            calls_per_second_max: Some(5),
            is_up: true,
            priority: 100,
        };
        let rows = usage_metering::read_deck(rows).unwrap().rows;
        Candidate {
            carrier: Carrier { id: CarrierId::new(), of, created_at: "2026-03-02T10:00:00Z".parse().unwrap() },
            deck: Some(Arc::new(DeckTable::new(1, rows).unwrap())),
            currency: Currency::EUR,
            quality: CarrierQuality::default(),
            has_address: true,
            failure: None,
        }
    }

    fn wanted() -> Wanted<'static> {
        Wanted {
            called: "491512345",
            sell: Some(dec("0.10")),
            currency: Currency::EUR,
            minimum_margin: dec("20"),
            minimum_answer_percent: dec("40"),
            takes_losses: false,
        }
    }

    type Said<'a> = (Vec<(&'a str, Option<Decimal>)>, Vec<(&'a str, RouteRefusal)>);

    fn said(routes: &Routes) -> Said<'_> {
        let offers = routes.offers.iter().map(|offer| (offer.code.as_str(), offer.margin_percent));
        (offers.collect(), routes.refused.iter().map(|refused| (refused.code.as_str(), refused.reason)).collect())
    }

    #[test]
    fn the_cheapest_that_is_up_good_and_free_is_first_and_the_others_are_named() {
        let off = candidate("off", "49,0.01");
        let candidates = [
            candidate("dear", "49,0.02\n4915,0.07"), // its longest prefix counts, though 49 is cheaper
            candidate("fair", "4915,0.05"),
            candidate("too-dear", "4915,0.081"), // keeps 19 of 20
            candidate("elsewhere", "44,0.01"),
            Candidate {
                carrier: Carrier { of: NewCarrier { is_up: false, ..off.carrier.of.clone() }, ..off.carrier.clone() },
                ..off
            },
            Candidate {
                quality: CarrierQuality { attempts: 10, answers: 3, ..CarrierQuality::default() },
                ..candidate("deaf", "49,0.01")
            },
            Candidate {
                quality: CarrierQuality { attempts: 9, answers: 0, running: 10, ..CarrierQuality::default() },
                ..candidate("full", "49,0.01")
            },
            Candidate {
                quality: CarrierQuality { begun: 5, ..CarrierQuality::default() },
                ..candidate("hasty", "49,0.01")
            },
            Candidate { currency: Currency::USD, ..candidate("dollar", "49,0.01") },
            Candidate { deck: None, ..candidate("new", "49,0.01") },
            Candidate { has_address: false, ..candidate("mute", "49,0.01") },
            Candidate { failure: Some("503".into()), ..candidate("failed", "49,0.01") },
        ];
        let routes = wanted().routes(&candidates, None).unwrap();
        let (offers, refused) = said(&routes);
        assert_eq!(offers, [("fair", Some(dec("50"))), ("dear", Some(dec("30")))]);
        use RouteRefusal::{CallsPerSecond, Channels, Down, Failed, Margin, NoAddress, NoDeck, NoPrefix, Quality};
        let expected = [
            ("elsewhere", NoPrefix),
            ("off", Down),
            ("deaf", Quality),
            ("full", Channels),
            ("hasty", CallsPerSecond),
            ("dollar", RouteRefusal::Currency),
            ("new", NoDeck),
            ("mute", NoAddress),
            ("failed", Failed),
            ("too-dear", Margin),
        ];
        assert_eq!(refused, expected);
        assert_eq!(routes.refused[9].detail, "asks 0.081 a minute, sold for 0.1 net; 20% must be left");
    }

    #[test]
    fn a_book_that_lets_losses_go_tries_them_last_and_says_so() {
        let candidates = [candidate("loss", "49,0.12"), candidate("fair", "49,0.05")];
        let seller =
            || Some(Priced { carrier_id: None, code: "seller".into(), prefix: "49".into(), rate: dec("0.04") });
        let routes = Wanted { takes_losses: true, ..wanted() }.routes(&candidates, seller()).unwrap();
        assert_eq!(
            said(&routes).0,
            [("seller", Some(dec("60"))), ("fair", Some(dec("50"))), ("loss", Some(dec("-20")))]
        );
        assert_eq!(routes.offers.iter().map(|offer| offer.is_below_margin).collect::<Vec<_>>(), [false, false, true]);
        // What a plan includes is priced at the period's end: the cheapest, whatever it costs.
        let routes = Wanted { sell: None, ..wanted() }.routes(&candidates, None).unwrap();
        assert_eq!(said(&routes).0, [("fair", None), ("loss", None)]);
        // Free calls lose by any cost.
        let routes = Wanted { sell: Some(Decimal::ZERO), ..wanted() }.routes(&candidates, None).unwrap();
        assert!(routes.offers.is_empty());
    }
}
