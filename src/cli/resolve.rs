//! `imgbatch resolve`: without a decision it tries everything that resolves an
//! unknown submission and buys nothing; with one a person decides.

use std::path::PathBuf;

use super::collect::FromLedger;
use super::emulate::EmulateArgs;
use super::exit::Exit;
use super::notify::Notice;
use super::settings::PaceArgs;
use super::{Global, Usage, print};
use crate::events::counted;
use crate::job::Credits;
use crate::ledger::{Decision, FILE_NAME, FolderLock, LedgerError, Store, UnknownRow};

/// Arguments of `resolve`.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").requires("decision"))]
#[command(group = clap::ArgGroup::new("decision").requires("which"))]
pub(super) struct Args {
    /// The output folder of a run.
    out: PathBuf,
    /// The job with this id.
    #[arg(long, group = "which", value_name = "ID")]
    job: Option<String>,
    /// Every job whose submission has an unknown outcome.
    #[arg(long, group = "which")]
    all: bool,
    /// It did not happen: the job becomes pending. Nothing is sent by this.
    #[arg(long, group = "decision")]
    resubmit: bool,
    /// Give it up: the money at risk is booked as spent.
    #[arg(long, group = "decision")]
    abandon: bool,
    /// It became this task of the provider, which is collected from now on.
    #[arg(long, group = "decision", value_name = "TASK_ID", conflicts_with = "all")]
    adopt: Option<String>,
    /// Wait for another run of this folder to end.
    #[arg(long)]
    wait: bool,
    /// Print one JSON document on standard output; without a decision only.
    #[arg(long, conflicts_with = "decision")]
    pub(super) json: bool,
    #[command(flatten)]
    emulate: EmulateArgs,
    #[command(flatten)]
    pace: PaceArgs,
}

pub(super) fn execute(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    if !(args.resubmit || args.abandon || args.adopt.is_some()) {
        let from = FromLedger {
            out: &args.out,
            wait: args.wait,
            json: args.json,
            pace: &args.pace,
            emulate: &args.emulate,
            collect: false,
        };
        return from.execute(global, &mut Notice::default());
    }
    if !args.out.join(FILE_NAME).exists() {
        return Err(LedgerError::Missing(args.out.clone()).into());
    }
    let (store, start) = Store::open(FolderLock::acquire(&args.out, args.wait)?, None)?;
    let unknown = store.view().unknowns()?;
    let chosen: Vec<&UnknownRow> =
        unknown.iter().filter(|row| args.job.as_ref().is_none_or(|id| *id == row.id)).collect();
    let result = decide(args, &store, &chosen);
    store.put_back(start)?;
    result
}

fn decide(args: &Args, store: &Store, chosen: &[&UnknownRow]) -> anyhow::Result<Exit> {
    let decision = decision(args)?;
    if let (Some(id), true) = (&args.job, chosen.is_empty()) {
        return settle(store, id, &decision);
    }
    if let Decision::Adopt(task) = &decision
        && let Some(owner) = store.owner_of(task)?
    {
        return Err(Usage::error(format!("task {task} belongs to job {owner:?} already")));
    }
    store.transaction(|store| {
        for row in chosen {
            store.resolve(&row.id, &decision)?;
        }
        Ok(())
    })?;
    let at_stake: Credits = chosen.iter().map(|row| row.at_risk).sum();
    let count = chosen.len() as u64;
    print(&match &decision {
        Decision::Resubmit => format!(
            "{} pending again; the next run pays up to {at_stake} credits, a second time if the first try was billed\n",
            counted(count, "job")
        ),
        Decision::Abandon => {
            format!("{} given up; {at_stake} credits are booked as spent\n", counted(count, "submission"))
        }
        Decision::Adopt(task) => format!("task {task} is collected by the next run\n"),
    })?;
    Ok(Exit::Success)
}

/// What is not unknown may still hold money: for the first arrival of a key
/// that was sent again.
fn settle(store: &Store, id: &str, decision: &Decision) -> anyhow::Result<Exit> {
    let doubts = store.view().doubts()?;
    let at_stake = doubts.iter().find(|row| row.id == id).map(|row| row.at_risk);
    let settled = store.transaction(|store| store.resolve(id, decision))?;
    let (Some(at_stake), true) = (at_stake, settled) else {
        return Err(Usage::error(format!("no submission of job {id:?} has an unknown outcome")));
    };
    print(&match decision {
        Decision::Abandon => format!("{at_stake} credits for the first arrival are booked as spent\n"),
        _ => format!("{at_stake} credits for the first arrival are released\n"),
    })?;
    Ok(Exit::Success)
}

fn decision(args: &Args) -> anyhow::Result<Decision> {
    Ok(match &args.adopt {
        Some(task)
            if task.is_empty() || !task.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') =>
        {
            return Err(Usage::error(format!(
                "{task:?} is not a task id; it looks like task-unified-1757156493-imcg5zqt"
            )));
        }
        Some(task) => Decision::Adopt(task.clone()),
        None if args.resubmit => Decision::Resubmit,
        None => Decision::Abandon,
    })
}
