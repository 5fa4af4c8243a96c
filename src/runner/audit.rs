//! Beside a run: the recorded pictures of earlier runs against the folder. What
//! is gone or cut short is fetched again. Names and sizes are compared, nothing
//! is hashed; a million pictures take a second or two, and nobody waits for it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, statat};
use rustix::io::Errno;

use super::driver::{Driver, Step};
use super::files::step_aside;
use super::settings::Stop;
use super::shared::Shared;
use crate::events::Event;
use crate::job::State;
use crate::ledger::{Answer, Kept, LedgerError, Outcome, Recorded, Store};

/// Attempts whose pictures are compared by one step: a few milliseconds of the
/// ledger's time.
const LOT: i64 = 2048;

/// Steps at once: a look at a file is the kernel's work, or a network's.
const LOTS: usize = 4;

/// How far the comparison has come.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// Attempts that are still to be compared, from the first to the last.
    left: Option<(i64, i64)>,
    under_way: usize,
    refetched: u64,
    lost: u64,
}

/// A job whose picture is gone.
#[derive(Debug)]
pub(super) struct Gone {
    recorded: Recorded,
    /// Why it can't be had again, where it can't.
    lost: Option<Answer>,
}

impl Audit {
    /// The first and the last attempt of the next step.
    fn next(&mut self) -> Option<(i64, i64)> {
        let (first, last) = self.left?;
        let end = last.min(first.saturating_add(LOT - 1));
        self.left = (end < last).then_some((end + 1, last));
        Some((first, end))
    }
}

impl Driver {
    pub(super) async fn begin_audit(&mut self) -> Result<(), LedgerError> {
        let last = self.shared.ledger.write(Store::last_attempt).await?;
        self.audit.left = (last > 0).then_some((1, last));
        Ok(())
    }

    pub(super) fn start_audit(&mut self) {
        while self.audit.under_way < LOTS && self.stopping < Stop::Leave {
            let Some((first, last)) = self.audit.next() else { break };
            self.audit.under_way += 1;
            let shared = Arc::clone(&self.shared);
            self.steps
                .push(Box::pin(async move { Step::Audited(Box::new(shared.audit(first, last).await)) }));
        }
    }

    pub(super) fn on_audited(&mut self, gone: Result<Vec<Gone>, LedgerError>) {
        self.audit.under_way -= 1;
        match gone {
            Ok(gone) => gone.into_iter().for_each(|gone| self.on_gone(gone)),
            Err(error) => self.broken(error),
        }
        if self.audit.under_way == 0 && self.audit.left.is_none() {
            self.tell_of_gone();
        }
    }

    fn on_gone(&mut self, gone: Gone) {
        let Gone { recorded, lost } = gone;
        self.snapshot.jobs.shift(State::Done, recorded.state);
        if let Some(Answer { code, message, .. }) = lost {
            self.audit.lost += 1;
            self.tell(&Event::Failed { id: recorded.id, code, message });
        } else {
            self.audit.refetched += 1;
            self.look_on(recorded.look);
        }
    }

    fn tell_of_gone(&self) {
        let Audit { refetched, lost, .. } = self.audit;
        if refetched > 0 {
            tracing::warn!(
                jobs = refetched,
                "pictures are missing from the output folder and are fetched again"
            );
        }
        if lost > 0 {
            tracing::warn!(
                jobs = lost,
                "pictures are missing from the output folder, and their links are dead"
            );
        }
    }
}

impl Shared {
    /// Compares the pictures of these attempts with the folder, and orders those
    /// that are gone or cut short to be fetched again.
    async fn audit(&self, first: i64, last: i64) -> Result<Vec<Gone>, LedgerError> {
        let kept = self.ledger.write(move |store| store.kept(first, last)).await?;
        if kept.is_empty() {
            return Ok(Vec::new());
        }
        let folder = self.folder.clone();
        let missing = tokio::task::spawn_blocking(move || missing(&folder, kept)).await;
        let interrupted = || LedgerError::Contradiction("comparing files was interrupted".into());
        let missing = missing.map_err(|_| interrupted())??;
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock.now_ms();
        self.ledger
            .write(move |store| {
                let mut gone = Vec::new();
                for pictures in missing.chunk_by(|one, other| one.attempt == other.attempt) {
                    let (job, attempt) = (pictures[0].job, pictures[0].attempt);
                    let numbers = pictures.iter().map(|picture| picture.number).collect();
                    let mut recorded = store.record(job, attempt, Outcome::FileMissing { numbers })?;
                    let dead = pictures.iter().all(|picture| picture.expires_at <= now);
                    let answer = dead.then(|| beyond_reach(&pictures[0].path));
                    if let Some(answer) = answer.clone() {
                        recorded = store.record(job, attempt, Outcome::Lost { number: None, answer })?;
                    }
                    gone.push(Gone { recorded, lost: answer });
                }
                Ok(gone)
            })
            .await
    }
}

fn beyond_reach(path: &str) -> Answer {
    Answer {
        code: "picture_lost".into(),
        message: format!("{path} is gone from the output folder, and its link is dead"),
        ..Answer::default()
    }
}

/// Those that are not in their folder as a whole. What is left of them is moved
/// out of the way of the whole file. A file that can't be looked at is not gone:
/// who says so would buy it again.
fn missing(root: &Path, kept: Vec<Kept>) -> Result<Vec<Kept>, LedgerError> {
    let mut folders = Folders { root, open: None };
    let mut missing = Vec::new();
    for kept in kept {
        let broken = |source| LedgerError::File { path: root.join(&kept.path), source };
        if folders.holds(&kept.path, kept.bytes).map_err(broken)? {
            continue;
        }
        step_aside(root, &kept.path).map_err(broken)?;
        missing.push(kept);
    }
    Ok(missing)
}

/// Looks pictures up from the folder that the last one lay in: most lie in the
/// same one, and a short way to each is half the cost.
#[derive(Debug)]
struct Folders<'a> {
    root: &'a Path,
    open: Option<(PathBuf, OwnedFd)>,
}

impl Folders<'_> {
    /// Whether a file of this length is there.
    fn holds(&mut self, path: &str, bytes: u64) -> io::Result<bool> {
        let path = Path::new(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
        let found = self.enter(folder).and_then(|folder| statat(folder, name, AtFlags::empty()));
        match found {
            Ok(file) => {
                Ok(FileType::from_raw_mode(file.st_mode).is_file()
                    && u64::try_from(file.st_size) == Ok(bytes))
            }
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn enter(&mut self, folder: &Path) -> rustix::io::Result<&OwnedFd> {
        let entered = if let Some(known) = self.open.take().filter(|(open, _)| open == folder) {
            known
        } else {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            (folder.to_owned(), open(self.root.join(folder), flags, Mode::empty())?)
        };
        Ok(&self.open.insert(entered).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_is_compared_once() {
        for last in [1, LOT - 1, LOT, LOT + 1, 3 * LOT] {
            let mut audit = Audit { left: Some((1, last)), ..Audit::default() };
            let lots: Vec<_> = std::iter::from_fn(|| audit.next()).collect();
            let all: Vec<i64> = lots.iter().flat_map(|&(first, last)| first..=last).collect();
            assert_eq!(all, (1..=last).collect::<Vec<_>>());
            assert!(lots.iter().all(|(first, last)| last - first < LOT));
        }
    }
}
