//! How long to wait before a try that costs nothing.

use std::time::Duration;

/// Doubling from one second to a minute, with full jitter in the upper half.
///
/// `failures` counts from 1; `jitter` is a random number in `0.0..1.0`.
#[must_use]
pub fn backoff(failures: u32, jitter: f64) -> Duration {
    let ceiling = 2f64.powi(failures.saturating_sub(1).min(6) as i32).min(60.0);
    Duration::from_secs_f64(ceiling * (0.5 + jitter.clamp(0.0, 1.0) / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_a_minute() {
        let longest = |failures| backoff(failures, 1.0).as_secs();
        assert_eq!([1, 2, 3, 4, 7, 8, 1000].map(longest), [1, 2, 4, 8, 60, 60, 60]);
        assert_eq!(backoff(3, 0.0), Duration::from_secs(2));
    }
}
