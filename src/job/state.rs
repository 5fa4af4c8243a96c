//! The states of a job and the one table of legal transitions.

use std::fmt;

use serde::Serialize;

/// Where a job stands. The ledger stores the number; numbers are never
/// reused for another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(i64)]
pub enum State {
    /// Nothing is bought; a submission may start.
    Pending = 0,
    /// The intent to submit is durable and its outcome is not. Left behind by
    /// a crash, this becomes `Unknown` and never `Pending`.
    Submitting = 1,
    /// The provider named a task: paid, to be looked at until it ends.
    Submitted = 2,
    /// The pictures' links are known: paid, to be fetched.
    Ready = 3,
    /// Nobody knows whether the provider took the submission. Held for a
    /// decision; never submitted again by itself.
    Unknown = 4,
    /// Ended without what was wanted.
    Failed = 5,
    /// Every picture is on disk, verified and recorded.
    Done = 6,
}

/// Something that happened to a job, reduced to what decides its next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The attempt is about to be made durable and sent.
    Intended,
    /// The request can't be built, or its reference can't be handed over;
    /// nothing was sent.
    Unsendable,
    /// Proof that nothing was bought: no byte left, or the provider said "not
    /// now".
    Released,
    /// The provider refused the request for good; nothing was bought.
    Refused,
    /// The outcome of the attempt can't be known from here.
    LostTrack,
    /// A task id is known for the attempt.
    Accepted,
    /// The task completed and its links are known.
    Completed,
    /// The task ended without a picture. `again` where another paid try is
    /// both useful and allowed.
    TaskFailed {
        /// Another try follows.
        again: bool,
    },
    /// A picture was saved. `last` where no other is missing; `outdated`
    /// where the manifest wants something else by now.
    Saved {
        /// Every picture of the attempt is on disk.
        last: bool,
        /// The attempt was made for an earlier version of the job.
        outdated: bool,
    },
    /// Paid, and gone: the links died before the pictures were here.
    Lost,
    /// A recorded file is no longer on disk; the task is read again.
    FileMissing,
    /// The pictures of one task are here, and those of another are asked for.
    MoreToRead,
    /// A person decided that an unknown submission did not happen.
    ResubmitDecided,
    /// A person gave an unknown submission up. `outdated` as in `Saved`.
    Abandoned {
        /// The manifest wants something else by now.
        outdated: bool,
    },
    /// A failed job is ordered again.
    RetryOrdered,
    /// A job that has fewer pictures than it asks for is to get the others.
    TopUpOrdered,
    /// That brought none, and cost nothing or is given up: those of before
    /// stand.
    TopUpEnded,
    /// The manifest wants another picture under this id.
    Changed,
    /// The manifest wants again what was bought before a change.
    Reverted,
}

/// An event that can't happen in this state: a defect of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} can not happen to a job that is {state}")]
pub struct Illegal {
    /// The state the job was in.
    pub state: State,
    /// The event that does not fit.
    pub event: Event,
}

