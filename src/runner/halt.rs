//! When to stop buying: the rules that guard a whole run. Pure.

use std::time::Duration;

use crate::account::Short;
use crate::job::Credits;
use crate::manifest::units::StopAfter;

/// Why no more submissions leave in this run. Collecting goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Halt {
    /// The next submission might exceed the budget.
    Budget {
        /// What it may cost.
        estimate: Credits,
        /// What is left.
        left: Credits,
    },
    /// Under a budget, what has no price is not bought.
    Unpriced {
        /// The model.
        model: String,
    },
    /// A limit of all runs of the user together.
    Limit(Short),
    /// The account of all runs can't be kept, and a limit depends on it.
    Account(String),
    /// The account has no credits left.
    Balance(String),
    /// The key is not accepted.
    Key(String),
    /// Too many jobs failed.
    StopAfter(String),
    /// The provider was never reached in this run.
    Unreachable(String),
    /// The provider gave the same error over and over.
    Provider(String),
    /// Too many submissions with unknown outcome.
    Unknowns(u64),
    /// The disk can't take more.
    Disk(String),
}

impl Halt {
    /// Asking again under an old key is pointless as well.
    pub(super) fn forbids_replays(&self) -> bool {
        matches!(self, Self::Balance(_) | Self::Key(_) | Self::Unreachable(_) | Self::Provider(_))
    }

    /// What happened and what to do about it.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Budget { estimate, left } => format!(
                "the budget holds: the next submission may cost {estimate} credits and {} are left; raise --budget to go on",
                (*left).max(Credits::ZERO)
            ),
            Self::Unpriced { model } => format!(
                "the model {model:?} has no known price, so a budget can't hold for it; name its price in a file (--prices), run without a budget, or use another model"
            ),
            Self::Limit(short) => format!("{short}; run again then, or raise it"),
            Self::Account(why) => {
                format!("a budget of the day or the month can't hold ({why}); put that right and run again")
            }
            Self::Balance(why) => format!("the account can't pay ({why}); top it up and run again"),
            Self::Key(why) => format!("the API refuses the key ({why}); check the key and the base URL"),
            Self::StopAfter(why) => format!("{why}; look at the failures, then run again"),
            Self::Unreachable(why) => {
                format!(
                    "the API can't be reached ({why}); check the base URL and the network, then run again"
                )
            }
            Self::Provider(why) => {
                format!("the provider gave the same error over and over ({why}); run again later")
            }
            Self::Unknowns(count) => format!(
                "{count} submissions have an unknown outcome; see `imgbatch status`, decide with `imgbatch resolve`"
            ),
            Self::Disk(why) => format!("{why}; make room and run again"),
        }
    }
}

/// The same provider failure this often in a row pauses the run.
const SAME_FAILURE: u32 = 20;

/// A provider that was never reached in this run is given up sooner: the
/// address is probably wrong.
const NEVER_REACHED: u32 = 6;

/// Unknown outcomes in a row after which submissions wait.
const UNKNOWN_ROW: u32 = 3;

/// How long they wait, the first time, the second, and from then on.
const UNKNOWN_WAITS: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15)];

/// `stop_after` in per cent counts from this many finished jobs on.
const PERCENT_FROM: u64 = 20;

/// Watches answers and failures of one run.
#[derive(Debug)]
pub(super) struct Watch {
    stop_after: Option<StopAfter>,
    max_unknown: u64,
    reached: bool,
    failure: Option<(String, u32)>,
    /// Submissions in a row that could not be served, for whatever reason.
    unserved: u32,
    task_failure: Option<(String, u32)>,
    unknown_row: u32,
    unknown_waits: usize,
    unknowns: u64,
    finished: u64,
    failed: u64,
}

impl Watch {
    /// For a ledger with so many jobs, of which so many are unknown already.
    pub(super) fn new(stop_after: Option<StopAfter>, jobs: u64, unknowns: u64) -> Self {
        Self {
            stop_after,
            max_unknown: (jobs / 100).max(10),
            reached: false,
            failure: None,
            unserved: 0,
            task_failure: None,
            unknown_row: 0,
            unknown_waits: 0,
            unknowns,
            finished: 0,
            failed: 0,
        }
    }

    /// The provider answered a submission with sense.
    pub(super) fn answered(&mut self) {
        self.reached = true;
        self.failure = None;
        self.unserved = 0;
        self.unknown_row = 0;
    }

    /// The provider could not be reached or could not serve. Gives the number
    /// of failures in a row.
    pub(super) fn unavailable(&mut self, why: &str, reached: bool) -> (u32, Option<Halt>) {
        self.reached |= reached;
        self.unserved += 1;
        let row = count(&mut self.failure, why);
        let halt = match self.reached {
            true if row >= SAME_FAILURE => Some(Halt::Provider(why.to_owned())),
            false if row >= NEVER_REACHED => Some(Halt::Unreachable(why.to_owned())),
            _ => None,
        };
        (self.unserved, halt)
    }

