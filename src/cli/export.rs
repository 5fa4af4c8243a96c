//! `imgbatch export`: a dataset from the ledger.

use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::{Usage, note, print};
use crate::events::counted;
use crate::export::{ExportError, Format, Options, ShardLimit, Splits, Summary, export};

/// Arguments of `export`.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The output folder of a run.
    out: PathBuf,
    /// The format of the dataset.
    #[arg(long, value_enum)]
    format: Format,
    /// The file or folder to write; an earlier export of the same run is brought up to date.
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    /// Only these columns, in this order.
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Parts by a stable hash of the job id: train=0.9,val=0.1.
    #[arg(long, value_name = "NAME=SHARE,..")]
    split: Option<Splits>,
    /// Also jobs that have not succeeded or that the manifest no longer names.
    #[arg(long)]
    all: bool,
    /// Only jobs whose id matches this glob.
    #[arg(long, value_name = "GLOB")]
    select: Option<String>,
    /// Only jobs that this file names, one id a line.
    #[arg(long, value_name = "FILE")]
    select_from: Option<PathBuf>,
    /// imagefolder: copy pictures even where the file system could link them.
    #[arg(long)]
    copy: bool,
    /// csv: write cells as they are, also those that a spreadsheet would run.
    #[arg(long)]
    exact: bool,
    /// parquet: where the pictures lie in place of the pictures.
    #[arg(long)]
    paths: bool,
    /// webdataset: samples a shard, at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    shard_samples: Option<u64>,
    /// webdataset: a shard is full at so many bytes, such as 500MB [default: 1GiB].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    shard_size: Option<u64>,
    /// Write prompt and parameters into the exported copies of PNG pictures.
    #[arg(long)]
    embed_metadata: bool,
    /// imagefolder: prompt and parameters as a JSON file for each picture.
    #[arg(long)]
    sidecar: bool,
    /// jsonl, csv, parquet: write over a file that is not an earlier export.
    #[arg(long)]
    replace: bool,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let options = args.options()?;
    let summary = export(&options, &mut |trouble| {
        note(&format!("{} {}: the picture is left out (job {})\n", trouble.path, trouble.why, trouble.id));
    })
    .map_err(|error| match error {
        ExportError::Ledger(error) => error.into(),
        ExportError::Refused(why) => Usage::error(why),
        error => anyhow::Error::from(error),
    })?;
    let exit = if summary.troubles > 0 { Exit::Attention } else { Exit::Success };
    if args.json {
        let to = options.to.display().to_string();
        let head = serde_json::json!({ "version": 1, "exit_code": exit.code(), "format": options.format.name(), "to": to });
        let mut document = serde_json::to_value(&summary)?;
        if let (Some(document), serde_json::Value::Object(head)) = (document.as_object_mut(), head) {
            let rest = std::mem::replace(document, head);
            document.extend(rest);
        }
        print(&format!("{document}\n"))?;
    } else {
        print(&text(&options, &summary))?;
    }
    Ok(exit)
}

fn text(options: &Options, summary: &Summary) -> String {
    let Summary { rows, pictures, added, kept, .. } = summary;
    let before = if *kept > 0 { format!("; {added} new, {kept} from before") } else { String::new() };
    let (rows, pictures) = (counted(*rows, "row"), counted(*pictures, "picture"));
    let head = format!("{rows} with {pictures} in {}{before}\n", options.to.display());
    let notes = [
        (summary.without_picture, "jobs have no picture and are not in it"),
        (summary.not_embedded, "pictures are no PNG; nothing was embedded in them"),
        (summary.troubles, "pictures are missing or damaged and are not in it; `imgbatch check` tells more"),
    ];
    let notes = notes.into_iter().filter(|(count, _)| *count > 0);
    let line = |(count, what)| format!("{count} {what}\n");
    head + &notes.map(line).collect::<String>()
}

impl Args {
    fn options(&self) -> anyhow::Result<Options> {
        self.refuse_what_does_nothing()?;
        if self.to.as_os_str() == "-" {
            return Err(Usage::error("a dataset is written to a file or a folder; name it with --to"));
        }
        if inside(&self.to, &self.out.join("images")) || inside(&self.to, &self.out.join("replaced")) {
            return Err(Usage::error(format!(
                "{} lies among the run's own pictures; name another place with --to",
                self.to.display()
            )));
        }
        let usual = ShardLimit::default();
        let shard = ShardLimit {
            samples: self.shard_samples.unwrap_or(usual.samples),
            bytes: self.shard_size.unwrap_or(if self.shard_samples.is_some() {
                u64::MAX
            } else {
                usual.bytes
            }),
        };
        Ok(Options {
            out: self.out.clone(),
            to: self.to.clone(),
            format: self.format,
            columns: self.columns.clone(),
            all: self.all,
            select: self.select.clone(),
            select_from: self.select_from.clone(),
            splits: self.split.clone().unwrap_or_default(),
            copy: self.copy,
            exact: self.exact,
            paths: self.paths,
            shard,
            embed: self.embed_metadata,
            sidecar: self.sidecar,
            replace: self.replace,
        })
    }

    /// A flag of another format would be a silent mistake.
    fn refuse_what_does_nothing(&self) -> anyhow::Result<()> {
        use Format::{Csv, Imagefolder, Jsonl, Parquet, Webdataset};
        let flags: [(&str, bool, &[Format]); 8] = [
            ("--copy", self.copy, &[Imagefolder]),
            ("--sidecar", self.sidecar, &[Imagefolder]),
            ("--exact", self.exact, &[Csv]),
            ("--paths", self.paths, &[Parquet]),
            ("--shard-samples", self.shard_samples.is_some(), &[Webdataset]),
            ("--shard-size", self.shard_size.is_some(), &[Webdataset]),
            ("--embed-metadata", self.embed_metadata, &[Imagefolder, Webdataset, Parquet]),
            ("--replace", self.replace, &[Jsonl, Csv, Parquet]),
        ];
        for (flag, given, formats) in flags {
            if given && !formats.contains(&self.format) {
                let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
                let format = self.format.name();
                return Err(Usage::error(format!("{flag} is for {}, not for {format}", names.join(" and "))));
            }
        }
        if self.embed_metadata && self.paths {
            return Err(Usage::error(
                "--paths takes no pictures along, so there is nothing to embed metadata in",
            ));
        }
        Ok(())
    }
}

/// `path` is `folder` or below it, as far as both exist.
fn inside(path: &Path, folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    let existing = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = existing.ancestors().find_map(|ancestor| ancestor.canonicalize().ok());
    found.is_some_and(|found| found.starts_with(folder))
}

/// `500MB`, `1GiB`, or bytes.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        unit => return Err(format!("{unit:?} is no unit of size; write it like 500MB or 1GiB")),
    };
    let count: Option<u64> = text[..digits].parse().ok().filter(|count| *count > 0);
    count
        .and_then(|count| count.checked_mul(unit))
        .ok_or_else(|| "write a size like 500MB or 1GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("500MB", 500_000_000), ("1GiB", 1 << 30), ("1 gib", 1 << 30), ("42", 42)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "0", "5XB", "-1MB", "99999999999GB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
