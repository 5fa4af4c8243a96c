//! A local server that speaks the image API, for demos, tests and other
//! people's clients.
//!
//! It draws real pictures of the exact requested size, counts what it bills,
//! and misbehaves on request. It is a second witness of the protocol: it
//! shares no code with the runner, not even the wire types, and has its own
//! rules for sizes, prices and validation. It is not a model and not a proxy:
//! no request leaves the machine except for references that the caller named.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use imgbatch::emulator::{Emulator, Options};
//!
//! let emulator = Emulator::start(Options {
//!     faults: "429=0.05,fail:content_policy_violation@7".parse()?,
//!     ..Options::default()
//! })
//! .await?;
//! println!("{}", emulator.base_url());
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```

mod account;
mod admit;
mod answer;
mod base64;
mod bills;
mod blobs;
mod books;
mod callback;
mod clock;
mod create;
mod credits;
mod damage;
mod download;
mod faults;
mod fetch;
mod hosts;
mod journal;
mod openapi;
mod options;
mod order;
mod prepare;
mod price;
mod read;
mod render;
mod server;
mod size;
mod state;
mod stats;
mod studio;
mod task;
mod uploads;
mod view;
mod wire;

pub use bills::Bill;
pub use faults::{FAULT_MEANINGS, FAULT_NAMES, FaultMeaning, Faults, ParseFaultsError};
pub use options::{Idempotency, Latency, Options, ParseOptionError, RateLimit};
pub use server::{Emulator, EmulatorError};
pub use stats::{CallbackStats, Stats};
