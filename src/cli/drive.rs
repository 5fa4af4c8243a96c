//! From an open ledger to the end of a run: files first, then the loop, then
//! the summary.

use secrecy::SecretString;

use super::connect::Provider;
use super::exit::{Exit, Remains, of_run};
use super::notify::Notice;
use super::settings::pace_window;
use super::signals::{self, Signals};
use super::summary::{Next, Summary, shell_word};
use super::{Global, note, print};
use crate::api::Client;
use crate::emulator;
use crate::events::Snapshot;
use crate::job::{Credits, State, Tally};
use crate::ledger::{Filter, Ledger, Rescue, Start, Store};
use crate::runner::{self, Ended, Purse, Settings, Setup};

/// A run that is ready to start.
pub(super) struct Drive<'a> {
    pub(super) store: Store,
    pub(super) start: Start,
    pub(super) provider: &'a Provider,
    pub(super) key: SecretString,
    pub(super) emulator: emulator::Options,
    pub(super) settings: Settings,
    pub(super) purse: Option<Purse>,
    pub(super) global: &'a Global,
    pub(super) json: bool,
    /// What the jobs that are done have cost, where this run would have bought them.
    pub(super) saved: Option<Credits>,
    /// The command that goes on where this one stops.
    pub(super) resume: String,
    /// Gets the summary.
    pub(super) notice: &'a mut Notice,
}

impl Drive<'_> {
    /// Runs to the end and tells how it went.
    pub(super) fn execute(self) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exit = runtime.block_on(self.run());
        // After a second Ctrl-C nobody waits for what is still running.
        runtime.shutdown_background();
        exit
    }

    async fn run(self) -> anyhow::Result<Exit> {
        let Signals { stop, mut now } = signals::listen()?;
        tell_start(self.start);
        let adopted = runner::reconcile(&self.store, self.start.unclean)?;
        if adopted > 0 {
            tracing::info!(adopted, "pictures were on disk and not yet in the ledger");
        }
        if let Some(purse) = &self.purse {
            purse.begin(&self.store)?;
        }
        let filter = self.settings.submit.clone();
        let (limited, collect) = (self.settings.limit.is_some(), self.settings.collect);
        let folder = self.store.folder().to_owned();
        let connection = self.provider.connect(self.key, &folder, self.emulator).await?;
        let jobs = self.store.tally()?;
        let (submit, limit) = (self.settings.submit.as_ref(), self.settings.limit);
        consult_balance(&connection.client, &self.store, jobs, submit, limit).await?;
        let snapshot = Snapshot {
            jobs,
            credits: self.store.view().committed()?,
            budget: self.settings.budget,
            ..Snapshot::default()
        };
        let ages = self.store.send_ages(pace_window(&self.settings))?;
        let callbacks = self.provider.listen().await?;
        if let Some(callbacks) = &callbacks {
            for (token, job, attempt) in self.store.tokens()? {
                callbacks.addresses.expect(&token, job, attempt);
            }
        }
        let rescue = Rescue::prepare(&folder)?;
        let (ledger, writer) = Ledger::start(self.store);
        let reporter = self.global.reporter();
        let running = runner::run(Setup {
            client: connection.client,
            downloader: connection.downloader,
            ledger,
            rescue,
            folder,
            settings: self.settings,
            reporter,
            snapshot,
            ages,
            stop,
            purse: self.purse,
            callbacks,
        });
        let ended = tokio::select! {
            ended = running => ended?,
            Ok(_) = now.wait_for(|now| *now) => {
                note(&format!("left at once; the ledger is safe. To go on:\n  {}\n", self.resume));
                if self.json {
                    print(&super::early_end(Exit::Interrupted, "interrupted"))?;
                }
                return Ok(Exit::Interrupted);
            }
        };
        let store = writer.finish().await?;
        if let Some(emulator) = connection.emulator {
            emulator.stop().await;
        }
        let reading =
            Reading { filter: filter.as_ref(), limited, collect, saved: self.saved, json: self.json };
        finish(store, ended, &reading, &self.resume, self.notice)
    }
}

