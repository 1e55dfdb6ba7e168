//! The web server: listens before anything is promised, so that a taken port stops the start with one sentence.

use crate::app::App;
use crate::config::HttpSettings;
use actix_web::dev::Server;
use actix_web::{App as Site, HttpServer, middleware, web};
use anyhow::Context;
use std::net::TcpListener;
use std::time::Duration;

/// Largest form or body taken, bytes.
const BODY_MAX: usize = 256 * 1024;

/// Takes the port.
pub fn listen(settings: &HttpSettings) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(settings.listen).with_context(|| {
        format!("port {} is taken or not ours; set RINGTILL_HTTP to another address", settings.listen)
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The server, to be awaited.
pub fn run(app: App, listener: TcpListener) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || {
        Site::new()
            .app_data(web::Data::new(app.clone()))
            .app_data(web::FormConfig::default().limit(BODY_MAX))
            .app_data(web::PayloadConfig::new(BODY_MAX))
            .wrap(middleware::Compress::default())
            .configure(crate::pages::routes)
    })
    .workers(2)
    .client_request_timeout(Duration::from_secs(10))
    .shutdown_timeout(10)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}
