//! The loop: starts every step that may start, waits for whatever happens
//! first, and lets each outcome decide what its job needs next.
//!
//! Every job, new or resumed, passes through here in whatever state the ledger
//! holds. The loop is the only place that waits; steps act once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::audit::{Audit, Gone};
use super::clock::Clock;
use super::fetch::{Fetch, Fetched};
use super::halt::{Halt, Watch};
use super::ladder::{Adopted, Ladder};
use super::listing::{Listing, NoListing};
use super::look::{Found, Tries, Watched};
use super::queues::{Due, Queues};
use super::replay::{Replay, Replayed};
use super::schedule::{Kind, Schedule};
use super::settings::{Settings, Stop};
use super::shared::Shared;
use super::stage::{Order, Unstaged, Uploads};
use super::submit::Submitted;
use super::{Callbacks, Ended, RunError, Setup};
use crate::api::LookError;
use crate::callback::Call;
use crate::events::{Event, Reporter, Snapshot};
use crate::ledger::{Held, LedgerError, Pending};
use crate::pacer::{Gate, Pacer};

/// Pending jobs loaded at once; more wait in the ledger.
const LOAD: u32 = 256;

/// Reads on the wire at once.
const LOOKS: usize = 16;

/// Reads and downloads that start a second, as long as nobody asks for less.
const LOOKS_EVERY: Duration = Duration::from_millis(10);
const FETCHES_EVERY: Duration = Duration::from_micros(200);
const BURST: NonZeroU32 = NonZeroU32::new(16).expect("not zero");

/// Room for the send time of every submission on the wire, twice.
const SENDS: usize = 1024;

/// A finished step.
pub(super) enum Step {
    Reloaded(Box<Result<Option<Pending>, LedgerError>>),
    Staged(Box<Result<Order, (Pending, Unstaged)>>),
    Submitted(Box<Order>, Instant, Box<Submitted>),
    Looked(Vec<(Watched, Found)>),
    Fetched(Box<Fetch>, Box<Fetched>),
    Replayed(Box<Replay>, Instant, Box<Replayed>),
    Proved(Result<(), LookError>),
    Listed(Box<Result<Listing, NoListing>>),
    Called(i64, i64, String, Box<Result<(), LedgerError>>),
    Adopted(Box<Held>, Box<Adopted>),
    Audited(Box<Result<Vec<Gone>, LedgerError>>),
    Noted(Box<Result<(), LedgerError>>),
}

/// How much a provider is trusted with after a row of unknown outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Full,
    /// A free read at this time says whether it is back.
    ProveAt(Instant),
    /// That read is under way.
    Proving,
    /// One submission at a time, until one is answered with sense.
    OneByOne,
}

/// One run.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) settings: Settings,
    pub(super) reporter: Box<dyn Reporter>,
    pub(super) snapshot: Snapshot,
    pub(super) pacer: Pacer,
    pub(super) look_gate: Gate,
    pub(super) schedule: Schedule,
    pub(super) fetch_gate: Gate,
    pub(super) watch: Watch,
    pub(super) queues: Queues,
    pub(super) ended: Ended,
    pub(super) ladder: Ladder,
    pub(super) audit: Audit,
    pub(super) trust: Trust,
    callbacks: Option<Callbacks>,
    pub(super) steps: FuturesUnordered<BoxFuture<'static, Step>>,
    sends: mpsc::Receiver<(u64, Instant)>,
    stop: watch::Receiver<Stop>,
    pub(super) stopping: Stop,
    /// The last pending job that was loaded.
    cursor: i64,
    /// No pending job is left in the ledger.
    exhausted: bool,
    taken_up: u64,
    pub(super) staging: usize,
    pub(super) posting: usize,
    looking: usize,
    pub(super) fetching: usize,
    /// The budget has no room for the next submission until a task settles.
    pub(super) waits_for_money: bool,
    /// That submissions wait for room on the disk was told.
    pub(super) told_of_disk: bool,
    /// Tasks that the provider works on, and submissions on the wire.
    pub(super) in_flight: usize,
    /// Moving average of a POST's duration.
    pub(super) post_duration: Duration,
}

