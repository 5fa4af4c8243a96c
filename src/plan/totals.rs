//! What a plan adds up to.

use crate::job::{Credits, Wanted};
use crate::manifest::Diagnostics;

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
    /// What is allowed but probably not meant.
    pub warnings: Diagnostics,
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
        self.pictures += u64::from(request.n);
        self.estimate += estimate;
        self.unpriced += u64::from(wanted.estimate.is_none());
        self.local_references += u64::from(request.uses_files());
    }
}
