//! The step that buys: intent, request, outcome. One submission; waits and
//! second tries are the driver's.

use std::time::Duration;

use tokio::time::Instant;

use super::replay::Replayed;
use super::shared::Shared;
use super::stage::Order;
use crate::account::Short;
use crate::api::{Delay, Refusal, Status, Submission};
use crate::job::{Credits, State};
use crate::ledger::{Answer, Intent, LedgerError, Money, Outcome, Recorded, Taken, Via};

/// Pictures are downloadable this long after completion (section 4 of the API
/// facts).
pub(super) const LINK_LIFE_MS: i64 = 24 * 60 * 60 * 1000;

/// What the driver must know of a submission.
#[derive(Debug)]
pub(super) enum Submitted {
    /// A task is under way, or done at once.
    Taken { recorded: Recorded, attempt: i64, taken: Taken },
    /// The job failed, unpaid.
    Refused { recorded: Recorded, answer: Answer },
    /// Not bought; send again.
    Again(Again),
    /// Held.
    Unknown { recorded: Recorded, attempt: i64, why: String, retry_after: Option<Duration> },
    /// No money for it; nothing was sent.
    NoMoney(Money),
    /// A limit of all runs together has no room for it; nothing was sent.
    Short(Short),
    /// Its price has risen since the account reserved it; nothing was sent.
    Dearer,
    /// The account of all runs can't be kept; nothing was sent.
    NoAccount(String),
    /// The intent could not be made durable, so nothing was sent; or the
    /// outcome could not be recorded (accepted tasks are in the rescue file).
    Broken(LedgerError),
}

/// Why the same submission may be sent again.
#[derive(Clone, Debug)]
pub(super) enum Again {
    Throttled { retry_after: Option<Duration> },
    Unavailable { why: String, retry_after: Option<Duration> },
    NeverSent { why: String },
    Balance(String),
    Key(String),
}

impl Shared {
    /// Buys: the intent is durable before the request leaves.
    pub(super) async fn submit(
        &self,
        order: &Order,
        slot: u64,
        remembered: u32,
        budget: Option<Credits>,
    ) -> Submitted {
        let intent = Intent {
            job: order.pending.job,
            key: new_key(),
            body: order.body.to_vec(),
            remembered,
            token: order.token.clone(),
            budget,
            booked: None,
        };
        let (attempt, key) = match self.intend(intent).await {
            Ok(intended) => intended,
            Err(unsent) => return unsent,
        };
        crash_point!("intent-committed");
        if let Some(token) = &order.token {
            self.expect_call(token, order.pending.job, attempt);
        }
        self.sending(slot, Instant::now());
        let submission = self.client.submit(order.body.clone(), &key).await;
        crash_point!("answer-in-memory");
        let meaning = Meaning::of(submission);
        self.settle(order.pending.job, attempt, meaning).await
    }

    /// Records an answer and what follows from it.
    pub(super) async fn settle(&self, job: i64, attempt: i64, meaning: Meaning) -> Submitted {
        let now = self.clock.now_ms();
        let Meaning { outcome, then } = meaning;
        let (first, (links, used)) = (outcome.clone(), then.result());
        let task = match &outcome {
            Outcome::Accepted(taken) => taken.task.clone(),
            _ => String::new(),
        };
        let recorded = self
            .ledger
            .write(move |store| {
                let recorded = store.record(job, attempt, first)?;
                if links.is_empty() || recorded.state != State::Submitted {
                    return Ok(recorded);
                }
                let expires_at = now + LINK_LIFE_MS;
                let before = recorded.before;
                let done = Outcome::Completed { task, links, used, expires_at };
                let done = store.record(job, attempt, done)?;
                Ok(Recorded { before, raise: done.raise.or(recorded.raise), ..done })
            })
            .await;
        crash_point!("answer-committed");
        self.tell_account().await;
        match (recorded, outcome, then) {
            (Ok(recorded), Outcome::Accepted(taken), _) if recorded.state == State::Unknown => {
                let why = format!("the answer names task {}, which belongs to another job", taken.task);
                Submitted::Unknown { recorded, attempt, why, retry_after: None }
            }
            (Ok(recorded), Outcome::Accepted(taken), _) => Submitted::Taken { recorded, attempt, taken },
            (Ok(recorded), Outcome::Refused(answer), _) => Submitted::Refused { recorded, answer },
            (Ok(_), _, Then::Again(again)) => Submitted::Again(again),
            (Ok(recorded), _, Then::Hold { why, retry_after }) => {
                Submitted::Unknown { recorded, attempt, why, retry_after }
            }
            (Ok(recorded), _, Then::Done { .. }) => {
                let why = "no sense in the answer".into();
                Submitted::Unknown { recorded, attempt, why, retry_after: None }
            }
            (Err(error), outcome, _) => {
                self.rescue(job, attempt, &outcome);
                Submitted::Broken(error)
            }
        }
    }

    /// The ledger could not take an outcome. A task id is the one thing that
    /// must not be lost with it.
    fn rescue(&self, job: i64, attempt: i64, outcome: &Outcome) {
        let Outcome::Accepted(taken) = outcome else { return };
        match self.rescue.keep(job, attempt, taken) {
            Ok(()) => tracing::warn!(task = %taken.task, "{RESCUED}"),
            Err(error) => tracing::error!(task = %taken.task, %error, "{UNRECORDED}"),
        }
    }
}

