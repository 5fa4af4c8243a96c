//! What changes: tasks, uploads, account and counters, and the journal that
//! remembers them. Read and written under one lock.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;

use super::Stats;
use super::account::Account;
use super::answer::Refusal;
use super::callback::Outcome;
use super::clock::Millis;
use super::faults::Fault;
use super::journal::{Entry, Journal};
use super::task::{Inputs, Phase, Task};
use super::uploads::Upload;

/// Everything that changes.
#[derive(Debug)]
pub(super) struct Books {
    journal: Option<Journal>,
    pub(super) tasks: HashMap<String, Record>,
    /// Ids in order of creation.
    pub(super) ids: Vec<String>,
    pub(super) uploads: BTreeMap<String, Upload>,
    /// Live tasks by end, for settling.
    open: BTreeSet<(Millis, String)>,
    pub(super) account: Account,
    pub(super) stats: Stats,
    pub(super) takes: HashMap<String, u64>,
    /// Admitted creates within the rate's window.
    pub(super) recent: VecDeque<Millis>,
    /// How often a prompt's own create fault struck, by body.
    pub(super) struck: HashMap<String, u64>,
    pub(super) pictures: HashMap<(String, u64), Picture>,
    pub(super) cached: HashMap<(u32, u32, bool), Bytes>,
    pub(super) reads: u64,
}

/// A task with what only this process knows of it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) task: Task,
    pub(super) reads: u64,
    pub(super) reads_after_end: u64,
    /// What it really cost, once it has ended.
    pub(super) used: Option<f64>,
    /// What came of its callback.
    pub(super) called: Option<Outcome>,
}

/// A picture that was downloaded at least once.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) faults: Vec<Fault>,
    pub(super) downloads: u64,
}

impl Record {
    fn new(task: Task) -> Self {
        Self { task, reads: 0, reads_after_end: 0, used: None, called: None }
    }
}

impl Books {
    pub(super) fn new(account: Account) -> Self {
        Self {
            journal: None,
            tasks: HashMap::new(),
            ids: Vec::new(),
            uploads: BTreeMap::new(),
            open: BTreeSet::new(),
            account,
            stats: Stats::default(),
            takes: HashMap::new(),
            recent: VecDeque::new(),
            struck: HashMap::new(),
            pictures: HashMap::new(),
            cached: HashMap::new(),
            reads: 0,
        }
    }

    /// From now on every entry is written down.
    pub(super) fn keep(&mut self, journal: Journal) {
        self.journal = Some(journal);
    }

    /// Writes an entry down, then lets it count. Refused when the disk does.
    pub(super) fn record(&mut self, entry: Entry) -> Result<(), Refusal> {
        if let Some(journal) = &mut self.journal {
            journal.append(&entry).map_err(|error| {
                tracing::error!(%error, "the emulator's journal cannot be written");
                Refusal::new(500, "internal_error", "The emulator cannot write its journal")
            })?;
        }
        self.apply(entry);
        Ok(())
    }

    /// The one way in which the books change: live and at a restart.
    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Task(task) => self.add(*task),
            Entry::Inputs { task, inputs } => {
                if let Some(record) = self.tasks.get_mut(&task) {
                    record.task.inputs = inputs;
                }
            }
            Entry::Called { task, outcome } => {
                self.stats.callbacks.ended(outcome);
                if let Some(record) = self.tasks.get_mut(&task) {
                    record.called = Some(outcome);
                }
            }
            Entry::Upload(upload) => {
                self.stats.uploads += 1;
                self.uploads.insert(upload.id.clone(), upload);
            }
        }
    }

    fn add(&mut self, task: Task) {
        self.account.reserve(task.reserved, task.created);
        self.stats.task_created(&task.id, task.idempotency_key.as_deref());
        *self.takes.entry(super::blobs::hex_hash(task.order.prompt.as_bytes())).or_default() += 1;
        self.open.insert((task.ends(), task.id.clone()));
        self.ids.push(task.id.clone());
        self.tasks.insert(task.id.clone(), Record::new(task));
    }

    /// Gives back what tasks that have ended didn't use.
    pub(super) fn settle(&mut self, now: Millis) {
        let due = self.open.range(..(now + 1, String::new())).cloned().collect::<Vec<_>>();
        for (ends, id) in due {
            let Some(record) = self.tasks.get_mut(&id) else { continue };
            let used = match record.task.phase(now) {
                Phase::Completed => record.task.price(),
                Phase::Failed(_) | Phase::Cancelled => 0.0,
                Phase::Pending | Phase::Processing(_) => continue,
            };
            record.used = Some(used);
            self.account.settle(record.task.reserved, used, ends);
            self.open.remove(&(ends, id));
        }
    }

    pub(super) fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id).map(|record| &record.task)
    }

    /// Tasks that still wait for their references.
    pub(super) fn unprepared(&self) -> Vec<Task> {
        let waiting = self.tasks.values().filter(|record| record.task.inputs == Inputs::Waiting);
        waiting.map(|record| record.task.clone()).collect()
    }
}
