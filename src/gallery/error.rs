//! What can go wrong with a gallery.

use std::io;
use std::path::{Path, PathBuf};

use crate::ledger::LedgerError;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file or folder can't be written.
    #[error("can't write {}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Writing the page stopped.
    #[error("can't write the page")]
    Page(#[from] io::Error),
}

impl GalleryError {
    pub(super) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }
}
