//! What can go wrong with a ledger.

use std::io;
use std::path::PathBuf;

use crate::job::Illegal;

/// Why the ledger could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another run holds the folder.
    #[error("another run holds {}; wait for it, or pass --wait", .0.display())]
    Locked(PathBuf),
    /// There is nothing to read.
    #[error("{} holds no ledger; `imgbatch run MANIFEST` makes one", .0.display())]
    Missing(PathBuf),
    /// A file of that name is something else.
    #[error("{} is not a ledger of imgbatch; name another output folder with --out", .0.display())]
    NotALedger(PathBuf),
    /// Made by a later version; left untouched.
    #[error("{} was written by a newer imgbatch (ledger version {found}, this one knows {known}); use that version, or another --out", .path.display())]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// The newest version this program knows.
        known: i32,
    },
    /// The folder belongs to another run.
    #[error("{} belongs to {what} {theirs:?}, and this run's is {ours:?}; go on with that one, or name another folder with --out", .path.display())]
    Foreign {
        /// The output folder.
        path: PathBuf,
        /// `name` or `base URL`.
        what: &'static str,
        /// What the ledger was made with.
        theirs: String,
        /// What this run has.
        ours: String,
    },
    /// The manifest asks for something the transition table forbids: a defect.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// A row that must exist does not, or holds nonsense: a defect, or damage.
    #[error("the ledger contradicts itself: {0}")]
    Contradiction(String),
    /// A file or folder beside the database.
    #[error("can't use {}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The database.
    #[error("the ledger's database failed")]
    Sql(#[from] rusqlite::Error),
    /// A write was part of a transaction that failed as a whole.
    #[error("the ledger could not commit: {0}")]
    Commit(String),
    /// The writer is gone; an earlier error says why.
    #[error("the ledger is closed")]
    Closed,
}

impl LedgerError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
