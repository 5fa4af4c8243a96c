//! What the loop does about submissions of unknown outcome, rung by rung: a
//! callback's word, a replay of key and bytes, the provider's list. What is
//! left is for a person (`imgbatch resolve`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::RunError;
use super::driver::{Driver, Step};
use super::halt::Halt;
use super::listing::{Listing, NoListing};
use super::look::Watched;
use super::queues::Due;
use super::replay::{Replay, Replayed, replay_at};
use super::schedule::Kind;
use super::settings::Stop;
use super::submit::{Again, Submitted};
use crate::api::LookError;
use crate::callback::Call;
use crate::events::Event;
use crate::job::State;
use crate::ledger::{Held, InFlight, LedgerError, Recorded, Taken, Via};
use crate::pacer::Slowed;

/// A task may appear in the provider's list so much later.
const LIST_AGAIN: Duration = Duration::from_mins(1);

/// Attempts younger than this are worth another look at the list.
const LIST_YOUNG_MS: i64 = 180_000;

/// So many "can't serve" in a row are an outage: all submissions wait.
const OUTAGE: u32 = 3;

/// The state of the ladder in one run.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    /// Attempts in doubt, with their jobs.
    unknown: BTreeMap<i64, Held>,
    /// Attempts for which a callback named a task.
    adopt: VecDeque<(Held, String)>,
    /// The list is to be read as soon as nothing is on the wire.
    list: bool,
    /// A key that first left at this time was taken for new when it was sent
    /// again: its first arrival may have made a task that the list shows.
    doubted: Option<i64>,
    /// And once more at this time, where the run goes on that long.
    list_again: Option<Instant>,
    /// The list is being read.
    listing: bool,
    /// Steps of the ladder under way, submissions apart.
    climbing: usize,
}

impl Ladder {
    /// Nothing that is free is left to try in this run.
    pub(super) fn is_done(&self) -> bool {
        !self.list && self.climbing == 0 && self.adopt.is_empty()
    }

    /// The list is being read: a submission now would be one more that may
    /// have made what it shows.
    pub(super) fn is_listing(&self) -> bool {
        self.listing
    }

    /// The attempt is still in doubt.
    pub(super) fn holds(&self, attempt: i64) -> bool {
        self.unknown.contains_key(&attempt)
    }
}

impl Driver {
    /// Takes up what earlier runs left in doubt.
    pub(super) async fn resume_ladder(&mut self) -> Result<(), RunError> {
        let found = self
            .shared
            .ledger
            .write(|store| Ok((store.held()?, store.called_for()?, store.keys_withdrawn()?.is_some())));
        let (held, called, withdrawn) = found.await?;
        self.settings.replays &= !withdrawn;
        self.ladder.adopt = called.into();
        for held in held {
            self.doubt(held);
        }
        Ok(())
    }

    /// An attempt's outcome is unknown: every rung that there is comes next.
    pub(super) fn doubt(&mut self, held: Held) {
        self.ladder.list = true;
        let called = self.ladder.adopt.iter().any(|(other, _)| other.attempt == held.attempt);
        if self.settings.replays && !called {
            self.replay_later(Replay { held: held.clone(), failures: 0 });
        }
        self.ladder.unknown.insert(held.attempt, held);
    }

    fn replay_later(&mut self, replay: Replay) {
        let now = self.shared.clock.now_ms();
        let Some(at) = replay_at(&replay.held, replay.failures, now) else { return };
        self.queues.later(self.shared.clock.instant(at), Due::Replay(Box::new(replay)));
    }

    /// Starts what costs nothing: adoptions, and the list once nothing is on
    /// the wire, so that no task in it belongs to a submission under way.
    pub(super) fn start_ladder(&mut self) -> Option<Instant> {
        if self.stopping == Stop::Leave || self.ended.broken.is_some() {
            return None;
        }
        while let Some((held, task)) = self.ladder.adopt.pop_front() {
            self.ladder.climbing += 1;
            let shared = Arc::clone(&self.shared);
            self.steps.push(Box::pin(async move {
                let adopted = shared.adopt(&held, task).await;
                Step::Adopted(Box::new(held), Box::new(adopted))
            }));
        }
        if self.ladder.unknown.is_empty() {
            self.ladder.list_again = None;
        }
        if self.ladder.list_again.is_some_and(|at| at <= Instant::now()) {
            (self.ladder.list, self.ladder.list_again) = (true, None);
        }
        // A replay that is to come says more than the list.
        let replaying = self.may_replay() && !self.queues.nothing_to_replay();
        if self.ladder.list && self.posting == 0 && self.ladder.climbing == 0 && !replaying {
            self.start_list();
        }
        self.ladder.list_again
    }

