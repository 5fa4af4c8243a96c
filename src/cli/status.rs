//! `imgbatch status`: how a run stands, from the ledger alone.

use std::path::PathBuf;

use super::exit::{Exit, Remains, of_run};
use super::print;
use super::summary::{Summary, shell_word};
use crate::ledger::Reader;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The output folder of a run.
    out: PathBuf,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let reader = Reader::open(&args.out)?;
    let view = reader.view();
    let totals = view.totals()?;
    let exit = of_run(None, &Remains::of(&totals));
    let summary = Summary::of(view, &totals, &args.out, exit)?;
    let resume = format!(
        "imgbatch run MANIFEST --out {0}    # or: imgbatch collect {0}",
        shell_word(&args.out.display().to_string())
    );
    print(&if args.json { summary.json()? } else { summary.text(None, &resume) })?;
    Ok(exit)
}
