//! Before a run: decided moves happen, and pictures that a crash kept out of the
//! ledger are adopted.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::download::{Format, hash, relocate, sweep, sync_up, verify};
use crate::ledger::{LedgerError, Move, Outcome, SavedPicture, Store, ToFetch};

/// Brings files and ledger together, as far as a run has to wait for it. After
/// an unclean end, temporary files go and unrecorded pictures are adopted; gives
/// their number.
pub fn reconcile(store: &Store, unclean: bool) -> Result<u64, LedgerError> {
    let mut adopted = 0;
    let moves = store.moves()?;
    for decided in &moves {
        set_out(store.folder(), decided)?;
    }
    for decided in &moves {
        arrive(store, decided)?;
    }
    if unclean {
        for folder in ["images", "replaced"] {
            let folder = store.folder().join(folder);
            sweep(&folder).map_err(|source| LedgerError::File { path: folder, source })?;
        }
        for picture in store.ready()? {
            adopted += u64::from(adopt(store, &picture)?);
        }
    }
    Ok(adopted)
}

/// First half of a move: the file leaves its old name. All files leave before
/// the first arrives, so that jobs may swap names. The hash says which file is
/// which, so that a move may be cut short anywhere and be taken up again.
fn set_out(root: &Path, decided: &Move) -> Result<(), LedgerError> {
    let between = between(decided);
    if holds(root, &decided.to, decided)
        || holds(root, &between, decided)
        || !holds(root, &decided.from, decided)
    {
        return Ok(());
    }
    relocate(root, Path::new(&decided.from), Path::new(&between))
        .map_err(|source| LedgerError::File { path: root.join(&decided.from), source })
}

/// Second half: the file takes its new name. A picture that is nowhere is
/// found missing after this, and fetched again.
fn arrive(store: &Store, decided: &Move) -> Result<(), LedgerError> {
    let (root, between) = (store.folder(), between(decided));
    if !holds(root, &decided.to, decided) && holds(root, &between, decided) {
        step_aside(root, &decided.to)
            .and_then(|()| relocate(root, Path::new(&between), Path::new(&decided.to)))
            .map_err(|source| LedgerError::File { path: root.join(&decided.to), source })?;
    }
    store.transaction(|store| store.moved(decided.attempt, decided.number))
}

fn holds(root: &Path, path: &str, decided: &Move) -> bool {
    hash(&root.join(path)).is_ok_and(|found| found == decided.sha256)
}

fn between(decided: &Move) -> String {
    format!("replaced/moving-{}-{}", decided.attempt, decided.number)
}

/// Whatever has the name now belongs to a move that comes later, or to nobody.
pub(super) fn step_aside(root: &Path, name: &str) -> io::Result<()> {
    match fs::symlink_metadata(root.join(name)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => relocate(root, Path::new(name), &aside(name)),
    }
}

fn aside(name: &str) -> PathBuf {
    let file = Path::new(name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    PathBuf::from(format!("replaced/found-{:08x}-{file}", fastrand::u32(..)))
}

/// Takes a verified file under the final name of a picture that is paid for
/// and not recorded. Only this program gives such names, and only to complete
/// files; earlier versions of the job are recorded and recognised.
fn adopt(store: &Store, picture: &ToFetch) -> Result<bool, LedgerError> {
    let folder = if picture.outdated { "replaced" } else { "images" };
    let number = picture.numbered.then_some(picture.number);
    for format in [Format::Png, Format::Jpeg, Format::WebP] {
        let path = Path::new(folder).join(picture.path.file(number, format.extension()));
        let Ok(facts) = verify(&store.folder().join(&path)) else { continue };
        if facts.format != format || store.is_recorded(picture.task.job, &facts.sha256)? {
            continue;
        }
        let saved = SavedPicture {
            number: picture.number,
            path: path.display().to_string(),
            sha256: facts.sha256,
            bytes: facts.bytes,
            width: facts.width,
            height: facts.height,
            format: format.name().to_owned(),
        };
        // The run that gave it its name may have ended before that was on disk.
        sync_up(store.folder(), &path)
            .map_err(|source| LedgerError::File { path: store.folder().join(&path), source })?;
        let (job, attempt) = (picture.task.job, picture.task.attempt);
        store.transaction(|store| store.record(job, attempt, Outcome::Saved(saved)))?;
        return Ok(true);
    }
    Ok(false)
}
