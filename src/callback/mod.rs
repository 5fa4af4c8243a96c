//! Receives the provider's callbacks: plain HTTP, behind the user's own proxy.
//!
//! Callbacks are not signed (section 6 of the API facts), so one is a hint and
//! never a proof. Its secret address says which attempt it speaks of; whoever
//! takes a [`Call`] stores it, answers it, and reads the task for the truth.
//! Nothing else happens here: no state, no request, no retry.

mod addresses;
mod listener;

pub use addresses::Addresses;
pub use listener::{Call, Listener, Stored, named_task};
