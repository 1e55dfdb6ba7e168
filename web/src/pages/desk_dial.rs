//! A number that is clicked on the desk: the agent's own phone rings first.

use super::desk::agent_of;
use super::form::Given;
use super::{Entry, Who, post};
use crate::answer::{SeeOther, see_other};
use crate::error::PageResult;
use crate::extract::AgentDesk;
use crate::urls;
use actix_web::web;
use call_control::LineOf;
use db::{AgentId, TenantTx};

pub(super) fn routes() -> Vec<Entry> {
    vec![post(urls::DESK_DIAL, Who::Agent, dial)]
}

/// May this agent dial at all? Whether a number is open is told when it is dialled.
pub(super) async fn may_dial(tx: &TenantTx, agent_id: AgentId) -> PageResult<bool> {
    Ok(call_control::outgoing_line(tx, LineOf::One(agent_id)).await?.is_some())
}

/// `POST /agent/dial`
async fn dial(desk: AgentDesk, given: web::Form<Given>) -> PageResult<SeeOther> {
    let tx = desk.tx().await?;
    let typed: String = given.get("called").chars().take(40).collect();
    let back = |said: String| see_other(urls::with_query(urls::DESK, &[("called", &typed)])).warning(said);
    let Some(line) = call_control::outgoing_line(&tx, LineOf::One(desk.agent_id)).await? else {
        return Ok(back("Nobody is said to pay for what agents dial.".into()));
    };
    let Some(called) = line.number_of(&typed) else {
        let found = if typed.is_empty() { "nothing".to_owned() } else { format!("“{typed}”") };
        return Ok(back(format!("The number must be a telephone number, as +49 30 1234567, not {found}.")));
    };
    let username = agent_of(&tx, desk.agent_id).await?.sip_username;
    match desk.app.ask_edge(|edge| edge.dial(&username, &called)) {
        Some(true) => Ok(see_other(urls::DESK).notice(format!("Your phone rings. Pick it up to call {called}."))),
        _ => Ok(back("No phone of yours is signed in: nothing can ring.".into())),
    }
}
