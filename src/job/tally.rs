//! How many jobs stand where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::State;

/// Jobs by state, as a user counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Every job of the manifest, skipped ones included, and removed ones
    /// while something paid is under way for them.
    pub total: u64,
    /// Every picture is here.
    pub succeeded: u64,
    /// Ended without what was wanted.
    pub failed: u64,
    /// Held for a decision.
    pub unknown: u64,
    /// Waiting for a submission.
    pub pending: u64,
    /// Submitting, submitted or ready.
    pub in_flight: u64,
    /// Left out by the manifest.
    pub skipped: u64,
}

impl Tally {
    /// Counts `jobs` that stand in `state`.
    pub fn add(&mut self, state: State, jobs: u64) {
        self.total += jobs;
        *self.slot(state) += jobs;
    }

    /// Counts jobs that the manifest skips.
    pub fn add_skipped(&mut self, jobs: u64) {
        self.total += jobs;
        self.skipped += jobs;
    }

    /// One job went from one state to another.
    pub fn shift(&mut self, from: State, to: State) {
        let slot = self.slot(from);
        *slot = slot.saturating_sub(1);
        *self.slot(to) += 1;
    }

    fn slot(&mut self, state: State) -> &mut u64 {
        match state {
            State::Pending => &mut self.pending,
            State::Submitting | State::Submitted | State::Ready => &mut self.in_flight,
            State::Unknown => &mut self.unknown,
            State::Failed => &mut self.failed,
            State::Done => &mut self.succeeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_keeps_the_total() {
        let mut tally = Tally::default();
        tally.add(State::Pending, 2);
        tally.add_skipped(1);
        tally.shift(State::Pending, State::Submitting);
        tally.shift(State::Submitting, State::Submitted);
        tally.shift(State::Submitted, State::Done);
        assert_eq!(tally, Tally { total: 3, succeeded: 1, pending: 1, skipped: 1, ..Tally::default() });
    }
}
