//! The plan against the ledger: what is new, changed, renamed or done, why
//! each job will run, and the entry of all that into the ledger.
//!
//! Comparing streams: jobs pass one by one, and memory holds one bit a job
//! and what the manifest no longer names.

mod compare;
mod decide;
mod presence;
mod select;

pub use compare::{Comparison, Entry, Problem, Sink, compare, enrol};
pub use decide::{Action, Counts};
pub use select::{Only, Selection};
