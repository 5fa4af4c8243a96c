//! `imgbatch plan`: what would run and why. Streams, so that a plan of a
//! million jobs takes no more memory than one of ten.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;

use super::exit::Exit;
use super::plan_text::{self, Lines};
use super::settings::SelectArgs;
use super::{Global, source};
use crate::enrol::{Action, Comparison, Entry, Problem, compare};
use crate::job::{Credits, Difference};
use crate::ledger::{LedgerError, Reader, View};

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest: TOML, YAML, JSON or a text file with one prompt a line; `-` reads one of the
    /// first three from standard input.
    manifest: PathBuf,
    /// The output folder [default: the manifest's, or out/NAME beside it].
    #[arg(long, env = "IMGBATCH_OUT", value_name = "DIR")]
    out: Option<PathBuf>,
    /// Plan for the folder of the emulator.
    #[arg(long)]
    emulate: bool,
    #[command(flatten)]
    select: SelectArgs,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

/// A job in `plan --json`.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    action: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [Difference]>,
    width: Option<u32>,
    height: Option<u32>,
    credits: Credits,
}

pub(super) fn execute(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let plan = source::load(&args.manifest)?;
    let out = source::out_dir(&plan, args.out.as_deref(), args.emulate);
    let reader = match Reader::open(&out) {
        Ok(reader) => Some(reader),
        Err(LedgerError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let view = reader.as_ref().map(Reader::view);
    if let Some(identity) = view.map(View::identity).transpose()?.flatten()
        && identity.name != plan.name()
    {
        let (theirs, ours) = (identity.name, plan.name().to_owned());
        return Err(LedgerError::Foreign { path: out, what: "name", theirs, ours }.into());
    }
    let selection = args.select.selection();
    // Lines are held back until the whole manifest has proved to be good.
    let mut spool = BufWriter::new(tempfile::tempfile()?);
    let mut lines = Lines::new(global.color(&std::io::stdout()));
    let mut first = true;
    let mut failed = None;
    let comparison = compare(&plan, view, &selection, &mut |entry| {
        let written = if args.json {
            write_json(&mut spool, entry, std::mem::take(&mut first))
        } else {
            lines.write(&mut spool, entry)
        };
        failed = failed.take().or(written.err());
    })
    .map_err(|problem| match problem {
        Problem::Manifest(diagnostics) => anyhow::Error::new(diagnostics),
        Problem::Ledger(error) => error.into(),
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let spool = spool.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    let shown = if args.json {
        print_json(spool, &comparison, &plan)
    } else {
        if !comparison.totals.warnings.is_empty() {
            super::note(&format!(
                "{}\n",
                comparison.totals.warnings.render(global.color(&std::io::stderr()))
            ));
        }
        plan_text::print(spool, &lines, &comparison, &plan, &out)
    };
    match shown {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Success),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Exit::Success),
    }
}

fn write_json(out: &mut impl Write, entry: &Entry<'_>, first: bool) -> std::io::Result<()> {
    let size = entry.wanted.and_then(|wanted| wanted.size);
    let price = entry.wanted.filter(|_| entry.buys).and_then(|wanted| wanted.estimate);
    let changes = match &entry.action {
        Action::Changed(changes) => Some(changes.as_slice()),
        _ => None,
    };
    let line = Line {
        id: entry.id,
        action: entry.action.word(),
        reason: plan_text::reason(&entry.action),
        changes,
        width: size.map(|size| size.0),
        height: size.map(|size| size.1),
        credits: price.unwrap_or_default(),
    };
    out.write_all(if first { b"" } else { b"," })?;
    serde_json::to_writer(out, &line)?;
    Ok(())
}

fn print_json(
    mut spool: std::fs::File,
    comparison: &Comparison,
    plan: &crate::plan::Plan,
) -> std::io::Result<()> {
    use std::io::Seek;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(b"{\"version\":1,\"jobs\":[")?;
    spool.rewind()?;
    std::io::copy(&mut spool, &mut stdout)?;
    let counts = &comparison.counts;
    let mut totals = json!({ "jobs": counts.all().iter().map(|(_, count)| count).sum::<u64>() });
    for (word, count) in counts.all() {
        totals[word] = json!(count);
    }
    totals["submissions"] = json!(comparison.buys);
    totals["images"] = json!(comparison.pictures);
    totals["credits"] = json!(comparison.estimate);
    totals["usd"] = json!((plan.prices().usd(comparison.estimate) * 1e4).round() / 1e4);
    totals["unpriced"] = json!(comparison.unpriced);
    writeln!(stdout, "],\"totals\":{totals}}}")?;
    stdout.flush()
}
