//! The commands of `ringtill`.

use crate::app::App;
use crate::config::{self, Config, DatabaseSettings};
use crate::{audit, demo, mail, metrics, server, worker};
use anyhow::Context;
use db::{Db, PlatformReason};
use std::io::{BufReader, IsTerminal, Write};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// An error and its causes as one sentence.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // A wrapper often repeats what it wraps.
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    format!("{}.", parts.join(": ").trim_end_matches('.'))
}

/// Brings the schema up to date.
pub async fn migrate() -> anyhow::Result<ExitCode> {
    let settings = DatabaseSettings::from_environment()?;
    let applied = db::migrate(&settings.owner_url, &settings.role_password).await?;
    match applied {
        0 => println!("The schema is up to date"),
        1 => println!("Applied 1 migration"),
        n => println!("Applied {n} migrations"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads the demo world, once.
pub async fn demo() -> anyhow::Result<ExitCode> {
    let settings = DatabaseSettings::from_environment()?;
    db::migrate(&settings.owner_url, &settings.role_password).await?;
    let db = Db::connect(&settings.roles()?).await.context("the database cannot be opened")?;
    let began = std::time::Instant::now();
    let loaded = demo::load(&db, config::clock()?.now(), |step| println!("  {step}")).await?;
    match loaded {
        Some(_) => println!("The demo world is loaded ({:.0} s)", began.elapsed().as_secs_f32()),
        None => println!("There are organisations already; the demo world is left as it is"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks the invariants of every book.
pub async fn audit() -> anyhow::Result<ExitCode> {
    checked(async |_, _| Ok(())).await
}

/// The same, and every hour of usage counted once more from its events.
pub async fn audit_with_recount() -> anyhow::Result<ExitCode> {
    checked(audit::recount_all).await
}

async fn checked(more: impl AsyncFn(&Db, &mut audit::Report) -> anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    let settings = DatabaseSettings::from_environment()?;
    let db = Db::connect(&settings.roles()?).await.context("the database cannot be opened")?;
    let mut report = audit::check_all(&db, config::clock()?.now()).await?;
    more(&db, &mut report).await?;
    report.violations.extend(audit::check_spool(&config::spool())?);
    print!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

/// Prices documents, one JSON line each.
pub fn price(file: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let all_priced = match file {
        Some(path) => {
            let file = std::fs::File::open(path).with_context(|| format!("{path} cannot be read"))?;
            pricing::documents::run(BufReader::new(file), &mut out)?
        }
        None => pricing::documents::run(std::io::stdin().lock(), &mut out)?,
    };
    out.flush()?;
    Ok(if all_priced { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Web, worker and SIP edge until Ctrl-C or SIGTERM.
pub async fn serve() -> anyhow::Result<ExitCode> {
    log_to_stderr()?;
    let config = Config::from_environment()?;
    let (events_kept_months, figures_at) = (config::events_kept_months()?, config::metrics()?);
    let app = App::open(&config, config::clock()?).await?;
    let listener = server::listen(&config.http)?;
    app.start_edge(&config).await?;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(worker::work(app.clone(), events_kept_months, stop.clone()));
    let letters = tokio::spawn(mail::work(app.clone(), stop.clone()));
    let importer = tokio::spawn(worker::work_imports(app.clone(), stop.clone()));
    let web = server::run(app.clone(), listener)?;
    let handle = web.handle();
    let figures = figures_at.map(|listen| metrics::run(&app, listen)).transpose()?;
    let figures = figures.map(|figures| (figures.handle(), tokio::spawn(figures)));
    let serving = tokio::spawn(web);
    announce(&config, &app).await?;
    if let days @ 1.. = app.clock.ahead().num_days() {
        println!("The clock runs {days} days ahead (RINGTILL_DAYS_AHEAD): for trying out, not for business.\n");
    }
    wait_for_stop().await?;
    app.closing.cancel();
    println!("Stopping: calls are ended and settled");
    if let Some(edge) = app.take_edge() {
        edge.shutdown().await;
    }
    handle.stop(true).await;
    if let Some((handle, serving)) = figures {
        handle.stop(true).await;
        serving.await??;
    }
    stop.cancel();
    worker.await?;
    letters.await?;
    importer.await?;
    serving.await??;
    Ok(ExitCode::SUCCESS)
}

async fn wait_for_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Tells a person where to look, with the demo logins while they exist.
async fn announce(config: &Config, app: &App) -> anyhow::Result<()> {
    let port = config.http.listen.port();
    println!("\nRingtill is running. Stop it with Ctrl-C.\n");
    if demo::is_loaded(&app.db).await? {
        println!("  {:<13} {:<42} {:<30} password", "", "address", "e-mail");
        for login in demo::logins() {
            let host = if login.on_voxhouse { demo::VOXHOUSE_HOST } else { &config.http.host };
            let address = format!("http://{host}:{port}{}", login.path);
            println!("  {:<13} {address:<42} {:<30} {}", login.audience, login.email, demo::PASSWORD);
        }
        println!(
            "\n  SIP           {} (UDP and TCP); call {} from {}",
            config.sip.listen,
            demo::NORDLICHT_ADVICE,
            demo::JONAS_PHONE
        );
        println!("  make demo-call places such a call.\n");
    } else {
        println!("  Web           http://{}:{port}/sign-in", config.http.host);
        println!("  SIP           {} (UDP and TCP)\n", config.sip.listen);
    }
    Ok(())
}

/// Makes a key of an organisation, named by its slug, and prints it: the key alone, so that a script can take it.
pub async fn api_key(organisation: &str, scopes: &[&str]) -> anyhow::Result<ExitCode> {
    let config = Config::from_environment()?;
    let app = App::open(&config, config::clock()?).await?;
    let ptx = app.db.platform(PlatformReason::Provision).await?;
    let found = tenant::organisation_by_slug(&ptx, organisation).await?;
    ptx.commit().await?;
    let found = found.with_context(|| format!("no organisation has the slug {organisation}"))?;
    let new = tenant::NewApiKey {
        name: "Made on the command line".into(),
        mode: crate::api::key_mode(&config.http.host),
        scopes: scopes.iter().map(|scope| scope.parse()).collect::<Result<_, _>>()?,
        expires_at: None,
        by: "command line".into(),
    };
    let tx = app.db.tenant(found.id).await?;
    let (_, secret) = tenant::create_api_key(&tx, &new, app.clock.now()).await?;
    tx.commit().await?;
    println!("{}", secret.expose());
    Ok(ExitCode::SUCCESS)
}

/// Places a call to the running edge, as a caller of the demo world, and says where to see it.
pub async fn call(arguments: &[&str]) -> anyhow::Result<ExitCode> {
    let config = Config::from_environment()?;
    let plan = crate::demo_call::plan(arguments, config.sip.listen)?;
    crate::demo_call::place(plan, &config).await
}

fn log_to_stderr() -> Result<(), config::ConfigError> {
    let wanted = config::log_filter()?;
    // The SIP stack logs whole messages at info, digits and credentials included.
    let filter = tracing_subscriber::EnvFilter::new(format!("{wanted},{}", sip_media::LOG_FILTER));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}
