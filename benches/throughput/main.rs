//! How fast `imgbatch run` gets through a batch, beside a bare loop that does
//! the same requests and beside a script as people write it.
//!
//! `cargo bench --bench throughput -- --help`. The clients run one after
//! another, every round all of them, into fresh folders: absolute figures
//! drift with the machine, the ratios of one invocation do not. The stub has the
//! first core for itself, the clients have the others, or all.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

mod bare;
mod limit;
#[path = "../shared/measure.rs"]
mod measure;
mod peers;
mod pin;
mod stub;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use serde_json::{Value, json};

use limit::Limit;
use measure::{Cost, median};
use peers::Peer;

#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
/// Measures `imgbatch run` and its peers against a stub of the API.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Args {
    /// Jobs a client and round.
    #[arg(long, default_value_t = 3000)]
    jobs: u64,
    /// Rounds; the table shows medians.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds that a task takes.
    #[arg(long, default_value_t = 0.0)]
    latency: f64,
    /// Size of a picture.
    #[arg(long, default_value_t = 64 * 1024)]
    picture_bytes: usize,
    /// Tasks in flight of `imgbatch`, and of the others where tasks take time.
    #[arg(long, default_value_t = 4000)]
    in_flight: usize,
    /// Jobs at once of the others where tasks take no time: more only slow them down.
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// Downloads at once.
    #[arg(long, default_value_t = 64)]
    downloads: usize,
    /// The pace of `imgbatch`; the others have none.
    #[arg(long, default_value = "100000/s")]
    rate: String,
    /// The limit of the stub, which answers what is beyond it with 429:
    /// `bucket:RATE:DEPTH` or `window:RATE`, a second each. Only for `imgbatch`.
    #[arg(long)]
    limit: Option<Limit>,
    /// The Python with aiohttp.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Let the clients use the stub's core as well.
    #[arg(long)]
    all_cores: bool,
    /// Where the clients write, and what they wrote stays [default: a temporary folder].
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only these clients.
    #[arg(long, value_enum)]
    only: Vec<Peer>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the stub.
    #[arg(long, hide = true)]
    stub: bool,
    /// Be the bare loop, against this address.
    #[arg(long, hide = true)]
    bare: Option<String>,
    #[arg(long, hide = true)]
    sync: bool,
}

/// One client in one round.
#[derive(Clone, Debug)]
struct Row {
    peer: Peer,
    cost: Cost,
    counts: Value,
    pictures: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // The first provider stays; there is only this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if args.stub || args.bare.is_some() {
        return child(&args);
    }
    // Deleted at the end only: ext4 looks long for a new file's place where many
    // have just been deleted.
    let temporary = tempfile::tempdir()?;
    let folder = args.folder.clone().unwrap_or_else(|| temporary.path().to_owned());
    let peers = peers::present(&args);
    let stub = Stub::start(&args)?;
    if !args.all_cores {
        // Children stay where their parent is.
        pin::to_all_but_the_first()?;
    }
    let mut rows = vec![];
    for round in 0..args.rounds {
        for peer in &peers {
            let into = folder.join(format!("{round}-{}", peer.name()));
            // What another client wrote is on the disk before this one starts.
            rustix::fs::sync();
            let row = measure_one(&args, *peer, &stub, &into)?;
            eprintln!("round {}: {:<12} {:>7.0} jobs/s", round + 1, peer.name(), row.rate(args.jobs));
            rows.push(row);
        }
    }
    drop(stub);
    report(&args, &peers, &rows);
    Ok(())
}

fn child(args: &Args) -> anyhow::Result<()> {
    let latency = Duration::from_secs_f64(args.latency);
    if args.stub {
        pin::to_the_first()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(stub::serve(latency, args.picture_bytes, args.limit));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let order = bare::Order {
        base_url: args.bare.clone().context("no address")?,
        folder: args.folder.clone().context("no folder")?,
        jobs: args.jobs,
        in_flight: args.in_flight,
        downloads: args.downloads,
        latency,
        sync: args.sync,
    };
    runtime.block_on(bare::run(order))
}

fn measure_one(args: &Args, peer: Peer, stub: &Stub, folder: &Path) -> anyhow::Result<Row> {
    std::fs::create_dir_all(folder)?;
    let mut command = peers::command(args, peer, &stub.address, folder)?;
    stub.counts()?;
    let cost = measure::run(&mut command)?;
    let counts = stub.counts()?;
    let pictures = count_pictures(folder)?;
    anyhow::ensure!(
        pictures == args.jobs,
        "{} stored {pictures} pictures of {} jobs (exit code {:?}): {}",
        peer.name(),
        args.jobs,
        cost.code,
        String::from_utf8_lossy(&cost.stdout)
    );
    Ok(Row { peer, cost, counts, pictures })
}

fn count_pictures(folder: &Path) -> std::io::Result<u64> {
    let mut pictures = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            pictures += count_pictures(&path)?;
        } else {
            pictures += u64::from(path.extension().is_some_and(|extension| extension == "png"));
        }
    }
    Ok(pictures)
}

