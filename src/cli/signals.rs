//! Ctrl-C, SIGTERM, and the second of either.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::runner::Stop;

/// What the operating system told the process.
#[derive(Debug)]
pub(super) struct Signals {
    /// For the runner: stop buying, or leave soon.
    pub(super) stop: watch::Receiver<Stop>,
    /// Turns true at the second signal.
    pub(super) now: watch::Receiver<bool>,
}

/// Listens until the runtime ends.
pub(super) fn listen() -> std::io::Result<Signals> {
    let (stop, stop_receiver) = watch::channel(Stop::No);
    let (now, now_receiver) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // A file that grows past its limit is an error of the write, not a death.
    let too_large = signal(SignalKind::from_raw(SIGXFSZ))?;
    tokio::spawn(async move {
        let _too_large: Signal = too_large;
        let first = tokio::select! {
            _ = interrupt.recv() => Stop::Drain,
            _ = terminate.recv() => Stop::Leave,
            _ = hangup.recv() => Stop::Leave,
        };
        // The receivers live as long as the run; without them nobody asks.
        let _ = stop.send(first);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let _ = now.send(true);
    });
    Ok(Signals { stop: stop_receiver, now: now_receiver })
}

const SIGXFSZ: i32 = 25;
