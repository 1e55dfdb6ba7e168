//! What a leg sends: prompts, background, silence, or the other leg's packets, as one RTP stream with one numbering.

use crate::dtmf;
use crate::g711::{Codec, transcode};
use crate::prompt::Clip;
use crate::rtp::{FRAME_OCTETS, Packet};
use crate::sdp::RemoteAudio;
use crate::srtp::{MasterKey, Sender};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Where a relayed stream's numbers land in ours.
#[derive(Clone, Copy)]
struct Offset {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

pub(crate) struct Voice {
    remote: Option<SocketAddr>,
    codec: Codec,
    telephone_event: Option<u8>,
    /// The peer listens (not on hold by its own wish).
    heard: bool,
    muted: bool,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    event_timestamp: u32,
    last_sent: Instant,
    marker: bool,
    queue: VecDeque<Clip>,
    position: usize,
    background: Option<Clip>,
    background_position: usize,
    relayed: bool,
    offset: Option<Offset>,
    overlay: Option<(Arc<[i16]>, usize)>,
    /// Kept while a stream is in the clear for a time: its numbers must not be used again.
    encryption: Option<Sender>,
    encrypts: bool,
    /// Scratch space for the packet being built.
    pub(crate) wire: Vec<u8>,
}

impl Voice {
    pub(crate) fn new() -> Self {
        Self {
            remote: None,
            codec: Codec::Pcmu,
            telephone_event: None,
            heard: false,
            muted: false,
            ssrc: rand::random(),
            sequence: rand::random(),
            timestamp: rand::random(),
            event_timestamp: 0,
            last_sent: Instant::now(),
            marker: true,
            queue: VecDeque::new(),
            position: 0,
            background: None,
            background_position: 0,
            relayed: false,
            offset: None,
            overlay: None,
            encryption: None,
            encrypts: false,
            wire: Vec::with_capacity(256),
        }
    }

    /// `key` is ours, for the whole call.
    pub(crate) fn connect(&mut self, remote: &RemoteAudio, key: &MasterKey) {
        self.encrypts = remote.crypto.is_some();
        if let Some(crypto) = remote.crypto {
            self.encryption.get_or_insert_with(|| Sender::new(key, crypto.suite)).suite = crypto.suite;
        }
        self.remote = Some(remote.address);
        self.codec = remote.codecs[0];
        self.telephone_event = remote.telephone_event;
        self.heard = remote.direction.receives();
    }

    pub(crate) fn set_remote(&mut self, remote: SocketAddr) {
        self.remote = Some(remote);
    }

    pub(crate) fn play(&mut self, clips: Vec<Clip>) {
        self.queue = clips.into_iter().filter(|clip| !clip.is_empty()).collect();
        self.position = 0;
    }

    pub(crate) fn set_background(&mut self, clip: Option<Clip>) {
        self.background = clip.filter(|clip| !clip.is_empty());
        self.background_position = 0;
    }

    pub(crate) fn set_relayed(&mut self, relayed: bool) {
        self.relayed = relayed;
        self.offset = None;
        self.queue.clear();
    }

    pub(crate) fn overlay(&mut self, samples: Arc<[i16]>) {
        self.overlay = Some((samples, 0));
    }

    pub(crate) fn mute(&mut self) {
        self.muted = true;
    }

    /// The packet as it goes on the wire; `false` when it must not.
    #[must_use]
    pub(crate) fn protect(&mut self, wire: &mut Vec<u8>) -> bool {
        match &mut self.encryption {
            Some(sender) if self.encrypts => sender.protect(wire),
            _ => true,
        }
    }

    /// Nothing for the pacing task to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.muted || self.remote.is_none() || (self.relayed && self.overlay.is_none() && self.queue.is_empty())
    }

    fn destination(&self) -> Option<SocketAddr> {
        self.remote.filter(|_| self.heard && !self.muted)
    }

    /// The next 20 ms of our own. `played` is set when the last prompt has just ended.
    pub(crate) fn frame(&mut self, wire: &mut Vec<u8>, played: &mut bool) -> Option<SocketAddr> {
        if self.relayed && self.last_sent.elapsed() < Duration::from_millis(40) {
            // The other leg's packets carry the overlay.
            return None;
        }
        let mut payload = [self.codec.silence(); FRAME_OCTETS];
        // Prompts go on while the peer does not listen, so that the call's script goes on too.
        self.fill(&mut payload, played);
        self.mix(&mut payload);
        let to = self.destination()?;
        self.offset = None;
        self.write(&payload, wire);
        Some(to)
    }

    fn fill(&mut self, payload: &mut [u8; FRAME_OCTETS], played: &mut bool) {
        if let Some(clip) = self.queue.front() {
            let octets = clip.octets(self.codec);
            let take = FRAME_OCTETS.min(octets.len() - self.position);
            payload[..take].copy_from_slice(&octets[self.position..self.position + take]);
            self.position += take;
            if self.position == octets.len() {
                self.queue.pop_front();
                self.position = 0;
                *played = self.queue.is_empty();
            }
        } else if let Some(clip) = self.background.as_ref().filter(|_| !self.relayed) {
            let octets = clip.octets(self.codec);
            for octet in payload {
                *octet = octets[self.background_position];
                self.background_position = (self.background_position + 1) % octets.len();
            }
        }
    }

