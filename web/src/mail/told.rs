//! What the clock tells a customer by letter: that its trial ends and what then, what became of it, a renewal, an overdue invoice.

use super::quote::{self, QuoteTold};
use super::{Letter, TOPIC, recharge};
use crate::app::App;
use crate::colours::BrandColours;
use crate::host::{self, Site};
use crate::life::who_can_pay;
use crate::pages::book::words;
use crate::urls;
use chrono::{DateTime, Utc};
use db::{CustomerId, DocumentId, RechargeId, TenantId, TenantTx};
use payments::{OpenItem, PaymentStatus};
use serde::{Deserialize, Serialize};
use subscription::{Customer, Notice, NoticeKind, TrialEnd};

/// What is to be told, as it waits in the outbox; everything else is read when the letter is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Subscription {
        customer_id: CustomerId,
        plan: String,
        kind: NoticeKind,
        at: DateTime<Utc>,
    },
    /// An invoice is overdue.
    Overdue {
        customer_id: CustomerId,
        document_id: DocumentId,
    },
    /// A call out was stopped by a limit, or by a closed destination; or it was over when it was first heard of.
    SpendAlert {
        customer_id: CustomerId,
        guard: String,
        detail: String,
        at: DateTime<Utc>,
        #[serde(default)]
        went_out: bool,
    },
    /// A wallet runs low and asks for money by itself.
    Recharge {
        customer_id: CustomerId,
        attempt_id: RechargeId,
    },
    /// An offer to anybody with an address.
    Quote(QuoteTold),
}

/// Puts a notice in the outbox, once however often it is found.
pub async fn told(tx: &TenantTx, notice: &Notice, now: DateTime<Utc>) -> anyhow::Result<()> {
    let word = match notice.kind {
        NoticeKind::TrialEnding { .. } => "trial_ending",
        NoticeKind::Renewed => "renewed",
        NoticeKind::Converted | NoticeKind::EndedWithTrial | NoticeKind::MethodMissing => "trial_ended",
    };
    let told = Told::Subscription {
        customer_id: notice.customer_id,
        plan: notice.plan.clone(),
        kind: notice.kind,
        at: notice.at,
    };
    let key = format!("{word} {} {}", notice.subscription_id, notice.at.to_rfc3339());
    Ok(db::enqueue(tx, TOPIC, &key, serde_json::to_value(told)?, now).await?)
}

/// The same for invoices that are overdue, each by itself.
pub(crate) async fn overdue(tx: &TenantTx, late: &[OpenItem], now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut messages = Vec::with_capacity(late.len());
    for OpenItem { customer_id, document_id, .. } in late {
        let told = Told::Overdue { customer_id: *customer_id, document_id: *document_id };
        messages.push((format!("overdue {document_id}"), serde_json::to_value(told)?));
    }
    Ok(db::enqueue_all(tx, TOPIC, &messages, now).await?)
}

