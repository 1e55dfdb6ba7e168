//! What a seller does with a statement: issues it, throws it away, drafts it again, and records that it was paid.

use super::settlements::page;
use super::words::{civil_day, day};
use crate::answer::{SeeOther, see_other};
use crate::error::{PageResult, sentence};
use crate::extract::Member;
use crate::pages::form::{Faults, Given, Outcome, again};
use crate::read;
use crate::views::fields::{Control, Field};
use crate::views::settlements::{Move, SettlementPage};
use actix_web::{Either, web};
use db::SettlementId;
use invoicing::{InvoicingError, Payout, Settlement, SettlementState};
use serde_json::json;
use tenant::Role;

/// What may be done with a statement now, the usual first.
pub fn moves(member: &Member, settlement: &Settlement, given: &Given, faults: &Faults) -> PageResult<Vec<Move>> {
    let audience = member.audience;
    let payable = settlement.gross.human();
    let issue = || Move {
        title: "Issue",
        text: "It gets the next number of this partner’s series and cannot be changed. What comes later is adjusted on the next.",
        action: audience.settlement_issue(settlement.id),
        fields: Vec::new(),
        hidden: Vec::new(),
        button: format!("Issue over {payable}"),
        is_usual: true,
    };
    let discard = || Move {
        title: "Discard",
        text: "Its calls stand on a new draft of this month when you ask for one, and else on the next month’s.",
        action: audience.settlement_discard(settlement.id),
        fields: vec![Field::text("reason", "Reason", given.get("reason")).error(faults.at("reason")).required()],
        hidden: Vec::new(),
        button: "Discard the draft".into(),
        is_usual: false,
    };
    let redraft = || Move {
        title: "Draft again",
        text: "Over the same month, with everything that is owed and on no statement, and with the partner’s details of today.",
        action: audience.settlement_redraft(settlement.id),
        fields: Vec::new(),
        hidden: Vec::new(),
        button: "Draft again".into(),
        is_usual: true,
    };
    let today = civil_day(member.now, &member.session.organisation.time_zone)?.to_string();
    let pay = || Move {
        title: "Record the payout",
        text: "",
        action: audience.settlement_payout(settlement.id),
        fields: vec![
            Field::text("reference", "Reference of the transfer", given.get("reference"))
                .error(faults.at("reference"))
                .required(),
            Field::text("paid_on", "Paid on", given.or("paid_on", &today))
                .control(Control::Date)
                .error(faults.at("paid_on"))
                .required(),
        ],
        hidden: Vec::new(),
        button: format!("Record {payable} as paid"),
        is_usual: true,
    };
    Ok(match settlement.state() {
        SettlementState::Draft => vec![issue(), discard()],
        SettlementState::Issued => vec![pay()],
        SettlementState::Discarded => vec![redraft()],
        SettlementState::Paid => Vec::new(),
    })
}

/// `POST /ops/settlements/{settlement_id}/issue`
pub async fn issue(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: SettlementId = path.parse()?;
    let tx = member.tx().await?;
    let document_id = invoicing::issue_settlement(&tx, id, &member.actor(), member.now).await?;
    let number = invoicing::document(&tx, document_id).await?.document.number;
    let payload = json!({ "number": number });
    tenant::record_audit(&tx, &member.actor(), "settlement.issue", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.settlement(id)).notice(format!("{number} is issued, and its partner sees it.")))
}

/// `POST /ops/settlements/{settlement_id}/discard`
pub async fn discard(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, SettlementPage>> {
    member.must(Role::Billing)?;
    let id: SettlementId = path.parse()?;
    let tx = member.tx().await?;
    let settlement = invoicing::settlement(&tx, id).await?;
    let reason = given.get("reason");
    match invoicing::discard_settlement(&tx, id, reason, &member.actor(), member.now).await {
        Ok(()) => {}
        Err(error @ InvoicingError::DiscardMustHaveReason { .. }) => {
            let mut faults = Faults::default();
            faults.say("reason", sentence(error));
            return Ok(again(page(&member, &tx, &settlement, &given, &faults).await?));
        }
        Err(error) => return Err(error.into()),
    }
    let payload = json!({ "reason": reason });
    tenant::record_audit(&tx, &member.actor(), "settlement.discard", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(Either::Left(see_other(member.audience.settlement(id)).notice("The draft is discarded.")))
}

/// `POST /ops/settlements/{settlement_id}/redraft`
pub async fn redraft(member: Member, path: web::Path<String>) -> PageResult<SeeOther> {
    member.must(Role::Billing)?;
    let id: SettlementId = path.parse()?;
    let tx = member.tx().await?;
    let new = invoicing::draft_again(&member.app.db, &tx, id, member.now).await?;
    let payload = json!({ "instead_of": id });
    tenant::record_audit(&tx, &member.actor(), "settlement.redraft", &new.to_string(), payload, member.now).await?;
    tx.commit().await?;
    Ok(see_other(member.audience.settlement(new)).notice("The month is drafted again."))
}

/// `POST /ops/settlements/{settlement_id}/payout`
pub async fn pay(
    member: Member,
    path: web::Path<String>,
    given: web::Form<Given>,
) -> PageResult<Outcome<SeeOther, SettlementPage>> {
    member.must(Role::Billing)?;
    let id: SettlementId = path.parse()?;
    let tx = member.tx().await?;
    let settlement = invoicing::settlement(&tx, id).await?;
    let mut faults = Faults::default();
    let on = faults.keep("paid_on", read::day(given.get("paid_on")));
    let Some(on) = on else { return Ok(again(page(&member, &tx, &settlement, &given, &faults).await?)) };
    let payout = Payout { on, reference: given.get("reference").to_owned(), by: member.actor() };
    match invoicing::record_payout(&tx, id, &payout, member.now).await {
        Ok(()) => {}
        Err(error @ InvoicingError::ReferenceMustBeGiven { .. }) => faults.say("reference", sentence(error)),
        Err(error @ InvoicingError::PayoutMustFollowIssue { .. }) => faults.say("paid_on", sentence(error)),
        Err(error) => return Err(error.into()),
    }
    if !faults.none() {
        return Ok(again(page(&member, &tx, &settlement, &given, &faults).await?));
    }
    let payload = json!({ "reference": payout.reference, "paid_on": on.to_string() });
    tenant::record_audit(&tx, &member.actor(), "settlement.payout", &id.to_string(), payload, member.now).await?;
    tx.commit().await?;
    let notice = format!("{} is recorded as paid on {}.", settlement.gross.human(), day(on));
    Ok(Either::Left(see_other(member.audience.settlement(id)).notice(notice)))
}
