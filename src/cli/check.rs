//! `imgbatch check`: every file against the ledger.

use std::path::PathBuf;

use super::exit::Exit;
use super::{note, print};
use crate::check::{CheckError, FILE_NAME, Finding, Totals, check};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The output folder of a run.
    out: PathBuf,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let mut printed = Ok(());
    let checked = check(&args.out, &mut |finding| {
        if !args.json && printed.is_ok() {
            printed = print(&line(finding));
        }
    })
    .map_err(|error| match error {
        CheckError::Ledger(error) => error.into(),
        error => anyhow::Error::from(error),
    })?;
    printed?;
    print(&if args.json { checked.document } else { text(&checked.totals) })?;
    if let Some(error) = checked.not_kept {
        note(&format!(
            "the result is not kept: can't write {}: {error}\n",
            args.out.join(FILE_NAME).display()
        ));
    }
    let bad = checked.totals.missing + checked.totals.damaged > 0;
    Ok(if bad { Exit::Attention } else { Exit::Success })
}

fn line(finding: &Finding) -> String {
    let like = finding.like.as_ref().map(|like| format!(": nearly the same as {}", shown(like)));
    let detail = finding.detail.as_ref().map(|detail| format!(": {}", shown(detail)));
    let (like, detail) = (like.unwrap_or_default(), detail.unwrap_or_default());
    format!("{:<8} {}{like}{detail}\n", finding.kind.word(), shown(&finding.path))
}

/// Names of strangers' files must not steer a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn text(totals: &Totals) -> String {
    let Totals { pictures, missing, damaged, unknown, blank, similar, other_size, .. } = totals;
    format!(
        "{pictures} pictures: {missing} missing, {damaged} damaged, {other_size} of another size, {blank} blank, {similar} similar; {unknown} unknown files\n"
    )
}
