//! `webdataset`: tar shards of samples, each a picture, its columns as JSON and
//! its prompt as text, under one key.
//!
//! A second export leaves full shards alone and adds new ones. A shard with a
//! sample that has changed or is gone is written anew.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::card::{self, Card};
use super::columns::{Absent, object};
use super::feed::{Feed, Log};
use super::folder::Folder;
use super::journal::{Line, Stamp};
use super::{ExportError, digest, provenance};
use crate::job::ContentHash;
use crate::ledger::Entry;

/// One row as it goes into a shard, without the picture's bytes.
struct Sample {
    key: String,
    json: String,
    chunks: Option<Vec<u8>>,
    line: Line,
}

/// The shards of one split.
struct Split {
    name: String,
    /// Shards of earlier exports that stay.
    kept: BTreeSet<String>,
    next: u64,
    open: Option<Shard>,
    made: Vec<String>,
}

struct Shard {
    name: String,
    path: PathBuf,
    tar: tar::Builder<BufWriter<File>>,
    samples: u64,
    bytes: u64,
}

pub(super) fn write(feed: &Feed<'_>, stamp: &Stamp, log: &mut Log<'_>) -> Result<(), ExportError> {
    let mut folder = Folder::open(&feed.options.to, stamp)?;
    let dirty = dirty(feed, &folder)?;
    let mut before = folder.before();
    let names = feed.options.splits.names();
    let mut splits: Vec<Split> = names.into_iter().map(Split::new).collect();
    let mut card = Card::default();
    feed.each(|entry, split| {
        let split = &mut splits[split];
        let mut sample = Sample::of(feed, entry, &split.name)?;
        let old =
            before.as_mut().and_then(|journal| journal.take(sample.line.job, sample.line.number, |_| {}));
        let stays = old.and_then(|old| old.shard).filter(|shard| !dirty.contains(shard));
        if let Some(shard) = stays {
            split.kept.insert(shard.clone());
            sample.line.shard = Some(shard);
            log.summary.kept += 1;
        } else if let Err(why) = split.add(feed, &folder, entry, &mut sample)? {
            if let Some(picture) = &entry.picture {
                log.trouble(entry, picture, &why);
            }
            return Ok(());
        } else {
            log.summary.added += 1;
            let plain = entry.picture.as_ref().is_some_and(|picture| picture.format != "png");
            log.summary.not_embedded += u64::from(plain && sample.chunks.is_some());
        }
        log.summary.rows += 1;
        log.summary.pictures += u64::from(entry.picture.is_some());
        card.row(&[sample.line.digest.as_bytes()]);
        folder.record(&sample.line)
    })?;
    let (mut files, mut patterns) = (Vec::new(), Vec::new());
    for mut split in splits {
        split.close()?;
        if !(split.kept.is_empty() && split.made.is_empty()) {
            patterns.push((split.name.clone(), format!("{}-*.tar", split.name)));
        }
        files.extend(split.kept.into_iter().chain(split.made));
    }
    if !patterns.is_empty() {
        card.write(&folder, &patterns, Some(&features(feed)))?;
    }
    folder.publish(files)
}

/// Shards of the earlier export that can't stay as they are.
fn dirty(feed: &Feed<'_>, folder: &Folder) -> Result<BTreeSet<String>, ExportError> {
    let mut dirty = BTreeSet::new();
    let Some(mut before) = folder.before() else { return Ok(dirty) };
    let names = feed.options.splits.names();
    feed.each(|entry, split| {
        let sample = Sample::of(feed, entry, &names[split])?;
        let old = before.take(sample.line.job, sample.line.number, |gone| dirty.extend(gone.shard));
        let stays = |old: &Line| {
            old.digest == sample.line.digest
                && old.shard.as_ref().is_some_and(|shard| folder.present(shard).is_file())
        };
        dirty.extend(old.filter(|old| !stays(old)).and_then(|old| old.shard));
        Ok(())
    })?;
    before.rest(|gone| dirty.extend(gone.shard));
    Ok(dirty)
}

impl Sample {
    fn of(feed: &Feed<'_>, entry: &Entry, split: &str) -> Result<Self, ExportError> {
        let number = entry.picture.as_ref().map_or(0, |picture| picture.number);
        let row = object(&feed.columns, entry, split, Absent::Empty);
        let json = serde_json::Value::Object(row).to_string();
        let chunks = feed.options.embed.then(|| provenance::chunks(&provenance::story(entry))).transpose()?;
        let sha256 = entry.picture.as_ref().map(|picture| picture.sha256);
        let content = sha256.as_ref().map_or(&[][..], |sha256| sha256.as_bytes());
        let embedded = chunks.as_deref().unwrap_or_default();
        let digest = digest(&[split.as_bytes(), content, embedded, json.as_bytes()]);
        let line = Line { job: entry.job, number, digest, files: Vec::new(), shard: None };
        Ok(Self { key: key(&entry.id, number, entry.request.n), json, chunks, line })
    }
}

