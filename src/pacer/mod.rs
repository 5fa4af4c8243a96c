//! Who may act when: submission slots, reads, downloads, and every wait that
//! the provider asks for.
//!
//! A [`Pacer`] never sleeps. It answers "now" or "ask again at": the runner's
//! loop is the one dispatcher that waits and hands out turns in order, so no
//! second queue and no second backoff exist. Every submission and every second
//! try passes the same gate.

mod backoff;
mod flight;
mod gate;
mod pace;
mod submissions;
#[cfg(test)]
mod tests;
mod window;

pub use backoff::backoff;
pub use gate::Gate;
pub use submissions::{Limits, Pacer, Slowed};
