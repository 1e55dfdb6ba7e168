//! The running edge: listeners, the door for requests, and what its owner may ask of it.

use crate::bans::{Ban, Bans, Offence};
use crate::call;
use crate::config::{Clock, EdgeConfig, EdgeError};
use crate::control::{CallControl, CallId};
use crate::delivery::{Delivery, Progress};
use crate::digest::Digester;
use crate::identity;
use crate::limits::Failures;
use crate::live::LiveCall;
use crate::prompt::{Clip, built_in_music};
use crate::recovery;
use crate::registrar::{self, RegisteredPhone, Registrar};
use crate::set_aside;
use crate::shared::{Command, Parts, Shared};
use crate::signalling;
use crate::spool::Spool;
use chrono::{DateTime, Utc};
use rsipstack::dialog::dialog::Dialog;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip::prelude::*;
use rsipstack::sip::{Method, StatusCode};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// How long a shutdown waits for hang-ups to be answered, and for call control to take the last events.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running edge. Dropping it without [`Edge::shutdown`] is like a crash: the next one on the same spool recovers.
pub struct Edge {
    pub(crate) shared: Arc<Shared>,
    /// Where its tasks run, whoever asks for one.
    pub(crate) runtime: Handle,
    progress: watch::Receiver<Progress>,
    stop_delivery: CancellationToken,
    delivery: Option<JoinHandle<()>>,
}

impl Edge {
    /// Recovers what the last edge left in the spool, then listens.
    ///
    /// # Errors
    /// The spool cannot be opened or is another edge's; the address is taken.
    pub async fn start(
        config: EdgeConfig,
        control: Arc<dyn CallControl>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EdgeError> {
        let music = match &config.music {
            Some(octets) if octets.is_empty() => return Err(EdgeError::MusicMustNotBeEmpty),
            Some(octets) => Clip::of_ulaw(octets),
            None => built_in_music(),
        };
        let spool = open_spool(&config, clock.clone()).await?;
        let abort = CancellationToken::new();
        let bans = Arc::new(Bans::new(config.bans, config.trusted.clone()));
        let signalling = signalling::listen(config.listen, config.advertised_ip, config.tls.as_ref(), &abort).await?;
        signalling.hear_only_whom(bans.clone());
        if let Some(authorities) = &config.authorities {
            signalling.check_carriers_by(authorities.clone());
        }
        let incoming = signalling.incoming()?;
        let dialogs = Arc::new(DialogLayer::new(signalling.endpoint.inner.clone()));
        let digester = Digester::new(&config.realm, config.digest, config.timing.nonce);
        let registrar = Registrar::new(digester, Failures::new(config.failed_registrations));
        let (address, tls_address) = (signalling.address, signalling.tls_address);
        let folder = config.spool_dir.clone();
        let set_aside = set_aside::set_aside(&folder);
        let set_aside = set_aside.map_err(|source| EdgeError::SpoolMustBeWritable { path: folder, source })?.len();
        let (progress_tx, progress) = watch::channel(Progress { set_aside, ..Progress::default() });
        let stop_delivery = abort.child_token();
        let delivery = Delivery { control: control.clone(), progress: progress_tx, stop: stop_delivery.clone() };
        let delivery = Some(tokio::spawn(delivery.run(spool.clone())));
        let shared = Arc::new(Shared::new(Parts {
            config,
            control,
            clock,
            spool,
            dialogs,
            address,
            tls_address,
            registrar,
            music,
            bans,
            abort,
        }));
        tokio::spawn(serve(shared.clone(), incoming));
        signalling.serve().await?;
        info!(%address, "Answering calls");
        Ok(Self { shared, runtime: Handle::current(), progress, stop_delivery, delivery })
    }

    /// Where it listens, the port filled in.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Where it listens for TLS, if it does.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.shared.tls_address
    }

    /// The calls now on the edge, oldest first.
    pub fn live(&self) -> Vec<LiveCall> {
        self.shared.live(Instant::now())
    }

    /// The phones now registered, by user name.
    pub fn registrations(&self) -> Vec<RegisteredPhone> {
        self.shared.registrar.list(Instant::now())
    }

    /// The sources that are not heard now.
    pub fn bans(&self) -> Vec<Ban> {
        self.shared.bans.list(Instant::now())
    }

    /// Hears a source again. `false` when it was heard.
    pub fn lift_ban(&self, source: IpAddr) -> bool {
        self.shared.bans.lift(source)
    }

    /// When the oldest event happened that call control has not taken yet; `None` when it has them all.
    pub fn waiting_since(&self) -> Option<DateTime<Utc>> {
        self.progress.borrow().oldest_at
    }

    /// Events that call control refused for good, now kept beside the spool.
    pub fn set_aside(&self) -> usize {
        self.progress.borrow().set_aside
    }

    /// Hangs up on both sides. `false` when there is no such call.
    pub fn end_call(&self, call_id: CallId) -> bool {
        self.shared.command(call_id, Command::End)
    }

