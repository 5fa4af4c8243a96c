//! The folders that pictures go to: made where they are missing, and synced once
//! for all pictures that wait for it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::task::spawn_blocking;

use super::place;

/// Folders that are remembered. With more, all are forgotten, which costs each
/// one more sync of all folders above it.
const REMEMBERED: usize = 4096;

/// What is known of the folders of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Folders(Arc<Mutex<HashMap<PathBuf, Folder>>>);

#[derive(Debug, Default)]
struct Folder {
    /// It and all folders above it are on disk.
    rooted: bool,
    /// The latest sync of it.
    sync: Option<Sync>,
}

/// A sync of a folder, shared by everyone who came before it began.
#[derive(Clone, Debug)]
struct Sync {
    begun: Arc<AtomicBool>,
    outcome: Shared<BoxFuture<'static, Result<(), Failure>>>,
}

/// Why a folder is not on disk.
#[derive(Clone, Debug)]
struct Failure {
    error: Arc<io::Error>,
    /// The sync before this one failed, perhaps for what was renamed during it:
    /// the system tells an error once.
    inherited: bool,
}

impl Failure {
    fn new(error: io::Error) -> Self {
        Self { error: Arc::new(error), inherited: false }
    }
}

impl Folders {
    /// As [`place::make_parent`]. A new folder makes everything doubtful again.
    pub(super) fn make_parent(&self, root: &Path, relative: &Path) -> io::Result<PathBuf> {
        place::make_parent(root, relative, || {
            self.known().values_mut().for_each(|folder| folder.rooted = false);
        })
    }

    /// As [`place::sync_up`], as far as it is not done yet. What was renamed
    /// before the call is on disk after it.
    pub(super) async fn sync_up(&self, root: &Path, relative: &Path) -> io::Result<()> {
        if sabotaged!("no-picture-sync") {
            return Ok(());
        }
        let sync = self.join(root, relative);
        sync.outcome.await.map_err(|failure| io::Error::new(failure.error.kind(), failure.error))
    }

    /// The sync that begins next: the one that others wait for already, or
    /// another one, after the one under way.
    fn join(&self, root: &Path, relative: &Path) -> Sync {
        let place = root.join(relative.parent().unwrap_or(Path::new("")));
        let mut known = self.known();
        if known.len() >= REMEMBERED && !known.contains_key(&place) {
            known.clear();
        }
        let folder = known.entry(place.clone()).or_default();
        if let Some(waiting) = folder.sync.as_ref().filter(|sync| !sync.begun.load(Ordering::Relaxed)) {
            return waiting.clone();
        }
        let before = folder.sync.take().map(|sync| sync.outcome);
        let begun = Arc::new(AtomicBool::new(false));
        let this = (self.clone(), root.to_owned(), relative.to_owned(), Arc::clone(&begun));
        let outcome = async move {
            let before = match before {
                Some(before) => before.await,
                None => Ok(()),
            };
            let (folders, root, relative, begun) = this;
            let rooted = folders.begin(&place, &begun);
            if let Err(failure) = before.as_ref()
                && !failure.inherited
            {
                return Err(Failure { inherited: true, ..failure.clone() });
            }
            let done = spawn_blocking(move || {
                if rooted {
                    return File::open(&place)?.sync_all();
                }
                place::sync_up(&root, &relative)?;
                folders.known().entry(place).or_default().rooted = true;
                Ok(())
            });
            done.await
                .unwrap_or_else(|_| Err(io::Error::other("the program is stopping")))
                .map_err(Failure::new)
        };
        let sync = Sync { begun, outcome: outcome.boxed().shared() };
        folder.sync = Some(sync.clone());
        sync
    }

    /// From here on nobody joins; whether the folder is rooted.
    fn begin(&self, place: &Path, begun: &AtomicBool) -> bool {
        let known = self.known();
        begun.store(true, Ordering::Relaxed);
        known.get(place).is_some_and(|folder| folder.rooted)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PathBuf, Folder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const FILE: &str = "deep/fox.png";

    fn same(one: &Sync, other: &Sync) -> bool {
        Arc::ptr_eq(&one.begun, &other.begun)
    }

    fn rooted(folders: &Folders, root: &Path) -> bool {
        folders.known()[&root.join("deep")].rooted
    }

    #[tokio::test]
    async fn those_who_wait_share_a_sync_and_its_error() {
        let root = tempfile::tempdir().unwrap();
        let (root, folders) = (root.path(), Folders::default());
        let join = || folders.join(root, Path::new(FILE));
        let (first, second) = (join(), join());
        assert!(same(&first, &second));
        assert!(first.outcome.await.is_err() && second.outcome.await.is_err(), "there is no such folder");
        fs::create_dir(root.join("deep")).unwrap();
        assert!(join().outcome.await.is_err_and(|failure| failure.inherited), "it may have been theirs");
        assert!(!rooted(&folders, root));
        join().outcome.await.unwrap();
        assert!(rooted(&folders, root));
    }

    #[tokio::test]
    async fn nobody_joins_a_sync_that_has_begun() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders::default();
        fs::create_dir(root.path().join("deep")).unwrap();
        let join = || folders.join(root.path(), Path::new(FILE));
        let first = join();
        assert!(first.outcome.clone().now_or_never().is_none(), "it is done beside the reactor");
        let (second, third) = (join(), join());
        assert!(!same(&first, &second) && same(&second, &third));
        assert!(!second.begun.load(Ordering::Relaxed));
        second.outcome.await.unwrap();
        assert!(first.outcome.peek().is_some(), "one after the other");
    }

    #[tokio::test]
    async fn a_new_folder_makes_all_doubtful_and_few_are_remembered() {
        let root = tempfile::tempdir().unwrap();
        let (root, folders) = (root.path(), Folders::default());
        folders.make_parent(root, Path::new(FILE)).unwrap();
        folders.sync_up(root, Path::new(FILE)).await.unwrap();
        assert!(rooted(&folders, root));
        folders.make_parent(root, Path::new(FILE)).unwrap();
        assert!(rooted(&folders, root));
        folders.make_parent(root, Path::new("deep/er/fox.png")).unwrap();
        assert!(!rooted(&folders, root));
        for number in 0..2 * REMEMBERED {
            drop(folders.join(root, Path::new(&format!("{number}/fox.png"))));
        }
        assert!(folders.known().len() <= REMEMBERED);
    }
}
