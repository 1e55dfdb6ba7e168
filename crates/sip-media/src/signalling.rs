//! Sockets and endpoint of the signalling stack, for the edge and for the caller.

use crate::config::EdgeError;
use rsipstack::sip::Method;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::{Endpoint, TransactionReceiver};
use rsipstack::transport::tcp_listener::TcpListenerConnection;
use rsipstack::transport::udp::{UdpConnection, UdpInner};
use rsipstack::transport::{SipAddr, TransportLayer};
use rsipstack::{EndpointBuilder, sip};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

pub(crate) struct Signalling {
    pub(crate) endpoint: Endpoint,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// Listens on UDP and, on the same port, TCP; both stop with `abort`.
pub(crate) async fn listen(
    listen: SocketAddr,
    advertised_ip: IpAddr,
    abort: &CancellationToken,
) -> Result<Signalling, EdgeError> {
    let taken = |source| EdgeError::ListenAddressMustBeFree { address: listen, source };
    let (socket, address) = bind(listen).await.map_err(taken)?;
    let advertised = SocketAddr::new(advertised_ip, address.port());
    let layer = TransportLayer::new(abort.child_token());
    let inner =
        UdpInner { conn: Arc::new(socket), addr: SipAddr { r#type: Some(sip::Transport::Udp), addr: address.into() } };
    let udp = UdpConnection::attach(inner, Some(advertised), Some(abort.child_token())).await;
    layer.add_transport(udp.into());
    let tcp = TcpListenerConnection::new(address, Some(advertised)).await;
    layer.add_transport(tcp.map_err(|error| EdgeError::Signalling(error.to_string()))?.into());
    let options = EndpointOption { callid_suffix: Some(advertised_ip.to_string()), ..EndpointOption::default() };
    let endpoint = EndpointBuilder::new()
        .with_user_agent("ringtill")
        .with_transport_layer(layer)
        .with_cancel_token(abort.child_token())
        .with_option(options)
        .with_allows(vec![
            Method::Invite,
            Method::Ack,
            Method::Cancel,
            Method::Bye,
            Method::Options,
            Method::Info,
            Method::Update,
            Method::Register,
        ])
        .build();
    Ok(Signalling { endpoint, address })
}

/// The stack binds TCP itself later and tells nobody when that fails, so the port is tried first.
async fn bind(listen: SocketAddr) -> std::io::Result<(UdpSocket, SocketAddr)> {
    const TRIES: usize = 20;
    for attempt in 1.. {
        let socket = UdpSocket::bind(listen).await?;
        let address = socket.local_addr()?;
        match TcpListener::bind(address).await {
            Ok(_) => return Ok((socket, address)),
            // With port 0 another port may be free on both.
            Err(_) if listen.port() == 0 && attempt < TRIES => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the loop returns")
}

impl Signalling {
    pub(crate) fn incoming(&self) -> Result<TransactionReceiver, EdgeError> {
        self.endpoint.incoming_transactions().map_err(|error| EdgeError::Signalling(error.to_string()))
    }

    /// Starts the endpoint's own work.
    pub(crate) fn serve(self) {
        let inner = self.endpoint.inner.clone();
        tokio::spawn(async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(%error, "Signalling has stopped");
            }
        });
    }
}
