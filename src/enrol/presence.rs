//! First pass over a manifest that meets a ledger: which jobs it still names,
//! and whose pictures are free to be taken over under a new id.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::job::{Fingerprint, State};
use crate::ledger::{LedgerError, View};
use crate::manifest::Diagnostics;
use crate::plan::Plan;

use super::Problem;

/// One bit a job of the ledger.
#[derive(Debug, Default)]
pub(super) struct Presence {
    seen: Vec<u64>,
    /// Pictures of ids that are gone: job number and id by fingerprint.
    gone: HashMap<Fingerprint, (i64, String)>,
}

impl Presence {
    pub(super) fn survey(plan: &Plan, view: View<'_>) -> Result<Self, Problem> {
        let mut presence = Self::default();
        if view.is_empty()? {
            return Ok(presence);
        }
        let mut failed: Option<LedgerError> = None;
        plan.survey(&mut |wanted| match view.known(&wanted.id) {
            Ok(Some(known)) => {
                presence.mark(known.job);
                ControlFlow::Continue(())
            }
            Ok(None) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })
        .map_err(|problems: Diagnostics| Problem::Manifest(problems))?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        view.each_job(|id, job, fingerprint, state| {
            let owns = matches!(state, State::Done | State::Submitted | State::Ready | State::Unknown);
            if owns && !presence.has(job) {
                presence.gone.insert(fingerprint, (job, id.to_owned()));
            }
        })?;
        Ok(presence)
    }

    pub(super) fn mark(&mut self, job: i64) {
        let (word, bit) = place(job);
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        self.seen[word] |= bit;
    }

    pub(super) fn has(&self, job: i64) -> bool {
        let (word, bit) = place(job);
        self.seen.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// The job whose picture a new id may take over; each goes to one taker.
    pub(super) fn take_over(&mut self, fingerprint: &Fingerprint) -> Option<(i64, String)> {
        let (job, id) = self.gone.remove(fingerprint)?;
        self.mark(job);
        Some((job, id))
    }
}

fn place(job: i64) -> (usize, u64) {
    let job = job.max(0) as usize;
    (job / 64, 1 << (job % 64))
}
