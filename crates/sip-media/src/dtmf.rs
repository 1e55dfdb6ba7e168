//! Digits: RFC 4733 telephone events in RTP, and the two bodies of SIP INFO in use.

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// Turns telephone-event packets into digits. One press is many packets with one RTP timestamp; a press counts when
/// its first packet arrives, whichever of them that is, so a lost end packet loses nothing.
#[derive(Default)]
pub(crate) struct DigitDetector {
    last: Option<(u32, u32)>,
}

impl DigitDetector {
    /// `payload` is the four octets of RFC 4733 2.3 (or more); the digit is returned once per press.
    pub(crate) fn on_event(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) -> Option<char> {
        if payload.len() < 4 {
            return None;
        }
        let key = KEYS.get(usize::from(payload[0]))?;
        if let Some((last_ssrc, last_timestamp)) = self.last {
            // Late packets of an earlier press come with an older timestamp.
            let age = timestamp.wrapping_sub(last_timestamp) as i32;
            if last_ssrc == ssrc && age <= 0 {
                return None;
            }
        }
        self.last = Some((ssrc, timestamp));
        Some(char::from(*key))
    }
}

/// The event number of a digit, for sending.
pub(crate) fn event_of(digit: char) -> Option<u8> {
    KEYS.iter().position(|key| char::from(*key) == digit).map(|event| event as u8)
}

/// The digit in the body of a SIP INFO: `application/dtmf-relay` (`Signal=5`) or `application/dtmf` (`5`).
pub(crate) fn digit_of_info(body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    let signal = text
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then(|| value.trim())
        })
        .unwrap_or_else(|| text.trim());
    match signal {
        "10" => Some('*'),
        "11" => Some('#'),
        _ => {
            let mut characters = signal.chars();
            let digit = characters.next()?.to_ascii_uppercase();
            (characters.next().is_none() && event_of(digit).is_some()).then_some(digit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_of_many_packets_is_one_digit() {
        let mut detector = DigitDetector::default();
        let packets = [[5, 10, 0, 160], [5, 10, 1, 64], [5, 0x8a, 3, 32], [5, 0x8a, 3, 32]];
        let digits: String = packets.iter().filter_map(|packet| detector.on_event(1, 8000, packet)).collect();
        assert_eq!(digits, "5");
        assert_eq!(detector.on_event(1, 16000, &[5, 0x8a, 3, 32]), Some('5'), "only its end packet arrived");
        assert_eq!(detector.on_event(1, 8000, &[5, 0x8a, 3, 32]), None, "a late packet of the first press");
        assert_eq!(detector.on_event(2, 8000, &[11, 10, 0, 160]), Some('#'), "a new source starts anew");
        assert_eq!(detector.on_event(2, 9000, &[16, 10, 0, 160]), None, "flash is no digit");
        assert_eq!(detector.on_event(2, 9000, &[1]), None);
    }

    #[test]
    fn info_bodies_in_use_are_read() {
        for (body, expected) in [
            ("Signal=5\r\nDuration=160\r\n", Some('5')),
            ("signal = *\r\n", Some('*')),
            ("Signal=11\r\n", Some('#')),
            ("7", Some('7')),
            ("a\r\n", Some('A')),
            ("", None),
            ("Signal=55", None),
            ("Signal=%", None),
        ] {
            assert_eq!(digit_of_info(body.as_bytes()), expected, "{body:?}");
        }
        assert_eq!(digit_of_info(&[0xff, 0xfe]), None);
    }
}
