//! `imgbatch collect`: fetch what was submitted, from the ledger alone.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::connect::Provider;
use super::drive::Drive;
use super::emulate::EmulateArgs;
use super::exit::Exit;
use super::notify::{Notice, NotifyArgs};
use super::settings::{self, PaceArgs};
use super::summary::shell_word;
use super::{Global, Usage, purse};
use crate::account::Limits;
use crate::enrol::{Only, Selection};
use crate::ledger::{FolderLock, LedgerError, Store};
use crate::manifest::Run;
use crate::model::Prices;
use crate::runner::Settings;

/// Arguments of `collect`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The output folder of a run.
    out: PathBuf,
    #[command(flatten)]
    emulate: EmulateArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    notify: NotifyArgs,
    /// Wait for another run of this folder to end.
    #[arg(long)]
    wait: bool,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn execute(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let from = FromLedger {
        out: &args.out,
        wait: args.wait,
        json: args.json,
        pace: &args.pace,
        emulate: &args.emulate,
        collect: true,
    };
    let mut notice = Notice::new(&args.notify);
    let end = from.execute(global, &mut notice);
    notice.tell(end)
}

/// A run from the ledger alone. It buys nothing, so nothing of the manifest is
/// needed.
pub(super) struct FromLedger<'a> {
    pub(super) out: &'a Path,
    pub(super) wait: bool,
    pub(super) json: bool,
    pub(super) pace: &'a PaceArgs,
    pub(super) emulate: &'a EmulateArgs,
    /// Tasks are waited for and their pictures fetched.
    pub(super) collect: bool,
}

impl FromLedger<'_> {
    pub(super) fn execute(&self, global: &Global, notice: &mut Notice) -> anyhow::Result<Exit> {
        if !self.out.join(crate::ledger::FILE_NAME).exists() {
            return Err(LedgerError::Missing(self.out.to_owned()).into());
        }
        let (store, start) = Store::open(FolderLock::acquire(self.out, self.wait)?, None)?;
        let prepared = self.prepare(&store, notice);
        let (provider, key, settings) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                store.put_back(start)?;
                return Err(error);
            }
        };
        let emulator = self.emulate.options()?;
        let resume = format!("imgbatch collect {}", shell_word(&self.out.display().to_string()));
        let purse = purse::open(Limits::default(), &provider)?;
        let (provider, json) = (&provider, self.json);
        Drive {
            store,
            start,
            provider,
            key,
            emulator,
            settings,
            purse,
            global,
            json,
            saved: None,
            resume,
            notice,
        }
        .execute()
    }

    fn prepare(
        &self,
        store: &Store,
        notice: &mut Notice,
    ) -> anyhow::Result<(Provider, SecretString, Settings)> {
        let provider = store
            .provider()?
            .ok_or_else(|| Usage::error("the ledger names no provider; use `imgbatch run`"))?;
        let provider: Provider = serde_json::from_str(&provider)?;
        notice.hide(&provider.key_env);
        let key = provider.key()?;
        let nothing = Selection { only: Some(Only::Unknown), ..Selection::default() };
        let (run, prices) = (Run::default(), Prices::published());
        let settings = settings::resolve(self.pace, &run, &prices, &nothing, self.collect)?;
        let settings = provider.resolving(settings);
        Ok((provider, key, settings))
    }
}
