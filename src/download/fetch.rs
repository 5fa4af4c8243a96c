//! One download from beginning to end.

use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::decode;
use super::error::FetchError;
use super::folders::Folders;
use super::hosts::{Guard, Rules};
use super::policy::Policy;
use super::publish::{publish, temporary};
use super::stream::{Arrived, open, receive};
use super::verify::{Damage, Format};
use crate::job::{ContentHash, OutPath};
use crate::tls;

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
    folders: Folders,
}

impl Downloader {
    /// Sets up connections of its own, which never carry the key. The process
    /// must have installed a rustls provider before.
    pub fn new(policy: Policy) -> Result<Self, reqwest::Error> {
        let builder = tls::shared(reqwest::Client::builder())
            .user_agent(concat!("imgbatch/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(policy.idle_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .dns_resolver(Guard::new(Rules::of(&policy)));
        let builder = if policy.loopback_http { builder.no_proxy() } else { builder };
        let decoders = Arc::new(Semaphore::new(policy.decode_threads.max(1)));
        Ok(Self { client: builder.build()?, policy, decoders, folders: Folders::default() })
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
        self.keep(arrived, root, path, number).await
    }

    /// Checks a picture, as many at once as there are cores, and puts it in its place.
    async fn keep(
        &self,
        arrived: Arrived,
        root: &Path,
        path: &OutPath,
        number: Option<u32>,
    ) -> Result<Picture, FetchError> {
        // Waited for here and not by the threads: too many of them at work would keep
        // the reactor from its times.
        let permit = Arc::clone(&self.decoders).acquire_owned().await;
        let max_pixels = self.policy.max_pixels;
        let (place, path, folders) = (root.to_owned(), path.clone(), self.folders.clone());
        let picture = blocking(move || {
            let (format, width, height) = match &arrived {
                Arrived::InMemory(body) => decode::decode_from(Cursor::new(body), max_pixels, None),
                Arrived::InFile { temp, .. } => decode::decode(temp.path(), max_pixels, None),
            }?;
            let file = path.file(number, format.extension());
            let (temp, sha256, bytes) = match arrived {
                Arrived::InMemory(body) => {
                    let mut temp = temporary(&folders, &place, &file).map_err(FetchError::Disk)?;
                    temp.write_all(&body).map_err(FetchError::Disk)?;
                    (temp, ContentHash::of(&body), body.len() as u64)
                }
                Arrived::InFile { temp, sha256, bytes } => (temp, sha256, bytes),
            };
            // The disk is waited for without a core.
            drop(permit);
            publish(temp, sha256, &place, &file)?;
            Ok(Picture { file, sha256, bytes, width, height, format })
        })
        .await?;
        self.folders.sync_up(root, &picture.file).await.map_err(FetchError::Disk)?;
        Ok(picture)
    }

    async fn transfer(&self, link: &str, root: &Path, target: PathBuf) -> Result<Arrived, FetchError> {
        let response = open(&self.client, link, Rules::of(&self.policy)).await?;
        let (root, folders) = (root.to_owned(), self.folders.clone());
        receive(response, self.policy.max_bytes, move || temporary(&folders, &root, &target)).await
    }
}

/// Runs file work beside the reactor. A panic in there is a decoder's, on a
/// file that some stranger made.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(FetchError::Damaged(Damage::NoPicture)),
        Err(_) => Err(FetchError::Disk(io::Error::other("the program is stopping"))),
    }
}
