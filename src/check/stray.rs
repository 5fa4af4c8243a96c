//! Files in `images/` that the ledger doesn't know.

use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::CheckError;
use crate::ledger::Reader;

/// The paths of the ledger, eight bytes each.
#[derive(Debug, Default)]
pub(super) struct Known {
    hasher: RandomState,
    paths: HashSet<u64>,
}

impl Known {
    pub(super) fn add(&mut self, path: &str) {
        self.paths.insert(self.hasher.hash_one(path));
    }

    fn has(&self, path: &str) -> bool {
        self.paths.contains(&self.hasher.hash_one(path))
    }
}

/// Visits the files that are not known, in no order.
pub(super) fn each(
    out: &Path,
    known: &mut Known,
    present: &Reader,
    mut visit: impl FnMut(String) -> Result<(), CheckError>,
) -> Result<(), CheckError> {
    let mut strays = Vec::new();
    let mut folders = vec![PathBuf::from("images")];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(out.join(&folder)) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if !is_temporary(&path) && path.to_str().is_none_or(|path| !known.has(path)) {
                strays.push(path);
            }
        }
    }
    // A run may have saved pictures since the ledger was read.
    if !strays.is_empty() {
        present.view().each_path(|path| known.add(path))?;
    }
    strays.sort();
    let unknown = strays.into_iter().filter(|path| path.to_str().is_none_or(|path| !known.has(path)));
    unknown.map(|path| path.display().to_string()).try_for_each(&mut visit)
}

/// A download under way, or one that a crash left and the next run sweeps up.
fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".imgbatch-"))
}
