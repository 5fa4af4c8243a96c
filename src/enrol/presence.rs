//! Which jobs of the ledger a manifest still names, and whose pictures are
//! free to be taken over under a new id.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::job::{Fingerprint, State};
use crate::ledger::{LedgerError, View};
use crate::manifest::Diagnostics;
use crate::plan::Plan;

use super::Problem;
use super::filter::Filter;

/// One bit a job of the ledger.
#[derive(Debug, Default)]
pub(super) struct Presence {
    seen: Vec<u64>,
    /// What the ledger's jobs asked for, once a new id wants to know.
    asked: Option<Filter>,
    /// Pictures of ids that are gone, by fingerprint: takes of one prompt share
    /// it. Known once a new id asks for what an old one owns.
    gone: Option<HashMap<Fingerprint, Vec<Owner>>>,
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
    /// The job whose picture a new id may take over; each goes to one taker.
    /// A pass over the ledger, and one over the manifest, are made where there
    /// is no way around them.
    pub(super) fn take_over(
        &mut self,
        fingerprint: &Fingerprint,
        plan: &Plan,
        view: View<'_>,
    ) -> Result<Option<(i64, String)>, Problem> {
        let asked = match &self.asked {
            Some(asked) => asked,
            None => self.asked.insert(asked(view)?),
        };
        if !asked.may_hold(fingerprint) {
            return Ok(None);
        }
        if self.gone.is_none() {
            self.survey(plan, view)?;
        }
        Ok(self.first_owner(fingerprint))
    }

    fn first_owner(&mut self, fingerprint: &Fingerprint) -> Option<(i64, String)> {
        let owners = self.gone.as_mut()?.get_mut(fingerprint)?;
        let first = owners.iter().enumerate().min_by_key(|(_, owner)| *owner)?.0;
        let Owner { job, id, .. } = owners.swap_remove(first);
        self.mark(job);
        Some((job, id))
    }

    fn survey(&mut self, plan: &Plan, view: View<'_>) -> Result<(), Problem> {
        let mut failed: Option<LedgerError> = None;
        plan.survey(&mut |wanted| match view.known(&wanted.id) {
            Ok(known) => {
                if let Some(known) = known {
                    self.mark(known.job);
                }
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })
        .map_err(|problems: Diagnostics| Problem::Manifest(problems))?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let mut gone: HashMap<_, Vec<Owner>> = HashMap::new();
        view.each_job(|id, job, fingerprint, state| {
            if owns(state) && !self.has(job) {
                let owner = Owner { awaited: state != State::Done, job, id: id.to_owned() };
                gone.entry(fingerprint).or_default().push(owner);
            }
        })?;
        self.gone = Some(gone);
        Ok(())
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
}

fn owns(state: State) -> bool {
    matches!(state, State::Done | State::Submitted | State::Ready | State::Unknown)
}

fn asked(view: View<'_>) -> Result<Filter, LedgerError> {
    let mut asked = Filter::new(view.jobs()?);
    view.each_job(|_, _, fingerprint, state| {
        if owns(state) {
            asked.add(&fingerprint);
        }
    })?;
    Ok(asked)
}

fn place(job: i64) -> (usize, u64) {
    let job = job.max(0) as usize;
    (job / 64, 1 << (job % 64))
}
