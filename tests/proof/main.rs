//! The proof that nothing is paid twice and nothing paid is lost: the binary
//! with the feature `crash-points`, killed, starved and lied to, and judged by
//! the emulator's books against the ledger.
//!
//! Each method has a small size that runs always and a full size that
//! `tests/soak.sh` reaches in rounds; docs/proof.md has the bars and the
//! recorded figures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/world.rs"]
mod world;

mod controls;
mod endurance;
mod kills;
mod matrix;
mod plans;
mod policy;
mod power;
mod round;
mod signals;
mod syscalls;
