//! The plan against the ledger: what is new, changed, renamed or done, why
//! each job will run, and the entry of all that into the ledger.
//!
//! Comparing streams: jobs pass one by one, and memory holds some bits a job
//! and, where something was renamed, what the manifest no longer names.

mod compare;
mod decide;
mod filter;
mod presence;
mod select;

pub use compare::{Comparison, Entry, Problem, Sink, compare, enrol};
pub use decide::{Action, Counts};
pub use select::{Only, Selection};
