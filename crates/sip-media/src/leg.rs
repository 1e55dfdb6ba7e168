//! One media leg: a UDP socket, a pacing task that plays to the peer, and a receiving task that hears it.
//! Two legs are bridged by handing each the other; packets then go straight across, renumbered and transcoded.
//! Invariant: after [`Leg::close`] no packet leaves, whatever the tasks are doing.

use crate::dtmf::DigitDetector;
use crate::g711::Codec;
use crate::prompt::Clip;
use crate::rtp::{Packet, Ports};
use crate::sdp::RemoteAudio;
use crate::srtp::{MasterKey, Receiver};
use crate::tones::ToneDetector;
use crate::voice::Voice;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a leg tells the call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MediaEvent {
    Digit(char),
    /// The queued prompts have been played to their end.
    Played,
}

/// The other end of a leg's packets.
struct Ear {
    /// Packets are taken from these addresses only: the one in the SDP and the one that signals.
    allowed: [Option<IpAddr>; 2],
    /// The first packet from an allowed address fixes the source; a re-INVITE frees it.
    latched: Option<SocketAddr>,
    telephone_event: Option<u8>,
    digits: DigitDetector,
    /// For a peer that cannot say digits otherwise.
    tones: ToneDetector,
    peer: Weak<Inner>,
    /// Opens what the peer encrypts; packets in the clear are foreign then.
    encryption: Option<Receiver>,
    record: Option<Vec<i16>>,
}

struct Inner {
    socket: UdpSocket,
    port: u16,
    key: MasterKey,
    born: Instant,
    voice: Mutex<Voice>,
    ear: Mutex<Ear>,
    wake: Notify,
    closed: CancellationToken,
    received: AtomicU64,
    sent: AtomicU64,
    foreign: AtomicU64,
    heard_at_ms: AtomicU64,
    events: mpsc::UnboundedSender<MediaEvent>,
}

/// A handle; dropping it closes the leg.
pub(crate) struct Leg {
    inner: Arc<Inner>,
}

