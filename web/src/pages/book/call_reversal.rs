//! Taking a call's charge back: whole, once, and with a reason; nothing that was posted is changed.

use super::shell;
use crate::answer::{SeeOther, see_other};
use crate::error::{PageError, PageResult, sentence};
use crate::extract::Member;
use crate::format;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::shell::Section;
use crate::views::fields::Field;
use crate::views::form::{Fields, FormPage, FormPart};
use crate::views::parts::{Heading, PagePath};
use actix_web::{Either, web};
use call_control::{CallDetail, CallError};
use db::{CallId, TenantTx};
use tenant::Role;

/// `GET /admin/calls/{call_id}/reversal`
pub async fn form(member: Member, path: web::Path<String>) -> PageResult<FormPage> {
    member.must(Role::Billing)?;
    let tx = member.tx().await?;
    let detail = call_control::call(&tx, path.parse()?).await?;
    page(&member, &tx, &detail, &Given::default(), &Faults::default()).await
}

async fn page(
    member: &Member,
    tx: &TenantTx,
    detail: &CallDetail,
    given: &Given,
    faults: &Faults,
) -> PageResult<FormPage> {
    let call = &detail.call;
    let charge = call.charge.ok_or(PageError::NotFound)?;
    let audience = member.audience;
    let reason = Field::text("reason", "Reason", given.get("reason"))
        .hint("Stands on the call and in the ledger")
        .error(faults.at("reason"))
        .required();
    Ok(FormPage {
        shell: shell(member, tx, "Take a charge back", Section::Calls).await?,
        heading: Heading::new(format!("Take back {}", charge.human()))
            .path(PagePath::under("Call", audience.call(call.id), "Take back"))
            .at(format::full(call.started_at, &member.zone)),
        note: None,
        action: audience.call_reversal(call.id),
        parts: vec![FormPart {
            title: "Why",
            text: "The caller gets all of it back, and every share of it is mirrored up the tree.",
            fields: Fields::new().whole(reason),
        }],
        button: format!("Take back {}", charge.human()),
        remark: "Once, and for good: it cannot be charged again.".into(),
        back_href: audience.call(call.id),
    })
}

/// `POST /admin/calls/{call_id}/reversal`
pub async fn create(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, FormPage>> {
    member.must(Role::Billing)?;
    let id: CallId = path.parse()?;
    let tx = member.tx().await?;
    let back = match call_control::reverse_call(&tx, id, given.get("reason"), member.now).await {
        Ok(back) => back,
        Err(error @ CallError::ReasonMustBeGiven(_)) => {
            let mut faults = Faults::default();
            faults.say("reason", sentence(error));
            let detail = call_control::call(&tx, id).await?;
            return Ok(again(page(&member, &tx, &detail, &given, &faults).await?));
        }
        Err(error) => return Err(error.into()),
    };
    let payload = serde_json::json!({ "amount": back.to_string(), "reason": given.get("reason") });
    tenant::record_audit(&tx, &member.actor(), "call.reversal", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.call(id)).notice(format!("{} is taken back.", back.human()))))
}
