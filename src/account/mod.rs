//! What all runs of a user on this machine share: what was learnt about
//! providers. One small SQLite database in the user's state folder.
//!
//! Nothing here is needed to resume a run: a folder's own ledger is the truth
//! about its money.

mod error;
mod keys;
mod open;

pub use error::AccountError;
pub use keys::Proof;
pub use open::{Account, state_folder};
