//! How a run is executed: everything a user may set, resolved.

use std::time::Duration;

use tokio::time::Instant;

use crate::job::Credits;
use crate::ledger::Filter;
use crate::manifest::units::{Posts, StopAfter};
use crate::pacer::Limits;

/// The knobs of one run.
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a user")]
#[derive(Clone, Debug)]
pub struct Settings {
    /// Pace of submissions and tasks in flight.
    pub limits: Limits,
    /// Submissions on the wire at once: the exposure after a crash.
    pub posts: Posts,
    /// Downloads at once.
    pub downloads: u32,
    /// Paid tries a job.
    pub attempts: u32,
    /// A task that ended without a picture is worth another paid try.
    pub retry_empty: bool,
    /// A task older than this is overdue: looked at once a minute.
    pub overdue: Duration,
    /// What all attempts of the ledger together may cost.
    pub budget: Option<Credits>,
    /// When failures stop the run.
    pub stop_after: Option<StopAfter>,
    /// Which pending jobs are submitted; `None` submits nothing.
    pub submit: Option<Filter>,
    /// The most jobs that are submitted.
    pub limit: Option<u64>,
    /// Whether to wait for tasks and fetch their pictures.
    pub collect: bool,
    /// Submissions stop here; collecting goes on.
    pub deadline: Option<Instant>,
    /// The provider honours idempotency keys: a submission of unknown outcome
    /// is sent again under its own.
    pub replays: bool,
    /// Nothing else submits with this API key.
    pub exclusive_key: bool,
}

/// What a run is told from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Go on.
    #[default]
    No,
    /// No new submissions; collect everything that is paid (first Ctrl-C).
    Drain,
    /// Finish requests and downloads under way, then leave (SIGTERM).
    Leave,
}

/// The bounds of the automatic number of submissions on the wire.
const AUTO_POSTS: (u32, u32) = (4, 64);

/// How many submissions may be on the wire: the rate times the usual duration
/// of a POST, doubled for its spread, where the user gave no number.
pub(super) fn posts_on_the_wire(posts: Posts, rate: f64, usual: Duration) -> usize {
    match posts {
        Posts::Count(count) => count.max(1) as usize,
        Posts::Auto => {
            let wanted = (rate * usual.as_secs_f64() * 2.0).ceil();
            (wanted.min(f64::from(AUTO_POSTS.1)) as u32).max(AUTO_POSTS.0) as usize
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposure_follows_rate_and_duration_within_bounds() {
        let auto = |rate, seconds| posts_on_the_wire(Posts::Auto, rate, Duration::from_secs(seconds));
        assert_eq!(auto(2.0, 1), 4);
        assert_eq!(auto(10.0, 1), 20);
        assert_eq!(auto(500.0, 2), 64);
        assert_eq!(posts_on_the_wire(Posts::Count(1), 500.0, Duration::from_secs(9)), 1);
    }
}
