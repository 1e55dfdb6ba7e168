//! Digits as tones in the voice (ITU-T Q.23), for callers whose gateway knows no telephone events: Goertzel's filter over
//! blocks that overlap by half, and what it takes for a voice not to be taken for a key (Q.24).

use crate::g711::Codec;

const LOW_HERTZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HERTZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// 25.6 ms: long enough to tell neighbouring tones apart, short enough for two blocks within a press of 51 ms.
const BLOCK: usize = 205;
const STEP: usize = 102;
/// Blocks that must agree before a key is pressed, and that must not before it is released.
const AGREE: u8 = 2;
/// Mean square of the quietest press, about 40 dB below the loudest.
const POWER_MIN: f32 = 100_000.0;
/// Of a block's power both tones together are at least this part: a voice spreads wider.
const TOGETHER_MIN: f32 = 0.75;
/// Either tone is at least this part: they differ by 6 dB at most.
const EITHER_MIN: f32 = 0.18;
/// The next tone of the same group has at most this part of the strongest one's power.
const NEXT_MAX: f32 = 0.25;

/// Finds the keys in one direction of one call.
#[derive(Default)]
pub(crate) struct ToneDetector {
    samples: Vec<f32>,
    pressed: Option<char>,
    /// What the last blocks said, and how many of them in a row.
    seen: Option<char>,
    in_a_row: u8,
}

impl ToneDetector {
    /// Hears a packet; a key is returned once per press, while it is held.
    pub(crate) fn hear(&mut self, codec: Codec, payload: &[u8]) -> Option<char> {
        self.samples.extend(payload.iter().map(|octet| f32::from(codec.expand(*octet))));
        let mut found = None;
        while self.samples.len() >= BLOCK {
            let key = key_of(&self.samples[..BLOCK]);
            self.samples.drain(..STEP);
            self.in_a_row = if key == self.seen { self.in_a_row.saturating_add(1) } else { 1 };
            self.seen = key;
            if self.in_a_row >= AGREE && key != self.pressed {
                self.pressed = key;
                found = key.or(found);
            }
        }
        found
    }
}

/// The key that rules a block, if one does.
fn key_of(block: &[f32]) -> Option<char> {
    let power: f32 = block.iter().map(|sample| sample * sample).sum();
    if power < POWER_MIN * BLOCK as f32 {
        return None;
    }
    let (row, low) = strongest(block, &LOW_HERTZ, power)?;
    let (column, high) = strongest(block, &HIGH_HERTZ, power)?;
    (low + high >= TOGETHER_MIN && low >= EITHER_MIN && high >= EITHER_MIN).then(|| KEYS[row][column])
}

/// The strongest tone of a group and its part of the block's power, if it stands out.
fn strongest(block: &[f32], group: &[f32; 4], power: f32) -> Option<(usize, f32)> {
    let parts = group.map(|hertz| part_of(block, hertz, power));
    let best = (0..4).max_by(|one, two| parts[*one].total_cmp(&parts[*two]))?;
    let stands_out = (0..4).all(|other| other == best || parts[other] <= parts[best] * NEXT_MAX);
    stands_out.then(|| (best, parts[best]))
}

/// Goertzel: how much of the block's power is at this frequency; 1 for a pure tone.
fn part_of(block: &[f32], hertz: f32, power: f32) -> f32 {
    let coefficient = 2.0 * (std::f32::consts::TAU * hertz / 8_000.0).cos();
    let (mut one, mut two) = (0.0f32, 0.0f32);
    for sample in block {
        let zero = sample + coefficient * one - two;
        (two, one) = (one, zero);
    }
    2.0 * (one * one + two * two - coefficient * one * two) / (power * block.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Prompt, Prompts, built_in_music};

    /// So many milliseconds of two tones, each of this amplitude, with a little noise, as u-law.
    fn press(row: usize, column: usize, amplitude: f32, milliseconds: usize) -> Vec<u8> {
        let mut noise = 1u32;
        (0..milliseconds * 8)
            .map(|sample| {
                let angle = std::f32::consts::TAU * sample as f32 / 8_000.0;
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let hiss = ((noise >> 16) as f32 / 65_536.0 - 0.5) * amplitude * 0.2;
                let tones = (angle * LOW_HERTZ[row]).sin() + 0.8 * (angle * HIGH_HERTZ[column]).sin();
                Codec::Pcmu.compress((amplitude * tones + hiss) as i16)
            })
            .collect()
    }

    fn heard(voice: &[u8]) -> String {
        let mut detector = ToneDetector::default();
        voice.chunks(160).filter_map(|packet| detector.hear(Codec::Pcmu, packet)).collect()
    }

    #[test]
    fn every_key_is_heard_once_loud_or_soft() {
        for amplitude in [700.0, 4_000.0, 15_000.0] {
            for (row, keys) in KEYS.iter().enumerate() {
                for (column, key) in keys.iter().enumerate() {
                    let voice = [press(row, column, amplitude, 80), vec![0xff; 640]].concat();
                    assert_eq!(heard(&voice), key.to_string(), "at {amplitude}");
                }
            }
        }
    }

    #[test]
    fn a_key_held_is_one_and_pressed_twice_is_two() {
        assert_eq!(heard(&press(1, 1, 4_000.0, 2_000)), "5");
        let twice = [press(1, 1, 4_000.0, 60), vec![0xff; 480], press(1, 1, 4_000.0, 60), vec![0xff; 480]].concat();
        assert_eq!(heard(&twice), "55");
        let two = [press(0, 0, 4_000.0, 60), vec![0xff; 400], press(3, 2, 4_000.0, 60)].concat();
        assert_eq!(heard(&two), "1#");
    }

    #[test]
    fn voices_music_and_single_tones_press_no_key() {
        let prompts = [
            Prompt::Menu,
            Prompt::AskAccount,
            Prompt::AskPin,
            Prompt::Wrong,
            Prompt::Invalid,
            Prompt::NoCredit,
            Prompt::PleaseHold,
            Prompt::Busy,
            Prompt::LowBalance,
            Prompt::Unavailable,
        ];
        for prompt in prompts {
            assert_eq!(heard(Prompts::built_in().clip(prompt).octets(Codec::Pcmu)), "", "{prompt:?}");
        }
        assert_eq!(heard(built_in_music().octets(Codec::Pcmu)), "");
        assert_eq!(heard(crate::prompt::Clip::tone(697.0, 8_000.0, 1_000).octets(Codec::Pcmu)), "");
        assert_eq!(heard(&[0xff; 8_000]), "");
    }
}
