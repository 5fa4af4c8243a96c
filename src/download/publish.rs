//! The last steps of a download: from a temporary file to the final name.
//!
//! The file is synced before its name appears and the folders after it: at a
//! power cut, rename alone lost every file and a file's sync alone some.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use super::error::FetchError;
use super::folders::Folders;
use super::place::PREFIX;
use super::verify::{hash, open};
use crate::job::ContentHash;

/// A new temporary file beside `target`, readable as other files of the user.
pub(super) fn temporary(folders: &Folders, root: &Path, target: &Path) -> io::Result<NamedTempFile> {
    let folder = folders.make_parent(root, target)?;
    Builder::new().prefix(PREFIX).permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

/// Gives a verified file its name below `root`. Overwrites nothing; an equal
/// file under that name is as good. The caller syncs the folders after it.
pub(super) fn publish(
    temp: NamedTempFile,
    sha256: ContentHash,
    root: &Path,
    relative: &Path,
) -> Result<(), FetchError> {
    let target = root.join(relative);
    crash_point!("picture-written");
    if !sabotaged!("no-picture-sync") {
        temp.as_file().sync_all().map_err(FetchError::Disk)?;
    }
    crash_point!("picture-synced");
    if let Err(failed) = temp.persist_noclobber(&target) {
        if failed.error.kind() != io::ErrorKind::AlreadyExists {
            return Err(FetchError::Disk(failed.error));
        }
        if hash(&target).ok() != Some(sha256) {
            return Err(FetchError::Occupied { path: target });
        }
        open(&target).and_then(|file| file.sync_all()).map_err(FetchError::Disk)?;
    }
    crash_point!("picture-renamed");
    Ok(())
}
