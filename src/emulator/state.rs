//! What all handlers share: tasks, account and counters behind one lock, the
//! journal that remembers them, and the clock.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use tokio::sync::{Semaphore, watch};

use super::account::Account;
use super::answer::Refusal;
use super::blobs::Blobs;
use super::clock::{Clock, Millis};
use super::faults::Fault;
use super::journal::{Entry, Journal, JournalError};
use super::task::{Inputs, Phase, Task};
use super::uploads::Upload;
use super::{Options, Stats};

/// Shared by all handlers.
pub(super) type Shared = Arc<State>;

#[derive(Debug)]
pub(super) struct State {
    pub(super) options: Options,
    pub(super) base_url: String,
    pub(super) clock: Clock,
    pub(super) blobs: Blobs,
    pub(super) client: reqwest::Client,
    pub(super) font: Arc<fontdue::Font>,
    /// As many pictures are drawn at once as there are cores.
    pub(super) brushes: Semaphore,
    /// Ends when the emulator stops: whoever hangs on purpose listens to it.
    pub(super) closing: watch::Receiver<()>,
    books: Mutex<Books>,
}

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
}

/// A picture that was downloaded at least once.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) faults: Vec<Fault>,
    pub(super) downloads: u64,
}

impl State {
    pub(super) fn new(
        options: Options,
        base_url: String,
        blobs: Blobs,
        client: reqwest::Client,
        font: fontdue::Font,
        closing: watch::Receiver<()>,
    ) -> Result<Self, JournalError> {
        let mut books = Books::new(Account::new(options.balance));
        if let Some(folder) = &options.state {
            let (journal, entries) = Journal::open(&folder.join("journal.jsonl"))?;
            for entry in entries {
                books.apply(entry);
            }
            books.journal = Some(journal);
        }
        let newest = books.tasks.values().map(|record| record.task.created).max();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            clock: Clock::start(newest.unwrap_or(0)),
            options,
            base_url,
            blobs,
            client,
            font: Arc::new(font),
            brushes: Semaphore::new(cores),
            closing,
            books: Mutex::new(books),
        })
    }

    /// Never held across an await. A poisoned lock is used on: a panic in one
    /// handler must not end the show.
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// 401 unless the request carries an accepted key.
    pub(super) fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let key = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .map(str::trim)
            .filter(|key| !key.is_empty());
        let known =
            |key: &str| self.options.keys.as_ref().is_none_or(|keys| keys.iter().any(|known| known == key));
        match key {
            Some(key) if known(key) => Ok(()),
            Some(_) => Err(Refusal::new(401, "unauthorized", "Invalid API key")),
            None => Err(Refusal::new(401, "unauthorized", "Missing API key: send Authorization: Bearer KEY")),
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let mut books = self.books();
        books.settle(self.clock.now());
        Stats {
            credits_billed: books.account.billed(),
            credits_refunded: books.account.refunded(),
            ..books.stats.clone()
        }
    }

    /// Resolves when the emulator stops.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.clone();
        // An error means that the sender is gone: closed as well.
        let _ = closing.changed().await;
    }
}

impl Books {
    fn new(account: Account) -> Self {
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
    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Task(task) => self.add(*task),
            Entry::Inputs { task, inputs } => {
                if let Some(record) = self.tasks.get_mut(&task) {
                    record.task.inputs = inputs;
                }
            }
            Entry::Upload(upload) => {
                self.stats.uploads += 1;
                self.uploads.insert(upload.id.clone(), upload);
            }
        }
    }

    fn add(&mut self, task: Task) {
        self.account.reserve(task.reserved);
        self.stats.task_created(&task.id, task.idempotency_key.as_deref());
        *self.takes.entry(super::blobs::hex_hash(task.order.prompt.as_bytes())).or_default() += 1;
        self.open.insert((task.ends(), task.id.clone()));
        self.ids.push(task.id.clone());
        self.tasks.insert(task.id.clone(), Record { task, reads: 0, reads_after_end: 0 });
    }

    /// Gives back what tasks that have ended didn't use.
    pub(super) fn settle(&mut self, now: Millis) {
        let due = self.open.range(..(now + 1, String::new())).cloned().collect::<Vec<_>>();
        for (ends, id) in due {
            let Some(record) = self.tasks.get(&id) else { continue };
            let used = match record.task.phase(now) {
                Phase::Completed => record.task.used().credits(),
                Phase::Failed(_) | Phase::Cancelled => 0.0,
                Phase::Pending | Phase::Processing(_) => continue,
            };
            self.account.settle(record.task.reserved, used);
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
