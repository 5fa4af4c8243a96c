//! The pacer against models of what providers do, on a paused clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{Limits, Pacer};

const SECOND: Duration = Duration::from_secs(1);

/// One way to limit submissions.
#[derive(Debug)]
enum Limiter {
    Bucket {
        rate: f64,
        depth: f64,
        tokens: f64,
        filled: Instant,
    },
    Sliding {
        count: u32,
        taken: VecDeque<Instant>,
    },
    /// So many tasks at once.
    AtOnce {
        tasks: usize,
        busy: VecDeque<Instant>,
    },
}

impl Limiter {
    fn bucket(rate: f64, depth: f64) -> Self {
        Self::Bucket { rate, depth, tokens: depth, filled: Instant::now() }
    }

    fn sliding(count: u32) -> Self {
        Self::Sliding { count, taken: VecDeque::new() }
    }

    fn at_once(tasks: usize) -> Self {
        Self::AtOnce { tasks, busy: VecDeque::new() }
    }

    fn takes(&mut self, now: Instant, task: Duration) -> bool {
        match self {
            Self::Bucket { rate, depth, tokens, filled } => {
                *tokens = (*tokens + now.duration_since(*filled).as_secs_f64() * *rate).min(*depth);
                *filled = now;
                let takes = *tokens >= 1.0;
                *tokens -= f64::from(u8::from(takes));
                takes
            }
            Self::Sliding { count, taken } => {
                taken.retain(|at| *at + SECOND > now);
                let takes = taken.len() < *count as usize;
                taken.extend(takes.then_some(now));
                takes
            }
            Self::AtOnce { tasks, busy } => {
                busy.retain(|end| *end > now);
                let takes = busy.len() < *tasks;
                busy.extend(takes.then_some(now + task));
                takes
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Happens {
    Arrives { sent: Instant },
    Taken { sent: Instant },
    Refused { sent: Instant },
    Ends,
}

/// A provider, its tasks' duration, and a runner without end of jobs.
struct World {
    limiter: Limiter,
    task: Duration,
    pacer: Pacer,
    events: BTreeMap<(Instant, u64), Happens>,
    order: u64,
    random: fastrand::Rng,
    /// On the wire, and known to be at work.
    posting: u32,
    working: u32,
    taken: Vec<Instant>,
    refused: Vec<Instant>,
}

impl World {
    fn new(rate: u32, in_flight: u32, task: Duration, limiter: Limiter) -> Self {
        let limits = Limits { count: rate, window: SECOND, in_flight };
        Self {
            limiter,
            task,
            pacer: Pacer::new(limits, &[]),
            events: BTreeMap::new(),
            order: 0,
            random: fastrand::Rng::with_seed(7),
            posting: 0,
            working: 0,
            taken: vec![],
            refused: vec![],
        }
    }

    /// Half a round trip: 2 ms, sometimes up to one more.
    fn later(&mut self, happens: Happens) {
        let way = Duration::from_micros(2000 + self.random.u64(..1000) * u64::from(self.random.u8(..4) == 0));
        self.at(Instant::now() + way, happens);
    }

    fn at(&mut self, at: Instant, happens: Happens) {
        self.order += 1;
        self.events.insert((at, self.order), happens);
    }

    async fn run(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            while let Some(event) = self.events.first_entry().filter(|event| event.key().0 <= Instant::now())
            {
                let happens = event.remove();
                self.on(happens);
            }
            let mut next = self.events.first_key_value().map_or(end, |(key, _)| key.0);
            while self.posting < 64 && self.posting + self.working < self.pacer.in_flight() {
                match self.pacer.turn() {
                    Ok(slot) => {
                        let now = Instant::now();
                        self.pacer.sent(slot, now);
                        self.posting += 1;
                        self.later(Happens::Arrives { sent: now });
                    }
                    Err(until) => {
                        next = next.min(until.unwrap_or(next));
                        break;
                    }
                }
            }
            let next = self.events.first_key_value().map_or(next, |(key, _)| key.0.min(next));
            tokio::time::sleep_until(next.min(end)).await;
        }
    }

    fn on(&mut self, happens: Happens) {
        let now = Instant::now();
        match happens {
            Happens::Arrives { sent } => {
                let takes = self.limiter.takes(now, self.task);
                self.later(if takes { Happens::Taken { sent } } else { Happens::Refused { sent } });
            }
            Happens::Taken { sent } => {
                self.posting -= 1;
                self.working += 1;
                self.taken.push(now);
                self.pacer.accepted(sent, self.working);
                self.at(now + self.task, Happens::Ends);
            }
            Happens::Refused { sent } => {
                self.posting -= 1;
                self.refused.push(now);
                self.pacer.refused(sent, Some(SECOND), self.working);
            }
            Happens::Ends => self.working -= 1,
        }
    }

    /// Runs for `span` and gives the share of `rate` that was taken, and
    /// refusals per submission taken.
    async fn figures(&mut self, span: Duration, rate: f64) -> (f64, f64) {
        let (taken, refused) = (self.taken.len(), self.refused.len());
        self.run(span).await;
        let (taken, refused) = (self.taken.len() - taken, self.refused.len() - refused);
        (taken as f64 / span.as_secs_f64() / rate, refused as f64 / (taken as f64).max(1.0))
    }
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_known_is_used_without_a_refusal() {
    for rate in [5, 50, 500] {
        let count = f64::from(rate);
        for limiter in [Limiter::bucket(count, 5.0), Limiter::bucket(count, count), Limiter::sliding(rate)] {
            let what = format!("{limiter:?}");
            let mut world = World::new(rate, 10_000, SECOND, limiter);
            let (share, refused) = world.figures(MINUTE, count).await;
            assert!(
                share >= 0.989 && refused == 0.0,
                "{share:.3} of the limit, {refused:.4} refused: {what}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_of_a_single_token_is_kept_nearly_full() {
    for rate in [5, 50] {
        let mut world = World::new(rate, 10_000, SECOND, Limiter::bucket(f64::from(rate), 1.0));
        let (share, refused) = world.figures(MINUTE, f64::from(rate)).await;
        assert!(share >= 0.85 && refused < 0.001, "{rate}/s: {share:.3} of the limit, {refused:.4} refused");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_not_known_is_found_and_kept_to() {
    for (rate, times) in [(5, 2), (5, 10), (50, 2), (50, 3), (50, 10), (250, 3)] {
        let count = f64::from(rate);
        for limiter in [Limiter::bucket(count, count), Limiter::bucket(count, 5.0), Limiter::sliding(rate)] {
            let what = format!("{rate}/s where {times} times as much is configured, {limiter:?}");
            let mut world = World::new(rate * times, 100_000, MINUTE, limiter);
            let (share, refused) = world.figures(MINUTE, count).await;
            assert!(share >= 0.80 && refused < 0.05, "{share:.3}, {refused:.4} in the first minute: {what}");
            let (share, refused) = world.figures(4 * MINUTE, count).await;
            assert!(share >= 0.945 && refused < 0.012, "{share:.3}, {refused:.4} after it: {what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_lowered_and_lifted_is_followed() {
    for (full, half) in [
        (Limiter::bucket(50.0, 50.0), Limiter::bucket(25.0, 25.0)),
        (Limiter::sliding(50), Limiter::sliding(25)),
    ] {
        let mut world = World::new(50, 100_000, MINUTE, full);
        world.run(MINUTE).await;
        let full = std::mem::replace(&mut world.limiter, half);
        let (share, refused) = world.figures(2 * MINUTE, 25.0).await;
        assert!(share > 0.92 && refused < 0.01, "lowered: {share:.3}, {refused:.4}");
        world.limiter = full;
        world.run(8 * MINUTE).await;
        let (share, refused) = world.figures(MINUTE, 50.0).await;
        assert!(share > 0.95 && refused < 0.002, "lifted: {share:.3}, {refused:.4}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_back_within_three_seconds_of_a_refusal() {
    let mut world = World::new(100, 100_000, MINUTE, Limiter::sliding(50));
    world.run(5 * MINUTE).await;
    let refusals = world.refused.len();
    while world.refused.len() == refusals {
        world.run(SECOND / 10).await;
    }
    world.run(SECOND).await;
    let (share, refused) = world.figures(2 * SECOND, 50.0).await;
    assert!(share >= 0.95 && refused == 0.0, "{share:.3}, {refused:.4}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_tasks_at_once_is_told_from_the_pace() {
    for (tasks, seconds) in [(1, 20), (3, 20), (3, 60), (10, 60)] {
        let mut world = World::new(2, 60, Duration::from_secs(seconds), Limiter::at_once(tasks));
        let ideal = tasks as f64 / seconds as f64;
        let (share, refused) = world.figures(10 * MINUTE, ideal).await;
        assert!(share > 0.98 && refused < 0.2, "{tasks} of {seconds} s: {share:.3}, {refused:.4}");
        let (share, refused) = world.figures(60 * MINUTE, ideal).await;
        assert!(share > 0.98 && refused < 0.02, "{tasks} of {seconds} s, then: {share:.3}, {refused:.4}");
        assert!(world.pacer.slowed().share >= 1.0, "the pace is not to blame");
        world.limiter = Limiter::at_once(4 * tasks);
        // One try in 128 submissions, and some minutes to climb.
        world.run(Duration::from_secs_f64(129.0 / ideal) + 10 * MINUTE).await;
        let (share, _) = world.figures(10 * MINUTE, 4.0 * ideal).await;
        assert!(share > 0.98, "lifted: {share:.3}, {:?}", world.pacer.slowed());
    }
}