    /// A task ended: well, or with a failure of the provider's own. A fault of
    /// the job itself says nothing about the provider.
    pub(super) fn task_ended(&mut self, trouble: Option<&str>) -> Option<Halt> {
        let Some(code) = trouble else {
            self.task_failure = None;
            return None;
        };
        (count(&mut self.task_failure, code) >= SAME_FAILURE).then(|| Halt::Provider(code.to_owned()))
    }

    /// A submission's outcome is unknown. Gives how long submissions wait.
    pub(super) fn unknown(&mut self) -> (Option<Duration>, Option<Halt>) {
        self.unknowns += 1;
        self.unknown_row += 1;
        let halt = (self.unknowns > self.max_unknown).then_some(Halt::Unknowns(self.unknowns));
        if self.unknown_row < UNKNOWN_ROW {
            return (None, halt);
        }
        self.unknown_row = 0;
        (Some(self.unknown_wait()), halt)
    }

    /// The next, longer wait for an API that may be gone.
    pub(super) fn unknown_wait(&mut self) -> Duration {
        let wait = UNKNOWN_WAITS[self.unknown_waits.min(UNKNOWN_WAITS.len() - 1)];
        self.unknown_waits += 1;
        wait
    }

    /// A job ended.
    pub(super) fn finished(&mut self, failed: bool) -> Option<Halt> {
        self.finished += 1;
        self.failed += u64::from(failed);
        let (failed, finished) = (self.failed, self.finished);
        let over = match self.stop_after? {
            StopAfter::Failed(limit) => failed >= limit,
            StopAfter::Percent(limit) => {
                finished >= PERCENT_FROM && failed as f64 * 100.0 >= limit * finished as f64
            }
        };
        over.then(|| Halt::StopAfter(format!("stop_after: {failed} of {finished} finished jobs failed")))
    }
}

/// Counts the same failure in a row.
fn count(row: &mut Option<(String, u32)>, why: &str) -> u32 {
    let times = row.as_ref().filter(|(same, _)| same == why).map_or(0, |(_, times)| *times) + 1;
    *row = Some((why.to_owned(), times));
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_counts_from_the_twentieth_job_on() {
        let mut watch = Watch::new(Some(StopAfter::Percent(20.0)), 100, 0);
        let halts: Vec<bool> = (0..20).map(|job| watch.finished(job % 5 == 0).is_some()).collect();
        assert_eq!(halts.iter().position(|halt| *halt), Some(19));
        let mut watch = Watch::new(Some(StopAfter::Percent(20.0)), 100, 0);
        assert!((0..40).all(|job| watch.finished(job % 6 == 5).is_none()));
    }

    #[test]
    fn a_number_counts_failures_only() {
        let mut watch = Watch::new(Some(StopAfter::Failed(2)), 100, 0);
        assert_eq!(
            [false, true, false, true].map(|failed| watch.finished(failed).is_some()),
            [false, false, false, true]
        );
    }

    #[test]
    fn unknowns_in_a_row_wait_ever_longer_and_too_many_halt() {
        let mut watch = Watch::new(None, 100, 0);
        let waits: Vec<u64> =
            (0..12).filter_map(|_| watch.unknown().0).map(|wait| wait.as_secs() / 60).collect();
        assert_eq!(waits, [1, 5, 15, 15]);
        assert!(watch.unknown().1.is_some());
        let mut watch = Watch::new(None, 100, 0);
        for _ in 0..8 {
            assert_eq!(watch.unknown(), (None, None));
            watch.answered();
        }
    }

    #[test]
    fn the_same_failure_over_and_over_halts_and_another_starts_anew() {
        let mut watch = Watch::new(None, 100, 0);
        watch.answered();
        for _ in 0..19 {
            assert_eq!(watch.unavailable("busy", true).1, None);
        }
        assert_eq!(watch.unavailable("other", true), (20, None));
        let mut watch = Watch::new(None, 100, 0);
        let halts: Vec<bool> = (0..6).map(|_| watch.unavailable("refused", false).1.is_some()).collect();
        assert_eq!(halts, [false, false, false, false, false, true]);
    }

    #[test]
    fn tasks_that_fail_alike_halt_and_a_picture_between_starts_anew() {
        let mut watch = Watch::new(None, 100, 0);
        let row = |watch: &mut Watch, times| {
            (0..times).filter(|_| watch.task_ended(Some("service_error")).is_some()).count()
        };
        assert_eq!(row(&mut watch, 19), 0);
        assert_eq!(watch.task_ended(None), None);
        assert_eq!(row(&mut watch, 19), 0);
        assert_eq!(watch.task_ended(Some("generation_timeout")), None);
        assert_eq!(row(&mut watch, 20), 1);
    }
}
