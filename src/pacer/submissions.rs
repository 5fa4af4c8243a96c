//! The pace of submissions: a ceiling that the user sets, lowered for everyone
//! by a refusal and raised again by what is accepted.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

use super::gate::Gate;
use super::window::{Room, Window};

/// The ceilings a user set.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Submissions per window, at least 1.
    pub count: u32,
    /// Length of the window.
    pub window: Duration,
    /// Tasks that the provider may be working on at once, at least 1.
    pub in_flight: u32,
}

/// Spacing and windows are stretched by this much, so that clocks and
/// networks that are not quite even stay below the limit.
const HEADROOM: f64 = 1.01;

/// A refusal widens the spacing and narrows the tasks in flight by this much.
const SLOWER: f64 = 1.5;

/// The spacing never grows beyond this multiple of the configured one.
const SLOWEST: f64 = 64.0;

/// Each accepted submission undoes this share of the slow-down.
const CLIMB: f64 = 0.02;

/// A refusal that names no time holds all submissions for this long.
const DEFAULT_HOLD: Duration = Duration::from_secs(2);

/// Hands out submission slots.
///
/// Slots are evenly spaced with 1 % headroom and never caught up; no sliding
/// window holds more sends than the limit, sends before a restart and refused
/// ones included. A 429 can mean pace or concurrency, so it lowers both.
#[derive(Debug)]
pub struct Pacer {
    limits: Limits,
    gate: Gate,
    window: Window,
    /// 1 at the configured pace, larger when slowed down.
    slowdown: f64,
    /// The slow-down that the gate was last built for.
    applied: f64,
    in_flight: f64,
    /// Refusals of what was sent before this instant belong to a slow-down
    /// that has already happened.
    slowed_at: Option<Instant>,
    held_until: Option<Instant>,
}

impl Pacer {
    /// `earlier` are the ages of submissions that left before this process
    /// started, in any order; those older than the window don't matter.
    #[must_use]
    pub fn new(limits: Limits, earlier: &[Duration]) -> Self {
        let now = Instant::now();
        let span = limits.window.mul_f64(HEADROOM);
        let mut window = Window::new(limits.count, span);
        let mut ages: Vec<Duration> = earlier.iter().copied().filter(|age| *age < span).collect();
        ages.sort_unstable_by(|a, b| b.cmp(a));
        for age in &ages {
            let slot = window.grant();
            // A runtime younger than the age can't name that instant: `now` is later, so safe.
            window.sent(slot, now.checked_sub(*age).unwrap_or(now));
        }
        let mut pacer = Self {
            limits,
            gate: gate(limits, 1.0),
            window,
            slowdown: 1.0,
            applied: 1.0,
            in_flight: f64::from(limits.in_flight),
            slowed_at: None,
            held_until: None,
        };
        if let Some(youngest) = ages.last() {
            let spacing = spacing(limits, 1.0);
            pacer.hold(now + spacing.saturating_sub(*youngest));
        }
        pacer
    }

    /// Takes the slot for one submission, or says when to ask again. `None`
    /// means after a submission under way has been sent.
    pub fn turn(&mut self) -> Result<u64, Option<Instant>> {
        let now = Instant::now();
        if let Some(until) = self.held_until.filter(|until| *until > now) {
            return Err(Some(until));
        }
        match self.window.room(now) {
            Room::Now => {}
            Room::At(instant) => return Err(Some(instant)),
            Room::AfterASend => return Err(None),
        }
        self.gate.turn().map_err(Some)?;
        Ok(self.window.grant())
    }

    /// The submission of `slot` left, or will never leave.
    pub fn sent(&mut self, slot: u64, at: Instant) {
        self.window.sent(slot, at);
    }

    /// The provider said "too many" to a submission sent at `sent`, with
    /// `in_flight` tasks known to be its work. Gives the wait that follows.
    pub fn refused(&mut self, sent: Instant, retry_after: Option<Duration>, in_flight: u32) -> Duration {
        let now = Instant::now();
        let wait = retry_after.unwrap_or(DEFAULT_HOLD).max(spacing(self.limits, self.slowdown));
        self.hold(now + wait);
        if self.slowed_at.is_some_and(|slowed| sent <= slowed) {
            return wait;
        }
        self.slowed_at = Some(now);
        self.slowdown = (self.slowdown * SLOWER).min(SLOWEST);
        self.in_flight = (f64::from(in_flight).min(self.in_flight) / SLOWER).max(1.0);
        self.rebuild();
        wait
    }

