//! E-mail. What is to be sent lies in the outbox of its transaction; the worker writes the letter when it delivers it, so that no
//! link is stored, and sends it outside of any transaction: at least once, later and later while the server refuses.

use crate::app::App;
use crate::config::MailSettings;
use crate::urls;
use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use db::{QuoteId, TenantId, TenantTx};
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use subscription::QuoteState;

/// Outbox topic of a quote that goes to somebody.
const QUOTE: &str = "quote_mail";
/// Letters that one round sends.
const BATCH: u64 = 20;
/// Longer than a server may take: until then nobody else sends the same letter.
const LEASE: TimeDelta = TimeDelta::seconds(60);
const SERVER_TIMEOUT: Duration = Duration::from_secs(20);

/// The way out of this installation.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// Connects with the first letter.
    pub fn new(settings: &MailSettings) -> anyhow::Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.server.expose_secret())
            .context("RINGTILL_SMTP is no address of a mail server, as in smtp://127.0.0.1:25")?;
        let from = settings.from.parse().context("RINGTILL_MAIL_FROM is no e-mail address")?;
        Ok(Self { transport: transport.timeout(Some(SERVER_TIMEOUT)).build(), from })
    }

    /// Under the seller's name, from the installation's address; answers go to the seller.
    async fn send(&self, letter: &Letter) -> anyhow::Result<()> {
        let from = Mailbox::new(Some(letter.seller.clone()), self.from.email.clone());
        let mut message = Message::builder().from(from).to(letter.to.parse()?).subject(&letter.subject);
        if let Some(reply_to) = letter.reply_to.as_deref().and_then(|address| address.parse().ok()) {
            message = message.reply_to(reply_to);
        }
        self.transport.send(message.body(letter.text.clone())?).await?;
        Ok(())
    }
}

struct Letter {
    seller: String,
    to: String,
    reply_to: Option<String>,
    subject: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct QuoteMail {
    quote: String,
    to: String,
    by: String,
    /// Where the seller is shown: the start of the link.
    origin: String,
}

/// Puts a quote's letter into the outbox; a further one to the same address is a letter of its own.
pub async fn post_quote(
    tx: &TenantTx,
    quote: QuoteId,
    to: &str,
    by: &str,
    origin: &str,
    now: DateTime<Utc>,
) -> Result<(), db::DbError> {
    let mail = QuoteMail { quote: quote.to_string(), to: to.into(), by: by.into(), origin: origin.into() };
    let payload = serde_json::json!(mail);
    db::enqueue(tx, QUOTE, &format!("{quote} {to} {}", now.timestamp_micros()), payload, now).await
}

/// Sends what is due of one book; true when there may be more.
pub async fn deliver(app: &App, tenant_id: TenantId, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let Some(mailer) = &app.mailer else { return Ok(false) };
    let tx = app.db.tenant(tenant_id).await?;
    let messages = db::claim_outbox(&tx, QUOTE, BATCH, now).await?;
    let mut letters = Vec::new();
    for message in &messages {
        let mail: QuoteMail = serde_json::from_value(message.payload.clone())?;
        match letter(&tx, &mail, now).await? {
            Some(letter) => {
                db::postpone_outbox(&tx, message, "not confirmed by the mail server", now + LEASE).await?;
                letters.push((message.id, letter));
            }
            // Accepted or withdrawn meanwhile: nobody needs the letter.
            None => db::finish_outbox(&tx, &[message.id], now).await?,
        }
    }
    tx.commit().await?;
    for (id, letter) in letters {
        if let Err(error) = mailer.send(&letter).await {
            tracing::warn!(%error, "A letter was not taken by the mail server and will be sent again");
            continue;
        }
        let tx = app.db.tenant(tenant_id).await?;
        db::finish_outbox(&tx, &[id], now).await?;
        tx.commit().await?;
    }
    Ok(messages.len() as u64 == BATCH)
}

/// The letter, with a link of its own that is stored nowhere.
async fn letter(tx: &TenantTx, mail: &QuoteMail, now: DateTime<Utc>) -> anyhow::Result<Option<Letter>> {
    let id: QuoteId = mail.quote.parse().map_err(|_| anyhow::anyhow!("a letter about no quote"))?;
    let Some(quote) = subscription::quote(tx, id).await? else { return Ok(None) };
    if quote.state_at(now) != QuoteState::Open {
        return Ok(None);
    }
    let token = subscription::link_quote(tx, id, &mail.by, now).await?;
    let seller = tenant::organisation(tx).await?;
    let brand = tenant::brand(tx).await?;
    let name = brand.as_ref().map_or_else(|| seller.name.clone(), |brand| brand.name.clone());
    let month = invoicing::quoted(tx, &quote).await?;
    let last = pricing::civil_date(quote.valid_until - TimeDelta::seconds(1), &seller.time_zone)?;
    let mut text = format!("{name} offers you {}, quote {}.\n\n", quote.plan_name, quote.number);
    for paragraph in [&quote.plan_description, &quote.note].into_iter().filter(|text| !text.is_empty()) {
        text.push_str(&format!("{paragraph}\n\n"));
    }
    text.push_str(&format!(
        "A month with the quantities of the quote comes to {} before tax.\nRead and accept it until {}:\n\n{}{}\n\n{}\n",
        month.month.total.human(),
        last.format("%-d %B %Y"),
        mail.origin,
        urls::quote(&token),
        mail.by,
    ));
    Ok(Some(Letter {
        reply_to: brand.and_then(|brand| brand.support_email),
        subject: format!("Quote {}: {}", quote.number, quote.plan_name),
        to: mail.to.clone(),
        seller: name,
        text,
    }))
}
