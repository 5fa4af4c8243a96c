//! What each outcome of a step means for its job and for the run.

use std::time::Duration;

use tokio::time::Instant;

use super::driver::{Driver, Trust};
use super::fetch::{Fetch, Fetched, Next, after_failure};
use super::halt::Halt;
use super::look::{Found, Watched};
use super::queues::Due;
use super::schedule::{Kind, MANY_WAIT, OVERDUE_EVERY, Reads, together};
use super::stage::{Order, Unstaged};
use super::submit::{Again, Submitted};
use crate::api::{Class, LookError};
use crate::download::FetchError;
use crate::events::Event;
use crate::job::{Raise, State};
use crate::ledger::{Answer, Held, InFlight, Money, Pending, Recorded, SavedPicture, Taken};
use crate::pacer::backoff;

/// A picture's usual length, for the room a disk needs (a 2K PNG).
const USUAL_PICTURE: u64 = 3 << 20;

/// Room that is never planned away: the ledger grows too.
const SPARE_DISK: u64 = 2 << 20;

/// A picture that could not be fetched again and again is tried once more after
/// this time, if the run lasts: its link lives for a day.
const FETCHED_LATER: Duration = Duration::from_mins(30);

/// A look that failed, or that found too little, is repeated no sooner.
const READ_AGAIN: Duration = Duration::from_secs(3);

/// A task whose look the key was refused for so often is left for another run.
const KEY_REFUSALS: u32 = 5;

impl Driver {
    pub(super) fn on_staged(&mut self, staged: Result<Order, (Pending, Unstaged)>) {
        match staged {
            Ok(order) => self.queues.orders.push_back(order),
            Err((pending, Unstaged::Failed(answer))) => {
                self.snapshot.jobs.shift(State::Pending, State::Failed);
                self.snapshot.finished += 1;
                self.tell(&Event::Failed { id: pending.id, code: answer.code, message: answer.message });
                self.job_ended(true);
            }
            Err((pending, Unstaged::Later(why))) => {
                let (_, wait) = self.provider_failed(&why, false, None);
                self.queues.later(Instant::now() + wait, Due::Stage(Box::new(pending)));
            }
            Err((_, Unstaged::Ledger(error))) => self.broken(error),
        }
    }

    pub(super) fn on_submitted(&mut self, order: Order, begun: Instant, submitted: Submitted) {
        match submitted {
            Submitted::Taken { recorded, attempt, taken } => {
                self.on_taken(&order, begun, recorded, attempt, taken);
            }
            Submitted::Refused { recorded, answer } => {
                self.in_flight -= 1;
                self.ended.sent += 1;
                self.answered();
                self.moved(State::Pending, &recorded);
                self.tell(&Event::Failed { id: recorded.id, code: answer.code, message: answer.message });
                self.job_ended(true);
            }
            Submitted::Again(again) => {
                self.in_flight -= 1;
                self.on_again(order, begun, again);
            }
            Submitted::Unknown { recorded, attempt, why, retry_after } => {
                self.ended.sent += 1;
                self.in_flight -= 1;
                let held = self.held(order, attempt, begun);
                self.on_unknown(held, &recorded, why, retry_after);
            }
            Submitted::NoMoney(money) => {
                self.in_flight -= 1;
                self.on_no_money(order, money);
            }
            Submitted::Short(short) => {
                self.in_flight -= 1;
                self.on_no_room(order, Halt::Limit(short));
            }
            Submitted::Dearer => {
                self.in_flight -= 1;
                self.queues.orders.push_front(order);
            }
            Submitted::NoAccount(why) => {
                self.in_flight -= 1;
                self.queues.orders.push_front(order);
                self.halt(Halt::Account(why));
            }
            Submitted::Broken(error) => {
                self.in_flight -= 1;
                self.broken(error);
            }
        }
    }

    /// The provider answered a submission with sense.
    pub(super) fn answered(&mut self) {
        self.watch.answered();
        self.trust = Trust::Full;
    }

    /// Tasks under way may settle below their estimates, or fail and be
    /// refunded: the budget is exhausted only when none is left.
    fn on_no_money(&mut self, order: Order, money: Money) {
        match money {
            Money::OverBudget { estimate, left } => self.on_no_room(order, Halt::Budget { estimate, left }),
            Money::Unpriced => self.halt(Halt::Unpriced { model: order.pending.request.model }),
        }
    }

    fn on_no_room(&mut self, order: Order, halt: Halt) {
        if self.working() > 0 {
            self.waits_for_money = true;
            self.queues.orders.push_front(order);
        } else {
            self.halt(halt);
        }
    }

