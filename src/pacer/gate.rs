//! One governor limiter, asked instead of awaited.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// governor's own waiting sleeps outside tokio's time; on this clock it obeys
/// a paused runtime as well.
#[derive(Clone, Copy, Debug)]
struct TokioClock {
    origin: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A turn is so many cells of the limiter, so that lateness can be made up for
/// in parts of a turn.
const CELLS: NonZeroU32 = NonZeroU32::new(64).expect("not zero");

/// Turns at even spacing, with an optional burst, and a hold that outranks
/// both.
#[derive(Debug)]
pub struct Gate {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
    held_until: Option<Instant>,
}

impl Gate {
    /// One turn every `spacing` (at least a nanosecond), and up to `burst` at
    /// once after a rest.
    #[must_use]
    pub fn new(spacing: Duration, burst: NonZeroU32) -> Self {
        Self::with(spacing, CELLS.saturating_mul(burst))
    }

    /// One turn every `spacing`; a turn that is taken late lets the next ones
    /// come closer, by `slack` (a 64th of a spacing to a whole one) in all.
    #[must_use]
    pub fn even(spacing: Duration, slack: Duration) -> Self {
        let share = slack.as_secs_f64() / spacing.as_secs_f64().max(f64::MIN_POSITIVE);
        let cells = (share.min(1.0) * f64::from(CELLS.get())).ceil();
        Self::with(spacing, CELLS.saturating_add(cells as u32))
    }

    fn with(spacing: Duration, burst: NonZeroU32) -> Self {
        let clock = TokioClock { origin: Instant::now() };
        let cell = (spacing / CELLS.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(cell).unwrap_or(Quota::per_second(NonZeroU32::MAX)).allow_burst(burst);
        Self { limiter: RateLimiter::direct_with_clock(quota, clock), clock, held_until: None }
    }

    /// Takes a turn, or says when to ask again.
    pub fn turn(&mut self) -> Result<(), Instant> {
        let now = Instant::now();
        if let Some(until) = self.held_until.filter(|until| *until > now) {
            return Err(until);
        }
        match self.limiter.check_n(CELLS) {
            Ok(Err(early)) => Err(now + early.wait_time_from(self.clock.now())),
            // A burst holds a turn at least.
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// No turn before `until`; a shorter hold never shortens a longer one.
    pub fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn turns_within(gate: &mut Gate, span: Duration) -> usize {
        let end = Instant::now() + span;
        let mut turns = 0;
        loop {
            let until = match gate.turn() {
                Ok(()) => {
                    turns += 1;
                    continue;
                }
                Err(until) => until,
            };
            if until >= end {
                return turns;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_evenly_spaced_and_never_caught_up() {
        let mut gate = Gate::new(Duration::from_millis(50), NonZeroU32::MIN);
        assert_eq!(turns_within(&mut gate, Duration::from_secs(1)).await, 20);
        tokio::time::advance(Duration::from_mins(1)).await;
        let later = turns_within(&mut gate, Duration::from_secs(1)).await;
        assert!((20..=21).contains(&later), "{later} turns after a rest");
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_turn_is_made_up_for_within_the_slack() {
        let spacing = Duration::from_millis(16);
        for (slack, late, next) in [(0, 5, 16), (3, 2, 14), (3, 9, 13), (99, 99, 0)] {
            let mut gate = Gate::even(spacing, Duration::from_millis(slack));
            // The slack of a fresh gate is used up first.
            while gate.turn().is_ok() {}
            let Err(on_time) = gate.turn() else { panic!() };
            tokio::time::sleep_until(on_time + Duration::from_millis(late)).await;
            gate.turn().unwrap();
            let following = gate.turn().err().map_or(0, |at| at.duration_since(Instant::now()).as_millis());
            assert_eq!(following, next, "slack {slack}, {late} late");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_outranks_the_spacing() {
        let mut gate = Gate::new(Duration::from_millis(50), NonZeroU32::MIN);
        let start = Instant::now();
        gate.hold(start + Duration::from_secs(9));
        gate.hold(start + Duration::from_secs(2));
        assert_eq!(gate.turn(), Err(start + Duration::from_secs(9)));
        tokio::time::sleep_until(start + Duration::from_secs(9)).await;
        assert_eq!(gate.turn(), Ok(()));
    }
}
