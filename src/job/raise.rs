//! Estimates that the provider's own figures proved too low. From then on the
//! same kind of submission reserves as many times its estimate.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Credits, Request};

/// An estimate that was too low.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// The kind of submission.
    pub kind: String,
    /// What was estimated.
    pub estimate: Credits,
    /// What the provider reserved or used.
    pub proven: Credits,
}

/// The dearest proof of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raises(BTreeMap<String, Raise>);

/// What submissions of one price have in common: model, size, quality, number
/// of pictures and of references. For people to read as well.
#[must_use]
pub fn kind_of(request: &Request) -> String {
    let mut kind = format!("{} {}", request.model, request.size);
    // Writing to a string can't fail.
    if let Some(resolution) = &request.resolution {
        let _ = write!(kind, " {resolution}");
    }
    let _ = write!(kind, " {} n={} references={}", request.quality, request.n, request.images.len());
    kind
}

impl Raise {
    /// As many times `estimate`, rounded up.
    #[must_use]
    pub fn of(&self, estimate: Credits) -> Credits {
        let (factor, base) = (i128::from(self.proven.micro()), i128::from(self.estimate.micro()));
        let product = i128::from(estimate.micro()) * factor;
        let (whole, rest) = (product / base, product % base);
        Credits::from_micro(i64::try_from(whole + i128::from(rest > 0)).unwrap_or(i64::MAX))
    }

    /// It proves a larger factor.
    #[must_use]
    pub fn exceeds(&self, other: &Self) -> bool {
        i128::from(self.proven.micro()) * i128::from(other.estimate.micro())
            > i128::from(other.proven.micro()) * i128::from(self.estimate.micro())
    }
}

impl Raises {
    /// Takes one up; false where as much was known.
    pub fn add(&mut self, raise: Raise) -> bool {
        let news = self.0.get(&raise.kind).is_none_or(|known| raise.exceeds(known));
        if news {
            self.0.insert(raise.kind.clone(), raise);
        }
        news
    }

    /// Takes all of them up.
    pub fn extend(&mut self, others: &Self) {
        for raise in others.iter() {
            self.add(raise.clone());
        }
    }

    /// Nothing was proven.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, by its kind.
    pub fn iter(&self) -> impl Iterator<Item = &Raise> {
        self.0.values()
    }

    /// That of one kind.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Option<&Raise> {
        self.0.get(kind)
    }

    /// What a submission reserves.
    #[must_use]
    pub fn of(&self, request: &Request, estimate: Credits) -> Credits {
        // Most never see one.
        if self.0.is_empty() {
            return estimate;
        }
        self.of_kind(&kind_of(request)).map_or(estimate, |raise| raise.of(estimate))
    }
}

impl FromIterator<Raise> for Raises {
    fn from_iter<I: IntoIterator<Item = Raise>>(raises: I) -> Self {
        let mut all = Self::default();
        for raise in raises {
            all.add(raise);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raise(estimate: i64, proven: i64) -> Raise {
        let (estimate, proven) = (Credits::from_micro(estimate), Credits::from_micro(proven));
        Raise { kind: "a".into(), estimate, proven }
    }

    #[test]
    fn a_factor_rounds_up_and_is_compared_exactly() {
        let third = raise(3, 4);
        for (estimate, raised) in [(0, 0), (1, 2), (3, 4), (10, 14), (i64::MAX, i64::MAX)] {
            assert_eq!(third.of(Credits::from_micro(estimate)).micro(), raised, "{estimate}");
        }
        assert!(raise(30, 41).exceeds(&third));
        assert!(!raise(30, 40).exceeds(&third));
    }

    #[test]
    fn the_dearest_proof_of_a_kind_counts() {
        let mut raises: Raises = [raise(10, 20), raise(10, 15)].into_iter().collect();
        assert_eq!(raises.iter().next(), Some(&raise(10, 20)));
        assert!(!raises.add(raise(5, 10)) && raises.add(raise(10, 21)));
    }
}
