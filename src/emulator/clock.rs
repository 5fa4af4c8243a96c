//! The emulator's clock: wall time at the start, moved on by tokio's clock, so
//! that a paused test clock moves tasks, links and rates alike.

use tokio::time::Instant;

/// Milliseconds since the epoch.
pub(super) type Millis = i64;

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
    started_ms: Millis,
}

impl Clock {
    /// Starts now, or at `not_before` if that is later: the clock must not run
    /// backwards over a restart, also after a test that ran ahead of the wall.
    pub(super) fn start(not_before: Millis) -> Self {
        let wall = jiff::Timestamp::now().as_millisecond();
        Self { started: Instant::now(), started_ms: wall.max(not_before) }
    }

    pub(super) fn now(&self) -> Millis {
        self.started_ms + self.since_start().cast_signed()
    }

    /// Milliseconds since the start.
    pub(super) fn since_start(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}
