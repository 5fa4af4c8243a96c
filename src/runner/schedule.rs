//! When to look at a task. Pure.
//!
//! A look that comes too early costs a request, one that comes late costs
//! time. How long tasks take is learned from those of the same kind: each
//! ended between two looks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use crate::job::Request;

/// The share of the provider's estimate after which the first look is worth
/// its request, as long as nothing is known.
const FIRST_LOOK: f64 = 0.8;

/// Without an estimate: the documented pace, in seconds.
const NO_ESTIMATE: f64 = 4.0;

/// The first look comes within these bounds, whatever is expected; those of an
/// estimate are narrower.
const FIRST_MIN: f64 = 0.1;
const FIRST_MAX: f64 = 600.0;
const ESTIMATED_MAX: f64 = 100.0;

/// An overdue task is not forgotten, and not worth more.
pub(super) const OVERDUE_EVERY: Duration = Duration::from_mins(1);

/// Looks are never further apart than this, in seconds, or than that where it
/// is known how long tasks take.
const GAP_MAX: f64 = 15.0;
const LEARNED_GAP_MAX: f64 = 60.0;

/// The share of the tasks of a kind that end before `early`.
const EARLY: f64 = 0.4;

/// Tasks of a kind until what was learned of them is trusted.
const TRUSTED: u32 = 4;

/// Where the rest takes at most this much longer, most end at about one time.
const NARROW: f64 = 0.14;

/// Bounds of the steps in which `early` moves, as shares of it.
const STEP_MIN: f64 = 0.02;
const STEP_MAX: f64 = 0.5;

/// How long the tasks of one kind take, in seconds.
#[derive(Clone, Copy, Debug)]
struct Usual {
    early: f64,
    step: f64,
    rises: bool,
    /// By how much those that take longer do, in the mean.
    excess: f64,
    seen: u32,
}

/// What a look costs: a share of a request, or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Together,
    Single,
}

/// Where fewer tasks wait, looks that come often share too few requests.
pub(super) const MANY_WAIT: usize = 16;

/// Tasks that take about equally long: of one size and quality, or those that
/// nothing is known of but that an earlier run submitted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Kind(usize);

/// What was learned of each kind of task.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    names: HashMap<String, Kind>,
    usual: HashMap<Kind, Usual>,
}

impl Schedule {
    pub(super) fn kind(&mut self, request: &Request) -> Kind {
        let Request { quality, size, resolution, .. } = request;
        let name = format!("{quality} {size} {}", resolution.as_deref().unwrap_or_default());
        let next = Kind(self.names.len() + 1);
        *self.names.entry(name).or_insert(next)
    }

    /// A task ended at an age between `after` and `by`.
    pub(super) fn ended(&mut self, kind: Kind, after: Duration, by: Duration) {
        let (after, by) = (after.as_secs_f64(), by.as_secs_f64().max(0.001));
        match self.usual.entry(kind) {
            Entry::Occupied(usual) => usual.into_mut().learn(after, by),
            Entry::Vacant(first) => {
                let early = f64::midpoint(after, by);
                first.insert(Usual { early, step: STEP_MAX, rises: false, excess: early * 0.2, seen: 1 });
            }
        }
    }

    /// The age at which a task is looked at first.
    pub(super) fn first_look(&self, kind: Kind, estimated: Option<Duration>) -> Duration {
        let expected = match self.trusted(kind) {
            Some(usual) if usual.is_narrow() => usual.early + usual.excess,
            Some(usual) => usual.early * FIRST_LOOK,
            None => estimated
                .map_or(NO_ESTIMATE, |estimated| (estimated.as_secs_f64() * FIRST_LOOK).min(ESTIMATED_MAX)),
        };
        Duration::from_secs_f64(expected.clamp(FIRST_MIN, FIRST_MAX))
    }

    /// The wait after look number `looks` (from 1) that found a task
    /// unfinished at an age. `jitter` is a random number in `0.0..1.0`.
    pub(super) fn next_look(
        &self,
        kind: Kind,
        age: Duration,
        looks: u32,
        reads: Reads,
        jitter: f64,
    ) -> Duration {
        let age = age.as_secs_f64();
        let least = if reads == Reads::Together { 0.05 } else { 0.25 };
        let gap = match (self.trusted(kind), reads) {
            (Some(_), Reads::Together) => (age * 0.06).min(LEARNED_GAP_MAX),
            (Some(usual), Reads::Single) if usual.is_narrow() => (age * 0.11).min(LEARNED_GAP_MAX),
            (Some(_), Reads::Single) => (age * 0.25).min(LEARNED_GAP_MAX),
            // The documented pace, 3 to 5 s and growing, but not for tasks of a second.
            (None, _) => {
                let growth = 1.2f64.powi(looks.saturating_sub(1).min(30) as i32);
                ((3.0 + 2.0 * jitter.clamp(0.0, 1.0)).min(age * 0.25) * growth).min(GAP_MAX)
            }
        };
        Duration::from_secs_f64(gap.max(least))
    }

    fn trusted(&self, kind: Kind) -> Option<&Usual> {
        self.usual.get(&kind).filter(|usual| usual.seen >= TRUSTED)
    }
}

impl Usual {
    /// Moves a step towards where its share of the tasks ends before `early`:
    /// larger ones as long as they lead the same way.
    fn learn(&mut self, after: f64, by: f64) {
        self.seen = self.seen.saturating_add(1);
        // What is not known where the bound lies between the two looks is shared out.
        let ended = ((self.early - after) / (by - after).max(0.001)).clamp(0.0, 1.0);
        let rises = ended < EARLY;
        self.step = (self.step * if rises == self.rises { 1.3 } else { 0.5 }).clamp(STEP_MIN, STEP_MAX);
        self.rises = rises;
        let before = self.early;
        self.early *= 1.0 + self.step * (EARLY - ended);
        // That the first look found it ended says little, but speaks for little spread.
        let excess =
            if after > 0.0 { (f64::midpoint(after, by) - before).max(0.0) } else { self.excess * 0.7 };
        self.excess += (excess - self.excess) * 0.1;
    }

