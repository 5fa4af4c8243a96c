//! What can happen in a run, as data.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::job::{Credits, Tally};

/// Something a user may want to know.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    Started {
        /// Paid jobs of earlier runs that are collected now.
        collecting: u64,
    },
    /// The provider took a submission.
    Submitted {
        /// The job.
        id: String,
        /// The provider's task.
        task: String,
    },
    /// A picture is on disk, verified.
    Saved {
        /// The job.
        id: String,
        /// Path below the output folder.
        path: String,
        /// Length of the file.
        bytes: u64,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The size the rules promise, where it is another one.
        #[serde(skip_serializing_if = "Option::is_none")]
        promised: Option<(u32, u32)>,
    },
    /// A job ended without its picture.
    Failed {
        /// The job.
        id: String,
        /// The error's code.
        code: String,
        /// The error's text.
        message: String,
    },
    /// Another paid try follows.
    TryingAgain {
        /// The job.
        id: String,
        /// Why the last try failed.
        code: String,
        /// Wait before it.
        #[serde(serialize_with = "seconds")]
        #[schemars(with = "f64")]
        after: Duration,
    },
    /// Nobody knows whether a submission was billed.
    Unknown {
        /// The job.
        id: String,
        /// What is known.
        why: String,
        /// What it may have cost.
        at_risk: Credits,
    },
    /// A submission of unknown outcome has a task: it is collected.
    Resolved {
        /// The job.
        id: String,
        /// The provider's task.
        task: String,
        /// What resolved it.
        how: String,
    },
    /// The provider does not do what it was said to do.
    Doubted {
        /// What it did.
        why: String,
    },
    /// The provider charges more than was estimated: the same kind of
    /// submission reserves as many times its estimate from now on.
    Dearer {
        /// The kind of submission.
        kind: String,
        /// What was estimated for one.
        estimated: Credits,
        /// What the provider charged for it.
        proven: Credits,
    },
    /// The provider asks for patience.
    Throttled {
        /// Submissions wait this long.
        #[serde(serialize_with = "seconds")]
        #[schemars(with = "f64")]
        wait: Duration,
        /// After that they keep to this share of the configured pace.
        share: f64,
        /// And to so many tasks at once, where fewer than configured may be
        /// all that the provider takes.
        #[serde(skip_serializing_if = "Option::is_none")]
        tasks: Option<u32>,
    },
    /// The provider can't be reached, or can't serve; tried again by itself.
    Delayed {
        /// What is wrong.
        why: String,
        /// Until the next try: of all submissions, or of the one that failed.
        #[serde(serialize_with = "seconds")]
        #[schemars(with = "f64")]
        wait: Duration,
    },
    /// Submissions wait until pictures under way have come in; told once a run.
    Waiting {
        /// Why.
        why: String,
    },
    /// A picture could not be fetched this time.
    FetchFailed {
        /// The job.
        id: String,
        /// What is wrong.
        why: String,
        /// It is tried again in this run.
        again: bool,
    },
    /// No more submissions in this run; collecting goes on.
    Paused {
        /// Why, and what to do.
        why: String,
    },
    /// The user or a limit stops the run.
    Stopping {
        /// Why.
        why: String,
        /// Paid jobs that are still collected.
        collecting: u64,
        /// How long that may take, at the pace of this run so far.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "maybe_seconds")]
        #[schemars(with = "Option<f64>")]
        remaining: Option<Duration>,
    },
    /// The run is over; `run` is how it stands.
    Ended,
}

/// How a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Snapshot {
    /// Jobs by state.
    pub jobs: Tally,
    /// Pictures saved in this run.
    pub images: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Credits held by all attempts of the ledger: used, reserved, at risk.
    pub credits: Credits,
    /// The budget, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Credits>,
    /// Seconds since the run began.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "f64")]
    pub elapsed: Duration,
    /// Jobs finished in this run.
    pub finished: u64,
    /// When the first link of a picture that waits to be fetched dies, in
    /// milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_expiry: Option<i64>,
    /// Why submissions have stopped, if they have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halted: Option<String>,
}

impl Snapshot {
    /// Jobs finished a minute, in this run so far.
    #[must_use]
    pub fn pace(&self) -> Option<f64> {
        let minutes = self.elapsed.as_secs_f64() / 60.0;
        (self.finished > 0 && minutes > 0.0).then(|| self.finished as f64 / minutes)
    }

    /// Time to the end at the pace of this run so far.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let open = self.jobs.in_flight + if self.halted.is_some() { 0 } else { self.jobs.pending };
        if self.finished == 0 || open == 0 {
            return None;
        }
        Some(self.elapsed.mul_f64(open as f64 / self.finished as f64))
    }
}

/// Times are seconds in JSON, to the millisecond.
fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1e3).round() / 1e3)
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn maybe_seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => seconds(time, serializer),
        None => serializer.serialize_none(),
    }
}
