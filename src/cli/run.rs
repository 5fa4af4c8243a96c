//! `imgbatch run` and `imgbatch submit`: everything before the loop starts.

use std::path::{Path, PathBuf};

use super::ask::{Consent, Situation, confirm, consent, is_terminal};
use super::collect::FromLedger;
use super::connect::Provider;
use super::dated::{self, Dated, RunArgs};
use super::drive::Drive;
use super::emulate::EmulateArgs;
use super::exit::Exit;
use super::notify::{Notice, NotifyArgs, Show};
use super::plan::broken;
use super::plan_text::{self, Lines, Outlook, Page, free_bytes};
use super::purse::{self, Standing};
use super::settings::{self, PaceArgs, SelectArgs};
use super::summary::shell_word;
use super::{Global, Usage, note, source};
use crate::account::Limits;
use crate::enrol::{Comparison, Only, Selection, compare, enrol};
use crate::events::counted;
use crate::job::{ContentHash, Raises};
use crate::ledger::{FolderLock, Identity, Purchase, Store};
use crate::plan::Plan;
use crate::runner::Settings;
use crate::tls;

/// Arguments of `run` and `submit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest: TOML, YAML, JSON or a text file with one prompt a line; `-` reads one of the
    /// first three from standard input.
    manifest: PathBuf,
    /// The output folder [default: the manifest's, or out/NAME beside it].
    #[arg(long, env = "IMGBATCH_OUT", value_name = "DIR")]
    out: Option<PathBuf>,
    /// The API's address, such as `https://api.example.com`.
    #[arg(long, env = "IMGBATCH_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    /// A file of prices that replaces the published ones and the manifest's.
    #[arg(long, env = "IMGBATCH_PRICES", value_name = "FILE")]
    prices: Option<PathBuf>,
    #[command(flatten)]
    emulate: EmulateArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    notify: NotifyArgs,
    /// Wait for another run of this folder to end.
    #[arg(long)]
    wait: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

/// Whether pictures are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Run,
    Submit,
}

pub(super) fn execute(args: &Args, global: &Global, mode: Mode) -> anyhow::Result<Exit> {
    let mut notice = Notice::new(&args.notify);
    let end = buy(args, global, mode, &mut notice);
    notice.tell(end)
}

fn buy(args: &Args, global: &Global, mode: Mode, notice: &mut Notice) -> anyhow::Result<Exit> {
    let mut plan = source::load(&args.manifest, args.prices.as_deref())?;
    let dated = args.run.rename(&mut plan)?;
    let provider = Provider::resolve(plan.manifest(), args.base_url.as_deref(), args.emulate.emulate)?;
    notice.hide(&provider.key_env);
    let key = provider.key()?;
    let out = source::out_dir(&plan, args.out.as_deref(), args.emulate.emulate);
    let selection = args.select.selection()?;
    let settings =
        settings::resolve(&args.pace, &plan.manifest().run, plan.prices(), &selection, mode == Mode::Run)?;
    let settings = provider.resolving(settings);
    let limits = settings::limits(&args.pace, &plan.manifest().budget, plan.prices())?;
    let purse = purse::open(limits, &provider)?;
    // Whatever is wrong with the manifest is said before a folder is made.
    let digest = plan.digest()?;
    tls::begin();
    let lock = FolderLock::acquire(&out, args.wait)?;
    if let Some(dated) = &dated
        && let Some(end) = collect_earlier(args, global, &out, dated)
    {
        return Ok(end);
    }
    let identity = Identity { name: plan.name().to_owned(), base_url: provider.base_url.clone() };
    let (store, start) = Store::open(lock, Some(&identity))?;
    let (described, resume) = (serde_json::to_string(&provider)?, resume_command(dated.as_ref()));
    store.transaction(|store| {
        store.set_provider(&described)?;
        store.set_resume(&resume)?;
        dated.as_ref().map_or(Ok(()), |dated| store.set_series(&dated.series))
    })?;
    if dated.is_some() {
        notice.show = if global.quiet && !args.json { Show::Trouble } else { Show::Everything };
    }
    let (standings, mut raises) = if provider.is_emulator() {
        (Vec::new(), Raises::default())
    } else {
        purse::look(limits, Some(&provider.base_url))?
    };
    raises.extend(&store.view().raises()?);
    let (plan, provider, selection) = (&plan, &provider, &selection);
    let mut intake = Intake {
        plan,
        provider,
        selection,
        settings: &settings,
        limits,
        standings,
        raises,
        args,
        global,
        lines: Lines::default(),
    };
    match intake.enrol(&store, digest) {
        Ok(true) => {}
        Ok(false) => {
            store.put_back(start)?;
            note("nothing was submitted\n");
            return Ok(Exit::Incomplete);
        }
        Err(error) => {
            store.put_back(start)?;
            return Err(error);
        }
    }
    let saved = Some(store.owned(&selection.select)?);
    let emulator = args.emulate.options()?;
    let json = args.json;
    let drive =
        Drive { store, start, provider, key, emulator, settings, purse, global, json, saved, resume, notice };
    drive.execute()
}

