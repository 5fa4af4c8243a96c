//! `check.json`: what the last check found, for whoever shows it later.
//!
//! Findings are gathered in a temporary file and not in memory; the document
//! appears under its name as a whole.

use std::collections::HashMap;
use std::fs::{File, Permissions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use tempfile::NamedTempFile;

use super::finding::{Finding, Totals};

/// Its name in the output folder.
pub const FILE_NAME: &str = "check.json";

pub(super) struct Record {
    findings: BufWriter<File>,
    head: String,
    any: bool,
}

impl Record {
    pub(super) fn begin(out: &Path, run: &str) -> io::Result<Self> {
        // A folder that can't be written can still be checked.
        let findings = tempfile::tempfile_in(out).or_else(|_| tempfile::tempfile())?;
        let now = Timestamp::now().round(jiff::Unit::Millisecond).unwrap_or_default();
        let head =
            format!("{{\"version\":1,\"run\":{},\"checked_at\":\"{now}\",\n\"findings\":[", json!(run));
        Ok(Self { findings: BufWriter::new(findings), head, any: false })
    }

    pub(super) fn add(&mut self, finding: &Finding) -> io::Result<()> {
        self.findings.write_all(if self.any { b",\n" } else { b"\n" })?;
        self.any = true;
        Ok(serde_json::to_writer(&mut self.findings, finding)?)
    }

    /// The document, and why it could not be kept.
    pub(super) fn finish(self, out: &Path, totals: &Totals) -> io::Result<(String, Option<io::Error>)> {
        let mut findings = self.findings.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut document = self.head;
        findings.rewind()?;
        findings.read_to_string(&mut document)?;
        document += "],\n\"totals\":";
        document += &serde_json::to_string(totals)?;
        document += "}\n";
        let kept = keep(out, document.as_bytes());
        Ok((document, kept.err()))
    }
}

/// What the last check of an output folder found, by file.
#[derive(Debug, Default)]
pub struct LastCheck {
    checked_at: Timestamp,
    found: HashMap<String, Vec<Finding>>,
}

impl LastCheck {
    /// That of an output folder; an empty one where none was written.
    pub fn open(out: &Path) -> io::Result<Self> {
        #[derive(Deserialize)]
        struct Document {
            checked_at: String,
            findings: Vec<Finding>,
        }
        let file = match File::open(out.join(FILE_NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let document: Document = serde_json::from_reader(BufReader::new(file))?;
        let checked_at = document.checked_at.parse().map_err(io::Error::other)?;
        let mut last = Self { checked_at, found: HashMap::new() };
        for finding in document.findings {
            last.found.entry(finding.path.clone()).or_default().push(finding);
        }
        Ok(last)
    }

    /// What was found about the picture at this path, unless it came after
    /// the check; `saved_at` in milliseconds since 1970.
    #[must_use]
    pub fn of(&self, path: &str, saved_at: i64) -> &[Finding] {
        let known = saved_at <= self.checked_at.as_millisecond();
        self.found.get(path).filter(|_| known).map_or(&[], Vec::as_slice)
    }
}

fn keep(out: &Path, document: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::with_prefix_in(".imgbatch-", out)?;
    file.write_all(document)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600))?;
    file.as_file().sync_all()?;
    file.persist(out.join(FILE_NAME)).map(drop).map_err(|error| error.error)
}
