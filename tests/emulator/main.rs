//! The emulator as a client sees it: over HTTP, on a free port.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod callbacks;
mod client;
mod description;
mod faults;
mod hook;
mod ladder;
mod pictures;
mod protocol;
mod uploads;
