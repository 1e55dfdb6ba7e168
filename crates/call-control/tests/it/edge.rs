//! A SIP edge as call control sees it: it asks, obeys, and tells what happened.

use crate::world::{NUMBER, World, at};
use call_control::Control;
use chrono::{DateTime, TimeDelta, Utc};
use db::CallId;
use sip_media::{
    Admission, CallControl, CallEvent, CallEventKind, EndCause, Grant, IncomingCall, RefusalReason, Service,
    TopicDecision,
};
use std::time::Duration;
use uuid::Uuid;

/// One call on an edge. Its clock is its own: seconds since the story began.
pub struct EdgeCall {
    pub control: Control,
    pub id: Uuid,
    pub now: i64,
    seq: u32,
    started: i64,
    pub grant: Option<Grant>,
    pub service: Option<Service>,
    /// Metered seconds so far.
    pub metered: u32,
    /// Everything told so far.
    pub told: Vec<CallEvent>,
    /// User names of the phones registered at the edge.
    pub phones: Vec<String>,
}

impl EdgeCall {
    /// An INVITE from a number: admitted, or refused with the reason.
    pub async fn arrive(world: &World, caller: &str, now: i64) -> Result<EdgeCall, RefusalReason> {
        Self::arrive_at(world, NUMBER, caller, now).await
    }

    pub async fn arrive_at(world: &World, called: &str, caller: &str, now: i64) -> Result<EdgeCall, RefusalReason> {
        let mut call = EdgeCall {
            control: Control::new(world.test.db.clone()),
            id: Uuid::now_v7(),
            now,
            seq: 0,
            started: now,
            grant: None,
            service: None,
            metered: 0,
            told: Vec::new(),
            phones: Vec::new(),
        };
        let incoming = IncomingCall {
            call_id: call.id,
            sip_call_id: "1@phone".into(),
            called: called.into(),
            caller: Some(caller.into()),
            received_at: at(now),
        };
        call.tell(CallEventKind::CallStarted {
            called: called.into(),
            caller: Some(caller.into()),
            sip_call_id: "1@phone".into(),
        })
        .await;
        match call.control.admit(&incoming).await.unwrap() {
            Admission::Menu { .. } => {
                call.tell(CallEventKind::CallerIdentified { by_pin: false }).await;
                call.tell(CallEventKind::CallAnswered { codec: "PCMU".into() }).await;
                Ok(call)
            }
            Admission::AskPin { .. } => Ok(call),
            Admission::Refuse { reason, .. } => {
                call.end(EndCause::Refused(reason)).await;
                Err(reason)
            }
        }
    }

    pub fn call_id(&self) -> CallId {
        CallId::from_uuid(self.id)
    }

    pub fn event(&mut self, kind: CallEventKind) -> CallEvent {
        self.seq += 1;
        let offset_ms = (self.now - self.started).unsigned_abs() * 1000;
        let event = CallEvent { call_id: self.id, seq: self.seq, at: at(self.now), offset_ms, kind };
        self.told.push(event.clone());
        event
    }

    pub async fn tell(&mut self, kind: CallEventKind) {
        let event = self.event(kind);
        self.control.record(&[event]).await.unwrap();
    }

    /// Presses a digit; the refusal, if it is one.
    pub async fn choose(&mut self, digit: u8) -> Result<Grant, RefusalReason> {
        self.tell(CallEventKind::TopicSelected { digit }).await;
        match self.control.choose_topic(self.id, digit, &self.phones, at(self.now)).await.unwrap() {
            TopicDecision::Serve { service, grant } => {
                self.grant = Some(grant);
                self.service = Some(service);
                Ok(grant)
            }
            TopicDecision::Refuse(reason) => Err(reason),
        }
    }

    pub async fn start_meter(&mut self) {
        self.tell(CallEventKind::MeterStarted).await;
    }

    /// Talks up to this metered second, renewing when it is time, and stops where the money ends. True when it got there.
    pub async fn talk_to(&mut self, second: u32) -> bool {
        while self.metered < second {
            let grant = self.grant.expect("a call that talks has a grant");
            let end = grant.authorised_seconds.unwrap_or(u32::MAX);
            let renews = grant.authorised_seconds.is_some() && !grant.is_final && grant.renew_at_second > self.metered;
            let next = second.min(if renews { grant.renew_at_second } else { end }).max(self.metered);
            self.now += i64::from(next - self.metered);
            self.metered = next;
            if self.metered == second {
                return true;
            }
            if grant.is_final || self.metered >= end {
                return false;
            }
            self.renew().await;
        }
        true
    }

    pub async fn renew(&mut self) -> Grant {
        let metered = Duration::from_secs(u64::from(self.metered));
        let grant = self.control.renew(self.id, metered, self.time()).await.unwrap();
        self.grant = Some(grant);
        grant
    }

    pub fn time(&self) -> DateTime<Utc> {
        at(self.now)
    }

    pub fn ended(&mut self, cause: EndCause, estimated: bool) -> CallEvent {
        let metered_ms = u64::from(self.metered) * 1000;
        self.event(CallEventKind::CallEnded {
            cause,
            sip_status: None,
            metered_ms,
            estimated,
            rtp_received: 0,
            rtp_sent: 0,
        })
    }

    pub async fn end(&mut self, cause: EndCause) {
        let event = self.ended(cause, false);
        self.control.record(&[event]).await.unwrap();
    }

    pub async fn hang_up(&mut self) {
        self.end(EndCause::CallerHungUp).await;
    }

    /// Tells everything again, as an edge does whose acknowledgement was lost.
    pub async fn tell_again(&self) {
        self.control.record(&self.told).await.unwrap();
    }
}

/// A whole call: arrives, chooses, talks, hangs up. Its metered seconds, less than wished where the money ended.
pub async fn place(world: &World, caller: &str, digit: u8, talk_seconds: u32) -> EdgeCall {
    let mut call = EdgeCall::arrive(world, caller, 10).await.unwrap();
    call.choose(digit).await.unwrap();
    call.start_meter().await;
    let cause = if call.talk_to(talk_seconds).await { EndCause::CallerHungUp } else { EndCause::BalanceExhausted };
    call.end(cause).await;
    call
}

/// A fresh clock reading for whoever asks later than the call.
pub fn later(seconds: i64) -> DateTime<Utc> {
    at(0) + TimeDelta::seconds(seconds)
}
