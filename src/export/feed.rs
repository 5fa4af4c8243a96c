//! The rows of an export: the ledger at one moment, narrowed to what was
//! asked for, and the files of its pictures wherever a run has moved them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::columns::{Column, Survey};
use super::{ExportError, Options, Summary, Trouble};
use crate::job::{Chosen, ContentHash};
use crate::ledger::{Entry, LedgerError, Picture, Place, Reader, Scope, Snapshot};

/// Where rows come from.
#[derive(Debug)]
pub(super) struct Feed<'a> {
    pub(super) options: &'a Options,
    pub(super) columns: Vec<Column>,
    snapshot: &'a Snapshot<'a>,
    /// Tells where pictures are by now.
    present: Reader,
    picks: Option<Chosen>,
}

/// What an export tells while it works, and what it counts.
pub(super) struct Log<'a> {
    pub(super) summary: Summary,
    tell: &'a mut dyn FnMut(&Trouble),
}

impl<'a> Feed<'a> {
    /// Reads every row once to learn the columns.
    pub(super) fn new(options: &'a Options, snapshot: &'a Snapshot<'a>) -> Result<Self, ExportError> {
        let picks = options.select_from.as_deref().map(picked).transpose()?;
        let present = Reader::open(&options.out)?;
        let mut feed = Self { options, columns: Vec::new(), snapshot, present, picks };
        let mut survey = Survey::default();
        let (mut found, mut last) = (0, None);
        feed.each(|entry, _| {
            survey.add(entry);
            found += usize::from(last.replace(entry.job) != Some(entry.job));
            Ok(())
        })?;
        let narrowed = options.select.is_some() || feed.picks.is_some();
        if found == 0 && narrowed {
            let why = "no job that would be exported matches --select or --select-from; nothing was changed";
            return Err(ExportError::Refused(why.into()));
        }
        if let Some(picks) = feed.picks.as_ref().filter(|picks| found < picks.len()) {
            tracing::warn!(
                picked = picks.len(),
                found,
                "some picked jobs are not in the ledger, or not among the rows"
            );
        }
        feed.columns = survey.columns(!options.splits.is_whole(), options.columns.as_deref())?;
        Ok(feed)
    }

    /// Visits the rows and the place of each one's split among the names.
    pub(super) fn each(
        &self,
        mut visit: impl FnMut(&Entry, usize) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let scope = Scope { all: self.options.all, select: self.options.select.clone() };
        self.snapshot.each_entry(&scope, |entry| {
            let wanted = |picks: &Chosen| match &entry.picture {
                Some(picture) => picks.has_picture(&entry.id, picture.number),
                None => picks.has(&entry.id),
            };
            if !self.picks.as_ref().is_none_or(wanted) {
                return Ok(());
            }
            visit(&entry, self.options.splits.of(&entry.id))
        })
    }

    /// Finds a picture's file; the inner error says what is wrong with it.
    pub(super) fn file(&self, picture: &Picture) -> Result<Result<PathBuf, String>, LedgerError> {
        let found = at(&self.options.out, &picture.place, picture.bytes);
        if found.is_ok() {
            return Ok(found);
        }
        Ok(match self.present.view().place_of(picture.attempt, picture.number)? {
            Some(place) if place != picture.place => at(&self.options.out, &place, picture.bytes),
            _ => found,
        })
    }

    /// The row's picture, if it has one, is where it should be.
    pub(super) fn present(&self, entry: &Entry) -> Result<Result<(), String>, LedgerError> {
        Ok(match &entry.picture {
            Some(picture) => self.file(picture)?.map(drop),
            None => Ok(()),
        })
    }

    /// The bytes of a picture, which match the ledger's hash.
    pub(super) fn bytes(&self, picture: &Picture) -> Result<Result<Vec<u8>, String>, ExportError> {
        let path = match self.file(picture)? {
            Ok(path) => path,
            Err(why) => return Ok(Err(why)),
        };
        let bytes = fs::read(&path).map_err(ExportError::file(&path))?;
        if ContentHash::of(&bytes) != picture.sha256 {
            return Ok(Err("does not match its hash in the ledger".to_owned()));
        }
        Ok(Ok(bytes))
    }
}

impl<'a> Log<'a> {
    pub(super) fn new(tell: &'a mut dyn FnMut(&Trouble)) -> Self {
        Self { summary: Summary::default(), tell }
    }

    /// A picture that can't be exported.
    pub(super) fn trouble(&mut self, entry: &Entry, picture: &Picture, why: &str) {
        let trouble = Trouble {
            id: entry.id.clone(),
            number: picture.number,
            path: picture.place.path.clone(),
            why: why.to_owned(),
        };
        (self.tell)(&trouble);
        self.summary.troubles += 1;
        if self.summary.named.len() < Summary::NAMED {
            self.summary.named.push(trouble);
        }
    }
}

fn picked(path: &Path) -> Result<Chosen, ExportError> {
    let text = fs::read_to_string(path).map_err(ExportError::file(path))?;
    text.parse().map_err(|error| ExportError::Refused(format!("{}: {error}", path.display())))
}

fn at(out: &Path, place: &Place, bytes: u64) -> Result<PathBuf, String> {
    let found = look(out.join(&place.path), bytes);
    match &place.moving_from {
        Some(before) if found.is_err() => look(out.join(before), bytes).or(found),
        _ => found,
    }
}

/// A regular file of this length; no symbolic link is followed.
fn look(path: PathBuf, bytes: u64) -> Result<PathBuf, String> {
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.is_file() => Err("is not a regular file".to_owned()),
        Ok(found) if found.len() != bytes => {
            Err(format!("has {} bytes where the ledger says {bytes}", found.len()))
        }
        Ok(_) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("is missing".to_owned()),
        Err(error) => Err(format!("can't be read: {error}")),
    }
}
