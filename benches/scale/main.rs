//! What a large batch costs before and after its pictures: planning,
//! enrolling, starting again over finished jobs, the first submission of a run,
//! and room in the ledger.
//!
//! `cargo bench --bench scale -- --help`. No request leaves the machine.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

mod fill;
mod first;
#[path = "../shared/measure.rs"]
mod measure;

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};

use first::{Doorman, Then};
use measure::Cost;

/// Measures large manifests and ledgers.
#[derive(Clone, Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command")]
struct Args {
    /// Jobs.
    #[arg(long, default_value_t = 100_000)]
    jobs: u64,
    /// Where everything is written [default: a temporary folder].
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Leave out the ledger that is full of finished jobs, and its files.
    #[arg(long)]
    no_finished: bool,
    /// Measure the first submission after a start with empty caches as well; takes root.
    #[arg(long)]
    cold: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    #[arg(long, hide = true)]
    bench: bool,
}

/// The measured commands, in order.
#[derive(Default)]
struct Figures(Vec<(&'static str, f64, Option<f64>)>);

impl Figures {
    fn add(&mut self, what: &'static str, cost: &Cost) -> f64 {
        let (seconds, mib) = (cost.wall.as_secs_f64(), cost.peak_kib as f64 / 1024.0);
        eprintln!("{what}: {seconds:.2} s, {mib:.0} MiB, exit code {:?}", cost.code);
        self.0.push((what, seconds, Some(mib)));
        seconds
    }

    fn add_first(&mut self, what: &'static str, mut taken: Vec<Duration>) {
        taken.sort();
        let seconds = taken[taken.len() / 2].as_secs_f64();
        eprintln!("{what}: {seconds:.3} s, the median of {}", taken.len());
        self.0.push((what, seconds, None));
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let temporary = tempfile::tempdir()?;
    let folder = args.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let manifest = write_manifest(&folder, args.jobs)?;
    let out = folder.join("out");
    let mut figures = Figures::default();
    let doorman = Doorman::start()?;
    let run = |limit| run(&manifest, &out, &doorman.base_url, limit);

    figures.add_first("first request, ten jobs", first_of_ten(&folder, &doorman)?);
    figures.add("plan, nothing known", &measure::run(&mut plan(&manifest, &out))?);
    let enrolled = figures.add("enrol", &measure::run(&mut run(Some(0)))?);
    let inserted = bare_insert(&out, &folder)?;
    figures.add("start, all pending", &measure::run(&mut run(Some(0)))?);
    let pending_bytes = ledger_bytes(&out)?;
    let mut settled_bytes = pending_bytes;
    if !args.no_finished {
        let begun = Instant::now();
        fill::finish_all(&out, &doorman.base_url)?;
        eprintln!("filled in {:.1} s", begun.elapsed().as_secs_f64());
        settled_bytes = ledger_bytes(&out)?;
        figures.add("start, all finished, first", &measure::run(&mut run(Some(0)))?);
        figures.add("start, all finished", &measure::run(&mut run(Some(0)))?);
        figures.add("status, all finished", &measure::run(imgbatch().arg("status").arg(&out).arg("--json"))?);
        figures.add("plan, all finished", &measure::run(&mut plan(&manifest, &out))?);
        let gallery = |figures: &mut Figures, what| -> anyhow::Result<()> {
            figures.add(what, &measure::run(imgbatch().arg("gallery").arg(&out))?);
            Ok(())
        };
        gallery(&mut figures, "gallery, new thumbnails")?;
        gallery(&mut figures, "gallery")?;
        for (what, format) in [("export, jsonl", "jsonl"), ("export, csv", "csv")] {
            let to = folder.join(format!("export.{format}"));
            let mut export = imgbatch();
            export.arg("export").arg(&out).args(["--format", format]).arg("--to").arg(to);
            figures.add(what, &measure::run(&mut export)?);
        }
        write_rows(&folder, args.jobs + args.jobs.div_ceil(100))?;
        figures.add("start, 1 % more rows", &measure::run(&mut run(Some(0)))?);
        let first = |then| doorman.time(&mut run(None), then);
        figures.add_first("first request", (0..5).map(|_| first(Then::Refused)).collect::<Result<_, _>>()?);
        if args.cold {
            drop_caches()?;
            figures.add_first("first request, cold", vec![first(Then::Refused)?]);
        }
        first(Then::Killed)?;
        figures.add_first("first request after a kill", vec![first(Then::Killed)?]);
    }

    let per_job = |bytes: u64| bytes as f64 / args.jobs as f64;
    let (pending, settled) = (per_job(pending_bytes), per_job(settled_bytes));
    if args.json {
        let rows: Vec<Value> =
            figures.0.iter().map(|(what, s, mib)| json!({"what": what, "s": s, "peak_mib": mib})).collect();
        println!(
            "{}",
            json!({"jobs": args.jobs, "measured": rows, "bare_insert_s": inserted,
            "enrol_over_insert": enrolled / inserted, "bytes_per_pending_job": pending,
            "bytes_per_settled_job": settled})
        );
        return Ok(());
    }
    let mut table = format!("{:<28}{:>9}{:>11}\n", format!("{} jobs", args.jobs), "s", "peak MiB");
    for (what, seconds, mib) in &figures.0 {
        let mib = mib.map_or_else(String::new, |mib| format!("{mib:.1}"));
        writeln!(table, "{what:<28}{seconds:>9.3}{mib:>11}")?;
    }
    println!(
        "{table}bare insert of the same rows {inserted:.2} s; enrolling is {:.2} x",
        enrolled / inserted
    );
    println!("ledger: {pending:.0} bytes a pending job, {settled:.0} a settled one");
    Ok(())
}

fn imgbatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgbatch"));
    command.env("IMGBATCH_API_KEY", "sk-bench");
    command
}

fn plan(manifest: &Path, out: &Path) -> Command {
    let mut command = imgbatch();
    command.arg("plan").arg(manifest).arg("--out").arg(out).arg("--json");
    command
}

fn run(manifest: &Path, out: &Path, base_url: &str, limit: Option<u64>) -> Command {
    let mut command = imgbatch();
    command.arg("run").arg(manifest).arg("--out").arg(out);
    command.args(["--yes", "--json", "--rate", "1000/s", "--base-url", base_url]);
    command.args(limit.map(|limit| format!("--limit={limit}")));
    command
}

/// From nothing to the first submission of a small file, several times.
fn first_of_ten(folder: &Path, doorman: &Doorman) -> anyhow::Result<Vec<Duration>> {
    let path = folder.join("ten.txt");
    let lines: Vec<String> = (0..10).map(|number| format!("a mug of model {number}")).collect();
    std::fs::write(&path, lines.join("\n"))?;
    (0..15)
        .map(|round| {
            let out = folder.join(format!("ten-{round}"));
            doorman.time(&mut run(&path, &out, &doorman.base_url, None), Then::Refused)
        })
        .collect()
}

/// What the kernel knows of files, and what of them is on disk.
fn drop_caches() -> anyhow::Result<()> {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").context("only root can empty the caches")
}

fn write_manifest(folder: &Path, jobs: u64) -> std::io::Result<PathBuf> {
    write_rows(folder, jobs)?;
    let path = folder.join("catalog.toml");
    std::fs::write(
        &path,
        "version = 1\nname = \"scale\"\n[[jobs]]\nid = \"sku-{{ sku }}\"\nrows = \"rows.jsonl\"\n\
         prompt = \"Studio photo of {{ thing }}, soft daylight, no text\"\n",
    )?;
    Ok(path)
}

fn write_rows(folder: &Path, jobs: u64) -> std::io::Result<()> {
    let mut rows = BufWriter::new(std::fs::File::create(folder.join("rows.jsonl"))?);
    for job in 0..jobs {
        writeln!(rows, r#"{{"sku":"{job:07}","thing":"a mug of model {job} with a glazed handle"}}"#)?;
    }
    rows.flush()
}

fn ledger_bytes(out: &Path) -> std::io::Result<u64> {
    Ok(std::fs::metadata(out.join("ledger.db"))?.len())
}

/// Seconds to insert the rows of the enrolled ledger into an empty one with
/// the same indexes, in one transaction.
fn bare_insert(out: &Path, folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("bare.db");
    let from = rusqlite::Connection::open(out.join("ledger.db"))?;
    let to = rusqlite::Connection::open(&path)?;
    to.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    to.pragma_update(None, "synchronous", "FULL")?;
    let mut schema =
        from.prepare("SELECT sql FROM sqlite_schema WHERE tbl_name = 'job' AND sql IS NOT NULL")?;
    for sql in schema.query_map([], |row| row.get::<_, String>(0))? {
        to.execute_batch(&sql?)?;
    }
    let mut select = from.prepare("SELECT * FROM job ORDER BY seq")?;
    let columns = select.column_count();
    let rows: Vec<Vec<Cell>> = select
        .query_map([], |row| (0..columns).map(|at| row.get(at)).collect())?
        .collect::<Result<_, _>>()?;
    let places = vec!["?"; columns].join(", ");
    let begun = Instant::now();
    to.execute_batch("BEGIN")?;
    let mut insert = to.prepare(&format!("INSERT INTO job VALUES ({places})"))?;
    for row in &rows {
        insert.execute(rusqlite::params_from_iter(row))?;
    }
    drop(insert);
    to.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    let seconds = begun.elapsed().as_secs_f64();
    drop(to);
    std::fs::remove_file(path)?;
    Ok(seconds)
}
