//! Is it alive, and may it get requests? For load balancers: no page, no names, no figures.

use super::{Entry, Who, get};
use crate::app::App;
use actix_web::{HttpResponse, web};
use chrono::TimeDelta;

pub(super) fn routes() -> Vec<Entry> {
    vec![get("/healthz", Who::Anybody, alive), get("/readyz", Who::Anybody, ready)]
}

/// `GET /healthz`: the process answers.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// Call events reach the books in seconds; those that wait longer are being kept from it.
const EVENTS_WAIT_AT_MOST: TimeDelta = TimeDelta::seconds(60);

/// Who could not store events is left in peace for so long; then somebody tries again.
const STORING_FAILED_WITHIN: TimeDelta = TimeDelta::seconds(10);

/// `GET /readyz`: the database answers, events can be stored, what happens on the phones reaches the books, and the server is not about to stop.
async fn ready(app: web::Data<App>) -> HttpResponse {
    if app.closing.is_cancelled() {
        return HttpResponse::ServiceUnavailable().content_type("text/plain").body("stopping\n");
    }
    if !app.db.is_reachable().await {
        return HttpResponse::ServiceUnavailable().content_type("text/plain").body("the database does not answer\n");
    }
    if app.intake.failed_at().is_some_and(|at| app.clock.now() - at < STORING_FAILED_WITHIN) {
        return HttpResponse::ServiceUnavailable().content_type("text/plain").body("events cannot be stored\n");
    }
    let since = app.ask_edge(sip_media::Edge::waiting_since).flatten();
    if since.is_some_and(|since| app.clock.now() - since > EVENTS_WAIT_AT_MOST) {
        let body = "call events wait on disk for more than a minute\n";
        return HttpResponse::ServiceUnavailable().content_type("text/plain").body(body);
    }
    HttpResponse::Ok().content_type("text/plain").body("ready\n")
}
