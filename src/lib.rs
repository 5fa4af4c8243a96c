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
//!       ┌───── step: submit, look or fetch ◀─────── claim ───────┘
//!       │ outcome
//!       └─▶ record: State::next, one shared transaction ─▶ Ledger ─▶ what is next
//! ```
//!
//! The modules stand in the order of that picture. `tests/layers.rs` says who
//! may use whom.

#[macro_use]
mod crash;
mod tls;

pub mod cli;

pub mod manifest;
pub mod model;
pub mod plan;

pub mod enrol;
pub mod job;
pub mod ledger;

pub mod account;
pub mod api;
pub mod callback;
pub mod download;
pub mod events;
pub mod pacer;
pub mod runner;

pub mod check;
pub mod export;
pub mod gallery;

pub mod emulator;
