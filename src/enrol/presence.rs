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
    /// Pictures of ids that are gone, by fingerprint: takes of one prompt share it.
    gone: HashMap<Fingerprint, Vec<Owner>>,
}

/// A job that is gone, the most useful first: what is here before what is to
/// come, and earlier takes before later ones.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    awaited: bool,
    job: i64,
    id: String,
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
                let owner = Owner { awaited: state != State::Done, job, id: id.to_owned() };
                presence.gone.entry(fingerprint).or_default().push(owner);
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
        let owners = self.gone.get_mut(fingerprint)?;
        let first = owners.iter().enumerate().min_by_key(|(_, owner)| *owner)?.0;
        let Owner { job, id, .. } = owners.swap_remove(first);
        self.mark(job);
        Some((job, id))
    }
}

fn place(job: i64) -> (usize, u64) {
    let job = job.max(0) as usize;
    (job / 64, 1 << (job % 64))
}
