//! Wall time that obeys a paused runtime.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since 1970, advanced by tokio's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start_ms: i64,
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start_ms: wall_ms(), start: Instant::now() }
    }

    pub(super) fn now_ms(&self) -> i64 {
        // A machine that was suspended stops the one, a paused runtime the other.
        (self.start_ms + self.elapsed().as_millis() as i64).max(wall_ms())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The instant of a wall time; `now` for times past.
    pub(super) fn instant(&self, ms: i64) -> Instant {
        let ahead = u64::try_from(ms - self.now_ms()).unwrap_or(0);
        Instant::now() + Duration::from_millis(ahead)
    }
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}
