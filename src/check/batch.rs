//! Pictures that are looked at side by side, one a core.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::sight::{Scan, Sight};
use crate::download::{Damage, verify_seeing};
use crate::ledger::{LedgerError, Picture, Place, Reader};

/// Enough that one slow picture doesn't keep the other cores waiting for long.
const PER_CORE: usize = 32;

/// What became of looking at a picture.
#[derive(Debug)]
pub(super) enum Seen {
    Missing,
    Damaged(String),
    /// It is the recorded one; what it looks like.
    Whole(Option<Sight>),
}

pub(super) struct Batch<'a> {
    out: &'a Path,
    present: &'a Reader,
    cores: usize,
    pictures: Vec<(String, Picture)>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(out: &'a Path, present: &'a Reader) -> Self {
        let cores = thread::available_parallelism().map_or(2, Into::into);
        Self { out, present, cores, pictures: Vec::new() }
    }

    pub(super) fn add(&mut self, id: String, picture: Picture) {
        self.pictures.push((id, picture));
    }

    pub(super) fn is_full(&self) -> bool {
        self.pictures.len() >= self.cores * PER_CORE
    }

    /// Empties the batch; the pictures keep their order.
    pub(super) fn look(&mut self) -> Result<Vec<(String, Picture, Seen)>, LedgerError> {
        let pictures = std::mem::take(&mut self.pictures);
        let places: Vec<Option<PathBuf>> =
            pictures.iter().map(|(_, picture)| self.find(picture)).collect::<Result<_, _>>()?;
        let (next, seen) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(pictures.len())));
        thread::scope(|scope| {
            for _ in 0..self.cores.min(pictures.len()) {
                scope.spawn(|| {
                    while let Some((at, (_, picture), place)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        pictures.get(at).zip(places.get(at)).map(|(picture, place)| (at, picture, place))
                    } {
                        let look = place.as_deref().map_or(Seen::Missing, |path| look(path, picture));
                        seen.lock().unwrap_or_else(PoisonError::into_inner).push((at, look));
                    }
                });
            }
        });
        let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        seen.sort_by_key(|(at, _)| *at);
        Ok(pictures.into_iter().zip(seen).map(|((id, picture), (_, seen))| (id, picture, seen)).collect())
    }

    /// The file, wherever a run has moved it.
    fn find(&self, picture: &Picture) -> Result<Option<PathBuf>, LedgerError> {
        let there = |place: &Place| {
            let paths = [Some(&place.path), place.moving_from.as_ref()];
            paths
                .into_iter()
                .flatten()
                .map(|path| self.out.join(path))
                .find(|path| path.symlink_metadata().is_ok())
        };
        if let Some(path) = there(&picture.place) {
            return Ok(Some(path));
        }
        Ok(self.present.view().place_of(picture.attempt, picture.number)?.and_then(|place| there(&place)))
    }
}

fn look(path: &Path, picture: &Picture) -> Seen {
    let mut scan = Scan::default();
    let facts = match verify_seeing(path, &mut |row| scan.row(&row)) {
        Ok(facts) => facts,
        Err(Damage::Unreadable(error)) if error.kind() == ErrorKind::NotFound => return Seen::Missing,
        Err(damage) => return Seen::Damaged(damage.to_string()),
    };
    if facts.bytes != picture.bytes {
        return Seen::Damaged(format!(
            "it has {} bytes where the ledger says {}",
            facts.bytes, picture.bytes
        ));
    }
    if facts.sha256 != picture.sha256 {
        return Seen::Damaged("it does not match its hash in the ledger".to_owned());
    }
    if (facts.width, facts.height) != (picture.width, picture.height) {
        let (width, height) = (picture.width, picture.height);
        return Seen::Damaged(format!("it is not of {width}x{height} pixels as recorded"));
    }
    Seen::Whole(scan.sight().or_else(|| Sight::of_file(path)))
}
