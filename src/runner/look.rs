//! The step that looks at tasks, up to fifty with one request.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;

use super::schedule::Kind;
use super::shared::Shared;
use super::submit::LINK_LIFE_MS;
use crate::api::{Class, LookError, ManyLooks, Next, Status, Task};
use crate::ledger::{Answer, InFlight, LedgerError, Outcome, Recorded};

/// A completed task without links is read again this often before it counts
/// as paid for nothing.
const EMPTY_LOOKS: u32 = 5;

/// A task that is waited for.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) task: InFlight,
    pub(super) kind: Kind,
    /// When the last look was asked for, in milliseconds since 1970.
    pub(super) asked_at: i64,
    /// The last age at which it was known not to have ended; none where an
    /// earlier run may have missed the end.
    pub(super) unfinished: Option<Duration>,
    /// Looks that found it unfinished, in this run.
    pub(super) looks: u32,
    /// Looks that found it completed and without links.
    pub(super) empty: u32,
    /// Looked at in this run while it was overdue.
    pub(super) overdue: bool,
    /// Its links failed so often, and are wanted afresh.
    pub(super) refreshes: u32,
    /// The key was refused so often when it was looked at.
    pub(super) refused: u32,
}

impl Watched {
    /// A task that has just been taken.
    pub(super) fn fresh(task: InFlight, kind: Kind) -> Self {
        Self { unfinished: Some(Duration::ZERO), ..Self::found(task, kind) }
    }

    /// A task that may have ended long ago.
    pub(super) fn found(task: InFlight, kind: Kind) -> Self {
        let (asked_at, unfinished) = (0, None);
        Self {
            task,
            kind,
            asked_at,
            unfinished,
            looks: 0,
            empty: 0,
            overdue: false,
            refreshes: 0,
            refused: 0,
        }
    }

    /// Its age when it was looked at last.
    pub(super) fn age(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.asked_at.saturating_sub(self.task.accepted_at)).unwrap_or(0))
    }
}

/// How often a job may be paid for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tries {
    pub(super) most: u32,
    /// Also where a task ended without a picture.
    pub(super) empty: bool,
}

impl Tries {
    /// The wait before another paid try after a task's failure, where one is
    /// useful and allowed.
    fn again(self, code: &str, paid: u32) -> Option<Duration> {
        let wait = match Class::of_task(code).next() {
            Next::PaidTry(wait) => wait,
            Next::PaidTryIfAsked(wait) if self.empty => wait,
            _ => return None,
        };
        (paid < self.most).then_some(wait)
    }
}

/// What a look at one task found.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing yet: look again.
    Unfinished,
    /// The state changed.
    Ended { recorded: Recorded, failure: Option<(Answer, Option<Duration>)> },
    /// The look itself failed.
    Error(LookError),
    /// The ledger failed.
    Broken(LedgerError),
}

impl Shared {
    /// How many tasks one look may take.
    pub(super) fn look_size(&self) -> usize {
        if self.reads_singly() { 1 } else { crate::api::MANY }
    }

    pub(super) fn reads_singly(&self) -> bool {
        self.one_by_one.load(Ordering::Relaxed)
    }

    /// Looks at tasks and records what ended.
    pub(super) async fn look(&self, mut watched: Vec<Watched>, tries: Tries) -> Vec<(Watched, Found)> {
        let now = self.clock.now_ms();
        for watched in &mut watched {
            watched.asked_at = now;
        }
        let reports = if watched.len() == 1 {
            self.read_one(&watched[0]).await
        } else {
            self.read_many(&watched).await
        };
        let recorded = watched.into_iter().zip(reports).map(async |(mut watched, report)| {
            let found = match report {
                Ok(task) => self.judge(&mut watched, task, tries).await,
                Err(LookError::NotFound(_)) if self.is_long_gone(&watched.task) => {
                    let text = "the API no longer knows the task, more than a day after it took it";
                    self.lose(&watched.task, "task_not_found", text).await
                }
                Err(error) => Found::Error(error),
            };
            (watched, found)
        });
        join_all(recorded).await
    }

    async fn read_one(&self, watched: &Watched) -> Vec<Result<Task, LookError>> {
        vec![self.client.read(&watched.task.task).await]
    }

