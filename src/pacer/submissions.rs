//! The pace of submissions: a ceiling that the user sets, lowered for everyone
//! by a refusal and raised again by what is accepted.

use std::time::Duration;

use tokio::time::Instant;

use super::flight::{Flight, Reason};
use super::gate::Gate;
use super::pace::Pace;
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

/// What a refusal came to, as far as it holds for a later process too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowed {
    /// No submission for so long.
    pub hold: Duration,
    /// Of the configured pace, above 0 and at most 1.
    pub share: f64,
    /// Tasks that may be in flight, where that is below the configured number.
    pub in_flight: Option<u32>,
}

/// The spacing is stretched by this much, so that clocks and networks that are
/// not quite even stay below the limit.
const HEADROOM: f64 = 1.008;

/// Windows are stretched by less: what is late in one must not make the next
/// late as well.
const WINDOW_HEADROOM: f64 = 1.005;

/// Timers are late by up to about this much, and so many turns may be made up
/// for; once the pace was refused, none.
const SLACK: Duration = Duration::from_millis(2);

/// A refusal that names no time holds all submissions for this long.
const DEFAULT_HOLD: Duration = Duration::from_secs(2);

/// Hands out submission slots.
///
/// Slots are evenly spaced with 0.8 % headroom; no sliding window holds more
/// sends than the limit, sends before a restart and refused ones included. A
/// 429 can mean pace or concurrency: it lowers both until it is known which.
#[derive(Debug)]
pub struct Pacer {
    limits: Limits,
    gate: Gate,
    window: Window,
    pace: Pace,
    /// The pace before a refusal that may have been about tasks in flight.
    before: Pace,
    flight: Flight,
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
        let span = limits.window.mul_f64(WINDOW_HEADROOM);
        let mut window = Window::new(limits.count, span);
        let mut ages: Vec<Duration> = earlier.iter().copied().filter(|age| *age < span).collect();
        ages.sort_unstable_by(|a, b| b.cmp(a));
        for age in &ages {
            let slot = window.grant();
            // A runtime younger than the age can't name that instant: `now` is later, so safe.
            window.sent(slot, now.checked_sub(*age).unwrap_or(now));
        }
        let pace = Pace::new(f64::from(limits.count) / limits.window.as_secs_f64(), limits.window);
        let mut pacer = Self {
            limits,
            gate: Gate::even(spacing(limits, 1.0), SLACK),
            window,
            pace,
            before: pace,
            flight: Flight::new(limits.in_flight),
            slowed_at: None,
            held_until: None,
        };
        if let Some(youngest) = ages.last() {
            let spacing = spacing(limits, 1.0);
            pacer.hold(now + spacing.saturating_sub(*youngest));
        }
        pacer
    }

    /// Keeps to what an earlier process was told.
    pub fn keep_to(&mut self, slowed: Slowed) {
        self.hold(Instant::now() + slowed.hold);
        self.pace.start_at(slowed.share);
        if let Some(tasks) = slowed.in_flight {
            self.flight.start_at(tasks);
        }
        self.rebuild();
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

    /// The provider said "too many" to a submission sent at `sent`, while it
    /// was known to work on `tasks`. Gives the wait that follows.
    pub fn refused(&mut self, sent: Instant, retry_after: Option<Duration>, tasks: u32) -> Duration {
        let now = Instant::now();
        let wait = retry_after.unwrap_or(DEFAULT_HOLD).max(self.spacing());
        self.hold(now + wait);
        if self.slowed_at.is_some_and(|slowed| sent <= slowed) {
            return wait;
        }
        self.slowed_at = Some(now);
        match self.flight.refuse(tasks) {
            Reason::Pace => self.pace.refuse(now + wait),
            Reason::PaceOrFlight => {
                self.before = self.pace;
                self.pace.refuse(now + wait);
            }
            Reason::NotPace => self.pace = self.before,
            Reason::Flight => {}
        }
        self.rebuild();
        wait
    }

    /// The provider took a submission sent at `sent`, and works on `tasks` now.
    /// Gives whether the pace is another from now on.
    pub fn accepted(&mut self, sent: Instant, tasks: u32) -> bool {
        self.flight.accept(tasks, self.slowed_at.is_some_and(|slowed| sent <= slowed));
        let changed = self.pace.accept();
        if changed {
            self.rebuild();
        }
        changed
    }

    /// No submission before `until`; a shorter hold never shortens a longer one.
    pub fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(Some(until));
    }

    /// Tasks that may be in flight at present, at least 1.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.flight.cap()
    }

    /// Submissions a second at the present pace.
    #[must_use]
    pub fn rate(&self) -> f64 {
        1.0 / self.spacing().as_secs_f64()
    }

    /// What a later process must know of the last refusal.
    #[must_use]
    pub fn slowed(&self) -> Slowed {
        let now = Instant::now();
        let hold = self.held_until.map(|until| until.saturating_duration_since(now)).unwrap_or_default();
        let in_flight = Some(self.in_flight()).filter(|cap| *cap < self.limits.in_flight);
        Slowed { hold, share: self.pace.share(), in_flight }
    }

    fn spacing(&self) -> Duration {
        spacing(self.limits, self.pace.share())
    }

    fn rebuild(&mut self) {
        let slack = if self.pace.is_strict() { Duration::ZERO } else { SLACK };
        self.gate = Gate::even(self.spacing(), slack);
        // The first turn of a fresh limiter is free; the spacing it forgot is kept as a hold.
        self.hold(Instant::now() + self.spacing());
    }
}

fn spacing(limits: Limits, share: f64) -> Duration {
    limits.window.mul_f64(HEADROOM / (share * f64::from(limits.count.max(1))))
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
        assert!((pacer.rate() - 2.0 / HEADROOM).abs() < 1e-6, "{}", pacer.rate());
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
    async fn a_refusal_waits_as_told_and_lowers_both() {
        let mut pacer = Pacer::new(LIMITS, &[]);
        let start = Instant::now();
        let wait = pacer.refused(start, Some(Duration::from_secs(7)), 30);
        assert_eq!(wait, Duration::from_secs(7));
        assert_eq!(pacer.turn(), Err(Some(start + Duration::from_secs(7))));
        assert_eq!(pacer.in_flight(), 31);
        assert!(pacer.rate() < 1.4, "{}", pacer.rate());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_one_burst_slow_down_once() {
        let mut pacer = Pacer::new(LIMITS, &[]);
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(200)).await;
        pacer.refused(sent, None, 30);
        let once = pacer.slowed();
        for _ in 0..50 {
            pacer.refused(sent, None, 30);
        }
        assert_eq!(pacer.slowed(), once);
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_keeps_to_what_a_refusal_said() {
        let mut before = Pacer::new(LIMITS, &[]);
        assert_eq!(before.slowed(), Slowed { hold: Duration::ZERO, share: 1.0, in_flight: None });
        for _ in 0..3 {
            before.refused(Instant::now(), Some(Duration::from_mins(5)), 3);
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        let slowed = before.slowed();
        assert_eq!(slowed, Slowed { hold: Duration::from_mins(4), share: 1.0, in_flight: Some(3) });
        let mut pacer = Pacer::new(LIMITS, &[]);
        pacer.keep_to(slowed);
        assert_eq!(pacer.turn(), Err(Some(Instant::now() + Duration::from_mins(4))));
        assert_eq!(pacer.slowed(), slowed);
    }
}
