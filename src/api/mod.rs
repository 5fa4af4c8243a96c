//! The provider's client: submit, read, list, balance, upload. One call is
//! one request on the wire; every answer becomes a value of a closed enum.
//!
//! Nothing here sleeps or retries: a `Retry-After` is handed to the caller,
//! whose pacer owns every wait. What a submission's answer means for money is
//! decided in one pure function, [`classify_submit`].

mod account;
mod answer;
mod body;
mod client;
mod config;
mod look;
mod outcome;
pub mod retry_after;
#[cfg(test)]
mod stub;
mod task;
mod taxonomy;
#[cfg(test)]
mod tests;
mod upload;
mod wire;

pub use account::{Balance, Filter, Health, ListPage, Row};
pub use answer::Refusal;
pub use body::body;
pub use client::Client;
pub use config::{ApiError, Config};
pub use look::{Look, LookError, MANY, ManyLooks};
pub use outcome::{Accepted, Delay, Doubt, Submission, classify_submit};
pub use task::{Status, Task};
pub use taxonomy::{Billed, Class, Next};
pub use upload::{UploadError, Uploaded};
