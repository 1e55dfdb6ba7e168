//! Means of payment on a customer's page: what is on file, paying by invoice granted, and taking one off the file.

use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult};
use crate::extract::Member;
use crate::format;
use crate::shell::Token;
use crate::views::means::{Means, MethodRow};
use actix_web::web;
use db::{CustomerId, PaymentMethodId, TenantTx};
use jiff::tz::TimeZone;
use payments::{MethodKind, PaymentMethod};
use subscription::{Billing, Customer};
use tenant::Role;

/// The card of a customer's page.
pub async fn card(member: &Member, tx: &TenantTx, customer: &Customer, csrf: Token) -> PageResult<Means> {
    let on_file = payments::methods_on_file(tx, customer.id).await?;
    let may_change = member.must(Role::Billing).is_ok();
    let is_granted = on_file.iter().any(|method| method.kind == MethodKind::OnInvoice);
    let may_grant = may_change && !is_granted && customer.billing == Billing::Postpaid && customer.closed_at.is_none();
    let removal = |id| may_change.then(|| member.audience.payment_method_removal(customer.id, id));
    let text = match customer.billing {
        Billing::Prepaid => "A trial that needs one ends without it, unless there is money in the wallet.",
        Billing::Postpaid => "A trial that needs one does not go on without it.",
    };
    Ok(Means {
        methods: on_file.iter().map(|method| row(method, may_change, &member.zone, removal(method.id))).collect(),
        none: "None on file".into(),
        none_text: format!("{text} The customer adds one in the portal."),
        grant: may_grant.then(|| (member.audience.payment_methods(customer.id), "Let it pay by invoice".to_owned())),
        csrf,
    })
}

/// As a row. Who collects sees the whole account, everybody else enough to know it again.
pub fn row(method: &PaymentMethod, collects: bool, zone: &TimeZone, remove_href: Option<String>) -> MethodRow {
    let since = format!("since {}, by {}", format::stamp(method.added_at, zone).text, method.added_by);
    let (icon, note) = match &method.kind {
        MethodKind::DirectDebit { holder, iban, mandate } => {
            let account = if collects { format!(", {}", iban.in_groups()) } else { String::new() };
            ("building-bank", format!("{holder}{account}, mandate {mandate}, {since}"))
        }
        MethodKind::OnInvoice => ("file-invoice", since),
    };
    MethodRow { icon, title: method.kind.words(), note, remove_href }
}

/// `POST /admin/customers/{customer_id}/payment-methods`: paying by invoice is granted.
pub async fn grant(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let customer_id: CustomerId = path.parse()?;
    let tx = member.tx().await?;
    let id = payments::agree_on_invoice(&tx, customer_id, &member.actor(), member.now).await?;
    let payload = serde_json::json!({ "customer": customer_id.to_string(), "kind": "on_invoice" });
    tenant::record_audit(&tx, &member.actor(), "payment_method.grant", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.customer(customer_id)).notice("It pays by invoice from now on."))
}

/// `POST /admin/customers/{customer_id}/payment-methods/{method_id}/removal`
pub async fn remove(member: Member, path: web::Path<(String, String)>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let (customer_id, id): (CustomerId, PaymentMethodId) = (path.0.parse()?, path.1.parse()?);
    let tx = member.tx().await?;
    if !payments::remove_method(&tx, customer_id, id, &member.actor(), member.now).await? {
        return Err(PageError::NotFound);
    }
    let payload = serde_json::json!({ "customer": customer_id.to_string() });
    tenant::record_audit(&tx, &member.actor(), "payment_method.remove", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.customer(customer_id)).notice("The means of payment is off the file."))
}
