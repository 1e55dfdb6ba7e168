//! What callers hear: short recordings and the hold music, kept in both laws so that playing is copying.

use crate::g711::{Codec, transcode};
use std::sync::{Arc, LazyLock};

/// Audio in both laws, 8,000 octets a second.
#[derive(Clone)]
pub(crate) struct Clip {
    ulaw: Arc<[u8]>,
    alaw: Arc<[u8]>,
}

impl Clip {
    pub(crate) fn of_ulaw(ulaw: &[u8]) -> Self {
        let mut alaw = ulaw.to_vec();
        transcode(&mut alaw, Codec::Pcmu, Codec::Pcma);
        Self { ulaw: ulaw.into(), alaw: alaw.into() }
    }

    /// A sine of `hertz`, `amplitude` of 32,767.
    pub(crate) fn tone(hertz: f32, amplitude: f32, milliseconds: u32) -> Self {
        let samples = milliseconds * 8;
        let ulaw: Vec<u8> = (0..samples)
            .map(|sample| {
                let angle = std::f32::consts::TAU * hertz * sample as f32 / 8000.0;
                Codec::Pcmu.compress((angle.sin() * amplitude) as i16)
            })
            .collect();
        Self::of_ulaw(&ulaw)
    }

    /// What a caller hears while it rings: one second in five, as in most of Europe (ITU-T E.180).
    pub(crate) fn ringing() -> Self {
        let tone = Self::tone(425.0, 6_000.0, 1_000);
        let silence = std::iter::repeat_n(Codec::Pcmu.compress(0), 4 * 8_000);
        let ulaw: Vec<u8> = tone.ulaw.iter().copied().chain(silence).collect();
        Self::of_ulaw(&ulaw)
    }

    pub(crate) fn octets(&self, codec: Codec) -> &Arc<[u8]> {
        match codec {
            Codec::Pcmu => &self.ulaw,
            Codec::Pcma => &self.alaw,
        }
    }

    pub(crate) fn samples(&self) -> Arc<[i16]> {
        self.ulaw.iter().map(|octet| Codec::Pcmu.expand(*octet)).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ulaw.is_empty()
    }
}

/// The recordings of `prompts/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    Menu,
    AskAccount,
    AskPin,
    Wrong,
    Invalid,
    NoCredit,
    PleaseHold,
    Busy,
    LowBalance,
    Unavailable,
    Goodbye,
}

pub(crate) struct Prompts {
    clips: Vec<Clip>,
}

static BUILT_IN: LazyLock<Prompts> = LazyLock::new(|| Prompts {
    clips: [
        &include_bytes!("../prompts/menu.ulaw")[..],
        include_bytes!("../prompts/ask_account.ulaw"),
        include_bytes!("../prompts/ask_pin.ulaw"),
        include_bytes!("../prompts/wrong.ulaw"),
        include_bytes!("../prompts/invalid.ulaw"),
        include_bytes!("../prompts/no_credit.ulaw"),
        include_bytes!("../prompts/please_hold.ulaw"),
        include_bytes!("../prompts/busy.ulaw"),
        include_bytes!("../prompts/low_balance.ulaw"),
        include_bytes!("../prompts/unavailable.ulaw"),
        include_bytes!("../prompts/goodbye.ulaw"),
    ]
    .into_iter()
    .map(Clip::of_ulaw)
    .collect(),
});

impl Prompts {
    pub(crate) fn built_in() -> &'static Self {
        &BUILT_IN
    }

    pub(crate) fn clip(&self, prompt: Prompt) -> Clip {
        self.clips[prompt as usize].clone()
    }
}

/// The hold music that comes with the edge: ten seconds, looped.
pub(crate) fn built_in_music() -> Clip {
    static MUSIC: LazyLock<Clip> = LazyLock::new(|| Clip::of_ulaw(include_bytes!("../prompts/music.ulaw")));
    MUSIC.clone()
}
