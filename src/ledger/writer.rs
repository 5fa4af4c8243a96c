//! The one writer: gathers what concurrent jobs have to say into one
//! transaction, one sync.

use std::fmt;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{LedgerError, Store};

/// Writes that may wait for the writer; more make their callers wait.
const QUEUE: usize = 1024;

/// Writes of one transaction: beyond this a sync costs next to nothing a write.
const BATCH: usize = 512;

/// Answers the caller once its transaction's fate is known.
type Reply = Box<dyn FnOnce(Result<(), &LedgerError>) + Send>;
/// Runs in a transaction, or not at all where there is none to run in.
type Write = Box<dyn FnOnce(Option<&Store>) -> Reply + Send>;

/// The way to a ledger from async code; clones share one writer.
#[derive(Clone)]
pub struct Ledger {
    writes: mpsc::Sender<Write>,
}

/// Ends when every [`Ledger`] is dropped, and gives the store back.
#[derive(Debug)]
pub struct Writer {
    task: JoinHandle<Option<Store>>,
}

impl Ledger {
    /// Hands the store to a writer task.
    #[must_use]
    pub fn start(store: Store) -> (Self, Writer) {
        let (writes, queue) = mpsc::channel(QUEUE);
        let task = tokio::spawn(serve(store, queue));
        (Self { writes }, Writer { task })
    }

    /// Runs `write` inside a transaction shared with others and returns once
    /// it is durable. An error of `write` undoes its own changes only.
    pub async fn write<T, F>(&self, write: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, LedgerError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Write = Box::new(move |store| {
            let result = store.map(|store| store.undoing_errors(write));
            Box::new(move |committed| {
                let result = match (committed, result) {
                    (Ok(()), Some(result)) => result,
                    (Ok(()), None) => Err(LedgerError::Closed),
                    // The first cause says more than the commit that failed after it.
                    (Err(_), Some(Err(cause @ LedgerError::Sql(_)))) => Err(cause),
                    (Err(error), _) => Err(LedgerError::Commit(chain(error))),
                };
                // The caller may have been cancelled; its write stands all the same.
                let _ = answer.send(result);
            })
        });
        self.writes.send(job).await.map_err(|_| LedgerError::Closed)?;
        answered.await.map_err(|_| LedgerError::Closed)?
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Writer {
    /// Waits for the last write and takes the store back, to close it.
    pub async fn finish(self) -> Result<Store, LedgerError> {
        self.task.await.ok().flatten().ok_or(LedgerError::Closed)
    }
}

async fn serve(mut store: Store, mut queue: mpsc::Receiver<Write>) -> Option<Store> {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        while let Some(next) = (batch.len() < BATCH).then(|| queue.try_recv().ok()).flatten() {
            batch.push(next);
        }
        let committed = tokio::task::spawn_blocking(move || {
            let (fate, replies) = commit(&store, batch);
            (store, fate, replies)
        });
        let (kept, fate, replies) = committed.await.ok()?;
        // Told from here: each caller woken from the other thread would be a system call.
        for reply in replies {
            reply(fate.as_ref().copied());
        }
        store = kept;
    }
    Some(store)
}

/// Runs `batch` in one transaction and tells its fate, and whom to tell it.
fn commit(store: &Store, batch: Vec<Write>) -> (Result<(), LedgerError>, Vec<Reply>) {
    let begun = store.db().execute_batch("BEGIN IMMEDIATE").map_err(LedgerError::from);
    let mut replies = Vec::with_capacity(batch.len());
    for write in batch {
        // A full disk rolls the whole transaction back: nothing may run outside it.
        let open = begun.is_ok() && !store.db().is_autocommit();
        replies.push(write(open.then_some(store)));
    }
    (begun.and_then(|()| end(store.db())), replies)
}

fn end(db: &Connection) -> Result<(), LedgerError> {
    db.execute_batch("COMMIT").map_err(|error| {
        if !db.is_autocommit() {
            // Best effort: a connection that can't roll back fails at its next BEGIN.
            let _ = db.execute_batch("ROLLBACK");
        }
        error.into()
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
