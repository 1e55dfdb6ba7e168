//! Calls over a bad line: a relay of ours between caller and edge that loses, delays and so reorders datagrams of SIP and
//! RTP alike. It stands in both ways' path as a router does, by putting its own addresses in place of theirs.

use crate::doors::Dice;
use crate::world::*;
use sip_media::caller::{Caller, EndedBy};
use sip_media::*;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Of a hundred datagrams, so many are lost.
const LOST: usize = 8;
/// Each of the others is late by up to so many milliseconds: later ones overtake it.
const LATE: usize = 40;

struct Link {
    near: Arc<UdpSocket>,
    tasks: Vec<JoinHandle<()>>,
    lost: Arc<Mutex<(Dice, usize)>>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Who is where, as far as it is known.
#[derive(Default)]
struct Ends {
    caller: Option<SocketAddr>,
    caller_media: Option<u16>,
    edge_media: Option<u16>,
}

async fn socket() -> Arc<UdpSocket> {
    Arc::new(UdpSocket::bind((LOOPBACK, 0)).await.unwrap())
}

fn at(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

impl Link {
    /// For one call at a time to the edge at this address.
    async fn to(edge: SocketAddr, seed: u64) -> Self {
        let (near, far) = (socket().await, socket().await);
        let (near_media, far_media) = (socket().await, socket().await);
        let lost = Arc::new(Mutex::new((Dice(seed), 0)));
        let ends = Arc::new(Mutex::new(Ends::default()));
        let mut link = Self { near: near.clone(), tasks: Vec::new(), lost };
        // SIP towards the edge, SIP towards the caller, then RTP both ways.
        let (here, known, there, media) = (at(&near), ends.clone(), at(&far), at(&far_media).port());
        link.carry(near.clone(), far.clone(), move |datagram, from| {
            let mut ends = known.lock().unwrap();
            ends.caller = Some(from);
            let swaps = [(here.to_string(), edge.to_string()), (from.to_string(), there.to_string())];
            let text = rewritten(datagram, &swaps, media, &mut ends.caller_media);
            Some((text, edge))
        });
        let (here, known, there, media) = (at(&near), ends.clone(), at(&far), at(&near_media).port());
        link.carry(far, near, move |datagram, _| {
            let mut ends = known.lock().unwrap();
            let caller = ends.caller?;
            let swaps = [(edge.to_string(), here.to_string()), (there.to_string(), caller.to_string())];
            let text = rewritten(datagram, &swaps, media, &mut ends.edge_media);
            Some((text, caller))
        });
        let known = ends.clone();
        link.carry(near_media.clone(), far_media.clone(), move |datagram, _| {
            Some((datagram.to_vec(), SocketAddr::new(LOOPBACK, known.lock().unwrap().edge_media?)))
        });
        link.carry(far_media, near_media, move |datagram, _| {
            Some((datagram.to_vec(), SocketAddr::new(LOOPBACK, ends.lock().unwrap().caller_media?)))
        });
        link
    }

    fn carry(
        &mut self,
        from: Arc<UdpSocket>,
        by: Arc<UdpSocket>,
        route: impl Fn(&[u8], SocketAddr) -> Option<(Vec<u8>, SocketAddr)> + Send + 'static,
    ) {
        let lost = self.lost.clone();
        self.tasks.push(tokio::spawn(async move {
            let mut buffer = [0u8; 8_192];
            while let Ok((octets, source)) = from.recv_from(&mut buffer).await {
                let Some((datagram, to)) = route(&buffer[..octets], source) else { continue };
                let late = {
                    let mut lost = lost.lock().unwrap();
                    if lost.0.roll(100) < LOST {
                        lost.1 += 1;
                        continue;
                    }
                    ms(lost.0.roll(LATE) as u64)
                };
                let by = by.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(late).await;
                    // Nobody may be there any more.
                    let _ = by.send_to(&datagram, to).await;
                });
            }
        }));
    }
}

/// The message with other addresses, and this port for RTP in place of the one that is noted.
fn rewritten(datagram: &[u8], swaps: &[(String, String)], media: u16, noted: &mut Option<u16>) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(datagram).into_owned();
    for (old, new) in swaps {
        text = text.replace(old, new);
    }
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return text.into_bytes() };
    let mut body = body.to_owned();
    if let Some(line) = body.lines().find(|line| line.starts_with("m=audio ")).map(str::to_owned) {
        let port = line.split(' ').nth(1).unwrap().to_owned();
        *noted = port.parse().ok();
        body = body.replacen(&format!("m=audio {port} "), &format!("m=audio {media} "), 1);
    }
    let head: Vec<String> = head
        .split("\r\n")
        .map(|line| match line.split_once(':') {
            Some((name, _)) if name.eq_ignore_ascii_case("Content-Length") => format!("Content-Length: {}", body.len()),
            _ => line.to_owned(),
        })
        .collect();
    format!("{}\r\n\r\n{body}", head.join("\r\n")).into_bytes()
}

#[tokio::test]
async fn calls_over_a_line_that_loses_and_reorders_are_charged_exactly() {
    let world = World::new().await;
    world.desk.serves(3, Service::Music, grant(2));
    let calls = 6;
    let mut running = Vec::new();
    for seed in 1..=calls {
        let link = Link::to(world.address(), seed * 7_919).await;
        let mut plan = world.plan("", ms(60_000)).pressing("3333", ms(1_500));
        plan.target = at(&link.near);
        plan.from = format!("+44770090012{seed}");
        running.push(tokio::spawn(async move {
            let outcome = Caller::call(plan).await.unwrap();
            let lost = link.lost.lock().unwrap().1;
            (outcome, lost)
        }));
    }
    let mut lost = 0;
    for call in running {
        let (outcome, lost_here) = call.await.unwrap();
        assert_eq!((outcome.status, outcome.ended_by), (200, EndedBy::Callee), "{outcome:?}");
        lost += lost_here;
    }
    // Of 2 s of music alone, each of 6 calls gets 100 packets: 48 of them are lost at 8 in a hundred.
    assert!(lost > 48, "the line was bad: {lost} datagrams lost");
    world.desk.hears("call_ended", calls as usize).await;
    for end in world.desk.ends() {
        assert_eq!((end.cause, end.metered_ms), (EndCause::BalanceExhausted, 2_000), "two seconds were paid for");
    }
    let ids: std::collections::HashSet<CallId> = world.desk.events().iter().map(|event| event.call_id).collect();
    assert_eq!(ids.len(), calls as usize, "a request that came twice is one call");
    // Where the answer to our BYE was lost, the caller was gone: it is said again until 64 times T1, 32 s, have passed.
    let silent = async {
        while world.edge.dialogs() > 0 {
            tokio::time::sleep(ms(50)).await;
        }
    };
    timeout(ms(40_000), silent).await.expect("every dialog is forgotten");
    world.close().await;
}
