//! Letters: composed when they leave, so that name, address and brand are those of that day, and handed to the mail server from
//! the outbox. Invariants: no transaction is open while a server is spoken to; a message that was handed over and not marked
//! keeps its Message-ID when it is handed over again; the sender's address is the installation's own, whatever a seller is called.

mod letter;
mod quote;
mod recharge;
mod told;

pub use letter::Letter;
pub use quote::post_quote;
pub use recharge::ask as ask_recharge;
pub(crate) use told::overdue;
pub use told::{Told, told};

use crate::app::App;
use crate::config::MailSettings;
use crate::worker;
use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use db::{OutboxMessage, TenantId};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The outbox's topic.
pub const TOPIC: &str = "mail";
/// Letters that one round takes.
const TAKEN: u64 = 20;
/// How long a mail server may think about one of them.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so many tries, nine hours or more, nobody waits for it any longer.
const TRIES_MAX: i32 = 20;

/// The way to the mail server.
#[derive(Clone)]
pub struct Mailer {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
}

impl Mailer {
    /// Nothing is connected yet.
    pub fn new(settings: &MailSettings) -> anyhow::Result<Mailer> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.url())
            .context("RINGTILL_SMTP must be an address such as smtps://user:password@mail.example")?
            .timeout(Some(PATIENCE))
            .build();
        let from = settings.from.parse().context("RINGTILL_MAIL_FROM must be an e-mail address")?;
        Ok(Mailer { server, from })
    }

    async fn send(&self, letter: &Letter, message_id: &str) -> anyhow::Result<()> {
        self.server.send(self.message(letter, message_id)?).await?;
        Ok(())
    }

    /// The letter as it is sent. Names are typed, so that none of them can add a header.
    fn message(&self, letter: &Letter, message_id: &str) -> anyhow::Result<Message> {
        let to = Mailbox::new(Some(one_line(&letter.to_name)), letter.to.parse()?);
        let from = Mailbox::new(Some(one_line(&letter.from_name)), self.from.clone());
        let mut message = Message::builder()
            .from(from)
            .to(to)
            .subject(one_line(&letter.subject))
            .message_id(Some(format!("<{message_id}@{}>", self.from.domain())));
        if let Some(reply_to) = letter.reply_to.as_deref().and_then(|address| address.parse::<Address>().ok()) {
            message = message.reply_to(Mailbox::new(None, reply_to));
        }
        Ok(message.multipart(MultiPart::alternative_plain_html(letter.text()?, letter.html()?))?)
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Sends letters until told to stop. A task of its own: a mail server may think, or say nothing at all, and nothing else waits.
pub async fn work(app: App, stop: CancellationToken) {
    while app.mail.is_some() && !stop.is_cancelled() {
        let busy = match round(&app, &stop).await {
            Ok(busy) => busy,
            Err(error) => {
                tracing::error!(%error, "A round of letters failed and will be repeated");
                false
            }
        };
        if !busy {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }
}

/// One round over all tenants; true when there may be more. Told to stop, it leaves what it has taken to a later round, but for
/// the letter in hand: cut off, that one might be sent twice.
pub async fn round(app: &App, stop: &CancellationToken) -> anyhow::Result<bool> {
    let Some(mailer) = &app.mail else { return Ok(false) };
    let now = app.clock.now();
    let mut busy = false;
    for organisation in worker::organisations(&app.db).await? {
        match deliver(app, mailer, organisation.id, stop, now).await {
            Ok(more) => busy |= more,
            // One tenant's trouble must not stop the others.
            Err(error) => tracing::error!(tenant.id = %organisation.id, %error, "A tenant's letters failed"),
        }
    }
    Ok(busy)
}

/// Hands over what is due of a tenant's letters; true when there may be more.
async fn deliver(
    app: &App,
    mailer: &Mailer,
    tenant_id: TenantId,
    stop: &CancellationToken,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let tx = app.db.tenant(tenant_id).await?;
    let claimed = db::claim_outbox(&tx, TOPIC, TAKEN, now).await?;
    if claimed.is_empty() {
        return Ok(false);
    }
    let ids: Vec<_> = claimed.iter().map(|message| message.id).collect();
    let patience = TimeDelta::from_std(PATIENCE * u32::try_from(TAKEN)?)? + TimeDelta::minutes(1);
    db::lease_outbox(&tx, &ids, now + patience).await?;
    tx.commit().await?;
    for message in claimed.iter().take_while(|_| !stop.is_cancelled()) {
        let sent = hand_over(app, mailer, tenant_id, message, now).await;
        let tx = app.db.tenant(tenant_id).await?;
        match sent {
            Ok(()) => db::finish_outbox(&tx, &[message.id], now).await?,
            Err(error) => {
                tracing::warn!(tenant.id = %tenant_id, message.id = %message.id, %error, "A letter was not handed over");
                db::postpone_outbox(&tx, message, &format!("{error:#}"), now).await?;
                if message.attempts + 1 >= TRIES_MAX {
                    tracing::error!(tenant.id = %tenant_id, message.id = %message.id, "A letter was given up");
                    db::finish_outbox(&tx, &[message.id], now).await?;
                }
            }
        }
        tx.commit().await?;
    }
    Ok(claimed.len() as u64 == TAKEN)
}

async fn hand_over(
    app: &App,
    mailer: &Mailer,
    tenant_id: TenantId,
    message: &OutboxMessage,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let told: Told = serde_json::from_value(message.payload.clone())?;
    match told::letter(app, tenant_id, &told, now).await? {
        Some(letter) => mailer.send(&letter, &message.id.simple().to_string()).await,
        // Nobody to write to, or nothing left to say.
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_add_a_header_or_another_receiver() {
        let settings = MailSettings {
            url: String::from("smtp://127.0.0.1:2525").into(),
            from: "no-reply@ringtill.example".into(),
        };
        let mailer = Mailer::new(&settings).unwrap();
        let letter = Letter {
            to: "nina@post.example".into(),
            to_name: "Nina\r\nBcc: evil@x.example".into(),
            from_name: "Nord\nReply-To: evil@x.example".into(),
            reply_to: Some("help@nord.example\r\nBcc: evil@x.example".into()),
            subject: "Hello\r\nBcc: evil@x.example".into(),
            ..Letter::default()
        };
        let sent = String::from_utf8(mailer.message(&letter, "1").unwrap().formatted()).unwrap();
        let head = sent.split("\r\n\r\n").next().unwrap();
        for line in head.lines() {
            assert!(!line.starts_with("Bcc") && !line.starts_with("Reply-To"), "{head}");
        }
        assert!(head.contains("Message-ID: <1@ringtill.example>"), "{head}");
        let hostile = Letter { to: "a@b.example\r\nBcc: evil@x.example".into(), ..letter };
        assert!(mailer.message(&hostile, "1").is_err());
    }
}
