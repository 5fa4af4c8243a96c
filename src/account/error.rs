//! What can go wrong with the user's state folder.

use std::io;
use std::path::PathBuf;

/// Why the state folder could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The environment names no place for it.
    #[error("no place for what runs share: set HOME, XDG_STATE_HOME or IMGBATCH_STATE_DIR")]
    Nowhere,
    /// The folder or the file can't be made.
    #[error("can't use {}; set IMGBATCH_STATE_DIR to a folder of yours", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Made by a later version.
    #[error("{} was written by a newer imgbatch; use that version, or set IMGBATCH_STATE_DIR to another folder", .0.display())]
    Newer(PathBuf),
    /// The database.
    #[error("the database in the state folder failed")]
    Sql(#[from] rusqlite::Error),
}