/// The stub in its own process.
struct Stub {
    child: Child,
    address: String,
}

impl Stub {
    fn start(args: &Args) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--stub")
            .args(["--latency", &args.latency.to_string()])
            .args(["--picture-bytes", &args.picture_bytes.to_string()])
            .args(args.limit.iter().flat_map(|limit| ["--limit".to_owned(), limit.to_string()]))
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }

    /// What arrived since the last time.
    fn counts(&self) -> anyhow::Result<Value> {
        let url = format!("{}/counts", self.address);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        runtime.block_on(async { Ok(client.get(url).send().await?.json().await?) })
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        // Its end is all that is wanted; it may have died already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Row {
    fn rate(&self, jobs: u64) -> f64 {
        jobs as f64 / self.cost.wall.as_secs_f64()
    }

    fn count(&self, name: &str) -> f64 {
        self.counts[name].as_f64().unwrap_or_default()
    }

    /// Submissions taken a second, from the first to the last, as a share of the limit.
    fn share(&self, limit: Limit) -> f64 {
        let taken = self.count("creates") - self.count("refused");
        (taken - 1.0) / (self.count("span_ms") / 1000.0) / f64::from(limit.rate())
    }
}

fn report(args: &Args, peers: &[Peer], rows: &[Row]) {
    let of = |peer: Peer, figure: &dyn Fn(&Row) -> f64| {
        median(rows.iter().filter(|row| row.peer == peer).map(figure).collect())
    };
    let jobs = args.jobs as f64;
    let mut table = vec![];
    for peer in peers {
        // Each round's ratio by itself, so that the machine's drift cancels out.
        let ratio = median(
            rows.iter()
                .filter(|row| row.peer == Peer::Imgbatch)
                .zip(rows.iter().filter(|row| row.peer == *peer))
                .map(|(ours, theirs)| theirs.cost.wall.as_secs_f64() / ours.cost.wall.as_secs_f64())
                .collect(),
        );
        table.push(json!({
            "client": peer.name(),
            "jobs_per_s": of(*peer, &|row| row.rate(args.jobs)),
            "cpu_s_per_1000": of(*peer, &|row| row.cost.cpu_s * 1000.0 / jobs),
            "peak_mib": of(*peer, &|row| row.cost.peak_kib as f64 / 1024.0),
            "submissions": of(*peer, &|row| row.count("creates")),
            "refused": of(*peer, &|row| row.count("refused")),
            "of_the_limit": args.limit.map(|limit| of(*peer, &|row| row.share(limit))),
            "polls_per_job": of(*peer, &|row| (row.count("reads") + row.count("batch_reads")) / jobs),
            "pictures": of(*peer, &|row| row.pictures as f64),
            "imgbatch_is": ratio,
        }));
    }
    if args.json {
        println!(
            "{}",
            json!({"jobs": args.jobs, "rounds": args.rounds, "latency_s": args.latency,
            "picture_bytes": args.picture_bytes, "in_flight": args.in_flight, "clients": table})
        );
        return;
    }
    println!(
        "{:<14}{:>9}{:>14}{:>10}{:>9}{:>6}{:>11}{:>13}",
        "client", "jobs/s", "CPU s/1,000", "peak MiB", "creates", "429", "polls/job", "imgbatch is"
    );
    for row in &table {
        let figure = |name: &str| row[name].as_f64().unwrap_or_default();
        println!(
            "{:<14}{:>9.0}{:>14.3}{:>10.1}{:>9.0}{:>6.0}{:>11.3}{:>11.2} x",
            row["client"].as_str().unwrap_or_default(),
            figure("jobs_per_s"),
            figure("cpu_s_per_1000"),
            figure("peak_mib"),
            figure("submissions"),
            figure("refused"),
            figure("polls_per_job"),
            figure("imgbatch_is"),
        );
        if let Some(limit) = args.limit {
            println!("{limit}: {:.3} of the limit was used", figure("of_the_limit"));
        }
    }
}