/// Brings the manifest into the ledger, with the user's consent.
struct Intake<'a> {
    plan: &'a Plan,
    provider: &'a Provider,
    selection: &'a Selection,
    settings: &'a Settings,
    limits: Limits,
    standings: Vec<Standing>,
    raises: Raises,
    args: &'a Args,
    global: &'a Global,
    /// For the screen before a question.
    lines: Lines,
}

impl Intake<'_> {
    /// False where the user declined; the ledger is as it was then.
    fn enrol(&mut self, store: &Store, digest: Option<ContentHash>) -> anyhow::Result<bool> {
        let unchanged = digest.is_some() && digest == store.enrolled_digest()?;
        let transaction = store.begin()?;
        let comparison = if unchanged { None } else { Some(self.compare(store)?) };
        if let Some(comparison) = &comparison {
            self.check_references(comparison)?;
            // Changed jobs that were left out must be met again.
            let complete = comparison.counts.changed == 0 || !self.selection.is_partial();
            store.set_enrolled_digest(digest.filter(|_| complete))?;
        }
        self.args.select.warn_of_strangers(store.view(), &self.selection.select)?;
        if self.selection.only == Some(Only::Failed) {
            store.retry_failed(&self.selection.select, self.selection.limit)?;
        }
        if self.selection.only == Some(Only::Short) {
            store.top_up(&self.selection.select, self.selection.limit)?;
        }
        let purchase = match &self.settings.submit {
            Some(filter) => store.view().purchase(filter, self.selection.limit, &self.raises)?,
            None => Purchase::default(),
        };
        let consented = self.consent(store, comparison.as_ref(), &purchase)?;
        if consented {
            transaction.commit()?;
        }
        Ok(consented)
    }

    /// What would run, for the screen alone.
    fn look(&mut self, store: &Store) -> anyhow::Result<Comparison> {
        let lines = &mut self.lines;
        let _moment = store.begin()?;
        compare(self.plan, Some(store.view()), self.selection, &self.raises, &mut |entry| lines.add(entry))
            .map_err(broken)
    }

    fn compare(&mut self, store: &Store) -> anyhow::Result<Comparison> {
        let lines = &mut self.lines;
        let comparison = enrol(self.plan, store, self.selection, &self.raises, &mut |entry| lines.add(entry))
            .map_err(broken)?;
        if !comparison.totals.warnings.is_empty() {
            note(&format!("{}\n", comparison.totals.warnings));
        }
        Ok(comparison)
    }

    fn check_references(&self, comparison: &Comparison) -> anyhow::Result<()> {
        let local = comparison.totals.local_references;
        if local > 0 && !self.provider.takes_files() {
            return Err(Usage::error(format!(
                "no host is named that takes the local images of {}: set provider.files_url, or use links",
                counted(local, "job")
            )));
        }
        Ok(())
    }

    /// What `plan` shows, on the stream where the question stands.
    fn screen(&self, store: &Store, comparison: &Comparison) -> anyhow::Result<String> {
        let stderr = std::io::stderr();
        let outlook = Outlook {
            plan: self.plan,
            comparison,
            settings: self.settings,
            committed: store.view().committed()?,
            standings: &self.standings,
            free: free_bytes(store.folder()),
            balance: None,
            takes_files: self.provider.takes_files(),
        };
        Ok(plan_text::screen(&Page::of(&stderr, self.global.color(&stderr)), &self.lines, &outlook))
    }

    fn consent(
        &mut self,
        store: &Store,
        comparison: Option<&Comparison>,
        purchase: &Purchase,
    ) -> anyhow::Result<bool> {
        let usd = self.plan.prices().usd(purchase.estimate);
        let changed = comparison.map_or(0, |comparison| comparison.counts.changed);
        let situation = Situation {
            buys: purchase.jobs,
            usd,
            changed: if self.selection.takes(Only::Changed) { changed } else { 0 },
            yes: self.args.yes,
            budget: self.settings.budget.is_some() || !self.limits.is_empty(),
            emulated: self.provider.is_emulator(),
            terminal: is_terminal(),
        };
        let price = price(purchase, usd);
        match consent(&situation) {
            Consent::Given => Ok(true),
            Consent::Missing => Err(Usage::error(format!(
                "this would buy {price}, and there is no terminal to ask on: pass --yes, or bound it with --budget"
            ))),
            Consent::Ask => {
                // Nothing was compared where the manifest is the same as last time.
                let looked = if comparison.is_none() { Some(self.look(store)?) } else { None };
                if let Some(comparison) = comparison.or(looked.as_ref()) {
                    note(&format!("{}\n", self.screen(store, comparison)?));
                }
                Ok(confirm(&format!("Buy {price}?"))?)
            }
        }
    }
}

