//! A SIP address to call from and be called at.

use crate::config::EdgeError;
use crate::leg::{Leg, MediaEvent};
use crate::rtp::Ports;
use crate::sdp::{self, Keys, LocalAudio};
use crate::signalling;
use rsipstack::dialog::dialog::{Dialog, DialogState};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip::prelude::*;
use rsipstack::sip::{Method, StatusCode};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::transaction::Transaction;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) struct Line {
    pub(super) ip: IpAddr,
    pub(super) address: SocketAddr,
    pub(super) dialogs: Arc<DialogLayer>,
    pub(super) endpoint: EndpointInnerRef,
    pub(super) abort: CancellationToken,
    ports: Ports,
}

impl Line {
    /// `invites` gets the calls that come in; without it they are refused.
    pub(super) async fn open(
        ip: IpAddr,
        invites: Option<mpsc::UnboundedSender<Transaction>>,
    ) -> Result<Self, EdgeError> {
        let abort = CancellationToken::new();
        let signalling = signalling::listen(SocketAddr::new(ip, 0), ip, None, &abort).await?;
        let (address, incoming) = (signalling.address, signalling.incoming()?);
        let endpoint = signalling.endpoint.inner.clone();
        let dialogs = Arc::new(DialogLayer::new(endpoint.clone()));
        tokio::spawn(serve(dialogs.clone(), incoming, invites, abort.clone()));
        signalling.serve().await?;
        Ok(Self { ip, address, dialogs, endpoint, abort, ports: Ports::new(ip, None) })
    }

    pub(super) async fn leg(&self) -> Result<(Leg, mpsc::UnboundedReceiver<MediaEvent>), EdgeError> {
        let taken = |source| EdgeError::ListenAddressMustBeFree { address: SocketAddr::new(self.ip, 0), source };
        Leg::open(&self.ports).await.map_err(taken)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.abort.cancel();
    }
}

async fn serve(
    dialogs: Arc<DialogLayer>,
    mut incoming: TransactionReceiver,
    invites: Option<mpsc::UnboundedSender<Transaction>>,
    abort: CancellationToken,
) {
    loop {
        let tx = tokio::select! {
            () = abort.cancelled() => return,
            tx = incoming.recv() => tx,
        };
        let Some(mut tx) = tx else { return };
        let (dialogs, invites, abort) = (dialogs.clone(), invites.clone(), abort.clone());
        tokio::spawn(async move {
            let tagged = tx.original.to_header().is_ok_and(|to| to.tag().is_ok_and(|tag| tag.is_some()));
            let answered = async {
                match (tagged, &invites) {
                    (true, _) => match dialogs.match_dialog(&tx) {
                        Some(Dialog::Invite(mut dialog)) => dialog.handle(&mut tx).await,
                        _ => tx.reply(StatusCode::CallTransactionDoesNotExist).await,
                    },
                    (false, Some(invites)) if tx.original.method == Method::Invite => {
                        // The phone is gone when nobody takes it; the line closes then.
                        let _ = invites.send(tx);
                        Ok(())
                    }
                    _ => tx.reply(StatusCode::NotImplemented).await,
                }
            };
            tokio::select! {
                () = abort.cancelled() => {}
                // A request that cannot be answered is repeated by its sender.
                _ = answered => {}
            }
        });
    }
}

pub(super) fn ends(state: &DialogState) -> bool {
    matches!(state, DialogState::Terminated(..))
}

/// Answers what comes in a running call.
pub(super) async fn answer_in_dialog(state: DialogState, leg: &Leg, local: LocalAudio) {
    let (handle, body) = match state {
        DialogState::Updated(_, request, handle) => {
            let remote = sdp::parse(&request.body, Keys::Ignored);
            if let Some(remote) = &remote {
                leg.connect(remote, None);
            }
            (handle, remote.map(|remote| sdp::answer(local, &remote)))
        }
        DialogState::Info(_, _, handle) | DialogState::Options(_, _, handle) => (handle, None),
        _ => return,
    };
    let headers = body.is_some().then(crate::call::sdp_headers);
    // The other side may have hung up meanwhile.
    let _ = handle.respond(StatusCode::OK, headers, body).await;
}
