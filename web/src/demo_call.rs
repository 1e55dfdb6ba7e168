//! `make demo-call`: a real SIP call over UDP to the running edge, by the project's own small caller.

use crate::config::Config;
use crate::demo;
use anyhow::Context;
use sip_media::caller::{CallPlan, Caller, EndedBy};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// How long the caller listens to the menu before pressing a key.
const BEFORE_DIGIT: Duration = Duration::from_secs(2);

/// Reads `[SECONDS] [DIGIT]`; 20 seconds on topic 2 by default.
pub fn plan(arguments: &[&str], target: SocketAddr) -> anyhow::Result<CallPlan> {
    let seconds: u64 = match arguments.first() {
        Some(text) => text
            .parse()
            .with_context(|| format!("{text} is not a number of seconds; write for instance `ringtill call 60 2`"))?,
        None => 20,
    };
    let digit = arguments.get(1).copied().unwrap_or("2");
    anyhow::ensure!(
        digit.len() == 1 && digit.bytes().all(|b| b.is_ascii_digit()),
        "{digit} is not a topic; topics are 0 to 9"
    );
    Ok(CallPlan::new(target, demo::JONAS_PHONE, demo::NORDLICHT_ADVICE, Duration::from_secs(seconds))
        .pressing(digit, BEFORE_DIGIT))
}

/// Places the call, waits for its end and says what became of it.
pub async fn place(plan: CallPlan, config: &Config) -> anyhow::Result<ExitCode> {
    let origin = format!("http://{}:{}", config.http.host, config.http.listen.port());
    println!("Calling {} from {} at {}. Watch it live at {origin}/admin/live", plan.to, plan.from, plan.target);
    let outcome = Caller::call(plan).await.context("the call could not be placed; is `make run` running?")?;
    if !outcome.answered {
        println!("The call was refused with SIP status {}.", outcome.status);
        return Ok(ExitCode::FAILURE);
    }
    let end = match outcome.ended_by {
        EndedBy::Caller => "the caller hung up",
        _ => "the other side hung up",
    };
    println!(
        "{:.1} s, {end}; {} sound packets heard, {} sent.",
        outcome.lasted.as_secs_f32(),
        outcome.rtp_received,
        outcome.rtp_sent
    );
    let login = demo::logins()[2];
    println!("See it and its price at {origin}/admin/calls (sign in as {}, password {}).", login.email, demo::PASSWORD);
    Ok(ExitCode::SUCCESS)
}