/// The balance before anything is bought: a warning where it is short, and
/// evidence where submissions are in doubt and nothing is under way.
async fn consult_balance(
    client: &Client,
    store: &Store,
    tally: Tally,
    filter: Option<&Filter>,
    limit: Option<u64>,
) -> anyhow::Result<()> {
    if tally.pending == 0 && tally.unknown == 0 {
        return Ok(());
    }
    let Some(balance) = runner::balance(client).await else { return Ok(()) };
    if let (Some(filter), Some(left)) = (filter, runner::left(&balance)) {
        let estimate = store.view().purchase(filter, limit, &store.view().raises()?)?.estimate;
        if estimate > left {
            tracing::warn!(
                "the account has {left} credits left, and this run may cost {estimate}; it pauses when they are used up"
            );
        }
    }
    let used = match (tally.in_flight, tally.unknown) {
        (0, 0) => balance.key_used,
        (0, _) => runner::steady_use(client, &balance).await,
        _ => None,
    };
    if let Some(used) = used {
        store.transaction(|store| store.observe_balance(used))?;
    }
    Ok(())
}

/// How an ended run is told.
struct Reading<'a> {
    filter: Option<&'a Filter>,
    limited: bool,
    /// Pictures were waited for.
    collect: bool,
    saved: Option<Credits>,
    json: bool,
}

/// Closes the ledger and prints what came out.
fn finish(
    store: Store,
    ended: Ended,
    reading: &Reading<'_>,
    resume: &str,
    notice: &mut Notice,
) -> anyhow::Result<Exit> {
    let Reading { filter, limited, collect, saved, json } = *reading;
    let view = store.view();
    let totals = store.totals()?;
    let cut_short = ended.halted.is_some() || ended.interrupted || ended.broken.is_some();
    // What a limit or a filter left out is not wanted by this run.
    let pending = match filter {
        Some(filter) if !limited || cut_short => view.count(State::Pending, filter)?,
        _ => 0,
    };
    let remains = Remains { pending, ..Remains::of(&totals) };
    let exit = of_run(Some(&ended), &remains);
    let mut summary = Summary::of(view, &totals, store.folder(), exit)?;
    summary.count_submissions(&ended);
    summary.count_reuse(saved);
    notice.interrupted = ended.interrupted;
    notice.summary = Some(summary.json()?);
    // A filter that let all of its jobs through would let no more through.
    let through = filter.is_some() && !limited && pending + totals.jobs.in_flight == 0;
    // What was only to be submitted is collected by another command.
    let left_to_collect = pending == 0 && totals.jobs.in_flight > 0 && ended.halted.is_none();
    summary.say_next(match (through, left_to_collect) {
        (true, _) => Next::Nothing,
        (false, true) if !collect => {
            Next::Command(format!("imgbatch collect {}", shell_word(&store.folder().display().to_string())))
        }
        _ => Next::Command(resume.to_owned()),
    });
    let text = if json { summary.json()? } else { summary.text(Some(&ended)) };
    if let Some(error) = ended.broken {
        let error = anyhow::Error::new(error);
        note(&format!("error: the run ended early, and what was accepted is kept: {error:#}\n"));
    }
    let folder = store.folder().to_owned();
    store.close(Some(&totals), saved)?;
    notice.print(&text, exit, &folder)?;
    Ok(exit)
}

fn tell_start(start: Start) {
    if start.rescued > 0 {
        tracing::warn!(
            tasks = start.rescued,
            "task ids that the ledger could not take last time are in it now"
        );
    }
    if start.held > 0 {
        tracing::warn!(
            submissions = start.held,
            "the last run ended with submissions on the wire: their outcome is unknown, they are held; see `imgbatch status`"
        );
    }
}
