//! What all handlers share: the options, the books behind one lock, and the
//! clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use tokio::sync::{Semaphore, watch};

use super::account::Account;
use super::answer::Refusal;
use super::blobs::Blobs;
use super::books::Books;
use super::clock::Clock;
use super::journal::{Journal, JournalError};
use super::{Bill, Options, Stats, bills};

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

impl State {
    pub(super) fn new(
        options: Options,
        base_url: String,
        blobs: Blobs,
        client: reqwest::Client,
        font: fontdue::Font,
        closing: watch::Receiver<()>,
    ) -> Result<Self, JournalError> {
        let mut books = Books::new(Account::new(options.balance, options.balance_lag));
        if let Some(folder) = &options.state {
            let (journal, entries) = Journal::open(&folder.join("journal.jsonl"))?;
            for entry in entries {
                books.apply(entry);
            }
            books.keep(journal);
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

    pub(super) fn bills(&self) -> Vec<Bill> {
        let now = self.clock.now();
        let mut books = self.books();
        books.settle(now);
        bills::of(&books, now)
    }

    /// Resolves when the emulator stops.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.clone();
        // An error means that the sender is gone: closed as well.
        let _ = closing.changed().await;
    }
}
