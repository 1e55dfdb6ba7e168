use crate::error::{CallError, Result};
use crate::outgoing::edge as outside;
use crate::retry::retry;
use crate::safe::Safe;
use crate::{admission, record, renewal, store, topic};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use db::{CallId, Db, PlatformReason, TenantId};
use sip_media::{
    Admission, CallControl, CallEvent, DialDecision, Dialled, Grant, IncomingCall, NotTaken, PhoneSecret,
    RefusalReason, TopicDecision, Unavailable,
};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::{debug, error};
use uuid::Uuid;

/// Calls whose book is remembered; the database is asked for the others.
const REMEMBERED_MAX: usize = 10_000;

/// Decides about calls for a SIP edge. Holds nothing that a restart would lose: every decision is in the database.
pub struct Control {
    db: Db,
    safe: Option<Safe>,
    books: Mutex<HashMap<CallId, TenantId>>,
}

impl Control {
    /// Over the house's database. Carriers that ask for a password are passed over.
    pub fn new(db: Db) -> Self {
        Self { db, safe: None, books: Mutex::default() }
    }

    /// The same, and what opens carriers' passwords.
    #[must_use]
    pub fn with_safe(self, safe: Safe) -> Self {
        Self { safe: Some(safe), ..self }
    }

    pub(crate) fn safe(&self) -> Option<&Safe> {
        self.safe.as_ref()
    }

    /// In whose book a call is: remembered since its admission, else read (after a restart, or on another edge).
    pub(crate) async fn book_of(&self, call_id: CallId) -> Result<Option<TenantId>> {
        if let Some(tenant_id) = self.books.lock().unwrap_or_else(PoisonError::into_inner).get(&call_id) {
            return Ok(Some(*tenant_id));
        }
        let ptx = self.db.platform(PlatformReason::RouteCall).await?;
        let found = store::calls::tenant_of(&ptx, call_id).await?;
        ptx.commit().await?;
        if let Some(tenant_id) = found {
            self.remember(call_id, tenant_id);
        }
        Ok(found)
    }

    pub(crate) fn remember(&self, call_id: CallId, tenant_id: TenantId) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if books.len() >= REMEMBERED_MAX {
            books.clear();
        }
        books.insert(call_id, tenant_id);
    }

    pub(crate) fn forget(&self, call_id: CallId) {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).remove(&call_id);
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    async fn secret(&self, username: &str) -> Result<Option<PhoneSecret>> {
        let ptx = self.db.platform(PlatformReason::SignIn).await?;
        let found = tenant::phone_secret(&ptx, username).await?;
        ptx.commit().await?;
        Ok(found.map(|user| PhoneSecret { ha1_md5: user.ha1_md5, ha1_sha256: user.ha1_sha256 }))
    }
}

/// What the edge hears when it cannot be answered. The cause is for the log, not for the edge.
fn unavailable(call_id: Option<Uuid>) -> impl Fn(CallError) -> Unavailable {
    move |cause| {
        let call = call_id.map(|id| CallId::from_uuid(id).to_string()).unwrap_or_default();
        error!(call.id = %call, error = %cause, "Call control could not decide");
        Unavailable(cause.to_string())
    }
}

#[async_trait]
impl CallControl for Control {
    async fn admit(&self, call: &IncomingCall) -> std::result::Result<Admission, Unavailable> {
        retry(|| admission::admit(self, call)).await.map_err(unavailable(Some(call.call_id)))
    }

    async fn identify(
        &self,
        call_id: Uuid,
        account: &str,
        pin: &str,
        at: DateTime<Utc>,
    ) -> std::result::Result<Admission, Unavailable> {
        retry(|| admission::identify(self, call_id.into(), account, pin, at)).await.map_err(unavailable(Some(call_id)))
    }

    async fn choose_topic(
        &self,
        call_id: Uuid,
        digit: u8,
        phones: &[String],
        at: DateTime<Utc>,
    ) -> std::result::Result<TopicDecision, Unavailable> {
        let chosen = topic::choose(self, call_id.into(), digit, phones, at).await;
        match chosen {
            // A catalogue that cannot charge this caller is a refusal, not an absence: asking again would not help.
            Err(cause @ CallError::CurrencyMustMatchCustomer { .. }) => {
                debug!(call.id = %CallId::from_uuid(call_id), %cause, "Refused a topic");
                Ok(TopicDecision::Refuse(RefusalReason::Unavailable))
            }
            chosen => chosen.map_err(unavailable(Some(call_id))),
        }
    }

    async fn dial(&self, dialled: &Dialled) -> std::result::Result<DialDecision, Unavailable> {
        outside::dial(self, dialled).await.map_err(unavailable(Some(dialled.call_id)))
    }

    async fn dial_next(
        &self,
        call_id: Uuid,
        failure: &str,
        at: DateTime<Utc>,
    ) -> std::result::Result<DialDecision, Unavailable> {
        outside::dial_next(self, call_id.into(), failure, at).await.map_err(unavailable(Some(call_id)))
    }

    async fn renew(
        &self,
        call_id: Uuid,
        metered: Duration,
        at: DateTime<Utc>,
    ) -> std::result::Result<Grant, Unavailable> {
        let metered_ms = u64::try_from(metered.as_millis()).unwrap_or(u64::MAX);
        let renewed = match outside::find(self, call_id.into()).await {
            Ok(Some(call)) => self.renew_outgoing(&call, metered_ms, at).await,
            Ok(None) => renewal::renew(self, call_id.into(), metered_ms, at).await,
            Err(error) => Err(error),
        };
        renewed.map_err(unavailable(Some(call_id)))
    }

    async fn record(&self, events: &[CallEvent]) -> std::result::Result<(), NotTaken> {
        record::record(self, events).await.map_err(|cause| match cause.is_final() {
            true => NotTaken::Refused(cause.to_string()),
            false => NotTaken::Away(unavailable(None)(cause)),
        })
    }

    async fn phone_secret(&self, username: &str) -> std::result::Result<Option<PhoneSecret>, Unavailable> {
        self.secret(username).await.map_err(unavailable(None))
    }
}
