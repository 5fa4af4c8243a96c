//! The truth about a run: one SQLite database in the output folder.
//!
//! At its door stand operations, not SQL. [`Store`] has them as plain
//! functions on an open database; [`Ledger`] runs them from async code through
//! one writer that shares transactions. The attempt is durable before its
//! request leaves, and a state changes only through `State::next`.

mod claim;
mod enrol;
mod error;
mod files;
mod money;
mod open;
mod read;
mod record;
mod references;
mod rescue;
mod resolve;
mod start;
mod writer;

use rusqlite::Connection;

pub use claim::{Filter, InFlight, Pending};
pub use enrol::{Known, Origin};
pub use error::LedgerError;
pub use files::{Kept, Move};
pub use money::Money;
pub use open::{FILE_NAME, FolderLock};
pub use read::{FailureRow, Matcher, Reader, Totals, UnknownRow, View};
pub use record::{Answer, Intended, Intent, Outcome, Recorded, SavedPicture, Taken, ToFetch};
pub use rescue::Rescue;
pub use resolve::Decision;
pub use start::{Identity, Start};
pub use writer::{Ledger, Writer};

/// An open ledger that this process may write.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    lock: FolderLock,
}

impl Store {
    fn db(&self) -> &Connection {
        &self.db
    }

    /// The output folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.lock.folder()
    }

    /// Runs `work` in one transaction of its own; an error undoes all of it.
    pub fn transaction<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.enclosed("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", work)
    }

    /// Runs `work` inside an open transaction; an error undoes its changes only.
    fn undoing_errors<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.enclosed("SAVEPOINT part", "RELEASE part", "ROLLBACK TO part; RELEASE part", work)
    }

    fn enclosed<T>(
        &self,
        begin: &str,
        commit: &str,
        undo: &str,
        work: impl FnOnce(&Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.db.execute_batch(begin)?;
        let result = work(self).and_then(|value| {
            self.db.execute_batch(commit)?;
            Ok(value)
        });
        if result.is_err() && !self.db.is_autocommit() {
            // The first error says more than a failing undo; SQLite undoes at close.
            let _ = self.db.execute_batch(undo);
        }
        result
    }
}
