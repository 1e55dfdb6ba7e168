//! What a call is known by wherever it is counted or covered: one place, so that a plan that charges Spanish calls finds the same
//! calls before they are let in, at their end, and in the books above.

use crate::entity::call::Model;
use db::TopicId;
use std::collections::BTreeMap;

/// All that is counted here is heard on a phone.
const CHANNEL: &str = "phone";

/// What is known of a call, by whichever book.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known<'a> {
    /// The tenant's own number, whichever way the call went: what others are called is without end.
    pub number: Option<&'a str>,
    pub topic: Option<TopicId>,
    pub direction: &'a str,
    pub handled_by: Option<&'a str>,
    /// Of the number at the call's start, unless whoever tells the call knows better.
    pub language: Option<&'a str>,
    pub region: Option<&'a str>,
    /// Who charges it, once that is decided.
    pub charged_by: Option<&'a str>,
}

impl<'a> Known<'a> {
    /// Before anybody has decided who charges it.
    pub fn of(call: &'a Model) -> Self {
        let number = if call.direction == "outbound" { call.caller.as_deref() } else { Some(call.called.as_str()) };
        Self {
            number,
            topic: call.topic_id.map(TopicId::from_uuid),
            direction: &call.direction,
            handled_by: call.handled_by.as_deref(),
            language: call.language.as_deref(),
            region: call.region.as_deref(),
            charged_by: None,
        }
    }

    /// Settled. What the network bills is on no document of this book, though a tariff says what it costs.
    pub fn charged(call: &'a Model) -> Self {
        let charged_by = if call.collected_by == "seller" { Some("network") } else { call.charged_by.as_deref() };
        Self { charged_by, ..Self::of(call) }
    }

    /// As dimensions of usage.
    pub fn dimensions(&self) -> BTreeMap<String, String> {
        let topic = self.topic.map(|topic| topic.to_string());
        let known = [
            ("number", self.number),
            ("topic", topic.as_deref()),
            ("direction", Some(self.direction)),
            ("handled_by", self.handled_by),
            ("language", self.language),
            ("region", self.region),
            ("channel", Some(CHANNEL)),
            ("charged_by", self.charged_by),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
    }
}
