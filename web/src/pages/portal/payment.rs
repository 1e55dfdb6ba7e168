//! How a customer pays: what is on file, a mandate given, one taken back.

use super::customer_of;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult, sentence};
use crate::extract::PortalCustomer;
use crate::pages::book::{methods, words};
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::urls;
use crate::views::fields::Field;
use crate::views::form::Fields;
use crate::views::means::{Means, PortalPayment};
use crate::views::parts::{Heading, Note};
use actix_web::{Either, web};
use db::{CustomerTx, PaymentMethodId};
use money::Currency;
use payments::{MethodKind, PaymentError};
use subscription::{Customer, History, TrialEnd};

/// `GET /portal/payment`
pub async fn payment(who: PortalCustomer) -> PageResult<PortalPayment> {
    let tx = who.tx().await?;
    page(&who, &tx, &Given::default(), &Faults::default()).await
}

/// `POST /portal/payment`: a mandate is given.
pub async fn give(who: PortalCustomer, given: web::Form<Given>) -> PageResult<Outcome<SeeOther, PortalPayment>> {
    let tx = who.tx().await?;
    let mut faults = Faults::default();
    if given.get("agreed") != "yes" {
        faults.say("agreed", "Must be ticked: without it nobody may collect.");
    }
    let by = who.session.member_name.clone();
    let (holder, iban) = (given.get("holder"), given.get("iban"));
    let stored = payments::give_mandate(&tx, who.customer_id, holder, iban, &by, who.now).await;
    let id = match stored {
        Ok(id) if faults.none() => id,
        Ok(_) => return refused(&who, &given, &faults).await,
        Err(error) => {
            refuse(&mut faults, error)?;
            return refused(&who, &given, &faults).await;
        }
    };
    let payload = serde_json::json!({ "customer": who.customer_id.to_string(), "kind": "direct_debit" });
    tenant::record_audit(&tx, &by, "payment_method.mandate", &id.to_string(), payload, who.now).await?;
    tx.commit().await?;
    let notice = "Thank you. What comes due may be collected from this account from now on.";
    Ok(Either::Left(see_other(urls::PORTAL_PAYMENT).notice(notice)))
}

/// The form once more, read without what was given.
async fn refused(who: &PortalCustomer, given: &Given, faults: &Faults) -> PageResult<Outcome<SeeOther, PortalPayment>> {
    let tx = who.tx().await?;
    Ok(again(page(who, &tx, given, faults).await?))
}

fn refuse(faults: &mut Faults, error: PaymentError) -> PageResult<()> {
    match error {
        PaymentError::IbanMustBeOne(fault) => faults.say("iban", sentence(fault)),
        PaymentError::HolderMustNotBeEmpty => faults.say("holder", "Must not be empty."),
        PaymentError::HolderMustBeShort(letters) => {
            faults.say("holder", format!("Must not be longer than {letters} letters."));
        }
        other => return Err(other.into()),
    }
    Ok(())
}

/// `POST /portal/payment/{method_id}/removal`
pub async fn remove(who: PortalCustomer, path: web::Path<String>) -> PageResult<SeeOther> {
    let id: PaymentMethodId = path.parse()?;
    let tx = who.tx().await?;
    let by = who.session.member_name.clone();
    // What the seller granted, the seller takes back.
    let mine = payments::methods_on_file(&tx, who.customer_id).await?.into_iter();
    if !mine.filter(|method| method.kind != MethodKind::OnInvoice).any(|method| method.id == id) {
        return Err(PageError::NotFound);
    }
    payments::remove_method(&tx, who.customer_id, id, &by, who.now).await?;
    let payload = serde_json::json!({ "customer": who.customer_id.to_string() });
    tenant::record_audit(&tx, &by, "payment_method.remove", &id.to_string(), payload, who.now).await?;
    tx.commit().await?;
    Ok(see_other(urls::PORTAL_PAYMENT).notice("The mandate is taken back. Nothing is collected any more."))
}

async fn page(who: &PortalCustomer, tx: &CustomerTx, given: &Given, faults: &Faults) -> PageResult<PortalPayment> {
    let (customer, zone) = customer_of(who, tx).await?;
    let on_file = payments::methods_on_file(tx, customer.id).await?;
    let seller = tenant::organisation(tx).await?;
    let shell = who.shell("How you pay", Section::Plans);
    let removal = |method: &payments::PaymentMethod| {
        (method.kind != MethodKind::OnInvoice).then(|| urls::portal_payment_removal(method.id))
    };
    let rows = on_file.iter().map(|method| methods::row(method, false, &zone, removal(method)));
    let has_mandate = on_file.iter().any(|method| method.kind != MethodKind::OnInvoice);
    let title = if has_mandate { "Another account in its place" } else { "Pay by direct debit" };
    Ok(PortalPayment {
        heading: Heading::new(if on_file.is_empty() { "No means of payment is on file" } else { "How you pay" }),
        note: if on_file.is_empty() { waits(tx, &customer, who).await? } else { None },
        means: Means {
            methods: rows.collect(),
            none: "Nothing on file yet".into(),
            none_text: "A bank account that may be collected from shows here.".into(),
            grant: None,
            csrf: shell.token(),
        },
        mandate: (customer.currency == Currency::EUR).then(|| fields(&customer, given, faults)),
        title: title.into(),
        text: format!(
            "You allow {} to collect what is due from this account by SEPA direct debit, and your bank to pay it. \
             Within eight weeks your bank gives the money back if you ask for it.",
            seller.legal_name
        ),
        shell,
    })
}

fn fields(customer: &Customer, given: &Given, faults: &Faults) -> Fields {
    let holder = Field::text("holder", "Account holder", given.or("holder", &customer.name));
    let iban = Field::text("iban", "IBAN", given.get("iban")).placeholder("DE89 3704 0044 0532 0130 00");
    let agreed = Field::tick("agreed", "I give this mandate", given.get("agreed") == "yes");
    Fields::new()
        .half(holder.error(faults.at("holder")).required())
        .half(iban.error(faults.at("iban")).required())
        .whole(agreed.error(faults.at("agreed")))
}

/// What waits for a means of payment: a trial that needs one, or what is past due for want of one.
async fn waits(tx: &CustomerTx, customer: &Customer, who: &PortalCustomer) -> PageResult<Option<Note>> {
    let subscriptions = subscription::subscriptions_of(tx, customer.id).await?;
    for history in subscription::histories(tx, &subscriptions).await? {
        if let Some((ends_on, end)) = needed(&history, who)? {
            let then = match end {
                TrialEnd::PastDue => "the subscription is past due then",
                _ => "the subscription is over then",
            };
            let text = format!("Without a means of payment {then}.");
            return Ok(Some(Note::wrong(format!("Your trial ends on {}.", words::day(ends_on)), text)));
        }
    }
    Ok(None)
}

fn needed(history: &History, who: &PortalCustomer) -> PageResult<Option<(chrono::NaiveDate, TrialEnd)>> {
    let Some(ends_at) = history.subscription.trial_ends_at.filter(|ends_at| who.now < *ends_at) else {
        return Ok(None);
    };
    let end = history.subscription.trial_end.unwrap_or(history.plan_at(ends_at).trial_end);
    if end == TrialEnd::Convert || history.ended.is_some_and(|ended| ended.at <= ends_at) {
        return Ok(None);
    }
    Ok(Some((words::civil_day(ends_at, &history.subscription.time_zone)?, end)))
}
