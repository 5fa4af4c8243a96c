//! imgbatch runs manifests of image jobs against the asynchronous GPT Image 2
//! API.
//!
//! A manifest becomes a plan; a plan becomes jobs in a ledger; each job is
//! driven from whatever state the ledger holds to a terminal one; galleries
//! and exports only read the ledger.
//!
//! ```text
//! manifest ──load──▶ Manifest ──plan──▶ wanted jobs ──enrol──▶ Ledger
//!                                                                │
//!       ┌───── step(job): submit, look or download ◀─── claim ───┘
//!       │ event
//!       └─▶ record: State::next(event), one shared transaction ─▶ Ledger
//! ```

pub mod cli;
pub mod manifest;
pub mod plan;

pub mod model;

pub mod job;

pub mod enrol;

pub mod api;
pub mod download;
pub mod events;
pub mod ledger;
pub mod pacer;
pub mod runner;

pub mod emulator;
