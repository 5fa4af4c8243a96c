//! What all runs of a user on this machine share: what was learnt about
//! providers, and what is spent. One small SQLite database in the user's state
//! folder.
//!
//! Nothing here is needed to resume a run: a folder's own ledger is the truth
//! about its money.

mod calendar;
mod error;
mod keys;
mod open;
mod raise;
mod spend;

pub use calendar::Span;
pub use error::AccountError;
pub use keys::Proof;
pub use open::{Account, state_folder};
pub use spend::{Limits, Short, Spent};
