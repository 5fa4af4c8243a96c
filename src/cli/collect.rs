//! `imgbatch collect`: fetch what was submitted, from the ledger alone.

use std::path::PathBuf;

use super::connect::Provider;
use super::drive::Drive;
use super::emulate::EmulateArgs;
use super::exit::Exit;
use super::settings::{self, PaceArgs};
use super::summary::shell_word;
use super::{Global, Usage};
use crate::enrol::{Only, Selection};
use crate::ledger::{FolderLock, LedgerError, Store};
use crate::manifest::Run;
use crate::model::Prices;

/// Arguments of `collect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The output folder of a run.
    out: PathBuf,
    #[command(flatten)]
    emulate: EmulateArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Wait for another run of this folder to end.
    #[arg(long)]
    wait: bool,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn execute(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    if !args.out.join(crate::ledger::FILE_NAME).exists() {
        return Err(LedgerError::Missing(args.out.clone()).into());
    }
    let lock = FolderLock::acquire(&args.out, args.wait)?;
    let (store, start) = Store::open(lock, None)?;
    let provider =
        store.provider()?.ok_or_else(|| Usage::error("the ledger names no provider; use `imgbatch run`"))?;
    let provider: Provider = serde_json::from_str(&provider)?;
    let key = provider.key()?;
    // Nothing is bought here, so nothing of the manifest is needed.
    let nothing = Selection { only: Some(Only::Unknown), ..Selection::default() };
    let settings =
        settings::resolve(&args.pace, &Run::default(), &Prices::published(), &nothing, &provider, true)?;
    let resume = format!("imgbatch collect {}", shell_word(&args.out.display().to_string()));
    let emulator = args.emulate.options()?;
    let drive =
        Drive { store, start, provider: &provider, key, emulator, settings, global, json: args.json, resume };
    drive.execute()
}