/// The key of a sample: the id where that is plain and names one picture. A
/// dot would end it, a slash be a folder, so others get a hash.
fn key(id: &str, number: u32, n: u32) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if n == 1 && id.len() <= 80 && id.chars().all(plain) {
        return id.to_owned();
    }
    let slug: String = id.chars().map(|c| if plain(c) { c } else { '_' }).take(60).collect();
    let hash = ContentHash::finish(
        Sha256::new().chain_update(id).chain_update([0]).chain_update(number.to_string()),
    );
    format!("{slug}-{}", &hash.to_string()[..12])
}

impl Split {
    fn new(name: String) -> Self {
        Self { name, kept: BTreeSet::new(), next: 0, open: None, made: Vec::new() }
    }

    /// The first name that no shard has, kept or not.
    fn free_name(&mut self, folder: &Folder) -> String {
        loop {
            let name = shard_name(&self.name, self.next);
            self.next += 1;
            if !folder.present(&name).exists() {
                return name;
            }
        }
    }

    fn add(
        &mut self,
        feed: &Feed<'_>,
        folder: &Folder,
        entry: &Entry,
        sample: &mut Sample,
    ) -> Result<Result<(), String>, ExportError> {
        let picture = match &entry.picture {
            None => None,
            Some(picture) => match (feed.bytes(picture)?, &sample.chunks) {
                (Err(why), _) => return Ok(Err(why)),
                (Ok(bytes), None) => Some((extension(&picture.place.path), bytes)),
                (Ok(bytes), Some(chunks)) => {
                    Some((extension(&picture.place.path), provenance::embed(bytes, chunks)))
                }
            },
        };
        let prompt = entry.request.prompt.as_bytes();
        let members = picture
            .as_ref()
            .map(|(extension, bytes)| (*extension, bytes.as_slice()))
            .into_iter()
            .chain([("json", sample.json.as_bytes()), ("txt", prompt)]);
        let shard = self.shard(feed, folder)?;
        for (extension, bytes) in members {
            shard
                .append(&format!("{}.{extension}", sample.key), bytes)
                .map_err(ExportError::file(&shard.path))?;
        }
        shard.samples += 1;
        sample.line.shard = Some(shard.name.clone());
        Ok(Ok(()))
    }

    /// A shard with room.
    fn shard(&mut self, feed: &Feed<'_>, folder: &Folder) -> Result<&mut Shard, ExportError> {
        let limit = feed.options.shard;
        if self.open.as_ref().is_some_and(|open| open.samples >= limit.samples || open.bytes >= limit.bytes) {
            self.close()?;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Shard::create(folder, self.free_name(folder))?,
        };
        Ok(self.open.insert(open))
    }

    fn close(&mut self) -> Result<(), ExportError> {
        let Some(shard) = self.open.take() else { return Ok(()) };
        let (name, path) = (shard.name, shard.path);
        let finish = |mut tar: tar::Builder<BufWriter<File>>| {
            tar.finish()?;
            let mut file = tar.into_inner()?;
            file.flush()?;
            file.get_ref().sync_all()
        };
        finish(shard.tar).map_err(ExportError::file(path))?;
        self.made.push(name);
        Ok(())
    }
}

impl Shard {
    fn create(folder: &Folder, name: String) -> Result<Self, ExportError> {
        let path = folder.stage(&name)?;
        let file = File::create(&path).map_err(ExportError::file(&path))?;
        Ok(Self { name, path, tar: tar::Builder::new(BufWriter::new(file)), samples: 0, bytes: 0 })
    }

    /// A member that is the same whoever writes it and when.
    fn append(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        self.bytes += bytes.len() as u64;
        self.tar.append_data(&mut header, name, bytes)
    }
}

/// The types of a sample's members.
fn features(feed: &Feed<'_>) -> String {
    let member = |name: &str, dtype: &str| format!("  - name: {name}\n    dtype: {dtype}\n");
    let json = format!("  - name: json\n    struct:\n{}", card::features(&feed.columns, "    "));
    [member("png", "image"), json, member("txt", "string")].concat()
        + &member("__key__", "string")
        + &member("__url__", "string")
}

fn shard_name(split: &str, number: u64) -> String {
    format!("{split}-{number:06}.tar")
}

fn extension(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_no_dot_no_slash_and_no_twin() {
        assert_eq!(key("hero-2", 1, 1), "hero-2");
        let ids = [
            "mug/colour=sage,surface=oak",
            "mug_colour_sage_surface_oak",
            "v1.2",
            "v1_2",
            "fox#2",
            "狐",
            "犬",
        ];
        let keys: BTreeSet<String> = ids
            .iter()
            .map(|id| key(id, 1, 1))
            .chain([key("hero", 1, 2), key("hero", 2, 2), key("hero", 1, 1), key("hero-1", 1, 1)])
            .collect();
        assert_eq!(keys.len(), ids.len() + 4);
        assert!(keys.iter().all(|key| !key.contains(['.', '/']) && key.len() <= 80 && key.is_ascii()));
    }
}
