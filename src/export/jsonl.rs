//! JSON Lines: one object a row, numbers as numbers, what is absent as null.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::ExportError;
use super::columns::{Absent, object};
use super::feed::Feed;
use super::table::Table;
use crate::ledger::Entry;

struct Jsonl {
    file: BufWriter<File>,
    path: PathBuf,
}

pub(super) fn table(file: BufWriter<File>, path: &Path) -> Box<dyn Table> {
    Box::new(Jsonl { file, path: path.to_owned() })
}

impl Table for Jsonl {
    fn add(
        &mut self,
        feed: &Feed<'_>,
        entry: &Entry,
        split: &str,
    ) -> Result<Result<(), String>, ExportError> {
        if let Err(why) = feed.present(entry)? {
            return Ok(Err(why));
        }
        let row = object(&feed.columns, entry, split, Absent::Null);
        line(&mut self.file, &row).map_err(ExportError::file(&self.path))?;
        Ok(Ok(()))
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.file.flush().map_err(ExportError::file(&self.path))
    }
}

/// One object and the end of its line.
pub(super) fn line(
    file: &mut impl Write,
    row: &serde_json::Map<String, serde_json::Value>,
) -> std::io::Result<()> {
    serde_json::to_writer(&mut *file, row)?;
    file.write_all(b"\n")
}
