//! The vocabulary of a run: requests, identities, states, events and the one
//! table of legal transitions. Data and pure functions only: nothing here
//! reads a file, a clock or a socket.

mod credits;
mod fingerprint;
mod path;
mod raise;
mod request;
mod selection;
mod state;
mod tally;
mod wanted;

pub use credits::Credits;
pub use fingerprint::{ContentHash, Fingerprint};
pub use path::{OutPath, PathError};
pub use raise::{Raise, Raises, kind_of};
pub use request::{Difference, Reference, Request};
pub use selection::{Chosen, SelectionError};
pub use state::{Event, Illegal, State};
pub use tally::Tally;
pub use wanted::Wanted;
