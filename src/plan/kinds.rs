//! Pictures that have size and quality in common, counted and summed up.

use std::collections::BTreeMap;

use crate::job::{Credits, Wanted};
use crate::model::{AUTO, dimensions};

/// Kinds that are told apart; the rest is summed up.
const KINDS: usize = 1_000;

/// What pictures have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// `auto`, a ratio or pixels.
    pub size: String,
    /// The tier of a ratio.
    pub resolution: Option<String>,
    /// `low`, `medium` or `high`.
    pub quality: String,
    /// The model has no known price.
    pub unpriced: bool,
}

/// The part of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Jobs, each with one submission.
    pub jobs: u64,
    /// Their pictures.
    pub pictures: u64,
    /// Upper estimate for those that have a price.
    pub estimate: Credits,
    /// The cheapest picture; prompts and references make a difference.
    pub least: Credits,
    /// The dearest picture.
    pub most: Credits,
    /// Jobs whose model has no known price.
    pub unpriced: u64,
}

/// Kinds with their shares, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds(BTreeMap<Kind, Share>);

impl Kind {
    /// Width and height in pixels; `auto` counts as what it is billed as.
    #[must_use]
    pub fn pixels(&self) -> (u32, u32) {
        dimensions(&self.size, self.resolution.as_deref()).unwrap_or(AUTO)
    }
}

impl Share {
    /// Counts one job in.
    pub fn add(&mut self, wanted: &Wanted) {
        let first = self.jobs == self.unpriced;
        self.jobs += 1;
        self.pictures += u64::from(wanted.request.n);
        let Some(estimate) = wanted.estimate else {
            self.unpriced += 1;
            return;
        };
        let each = Credits::from_micro(estimate.micro() / i64::from(wanted.request.n.max(1)));
        self.estimate += estimate;
        self.least = if first { each } else { self.least.min(each) };
        self.most = self.most.max(each);
    }
}

impl Kinds {
    /// Counts one job in.
    pub fn add(&mut self, wanted: &Wanted) {
        let request = &wanted.request;
        let mut kind = Kind {
            size: request.size.clone(),
            resolution: request.resolution.clone(),
            quality: request.quality.clone(),
            unpriced: wanted.estimate.is_none(),
        };
        if self.0.len() >= KINDS && !self.0.contains_key(&kind) {
            kind = Kind { size: "others".into(), resolution: None, quality: String::new(), ..kind };
        }
        self.0.entry(kind).or_default().add(wanted);
    }

    /// Each kind with its share.
    pub fn iter(&self) -> impl Iterator<Item = (&Kind, &Share)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{OutPath, Request};

    fn wanted(n: u32, estimate: Option<i64>) -> Wanted {
        let request = Request {
            model: "gpt-image-2".into(),
            prompt: "a fox".into(),
            size: "auto".into(),
            resolution: None,
            quality: "low".into(),
            n,
            background: None,
            images: vec![],
            mask: None,
            callback_url: None,
        };
        Wanted {
            id: "fox".into(),
            fingerprint: request.fingerprint(),
            request,
            path: OutPath::new("fox").unwrap(),
            axes: BTreeMap::new(),
            meta: serde_json::Map::new(),
            skip: false,
            size: None,
            estimate: estimate.map(Credits::from_micro),
        }
    }

    #[test]
    fn a_share_knows_its_cheapest_and_its_dearest_picture() {
        let mut kinds = Kinds::default();
        for (n, estimate) in [(1, None), (2, Some(600)), (1, Some(200)), (1, None), (1, Some(500))] {
            kinds.add(&wanted(n, estimate));
        }
        let all: Vec<_> = kinds.iter().collect();
        let [(kind, share), (_, without)] = all[..] else { panic!("{all:?}") };
        assert_eq!((kind.pixels(), without.jobs, without.unpriced), ((2048, 2048), 2, 2));
        let micro = Credits::from_micro;
        let expected = Share {
            jobs: 3,
            pictures: 4,
            estimate: micro(1300),
            least: micro(200),
            most: micro(500),
            unpriced: 0,
        };
        assert_eq!(*share, expected);
    }
}
