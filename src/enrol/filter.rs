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
            let place = (u64::from(u32::from_le_bytes(hashes[index])) * bits) >> 32;
            ((place / 64) as usize, 1 << (place % 64))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ContentHash;

    fn fingerprint(number: u32) -> Fingerprint {
        let hash = ContentHash::of(&number.to_le_bytes());
        Fingerprint::from_slice(hash.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_added_is_held_and_hardly_anything_else() {
        for count in [1, 1000, 20_000] {
            let mut filter = Filter::new(u64::from(count));
            (0..count).for_each(|number| filter.add(&fingerprint(number)));
            assert!((0..count).all(|number| filter.may_hold(&fingerprint(number))));
            let others = count..count + 100_000;
            let wrongly = others.filter(|number| filter.may_hold(&fingerprint(*number))).count();
            assert!(wrongly <= 3, "{wrongly} of 100,000, where {count} are held");
        }
    }
}
