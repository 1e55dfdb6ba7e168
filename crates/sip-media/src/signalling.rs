//! Sockets and endpoint of the signalling stack, for the edge and for the caller.

use crate::bans::Bans;
use crate::config::{EdgeError, TlsSettings};
use crate::routers::BehindRouters;
use rsipstack::sip::Method;
use rsipstack::transaction::endpoint::EndpointOption;
use rsipstack::transaction::{Endpoint, TransactionReceiver};
use rsipstack::transport::tcp_listener::TcpListenerConnection;
use rsipstack::transport::tls::{ReloadableCertResolver, TlsConfig, TlsListenerConnection};
use rsipstack::transport::udp::{UdpConnection, UdpInner};
use rsipstack::transport::{SipAddr, TransportLayer};
use rsipstack::{EndpointBuilder, sip};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

/// What the edge takes, for those who look before they ask.
pub(crate) fn allow() -> sip::Header {
    sip::Header::Allow(sip::Allow::new("INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REGISTER"))
}

pub(crate) struct Signalling {
    pub(crate) endpoint: Endpoint,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(crate) tls_address: Option<SocketAddr>,
}

/// The stack listens in a task of its own, and tells nobody when it cannot.
const LISTENS_WITHIN: Duration = Duration::from_secs(5);

/// Longer than the longest registration: the connection of a phone that registers again in time stays. The stack would
/// close it after five minutes of silence, and its calls with it.
const SILENT_CONNECTION: Duration = Duration::from_secs(3_900);

/// Listens on UDP and, on the same port, TCP, and on TLS where that is wanted; all stop with `abort`.
pub(crate) async fn listen(
    listen: SocketAddr,
    advertised_ip: IpAddr,
    tls: Option<&TlsSettings>,
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
    layer.set_stream_idle_timeout(SILENT_CONNECTION);
    let tls_address = match tls {
        Some(tls) => Some(listen_for_tls(&layer, tls, advertised_ip).await?),
        None => None,
    };
    let options = EndpointOption { callid_suffix: Some(advertised_ip.to_string()), ..EndpointOption::default() };
    let endpoint = EndpointBuilder::new()
        .with_user_agent("ringtill")
        .with_transport_layer(layer)
        .with_cancel_token(abort.child_token())
        .with_option(options)
        .with_inspector(Box::new(BehindRouters))
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
    Ok(Signalling { endpoint, address, tls_address })
}

async fn listen_for_tls(
    layer: &TransportLayer,
    tls: &TlsSettings,
    advertised_ip: IpAddr,
) -> Result<SocketAddr, EdgeError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Another part of the program may have chosen already.
    let _ = rustls::crypto::CryptoProvider::install_default((*provider).clone());
    // The stack looks at them only later, and tells nobody.
    ReloadableCertResolver::new(&tls.certificate, &tls.key, provider)
        .map_err(|error| EdgeError::CertificateMustBeUsable(error.to_string()))?;
    let taken = |source| EdgeError::ListenAddressMustBeFree { address: tls.listen, source };
    let address = TcpListener::bind(tls.listen).await.and_then(|socket| socket.local_addr()).map_err(taken)?;
    let advertised = SocketAddr::new(advertised_ip, address.port());
    let (cert, key) = (Some(tls.certificate.clone()), Some(tls.key.clone()));
    let config = TlsConfig { cert, key, ..TlsConfig::default() };
    let listener = TlsListenerConnection::new(address, Some(advertised), config).await;
    layer.add_transport(listener.map_err(|error| EdgeError::Signalling(error.to_string()))?.into());
    Ok(address)
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

    /// Drops what comes from banned sources before it is read.
    pub(crate) fn hear_only_whom(&self, bans: Arc<Bans>) {
        self.endpoint.inner.transport_layer.set_whitelist(move |source: IpAddr| {
            let hears = bans.hears(source, tokio::time::Instant::now());
            async move { hears }
        });
    }

    /// Whose signature under a carrier's certificate is believed, as PEM.
    pub(crate) fn check_carriers_by(&self, authorities: Vec<u8>) {
        let provider = rustls::crypto::ring::default_provider();
        // Another part of the program may have chosen already.
        let _ = rustls::crypto::CryptoProvider::install_default(provider);
        let config = TlsConfig { ca_certs: Some(authorities), ..TlsConfig::default() };
        self.endpoint.inner.transport_layer.set_tls_config(config);
    }

    /// Starts the endpoint's own work; returns when it takes connections.
    ///
    /// # Errors
    /// It did not get its port.
    pub(crate) async fn serve(self) -> Result<(), EdgeError> {
        let (inner, address) = (self.endpoint.inner.clone(), self.address);
        tokio::spawn(async move {
            if let Err(error) = inner.serve().await {
                tracing::error!(%error, "Signalling has stopped");
            }
        });
        let connects = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LISTENS_WITHIN, connects)
            .await
            .map_err(|_| EdgeError::ListenAddressMustBeFree { address, source: std::io::ErrorKind::AddrInUse.into() })
    }
}
