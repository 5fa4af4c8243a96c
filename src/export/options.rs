//! What an export may be told.

use std::path::PathBuf;

use super::Splits;

/// The formats of datasets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// A table for spreadsheets.
    Csv,
    /// Pictures in folders, with a metadata.jsonl.
    Imagefolder,
    /// Tar shards.
    Webdataset,
    /// One file with the pictures in it.
    Parquet,
}

impl Format {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Imagefolder => "imagefolder",
            Self::Webdataset => "webdataset",
            Self::Parquet => "parquet",
        }
    }

    /// Its target is one file where nothing is split.
    pub(super) const fn is_table(self) -> bool {
        matches!(self, Self::Jsonl | Self::Csv | Self::Parquet)
    }
}

/// When a shard is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLimit {
    /// Samples.
    pub samples: u64,
    /// Bytes of its members.
    pub bytes: u64,
}

impl Default for ShardLimit {
    fn default() -> Self {
        Self { samples: u64::MAX, bytes: 1 << 30 }
    }
}

/// What to export, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Clone, Debug)]
pub struct Options {
    /// The output folder of a run.
    pub out: PathBuf,
    /// The file or folder to write.
    pub to: PathBuf,
    /// The format.
    pub format: Format,
    /// Only these columns, in this order.
    pub columns: Option<Vec<String>>,
    /// Also what has not succeeded or is no longer wanted.
    pub all: bool,
    /// Only ids that match this glob.
    pub select: Option<String>,
    /// Only jobs that this file names.
    pub select_from: Option<PathBuf>,
    /// Parts of the dataset.
    pub splits: Splits,
    /// Copy pictures rather than link them.
    pub copy: bool,
    /// CSV: cells as they are.
    pub exact: bool,
    /// Parquet: the pictures' paths in place of their bytes.
    pub paths: bool,
    /// Webdataset: the size of shards.
    pub shard: ShardLimit,
    /// Write prompt and parameters into copies of the pictures.
    pub embed: bool,
    /// Imagefolder: a JSON file a picture.
    pub sidecar: bool,
    /// Write over a file that is not an earlier export.
    pub replace: bool,
}
