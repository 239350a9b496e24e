//! A small seeded generator: the same data each time, and no crate for it.

/// SplitMix64. It makes test data; nothing that must be secret.
#[derive(Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for a part of the data, so that one part's change leaves the others as they are.
    pub(super) fn fork(&self, name: &str) -> Self {
        let mixed = name.bytes().fold(self.0, |sum, byte| sum.wrapping_mul(0x0000_0100_0000_01b3) ^ u64::from(byte));
        Self(mixed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to `end`, which is left out; 0 where `end` is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        let number = self.next().checked_rem(end).unwrap_or(0);
        usize::try_from(number).unwrap_or(0)
    }

    /// A number from `least` to `most`, both counted in.
    pub(super) fn between(&mut self, least: usize, most: usize) -> usize {
        let span = most.saturating_sub(least).saturating_add(1);
        least.saturating_add(self.below(span))
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len())).copied().unwrap_or_default()
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes()).flatten().take(len).collect()
    }

    /// Characters out of `alphabet`.
    pub(super) fn text(&mut self, alphabet: &[u8], len: usize) -> String {
        let letter = |rng: &mut Self| char::from(alphabet.get(rng.below(alphabet.len())).copied().unwrap_or(b'x'));
        (0..len).map(|_| letter(self)).collect()
    }

    pub(super) fn hex(&mut self, len: usize) -> String {
        self.text(b"0123456789abcdef", len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        assert_eq!(Rng::new(7).bytes(40), Rng::new(7).bytes(40));
        assert_ne!(Rng::new(7).bytes(40), Rng::new(8).bytes(40));
        assert_ne!(Rng::new(7).fork("a").next(), Rng::new(7).fork("b").next());
    }

    #[test]
    fn numbers_keep_within_their_bounds() {
        let mut rng = Rng::new(1);
        let drawn: Vec<usize> = (0..1_000).map(|_| rng.between(3, 5)).collect();
        assert!(drawn.iter().all(|number| (3..=5).contains(number)));
        assert!([3, 4, 5].iter().all(|number| drawn.contains(number)));
        assert_eq!(rng.below(0), 0);
    }
}
