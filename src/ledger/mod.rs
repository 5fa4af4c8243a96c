//! The truth about a run: one SQLite database in the output folder.
//!
//! At its door stand operations, not SQL. [`Store`] has them as plain
//! functions on an open database; [`Ledger`] runs them from async code through
//! one writer that shares transactions. The attempt is durable before its
//! request leaves, and a state changes only through `State::next`.

mod balance;
mod booking;
mod catalogue;
mod claim;
mod dataset;
mod doubt;
mod enrol;
mod error;
mod files;
mod group;
mod intent;
mod money;
mod open;
mod outcome;
mod proof;
mod read;
mod record;
mod references;
mod rescue;
mod resolve;
#[cfg(test)]
mod scans;
mod select;
mod start;
mod top_up;
mod writer;

use rusqlite::Connection;

pub use booking::{Booking, Quote};
pub use catalogue::{Exhibit, Failure, Shown, Wish};
pub use claim::{Filter, InFlight, Pending};
pub use dataset::{Entry, Picture, Place, Scope, Snapshot};
pub use doubt::{Candidate, Held, Nameless};
pub use enrol::{Known, Origin};
pub use error::LedgerError;
pub use files::{Kept, Move};
pub use group::Group;
pub use intent::{Intended, Intent};
pub use money::Money;
pub use open::{FILE_NAME, FolderLock};
pub use outcome::{Answer, Outcome, Recorded, SavedPicture, Taken, ToFetch, Via};
pub use read::{DoubtRow, FailureRow, Purchase, Reader, Totals, UnknownRow, View};
pub use rescue::Rescue;
pub use resolve::Decision;
pub use select::{Matcher, Select};
pub use start::{Identity, Start};
pub use writer::{Ledger, Writer};

/// An open ledger that this process may write.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    lock: FolderLock,
    /// Rows this connection had changed when the last run's figures still held.
    changes_at_open: u64,
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

    /// Begins a transaction that is undone unless it is committed.
    pub fn begin(&self) -> Result<Transaction<'_>, LedgerError> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Transaction { db: &self.db })
    }

    /// Runs `work` in one transaction of its own; an error undoes all of it.
    pub fn transaction<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let transaction = self.begin()?;
        let value = work(self)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs `work` inside an open transaction; an error undoes its changes only.
    fn undoing_errors<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let statement = |sql| self.db.prepare_cached(sql)?.execute([]).map(drop);
        statement("SAVEPOINT part")?;
        let result = work(self);
        // A full disk has undone everything already; the writer sees that.
        if !self.db.is_autocommit() {
            if result.is_err() {
                statement("ROLLBACK TO part")?;
            }
            statement("RELEASE part")?;
        }
        result
    }
}

/// A transaction; dropping it undoes it.
#[derive(Debug)]
#[must_use]
pub struct Transaction<'a> {
    db: &'a Connection,
}

impl Transaction<'_> {
    /// Makes it durable.
    pub fn commit(self) -> Result<(), LedgerError> {
        Ok(self.db.execute_batch("COMMIT")?)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.db.is_autocommit() {
            // The first error says more than a failing undo; SQLite undoes at close.
            let _ = self.db.execute_batch("ROLLBACK");
        }
    }
}