    async fn read_many(&self, watched: &[Watched]) -> Vec<Result<Task, LookError>> {
        let ids: Vec<String> = watched.iter().map(|watched| watched.task.task.clone()).collect();
        let mut tasks = match self.client.read_many(&ids).await {
            ManyLooks::Tasks(tasks) => tasks,
            ManyLooks::Unsupported { why } => {
                tracing::info!(?why, "this API has no batch read: tasks are read one by one");
                self.one_by_one.store(true, Ordering::Relaxed);
                return later(watched.len(), "the API has no batch read");
            }
            ManyLooks::Failed(error) => return watched.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut reports = Vec::with_capacity(ids.len());
        for id in &ids {
            reports.push(match tasks.iter().position(|task| task.id == *id) {
                Some(index) => Ok(tasks.swap_remove(index)),
                // A missing id says nothing in a batch; alone it does.
                None => self.client.read(id).await,
            });
        }
        reports
    }

    async fn judge(&self, watched: &mut Watched, report: Task, tries: Tries) -> Found {
        let (outcome, failure) = match report.status {
            Status::Completed { links } if links.is_empty() && watched.empty < EMPTY_LOOKS => {
                watched.empty += 1;
                return Found::Unfinished;
            }
            Status::Completed { links } if links.is_empty() => {
                let text = "the task completed and named no picture";
                return self.lose(&watched.task, "completed_without_pictures", text).await;
            }
            Status::Completed { links } => {
                let expires_at = self.expiry(&watched.task);
                let task = watched.task.task.clone();
                (Outcome::Completed { task, links, used: report.used, expires_at }, None)
            }
            Status::Failed { code, message } => {
                let again = tries.again(&code, watched.task.tries);
                let answer = Answer { code, message, ..Answer::default() };
                (Outcome::TaskFailed { answer: answer.clone(), again }, Some((answer, again)))
            }
            Status::Pending | Status::Processing => return Found::Unfinished,
            Status::Other(status) => {
                tracing::debug!(?status, task = %watched.task.task, "an unknown status; looking on");
                return Found::Unfinished;
            }
        };
        self.end(&watched.task, outcome, failure).await
    }

    async fn lose(&self, task: &InFlight, code: &str, message: &str) -> Found {
        let answer = Answer { code: code.into(), message: message.into(), ..Answer::default() };
        let lost = Outcome::Lost { number: None, answer: answer.clone() };
        self.end(task, lost, Some((answer, None))).await
    }

    async fn end(
        &self,
        task: &InFlight,
        outcome: Outcome,
        failure: Option<(Answer, Option<Duration>)>,
    ) -> Found {
        let (job, attempt) = (task.job, task.attempt);
        let recorded = self.ledger.write(move |store| store.record(job, attempt, outcome)).await;
        self.tell_account().await;
        match recorded {
            Ok(recorded) => Found::Ended { recorded, failure },
            Err(error) => Found::Broken(error),
        }
    }

    /// Its pictures are gone wherever they were.
    fn is_long_gone(&self, task: &InFlight) -> bool {
        self.clock.now_ms().saturating_sub(task.accepted_at) > LINK_LIFE_MS
    }

    /// The earliest time at which links may die: a task that is read late may
    /// have completed long ago.
    fn expiry(&self, task: &InFlight) -> i64 {
        let lasts = task.estimated.map_or(0, |estimated| estimated.as_millis() as i64);
        let soonest = task.accepted_at.saturating_add(lasts);
        soonest.min(self.clock.now_ms()) + LINK_LIFE_MS
    }
}

fn later(count: usize, why: &str) -> Vec<Result<Task, LookError>> {
    (0..count)
        .map(|_| Err(LookError::Transient { why: why.into(), retry_after: Some(Duration::ZERO) }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paid_try_is_useful_allowed_and_limited() {
        let tries = |most, empty| Tries { most, empty };
        let wait = Some(Duration::from_secs(30));
        assert_eq!(tries(2, false).again("service_error", 1), wait);
        assert_eq!(tries(2, false).again("service_error", 2), None);
        assert_eq!(tries(2, false).again("generation_failed_no_content", 1), None);
        assert_eq!(tries(2, true).again("generation_failed_no_content", 1), wait);
        assert_eq!(tries(9, true).again("content_policy_violation", 1), None);
    }
}