    /// The provider charges more than was estimated.
    fn tell_raise(&mut self, raise: Option<Raise>) {
        let Some(Raise { kind, estimate, proven }) = raise else { return };
        self.tell(&Event::Dearer { kind, estimated: estimate, proven });
    }

    fn on_taken(
        &mut self,
        order: &Order,
        begun: Instant,
        mut recorded: Recorded,
        attempt: i64,
        taken: Taken,
    ) {
        self.tell_raise(recorded.raise.take());
        self.ended.sent += 1;
        self.ended.accepted += 1;
        self.answered();
        if self.pacer.accepted(begun, self.at_the_provider()) {
            self.note_pace();
        }
        self.snapshot.jobs.shift(State::Pending, recorded.state);
        self.snapshot.credits += taken.reserved.or(order.pending.estimate).unwrap_or_default();
        self.tell(&Event::Submitted { id: recorded.id.clone(), task: taken.task.clone() });
        let task = InFlight {
            job: order.pending.job,
            attempt,
            task: taken.task,
            accepted_at: self.shared.clock.now_ms(),
            estimated: taken.estimated,
            tries: order.pending.tries + 1,
        };
        let kind = self.schedule.kind(&order.pending.request);
        self.watch_task(Watched::fresh(task, kind), recorded);
    }

    /// Waits for a task that was just named, or fetches its pictures.
    pub(super) fn watch_task(&mut self, watched: Watched, recorded: Recorded) {
        if recorded.state == State::Ready {
            self.in_flight -= 1;
            self.queues.fetch(recorded.fetch, 0);
            return;
        }
        self.first_look(watched);
    }

    /// A ledger that somebody filled may hold any time of acceptance.
    pub(super) fn first_look(&mut self, watched: Watched) {
        let task = &watched.task;
        let age = self.schedule.first_look(watched.kind, task.estimated);
        self.look_at(task.accepted_at.saturating_add(age.as_millis() as i64), age / 16, watched);
    }

    /// Where tasks are read together, within about `grid` of others.
    fn look_at(&mut self, at: i64, grid: Duration, watched: Watched) {
        let at = if self.shared.reads_singly() { at } else { together(at, grid) };
        self.queues.look_later(self.shared.clock.instant(at), watched);
    }

    /// The pictures of one task are here, and another has more of the job's.
    pub(super) fn look_on(&mut self, task: Option<Box<InFlight>>) {
        let Some(task) = task else { return };
        self.in_flight += 1;
        self.queues.look_later(Instant::now(), Watched::found(*task, Kind::default()));
    }

    /// Nothing was bought: the order keeps its place at the head of the queue,
    /// unless it is to wait alone.
    fn on_again(&mut self, order: Order, begun: Instant, again: Again) {
        self.ended.sent += u64::from(!matches!(again, Again::NeverSent { .. }));
        match self.wait_as_told(begun, again) {
            Some(alone) => self.queues.later(Instant::now() + alone, Due::Order(Box::new(order))),
            None => self.queues.orders.push_front(order),
        }
    }

    fn held(&self, order: Order, attempt: i64, begun: Instant) -> Held {
        let Pending { job, id, estimate, tries, request, .. } = order.pending;
        Held {
            job,
            attempt,
            id,
            intent_at: self.shared.clock.now_ms() - begun.elapsed().as_millis() as i64,
            tries: tries + 1,
            at_risk: estimate.unwrap_or_default(),
            model: request.model,
        }
    }

    fn on_unknown(&mut self, held: Held, recorded: &Recorded, why: String, retry_after: Option<Duration>) {
        self.moved(State::Pending, recorded);
        self.snapshot.credits += held.at_risk;
        self.tell(&Event::Unknown { id: held.id.clone(), why, at_risk: held.at_risk });
        self.doubt(held);
        let (wait, halt) = self.watch.unknown();
        if let Some(wait) = wait {
            self.trust = Trust::ProveAt(Instant::now() + wait);
            let why = "several submissions in a row have an unknown outcome".into();
            self.tell(&Event::Delayed { why, wait });
        }
        if let Some(wait) = retry_after {
            self.pacer.hold(Instant::now() + wait);
        }
        if let Some(halt) = halt {
            self.halt(halt);
        }
    }

    /// After a row of unknown outcomes a free read says whether the API is
    /// back. Any answer of its own does.
    pub(super) fn on_proved(&mut self, proof: Result<(), LookError>) {
        self.trust = match proof {
            Ok(()) | Err(LookError::NotFound(_) | LookError::Throttled { .. }) => Trust::OneByOne,
            Err(LookError::KeyRefused(refusal)) => {
                self.halt(Halt::Key(format!("HTTP {} {}", refusal.http_status, refusal.code)));
                Trust::OneByOne
            }
            Err(LookError::Transient { why, .. }) => {
                let wait = self.watch.unknown_wait();
                self.tell(&Event::Delayed { why: format!("the API is not back: {why}"), wait });
                Trust::ProveAt(Instant::now() + wait)
            }
        };
    }