    fn is_narrow(&self) -> bool {
        self.excess <= self.early * NARROW
    }
}

/// Looks that can share a request should fall due together: a time, in
/// milliseconds, is put off to a multiple of about the gap between two looks.
pub(super) fn together(at: i64, gap: Duration) -> i64 {
    let gap = gap.as_millis().max(1) as i64;
    let grid = 1 << gap.ilog2();
    at.saturating_add(grid - 1) & !(grid - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Kind = Kind(1);
    const MINUTE: Duration = Duration::from_mins(1);

    /// What it costs to wait for tasks that take as long as `duration` says.
    #[derive(Debug)]
    struct Cost {
        polls: f64,
        /// How late an end is noticed, in seconds and as a share of the duration.
        late: f64,
        late_share: f64,
    }

    /// Looks after the first 50 of 1,000 tasks, one after the other.
    fn cost(
        reads: Reads,
        estimated: Option<Duration>,
        mut duration: impl FnMut(&mut fastrand::Rng) -> f64,
    ) -> Cost {
        let (mut schedule, mut random) = (Schedule::default(), fastrand::Rng::with_seed(3));
        let mut sum = Cost { polls: 0.0, late: 0.0, late_share: 0.0 };
        for task in 0..1000 {
            let takes = duration(&mut random);
            let mut looks = 1;
            let (mut after, mut at) = (Duration::ZERO, schedule.first_look(A, estimated));
            while at.as_secs_f64() < takes {
                after = at;
                at += schedule.next_look(A, at, looks, reads, random.f64());
                looks += 1;
            }
            schedule.ended(A, after, at);
            if task >= 50 {
                sum.polls += f64::from(looks) / 950.0;
                sum.late += (at.as_secs_f64() - takes) / 950.0;
                sum.late_share += (at.as_secs_f64() / takes - 1.0) / 950.0;
            }
        }
        sum
    }

    /// A bell curve around 0, of width 1.
    fn bell(random: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
    }

    #[test]
    fn a_look_of_its_own_is_worth_its_request() {
        for median in [2.0, 20.0, 60.0, 200.0] {
            for estimated in [None, Some(MINUTE), Some(Duration::from_secs_f64(median))] {
                // Of the narrow ones, 95 % end within 1.2 times the median.
                for (width, polls, late) in
                    [(0.0, 1.8, 0.08), (0.1, 2.1, 0.12), (0.3, 3.1, 0.15), (0.6, 4.0, 0.25)]
                {
                    let cost = cost(Reads::Single, estimated, |random| median * (bell(random) * width).exp());
                    let what = format!("{median} s, width {width}, estimated {estimated:?}: {cost:.2?}");
                    assert!(cost.polls <= polls, "{what}");
                    // A poor estimate costs tasks of two seconds more than it costs the others.
                    assert!(cost.late_share <= late || cost.late < 1.0, "{what}");
                }
            }
        }
    }

    #[test]
    fn looks_that_share_a_request_come_closer() {
        for median in [2.0, 20.0, 60.0, 200.0] {
            for (width, late) in [(0.0, 0.04), (0.1, 0.07), (0.3, 0.08), (0.6, 0.18)] {
                let cost = cost(Reads::Together, None, |random| median * (bell(random) * width).exp());
                assert!(cost.late_share <= late, "{median} s, width {width}: {cost:.2?}");
            }
        }
    }

    #[test]
    fn other_kinds_and_the_first_few_tasks_teach_nothing() {
        let mut schedule = Schedule::default();
        for _ in 1..TRUSTED {
            schedule.ended(A, Duration::from_secs(30), Duration::from_secs(31));
        }
        assert_eq!(schedule.first_look(A, None), Duration::from_secs(4));
        schedule.ended(A, Duration::from_secs(30), Duration::from_secs(31));
        assert!(schedule.first_look(A, None) > Duration::from_secs(20));
        assert_eq!(schedule.first_look(Kind(2), None), Duration::from_secs(4));
    }

    #[test]
    fn without_knowledge_the_estimate_and_the_documented_pace_count() {
        let schedule = Schedule::default();
        let first = |seconds| schedule.first_look(A, Some(Duration::from_secs(seconds)));
        assert_eq!(first(0), Duration::from_millis(100));
        assert_eq!(first(50), Duration::from_secs(40));
        assert_eq!(first(100_000), Duration::from_secs(100));
        let next = |age, looks, jitter| {
            schedule.next_look(A, Duration::from_secs(age), looks, Reads::Together, jitter).as_secs_f64()
        };
        assert!((next(40, 1, 0.0) - 3.0).abs() < 1e-9);
        assert!((next(40, 1, 1.0) - 5.0).abs() < 1e-9);
        assert!((next(2, 1, 0.5) - 0.5).abs() < 1e-9);
        assert!(next(60, 4, 0.5) > next(60, 3, 0.5));
        assert!((next(900, 500, 0.0) - 15.0).abs() < 1e-9);
    }

    #[test]
    fn looks_fall_due_together_and_never_early() {
        let gap = Duration::from_secs(3);
        for at in [0, 1, 2047, 2048, 1_700_000_000_123] {
            let put_off = together(at, gap);
            assert!(put_off >= at && put_off - at < 2048 && put_off % 2048 == 0, "{at} {put_off}");
        }
        assert_eq!(together(i64::MAX, gap) & 2047, 0);
    }
}
