//! Before a run: the files on disk against the ledger. Decided moves happen,
//! missing pictures are fetched again, pictures that a crash kept out of the
//! ledger are adopted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, mpsc};
use std::thread;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, statat};

use crate::download::{Format, hash, relocate, sweep, verify};
use crate::ledger::{Answer, Kept, LedgerError, Move, Outcome, SavedPicture, Store, ToFetch};

/// What was put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Pictures that were on disk and not in the ledger.
    pub adopted: u64,
    /// Jobs whose pictures are missing or damaged and are fetched again.
    pub refetched: u64,
    /// Jobs whose pictures are missing, and whose links are dead.
    pub lost: u64,
}

/// Brings files and ledger together. After an unclean end, temporary files go
/// and unrecorded pictures are adopted; otherwise names and sizes are compared
/// and nothing is hashed.
pub fn reconcile(store: &Store, unclean: bool, now_ms: i64) -> Result<Reconciled, LedgerError> {
    let mut reconciled = Reconciled::default();
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
            reconciled.adopted += u64::from(adopt(store, &picture)?);
        }
    }
    miss(store, now_ms, &mut reconciled)?;
    Ok(reconciled)
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
fn step_aside(root: &Path, name: &str) -> io::Result<()> {
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
        let (job, attempt) = (picture.task.job, picture.task.attempt);
        store.transaction(|store| store.record(job, attempt, Outcome::Saved(saved)))?;
        return Ok(true);
    }
    Ok(false)
}

/// Pictures that are compared at once, and how many such lots may wait.
const LOT: usize = 1024;
const LOTS: usize = 8;

/// Threads that look files up: a look is the kernel's work, or a network's.
const LOOKERS: usize = 4;

/// Pictures to compare. Their paths stand one behind the other, each with its
/// end: a million small texts cost more than the looks.
#[derive(Default)]
struct Lot {
    paths: String,
    pictures: Vec<Kept<usize>>,
}

impl Lot {
    fn push(&mut self, kept: Kept<&str>) {
        self.paths.push_str(kept.path);
        self.pictures.push(kept.with_path(self.paths.len()));
    }

    /// Those that are not in their folder as a whole.
    fn missing(self, folders: &mut Folders<'_>) -> Vec<Kept<String>> {
        let mut begin = 0;
        let mut missing = Vec::new();
        for kept in self.pictures {
            let path = &self.paths[begin..kept.path];
            begin = kept.path;
            if !folders.has_whole(path, kept.bytes) {
                missing.push(kept.with_path(path.to_owned()));
            }
        }
        missing
    }
}

/// Recorded pictures that are gone or cut short, by job and attempt.
type Missing = BTreeMap<(i64, i64), Vec<Kept<String>>>;

/// One thread reads the ledger, others the folder: each has its own to wait for.
fn find_missing(store: &Store) -> Result<Missing, LedgerError> {
    let (lots, compare) = mpsc::sync_channel::<Lot>(LOTS);
    let (root, compare) = (store.folder(), Mutex::new(compare));
    thread::scope(|scope| {
        let lookers = [(); LOOKERS].map(|()| scope.spawn(|| find_in(root, &compare)));
        let mut lot = Lot::default();
        store.each_kept(|kept| {
            lot.push(kept);
            if lot.pictures.len() == LOT {
                // They end only after this sender is gone.
                let _ = lots.send(std::mem::take(&mut lot));
            }
        })?;
        let _ = lots.send(lot);
        drop(lots);
        let mut missing = Missing::new();
        for looker in lookers {
            let found = looker.join().ok().flatten();
            let broken = || LedgerError::Contradiction("comparing files was interrupted".into());
            for kept in found.ok_or_else(broken)? {
                missing.entry((kept.job, kept.attempt)).or_default().push(kept);
            }
        }
        Ok(missing)
    })
}

/// What is missing of the lots, until no lot comes; `None` where another
/// thread broke off.
fn find_in(root: &Path, lots: &Mutex<mpsc::Receiver<Lot>>) -> Option<Vec<Kept<String>>> {
    let (mut folders, mut missing) = (Folders::new(root), Vec::new());
    loop {
        let Ok(lot) = lots.lock().ok()?.recv() else { return Some(missing) };
        missing.extend(lot.missing(&mut folders));
    }
}

/// Looks pictures up from the folder that the last one lay in: most lie in the
/// same one, and a short way to each is half the cost.
#[derive(Debug)]
struct Folders<'a> {
    root: &'a Path,
    open: Option<(PathBuf, OwnedFd)>,
}

impl<'a> Folders<'a> {
    fn new(root: &'a Path) -> Self {
        Self { root, open: None }
    }

    fn has_whole(&mut self, path: &str, bytes: u64) -> bool {
        let path = Path::new(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
        let Some(folder) = self.enter(folder) else { return false };
        statat(folder, name, AtFlags::empty()).is_ok_and(|file| {
            FileType::from_raw_mode(file.st_mode).is_file() && u64::try_from(file.st_size) == Ok(bytes)
        })
    }

    fn enter(&mut self, folder: &Path) -> Option<&OwnedFd> {
        if self.open.as_ref().is_none_or(|(open, _)| open != folder) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let descriptor = open(self.root.join(folder), flags, Mode::empty()).ok()?;
            self.open = Some((folder.to_owned(), descriptor));
        }
        self.open.as_ref().map(|(_, descriptor)| descriptor)
    }
}

/// Orders recorded pictures that are gone or cut short to be fetched again.
fn miss(store: &Store, now_ms: i64, reconciled: &mut Reconciled) -> Result<(), LedgerError> {
    let missing = find_missing(store)?;
    for ((job, attempt), pictures) in missing {
        let alive = pictures.iter().any(|picture| picture.expires_at > now_ms);
        for picture in &pictures {
            // What is left of it would stand in the way of the whole file.
            step_aside(store.folder(), &picture.path)
                .map_err(|source| LedgerError::File { path: store.folder().join(&picture.path), source })?;
        }
        let numbers = pictures.iter().map(|picture| picture.number).collect();
        let lost = Answer {
            code: "picture_lost".into(),
            message: format!("{} is gone from the output folder, and its link is dead", pictures[0].path),
            ..Answer::default()
        };
        store.transaction(|store| {
            store.record(job, attempt, Outcome::FileMissing { numbers })?;
            if !alive {
                store.record(job, attempt, Outcome::Lost { number: None, answer: lost })?;
            }
            Ok(())
        })?;
        *(if alive { &mut reconciled.refetched } else { &mut reconciled.lost }) += 1;
    }
    Ok(())
}
