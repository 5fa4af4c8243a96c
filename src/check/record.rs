//! `check.json`: what the last check found, for whoever shows it later.
//!
//! Findings are gathered in a temporary file and not in memory; the document
//! appears under its name as a whole.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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
        let now = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default();
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

fn keep(out: &Path, document: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::with_prefix_in(".imgbatch-", out)?;
    file.write_all(document)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600))?;
    file.as_file().sync_all()?;
    file.persist(out.join(FILE_NAME)).map(drop).map_err(|error| error.error)
}
