//! When to look at a task. Pure.

use std::time::Duration;

/// The share of the provider's estimate after which the first look is worth
/// its request.
const FIRST_LOOK: f64 = 0.8;

/// The first look comes within these bounds, whatever the estimate says.
const FIRST_MIN: Duration = Duration::from_secs(1);
const FIRST_MAX: Duration = Duration::from_secs(100);

/// Without an estimate: the documented pace.
const NO_ESTIMATE: Duration = Duration::from_secs(4);

/// An overdue task is not forgotten, and not worth more.
pub(super) const OVERDUE_EVERY: Duration = Duration::from_mins(1);

/// The wait between acceptance and the first look.
fn first_look(estimated: Option<Duration>) -> Duration {
    estimated.map_or(NO_ESTIMATE, |estimated| estimated.mul_f64(FIRST_LOOK).clamp(FIRST_MIN, FIRST_MAX))
}

/// The time of the first look at a task that was taken at `accepted_at`, both
/// in milliseconds since 1970. A ledger that somebody filled may hold any time.
pub(super) fn first_look_at(accepted_at: i64, estimated: Option<Duration>) -> i64 {
    accepted_at.saturating_add(first_look(estimated).as_millis() as i64)
}

/// The wait after look number `looks` (from 1) that found the task unfinished:
/// 3 to 5 s, growing to 15 s. `jitter` is a random number in `0.0..1.0`.
pub(super) fn next_look(looks: u32, jitter: f64) -> Duration {
    let growth = 1.2f64.powi(looks.saturating_sub(1).min(30) as i32);
    Duration::from_secs_f64(((3.0 + 2.0 * jitter.clamp(0.0, 1.0)) * growth).min(15.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_follows_the_estimate_within_bounds() {
        let first = |seconds| first_look(Some(Duration::from_secs(seconds)));
        assert_eq!(first(0), Duration::from_secs(1));
        assert_eq!(first(50), Duration::from_secs(40));
        assert_eq!(first(100_000), Duration::from_secs(100));
        assert_eq!(first_look(None), Duration::from_secs(4));
    }

    #[test]
    fn later_looks_begin_at_the_documented_pace_and_grow_to_a_quarter_minute() {
        assert_eq!(next_look(1, 0.0), Duration::from_secs(3));
        assert_eq!(next_look(1, 1.0), Duration::from_secs(5));
        assert!(next_look(4, 0.5) > next_look(3, 0.5));
        assert_eq!(next_look(500, 0.0), Duration::from_secs(15));
    }
}