impl State {
    /// Every state, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Submitting,
        Self::Submitted,
        Self::Ready,
        Self::Unknown,
        Self::Failed,
        Self::Done,
    ];

    /// The state after `event`; the only place where a transition is legal.
    #[expect(clippy::match_same_arms, reason = "one row of the table a step of a job's life, in its order")]
    pub fn next(self, event: Event) -> Result<Self, Illegal> {
        use {Event as E, State as S};
        Ok(match (self, event) {
            (S::Pending, E::Intended) => S::Submitting,
            (S::Pending, E::Unsendable) => S::Failed,

            (S::Submitting, E::Released) => S::Pending,
            (S::Submitting, E::Refused) => S::Failed,
            // Also when it is asked again under its key, and the answer makes no sense either.
            (S::Submitting | S::Unknown, E::LostTrack) => S::Unknown,
            (S::Submitting | S::Unknown, E::Accepted) => S::Submitted,

            (S::Submitted | S::Ready, E::Completed) => S::Ready,
            (S::Submitted | S::Ready, E::TaskFailed { again: true }) => S::Pending,
            (S::Submitted | S::Ready, E::TaskFailed { again: false } | E::Lost) => S::Failed,

            (S::Ready, E::Saved { last: false, .. }) => S::Ready,
            (S::Ready, E::Saved { last: true, outdated: false }) => S::Done,
            (S::Ready, E::Saved { last: true, outdated: true }) => S::Pending,

            (S::Done, E::FileMissing) | (S::Ready, E::MoreToRead) => S::Submitted,
            (S::Done, E::Lost) => S::Failed,

            (S::Pending, E::Reverted) => S::Done,

            (S::Done, E::TopUpOrdered) => S::Pending,
            (S::Pending | S::Submitting | S::Submitted | S::Ready | S::Unknown, E::TopUpEnded) => S::Done,

            (S::Unknown, E::ResubmitDecided | E::Abandoned { outdated: true }) => S::Pending,
            (S::Unknown, E::Abandoned { outdated: false }) => S::Failed,

            (S::Failed, E::RetryOrdered) | (S::Pending | S::Failed | S::Done, E::Changed) => S::Pending,
            // What is paid is collected first; the attempt is outdated then.
            (S::Submitting | S::Submitted | S::Ready | S::Unknown, E::Changed) => self,

            (state, event) => return Err(Illegal { state, event }),
        })
    }

    /// Money may have left for it, and its story is not over.
    #[must_use]
    pub fn may_be_paid_and_open(self) -> bool {
        matches!(self, Self::Submitting | Self::Submitted | Self::Ready | Self::Unknown)
    }

    /// The number the ledger stores.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The state behind a stored number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Submitting => "submitting",
            Self::Submitted => "submitted",
            Self::Ready => "ready",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Done => "done",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 23] = [
        Event::Intended,
        Event::Unsendable,
        Event::Released,
        Event::Refused,
        Event::LostTrack,
        Event::Accepted,
        Event::Completed,
        Event::TaskFailed { again: true },
        Event::TaskFailed { again: false },
        Event::Saved { last: false, outdated: false },
        Event::Saved { last: false, outdated: true },
        Event::Saved { last: true, outdated: false },
        Event::Saved { last: true, outdated: true },
        Event::Lost,
        Event::FileMissing,
        Event::MoreToRead,
        Event::ResubmitDecided,
        Event::Abandoned { outdated: false },
        Event::Abandoned { outdated: true },
        Event::Changed,
        Event::Reverted,
        Event::TopUpOrdered,
        Event::TopUpEnded,
    ];

    /// The whole table: for each state the events that are legal, and where
    /// they lead. Everything that is not listed is illegal.
    #[test]
    fn states_are_shown_by_the_names_of_the_contract() {
        let names = State::ALL.map(|state| state.to_string());
        assert_eq!(names, ["pending", "submitting", "submitted", "ready", "unknown", "failed", "done"]);
    }

    #[test]
    fn the_table_of_transitions() {
        let again = Event::TaskFailed { again: true };
        let dead = Event::TaskFailed { again: false };
        let part = |outdated| Event::Saved { last: false, outdated };
        let whole = |outdated| Event::Saved { last: true, outdated };
        let given_up = |outdated| Event::Abandoned { outdated };
        let legal: &[(State, Event, State)] = &[
            (State::Pending, Event::Intended, State::Submitting),
            (State::Pending, Event::Unsendable, State::Failed),
            (State::Pending, Event::Changed, State::Pending),
            (State::Pending, Event::Reverted, State::Done),
            (State::Pending, Event::TopUpEnded, State::Done),
            (State::Submitting, Event::Released, State::Pending),
            (State::Submitting, Event::Refused, State::Failed),
            (State::Submitting, Event::LostTrack, State::Unknown),
            (State::Submitting, Event::Accepted, State::Submitted),
            (State::Submitting, Event::Changed, State::Submitting),
            (State::Submitting, Event::TopUpEnded, State::Done),
            (State::Submitted, Event::Completed, State::Ready),
            (State::Submitted, again, State::Pending),
            (State::Submitted, dead, State::Failed),
            (State::Submitted, Event::Lost, State::Failed),
            (State::Submitted, Event::Changed, State::Submitted),
            (State::Submitted, Event::TopUpEnded, State::Done),
            (State::Ready, Event::Completed, State::Ready),
            (State::Ready, again, State::Pending),
            (State::Ready, dead, State::Failed),
            (State::Ready, Event::Lost, State::Failed),
            (State::Ready, part(false), State::Ready),
            (State::Ready, part(true), State::Ready),
            (State::Ready, whole(false), State::Done),
            (State::Ready, whole(true), State::Pending),
            (State::Ready, Event::MoreToRead, State::Submitted),
            (State::Ready, Event::Changed, State::Ready),
            (State::Ready, Event::TopUpEnded, State::Done),
            (State::Unknown, Event::LostTrack, State::Unknown),
            (State::Unknown, Event::Accepted, State::Submitted),
            (State::Unknown, Event::ResubmitDecided, State::Pending),
            (State::Unknown, given_up(true), State::Pending),
            (State::Unknown, given_up(false), State::Failed),
            (State::Unknown, Event::Changed, State::Unknown),
            (State::Unknown, Event::TopUpEnded, State::Done),
            (State::Failed, Event::Changed, State::Pending),
            (State::Done, Event::FileMissing, State::Submitted),
            (State::Done, Event::Lost, State::Failed),
            (State::Done, Event::Changed, State::Pending),
            (State::Done, Event::TopUpOrdered, State::Pending),
        ];
        for state in State::ALL {
            for event in EVENTS {
                let expected = legal.iter().find(|row| (row.0, row.1) == (state, event)).map(|row| row.2);
                assert_eq!(state.next(event).ok(), expected, "{state} and {event:?}");
            }
        }
        assert_eq!(State::Failed.next(Event::RetryOrdered), Ok(State::Pending));
        assert!(State::Unknown.next(Event::RetryOrdered).is_err());
    }

    /// Money may have left in these states: only proof or a person leads back.
    #[test]
    fn what_may_be_paid_returns_to_pending_only_on_proof_or_decision() {
        for state in [State::Submitting, State::Unknown] {
            for event in EVENTS {
                if state.next(event) == Ok(State::Pending) {
                    assert!(
                        matches!(event, Event::Released | Event::ResubmitDecided | Event::Abandoned { .. }),
                        "{state} became pending by {event:?}"
                    );
                }
            }
        }
        assert!(State::Unknown.next(Event::Released).is_err());
    }

    #[test]
    fn open_and_perhaps_paid_is_what_lies_between_the_intent_and_the_end() {
        let open = State::ALL.map(State::may_be_paid_and_open);
        // Pending, submitting, submitted, ready, unknown, failed, done.
        assert_eq!(open, [false, true, true, true, true, false, false]);
    }

    #[test]
    fn numbers_round_trip() {
        for state in State::ALL {
            assert_eq!(State::from_number(state.number()), Some(state));
        }
        assert_eq!(State::from_number(7), None);
    }
}