fn price(purchase: &Purchase, usd: f64) -> String {
    let Purchase { pictures, estimate, unpriced, .. } = purchase;
    let unpriced = match unpriced {
        0 => String::new(),
        jobs => format!(", and {} without a known price", counted(*jobs, "job")),
    };
    let pictures = counted(*pictures, "picture");
    format!("{pictures} for at most {estimate} credits ({} USD){unpriced}", plan_text::usd(usd))
}

/// Collects what earlier runs of the schedule left. Its end, where that is the
/// end of this run too.
fn collect_earlier(args: &Args, global: &Global, out: &Path, dated: &Dated) -> Option<Exit> {
    for folder in dated::unfinished(out, &dated.series) {
        let from = FromLedger {
            out: &folder,
            wait: false,
            json: false,
            pace: &args.pace,
            emulate: &args.emulate,
            collect: true,
        };
        let mut notice = Notice::silent();
        let shown = folder.display();
        match from.execute(global, &mut notice) {
            Ok(Exit::Success) => tracing::info!("{shown} is complete now"),
            Ok(Exit::Interrupted) => return Some(Exit::Interrupted),
            Ok(_) if notice.interrupted => return Some(Exit::Incomplete),
            Ok(exit) => tracing::warn!(
                "an earlier run is not complete: see `imgbatch status {}` (exit {})",
                shell_word(&shown.to_string()),
                exit.code()
            ),
            // It is in good hands by now.
            Err(error) if Exit::of_error(&error) == Exit::Locked => {}
            Err(error) => tracing::warn!("an earlier run can't be collected: {shown}: {error:#}"),
        }
    }
    None
}

/// The command that continues: the same one, as it was typed, for the run of
/// the name that it has now.
fn resume_command(dated: Option<&Dated>) -> String {
    let words = std::env::args_os().skip(1).map(|word| {
        let word = word.to_string_lossy();
        let named = dated.filter(|dated| word.strip_prefix("--run=").unwrap_or(&word) == dated.pattern);
        shell_word(&named.map_or_else(|| word.to_string(), |dated| word.replace(&dated.pattern, &dated.name)))
    });
    std::iter::once("imgbatch".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
