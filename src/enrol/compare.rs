//! The pass over the manifest: each job's action, told to a sink and, for a
//! run, entered into the ledger inside one transaction.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use super::decide::{Action, Counts, Record, decide, is_revert};
use super::presence::Presence;
use super::select::{Only, Selection};
use crate::job::{Credits, Raises, Wanted};
use crate::ledger::{Known, LedgerError, Matcher, Store, View};
use crate::manifest::Diagnostics;
use crate::plan::{Kinds, Plan, Share, Totals};

/// Why plan and ledger could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The manifest.
    #[error("the manifest has errors")]
    Manifest(Diagnostics),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// One line of a plan.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The job's id.
    pub id: &'a str,
    /// What would be done.
    pub action: Action,
    /// This run would buy it.
    pub buys: bool,
    /// The job as wanted; `None` where the manifest no longer names it.
    pub wanted: Option<&'a Wanted>,
}

/// What a plan says as a whole.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Sums over the manifest, whatever the ledger knows.
    pub totals: Totals,
    /// Jobs by action.
    pub counts: Counts,
    /// Jobs that this run would buy.
    pub buys: u64,
    /// Their pictures.
    pub pictures: u64,
    /// Upper estimate for them.
    pub estimate: Credits,
    /// Of these, jobs without a price.
    pub unpriced: u64,
    /// Their dearest submission.
    pub dearest: Credits,
    /// What is bought, by size and quality.
    pub kinds: Kinds,
    /// What is bought, by the word of its action.
    pub bought: BTreeMap<&'static str, Share>,
    /// Jobs to buy that hand over at least one local file.
    pub uploads: u64,
}

impl Comparison {
    fn buy(&mut self, action: &Action, wanted: &Wanted) {
        let estimate = wanted.estimate.unwrap_or_default();
        self.buys += 1;
        self.pictures += u64::from(wanted.request.n);
        self.estimate += estimate;
        self.unpriced += u64::from(wanted.estimate.is_none());
        self.dearest = self.dearest.max(estimate);
        self.kinds.add(wanted);
        self.bought.entry(action.word()).or_default().add(wanted);
        self.uploads += u64::from(wanted.request.uses_files());
    }
}

