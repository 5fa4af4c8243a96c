//! The layout that `datasets` calls an image folder: pictures below a folder
//! for each split, and a `metadata.jsonl` with their columns.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::card::Card;
use super::columns::{Absent, object};
use super::feed::{Feed, Log};
use super::folder::Folder;
use super::journal::{Line, Stamp};
use super::{ExportError, digest, jsonl, provenance};
use crate::ledger::{Entry, Picture};

/// One picture's files.
struct Plan {
    /// Below the target.
    file: String,
    chunks: Option<Vec<u8>>,
    sidecar: Option<(String, String)>,
}

pub(super) fn write(feed: &Feed<'_>, stamp: &Stamp, log: &mut Log<'_>) -> Result<(), ExportError> {
    let mut folder = Folder::open(&feed.options.to, stamp)?;
    let mut before = folder.before();
    let names = feed.options.splits.names();
    let mut tables = names.iter().map(|name| metadata(&folder, name)).collect::<Result<Vec<_>, _>>()?;
    let mut used = vec![false; names.len()];
    let mut card = Card::default();
    feed.each(|entry, split| {
        let Some(picture) = &entry.picture else {
            log.summary.without_picture += 1;
            return Ok(());
        };
        let plan = Plan::of(feed, entry, picture, &names[split])?;
        let line = plan.line(entry, picture);
        let old = before.as_mut().and_then(|journal| journal.take(line.job, line.number, |_| {}));
        if old.as_ref() == Some(&line) && plan.is_done(feed, &folder, picture)? {
            log.summary.kept += 1;
        } else if let Err(why) = plan.make(feed, &folder, picture, log)? {
            log.trouble(entry, picture, &why);
            return Ok(());
        } else {
            log.summary.added += 1;
        }
        folder.record(&line)?;
        let (path, table) = &mut tables[split];
        let mut row = object(&feed.columns, entry, &names[split], Absent::Empty);
        let name = line.files[0][names[split].len() + 1..].to_owned();
        row.shift_insert(0, "file_name".to_owned(), Value::String(name));
        card.row(&[
            line.digest.as_bytes(),
            line.files[0].as_bytes(),
            Value::Object(row.clone()).to_string().as_bytes(),
        ]);
        jsonl::line(table, &row).map_err(ExportError::file(&*path))?;
        used[split] = true;
        (log.summary.rows, log.summary.pictures) = (log.summary.rows + 1, log.summary.pictures + 1);
        Ok(())
    })?;
    let mut files = Vec::new();
    let mut splits = Vec::new();
    for ((name, (path, mut table)), used) in names.into_iter().zip(tables).zip(used) {
        table.flush().and_then(|()| table.get_ref().sync_all()).map_err(ExportError::file(&path))?;
        if used {
            files.push(format!("{name}/metadata.jsonl"));
            splits.push((name.clone(), format!("{name}/**")));
        } else {
            // Loaders refuse a split without rows.
            fs::remove_file(&path).map_err(ExportError::file(&path))?;
        }
    }
    if !splits.is_empty() {
        card.write(&folder, &splits, None)?;
    }
    folder.publish(files)
}

fn metadata(folder: &Folder, split: &str) -> Result<(PathBuf, BufWriter<File>), ExportError> {
    let path = folder.stage(&format!("{split}/metadata.jsonl"))?;
    let file = File::create(&path).map_err(ExportError::file(&path))?;
    Ok((path, BufWriter::new(file)))
}

impl Plan {
    fn of(feed: &Feed<'_>, entry: &Entry, picture: &Picture, split: &str) -> Result<Self, ExportError> {
        let path = &picture.place.path;
        let file = format!("{split}/{}", path.strip_prefix("images/").unwrap_or(path));
        let wanted = feed.options.embed || feed.options.sidecar;
        let story = wanted.then(|| provenance::story(entry));
        let chunks = story.as_ref().filter(|_| feed.options.embed).map(provenance::chunks).transpose()?;
        let sidecar = story
            .filter(|_| feed.options.sidecar)
            .map(|story| (format!("sidecars/{file}.json"), format!("{story:#}\n")));
        Ok(Self { file, chunks, sidecar })
    }

    fn line(&self, entry: &Entry, picture: &Picture) -> Line {
        let sidecar = self.sidecar.as_ref();
        let text = sidecar.map_or("", |(_, text)| text.as_str());
        let chunks = self.chunks.as_deref().unwrap_or_default();
        Line {
            job: entry.job,
            number: picture.number,
            digest: digest(&[picture.sha256.as_bytes(), chunks, text.as_bytes()]),
            files: std::iter::once(&self.file).chain(sidecar.map(|(file, _)| file)).cloned().collect(),
            shard: None,
        }
    }

    /// What the folder has is what would be made.
    fn is_done(&self, feed: &Feed<'_>, folder: &Folder, picture: &Picture) -> Result<bool, ExportError> {
        let Ok(found) = fs::symlink_metadata(folder.present(&self.file)) else { return Ok(false) };
        let whole = found.is_file() && (self.chunks.is_some() || found.len() == picture.bytes);
        let beside = self.sidecar.as_ref().is_none_or(|(file, _)| folder.present(file).exists());
        if !(whole && beside && feed.options.copy) {
            return Ok(whole && beside);
        }
        let linked = |source: PathBuf| {
            fs::metadata(source)
                .is_ok_and(|source| (source.ino(), source.dev()) == (found.ino(), found.dev()))
        };
        Ok(!feed.file(picture)?.is_ok_and(linked))
    }

    fn make(
        &self,
        feed: &Feed<'_>,
        folder: &Folder,
        picture: &Picture,
        log: &mut Log<'_>,
    ) -> Result<Result<(), String>, ExportError> {
        let target = folder.stage(&self.file)?;
        let made = match &self.chunks {
            Some(chunks) => feed.bytes(picture)?.map(|bytes| {
                log.summary.not_embedded += u64::from(picture.format != "png");
                put(&target, &provenance::embed(bytes, chunks))
            }),
            None => feed.file(picture)?.map(|source| link_or_copy(&source, &target, feed.options.copy)),
        };
        match made {
            Ok(done) => done.map_err(ExportError::file(&target))?,
            Err(why) => return Ok(Err(why)),
        }
        if let Some((file, text)) = &self.sidecar {
            let path = folder.stage(file)?;
            put(&path, text.as_bytes()).map_err(ExportError::file(&path))?;
        }
        Ok(Ok(()))
    }
}

/// A second name of the same file where the file system has that.
fn link_or_copy(source: &Path, target: &Path, copy: bool) -> std::io::Result<()> {
    if !copy && fs::hard_link(source, target).is_ok() {
        return Ok(());
    }
    fs::copy(source, target)?;
    File::open(target)?.sync_all()
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
