//! One download from beginning to end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::{NamedTempFile, TempPath};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::decode;
use super::error::FetchError;
use super::hosts::{Guard, Rules};
use super::place::Folders;
use super::policy::Policy;
use super::publish::{publish, temporary};
use super::stream::{open, receive};
use super::verify::{Damage, Format};
use crate::job::{ContentHash, OutPath};

/// Patience for DNS, connect and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A picture under its final name: complete, verified, synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Relative to the root that was given.
    pub file: PathBuf,
    /// Hash of the file.
    pub sha256: ContentHash,
    /// Length of the file.
    pub bytes: u64,
    /// In pixels, as decoded.
    pub width: u32,
    /// In pixels, as decoded.
    pub height: u32,
    /// By its magic bytes; decides the extension.
    pub format: Format,
}

/// Fetches pictures. Any number of downloads may run at once; how many is the
/// caller's decision.
#[derive(Debug)]
pub struct Downloader {
    pub(super) client: reqwest::Client,
    pub(super) policy: Policy,
    decoders: Arc<Semaphore>,
    folders: Arc<Folders>,
}

impl Downloader {
    /// Sets up connections of its own, which never carry the key. The process
    /// must have installed a rustls provider before.
    pub fn new(policy: Policy) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("imgbatch/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(policy.idle_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .dns_resolver(Guard::new(Rules::of(&policy)));
        let builder = if policy.loopback_http { builder.no_proxy() } else { builder };
        let decoders = Arc::new(Semaphore::new(policy.decode_threads.max(1)));
        Ok(Self { client: builder.build()?, policy, decoders, folders: Arc::default() })
    }

    /// Makes one attempt to bring the picture behind `link` to its place
    /// below `root` (`OUT/images`). On an error, nothing is left behind. A
    /// file that is there already with the same content is a success.
    ///
    /// A dropped future leaves no temporary file, but the picture may still
    /// appear, complete, if it was being put in place.
    pub async fn fetch(
        &self,
        link: &str,
        root: &Path,
        path: &OutPath,
        number: Option<u32>,
    ) -> Result<Picture, FetchError> {
        let transfer = self.transfer(link, root, path.file(number, "part"));
        let arrived = timeout(self.policy.total_timeout, transfer)
            .await
            .map_err(|_| FetchError::transient("it took too long in all"))??;
        let (temp, format, width, height) = self.decode(arrived.temp).await?;
        let file = path.file(number, format.extension());
        let (sha256, bytes) = (arrived.sha256, arrived.bytes);
        let (root, target, folders) = (root.to_owned(), file.clone(), Arc::clone(&self.folders));
        blocking(move || {
            publish(temp, sha256, &root, &target)?;
            folders.sync_up(&root, &target).map_err(FetchError::Disk)
        })
        .await?;
        Ok(Picture { file, sha256, bytes, width, height, format })
    }

    async fn transfer(&self, link: &str, root: &Path, target: PathBuf) -> Result<Arrived, FetchError> {
        let response = open(&self.client, link, Rules::of(&self.policy)).await?;
        let (root, folders) = (root.to_owned(), Arc::clone(&self.folders));
        let temp = blocking(move || temporary(&folders, &root, &target).map_err(FetchError::Disk)).await?;
        let (file, temp) = NamedTempFile::into_parts(temp);
        let (sha256, bytes) = receive(response, file, self.policy.max_bytes).await?;
        Ok(Arrived { temp, sha256, bytes })
    }

    async fn decode(&self, temp: TempPath) -> Result<(TempPath, Format, u32, u32), FetchError> {
        let permit = Arc::clone(&self.decoders).acquire_owned().await;
        let max_pixels = self.policy.max_pixels;
        blocking(move || {
            let _permit = permit;
            let (format, width, height) = decode::decode(&temp, max_pixels, &mut |_| {})?;
            Ok((temp, format, width, height))
        })
        .await
    }
}

/// A body in its temporary file, which vanishes with this value.
struct Arrived {
    temp: TempPath,
    sha256: ContentHash,
    bytes: u64,
}

/// Runs file work beside the reactor. A panic in there is a decoder's, on a
/// file that some stranger made.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(FetchError::Damaged(Damage::NoPicture)),
        Err(_) => Err(FetchError::Disk(io::Error::other("the program is stopping"))),
    }
}