impl Driver {
    pub(super) fn new(setup: Setup, clock: Clock) -> Self {
        let Setup {
            client,
            downloader,
            ledger,
            rescue,
            folder,
            settings,
            reporter,
            snapshot,
            ages,
            stop,
            purse,
            callbacks,
        } = setup;
        let (sending, sends) = mpsc::channel(SENDS);
        let shared = Shared {
            client,
            downloader,
            ledger,
            rescue,
            purse,
            folder,
            clock,
            sends: sending,
            addresses: callbacks.as_ref().map(|callbacks| callbacks.addresses.clone()),
            uploads: Uploads::default(),
            one_by_one: AtomicBool::new(false),
        };
        Self {
            shared: Arc::new(shared),
            pacer: Pacer::new(settings.limits, &ages),
            look_gate: Gate::new(LOOKS_EVERY, BURST),
            schedule: Schedule::default(),
            fetch_gate: Gate::new(FETCHES_EVERY, BURST),
            watch: Watch::new(settings.stop_after, snapshot.jobs.total, snapshot.jobs.unknown),
            queues: Queues::default(),
            ended: Ended::default(),
            ladder: Ladder::default(),
            audit: Audit::default(),
            trust: Trust::Full,
            callbacks,
            steps: FuturesUnordered::new(),
            stopping: Stop::No,
            cursor: 0,
            exhausted: settings.submit.is_none(),
            taken_up: 0,
            staging: 0,
            posting: 0,
            looking: 0,
            fetching: 0,
            waits_for_money: false,
            told_of_disk: false,
            in_flight: 0,
            post_duration: Duration::from_millis(500),
            settings,
            reporter,
            snapshot,
            sends,
            stop,
        }
    }