const RESCUED: &str =
    "the ledger is full or broken: the task id is kept beside it and returns at the next start";
const UNRECORDED: &str = "a paid task could not be recorded anywhere: write its id down";

/// An answer, split into what is recorded and what the driver does.
pub(super) struct Meaning {
    pub(super) outcome: Outcome,
    then: Then,
}

enum Then {
    Done { links: Vec<String>, used: Option<Credits> },
    Again(Again),
    Hold { why: String, retry_after: Option<Duration> },
}

impl Then {
    /// Links and price of a task that was complete at once.
    fn result(&self) -> (Vec<String>, Option<Credits>) {
        match self {
            Self::Done { links, used } => (links.clone(), *used),
            Self::Again(_) | Self::Hold { .. } => (Vec::new(), None),
        }
    }
}

impl Meaning {
    pub(super) fn of(submission: Submission) -> Self {
        match submission {
            Submission::Accepted(accepted) => {
                let used = accepted.task.used;
                let links = match accepted.task.status {
                    Status::Completed { links } => links,
                    _ => Vec::new(),
                };
                let taken = Taken {
                    task: accepted.task.id,
                    estimated: accepted.task.estimated_time,
                    reserved: accepted.task.reserved,
                    request_id: accepted.request_id,
                    via: Via::Answer,
                };
                Self { outcome: Outcome::Accepted(taken), then: Then::Done { links, used } }
            }
            Submission::Refused(refusal) => Self {
                outcome: Outcome::Refused(answer(refusal)),
                then: Then::Done { links: Vec::new(), used: None },
            },
            Submission::Throttled(Delay { refusal, retry_after }) => {
                Self::released(answer(refusal), true, Again::Throttled { retry_after })
            }
            Submission::Unavailable(Delay { refusal, retry_after }) => {
                let why = refusal.code.clone();
                Self::released(answer(refusal), false, Again::Unavailable { why, retry_after })
            }
            Submission::BalanceRefused(refusal) => {
                let why = said(&refusal);
                Self::released(answer(refusal), false, Again::Balance(why))
            }
            Submission::KeyRefused(refusal) => {
                let why = said(&refusal);
                Self::released(answer(refusal), false, Again::Key(why))
            }
            Submission::NeverSent { why } => {
                let answer = Answer { code: "not_sent".into(), message: why.clone(), ..Answer::default() };
                let outcome = Outcome::Released { answer, throttled: false, left: false };
                Self { outcome, then: Then::Again(Again::NeverSent { why }) }
            }
            Submission::Conflict(refusal) => Self::held(answer(refusal), None, None),
            Submission::Undecided(Delay { refusal, retry_after }) => {
                Self::held(answer(refusal), None, retry_after)
            }
            Submission::Unknown(doubt) => {
                let answer = Answer {
                    code: String::new(),
                    message: doubt.why,
                    http_status: doubt.http_status,
                    request_id: doubt.request_id,
                };
                if sabotaged!("forget-doubts") {
                    return Self::released(
                        answer,
                        false,
                        Again::Unavailable { why: String::new(), retry_after: None },
                    );
                }
                Self::held(answer, doubt.response, doubt.retry_after)
            }
        }
    }

    /// What an answer says, in a line.
    pub(super) fn why(&self) -> String {
        match &self.outcome {
            Outcome::Released { answer, .. }
            | Outcome::Refused(answer)
            | Outcome::LostTrack { answer, .. } => answer.to_string(),
            _ => String::new(),
        }
    }

    /// The same answer to a replay: nothing but a task decides about the original.
    pub(super) fn of_replay(self, why: String) -> Replayed {
        match (self.outcome, self.then) {
            (_, Then::Again(again)) => Replayed::Again(again),
            (Outcome::Refused(_), _) => Replayed::Refused { why },
            (_, Then::Hold { retry_after, .. }) => Replayed::Still { why, retry_after },
            (_, Then::Done { .. }) => Replayed::Still { why, retry_after: None },
        }
    }

    fn released(answer: Answer, throttled: bool, again: Again) -> Self {
        Self { outcome: Outcome::Released { answer, throttled, left: true }, then: Then::Again(again) }
    }

    fn held(answer: Answer, response: Option<String>, retry_after: Option<Duration>) -> Self {
        let why = answer.to_string();
        Self { outcome: Outcome::LostTrack { answer, response }, then: Then::Hold { why, retry_after } }
    }
}

fn answer(refusal: Refusal) -> Answer {
    Answer {
        code: refusal.code,
        message: refusal.message,
        http_status: Some(refusal.http_status),
        request_id: refusal.request_id,
    }
}

fn said(refusal: &Refusal) -> String {
    format!("HTTP {} {}: {}", refusal.http_status, refusal.code, refusal.message)
}

/// An idempotency key: 41 of the characters the provider allows (16 to 96).
fn new_key() -> String {
    format!("imgbatch-{:032x}", fastrand::u128(..))
}
