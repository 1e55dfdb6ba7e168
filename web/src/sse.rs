//! Parts of a page that the server renews, as server-sent events. Each event is the whole part in HTML, so that nothing
//! depends on the one before: a reconnecting browser gets the present state at once and needs no replay.
//! Invariant: between two events a stream holds no connection and no transaction; it ends within seconds of its session and
//! when the server stops.

use crate::error::PageResult;
use crate::extract::SignedIn;
use actix_web::http::header;
use actix_web::{HttpResponse, web::Bytes};
use db::PlatformReason;
use futures_util::stream;
use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;
use tokio::time::Instant;

/// A silent stream says that it lives, before proxies give it up.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A session that was ended is noticed after this.
const SESSION_CHECKED: Duration = Duration::from_secs(3);

struct Stream<F> {
    who: SignedIn,
    event: &'static str,
    every: Duration,
    snapshot: F,
    shown: Option<String>,
    sent_at: Instant,
    checked_at: Instant,
}

/// Streams `snapshot` as event `event`: at once, then whenever it differs, looked at each `every`. The snapshot opens and ends
/// a transaction of its own. An error in it ends the stream; the browser comes back by itself.
pub fn stream<F, Fut>(who: &SignedIn, event: &'static str, every: Duration, snapshot: F) -> HttpResponse
where
    F: Fn() -> Fut + 'static,
    Fut: Future<Output = PageResult<String>> + 'static,
{
    let now = Instant::now();
    let start = Stream { who: who.clone(), event, every, snapshot, shown: None, sent_at: now, checked_at: now };
    let events = stream::unfold(start, |mut stream| async move {
        let chunk = next(&mut stream).await?;
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), stream))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Compression would hold events back until a block is full.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(Box::pin(events))
}

async fn next<F, Fut>(stream: &mut Stream<F>) -> Option<String>
where
    F: Fn() -> Fut,
    Fut: Future<Output = PageResult<String>>,
{
    loop {
        if stream.shown.is_some() {
            tokio::select! {
                () = stream.who.app.closing.cancelled() => return None,
                () = tokio::time::sleep(stream.every) => {}
            }
            if stream.checked_at.elapsed() >= SESSION_CHECKED {
                if !is_signed_in(&stream.who).await {
                    return None;
                }
                stream.checked_at = Instant::now();
            }
        }
        let html = match (stream.snapshot)().await {
            Ok(html) => html,
            Err(error) => {
                tracing::warn!(%error, event = stream.event, "A stream ended");
                return None;
            }
        };
        if stream.shown.as_deref() != Some(html.as_str()) {
            let id = stream.who.app.clock.now().timestamp_millis();
            let chunk = event_text(stream.event, id, &html);
            stream.shown = Some(html);
            stream.sent_at = Instant::now();
            return Some(chunk);
        }
        if stream.sent_at.elapsed() >= HEARTBEAT {
            stream.sent_at = Instant::now();
            return Some(": alive\n\n".into());
        }
    }
}

/// Looks, and leaves no trace: an open board is no sign of a person, so it must not keep an idle session alive.
async fn is_signed_in(who: &SignedIn) -> bool {
    let Ok(ptx) = who.app.db.platform(PlatformReason::SignIn).await else { return false };
    matches!(tenant::session(&ptx, &who.token, who.app.clock.now()).await, Ok(Some(_)))
}

/// One event; each line of the HTML has its own field (WHATWG, server-sent events).
fn event_text(event: &str, id: i64, html: &str) -> String {
    let mut text = format!("id: {id}\nretry: 3000\nevent: {event}\n");
    for line in html.lines() {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_carries_every_line_and_ends_with_an_empty_one() {
        assert_eq!(event_text("board", 7, "<p>\n</p>"), "id: 7\nretry: 3000\nevent: board\ndata: <p>\ndata: </p>\n\n");
    }
}
