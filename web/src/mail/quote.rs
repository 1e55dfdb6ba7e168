//! The letter that brings a quote. It is written when it leaves, so that no link is stored.

use super::told::{From, Told};
use super::{Letter, TOPIC};
use crate::urls;
use chrono::{DateTime, TimeDelta, Utc};
use db::{QuoteId, TenantTx};
use serde::{Deserialize, Serialize};
use subscription::{QuoteState, QuotedCustomer};

/// A quote that goes to somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuoteTold {
    quote_id: QuoteId,
    to: String,
    by: String,
    /// Where the seller is shown: the start of the link.
    origin: String,
}

/// Puts a quote's letter into the outbox; a further one to the same address is a letter of its own.
pub async fn post_quote(
    tx: &TenantTx,
    quote_id: QuoteId,
    to: &str,
    by: &str,
    origin: &str,
    now: DateTime<Utc>,
) -> Result<(), db::DbError> {
    let told = Told::Quote(QuoteTold { quote_id, to: to.into(), by: by.into(), origin: origin.into() });
    let key = format!("quote {quote_id} {to} {}", now.timestamp_micros());
    db::enqueue(tx, TOPIC, &key, serde_json::json!(told), now).await
}

/// The letter, with a link of its own; `None` where the quote was accepted or withdrawn meanwhile.
pub(super) async fn letter(
    tx: &TenantTx,
    told: &QuoteTold,
    from: From,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Letter>> {
    let Some(quote) = subscription::quote(tx, told.quote_id).await? else { return Ok(None) };
    if quote.state_at(now) != QuoteState::Open {
        return Ok(None);
    }
    let token = subscription::link_quote(tx, told.quote_id, &told.by, now).await?;
    let seller = tenant::organisation(tx).await?;
    let to_name = match &quote.customer {
        QuotedCustomer::New(prospect) => prospect.name.clone(),
        QuotedCustomer::Known(id) => subscription::customer(tx, *id).await?.map(|known| known.name).unwrap_or_default(),
    };
    let last = pricing::civil_date(quote.valid_until - TimeDelta::seconds(1), &seller.time_zone)?;
    let mut paragraphs = vec![format!("{} offers you {}, quote {}.", from.name, quote.plan_name, quote.number)];
    paragraphs.extend([&quote.plan_description, &quote.note].into_iter().filter(|text| !text.is_empty()).cloned());
    let until = last.format("%-d %B %Y");
    paragraphs.push(match invoicing::quoted(tx, &quote).await {
        Ok(of) => format!(
            "A month with the quantities of the quote comes to {} before tax. Read and accept it until {until}.",
            of.month.total.human()
        ),
        // An old quote may name more than money is kept in: it goes out without its sum.
        Err(error) if error.is_too_large() => format!("Read and accept it until {until}."),
        Err(error) => return Err(error.into()),
    });
    paragraphs.push(told.by.clone());
    Ok(Some(Letter {
        to: told.to.clone(),
        to_name,
        subject: format!("Quote {}: {}", quote.number, quote.plan_name),
        paragraphs,
        action: Some(("Read the quote".into(), format!("{}{}", told.origin, urls::quote(&token)))),
        ..from.letter()
    }))
}
