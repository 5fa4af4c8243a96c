//! The terminal, shared by the progress bar and the log: a log line never
//! lands inside the bar.

use std::io::{self, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};

/// Redraws a second: enough to look alive, too few to flicker.
const REDRAWS: u8 = 8;

/// Standard error with a bar at its bottom, or without one.
#[derive(Clone, Debug)]
pub struct Screen {
    pub(super) bars: MultiProgress,
}

impl Screen {
    /// Nothing is drawn until a bar is added.
    #[must_use]
    pub fn new() -> Self {
        Self { bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS)) }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Screen {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| io::stderr().write_all(text))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