    /// The provider took a submission: climb a little.
    pub fn accepted(&mut self) {
        self.slowdown = (self.slowdown * (1.0 - CLIMB)).max(1.0);
        self.in_flight = (self.in_flight * (1.0 + CLIMB)).min(f64::from(self.limits.in_flight));
        // A new limiter forgets the last turn, so it is rebuilt only where it matters.
        if self.slowdown < self.applied * 0.95 || (self.slowdown <= 1.0 && self.applied > 1.0) {
            self.rebuild();
        }
    }

    /// No submission before `until`; a shorter hold never shortens a longer one.
    pub fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(Some(until));
    }

    /// Tasks that may be in flight at the present pace, at least 1.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        (self.in_flight.floor() as u32).max(1)
    }

    /// Submissions a second at the present pace.
    #[must_use]
    pub fn rate(&self) -> f64 {
        1.0 / spacing(self.limits, self.slowdown).as_secs_f64()
    }

    fn rebuild(&mut self) {
        self.applied = self.slowdown;
        self.gate = gate(self.limits, self.slowdown);
        // The first turn of a fresh limiter is free; the spacing it forgot is kept as a hold.
        self.hold(Instant::now() + spacing(self.limits, self.slowdown));
    }
}

fn spacing(limits: Limits, slowdown: f64) -> Duration {
    limits.window.mul_f64(HEADROOM * slowdown / f64::from(limits.count.max(1)))
}

fn gate(limits: Limits, slowdown: f64) -> Gate {
    Gate::new(spacing(limits, slowdown), NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { count: 20, window: Duration::from_secs(10), in_flight: 60 };

    /// Takes turns for `span` and sends each at once; returns the send times.
    async fn sends(pacer: &mut Pacer, span: Duration) -> Vec<Instant> {
        let end = Instant::now() + span;
        let mut sends = vec![];
        loop {
            match pacer.turn() {
                Ok(slot) => {
                    pacer.sent(slot, Instant::now());
                    sends.push(Instant::now());
                }
                Err(Some(until)) if until < end => tokio::time::sleep_until(until).await,
                Err(_) => return sends,
            }
        }
    }

    fn fullest_window(sends: &[Instant], span: Duration) -> usize {
        sends
            .iter()
            .map(|start| sends.iter().filter(|send| **send >= *start && **send < *start + span).count())
            .max()
            .unwrap_or(0)
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_used_and_never_passed() {
        let mut pacer = Pacer::new(LIMITS, &[]);
        let sends = sends(&mut pacer, Duration::from_secs(100)).await;
        assert!((197..=200).contains(&sends.len()), "{} sends", sends.len());
        assert!(fullest_window(&sends, LIMITS.window) <= 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_does_not_refill_the_window() {
        tokio::time::advance(Duration::from_secs(100)).await;
        let ages: Vec<Duration> = (0..20).map(Duration::from_secs).map(|age| age / 10).collect();
        let mut all: Vec<Instant> = ages.iter().map(|age| Instant::now() - *age).collect();
        let mut pacer = Pacer::new(LIMITS, &ages);
        all.extend(sends(&mut pacer, Duration::from_secs(30)).await);
        assert!(all.len() > 50);
        assert!(fullest_window(&all, LIMITS.window) <= 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_waits_as_told_lowers_both_and_success_climbs_back() {
        let mut pacer = Pacer::new(LIMITS, &[]);
        let start = Instant::now();
        pacer.refused(start, Some(Duration::from_secs(7)), 30);
        assert_eq!(pacer.turn(), Err(Some(start + Duration::from_secs(7))));
        assert_eq!(pacer.in_flight(), 20);
        let slowed = pacer.rate();
        assert!(slowed < 1.4, "{slowed}");
        for _ in 0..200 {
            pacer.accepted();
        }
        assert!(pacer.rate() > 1.97);
        assert_eq!(pacer.in_flight(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_one_burst_slow_down_once() {
        let mut pacer = Pacer::new(LIMITS, &[]);
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(200)).await;
        pacer.refused(sent, None, 30);
        let once = pacer.rate();
        for _ in 0..50 {
            pacer.refused(sent, None, 30);
        }
        assert!((pacer.rate() - once).abs() < f64::EPSILON);
    }
}
