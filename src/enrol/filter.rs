//! A set of fingerprints in four bytes each, that sometimes claims to hold one
//! which it does not: a Bloom filter. A fingerprint is its own eight hashes.

use crate::job::Fingerprint;

const BITS_EACH: u64 = 32;

#[derive(Debug)]
pub(super) struct Filter(Vec<u64>);

impl Filter {
    /// For about `count` fingerprints: of a million that it does not hold, it
    /// claims to hold one or two.
    pub(super) fn new(count: u64) -> Self {
        Self(vec![0; (count.max(64) * BITS_EACH / 64) as usize])
    }

    pub(super) fn add(&mut self, fingerprint: &Fingerprint) {
        for (word, bit) in self.places(fingerprint) {
            self.0[word] |= bit;
        }
    }

    pub(super) fn may_hold(&self, fingerprint: &Fingerprint) -> bool {
        self.places(fingerprint).into_iter().all(|(word, bit)| self.0[word] & bit != 0)
    }

    fn places(&self, fingerprint: &Fingerprint) -> [(usize, u64); 8] {
        let bits = self.0.len() as u64 * 64;
        let (hashes, _) = fingerprint.as_bytes().as_chunks::<4>();
        std::array::from_fn(|index| {
            let place = u64::from(u32::from_le_bytes(hashes[index])) * bits >> 32;
            ((place / 64) as usize, 1 << (place % 64))
        })
    }
}
