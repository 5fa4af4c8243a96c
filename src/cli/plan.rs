//! `imgbatch plan`: what would run and why. Streams, so that a plan of a
//! million jobs takes no more memory than one of ten.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::connect::Provider;
use super::dated::RunArgs;
use super::exit::Exit;
use super::plan_text::{self, Lines, Outlook, Page, free_bytes};
use super::probe::Links;
use super::settings::{self, PaceArgs, SelectArgs};
use super::{Global, note, print, purse, source};
use crate::api::Balance;
use crate::emulator;
use crate::enrol::{Action, Entry, Problem, compare};
use crate::job::{Credits, Difference, Raises};
use crate::ledger::{LedgerError, Reader, Snapshot, View};
use crate::plan::Plan;

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
    /// A file of prices that replaces the published ones and the manifest's.
    #[arg(long, env = "IMGBATCH_PRICES", value_name = "FILE")]
    prices: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    ask: AskArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

/// What is asked of the network; nothing, unless it is wanted.
#[derive(Debug, clap::Args)]
struct AskArgs {
    /// Ask the API for the balance; needs a key.
    #[arg(long, conflicts_with = "emulate")]
    balance: bool,
    /// Ask for the pictures behind links: whether they are there, and are what the API takes.
    #[arg(long)]
    probe: bool,
    /// The API's address, for --balance and --probe [default: the manifest's].
    #[arg(long, env = "IMGBATCH_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
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
    let mut plan = source::load(&args.manifest, args.prices.as_deref())?;
    args.run.rename(&mut plan)?;
    let out = source::out_dir(&plan, args.out.as_deref(), args.emulate);
    let reader = open(&out, &plan)?;
    let moment = reader.as_ref().map(Reader::snapshot).transpose()?;
    let view = moment.as_ref().map(Snapshot::view);
    let selection = args.select.selection()?;
    let settings = settings::resolve(&args.pace, &plan.manifest().run, plan.prices(), &selection, true)?;
    let mut found = Found::new(args)?;
    let limits = settings::limits(&args.pace, &plan.manifest().budget, plan.prices())?;
    let base_url = args.ask.base_url.as_deref().or(plan.manifest().provider.base_url.as_deref());
    let (standings, mut raises) =
        if args.emulate { (Vec::new(), Raises::default()) } else { purse::look(limits, base_url)? };
    if let Some(view) = view {
        raises.extend(&view.raises()?);
    }
    let comparison =
        compare(&plan, view, &selection, &raises, &mut |entry| found.take(entry)).map_err(broken)?;
    if let Some(links) = &found.links {
        note(&links.ask(plan.manifest(), args.ask.base_url.as_deref())?);
    }
    let outlook = Outlook {
        plan: &plan,
        comparison: &comparison,
        settings: &settings,
        committed: view.map_or(Ok(Credits::ZERO), View::committed)?,
        standings: &standings,
        free: free_bytes(&out),
        balance: args.ask.balance.then(|| balance(args, &plan, &out).map_err(|error| format!("{error:#}"))),
        takes_files: args.emulate || plan.manifest().provider.files_url.is_some(),
    };
    let shown = match found.shown {
        Shown::Json { spool, failed, .. } => failed.map_or_else(|| print_json(spool, &outlook), Err),
        Shown::Text(lines) => print_text(&lines, &outlook, &out, global),
    };
    match shown {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Success),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Exit::Success),
    }
}

/// The ledger of the output folder, if there is one and it is this batch's.
fn open(out: &Path, plan: &Plan) -> anyhow::Result<Option<Reader>> {
    let reader = match Reader::open(out) {
        Ok(reader) => reader,
        Err(LedgerError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match reader.view().identity()? {
        Some(identity) if identity.name != plan.name() => {
            let (theirs, ours) = (identity.name, plan.name().to_owned());
            Err(LedgerError::Foreign { path: out.to_owned(), what: "name", theirs, ours }.into())
        }
        _ => Ok(Some(reader)),
    }
}

pub(super) fn broken(problem: Problem) -> anyhow::Error {
    match problem {
        Problem::Manifest(diagnostics) => diagnostics.into(),
        Problem::Ledger(error) => error.into(),
    }
}

/// What a pass over the plan leaves: lines for people or for machines, and
/// the links to ask for.
struct Found {
    shown: Shown,
    links: Option<Links>,
}

enum Shown {
    /// Held back until the whole manifest has proved to be good, and not in
    /// memory: there may be millions.
    Json {
        spool: BufWriter<File>,
        first: bool,
        failed: Option<std::io::Error>,
    },
    Text(Box<Lines>),
}

impl Found {
    fn new(args: &Args) -> std::io::Result<Self> {
        let shown = if args.json {
            Shown::Json { spool: BufWriter::new(tempfile::tempfile()?), first: true, failed: None }
        } else {
            Shown::Text(Box::default())
        };
        Ok(Self { shown, links: args.ask.probe.then(Links::default) })
    }

    fn take(&mut self, entry: &Entry<'_>) {
        match &mut self.shown {
            Shown::Json { spool, first, failed } => {
                let written = write_json(spool, entry, std::mem::take(first));
                *failed = failed.take().or(written.err());
            }
            Shown::Text(lines) => lines.add(entry),
        }
        if let (Some(links), Some(wanted), true) = (&mut self.links, entry.wanted, entry.buys) {
            links.add(wanted);
        }
    }
}

/// Asks the API; needs a key and the address.
fn balance(args: &Args, plan: &Plan, out: &Path) -> anyhow::Result<Balance> {
    let provider = Provider::resolve(plan.manifest(), args.ask.base_url.as_deref(), false)?;
    let key = provider.key()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connection = provider.connect(key, out, emulator::Options::default()).await?;
        Ok(connection.client.credits().await?)
    })
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

fn print_json(spool: BufWriter<File>, outlook: &Outlook<'_>) -> std::io::Result<()> {
    let mut spool = spool.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(b"{\"version\":1,\"jobs\":[")?;
    spool.rewind()?;
    std::io::copy(&mut spool, &mut stdout)?;
    stdout.write_all(b"]")?;
    for (key, value) in outlook.json() {
        write!(stdout, ",\"{key}\":{value}")?;
    }
    stdout.write_all(b"}\n")?;
    stdout.flush()
}

fn print_text(lines: &Lines, outlook: &Outlook<'_>, out: &Path, global: &Global) -> std::io::Result<()> {
    let warnings = &outlook.comparison.totals.warnings;
    if !warnings.is_empty() {
        note(&format!("{}\n\n", warnings.render(global.color(&std::io::stderr()))));
    }
    let stdout = std::io::stdout();
    let page = Page::of(&stdout, global.color(&stdout));
    let heading = format!("{} -> {}\n\n", outlook.plan.name(), out.display());
    print(&format!("{heading}{}", plan_text::screen(&page, lines, outlook)))
}
