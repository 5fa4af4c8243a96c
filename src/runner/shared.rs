//! What every step of a run uses.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::clock::Clock;
use super::purse::Purse;
use super::stage::Uploads;
use crate::api::Client;
use crate::callback::Addresses;
use crate::download::Downloader;
use crate::job::Request;
use crate::ledger::{Ledger, Rescue};

/// The doors of a run: each step acts through one of them.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) downloader: Downloader,
    pub(super) ledger: Ledger,
    pub(super) rescue: Rescue,
    /// The account of all runs of the user, where it is kept.
    pub(super) purse: Option<Purse>,
    /// The output folder.
    pub(super) folder: PathBuf,
    pub(super) clock: Clock,
    /// Tells the driver when a submission really leaves.
    pub(super) sends: mpsc::Sender<(u64, Instant)>,
    /// The secret addresses of callbacks, where some are wanted.
    pub(super) addresses: Option<Addresses>,
    pub(super) uploads: Uploads,
    /// The provider has no batch read.
    pub(super) one_by_one: AtomicBool,
}

impl Shared {
    /// A fresh token and callback address for a request; one of the user's
    /// own comes first.
    pub(super) fn callback_of(&self, request: &Request) -> Option<(String, String)> {
        self.addresses.as_ref().filter(|_| request.callback_url.is_none())?.make()
    }

    pub(super) fn expect_call(&self, token: &str, job: i64, attempt: i64) {
        if let Some(addresses) = &self.addresses {
            addresses.expect(token, job, attempt);
        }
    }

    pub(super) fn sending(&self, slot: u64, at: Instant) {
        // The channel has room for every submission that can be on the wire.
        let _ = self.sends.try_send((slot, at));
    }
}
