//! The formats that are one file: written row by row, anew each time. With
//! splits, a folder with one file each.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use super::card::{self, Card};
use super::columns::{Absent, object};
use super::feed::{Feed, Log};
use super::file::Single;
use super::folder::Folder;
use super::journal::Stamp;
use super::{ExportError, Format};
use crate::ledger::Entry;

/// One file of rows.
pub(super) trait Table {
    /// Adds a row. The inner error says why its picture can't be had.
    fn add(&mut self, feed: &Feed<'_>, entry: &Entry, split: &str)
    -> Result<Result<(), String>, ExportError>;

    /// Writes what is left to write.
    fn finish(self: Box<Self>) -> Result<(), ExportError>;
}

fn create(feed: &Feed<'_>, path: &Path) -> Result<Box<dyn Table>, ExportError> {
    let file = BufWriter::new(File::create(path).map_err(ExportError::file(path))?);
    match feed.options.format {
        Format::Csv => super::csv::table(file, path, feed),
        #[cfg(feature = "parquet")]
        Format::Parquet => super::parquet::table(file, path, feed),
        _ => Ok(super::jsonl::table(file, path)),
    }
}

pub(super) fn write(feed: &Feed<'_>, stamp: &Stamp, log: &mut Log<'_>) -> Result<(), ExportError> {
    let options = feed.options;
    if options.splits.is_whole() {
        let target = Single::open(&options.to, stamp, options.replace)?;
        fill(feed, vec![create(feed, target.temp())?], log, |_, _| ())?;
        return target.publish();
    }
    let folder = Folder::open(&options.to, stamp)?;
    let names = options.splits.names();
    let files: Vec<String> = names.iter().map(|name| format!("{name}.{}", options.format.name())).collect();
    let paths = files.iter().map(|file| folder.stage(file)).collect::<Result<Vec<_>, _>>()?;
    let tables = paths.iter().map(|path| create(feed, path)).collect::<Result<_, _>>()?;
    let mut card = Card::default();
    let counts = fill(feed, tables, log, |entry, split| {
        let row = serde_json::Value::Object(object(&feed.columns, entry, split, Absent::Null)).to_string();
        let picture = entry.picture.as_ref().map(|picture| picture.sha256);
        card.row(&[row.as_bytes(), picture.as_ref().map_or(&[][..], |sha256| sha256.as_bytes())]);
    })?;
    let mut splits = Vec::new();
    for (((name, file), path), count) in names.into_iter().zip(files).zip(paths).zip(counts) {
        if count == 0 {
            // Loaders refuse a split without rows.
            fs::remove_file(&path).map_err(ExportError::file(&path))?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(ExportError::file(&path))?;
            splits.push((name, file));
        }
    }
    // Parquet knows its types, and of pictures more than a card can say.
    let features = (options.format != Format::Parquet).then(|| card::features(&feed.columns, "  "));
    card.write(&folder, &splits, features.as_deref())?;
    folder.publish(splits.into_iter().map(|(_, file)| file).collect())
}

/// Writes every row into the table of its split, and tells of each; gives the
/// rows of each.
fn fill(
    feed: &Feed<'_>,
    mut tables: Vec<Box<dyn Table>>,
    log: &mut Log<'_>,
    mut tell: impl FnMut(&Entry, &str),
) -> Result<Vec<u64>, ExportError> {
    let names = feed.options.splits.names();
    let mut counts = vec![0; names.len()];
    feed.each(|entry, split| {
        let mut add = |entry: &Entry| tables[split].add(feed, entry, &names[split]);
        let mut picture = entry.picture.as_ref();
        if let (Some(lost), Err(why)) = (picture, add(entry)?) {
            log.trouble(entry, lost, &why);
            if !feed.options.all {
                return Ok(());
            }
            // A row of everything stays, without the picture that is not there.
            picture = None;
            let _ = add(&Entry { picture: None, ..entry.clone() })?;
        }
        tell(entry, &names[split]);
        counts[split] += 1;
        log.summary.rows += 1;
        log.summary.pictures += u64::from(picture.is_some());
        log.summary.added += 1;
        Ok(())
    })?;
    tables.into_iter().try_for_each(Table::finish)?;
    Ok(counts)
}
