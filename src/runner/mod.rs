//! Drives jobs from whatever state the ledger holds to a terminal one.
//!
//! One loop (`driver.rs`) starts bounded steps and waits; each step acts once
//! and records once. Resuming is not a second path: the loop takes up what
//! the ledger holds, and that is all it ever does.

mod audit;
mod balance;
mod clock;
mod driver;
mod fetch;
mod files;
mod halt;
mod ladder;
mod listing;
mod look;
mod outcomes;
mod posting;
mod purse;
mod queues;
mod replay;
mod scale;
mod schedule;
mod settings;
mod shared;
mod slowed;
mod stage;
mod submit;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::api::Client;
use crate::callback::{Addresses, Call, Listener};
use crate::download::Downloader;
use crate::events::{Reporter, Snapshot};
use crate::ledger::{Ledger, LedgerError, Rescue};

pub use balance::{balance, left, steady_use};
pub use files::reconcile;
pub use halt::Halt;
pub use purse::{Purse, PurseError};
pub use settings::{Settings, Stop};
pub use slowed::slowed;

/// Everything a run consists of.
pub struct Setup {
    /// The provider.
    pub client: Client,
    /// The way to the pictures.
    pub downloader: Downloader,
    /// The truth.
    pub ledger: Ledger,
    /// Where task ids go when the ledger can't take them.
    pub rescue: Rescue,
    /// The output folder.
    pub folder: PathBuf,
    /// The knobs.
    pub settings: Settings,
    /// Who tells the user.
    pub reporter: Box<dyn Reporter>,
    /// How the ledger stands at the start.
    pub snapshot: Snapshot,
    /// Ages of the latest submissions of earlier runs.
    pub ages: Vec<Duration>,
    /// What the run is told from outside.
    pub stop: watch::Receiver<Stop>,
    /// The account of all runs of the user, where it is kept.
    pub purse: Option<Purse>,
    /// Where callbacks are heard, if anywhere.
    pub callbacks: Option<Callbacks>,
}

/// The provider may call when a task ends.
#[derive(Debug)]
pub struct Callbacks {
    /// The secret addresses that are handed out.
    pub addresses: Addresses,
    /// What is heard there.
    pub calls: mpsc::Receiver<Call>,
    /// Hears as long as it lives.
    pub listener: Listener,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// How a run ended; the ledger says where the jobs stand.
#[derive(Debug, Default)]
pub struct Ended {
    /// Why submissions stopped before all were made.
    pub halted: Option<Halt>,
    /// The ledger could not be written.
    pub broken: Option<LedgerError>,
    /// It was told to stop, or its time was over.
    pub interrupted: bool,
    /// Tasks that are overdue and were left to the next run.
    pub overdue: u64,
    /// Pictures that could not be fetched in this run.
    pub left: u64,
    /// Submissions that left.
    pub sent: u64,
    /// Of these, accepted.
    pub accepted: u64,
    /// Of these, answered with 429.
    pub throttled: u64,
}

/// Why a run could not go on at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ledger can't be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Runs until everything wanted is done, or can't be done in this run.
pub async fn run(setup: Setup) -> Result<Ended, RunError> {
    driver::Driver::new(setup, clock::Clock::start()).run().await
}