    fn mix(&mut self, payload: &mut [u8]) {
        let Some((samples, position)) = &mut self.overlay else { return };
        for octet in payload {
            let Some(sample) = samples.get(*position) else { break };
            // The voice steps back behind the announcement.
            let mixed = i32::from(self.codec.expand(*octet)) / 3 + i32::from(*sample);
            *octet = self.codec.compress(mixed.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16);
            *position += 1;
        }
        if *position >= samples.len() {
            self.overlay = None;
        }
    }

    fn write(&mut self, payload: &[u8], wire: &mut Vec<u8>) {
        let marker = std::mem::take(&mut self.marker);
        let payload_type = self.codec.payload_type();
        let (sequence, timestamp, ssrc) = (self.sequence, self.timestamp, self.ssrc);
        Packet { marker, payload_type, sequence, timestamp, ssrc, payload }.write(wire);
        self.advance(sequence, timestamp, payload.len());
    }

    fn advance(&mut self, sequence: u16, timestamp: u32, samples: usize) {
        self.last_sent = Instant::now();
        // A packet that came late and out of order does not turn the numbering back.
        if (sequence.wrapping_sub(self.sequence) as i16) >= 0 {
            self.sequence = sequence.wrapping_add(1);
            self.timestamp = timestamp.wrapping_add(samples as u32);
        }
    }

    /// The numbers a packet of the other leg gets in our stream, and whether a new spurt begins.
    fn renumber(&mut self, packet: &Packet<'_>) -> (u16, u32, bool) {
        let known = self.offset.filter(|offset| offset.ssrc == packet.ssrc);
        let offset = known.unwrap_or_else(|| Offset {
            ssrc: packet.ssrc,
            sequence: self.sequence.wrapping_sub(packet.sequence),
            timestamp: self.timestamp.wrapping_sub(packet.timestamp),
        });
        self.offset = Some(offset);
        let marker = packet.marker || known.is_none() || std::mem::take(&mut self.marker);
        (packet.sequence.wrapping_add(offset.sequence), packet.timestamp.wrapping_add(offset.timestamp), marker)
    }

    /// A packet heard on the other leg, in that leg's codec.
    pub(crate) fn relay(&mut self, packet: &Packet<'_>, codec: Codec, wire: &mut Vec<u8>) -> Option<SocketAddr> {
        const LONGEST: usize = 1_500;
        let to = self.destination().filter(|_| self.relayed && packet.payload.len() <= LONGEST)?;
        let mut buffer = [0u8; LONGEST];
        let payload = &mut buffer[..packet.payload.len()];
        payload.copy_from_slice(packet.payload);
        transcode(payload, codec, self.codec);
        self.mix(payload);
        let (sequence, timestamp, marker) = self.renumber(packet);
        let payload_type = self.codec.payload_type();
        Packet { marker, payload_type, sequence, timestamp, ssrc: self.ssrc, payload }.write(wire);
        self.advance(sequence, timestamp, packet.payload.len());
        Some(to)
    }

    /// A telephone event heard on the other leg; lost when this peer cannot read events.
    pub(crate) fn relay_event(&mut self, packet: &Packet<'_>, wire: &mut Vec<u8>) -> Option<SocketAddr> {
        let payload_type = self.telephone_event?;
        let to = self.destination().filter(|_| self.relayed)?;
        let (sequence, timestamp, marker) = self.renumber(packet);
        let marker = marker && packet.marker;
        Packet { marker, payload_type, sequence, timestamp, ssrc: self.ssrc, payload: packet.payload }.write(wire);
        self.advance(sequence, timestamp, 0);
        Some(to)
    }

    /// Packet `step` (0 to 7) of a press of `digit`: five of the key held, three of its end (RFC 4733 2.5.1).
    pub(crate) fn event(&mut self, digit: char, step: u16, wire: &mut Vec<u8>) -> Option<SocketAddr> {
        let payload_type = self.telephone_event?;
        let to = self.destination()?;
        let event = dtmf::event_of(digit)?;
        let end = step >= 5;
        let duration = (step.min(5) + 1) * FRAME_OCTETS as u16;
        let [high, low] = duration.to_be_bytes();
        if step == 0 {
            // The event owns its timestamp: the audio between goes on from a later one.
            self.timestamp = self.timestamp.wrapping_add(FRAME_OCTETS as u32);
            self.event_timestamp = self.timestamp;
        }
        let payload = [event, 10 | if end { 0x80 } else { 0 }, high, low];
        let (sequence, timestamp) = (self.sequence, self.event_timestamp);
        Packet { marker: step == 0, payload_type, sequence, timestamp, ssrc: self.ssrc, payload: &payload }.write(wire);
        self.sequence = self.sequence.wrapping_add(1);
        Some(to)
    }
}
