//! `make demo-call`: a real SIP call over UDP to the running edge, by the project's own small caller.

use crate::app::App;
use crate::config::{self, Config};
use crate::demo;
use crate::urls::Audience;
use anyhow::Context;
use call_control::{CallFilter, CallState};
use chrono::{DateTime, TimeDelta, Utc};
use db::{CallId, PlatformReason};
use sip_media::caller::{CallOutcome, CallPlan, Caller, EndedBy};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// How long the caller listens to the menu before pressing a key.
const BEFORE_DIGIT: Duration = Duration::from_secs(2);
/// The longest call: a day.
const SECONDS_MAX: u64 = 86_400;
/// An ended call is in the books within a moment of its end.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// The words after `ringtill call` cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}; write for instance `ringtill call 60 2`, a minute on topic 2")]
pub struct WordsMustFit(String);

/// Reads `[SECONDS] [DIGIT]`; 20 seconds on topic 2 by default.
///
/// # Errors
/// A word is not what stands there, or there are more than two.
pub fn plan(words: &[&str], target: SocketAddr) -> Result<CallPlan, WordsMustFit> {
    if let [_, _, surplus @ ..] = words
        && !surplus.is_empty()
    {
        return Err(WordsMustFit(format!("a call takes seconds and a topic, and nothing of {}", surplus.join(" "))));
    }
    let seconds: u64 = match words.first() {
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (1..=SECONDS_MAX).contains(seconds))
            .ok_or_else(|| WordsMustFit(format!("{text} is not a number of seconds from 1 to {SECONDS_MAX}")))?,
        None => 20,
    };
    let digit = words.get(1).copied().unwrap_or("2");
    if digit.len() != 1 || !digit.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(WordsMustFit(format!("{digit} is not a topic; topics are 0 to 9")));
    }
    Ok(CallPlan::new(target, demo::JONAS_PHONE, demo::NORDLICHT_ADVICE, Duration::from_secs(seconds))
        .pressing(digit, BEFORE_DIGIT))
}

/// Places the call, waits for its end and says what became of it.
pub async fn place(plan: CallPlan, config: &Config) -> anyhow::Result<ExitCode> {
    let origin = format!("http://{}:{}", config.http.host, config.http.listen.port());
    println!("Calling {} from {} at {}. Watch it live at {origin}/admin/live", plan.to, plan.from, plan.target);
    let clock = config::clock()?;
    let began = clock.now();
    let outcome = Caller::call(plan).await.context("the call could not be placed; is `make run` running?")?;
    if !outcome.answered {
        println!("{}", refusal(outcome.status));
        return Ok(ExitCode::FAILURE);
    }
    println!("{}", became(&outcome));
    let path = match placed(config, began).await {
        Some(id) => Audience::Tenant.call(id),
        None => Audience::Tenant.calls(),
    };
    let login = demo::logins()[2];
    println!("See it and its price at {origin}{path} (sign in as {}, password {}).", login.email, demo::PASSWORD);
    Ok(if outcome.ended_by == EndedBy::Nobody { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn refusal(status: u16) -> String {
    match status {
        408 => "Nobody answered; is `make run` still running?".into(),
        status => format!("The call was refused with SIP status {status}."),
    }
}

fn became(outcome: &CallOutcome) -> String {
    let (lasted, packets) = (outcome.lasted.as_secs_f32(), (outcome.rtp_received, outcome.rtp_sent));
    let end = match outcome.ended_by {
        EndedBy::Nobody => {
            return format!(
                "{lasted:.1} s; nobody answered the hang-up, and the last sound was heard after {:.1} s: the edge has \
                 died. Its next start ends the call where it was last alive. {} sound packets heard, {} sent.",
                outcome.heard_until.as_secs_f32(),
                packets.0,
                packets.1
            );
        }
        EndedBy::Caller => "the caller hung up",
        _ => "the other side hung up",
    };
    format!("{lasted:.1} s, {end}; {} sound packets heard, {} sent.", packets.0, packets.1)
}

/// The call in the books, once it is there. None is no fault: the list of calls shows it all the same.
async fn placed(config: &Config, began: DateTime<Utc>) -> Option<CallId> {
    let app = App::open(config, config::clock().ok()?).await.ok()?;
    let ptx = app.db.platform(PlatformReason::RouteCall).await.ok()?;
    let book = tenant::organisation_by_slug(&ptx, demo::DEMO_SLUG).await.ok()??;
    ptx.commit().await.ok()?;
    let until = tokio::time::Instant::now() + SETTLED_WITHIN;
    let mut found = None;
    while tokio::time::Instant::now() < until {
        let tx = app.db.tenant(book.id).await.ok()?;
        let filter = CallFilter::between(began - TimeDelta::seconds(1), app.clock.now() + TimeDelta::seconds(1));
        let calls = call_control::calls(&tx, &filter).await.ok()?.calls;
        if let Some(call) = calls.iter().find(|call| call.caller.as_deref() == Some(demo::JONAS_PHONE)) {
            found = Some(call.id);
            if call.state == CallState::Ended {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> String {
        plan(words, "127.0.0.1:5070".parse().expect("an address")).expect_err("refused").to_string()
    }

    #[test]
    fn words_that_mean_nothing_are_refused_by_name() {
        assert!(said(&["60", "3", "9"]).starts_with("a call takes seconds and a topic, and nothing of 9; write"));
        assert!(said(&["0"]).starts_with("0 is not a number of seconds from 1 to 86400"));
        assert!(said(&["60", "12"]).starts_with("12 is not a topic"));
    }

    #[test]
    fn an_edge_that_died_is_not_told_as_a_caller_who_hung_up() {
        let outcome = CallOutcome {
            status: 200,
            answered: true,
            ended_by: EndedBy::Nobody,
            rtp_received: 600,
            rtp_sent: 3_000,
            answered_after: Duration::ZERO,
            lasted: Duration::from_secs(60),
            heard_until: Duration::from_secs(12),
            heard: Vec::new(),
        };
        let text = became(&outcome);
        assert!(text.starts_with("60.0 s; nobody answered the hang-up, and the last sound was heard after 12.0 s"));
    }
}
