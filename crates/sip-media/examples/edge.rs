//! An edge by itself, for trying phones and sipp against it: every digit plays music, 5 rings the phone `agent`
//! (password `secret`). `PORT` sets the port (5070), `SPOOL` the folder of the spool.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use md5::{Digest, Md5};
use sha2::Sha256;
use sip_media::{
    Admission, CallControl, CallEvent, CallId, Clock, DialDecision, Dialled, DigestOffer, Edge, EdgeConfig, Grant,
    IncomingCall, LOG_FILTER, NotTaken, PhoneSecret, RateLimit, RefusalReason, Service, TopicDecision, Unavailable,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

const REALM: &str = "edge.example";

struct Open;

#[async_trait]
impl CallControl for Open {
    async fn admit(&self, call: &IncomingCall) -> Result<Admission, Unavailable> {
        println!("{} calls {}", call.caller.as_deref().unwrap_or("somebody"), call.called);
        Ok(Admission::Menu { language: "en".into() })
    }

    async fn identify(&self, _: CallId, _: &str, _: &str, _: DateTime<Utc>) -> Result<Admission, Unavailable> {
        Ok(Admission::Menu { language: "en".into() })
    }

    async fn choose_topic(
        &self,
        _: CallId,
        digit: u8,
        _: &[String],
        _: DateTime<Utc>,
    ) -> Result<TopicDecision, Unavailable> {
        let service = match digit {
            5 => Service::Agents { usernames: vec!["agent".into()] },
            _ => Service::Music,
        };
        let grant = Grant { authorised_seconds: Some(600), renew_at_second: 540, is_final: false };
        Ok(TopicDecision::Serve { service, grant })
    }

    async fn dial(&self, _: &Dialled) -> Result<DialDecision, Unavailable> {
        Ok(DialDecision::Refuse { status: 403, reason: RefusalReason::NotOpen })
    }

    async fn dial_next(&self, _: CallId, _: &str, _: DateTime<Utc>) -> Result<DialDecision, Unavailable> {
        Ok(DialDecision::Refuse { status: 480, reason: RefusalReason::NoRoute })
    }

    async fn renew(&self, _: CallId, metered: Duration, _: DateTime<Utc>) -> Result<Grant, Unavailable> {
        let authorised = metered.as_secs() as u32 + 600;
        Ok(Grant { authorised_seconds: Some(authorised), renew_at_second: authorised - 60, is_final: false })
    }

    async fn record(&self, events: &[CallEvent]) -> Result<(), NotTaken> {
        for event in events {
            println!("{} {:2} {:6} ms {:?}", event.call_id, event.seq, event.offset_ms, event.kind);
        }
        Ok(())
    }

    async fn phone_secret(&self, username: &str) -> Result<Option<PhoneSecret>, Unavailable> {
        let text = format!("{username}:{REALM}:secret");
        let secret =
            PhoneSecret { ha1_md5: hex::encode(Md5::digest(&text)), ha1_sha256: hex::encode(Sha256::digest(&text)) };
        Ok((username == "agent").then_some(secret))
    }
}

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::new(format!("info,{LOG_FILTER}"));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let port = std::env::var("PORT").map_or(Ok(5070), |port| port.parse())?;
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let folder = std::env::var("SPOOL").unwrap_or_else(|_| format!("{}/edge-spool", std::env::temp_dir().display()));
    let mut config = EdgeConfig::new(SocketAddr::new(ip, port), ip, REALM, folder);
    // So that a CANCEL has something to cancel.
    config.timing.ring = Duration::from_millis(300);
    config.invite_rate = RateLimit { per_second: 1_000, burst: 1_000 };
    // sipp, and phones of its age, stop at a SHA-256 challenge.
    config.digest = DigestOffer::Md5;
    let edge = Edge::start(config, Arc::new(Open), Arc::new(WallClock)).await?;
    println!("listening on {}", edge.local_addr());
    tokio::signal::ctrl_c().await?;
    edge.shutdown().await;
    Ok(())
}
