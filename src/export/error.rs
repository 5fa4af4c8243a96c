//! What can go wrong with an export.

use std::io;
use std::path::PathBuf;

use crate::ledger::LedgerError;

/// Why a dataset was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Something that the user asked for can't be done; the sentence says what can.
    #[error("{0}")]
    Refused(String),
    /// A file or folder.
    #[error("can't use {}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A format's own encoder.
    #[error("can't write {}: {why}", .path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// The encoder's words.
        why: String,
    },
}

impl ExportError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    pub(super) fn encode(path: impl Into<PathBuf>) -> impl FnOnce(Box<dyn std::error::Error>) -> Self {
        let path = path.into();
        move |error| Self::Encode { path, why: error.to_string() }
    }
}
