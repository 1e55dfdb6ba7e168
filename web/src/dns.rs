//! One question to the DNS: which texts stand at a name. That is how the owner of a host name proves that it is the owner.

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Asks this name server, or those that the machine asks: they stand in `/etc/resolv.conf`, else the machine is one itself.
pub fn resolver(server: Option<SocketAddr>) -> anyhow::Result<TokioResolver> {
    let of_the_machine = || TokioResolver::builder_tokio().ok();
    let mut builder = match server {
        None => of_the_machine().unwrap_or_else(|| asking((Ipv4Addr::LOCALHOST, 53).into())),
        Some(server) => asking(server),
    };
    // Who has just written its proof is asked for it at once: an answer of a minute ago is none.
    builder.options_mut().cache_size = 0;
    Ok(builder.build()?)
}

fn asking(server: SocketAddr) -> hickory_resolver::ResolverBuilder<TokioRuntimeProvider> {
    let (ip, port): (IpAddr, u16) = (server.ip(), server.port());
    // An answer too long for a packet is asked for again by TCP.
    let at = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = port;
        connection
    });
    let server = NameServerConfig::new(ip, true, at.into());
    TokioResolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), vec![server]), Default::default())
}

/// The texts at a name; none where the name is not there. An error is a phrase for the page.
pub async fn texts(resolver: &TokioResolver, name: &str) -> Result<Vec<String>, String> {
    // With the last dot no search domain of this machine is tried after it.
    match resolver.txt_lookup(format!("{name}.")).await {
        Ok(found) => Ok(found.answers().iter().filter_map(|record| text(&record.data)).collect()),
        Err(error) if error.is_no_records_found() => Ok(Vec::new()),
        Err(error) => {
            tracing::info!(name, %error, "The DNS was asked in vain");
            Err("the DNS did not answer; try again in a minute".to_owned())
        }
    }
}

/// A text comes in pieces of up to 255 bytes.
fn text(data: &RData) -> Option<String> {
    let RData::TXT(text) = data else { return None };
    Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned())
}
