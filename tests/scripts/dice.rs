//! Random names and contents that are the same in every run. Nothing here knows what they are for.

/// Numbers that are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    pub fn name(&mut self) -> Vec<u8> {
        const NAMES: &[&[u8]] = &[
            b"a",
            b"b",
            b"c",
            b"d",
            b"e",
            b"new\nline",
            b" x ",
            b"-rf",
            b"d 755 x",
            b"\xff\xfe",
            b"*",
            b"back\\slash",
            b"f 644 1 a",
            b"'q'",
        ];
        NAMES[self.roll(NAMES.len())].to_vec()
    }

    /// Few contents, so that one is found under several names.
    pub fn content(&mut self) -> Vec<u8> {
        let size = [0, 1, 512, 3000, 70_000, 1_200_000][self.roll(6)];
        let seed = self.roll(5);
        (0..size).map(|at| (at * 7 + at / 300 * seed + seed) as u8).collect()
    }
}
