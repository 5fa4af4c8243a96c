//! The emulator: beside a run (`--emulate`), or as a server of its own.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::exit::Exit;
use super::signals::{self, Signals};
use super::{Usage, print};
use crate::emulator::{
    Emulator, FAULT_MEANINGS, FaultMeaning, Faults, Idempotency, Latency, Options, RateLimit,
};
use crate::manifest::units::Period;

/// The emulator in the process, in place of the API.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct EmulateArgs {
    /// Use an emulator of the API inside this process: no key, no network, no cost.
    #[arg(long)]
    pub(super) emulate: bool,
    /// What the emulator does wrong, such as `429=0.1,damaged@3`.
    #[arg(long, value_name = "FAULTS", requires = "emulate")]
    emulate_faults: Option<String>,
    /// How long its tasks take: `by-size`, `2s`, or `1s..3s`.
    #[arg(long, value_name = "TIME", requires = "emulate")]
    emulate_latency: Option<String>,
}

impl EmulateArgs {
    /// The emulator's options.
    pub(super) fn options(&self) -> anyhow::Result<Options> {
        let mut options = Options::default();
        if let Some(faults) = &self.emulate_faults {
            options.faults = parse("--emulate-faults", faults)?;
        }
        if let Some(latency) = &self.emulate_latency {
            options.latency = parse("--emulate-latency", latency)?;
        }
        Ok(options)
    }
}

/// Arguments of `emulator`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = fault_help())]
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
pub(super) struct Args {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    listen: SocketAddr,
    /// Keep tasks, bills and uploads in this folder, so that they survive a restart.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How long tasks take: `by-size`, `2s`, or `1s..3s`.
    #[arg(long, value_name = "TIME")]
    latency: Option<String>,
    /// How long the answer to a submission takes.
    #[arg(long, value_name = "TIME")]
    create_latency: Option<Period>,
    /// What goes wrong, such as `429=0.1,drop-after@3,fail:service_error=0.02,seed=7`.
    #[arg(long, value_name = "FAULTS")]
    faults: Option<String>,
    /// Accept only this key; may be given several times. Without it any key is accepted.
    #[arg(long = "accept-key", value_name = "KEY")]
    keys: Vec<String>,
    /// Refuse more submissions than this with 429, such as 20/10s.
    #[arg(long, value_name = "N/TIME")]
    rate: Option<String>,
    /// Credits of the account; without it they never end.
    #[arg(long, value_name = "CREDITS")]
    balance: Option<f64>,
    /// Charge every price so many times.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR")]
    price_factor: f64,
    /// What a repeated Idempotency-Key does: honoured, ignored or conflict.
    #[arg(long, value_name = "POLICY")]
    idempotency: Option<String>,
    /// Show the balance of so long ago.
    #[arg(long, value_name = "TIME")]
    balance_lag: Option<Period>,
    /// Leave out the batch read.
    #[arg(long)]
    no_batch: bool,
    /// Leave out the list of tasks.
    #[arg(long)]
    no_list: bool,
    /// Show a new task in the list only after so long.
    #[arg(long, value_name = "TIME")]
    list_delay: Option<Period>,
    /// Serve one cached picture a size, for large tests.
    #[arg(long)]
    cached_pictures: bool,
    /// Pad cached pictures to this many bytes.
    #[arg(long, value_name = "BYTES", requires = "cached_pictures")]
    picture_bytes: Option<usize>,
    /// How long result links live.
    #[arg(long, default_value = "24h", value_name = "TIME")]
    link_life: Period,
    /// Uploads that may live at once.
    #[arg(long, default_value_t = 2000, value_name = "N")]
    upload_quota: usize,
    /// Refuse callbacks to this machine, as the API refuses internal addresses and plain HTTP.
    #[arg(long)]
    no_local_callbacks: bool,
    /// Refuse references and masks on this machine, uploads excepted.
    #[arg(long)]
    no_local_references: bool,
    /// Fetch references from other machines and post callbacks to them.
    #[arg(long)]
    allow_remote_hosts: bool,
}

/// The faults, at the end of `--help`.
fn fault_help() -> String {
    let mut text = String::from(
        "Faults, as `--faults 'NAME=PROBABILITY,NAME@POSITION,NAME:ARGUMENT'` or `[emulate: NAME ARGUMENT]` in a prompt:\n",
    );
    for FaultMeaning { name, meaning, .. } in FAULT_MEANINGS {
        // Writing to a string can't fail.
        let _ = writeln!(text, "  {name:<18} {meaning}");
    }
    text
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let options = options(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let Signals { mut stop, .. } = signals::listen()?;
        let emulator = Emulator::start(options).await?;
        print(&format!(
            "listening on {0}\nstatistics at {0}/emulator/stats, bills at {0}/emulator/bills, the description at {0}/openapi.json\n",
            emulator.base_url(),
        ))?;
        // The sender lives as long as the runtime.
        let _ = stop.changed().await;
        emulator.stop().await;
        Ok(Exit::Success)
    })
}

fn options(args: &Args) -> anyhow::Result<Options> {
    let mut options = Options {
        listen: args.listen,
        state: args.state.clone(),
        create_latency: time(args.create_latency),
        keys: (!args.keys.is_empty()).then(|| args.keys.clone()),
        balance: args.balance,
        price_factor: args.price_factor,
        balance_lag: time(args.balance_lag),
        batch: !args.no_batch,
        list: !args.no_list,
        list_delay: time(args.list_delay),
        cached_pictures: args.cached_pictures,
        picture_bytes: args.picture_bytes,
        link_life: args.link_life.0,
        upload_quota: args.upload_quota,
        allow_remote_hosts: args.allow_remote_hosts,
        allow_local_references: !args.no_local_references,
        allow_local_callbacks: !args.no_local_callbacks,
        ..Options::default()
    };
    if let Some(latency) = &args.latency {
        options.latency = parse::<Latency>("--latency", latency)?;
    }
    if let Some(faults) = &args.faults {
        options.faults = parse::<Faults>("--faults", faults)?;
    }
    if let Some(rate) = &args.rate {
        options.rate = Some(parse::<RateLimit>("--rate", rate)?);
    }
    if let Some(policy) = &args.idempotency {
        options.idempotency = parse::<Idempotency>("--idempotency", policy)?;
    }
    Ok(options)
}

/// Absent is at once.
fn time(period: Option<Period>) -> Duration {
    period.map_or(Duration::ZERO, |Period(time)| time)
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(flag: &str, text: &str) -> anyhow::Result<T> {
    text.parse().map_err(|error| Usage::error(format!("{flag} {text:?}: {error}")))
}
