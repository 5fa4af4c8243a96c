//! From a link to a picture on disk: check the link, stream it to a
//! temporary file, verify that it decodes, sync, give it its final name.
//!
//! A name below `root` appears only when its file is complete, verified and
//! synced. Links come from strangers: every host is judged before a
//! connection, on every hop, and no key is ever sent. Nothing here retries
//! or sleeps.

mod decode;
mod error;
mod fetch;
mod folders;
mod hosts;
mod jpeg;
mod link;
mod look;
mod place;
mod policy;
mod publish;
mod scanlines;
mod stream;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;
mod verify;

pub use decode::Row;
pub use error::FetchError;
pub use fetch::{Downloader, Picture};
pub use look::Remote;
pub use place::{relocate, sweep, sync_up};
pub use policy::Policy;
pub use verify::{Damage, Facts, Format, hash, verify, verify_seeing};
