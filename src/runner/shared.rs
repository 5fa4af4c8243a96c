//! What every step of a run uses.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::clock::Clock;
use crate::api::Client;
use crate::download::Downloader;
use crate::ledger::{Ledger, Rescue};

/// The doors of a run: each step acts through one of them.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) downloader: Downloader,
    pub(super) ledger: Ledger,
    pub(super) rescue: Rescue,
    /// The output folder.
    pub(super) folder: PathBuf,
    pub(super) clock: Clock,
    /// Tells the driver when a submission really leaves.
    pub(super) sends: mpsc::Sender<(u64, Instant)>,
    /// The provider has no batch read.
    pub(super) one_by_one: AtomicBool,
}

impl Shared {
    pub(super) fn sending(&self, slot: u64, at: Instant) {
        // The channel has room for every submission that can be on the wire.
        let _ = self.sends.try_send((slot, at));
    }
}