// A poisoned lock means a panic while a number was being copied; the numbers are still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leg {
    /// Binds a socket and starts both tasks; nothing is sent before [`Leg::connect`].
    pub(crate) async fn open(ports: &Ports) -> std::io::Result<(Self, mpsc::UnboundedReceiver<MediaEvent>)> {
        let socket = ports.bind().await?;
        let port = socket.local_addr()?.port();
        let (events, received) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            socket,
            port,
            key: MasterKey::fresh(),
            born: Instant::now(),
            voice: Mutex::new(Voice::new()),
            ear: Mutex::new(Ear {
                allowed: [None, None],
                latched: None,
                telephone_event: None,
                digits: DigitDetector::default(),
                tones: ToneDetector::default(),
                peer: Weak::new(),
                encryption: None,
                record: None,
            }),
            wake: Notify::new(),
            closed: CancellationToken::new(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            foreign: AtomicU64::new(0),
            heard_at_ms: AtomicU64::new(0),
            events,
        });
        tokio::spawn(receive(inner.clone()));
        tokio::spawn(pace(inner.clone()));
        Ok((Self { inner }, received))
    }

    pub(crate) fn port(&self) -> u16 {
        self.inner.port
    }

    /// Of what this leg sends, should it be encrypted.
    pub(crate) fn key(&self) -> MasterKey {
        self.inner.key
    }

    /// Takes the peer's address, codec and wish from its SDP. `signalling` is where its requests come from.
    pub(crate) fn connect(&self, remote: &RemoteAudio, signalling: Option<IpAddr>) {
        {
            let mut ear = lock(&self.inner.ear);
            let sdp_ip = Some(remote.address.ip()).filter(|ip| !ip.is_unspecified());
            ear.allowed = [sdp_ip, signalling];
            ear.latched = None;
            ear.telephone_event = remote.telephone_event;
            match remote.crypto {
                // The same key goes on counting.
                Some(crypto) if ear.encryption.as_ref().is_some_and(|open| open.crypto == crypto) => {}
                crypto => ear.encryption = crypto.map(Receiver::new),
            }
        }
        lock(&self.inner.voice).connect(remote, &self.inner.key);
        self.touch();
        self.inner.wake.notify_one();
    }

    /// Plays `clips` one after the other, then what plays in the background.
    pub(crate) fn play(&self, clips: Vec<Clip>) {
        lock(&self.inner.voice).play(clips);
        self.inner.wake.notify_one();
    }

    /// Loops `clip`, or silence when `None`, whenever no prompt plays.
    pub(crate) fn set_background(&self, clip: Option<Clip>) {
        lock(&self.inner.voice).set_background(clip);
        self.inner.wake.notify_one();
    }

    /// Mixes `samples` into what the peer hears.
    pub(crate) fn overlay(&self, samples: Arc<[i16]>) {
        lock(&self.inner.voice).overlay(samples);
        self.inner.wake.notify_one();
    }

    /// Joins two legs: each hears the other. Prompts and background stop.
    pub(crate) fn bridge(&self, other: &Leg) {
        for (one, two) in [(self, other), (other, self)] {
            lock(&one.inner.ear).peer = Arc::downgrade(&two.inner);
            lock(&one.inner.voice).set_relayed(true);
            one.touch();
        }
    }

    /// While `true`, the peer of this leg hears the other leg; otherwise what the edge plays.
    pub(crate) fn set_relayed(&self, relayed: bool) {
        lock(&self.inner.voice).set_relayed(relayed);
        self.inner.wake.notify_one();
    }

    /// Sends a digit as telephone events to the peer (used by the test caller).
    pub(crate) async fn press(&self, digit: char) {
        const STEP: Duration = Duration::from_millis(20);
        let mut tick = tokio::time::interval(STEP);
        for step in 0..8u16 {
            tick.tick().await;
            self.inner.send_with(|voice, wire| voice.event(digit, step, wire));
        }
    }

    /// Keeps what is heard from now on, for tests.
    pub(crate) fn record(&self) {
        lock(&self.inner.ear).record = Some(Vec::new());
    }

    pub(crate) fn recorded(&self) -> Vec<i16> {
        lock(&self.inner.ear).record.take().unwrap_or_default()
    }

    pub(crate) fn received(&self) -> u64 {
        self.inner.received.load(Ordering::Relaxed)
    }

    pub(crate) fn sent(&self) -> u64 {
        self.inner.sent.load(Ordering::Relaxed)
    }

    /// How long nothing has been heard.
    pub(crate) fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.inner.heard_at_ms.load(Ordering::Relaxed));
        self.inner.born.elapsed().saturating_sub(heard)
    }

    /// Restarts the count of [`Leg::silent_for`], as when a hold ends.
    pub(crate) fn touch(&self) {
        self.inner.heard_at_ms.store(self.inner.born.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn close(&self) {
        // Under the voice's lock: a packet being built has left when this returns, and no other follows.
        lock(&self.inner.voice).mute();
        self.inner.closed.cancel();
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    /// Builds a packet under the lock and sends it there, so that order on the wire is order of numbering.
    fn send_with(&self, build: impl FnOnce(&mut Voice, &mut Vec<u8>) -> Option<SocketAddr>) {
        let mut voice = lock(&self.voice);
        let mut wire = std::mem::take(&mut voice.wire);
        if let Some(to) = build(&mut voice, &mut wire)
            && voice.protect(&mut wire)
            // A full socket buffer loses the packet, as a full wire would.
            && self.socket.try_send_to(&wire, to).is_ok()
        {
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
        voice.wire = wire;
    }

    fn hear(&self, datagram: &mut [u8], from: SocketAddr) {
        if Packet::read(datagram).is_none() {
            return;
        }
        let packet;
        let peer = {
            let mut ear = lock(&self.ear);
            let Some(read) = ear.open(datagram, from) else {
                self.foreign.fetch_add(1, Ordering::Relaxed);
                return;
            };
            packet = read;
            if ear.latched.is_none() {
                ear.latched = Some(from);
                lock(&self.voice).set_remote(from);
            }
            self.received.fetch_add(1, Ordering::Relaxed);
            self.heard_at_ms.store(self.born.elapsed().as_millis() as u64, Ordering::Relaxed);
            if ear.telephone_event == Some(packet.payload_type) {
                if let Some(digit) = ear.digits.on_event(packet.ssrc, packet.timestamp, packet.payload) {
                    // The call may be gone already; its digits are of no use then.
                    let _ = self.events.send(MediaEvent::Digit(digit));
                }
                let peer = ear.peer.upgrade();
                drop(ear);
                if let Some(peer) = peer {
                    peer.send_with(|voice, wire| voice.relay_event(&packet, wire));
                }
                return;
            }
            let Some(codec) = Codec::of_payload_type(packet.payload_type) else { return };
            if ear.telephone_event.is_none()
                && let Some(digit) = ear.tones.hear(codec, packet.payload)
            {
                let _ = self.events.send(MediaEvent::Digit(digit));
            }
            if let Some(record) = &mut ear.record {
                record.extend(packet.payload.iter().map(|octet| codec.expand(*octet)));
            }
            ear.peer.upgrade().map(|peer| (peer, codec))
        };
        if let Some((peer, codec)) = peer {
            peer.send_with(|voice, wire| voice.relay(&packet, codec, wire));
        }
    }
}

impl Ear {
    /// The peer's packet, decrypted; `None` for a foreign one.
    fn open<'a>(&mut self, datagram: &'a mut [u8], from: SocketAddr) -> Option<Packet<'a>> {
        if !self.accepts(from) {
            return None;
        }
        let end = match &mut self.encryption {
            Some(receiver) => receiver.open(datagram)?,
            None => datagram.len(),
        };
        Packet::read(&datagram[..end])
    }

    fn accepts(&self, from: SocketAddr) -> bool {
        match self.latched {
            Some(latched) => latched == from,
            None => self.allowed.contains(&Some(from.ip())),
        }
    }
}

async fn receive(inner: Arc<Inner>) {
    let mut datagram = [0u8; 2048];
    loop {
        tokio::select! {
            () = inner.closed.cancelled() => return,
            received = inner.socket.recv_from(&mut datagram) => {
                // An error here is an ICMP answer to something we sent; the peer may come back.
                if let Ok((octets, from)) = received {
                    inner.hear(&mut datagram[..octets], from);
                }
            }
        }
    }
}

async fn pace(inner: Arc<Inner>) {
    const FRAME: Duration = Duration::from_millis(20);
    let mut next = Instant::now();
    loop {
        let idle = lock(&inner.voice).is_idle();
        if idle {
            tokio::select! {
                () = inner.closed.cancelled() => return,
                () = inner.wake.notified() => next = Instant::now(),
            }
            continue;
        }
        tokio::select! {
            () = inner.closed.cancelled() => return,
            () = tokio::time::sleep_until(next) => {}
        }
        let mut played = false;
        inner.send_with(|voice, wire| voice.frame(wire, &mut played));
        if played {
            let _ = inner.events.send(MediaEvent::Played);
        }
        next += FRAME;
        // A long stall is not made up for: the peer's jitter buffer would only throw the burst away.
        if next.elapsed() > FRAME * 10 {
            next = Instant::now();
        }
    }
}