    /// A free try failed. Gives the failures in a row and the wait before the
    /// next try.
    pub(super) fn provider_failed(
        &mut self,
        why: &str,
        reached: bool,
        retry_after: Option<Duration>,
    ) -> (u32, Duration) {
        let (row, halt) = self.watch.unavailable(why, reached);
        let wait = retry_after.unwrap_or_default().max(backoff(row, fastrand::f64()));
        match halt {
            Some(halt) => self.halt(halt),
            None => self.tell(&Event::Delayed { why: why.to_owned(), wait }),
        }
        (row, wait)
    }

    pub(super) fn on_found(&mut self, mut watched: Watched, found: Found) {
        match found {
            Found::Ended { recorded, .. } if recorded.stale => {}
            Found::Ended { mut recorded, failure: None } => {
                if let Some(unfinished) = watched.unfinished {
                    self.schedule.ended(watched.kind, unfinished, watched.age());
                }
                self.tell_raise(recorded.raise.take());
                self.waits_for_money = false;
                self.watch.task_ended(None);
                self.in_flight =
                    self.in_flight.saturating_sub(usize::from(recorded.before == State::Submitted));
                self.moved(recorded.before, &recorded);
                self.look_on(recorded.look);
                if recorded.state == State::Failed {
                    // Pictures that it had named before and names no longer.
                    let (code, message) = ("picture_lost".into(), "the task no longer names it".into());
                    self.tell(&Event::Failed { id: recorded.id, code, message });
                    self.job_ended(true);
                }
                self.queues.fetch(recorded.fetch, watched.refreshes);
            }
            Found::Ended { recorded, failure: Some((answer, again)) } => {
                self.waits_for_money = false;
                self.in_flight =
                    self.in_flight.saturating_sub(usize::from(recorded.before == State::Submitted));
                self.on_task_failed(watched.task.job, recorded, answer, again);
            }
            Found::Unfinished => {
                watched.looks += 1;
                watched.unfinished = Some(watched.age());
                // It ended, and its links may take their time.
                let at_least = if watched.empty > 0 { READ_AGAIN } else { Duration::ZERO };
                self.look_again(watched, at_least);
            }
            Found::Error(error) => self.on_look_error(watched, error),
            Found::Broken(error) => self.broken(error),
        }
    }

    fn on_task_failed(&mut self, job: i64, recorded: Recorded, answer: Answer, again: Option<Duration>) {
        self.moved(recorded.before, &recorded);
        let troubled = Class::of_task(&answer.code) == Class::TaskTroubled;
        if let Some(halt) = troubled.then(|| self.watch.task_ended(Some(&answer.code))).flatten() {
            self.halt(halt);
        }
        if recorded.state == State::Pending {
            let after = again.unwrap_or_default();
            self.queues.later(Instant::now() + after, Due::Reload(job));
            self.tell(&Event::TryingAgain { id: recorded.id, code: answer.code, after });
            return;
        }
        self.tell(&Event::Failed { id: recorded.id, code: answer.code, message: answer.message });
        self.job_ended(true);
    }

    fn on_look_error(&mut self, mut watched: Watched, error: LookError) {
        let wait = match error {
            LookError::Throttled { retry_after } => {
                let wait = retry_after.unwrap_or(Duration::from_secs(5));
                self.look_gate.hold(Instant::now() + wait);
                wait
            }
            LookError::KeyRefused(refusal) => {
                self.halt(Halt::Key(format!("HTTP {} {}", refusal.http_status, refusal.code)));
                watched.refused += 1;
                if watched.refused >= KEY_REFUSALS {
                    // Nothing can be collected with this key; the ledger keeps the task.
                    return;
                }
                Duration::ZERO
            }
            LookError::Transient { why, retry_after } => {
                tracing::debug!(?why, task = %watched.task.task, "a look failed");
                retry_after.unwrap_or(READ_AGAIN)
            }
            // Perhaps not yet; a task that stays unknown becomes overdue.
            LookError::NotFound(_) => READ_AGAIN,
        };
        watched.looks += 1;
        self.look_again(watched, wait);
    }

