//! The same numbers for the same seed on every machine: the world must not depend on a library's generator.

/// SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to scatter calls over a day.
pub struct Random(u64);

impl Random {
    /// A generator for one purpose of one day; equal names give equal numbers.
    pub fn of(name: &str) -> Self {
        // FNV-1a, for a seed only.
        Self(
            name.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u32, most: u32) -> u32 {
        least + (self.next() % u64::from(most - least + 1)) as u32
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[(self.next() % from.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_same_name_gives_the_same_numbers() {
        let draw = |name| {
            let mut random = Random::of(name);
            [random.between(0, 999), random.between(0, 999), random.between(0, 999)]
        };
        assert_eq!(draw("2026-03-02"), draw("2026-03-02"));
        assert_ne!(draw("2026-03-02"), draw("2026-03-03"));
    }
}