    /// Asks for a new grant, as after a top-up. `false` when there is no such call.
    pub fn recheck(&self, call_id: CallId) -> bool {
        self.shared.command(call_id, Command::Recheck)
    }

    /// SIP dialogs now known to the signalling stack; zero when no call is up.
    pub fn dialogs(&self) -> usize {
        self.shared.dialogs.len()
    }

    /// Refuses new calls, ends the running ones, and hands over what is in the spool (what cannot be handed over in
    /// time stays there for the next start).
    pub async fn shutdown(mut self) {
        self.shared.draining.cancel();
        self.shared.command_all(|| Command::ShutDown);
        let shared = self.shared.clone();
        let ended = async {
            loop {
                let quiet = shared.quiet.notified();
                if shared.calls() == 0 && shared.farewells.load(Ordering::Acquire) == 0 {
                    return;
                }
                // Notified or not, look again soon: the last farewell may have been said in between.
                let _ = timeout(Duration::from_millis(50), quiet).await;
            }
        };
        if timeout(PATIENCE, ended).await.is_err() {
            let hang_ups = self.shared.farewells.load(Ordering::Acquire);
            warn!(calls = self.shared.calls(), hang_ups, "Stopping although not everybody has been told");
        }
        let durable = *self.shared.spool.durable().borrow();
        let handed_over = self.progress.wait_for(|progress| progress.position >= durable);
        if !matches!(timeout(PATIENCE, handed_over).await, Ok(Ok(_))) {
            warn!("Events stay in the spool until the next start");
        }
        self.stop_delivery.cancel();
        if let Some(delivery) = self.delivery.take() {
            // It is stopping; a panic in it has been reported by the runtime.
            let _ = delivery.await;
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.shared.abort.cancel();
    }
}

async fn open_spool(config: &EdgeConfig, clock: Arc<dyn Clock>) -> Result<Spool, EdgeError> {
    let (folder, retention) = (config.spool_dir.clone(), config.timing.spool_retention);
    let opened = tokio::task::spawn_blocking(move || Spool::open(&folder, clock, retention)).await;
    let (spool, found) = opened.map_err(|_| EdgeError::SpoolStopped)??;
    recovery::close(&spool, found.open).await?;
    Ok(spool)
}

async fn serve(shared: Arc<Shared>, mut incoming: TransactionReceiver) {
    let abort = shared.abort.clone();
    loop {
        let tx = tokio::select! {
            () = abort.cancelled() => return,
            tx = incoming.recv() => tx,
        };
        let Some(tx) = tx else { return };
        let (shared, abort) = (shared.clone(), abort.clone());
        // A task of its own: whatever a request does, it does it to itself.
        tokio::spawn(async move {
            tokio::select! {
                () = abort.cancelled() => {}
                answered = dispatch(shared, tx) => if let Err(error) = answered {
                    debug!(%error, "Dropped a request");
                }
            }
        });
    }
}

async fn dispatch(shared: Arc<Shared>, mut tx: Transaction) -> rsipstack::Result<()> {
    let tagged = tx.original.to_header()?.tag()?.is_some();
    if tagged {
        return match shared.dialogs.match_dialog(&tx) {
            Some(Dialog::Invite(mut dialog)) => dialog.handle(&mut tx).await,
            _ => tx.reply(StatusCode::CallTransactionDoesNotExist).await,
        };
    }
    if matches!(tx.original.method, Method::Ack | Method::Cancel) {
        return Ok(());
    }
    let source = remote_ip(&tx);
    // It has calls that are up, or a connection of before its ban; more than those it does not get.
    if source.is_some_and(|source| shared.bans.keeps_out(source, Instant::now())) {
        return Ok(());
    }
    if tx.original.method != Method::Invite && source.is_some_and(|source| !shared.allows(&shared.request_rate, source))
    {
        return Ok(());
    }
    let offended = |offence| {
        if let Some(source) = source {
            shared.bans.offended(source, offence, Instant::now());
        }
    };
    if identity::is_malformed(&tx.original) {
        offended(Offence::Scan);
        return tx.reply(StatusCode::BadRequest).await;
    }
    match tx.original.method {
        Method::Invite => call::invite(shared.clone(), tx).await,
        Method::Register => registrar::register(&shared, &mut tx).await,
        Method::Options => tx.reply_with(StatusCode::OK, vec![signalling::allow()], None).await,
        Method::Bye | Method::Update | Method::Info | Method::PRack => {
            tx.reply(StatusCode::CallTransactionDoesNotExist).await
        }
        _ => {
            offended(Offence::Scan);
            tx.reply_with(StatusCode::MethodNotAllowed, vec![signalling::allow()], None).await
        }
    }
}

/// Where a request comes from.
pub(crate) fn remote_ip(tx: &Transaction) -> Option<IpAddr> {
    let connection = tx.connection.as_ref()?;
    Some(connection.get_remote_addr()?.get_socketaddr().ok()?.ip())
}
