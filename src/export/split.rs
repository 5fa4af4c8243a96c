//! Splits by the hash of a job's id: a job stays in its split when jobs are
//! added, removed or reordered, on any machine.

use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The split where none are asked for.
pub(super) const WHOLE: &str = "train";

/// Parts of a dataset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Splits {
    /// Name and upper bound of each, in order; empty for the whole.
    parts: Vec<(String, f64)>,
}

impl Splits {
    /// Nothing is split.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parts.is_empty()
    }

    /// The names, in the order given.
    pub(super) fn names(&self) -> Vec<String> {
        match self.parts.as_slice() {
            [] => vec![WHOLE.to_owned()],
            parts => parts.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// The place among the names of the split that a job is in.
    pub(super) fn of(&self, id: &str) -> usize {
        let share = share(id);
        let last = self.parts.len().saturating_sub(1);
        self.parts.iter().position(|(_, bound)| share < *bound).unwrap_or(last)
    }
}

/// A number from 0 to 1 that only the id decides.
fn share(id: &str) -> f64 {
    let digest = Sha256::new().chain_update("imgbatch-split-1\0").chain_update(id).finalize();
    let number = digest[..8].iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    // 53 bits are what a float holds exactly.
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

impl FromStr for Splits {
    type Err = String;

    /// `train=0.9,val=0.1`: shares that add up to 1.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut parts, mut sum) = (Vec::<(String, f64)>::new(), 0.0);
        for part in text.split(',') {
            let (name, share) = part.split_once('=').ok_or_else(|| {
                format!("{part:?} is not a name and a share; write it like train=0.9,val=0.1")
            })?;
            let (name, share) = (name.trim(), share.trim());
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(format!(
                    "the name of a split has letters, digits and _ only; {name:?} has others"
                ));
            }
            if parts.iter().any(|(known, _)| known == name) {
                return Err(format!("the split {name:?} is named twice"));
            }
            let share = share.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
            sum += share.ok_or_else(|| format!("the share of {name:?} must be above 0 and at most 1"))?;
            parts.push((name.to_owned(), sum));
        }
        if (sum - 1.0_f64).abs() > 1e-6 {
            return Err(format!("the shares add up to {sum}; they must add up to 1"));
        }
        Ok(Self { parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_job_is_frozen() {
        let splits: Splits = "train=0.3,val=0.3,test=0.4".parse().unwrap();
        let names = splits.names();
        let of = |id: &str| names[splits.of(id)].as_str();
        let places = ["hero", "mug", "fox#2", "a", "b", "c"].map(of);
        assert_eq!(places, ["test", "val", "val", "test", "train", "test"]);
    }

    #[test]
    fn shares_are_kept_over_many_jobs() {
        let splits: Splits = "train=0.9, val=0.1".parse().unwrap();
        let val = (0..10_000).filter(|n| splits.of(&format!("job-{n}")) == 1).count();
        assert!((900..1100).contains(&val), "{val}");
    }

    #[test]
    fn a_larger_first_share_moves_nothing_out_of_it() {
        let (small, large): (Splits, Splits) =
            ("train=0.5,val=0.5".parse().unwrap(), "train=0.7,val=0.3".parse().unwrap());
        let moved = (0..1000).map(|n| format!("job-{n}")).filter(|id| small.of(id) == 0 && large.of(id) == 1);
        assert_eq!(moved.count(), 0);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "train", "train=0.9", "a=0.5,a=0.5", "a=2", "a=-1,b=2", "a/b=1", "a=x", "a=nan"] {
            assert!(text.parse::<Splits>().is_err(), "{text:?}");
        }
        assert!("all=1".parse::<Splits>().is_ok());
    }
}