    fn start_list(&mut self) {
        self.ladder.list = false;
        let unknown = self.ladder.unknown.values().map(|held| held.intent_at);
        let Some(since) = unknown.chain(self.ladder.doubted.take()).min() else { return };
        self.ladder.climbing += 1;
        self.ladder.listing = true;
        let jobs = self.ladder.unknown.values().map(|held| (held.attempt, held.job)).collect();
        let (shared, exclusive) = (Arc::clone(&self.shared), self.settings.exclusive_key);
        self.steps
            .push(Box::pin(async move { Step::Listed(Box::new(shared.list(jobs, since, exclusive).await)) }));
    }

    pub(super) fn on_replayed(&mut self, mut replay: Replay, begun: Instant, replayed: Replayed) {
        self.in_flight -= 1;
        match replayed {
            Replayed::Settled(Submitted::Taken { recorded, taken, .. }) => {
                self.ended.sent += 1;
                self.ended.accepted += 1;
                self.answered();
                self.in_flight += 1;
                if self.pacer.accepted(begun, self.at_the_provider()) {
                    self.note_pace();
                }
                if taken.via == Via::FreshReplay {
                    self.ladder.list = true;
                    self.ladder.doubted =
                        self.ladder.doubted.into_iter().chain([replay.held.intent_at]).min();
                }
                self.named(&replay.held, recorded, taken);
            }
            Replayed::Settled(Submitted::Broken(error)) => self.broken(error),
            Replayed::Settled(_) | Replayed::Over => {}
            Replayed::Refused { why } => {
                tracing::info!(?why, id = ?replay.held.id, "the key can't be asked again");
            }
            Replayed::Again(again) => {
                replay.failures += usize::from(!matches!(again, Again::Throttled { .. }));
                self.wait_as_told(begun, again);
                self.replay_later(replay);
            }
            Replayed::Still { why, retry_after } => {
                tracing::info!(?why, id = ?replay.held.id, "asked again, and still unknown");
                if let Some(wait) = retry_after {
                    self.pacer.hold(Instant::now() + wait);
                }
                replay.failures += 1;
                self.replay_later(replay);
            }
        }
    }

    pub(super) fn on_listed(&mut self, listed: Result<Listing, NoListing>) {
        self.ladder.climbing -= 1;
        self.ladder.listing = false;
        match listed {
            Ok(listing) => {
                if let Some(why) = listing.betrayed {
                    self.settings.replays = false;
                    self.tell(&Event::Doubted { why });
                }
                for (attempt, recorded, taken) in listing.adopted {
                    if let Some(held) = self.ladder.unknown.remove(&attempt) {
                        self.in_flight += 1;
                        self.named(&held, recorded, taken);
                    }
                }
            }
            Err(NoListing::Ledger(error)) => self.broken(error),
            Err(NoListing::Look(error)) => tracing::info!(?error, "the provider's list can't be read"),
        }
        let now = self.shared.clock.now_ms();
        if self.ladder.unknown.values().any(|held| now.saturating_sub(held.intent_at) < LIST_YOUNG_MS) {
            self.ladder.list_again = Some(Instant::now() + LIST_AGAIN);
        }
    }

    /// A callback was stored: it wakes the look at its task, or offers a name
    /// for an attempt in doubt. It changes nothing else.
    pub(super) fn on_called(
        &mut self,
        job: i64,
        attempt: i64,
        task: String,
        stored: Result<(), LedgerError>,
    ) {
        match stored {
            Err(error) => self.broken(error),
            Ok(()) => match self.ladder.unknown.get(&attempt).filter(|held| held.job == job) {
                Some(held) => self.ladder.adopt.push_back((held.clone(), task)),
                None => self.queues.hurry(attempt),
            },
        }
    }

    pub(super) fn on_adopted(&mut self, held: Held, adopted: Adopted) {
        self.ladder.climbing -= 1;
        match adopted {
            Adopted::Taken(recorded, taken) => {
                self.in_flight += 1;
                self.named(&held, recorded, taken);
            }
            Adopted::No(why) => {
                tracing::info!(?why, id = ?held.id, "a callback's word was not confirmed");
                if self.settings.replays {
                    self.replay_later(Replay { held, failures: 0 });
                }
            }
            Adopted::Broken(error) => self.broken(error),
        }
    }