/// The letter; `None` when there is nobody to write to, or nothing left to say.
pub(super) async fn letter(
    app: &App,
    tenant_id: TenantId,
    told: &Told,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Letter>> {
    let site = host::site_for(app, tenant_id, now).await?;
    let tx = app.db.tenant(tenant_id).await?;
    let from = From::read(&tx, &site, tenant_id).await?;
    let customer_id = match told {
        Told::Subscription { customer_id, .. }
        | Told::Overdue { customer_id, .. }
        | Told::Recharge { customer_id, .. }
        | Told::SpendAlert { customer_id, .. } => *customer_id,
        Told::Quote(told) => {
            let letter = quote::letter(&tx, told, from, now).await?;
            // The letter's link is stored with the quote, as a hash.
            tx.commit().await?;
            return Ok(letter);
        }
    };
    let Some(customer) = subscription::customer(&tx, customer_id).await? else { return Ok(None) };
    let Some(to) = customer.email.clone() else { return Ok(None) };
    let said = match told {
        Told::Quote(_) => None,
        Told::Subscription { plan, kind, at, .. } => {
            let can_pay = !who_can_pay(&tx, &[customer.id]).await?.is_empty();
            of_subscription(&customer, plan, kind, *at, can_pay, now)?
        }
        Told::Overdue { document_id, .. } => of_overdue(&tx, &customer, *document_id, now).await?,
        Told::SpendAlert { detail, at, went_out: false, .. } => Some(of_stopped(&customer, detail, *at)?),
        Told::SpendAlert { detail, at, .. } => Some(of_gone(&customer, detail, *at)?),
        Told::Recharge { attempt_id, .. } => recharge::of_attempt(&tx, &customer, *attempt_id).await?,
    };
    let Some(said) = said else { return Ok(None) };
    let origin = site.origin(app);
    let path = if customer.organisation_id.is_some() { "/" } else { said.path };
    Ok(Some(Letter {
        to,
        to_name: customer.name.clone(),
        subject: said.subject,
        paragraphs: said.paragraphs,
        action: Some((said.action.to_owned(), format!("{origin}{path}"))),
        ..from.letter()
    }))
}

/// Who writes, as every letter of a seller says it.
pub(super) struct From {
    pub name: String,
    reply_to: Option<String>,
    footer: Vec<String>,
    colours: Option<BrandColours>,
}

impl From {
    async fn read(tx: &TenantTx, site: &Site, tenant_id: TenantId) -> anyhow::Result<From> {
        let seller = tenant::organisation(tx).await?;
        // A brand of the seller's own; under another's host, or none, the seller's name alone.
        let own = site.owner == Some(tenant_id);
        let mut footer = vec![seller.legal_name];
        footer.extend(seller.address_lines);
        Ok(From {
            name: if own { site.brand.name.clone() } else { seller.name },
            reply_to: Some(site.brand.support_email.clone()).filter(|email| own && !email.is_empty()),
            footer,
            colours: site.colours.clone(),
        })
    }

    /// A letter with nothing in it yet.
    pub fn letter(self) -> Letter {
        Letter {
            from_name: self.name,
            reply_to: self.reply_to,
            footer: self.footer,
            colours: self.colours,
            ..Letter::default()
        }
    }
}

/// The words of one letter.
pub(super) struct Said {
    pub subject: String,
    pub paragraphs: Vec<String>,
    pub action: &'static str,
    pub path: &'static str,
}

fn of_subscription(
    customer: &Customer,
    plan: &str,
    kind: &NoticeKind,
    at: DateTime<Utc>,
    can_pay: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Said>> {
    let day = |instant| Ok::<_, anyhow::Error>(words::day(pricing::civil_date(instant, &customer.time_zone)?));
    let look = ("Look at your plan", urls::PORTAL_PLAN);
    let pay = ("Put a means of payment on file", urls::PORTAL_PAYMENT);
    let (subject, paragraphs, (action, path)) = match kind {
        // Late, and the trial is over: the letter about that says more.
        NoticeKind::TrialEnding { ends_at, .. } if *ends_at <= now => return Ok(None),
        NoticeKind::TrialEnding { ends_at, end } => {
            let subject = format!("Your trial of {plan} ends on {}", day(*ends_at)?);
            let (then, action) = match end {
                _ if can_pay || *end == TrialEnd::Convert => {
                    ("It goes on by itself then. From that day on it costs what the plan says.", look)
                }
                TrialEnd::PastDue => {
                    ("No means of payment is on file. Without one it goes on past due until there is one.", pay)
                }
                _ => ("No means of payment is on file. Without one it is over then.", pay),
            };
            (subject, vec![then.to_owned()], action)
        }
        NoticeKind::Converted => {
            let text = "Your trial is over, and what you tried is yours. From now on it costs what the plan says.";
            (format!("{plan} goes on"), vec![text.to_owned()], look)
        }
        NoticeKind::EndedWithTrial => {
            let text = "No means of payment was on file when it ended, so nothing is charged and nothing goes on.";
            (format!("Your trial of {plan} is over"), vec![text.to_owned()], look)
        }
        NoticeKind::MethodMissing => {
            let text = "Your trial is over and no means of payment is on file. What you use is charged all the same.";
            (format!("{plan} is past due"), vec![text.to_owned()], pay)
        }
        NoticeKind::Renewed => {
            let text = format!("Its term was over on {}, and the next one has begun.", day(at)?);
            (format!("{plan} was renewed"), vec![text], look)
        }
    };
    Ok(Some(Said { subject, paragraphs, action, path }))
}

fn of_stopped(customer: &Customer, detail: &str, at: DateTime<Utc>) -> anyhow::Result<Said> {
    let on = words::day(pricing::civil_date(at, &customer.time_zone)?);
    Ok(of_spending("A call out was stopped", format!("On {on} a call out was stopped: {detail}.")))
}

fn of_gone(customer: &Customer, detail: &str, at: DateTime<Utc>) -> anyhow::Result<Said> {
    let on = words::day(pricing::civil_date(at, &customer.time_zone)?);
    Ok(of_spending("A call out that should not have been", format!("On {on} a call went out all the same: {detail}.")))
}

fn of_spending(subject: &str, told: String) -> Said {
    let why =
        "If it was not you who called, somebody may be using your telephones: tell us, and change their passwords.";
    Said {
        subject: subject.to_owned(),
        paragraphs: vec![told, why.to_owned()],
        action: "Look at your calls",
        path: urls::PORTAL_CALLS,
    }
}

async fn of_overdue(
    tx: &TenantTx,
    customer: &Customer,
    document_id: DocumentId,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Said>> {
    let open = payments::open_items(tx, customer.id, now).await?;
    let is_late = |item: &&OpenItem| item.status == PaymentStatus::Overdue;
    // Paid while the letter waited.
    let Some(item) = open.items.iter().filter(is_late).find(|item| item.document_id == document_id) else {
        return Ok(None);
    };
    let subject = format!("Invoice {} is overdue", item.number);
    let mut paragraphs =
        vec![format!("{}: {} was due on {}.", item.number, item.open.human(), words::day(item.due_on))];
    if open.overdue != item.open {
        paragraphs.push(format!("With your other overdue invoices it is {} in all.", open.overdue.human()));
    }
    paragraphs.push("If you have paid it in the last days, there is nothing to do.".into());
    Ok(Some(Said { subject, paragraphs, action: "Look at what is open", path: urls::PORTAL_INVOICES }))
}
