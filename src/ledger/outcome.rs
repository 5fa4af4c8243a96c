//! What can happen to an attempt, and where that leaves its job. Data only.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::claim::InFlight;
use crate::job::{ContentHash, Credits, OutPath, Raise, State};

/// The provider's answer to an accepted submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// The task's id.
    pub task: String,
    /// The provider's guess of how long it takes.
    pub estimated: Option<Duration>,
    /// Credits set aside by the provider.
    pub reserved: Option<Credits>,
    /// What support asks for.
    pub request_id: Option<String>,
    /// How the ledger comes to know it.
    #[serde(default)]
    pub via: Via,
}

/// How the ledger came to know the task of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The answer to the submission named it.
    #[default]
    Answer,
    /// The same key and bytes were sent again, and the provider said that
    /// this is the task of their first arrival.
    Replay,
    /// The same key and bytes were sent again, and the provider named a task
    /// without saying so: the first arrival, or a second bill. What the
    /// earlier one may have cost stays reserved.
    FreshReplay,
    /// A callback named it under the attempt's secret address, and a read
    /// confirmed it.
    Callback,
    /// The only task of the provider's list that the attempt can have made.
    List,
    /// A person said so.
    Person,
}

impl Via {
    /// The kind of the decision that stands in the ledger; `None` where
    /// nothing was decided.
    #[must_use]
    pub fn decision(self) -> Option<&'static str> {
        match self {
            Self::Answer => None,
            Self::Replay => Some("adopted: replayed"),
            Self::FreshReplay => Some("adopted: sent again, possibly billed twice"),
            Self::Callback => Some("adopted: callback"),
            Self::List => Some("adopted: task list"),
            Self::Person => Some("adopt"),
        }
    }
}

/// Facts about an answer that was not an acceptance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The error's code, or the kind of transport failure.
    pub code: String,
    /// The error's text.
    pub message: String,
    /// HTTP status, where there was one.
    pub http_status: Option<u16>,
    /// What support asks for.
    pub request_id: Option<String>,
}

/// A picture that is complete, verified, synced and under its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPicture {
    /// Its number among the attempt's pictures, from 1.
    pub number: u32,
    /// Path below the output folder.
    pub path: String,
    /// Hash of the file.
    pub sha256: ContentHash,
    /// Length of the file.
    pub bytes: u64,
    /// Decoded width in pixels.
    pub width: u32,
    /// Decoded height in pixels.
    pub height: u32,
    /// `png`, `jpeg` or `webp`.
    pub format: String,
}

/// What happened to an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nothing was bought and the same may be sent again.
    Released {
        /// What the provider or the network said.
        answer: Answer,
        /// It was a 429.
        throttled: bool,
        /// Bytes left this machine.
        left: bool,
    },
    /// Refused for good; nothing was bought.
    Refused(Answer),
    /// Nobody knows.
    LostTrack {
        /// What is known of the answer.
        answer: Answer,
        /// The beginning of what came back.
        response: Option<String>,
    },
    /// A task id is known. One that belongs to another job is no answer: the
    /// outcome is unknown then.
    Accepted(Taken),
    /// The task completed.
    Completed {
        /// Which one: pictures may be asked of an earlier attempt's task.
        task: String,
        /// Links of its pictures, in order.
        links: Vec<String>,
        /// The provider's final figure.
        used: Option<Credits>,
        /// When the links die, in milliseconds since 1970.
        expires_at: i64,
    },
    /// The task failed; such tasks are refunded.
    TaskFailed {
        /// What the provider said.
        answer: Answer,
        /// Another paid try is useful after this wait.
        again: Option<Duration>,
    },
    /// A picture is on disk.
    Saved(SavedPicture),
    /// Paid and gone: one picture, or all of the attempt.
    Lost {
        /// The picture's number; `None` for all.
        number: Option<u32>,
        /// What is known.
        answer: Answer,
    },
    /// Recorded files are no longer there; their task is read again.
    FileMissing {
        /// Numbers of the pictures.
        numbers: Vec<u32>,
    },
}

/// A picture that is paid for and not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToFetch {
    /// The task that made it.
    pub task: InFlight,
    /// Its number among the attempt's pictures, from 1.
    pub number: u32,
    /// The attempt has several pictures, so that names carry the number.
    pub numbered: bool,
    /// Where to fetch it.
    pub link: String,
    /// When the link dies, in milliseconds since 1970.
    pub expires_at: i64,
    /// Where it goes, without an extension.
    pub path: OutPath,
    /// The manifest wants something else by now: it goes to `replaced/`.
    pub outdated: bool,
}

/// Where a job stands after something was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: String,
    /// Its state before.
    pub before: State,
    /// Its state now.
    pub state: State,
    /// The job's story had gone on without this attempt: nothing changed.
    pub stale: bool,
    /// Pictures that can be fetched now.
    pub fetch: Vec<ToFetch>,
    /// Another task has pictures of this job: it has to be looked at.
    pub look: Option<Box<InFlight>>,
    /// A pending job is not submitted before (milliseconds since 1970).
    pub due_at: Option<i64>,
    /// The size that the rules promise for its pictures.
    pub promised: Option<(u32, u32)>,
    /// The provider's figure raised what this kind of submission reserves.
    pub raise: Option<Raise>,
}

impl Outcome {
    /// It can be the end of a step that ran beside another of its attempt.
    pub(super) fn may_be_late(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::TaskFailed { .. } | Self::Saved(_) | Self::Lost { .. })
    }
}

impl Answer {
    pub(super) fn about_lost_pictures() -> Self {
        Self {
            code: "picture_lost".into(),
            message: "not all of its pictures could be fetched before their links died".into(),
            ..Self::default()
        }
    }

    pub(super) fn about_a_strangers_task(taken: &Taken, owner: &str) -> Self {
        Self {
            code: "task_of_another_job".into(),
            message: format!("the answer names task {}, which belongs to job {owner:?}", taken.task),
            request_id: taken.request_id.clone(),
            ..Self::default()
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.is_empty(), self.message.is_empty()) {
            (false, false) => write!(f, "{}: {}", self.code, self.message),
            _ => write!(f, "{}{}", self.code, self.message),
        }
    }
}
