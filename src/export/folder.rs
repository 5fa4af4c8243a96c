//! A folder that exports grow. New files are made in a hidden folder; one
//! rename of that folder decides that they count, and from then on putting
//! them in their places can be interrupted and is finished by the next export.
//! A new target is made under another name and renamed as a whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::ExportError;
use super::journal::{self, Journal, JournalWriter, Line, Stamp};

/// Files that are being made.
const STAGE: &str = ".imgbatch-new";
/// The same once they are decided.
const READY: &str = ".imgbatch-ready";

/// A target folder, held by this export alone.
#[derive(Debug)]
pub(super) struct Folder {
    target: PathBuf,
    /// The target, or what becomes the target.
    root: PathBuf,
    /// Taken when the export is published.
    writer: Option<JournalWriter>,
    _lock: File,
}

impl Folder {
    /// Takes hold of `target`: a new folder, an empty one, or an earlier
    /// export of the same run in the same format.
    pub(super) fn open(target: &Path, stamp: &Stamp) -> Result<Self, ExportError> {
        let fresh = fs::symlink_metadata(target).is_err();
        let root = if fresh { sibling(target, "new")? } else { target.to_owned() };
        if !fresh && !target.is_dir() {
            return Err(refuse(target, "is not a folder; name another one with --to"));
        }
        fs::create_dir_all(&root).map_err(ExportError::file(&root))?;
        let lock = lock(&root, target)?;
        if fresh {
            clear(&root).map_err(ExportError::file(&root))?;
        } else {
            finish(&root).map_err(ExportError::file(&root))?;
            judge(&root, stamp)?;
        }
        let stage = root.join(STAGE);
        fs::create_dir(&stage).map_err(ExportError::file(&stage))?;
        let writer = JournalWriter::create(&stage.join(journal::NAME), stamp)?;
        Ok(Self { target: target.to_owned(), root, writer: Some(writer), _lock: lock })
    }

    /// What an earlier export put here.
    pub(super) fn before(&self) -> Option<Journal> {
        Journal::open(&self.root.join(journal::NAME))
    }

    /// A file as it is in the folder now.
    pub(super) fn present(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Where to make the file that is to be at `relative`.
    pub(super) fn stage(&self, relative: &str) -> Result<PathBuf, ExportError> {
        let path = self.root.join(STAGE).join(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(ExportError::file(parent))?;
        }
        Ok(path)
    }

    /// This row is in the export.
    pub(super) fn record(&mut self, line: &Line) -> Result<(), ExportError> {
        let writer = self.writer.as_mut();
        writer.map_or(Ok(()), |writer| writer.add(line)).map_err(ExportError::file(&self.root))
    }

    /// Everything is made: decides it and puts it in place. `files` are those
    /// that belong to no single row.
    pub(super) fn publish(mut self, files: Vec<String>) -> Result<(), ExportError> {
        let writer = self.writer.take();
        let root = &self.root;
        let work = || {
            writer.map_or(Ok(()), |writer| writer.finish(files))?;
            sync_folders(&root.join(STAGE))?;
            fs::rename(root.join(STAGE), root.join(READY))?;
            File::open(root)?.sync_all()?;
            finish(root)?;
            sync_folders(root)
        };
        work().map_err(ExportError::file(root))?;
        if self.root != self.target {
            fs::rename(&self.root, &self.target).map_err(ExportError::file(&self.target))?;
        }
        sync_parent(&self.target).map_err(ExportError::file(&self.target))
    }
}

impl Drop for Folder {
    /// An export that failed leaves nothing; a crash leaves hidden files that
    /// the next export clears away.
    fn drop(&mut self) {
        if self.writer.is_some() {
            let made = if self.root == self.target { self.root.join(STAGE) } else { self.root.clone() };
            let _ = fs::remove_dir_all(made);
        }
    }
}

/// Only what an export made may be grown, and only by its like.
fn judge(root: &Path, stamp: &Stamp) -> Result<(), ExportError> {
    let _ = fs::remove_dir_all(root.join(STAGE));
    let Some(before) = Journal::open(&root.join(journal::NAME)) else {
        let empty = fs::read_dir(root).map_err(ExportError::file(root))?.next().is_none();
        let why = "exists and is not an earlier export; name another folder with --to, or move it away";
        return if empty { Ok(()) } else { Err(refuse(root, why)) };
    };
    let theirs = before.stamp();
    if theirs == stamp {
        return Ok(());
    }
    let (format, run) = (&theirs.format, &theirs.run);
    Err(refuse(
        root,
        &format!(
            "holds an export of run {run:?} as {format}; name another folder with --to, or move it away"
        ),
    ))
}

fn refuse(path: &Path, why: &str) -> ExportError {
    ExportError::Refused(format!("{} {why}", path.display()))
}

/// Puts decided files in their places; after a crash, what is left of them.
/// Old files go first, and the journal is the last witness of which.
fn finish(root: &Path) -> io::Result<()> {
    let ready = root.join(READY);
    if !ready.exists() {
        return Ok(());
    }
    let (before, after) = (root.join(journal::NAME), ready.join(journal::NAME));
    if after.exists() {
        remove_gone(root, &before, &after)?;
        fs::rename(&after, &before)?;
    }
    move_all(&ready, root)?;
    fs::remove_dir_all(&ready)
}

/// Removes what the journal `before` names and `after` doesn't.
fn remove_gone(root: &Path, before: &Path, after: &Path) -> io::Result<()> {
    let (Some(before), Some(mut after)) = (Journal::open(before), Journal::open(after)) else {
        return Ok(());
    };
    let mut failed = Ok(());
    let files = before.rest(|old| {
        let kept = after
            .take(old.job, old.number, |_| {})
            .unwrap_or_else(|| Line { files: Vec::new(), ..old.clone() });
        for file in old.files.iter().filter(|file| !kept.files.contains(file)) {
            failed = std::mem::replace(&mut failed, Ok(())).and_then(|()| remove(root, file));
        }
    });
    failed?;
    let kept = after.rest(|_| {});
    files.iter().filter(|file| !kept.contains(file)).try_for_each(|file| remove(root, file))
}

fn remove(root: &Path, relative: &str) -> io::Result<()> {
    match fs::remove_file(root.join(relative)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Folders that became empty go as well; the first that did not stops this.
    for folder in Path::new(relative).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        if fs::remove_dir(root.join(folder)).is_err() {
            break;
        }
    }
    Ok(())
}

fn move_all(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            move_all(&entry.path(), &target)?;
        } else {
            fs::rename(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// A hidden name beside `target`, in a folder that exists.
pub(super) fn sibling(target: &Path, what: &str) -> Result<PathBuf, ExportError> {
    let name = target.file_name().ok_or_else(|| refuse(target, "is no name for an export"))?;
    let parent = target.parent().unwrap_or(Path::new(""));
    if !parent.as_os_str().is_empty() {
        fs::create_dir_all(parent).map_err(ExportError::file(parent))?;
    }
    Ok(parent.join(format!(".{}.imgbatch-{what}", name.display())))
}

pub(super) fn lock(path: &Path, target: &Path) -> Result<File, ExportError> {
    let file = File::open(path).map_err(ExportError::file(path))?;
    file.try_lock().map_err(|_| refuse(target, "is being written by another export; wait for it"))?;
    Ok(file)
}

fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn sync_folders(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    File::open(root)?.sync_all()
}

pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
