//! From the ledger to a dataset: one format a file. Reads the ledger and the
//! pictures, writes only to the target, and streams: memory does not grow
//! with the number of jobs.
//!
//! All formats have the same columns. Nothing half-made is left under a final
//! name, and a picture that can't be had is named, never left out in silence.

mod card;
mod columns;
mod csv;
mod error;
mod feed;
mod file;
mod folder;
mod imagefolder;
mod journal;
mod jsonl;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod provenance;
mod split;
mod table;
mod value;
mod webdataset;

use serde::Serialize;
use sha2::{Digest, Sha256};

pub use error::ExportError;
pub use options::{Format, Options, ShardLimit};
pub use split::Splits;

use crate::job::ContentHash;
use crate::ledger::Reader;
use feed::{Feed, Log};
use journal::Stamp;

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows in the dataset.
    pub rows: u64,
    /// Of these, with a picture.
    pub pictures: u64,
    /// Rows that were written by this export.
    pub added: u64,
    /// Rows whose files an earlier export had written.
    pub kept: u64,
    /// Jobs that have no picture, where the format holds pictures only.
    pub without_picture: u64,
    /// Pictures that are no PNG, into which nothing was embedded.
    pub not_embedded: u64,
    /// Pictures that can't be had.
    pub troubles: u64,
    /// The first of those.
    pub named: Vec<Trouble>,
}

impl Summary {
    /// So many troubles are named in the summary.
    const NAMED: usize = 100;
}

/// A picture that can't be exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The job's id.
    pub id: String,
    /// Which of its pictures.
    pub number: u32,
    /// Where it should lie, below the output folder.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

/// Writes a dataset; `tell` hears of every picture that can't be had.
pub fn export(options: &Options, tell: &mut dyn FnMut(&Trouble)) -> Result<Summary, ExportError> {
    let reader = Reader::open(&options.out)?;
    let snapshot = reader.snapshot()?;
    let identity = snapshot.view().identity()?;
    let (run, base_url) = identity.map(|identity| (identity.name, identity.base_url)).unwrap_or_default();
    let stamp = Stamp { version: 1, format: options.format.name().to_owned(), run, base_url };
    let feed = Feed::new(options, &snapshot)?;
    let mut log = Log::new(tell);
    match options.format {
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            return Err(ExportError::Refused(
                "this build has no parquet; build it with `--features parquet`, or name another --format"
                    .into(),
            ));
        }
        format if format.is_table() => table::write(&feed, &stamp, &mut log)?,
        Format::Webdataset => webdataset::write(&feed, &stamp, &mut log)?,
        _ => imagefolder::write(&feed, &stamp, &mut log)?,
    }
    Ok(log.summary)
}

/// A short name for these parts together.
fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    ContentHash::finish(hasher).to_string()[..32].to_owned()
}
