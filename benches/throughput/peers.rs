//! The clients that are compared, as commands.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use super::Args;

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// `imgbatch run`, the release binary.
    Imgbatch,
    /// The bare loop that syncs each file and its folder.
    BareSynced,
    /// The bare loop without a sync.
    Bare,
    /// asyncio and aiohttp with a semaphore.
    Aiohttp,
    /// `curl -Z`: the pictures alone, without task, ledger or sync.
    Curl,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Imgbatch => "imgbatch",
            Self::BareSynced => "bare, synced",
            Self::Bare => "bare",
            Self::Aiohttp => "aiohttp",
            Self::Curl => "curl -Z",
        }
    }
}

/// Those that were asked for and can run here.
pub(crate) fn present(args: &Args) -> Vec<Peer> {
    let all = [Peer::BareSynced, Peer::Imgbatch, Peer::Bare, Peer::Aiohttp, Peer::Curl];
    let mut peers: Vec<Peer> =
        all.into_iter().filter(|peer| args.only.is_empty() || args.only.contains(peer)).collect();
    if args.limit.is_some() {
        // The others give up at a refusal.
        peers.retain(|peer| *peer == Peer::Imgbatch);
    }
    if peers.contains(&Peer::Curl) && Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: curl; it is not installed");
        peers.retain(|peer| *peer != Peer::Curl);
    }
    let aiohttp = || Command::new(&args.python).args(["-c", "import aiohttp"]).output();
    if peers.contains(&Peer::Aiohttp) && !aiohttp().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: the aiohttp script; {} has no aiohttp (see --python)", args.python);
        peers.retain(|peer| *peer != Peer::Aiohttp);
    }
    peers
}

/// The command that does all jobs against `address`, into `folder`.
pub(crate) fn command(args: &Args, peer: Peer, address: &str, folder: &Path) -> anyhow::Result<Command> {
    let waiting = args.latency > 0.0;
    let width = if waiting { args.in_flight } else { args.width };
    Ok(match peer {
        Peer::Imgbatch => {
            let manifest = folder.join("fox.toml");
            std::fs::write(&manifest, manifest_of(args.jobs))?;
            let mut command = Command::new(env!("CARGO_BIN_EXE_imgbatch"));
            command.arg("run").arg(manifest).arg("--out").arg(folder.join("out"));
            command.args(["--base-url", address, "--rate", &args.rate, "--yes", "--json"]);
            command.args(["--in-flight", &args.in_flight.to_string()]);
            command.args(["--downloads", &args.downloads.to_string(), "--progress", "none"]);
            command.env("IMGBATCH_API_KEY", "sk-bench");
            command
        }
        Peer::BareSynced | Peer::Bare => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["--bare", address, "--jobs", &args.jobs.to_string()]);
            command.arg("--folder").arg(folder).args(["--latency", &args.latency.to_string()]);
            command.args(["--in-flight", &width.to_string(), "--downloads", &args.downloads.to_string()]);
            if peer == Peer::BareSynced {
                command.arg("--sync");
            }
            command
        }
        Peer::Aiohttp => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/semaphore.py");
            let mut command = Command::new(&args.python);
            command.arg(script).arg(address).arg(folder);
            command.args([args.jobs.to_string(), width.to_string(), args.latency.to_string()]);
            command
        }
        Peer::Curl => {
            let mut wanted = String::new();
            for number in 0..args.jobs {
                let file = folder.join(format!("{number}.png"));
                writeln!(wanted, "url = \"{address}/files/{number}.png\"\noutput = \"{}\"", file.display())?;
            }
            let list = folder.join("wanted");
            std::fs::write(&list, wanted)?;
            let mut command = Command::new("curl");
            command.args(["--parallel", "--parallel-immediate", "--silent", "--show-error", "--fail"]);
            command.args(["--parallel-max", &args.downloads.to_string()]).arg("--config").arg(list);
            command
        }
    })
}

fn manifest_of(jobs: u64) -> String {
    format!(
        "version = 1\nname = \"bench\"\n[[jobs]]\nid = \"fox\"\nprompt = \"A red fox reading in a snowy library, soft daylight\"\nrepeat = {jobs}\n"
    )
}
