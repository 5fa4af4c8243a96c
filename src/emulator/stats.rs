//! What the emulator saw and did, for people and for tests.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::callback::Outcome;

/// Arrival times that are kept.
const ARRIVALS: usize = 100_000;

/// Counters of an emulator; also `GET /emulator/stats`.
///
/// Tasks, bills and keys cover everything in the state folder, earlier
/// processes included; the requests are those of this process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Creates that arrived, refused ones included.
    pub creates_received: u64,
    /// Tasks that exist.
    pub tasks_created: u64,
    /// Tasks that were billed when they were created: all of them. Failed
    /// ones are counted here and refunded later.
    pub tasks_billed: u64,
    /// Credits reserved when tasks were created.
    pub credits_billed: f64,
    /// Credits given back when tasks ended: all of a failed one, and what a
    /// completed one didn't use. Billed less refunded is what was paid.
    pub credits_refunded: f64,
    /// Creates answered 429.
    pub throttled: u64,
    /// API requests refused, by error code.
    pub refused: BTreeMap<String, u64>,
    /// Creates answered with an earlier task.
    pub idempotent_replays: u64,
    /// Tasks created under an `Idempotency-Key` that already had one.
    pub duplicate_keys: u64,
    /// Reads of one task.
    pub reads: u64,
    /// Reads of many tasks.
    pub batch_reads: u64,
    /// Pages of the task list.
    pub list_reads: u64,
    /// Requests for a result.
    pub downloads: u64,
    /// Uploads that arrived, refused ones included.
    pub upload_requests: u64,
    /// Files uploaded.
    pub uploads: u64,
    /// Most creates under way at once.
    pub max_concurrent_creates: u64,
    /// Most downloads under way at once.
    pub max_concurrent_downloads: u64,
    /// Requests to a result link that carried a key. Must stay 0.
    pub keys_sent_to_results: u64,
    /// Task ids by `Idempotency-Key`; more than one is a double bill.
    pub tasks_by_key: BTreeMap<String, Vec<String>>,
    /// What was called back, and with which result.
    pub callbacks: CallbackStats,
    /// Arrival of the last 100,000 creates, in milliseconds since the start.
    pub create_arrivals_ms: VecDeque<u64>,
    /// Faults that fired, by name.
    pub faults: BTreeMap<String, u64>,
    /// Creates being answered right now.
    pub creates_in_flight: u64,
    /// Downloads being answered right now.
    pub downloads_in_flight: u64,
}

/// Callbacks of an emulator. The outcomes cover everything in the state folder;
/// the requests are those of this process.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CallbackStats {
    /// Requests sent: first tries, retries, repeats and made-up ones.
    pub posts: u64,
    /// Those of them that were made up.
    pub forged: u64,
    /// What they were answered: a status, `timeout` or `unreachable`.
    pub answers: BTreeMap<String, u64>,
    /// What came of each task's callback: `delivered`, `given_up` after four
    /// tries, `lost` by a fault, `withheld` because its host is another
    /// machine.
    pub outcomes: BTreeMap<String, u64>,
}

impl CallbackStats {
    pub(super) fn answered(&mut self, answer: String) {
        *self.answers.entry(answer).or_default() += 1;
    }

    pub(super) fn ended(&mut self, outcome: Outcome) {
        *self.outcomes.entry(outcome.name().to_owned()).or_default() += 1;
    }
}

impl Stats {
    pub(super) fn create_arrived(&mut self, at_ms: u64) -> u64 {
        self.creates_received += 1;
        self.creates_in_flight += 1;
        self.max_concurrent_creates = self.max_concurrent_creates.max(self.creates_in_flight);
        if self.create_arrivals_ms.len() == ARRIVALS {
            self.create_arrivals_ms.pop_front();
        }
        self.create_arrivals_ms.push_back(at_ms);
        self.creates_received
    }

    pub(super) fn download_arrived(&mut self, with_key: bool) {
        self.downloads += 1;
        self.downloads_in_flight += 1;
        self.max_concurrent_downloads = self.max_concurrent_downloads.max(self.downloads_in_flight);
        self.keys_sent_to_results += u64::from(with_key);
    }

    pub(super) fn task_created(&mut self, id: &str, key: Option<&str>) {
        self.tasks_created += 1;
        self.tasks_billed += 1;
        if let Some(key) = key {
            let ids = self.tasks_by_key.entry(key.to_owned()).or_default();
            ids.push(id.to_owned());
            self.duplicate_keys += u64::from(ids.len() > 1);
        }
    }

    pub(super) fn refused(&mut self, code: &str) {
        *self.refused.entry(code.to_owned()).or_default() += 1;
    }

    pub(super) fn fault(&mut self, name: &str) {
        *self.faults.entry(name.to_owned()).or_default() += 1;
    }
}
