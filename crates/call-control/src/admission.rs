//! Who is called, and who calls.

use crate::control::Control;
use crate::error::Result;
use crate::store;
use chrono::{DateTime, Utc};
use db::{CallId, NumberId, PlatformReason, TenantId, TenantTx};
use sip_media::{Admission, IncomingCall, RefusalReason};
use subscription::{PinCheck, UnknownCallers};

/// SIP 404, 403: the number is nobody's; the caller may not.
const NOT_FOUND: u16 = 404;
const FORBIDDEN: u16 = 403;

fn refuse(status: u16, reason: RefusalReason) -> Result<Admission> {
    Ok(Admission::Refuse { status, reason })
}

/// Finds the number's owner, then the caller among the owner's customers, and opens the call's row.
pub(crate) async fn admit(control: &Control, call: &IncomingCall) -> Result<Admission> {
    let Some((number_id, tenant_id)) = owner(control, &call.called, call.received_at).await? else {
        return refuse(NOT_FOUND, RefusalReason::UnknownNumber);
    };
    let ptx = control.db().platform(PlatformReason::RouteCall).await?;
    let is_suspended = tenant::suspended_at_or_above(&ptx, tenant_id, call.received_at).await?;
    ptx.commit().await?;
    let tx = control.db().tenant(tenant_id).await?;
    let Some(number) = subscription::number(&tx, number_id, call.received_at).await? else {
        return refuse(NOT_FOUND, RefusalReason::UnknownNumber);
    };
    let customer = match (number.network_customer, &call.caller) {
        (Some(network), _) => subscription::customer(&tx, network).await?,
        (None, Some(caller)) => subscription::customer_by_phone(&tx, &e164(caller)).await?,
        (None, None) => None,
    };
    let call_id = CallId::from_uuid(call.call_id);
    store::calls::open(
        &tx,
        &store::calls::Arrival {
            call_id,
            number_id,
            called: &number.e164,
            caller: call.caller.as_deref(),
            customer_id: customer.as_ref().filter(|_| !is_suspended).map(|customer| customer.id),
            started_at: call.received_at,
            collected_by: if number.network_customer.is_some() { "seller" } else { "tenant" },
            language: Some(&number.language),
        },
    )
    .await?;
    tx.commit().await?;
    control.remember(call_id, tenant_id);
    if is_suspended {
        return refuse(FORBIDDEN, RefusalReason::Suspended);
    }
    match (customer, number.unknown_callers) {
        (Some(_), _) => Ok(Admission::Menu { language: number.language }),
        (None, UnknownCallers::AskPin) => Ok(Admission::AskPin { language: number.language }),
        (None, UnknownCallers::Refuse) => refuse(FORBIDDEN, RefusalReason::UnknownCaller),
    }
}

/// Whose a called number is at an instant. An edge may say it with or without the plus sign.
pub(crate) async fn owner(control: &Control, called: &str, at: DateTime<Utc>) -> Result<Option<(NumberId, TenantId)>> {
    let ptx = control.db().platform(PlatformReason::RouteCall).await?;
    let found = subscription::number_owner(&ptx, &e164(called), at).await?;
    ptx.commit().await?;
    Ok(found)
}

/// E.164 with its plus sign.
pub(crate) fn e164(number: &str) -> String {
    let is_digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_digits { format!("+{number}") } else { number.to_owned() }
}

/// Account number and PIN. A wrong one is counted, and the transaction committed in any case.
pub(crate) async fn identify(
    control: &Control,
    call_id: CallId,
    account: &str,
    pin: &str,
    at: DateTime<Utc>,
) -> Result<Admission> {
    let Some(tenant_id) = control.book_of(call_id).await? else {
        return refuse(NOT_FOUND, RefusalReason::UnknownNumber);
    };
    let tx = control.db().tenant(tenant_id).await?;
    let Some(mut call) = store::calls::lock(&tx, call_id).await?.filter(|call| call.ended_at.is_none()) else {
        return refuse(NOT_FOUND, RefusalReason::UnknownNumber);
    };
    let answer = match subscription::customer_by_pin(&tx, account, pin, at).await? {
        PinCheck::Known(customer_id) if call.topic_id.is_none() => {
            call.customer_id = Some(customer_id.uuid());
            call.last_seen_at = at;
            store::calls::save(&tx, &call).await?;
            Admission::Menu { language: language_of(&tx, call.number_id.into(), at).await? }
        }
        _ => Admission::Refuse { status: FORBIDDEN, reason: RefusalReason::WrongPin },
    };
    tx.commit().await?;
    Ok(answer)
}

async fn language_of(tx: &TenantTx, number_id: NumberId, at: DateTime<Utc>) -> Result<String> {
    let number = subscription::number(tx, number_id, at).await?;
    Ok(number.map_or_else(|| "en".to_owned(), |number| number.language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_plus_sign_however_the_edge_says_it() {
        for (said, meant) in
            [("4930123456", "+4930123456"), ("+4930123456", "+4930123456"), ("anonymous", "anonymous"), ("", "")]
        {
            assert_eq!(e164(said), meant);
        }
    }
}