    pub(super) async fn run(mut self) -> Result<Ended, RunError> {
        self.resume().await?;
        let every = self.reporter.every();
        let mut tick = interval(every.unwrap_or(Duration::MAX));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.mind_the_deadline();
            self.load().await?;
            let wake = self.start();
            if self.is_over() {
                break;
            }
            let alarm = wake.unwrap_or_else(|| Instant::now() + Duration::from_hours(1));
            tokio::select! {
                biased;
                Ok(()) = self.stop.changed() => self.on_stop(),
                Some((slot, at)) = self.sends.recv() => self.pacer.sent(slot, at),
                Some(step) = self.steps.next() => self.on_step(step),
                Some(call) = heard(&mut self.callbacks) => self.on_call(call),
                () = sleep_until(alarm), if wake.is_some() => {}
                _ = tick.tick(), if every.is_some() => self.on_tick(),
            }
        }
        self.shared.tell_account().await;
        self.tell(&Event::Ended);
        self.reporter.finish();
        self.ended.overdue = self.queues.overdue() as u64;
        self.ended.left = self.queues.left() as u64;
        self.ended.interrupted = self.stopping != Stop::No;
        Ok(self.ended)
    }

    /// Takes up what earlier runs paid for.
    async fn resume(&mut self) -> Result<(), RunError> {
        let found = self.shared.ledger.write(|store| Ok((store.in_flight()?, store.ready()?, store.pace()?)));
        let (in_flight, ready, pace) = found.await?;
        self.keep_to_pace(&pace.unwrap_or_default());
        let collecting = if self.settings.collect { in_flight.len() + ready.len() } else { 0 };
        self.in_flight = in_flight.len();
        for task in in_flight {
            self.first_look(Watched::found(task, Kind::default()));
        }
        self.queues.fetch(ready, 0);
        self.tell(&Event::Started { collecting: collecting as u64 });
        self.begin_audit().await?;
        self.resume_ladder().await
    }

    /// Loads more pending jobs when few are left in memory.
    async fn load(&mut self) -> Result<(), RunError> {
        let loaded = self.queues.stage.len() + self.queues.orders.len();
        if self.exhausted || self.may_not_submit() || loaded >= LOAD as usize / 2 {
            return Ok(());
        }
        let left = self.settings.limit.map_or(u64::from(LOAD), |limit| limit - self.taken_up.min(limit));
        let limit = LOAD.min(u32::try_from(left).unwrap_or(LOAD));
        let (filter, cursor) = (self.settings.submit.clone().unwrap_or_default(), self.cursor);
        let jobs = self.shared.ledger.write(move |store| store.pending(&filter, cursor, limit)).await?;
        self.exhausted = jobs.len() < limit as usize || limit == 0;
        self.taken_up += jobs.len() as u64;
        let now = self.shared.clock.now_ms();
        for job in jobs {
            self.cursor = job.job;
            match job.due_at.filter(|due| *due > now) {
                Some(due) => self.queues.later(self.shared.clock.instant(due), Due::Stage(Box::new(job))),
                None => self.queues.stage.push_back(job),
            }
        }
        if self.settings.limit.is_some_and(|limit| self.taken_up >= limit) {
            self.exhausted = true;
        }
        Ok(())
    }

    /// Starts every step that may start; gives the time to try again.
    fn start(&mut self) -> Option<Instant> {
        if self.ended.broken.is_some() {
            return None;
        }
        let timers = self.queues.wake(Instant::now());
        let fetches = self.start_fetches();
        let looks = self.start_looks();
        self.start_reloads();
        self.start_staging();
        let ladder = self.start_ladder();
        let submissions = self.start_submissions();
        self.start_audit();
        let deadline = self.settings.deadline.filter(|_| self.stopping == Stop::No);
        [timers, fetches, looks, ladder, submissions, deadline].into_iter().flatten().min()
    }

    /// What is paid comes first.
    fn start_fetches(&mut self) -> Option<Instant> {
        while self.fetching < self.settings.downloads as usize
            && self.queues.backlog() > 0
            && self.settings.collect
            && self.stopping < Stop::Leave
        {
            if let Err(until) = self.fetch_gate.turn() {
                return Some(until);
            }
            let Some(fetch) = self.queues.next_fetch() else { break };
            self.fetching += 1;
            let shared = Arc::clone(&self.shared);
            self.steps.push(Box::pin(async move {
                let fetched = shared.fetch(&fetch).await;
                Step::Fetched(Box::new(fetch), Box::new(fetched))
            }));
        }
        None
    }

    fn start_looks(&mut self) -> Option<Instant> {
        while self.looking < LOOKS && !self.queues.looks.is_empty() && self.stopping < Stop::Leave {
            if let Err(until) = self.look_gate.turn() {
                return Some(until);
            }
            let size = self.shared.look_size().min(self.queues.looks.len());
            let batch: Vec<Watched> = self.queues.looks.drain(..size).collect();
            self.looking += 1;
            let tries = Tries { most: self.settings.attempts, empty: self.settings.retry_empty };
            let shared = Arc::clone(&self.shared);
            self.steps.push(Box::pin(async move { Step::Looked(shared.look(batch, tries).await) }));
        }
        None
    }

    fn start_reloads(&mut self) {
        for job in std::mem::take(&mut self.queues.reload) {
            // What lies ahead of the cursor is met by `load`.
            let met = self.exhausted || job <= self.cursor;
            let Some(filter) = self.settings.submit.clone().filter(|_| met) else { continue };
            let shared = Arc::clone(&self.shared);
            self.steps.push(Box::pin(async move {
                let reloaded = shared.ledger.write(move |store| store.pending_job(&filter, job)).await;
                Step::Reloaded(Box::new(reloaded))
            }));
        }
    }

    pub(super) fn may_not_submit(&self) -> bool {
        self.settings.submit.is_none()
            || self.stopping != Stop::No
            || self.ended.halted.is_some()
            || self.ended.broken.is_some()
    }

    fn is_over(&self) -> bool {
        if !self.steps.is_empty() {
            return false;
        }
        let submitted = self.may_not_submit() || (self.exhausted && self.queues.nothing_to_submit());
        let collected = !self.settings.collect || self.queues.only_overdue() || self.ended.broken.is_some();
        let resolved = self.ended.broken.is_some()
            || (self.ladder.is_done() && (!self.may_replay() || self.queues.nothing_to_replay()));
        self.stopping == Stop::Leave || (submitted && collected && resolved)
    }

    fn on_stop(&mut self) {
        let asked = *self.stop.borrow_and_update();
        if asked > self.stopping {
            self.stopping = asked;
            let why = match asked {
                Stop::Drain | Stop::No => "no new submissions (once more to leave at once)",
                Stop::Leave => "finishing what is on the wire",
            };
            self.tell_stopping(why);
        }
    }

    /// Before anything starts: a deadline that is only looked at by a tick
    /// wakes the loop for ever once it has passed, and no tick comes.
    fn mind_the_deadline(&mut self) {
        if self.stopping == Stop::No && self.settings.deadline.is_some_and(|at| at <= Instant::now()) {
            self.stopping = Stop::Drain;
            self.tell_stopping("the time limit is reached: no new submissions");
        }
    }

    fn on_tick(&mut self) {
        self.snapshot.elapsed = self.shared.clock.elapsed();
        self.snapshot.next_expiry = self.queues.first_expiry();
        self.reporter.tick(&self.snapshot);
    }

    fn tell_stopping(&mut self, why: &str) {
        self.snapshot.halted = Some("stopping".into());
        let collecting = self.snapshot.jobs.in_flight;
        let remaining = self.snapshot.remaining();
        self.tell(&Event::Stopping { why: why.into(), collecting, remaining });
    }

    fn on_step(&mut self, step: Step) {
        match step {
            Step::Reloaded(reloaded) => match *reloaded {
                Ok(pending) => self.queues.stage.extend(pending),
                Err(error) => self.broken(error),
            },
            Step::Staged(staged) => {
                self.staging -= 1;
                self.on_staged(*staged);
            }
            Step::Submitted(order, begun, submitted) => {
                self.posting -= 1;
                self.post_duration = (self.post_duration * 7 + begun.elapsed()) / 8;
                self.on_submitted(*order, begun, *submitted);
            }
            Step::Looked(found) => {
                self.looking -= 1;
                for (watched, found) in found {
                    self.on_found(watched, found);
                }
            }
            Step::Fetched(fetch, fetched) => {
                self.fetching -= 1;
                self.on_fetched(*fetch, *fetched);
            }
            Step::Replayed(replay, begun, replayed) => {
                self.posting -= 1;
                self.on_replayed(*replay, begun, *replayed);
            }
            Step::Proved(proof) => self.on_proved(proof),
            Step::Listed(listed) => self.on_listed(*listed),
            Step::Called(job, attempt, task, stored) => self.on_called(job, attempt, task, *stored),
            Step::Adopted(held, adopted) => self.on_adopted(*held, *adopted),
            Step::Audited(gone) => self.on_audited(*gone),
            Step::Noted(noted) => {
                if let Err(error) = *noted {
                    self.broken(error);
                }
            }
        }
    }

    /// No more submissions; the first reason is the one that is told.
    pub(super) fn halt(&mut self, halt: Halt) {
        if self.ended.halted.is_none() {
            let why = halt.sentence();
            self.snapshot.halted = Some("paused".into());
            self.ended.halted = Some(halt);
            self.tell(&Event::Paused { why });
        }
    }

    /// The ledger failed, or a file that it knows: what is on the wire finishes,
    /// nothing new starts.
    pub(super) fn broken(&mut self, error: LedgerError) {
        if self.ended.broken.is_none() {
            let why = match &error {
                LedgerError::File { .. } => error.to_string(),
                _ => format!("the ledger can't be written: {error}"),
            };
            self.tell(&Event::Paused { why });
            self.ended.broken = Some(error);
        }
    }

    pub(super) fn tell(&mut self, event: &Event) {
        tracing::info!(?event);
        self.snapshot.elapsed = self.shared.clock.elapsed();
        self.reporter.tell(event, &self.snapshot);
    }
}

/// Waits for a callback; for ever where none is listened for.
async fn heard(callbacks: &mut Option<Callbacks>) -> Option<Call> {
    match callbacks {
        Some(callbacks) => callbacks.calls.recv().await,
        None => std::future::pending().await,
    }
}
