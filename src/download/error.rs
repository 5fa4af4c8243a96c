//! Why a link gave no picture.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use super::verify::Damage;

/// The ways in which a download fails. No text holds a link: links are
/// signed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The link is dead (403, 404, 410 and other 4xx); a fresh report about
    /// the task may give another.
    #[error("the link is dead (HTTP {status})")]
    Gone {
        /// HTTP status.
        status: u16,
    },
    /// The link, or where it redirects to, must not be followed. The refused
    /// host was never connected.
    #[error("the link is refused: {why}")]
    Forbidden {
        /// Which rule it breaks.
        why: String,
    },
    /// Something arrived that is not a complete picture.
    #[error("what arrived is no good picture: {0}")]
    Damaged(Damage),
    /// The server or the network failed; later may be better.
    #[error("the download failed: {why}")]
    Transient {
        /// Without the link.
        why: String,
        /// Seconds that the server asks to wait, capped at one hour.
        retry_after: Option<Duration>,
    },
    /// The picture can't be written.
    #[error("can't write the picture: {0}")]
    Disk(io::Error),
    /// Another file has the final name; it was left untouched.
    #[error("{} exists with another content; move it away", path.display())]
    Occupied {
        /// The final name.
        path: PathBuf,
    },
}

impl FetchError {
    /// No room is left: the disk, the quota or the size limit of files.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let full = |kind| {
            matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
        };
        matches!(self, Self::Disk(error) if full(error.kind()))
    }

    pub(super) fn transient(why: impl Into<String>) -> Self {
        Self::Transient { why: why.into(), retry_after: None }
    }
}

impl From<Damage> for FetchError {
    fn from(damage: Damage) -> Self {
        match damage {
            Damage::Unreadable(error) => Self::Disk(error),
            damage => Self::Damaged(damage),
        }
    }
}
