//! What an earlier export put into a folder: one line a row, in the ledger's
//! order, so that old and new are compared by reading both side by side.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Lines, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ExportError;

/// Its name in a folder; loaders leave hidden files alone.
pub(super) const NAME: &str = ".imgbatch-export.jsonl";

/// Whose export this is. Another one is not grown but refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) version: u32,
    pub(super) format: String,
    pub(super) run: String,
    pub(super) base_url: String,
}

/// A row that was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) job: i64,
    /// 0 for a row without a picture.
    pub(super) number: u32,
    /// Hash of everything that was written for it.
    pub(super) digest: String,
    /// The files that are its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<String>,
    /// The file that it shares with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<String>,
}

/// The files that belong to no single row; the last line.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Foot {
    files: Vec<String>,
}

/// Reads the lines in their order.
#[derive(Debug)]
pub(super) struct Journal {
    stamp: Stamp,
    lines: Lines<BufReader<File>>,
    next: Option<Line>,
    files: Vec<String>,
}

impl Journal {
    /// The journal at `path`, or none where there is none that can be read.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let mut lines = BufReader::new(File::open(path).ok()?).lines();
        let stamp = serde_json::from_str(&lines.next()?.ok()?).ok()?;
        let mut journal = Self { stamp, lines, next: None, files: Vec::new() };
        journal.advance();
        Some(journal)
    }

    pub(super) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// The next line, left where it is.
    fn peek(&self) -> Option<(i64, u32)> {
        self.next.as_ref().map(|line| (line.job, line.number))
    }

    fn advance(&mut self) -> Option<Line> {
        let next = self.lines.next().and_then(Result::ok).and_then(|text| {
            let line = serde_json::from_str(&text).ok();
            if line.is_none() {
                self.files = serde_json::from_str::<Foot>(&text).unwrap_or_default().files;
            }
            line
        });
        std::mem::replace(&mut self.next, next)
    }

    /// The line of this row, if there is one; lines before it go to `passed`.
    pub(super) fn take(&mut self, job: i64, number: u32, mut passed: impl FnMut(Line)) -> Option<Line> {
        while self.peek().is_some_and(|key| key < (job, number)) {
            self.advance().into_iter().for_each(&mut passed);
        }
        if self.peek() == Some((job, number)) { self.advance() } else { None }
    }

    /// The lines that are left, and the files of no single row after them.
    pub(super) fn rest(mut self, mut passed: impl FnMut(Line)) -> Vec<String> {
        while let Some(line) = self.advance() {
            passed(line);
        }
        self.files
    }
}

/// Writes the journal of an export in progress.
#[derive(Debug)]
pub(super) struct JournalWriter {
    file: BufWriter<File>,
}

impl JournalWriter {
    pub(super) fn create(path: &Path, stamp: &Stamp) -> Result<Self, ExportError> {
        let file = File::create(path).map_err(ExportError::file(path))?;
        let mut writer = Self { file: BufWriter::new(file) };
        writer.write(stamp).map_err(ExportError::file(path))?;
        Ok(writer)
    }

    pub(super) fn add(&mut self, line: &Line) -> std::io::Result<()> {
        self.write(line)
    }

    pub(super) fn finish(mut self, files: Vec<String>) -> std::io::Result<()> {
        self.write(&Foot { files })?;
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }

    fn write(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.file, line)?;
        self.file.write_all(b"\n")
    }
}
