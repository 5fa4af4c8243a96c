//! A single file that every export writes anew: made beside it, synced,
//! renamed. A hidden file beside it says what was written, so that nothing
//! else is written over.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ExportError;
use super::folder::{lock, sibling, sync_parent};
use super::journal::Stamp;
use crate::job::ContentHash;

/// A target file, held by this export alone.
#[derive(Debug)]
pub(super) struct Single {
    target: PathBuf,
    temp: PathBuf,
    mark: PathBuf,
    stamp: Stamp,
    before: Option<ContentHash>,
    published: bool,
    _lock: File,
}

/// Contents that an export gave to the target: a crash between two renames
/// leaves either.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    #[serde(flatten)]
    stamp: Stamp,
    sha256: Vec<ContentHash>,
}

impl Single {
    /// Takes hold of `target`: a new file, or an earlier export that nobody
    /// has touched since. With `replace`, any file.
    pub(super) fn open(target: &Path, stamp: &Stamp, replace: bool) -> Result<Self, ExportError> {
        let (temp, mark) = (sibling(target, "new")?, sibling(target, "export")?);
        File::options().create(true).append(true).open(&temp).map_err(ExportError::file(&temp))?;
        let lock = lock(&temp, target)?;
        let (target, stamp) = (target.to_owned(), stamp.clone());
        let mut single = Self { target, temp, mark, stamp, before: None, published: false, _lock: lock };
        single.before = single.judge(replace)?;
        Ok(single)
    }

    /// Where to write.
    pub(super) fn temp(&self) -> &Path {
        &self.temp
    }

    fn judge(&self, replace: bool) -> Result<Option<ContentHash>, ExportError> {
        let refuse = |why: &str| Err(ExportError::Refused(format!("{} {why}", self.target.display())));
        match fs::symlink_metadata(&self.target) {
            Err(_) => return Ok(None),
            Ok(found) if !found.is_file() => {
                return refuse("is not a regular file; name another one with --to");
            }
            Ok(_) => {}
        }
        let content = hash(&self.target).map_err(ExportError::file(&self.target))?;
        if replace {
            return Ok(Some(content));
        }
        let mark = fs::read(&self.mark).ok().and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
        match mark {
            None => {
                refuse("exists and is not an earlier export; name another file with --to, or pass --replace")
            }
            Some(mark) if mark.stamp != self.stamp => refuse(&format!(
                "is an export of run {:?} as {}; name another file with --to, or pass --replace",
                mark.stamp.run, mark.stamp.format
            )),
            Some(mark) if !mark.sha256.contains(&content) => {
                refuse("was changed since it was exported; name another file with --to, or pass --replace")
            }
            Some(_) => Ok(Some(content)),
        }
    }

    /// The file is written: gives it its name.
    pub(super) fn publish(mut self) -> Result<(), ExportError> {
        let mut work = || {
            File::open(&self.temp)?.sync_all()?;
            let after = hash(&self.temp)?;
            let mark = Mark {
                stamp: self.stamp.clone(),
                sha256: std::iter::once(after).chain(self.before).collect(),
            };
            let next = self.mark.with_extension("imgbatch-mark");
            let mut file = File::create(&next)?;
            file.write_all(&serde_json::to_vec(&mark)?)?;
            file.sync_all()?;
            fs::rename(&next, &self.mark)?;
            fs::rename(&self.temp, &self.target)?;
            self.published = true;
            sync_parent(&self.target)
        };
        let done = work();
        done.map_err(ExportError::file(&self.target))
    }
}

impl Drop for Single {
    /// An export that failed leaves nothing.
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.temp);
        }
    }
}

fn hash(path: &Path) -> std::io::Result<ContentHash> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(ContentHash::finish(hasher)),
            count => hasher.update(&buffer[..count]),
        }
    }
}