/// Takes the lines of a plan as they are found.
pub type Sink<'s> = &'s mut dyn FnMut(&Entry<'_>);

/// Compares without changing anything. Without a ledger, everything is new.
/// What is bought is told with what it costs by `raises`. The view should be of
/// one moment: each job is a query, and takes the ledger's locks anew if not.
pub fn compare(
    plan: &Plan,
    view: Option<View<'_>>,
    selection: &Selection,
    raises: &Raises,
    sink: Sink<'_>,
) -> Result<Comparison, Problem> {
    let (presence, matcher) = (Presence::default(), Matcher::new(&selection.select)?);
    let pass = Pass { plan, view, store: None, selection, raises, presence, matcher };
    Ok(pass.run(sink)?.0)
}

/// Compares, and enters the result into the ledger. Must run in a transaction,
/// so that an error, or a user who declines, leaves the ledger as it was.
/// Changed jobs that the selection does not take stay as they were.
pub fn enrol(
    plan: &Plan,
    store: &Store,
    selection: &Selection,
    raises: &Raises,
    sink: Sink<'_>,
) -> Result<Comparison, Problem> {
    // All of an empty ledger's jobs are new.
    let view = if store.view().is_empty()? { None } else { Some(store.view()) };
    let (presence, matcher) = (Presence::default(), Matcher::new(&selection.select)?);
    let pass = Pass { plan, view, store: Some(store), selection, raises, presence, matcher };
    let (comparison, presence) = pass.run(sink)?;
    if view.is_some() {
        store.remove_others(|job| presence.has(job))?;
    }
    Ok(comparison)
}

/// Jobs that are handed over at once, and hand-overs that may wait.
const BATCH: usize = 64;
const BATCHES: usize = 8;

/// Hands over the manifest's jobs, as long as somebody takes them.
fn expand(plan: &Plan, sender: &SyncSender<Vec<Wanted>>) -> Result<Totals, Diagnostics> {
    let mut batch = Vec::with_capacity(BATCH);
    let totals = plan.survey(&mut |wanted| {
        batch.push(wanted);
        if batch.len() < BATCH {
            return ControlFlow::Continue(());
        }
        match sender.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    // Nobody is left only where a panic is under way.
    let _ = sender.send(batch);
    Ok(totals)
}

struct Pass<'a> {
    plan: &'a Plan,
    view: Option<View<'a>>,
    store: Option<&'a Store>,
    selection: &'a Selection,
    raises: &'a Raises,
    presence: Presence,
    matcher: Matcher<'a>,
}

impl Pass<'_> {
    fn run(mut self, sink: Sink<'_>) -> Result<(Comparison, Presence), Problem> {
        let mut comparison = Comparison::default();
        let plan = self.plan;
        // Jobs are expanded on one core and compared on another.
        comparison.totals = thread::scope(|scope| {
            let (sender, batches) = mpsc::sync_channel(BATCHES);
            // The sender ends with its thread: nobody waits for jobs that don't come.
            let expanding = scope.spawn(move || {
                let sender = sender;
                expand(plan, &sender)
            });
            let mut compared = Ok(());
            for wanted in batches.into_iter().flatten() {
                compared = compared.and_then(|()| self.visit(&wanted, &mut comparison, sink));
            }
            let expanded = expanding.join().unwrap_or_else(|panic| resume_unwind(panic));
            // A ledger can't take two jobs of one id, and the manifest's problems say so better.
            let totals = expanded.map_err(Problem::Manifest)?;
            compared.map(|()| totals)
        })?;
        self.tell_removed(&mut comparison, sink)?;
        Ok((comparison, self.presence))
    }

    fn visit(
        &mut self,
        wanted: &Wanted,
        comparison: &mut Comparison,
        sink: &mut dyn FnMut(&Entry<'_>),
    ) -> Result<(), Problem> {
        let (record, owner) = self.record(wanted)?;
        let action = decide(wanted, &record, self.selection.takes(Only::Short));
        let selected = self.matcher.matches(&wanted.id)?;
        let buys = selected && self.buys(&action) && self.within_limit(comparison);
        if let Some(owner) = &owner {
            self.presence.mark(owner.job);
        }
        if let Some(store) = self.store {
            let job = self.enter(store, wanted, &action, owner.as_ref(), selected)?;
            self.presence.mark(job);
        }
        comparison.counts.add(&action);
        let told = self.told(&action, wanted);
        let wanted = told.as_ref();
        if buys {
            comparison.buy(&action, wanted);
        }
        sink(&Entry { id: &wanted.id, action, buys, wanted: Some(wanted) });
        Ok(())
    }

    /// The job with the pictures that are bought and the price that they have.
    fn told<'w>(&self, action: &Action, wanted: &'w Wanted) -> Cow<'w, Wanted> {
        let mut told = Cow::Borrowed(wanted);
        if let Some(estimate) = wanted.estimate
            && let raised = self.raises.of(&wanted.request, estimate)
            && raised != estimate
        {
            told.to_mut().estimate = Some(raised);
        }
        match action {
            Action::Short { missing, .. } => Cow::Owned(told.only(*missing)),
            _ => told,
        }
    }

    fn record(&mut self, wanted: &Wanted) -> Result<(Record, Option<Known>), Problem> {
        let Some(view) = self.view else { return Ok((Record::None, None)) };
        if let Some(known) = view.known(&wanted.id)? {
            let same = known.fingerprint == wanted.fingerprint;
            let differences =
                if same { Vec::new() } else { wanted.request.differences(&view.request(known.job)?) };
            return Ok((Record::Same(known, differences), Some(known)));
        }
        match self.presence.take_over(&wanted.fingerprint, self.plan, view)? {
            Some((job, from)) => Ok((Record::Elsewhere(from), view.known_job(job)?)),
            None => Ok((Record::None, None)),
        }
    }

    /// Writes the job into the ledger; gives its number.
    fn enter(
        &self,
        store: &Store,
        wanted: &Wanted,
        action: &Action,
        owner: Option<&Known>,
        selected: bool,
    ) -> Result<i64, LedgerError> {
        let Some(known) = owner else { return store.add(wanted) };
        let other = known.fingerprint != wanted.fingerprint;
        match action {
            Action::Changed(_) if selected && self.selection.takes(Only::Changed) => {
                store.change(known, wanted)?;
            }
            // Left as it was: it stays changed for a later run. A job that is
            // skipped keeps what it owns as well.
            Action::Changed(_) => {}
            Action::Skip if other => store.skip(known)?,
            _ if is_revert(known, wanted) => store.revert(known, wanted)?,
            _ if other => store.change(known, wanted)?,
            _ => store.keep(known, wanted)?,
        }
        Ok(known.job)
    }

    fn buys(&self, action: &Action) -> bool {
        match action {
            Action::New => self.selection.takes(Only::New),
            Action::Changed(_) => self.selection.takes(Only::Changed),
            Action::Failed => self.selection.takes(Only::Failed),
            Action::Short { ordered, .. } => {
                self.selection.takes(Only::Short) || (*ordered && self.selection.only.is_none())
            }
            _ => false,
        }
    }

    fn within_limit(&self, comparison: &Comparison) -> bool {
        self.selection.limit.is_none_or(|limit| comparison.buys < limit)
    }

    fn tell_removed(
        &self,
        comparison: &mut Comparison,
        sink: &mut dyn FnMut(&Entry<'_>),
    ) -> Result<(), LedgerError> {
        let Some(view) = self.view else { return Ok(()) };
        let presence = &self.presence;
        view.each_job(|id, job, _, _| {
            if !presence.has(job) {
                comparison.counts.add(&Action::Removed);
                sink(&Entry { id, action: Action::Removed, buys: false, wanted: None });
            }
        })
    }
}
