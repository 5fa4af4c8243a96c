//! `imgbatch status`: how a run stands, from the ledger alone.

use std::path::{Path, PathBuf};

use super::by::By;
use super::exit::{Exit, Remains, of_run};
use super::print;
use super::summary::{Next, Summary, shell_word};
use super::watch::{Look, watch};
use crate::ledger::{FolderLock, Reader, Totals, View};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The output folder of a run.
    out: PathBuf,
    /// Look again every second until the run ends.
    #[arg(long)]
    watch: bool,
    /// Tell the figures apart by a column: one of `meta`, an axis, or `id`.
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let look = |reader: &Reader| look(args, reader);
    let Look { summary, exit, .. } =
        if args.watch { watch(&args.out, args.json, look)? } else { look(&Reader::open(&args.out)?)? };
    print(&if args.json { summary.json()? } else { summary.text(None) })?;
    Ok(exit)
}

fn look(args: &Args, reader: &Reader) -> anyhow::Result<Look> {
    let view = reader.view();
    let totals = view.totals()?;
    let exit = of_run(None, &Remains::of(&totals));
    let by = args.by.as_deref().map(|column| By::of(view, column)).transpose()?;
    let mut summary = Summary::of(view, &totals, &args.out, exit)?;
    summary.count_reuse(view.saved()?);
    summary.say_next(next(view, &totals, &args.out)?);
    summary.tell_apart(by);
    Ok(Look { totals, summary, exit })
}

/// What a user can do about what is left.
fn next(view: View<'_>, totals: &Totals, out: &Path) -> anyhow::Result<Next> {
    if FolderLock::is_held(out)? {
        return Ok(Next::Going);
    }
    let collect = format!("imgbatch collect {}", shell_word(&out.display().to_string()));
    let resume = view.resume()?.filter(|_| totals.jobs.pending > 0);
    Ok(Next::Command(resume.unwrap_or(collect)))
}
