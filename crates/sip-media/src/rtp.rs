//! RTP packets (RFC 3550) and the ports that carry them.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::net::UdpSocket;

/// 20 ms at 8 kHz, one octet a sample.
pub(crate) const FRAME_OCTETS: usize = 160;
const HEADER_OCTETS: usize = 12;

/// A received packet, its payload borrowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// `None` for anything that is not RTP version 2, RTCP on the same port included.
    pub(crate) fn read(datagram: &'a [u8]) -> Option<Self> {
        let header = datagram.get(..HEADER_OCTETS)?;
        if header[0] >> 6 != 2 || (192..=223).contains(&header[1]) {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let mut start = HEADER_OCTETS + usize::from(header[0] & 0x0f) * 4;
        if header[0] & 0x10 != 0 {
            let extension = datagram.get(start..start + 4)?;
            start += 4 + usize::from(u16::from_be_bytes([extension[2], extension[3]])) * 4;
        }
        let mut end = datagram.len();
        if header[0] & 0x20 != 0 {
            end = end.checked_sub(usize::from(*datagram.last()?))?;
        }
        Some(Self {
            marker: header[1] & 0x80 != 0,
            payload_type: header[1] & 0x7f,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: word(4),
            ssrc: word(8),
            payload: datagram.get(start..end)?,
        })
    }

    /// The packet as it goes on the wire, without CSRC, extension or padding.
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.push(0x80);
        buffer.push(self.payload_type | if self.marker { 0x80 } else { 0 });
        buffer.extend_from_slice(&self.sequence.to_be_bytes());
        buffer.extend_from_slice(&self.timestamp.to_be_bytes());
        buffer.extend_from_slice(&self.ssrc.to_be_bytes());
        buffer.extend_from_slice(self.payload);
    }
}

/// Hands out sockets for RTP: from a range of even ports, or any free port.
pub(crate) struct Ports {
    ip: IpAddr,
    range: Option<RangeInclusive<u16>>,
    next: AtomicU16,
}

impl Ports {
    pub(crate) fn new(ip: IpAddr, range: Option<RangeInclusive<u16>>) -> Self {
        Self { ip, range, next: AtomicU16::new(0) }
    }

    pub(crate) async fn bind(&self) -> std::io::Result<UdpSocket> {
        let Some(range) = &self.range else {
            return UdpSocket::bind(SocketAddr::new(self.ip, 0)).await;
        };
        let first = range.start().saturating_add(range.start() % 2);
        let pairs = (range.end().saturating_sub(first) / 2).saturating_add(1);
        for _ in 0..pairs {
            // Round robin: a port just freed rests longest, so late packets of an old call meet no new one.
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % pairs;
            if let Ok(socket) = UdpSocket::bind(SocketAddr::new(self.ip, first + turn * 2)).await {
                return Ok(socket);
            }
        }
        Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, "every RTP port of the range is in use"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_packet_is_read_back() {
        let packet = Packet { marker: true, payload_type: 8, sequence: 9, timestamp: 10, ssrc: 11, payload: b"abc" };
        let mut wire = Vec::new();
        packet.write(&mut wire);
        assert_eq!(Packet::read(&wire), Some(packet));
    }

    #[test]
    fn contributing_sources_extension_and_padding_are_skipped() {
        let mut wire = vec![0x80 | 0x20 | 0x10 | 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        wire.extend([9; 4]); // one CSRC
        wire.extend([0, 0, 0, 1, 7, 7, 7, 7]); // extension of one word
        wire.extend(b"xy");
        wire.extend([0, 2]); // two octets of padding
        assert_eq!(Packet::read(&wire).unwrap().payload, b"xy");
    }

    #[test]
    fn short_and_foreign_datagrams_are_nothing() {
        assert_eq!(Packet::read(&[]), None);
        assert_eq!(Packet::read(&[0x80; 11]), None);
        assert_eq!(Packet::read(&[0x40; 20]), None, "version 1");
        assert_eq!(Packet::read(&[&[0x80, 200][..], &[0; 10]].concat()), None, "RTCP sender report");
        assert_eq!(Packet::read(&[&[0x8f, 0][..], &[0; 10]].concat()), None, "more CSRC than octets");
        assert_eq!(Packet::read(&[&[0xa0, 0][..], &[0; 9], &[200]].concat()), None, "more padding than octets");
    }
}
