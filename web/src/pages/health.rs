//! Is it alive, and may it get requests? For load balancers: no page, no names, no figures.

use super::{Entry, Who, get};
use crate::app::App;
use actix_web::{HttpResponse, web};

pub(super) fn routes() -> Vec<Entry> {
    vec![get("/healthz", Who::Anybody, alive), get("/readyz", Who::Anybody, ready)]
}

/// `GET /healthz`: the process answers.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// `GET /readyz`: the database answers, and the server is not about to stop.
async fn ready(app: web::Data<App>) -> HttpResponse {
    if app.closing.is_cancelled() {
        return HttpResponse::ServiceUnavailable().content_type("text/plain").body("stopping\n");
    }
    if app.db.is_reachable().await {
        HttpResponse::Ok().content_type("text/plain").body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable().content_type("text/plain").body("the database does not answer\n")
    }
}
