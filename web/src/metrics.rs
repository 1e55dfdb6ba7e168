//! Figures for a monitoring system, as Prometheus reads them. They say nothing about whose usage it is, and they are served on an
//! address of their own, so that no page's host has them.

use crate::app::App;
use crate::clock::Clock;
use actix_web::dev::Server;
use actix_web::{App as Site, HttpResponse, HttpServer, web};
use anyhow::Context;
use chrono::{DateTime, Utc};
use db::{Db, PlatformReason};
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use usage_metering::{SuspenseCause, SuspenseSummary};

/// Serves the figures at an address of their own, under whatever path they are asked for (`/metrics` as a rule); to be awaited.
pub fn run(app: &App, listen: SocketAddr) -> anyhow::Result<Server> {
    let listener = TcpListener::bind(listen).with_context(|| {
        format!("port {listen} is taken or not ours; set RINGTILL_METRICS to another address, or to none")
    })?;
    listener.set_nonblocking(true)?;
    let (db, clock) = (app.db.clone(), app.clock.clone());
    let server = HttpServer::new(move || {
        Site::new().app_data(web::Data::new((db.clone(), clock.clone()))).default_service(web::get().to(metrics))
    });
    Ok(server.workers(1).disable_signals().listen(listener)?.run())
}

async fn metrics(of: web::Data<(Db, Clock)>) -> HttpResponse {
    match read(&of.0, of.1.now()).await {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text),
        Err(error) => {
            tracing::error!(%error, "Figures for the monitoring could not be read");
            HttpResponse::ServiceUnavailable().content_type("text/plain").body("the database does not answer\n")
        }
    }
}

/// The figures of an instant.
pub async fn read(db: &Db, now: DateTime<Utc>) -> anyhow::Result<String> {
    let ptx = db.platform(PlatformReason::Health).await?;
    let waiting = usage_metering::suspense_anywhere(&ptx).await?;
    ptx.commit().await?;
    Ok(written(&waiting, now))
}

/// Every cause has its line, also while nothing waits for it: an alarm can tell nothing from no answer.
fn written(waiting: &[SuspenseSummary], now: DateTime<Utc>) -> String {
    let of = |cause: SuspenseCause| waiting.iter().find(|waits| waits.cause == cause);
    let age = |cause| of(cause).map_or(0, |waits| (now - waits.oldest_at).num_seconds().max(0).unsigned_abs());
    let count = |cause| of(cause).map_or(0, |waits| waits.waiting);
    let mut text = String::new();
    gauge(&mut text, "ringtill_suspense_oldest_age_seconds", "Since when the oldest usage waits in suspense.", age);
    gauge(&mut text, "ringtill_suspense_waiting", "Usage that waits in suspense.", count);
    text
}

fn gauge(text: &mut String, name: &str, help: &str, value: impl Fn(SuspenseCause) -> u64) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for cause in SuspenseCause::ALL {
        let _ = writeln!(text, "{name}{{cause=\"{}\"}} {}", cause.as_str(), value(cause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_says_how_long_its_oldest_has_waited() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let conflict =
            SuspenseSummary { cause: SuspenseCause::Conflict, waiting: 3, oldest_at: at("2026-03-14T10:00:00Z") };
        let text = written(&[conflict], at("2026-03-15T12:00:00Z"));
        // 26 hours
        assert!(text.contains("\nringtill_suspense_oldest_age_seconds{cause=\"conflict\"} 93600\n"), "{text}");
        assert!(text.contains("\nringtill_suspense_oldest_age_seconds{cause=\"late_usage\"} 0\n"), "{text}");
        assert!(text.contains("\nringtill_suspense_waiting{cause=\"conflict\"} 3\n"), "{text}");
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 2 * SuspenseCause::ALL.len());
    }
}
