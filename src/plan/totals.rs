//! What a plan adds up to.

use std::collections::BTreeMap;

use crate::job::{Credits, Reference, Wanted};
use crate::manifest::Diagnostics;

/// Kinds of pictures that are told apart; the rest is summed up.
const KINDS: usize = 1_000;

/// Sums over all wanted jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// Jobs that the manifest lists, skipped ones included.
    pub jobs: u64,
    /// Of these, jobs that its `skip` leaves out.
    pub skipped: u64,
    /// Pictures of all jobs that are not skipped.
    pub pictures: u64,
    /// Upper estimate for all jobs that have a price.
    pub estimate: Credits,
    /// Jobs whose model has no known price.
    pub unpriced: u64,
    /// Jobs that hand over at least one local file, which needs
    /// `provider.files_url`.
    pub local_references: u64,
    /// Sums by size, resolution and quality.
    pub kinds: BTreeMap<Kind, Share>,
    /// What is allowed but probably not meant.
    pub warnings: Diagnostics,
}

/// What pictures have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// `auto`, a ratio or pixels.
    pub size: String,
    /// The tier of a ratio.
    pub resolution: Option<String>,
    /// `low`, `medium` or `high`.
    pub quality: String,
}

/// The part of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Jobs that are not skipped.
    pub jobs: u64,
    /// Their pictures.
    pub pictures: u64,
    /// Upper estimate for them.
    pub estimate: Credits,
}

impl Totals {
    pub(super) fn add(&mut self, wanted: &Wanted) {
        self.jobs += 1;
        if wanted.skip {
            self.skipped += 1;
            return;
        }
        let request = &wanted.request;
        let estimate = wanted.estimate.unwrap_or_default();
        let local = |reference: &Reference| matches!(reference, Reference::File { .. });
        self.pictures += u64::from(request.n);
        self.estimate += estimate;
        self.unpriced += u64::from(wanted.estimate.is_none());
        self.local_references += u64::from(request.images.iter().chain(&request.mask).any(local));
        let share = self.share(wanted);
        share.jobs += 1;
        share.pictures += u64::from(request.n);
        share.estimate += estimate;
    }

    fn share(&mut self, wanted: &Wanted) -> &mut Share {
        let request = &wanted.request;
        let mut kind = Kind {
            size: request.size.clone(),
            resolution: request.resolution.clone(),
            quality: request.quality.clone(),
        };
        if self.kinds.len() >= KINDS && !self.kinds.contains_key(&kind) {
            kind = Kind { size: "others".into(), resolution: None, quality: String::new() };
        }
        self.kinds.entry(kind).or_default()
    }
}
