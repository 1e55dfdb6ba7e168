//! Chance that can be repeated: each test says its seed, and `RINGTILL_SEED` brings the same faults again.

use std::hash::{BuildHasher, RandomState};

/// Rounds of a seeded test by `make test-nightly`; one on every change.
const ROUNDS_LONG: usize = 200;

/// Is this the nightly run?
pub fn is_long() -> bool {
    std::env::var("RINGTILL_LONG").is_ok_and(|value| value == "1")
}

/// One seed, said aloud.
pub fn seed() -> u64 {
    let given = std::env::var("RINGTILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one("seed") % 1_000_000_000);
    println!("RINGTILL_SEED={seed}");
    seed
}

/// One after the other: a single one on every change, 200 in the nightly run, the given one again.
pub fn seeds() -> impl Iterator<Item = u64> {
    let is_once = !is_long() || std::env::var("RINGTILL_SEED").is_ok();
    (0..if is_once { 1 } else { ROUNDS_LONG }).map(|_| seed())
}

/// Numbers that look random and follow from the seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to `below` - 1.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below.max(1)
    }
}