    fn look_again(&mut self, mut watched: Watched, at_least: Duration) {
        let now = self.shared.clock.now_ms();
        let age =
            Duration::from_millis(u64::try_from(now.saturating_sub(watched.task.accepted_at)).unwrap_or(0));
        watched.overdue = age > self.settings.overdue;
        let wait = if watched.overdue {
            OVERDUE_EVERY
        } else {
            let alone = self.shared.reads_singly() || self.queues.waiting_tasks() < MANY_WAIT;
            let reads = if alone { Reads::Single } else { Reads::Together };
            self.schedule.next_look(watched.kind, age, watched.looks, reads, fastrand::f64())
        };
        let wait = wait.max(at_least);
        self.look_at(now.saturating_add(wait.as_millis() as i64), wait, watched);
    }

    pub(super) fn on_fetched(&mut self, mut fetch: Fetch, fetched: Fetched) {
        match fetched {
            Fetched::Saved { recorded, saved } => self.on_saved(&fetch, recorded, saved),
            Fetched::Lost { recorded, why } => {
                self.queues.forget(&fetch.picture);
                self.moved(recorded.before, &recorded);
                self.look_on(recorded.look);
                if recorded.state == State::Failed && !recorded.stale {
                    self.tell(&Event::Failed { id: recorded.id, code: "picture_lost".into(), message: why });
                    self.job_ended(true);
                } else {
                    self.tell(&Event::FetchFailed { id: recorded.id, why, again: false });
                }
            }
            Fetched::Failed(error) => {
                fetch.failures += 1;
                self.on_fetch_failed(fetch, &error);
            }
            Fetched::Broken(error) => self.broken(error),
        }
    }

    fn on_saved(&mut self, fetch: &Fetch, recorded: Recorded, saved: SavedPicture) {
        self.queues.forget(&fetch.picture);
        self.moved(recorded.before, &recorded);
        self.look_on(recorded.look);
        self.snapshot.images += 1;
        self.snapshot.bytes += saved.bytes;
        self.tell(&Event::Saved {
            id: recorded.id,
            path: saved.path,
            bytes: saved.bytes,
            width: saved.width,
            height: saved.height,
            promised: recorded.promised.filter(|size| *size != (saved.width, saved.height)),
        });
        match recorded.state {
            _ if recorded.stale => {}
            State::Pending => self.queues.later(Instant::now(), Due::Reload(fetch.picture.task.job)),
            State::Failed => self.job_ended(true),
            State::Done => self.job_ended(false),
            _ => {}
        }
    }

    fn on_fetch_failed(&mut self, fetch: Fetch, error: &FetchError) {
        let next = after_failure(error, fetch.failures, fastrand::f64());
        let id = fetch.picture.path.to_string();
        let again = next != Next::Leave;
        self.tell(&Event::FetchFailed { id, why: error.to_string(), again });
        if error.is_full() {
            self.halt(Halt::Disk("the disk is full".into()));
        }
        match next {
            Next::Again(wait) => self.queues.later(Instant::now() + wait, Due::Fetch(Box::new(fetch))),
            Next::Refresh(wait) => {
                // A fresh report carries fresh links.
                self.queues.forget(&fetch.picture);
                let mut watched = Watched::found(fetch.picture.task, Kind::default());
                watched.refreshes = fetch.failures;
                self.queues.look_later(Instant::now() + wait, watched);
            }
            Next::Leave => {
                let later = Instant::now() + FETCHED_LATER;
                self.queues.leave(later, Fetch { failures: 0, ..fetch });
            }
        }
    }

    /// A job went from one state to another.
    fn moved(&mut self, before: State, recorded: &Recorded) {
        self.snapshot.jobs.shift(before, recorded.state);
        let ended = matches!(recorded.state, State::Done | State::Failed);
        self.snapshot.finished += u64::from(ended && before != recorded.state && !recorded.stale);
    }

    fn job_ended(&mut self, failed: bool) {
        if let Some(halt) = self.watch.finished(failed) {
            self.halt(halt);
        }
    }

    /// Buying goes on only while the disk takes what is bought. Pictures
    /// under way may still be stored and make the need smaller.
    pub(super) fn disk_is_short(&self) -> Option<String> {
        let disk = rustix::fs::statvfs(&self.shared.folder).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let seen = self.snapshot.bytes.checked_div(self.snapshot.images);
        let picture = seen.map_or(USUAL_PICTURE, |mean| mean * 2);
        let coming = (self.in_flight + self.queues.backlog() + 1) as u64;
        let needed = SPARE_DISK + coming * picture;
        (free < needed).then(|| {
            let (free, needed) = (crate::events::bytes(free), crate::events::bytes(needed));
            format!("the disk has {free} left, and what is under way with one more picture may need {needed}")
        })
    }
}