    /// An attempt in doubt has a task: collected from now on like any other.
    fn named(&mut self, held: &Held, recorded: Recorded, taken: Taken) {
        self.ladder.unknown.remove(&held.attempt);
        self.snapshot.jobs.shift(State::Unknown, recorded.state);
        let id = recorded.id.clone();
        self.tell(&Event::Resolved { id, task: taken.task.clone(), how: how(taken.via).into() });
        let task = InFlight {
            job: held.job,
            attempt: held.attempt,
            task: taken.task,
            accepted_at: held.intent_at,
            estimated: taken.estimated,
            tries: held.tries,
        };
        self.watch_task(Watched::found(task, Kind::default()), recorded);
    }

    /// What a free "not now" means for the pace and for the run. Gives a wait
    /// that concerns this submission alone: one "can't serve" among many that
    /// are served says little about the next.
    pub(super) fn wait_as_told(&mut self, begun: Instant, again: Again) -> Option<Duration> {
        match again {
            Again::Throttled { retry_after } => {
                self.ended.throttled += 1;
                self.answered();
                let wait = self.pacer.refused(begun, retry_after, self.at_the_provider());
                self.note_pace();
                let Slowed { share, in_flight, .. } = self.pacer.slowed();
                self.tell(&Event::Throttled { wait, share, tasks: in_flight });
            }
            Again::Unavailable { why, retry_after } => {
                let (row, wait) = self.provider_failed(&why, true, retry_after);
                if retry_after.is_none() && row < OUTAGE {
                    return Some(wait);
                }
                self.pacer.hold(Instant::now() + wait);
            }
            Again::NeverSent { why } => {
                let (_, wait) = self.provider_failed(&why, false, None);
                self.pacer.hold(Instant::now() + wait);
            }
            Again::Balance(why) => self.halt(Halt::Balance(why)),
            Again::Key(why) => self.halt(Halt::Key(why)),
        }
        None
    }

    /// Stores what a callback said; the provider is answered after that.
    pub(super) fn on_call(&mut self, call: Call) {
        let Call { job, attempt, task, status, stored } = call;
        let (shared, named) = (Arc::clone(&self.shared), task.clone());
        self.steps.push(Box::pin(async move {
            let written = shared.ledger.write(move |store| store.called_back(attempt, &named, &status)).await;
            crash_point!("callback-stored");
            if written.is_ok() {
                stored.yes();
            }
            Step::Called(job, attempt, task, Box::new(written))
        }));
    }
}

/// What became of a task that a callback named.
#[derive(Debug)]
pub(super) enum Adopted {
    Taken(Recorded, Taken),
    No(String),
    Broken(LedgerError),
}

impl super::shared::Shared {
    /// Adopts a task that a callback named, after a read with the key has
    /// found it and no other job knows it.
    async fn adopt(&self, held: &Held, task: String) -> Adopted {
        match self.client.read(&task).await {
            Ok(_) => {}
            Err(LookError::NotFound(_)) => return Adopted::No(format!("the API knows no task {task}")),
            Err(error) => return Adopted::No(error.to_string()),
        }
        let taken = Taken { task, estimated: None, reserved: None, request_id: None, via: Via::Callback };
        let (job, attempt, confirmed) = (held.job, held.attempt, taken.clone());
        let recorded = self.ledger.write(move |store| {
            if store.held_job(job)?.is_none_or(|held| held.attempt != attempt) {
                return Ok(Err("it was decided meanwhile".to_owned()));
            }
            if let Some(owner) = store.owner_of(&confirmed.task)? {
                return Ok(Err(format!("task {} belongs to job {owner:?}", confirmed.task)));
            }
            store.record(job, attempt, crate::ledger::Outcome::Accepted(confirmed)).map(Ok)
        });
        match recorded.await {
            Ok(Ok(recorded)) => Adopted::Taken(recorded, taken),
            Ok(Err(why)) => Adopted::No(why),
            Err(error) => Adopted::Broken(error),
        }
    }
}

fn how(via: Via) -> &'static str {
    match via {
        Via::Replay => "its key was sent again, and the API knew it",
        Via::FreshReplay => "its key was sent again; the first try may have been billed as well",
        Via::Callback => "a callback named its task",
        Via::List => "the task list shows the one task that it can have made",
        Via::Answer | Via::Person => "its task is known",
    }
}
