//! The step that brings a picture home.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::shared::Shared;
use crate::download::{FetchError, Picture, relocate};
use crate::ledger::{LedgerError, Outcome, Recorded, SavedPicture, ToFetch};
use crate::pacer::backoff;

/// A picture to fetch, and how often that failed in this run.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    pub(super) picture: ToFetch,
    pub(super) failures: u32,
}

/// What became of a download.
#[derive(Debug)]
pub(super) enum Fetched {
    Saved {
        recorded: Recorded,
        saved: SavedPicture,
    },
    /// Paid, and its link is dead for good.
    Lost {
        recorded: Recorded,
        why: String,
    },
    Failed(FetchError),
    Broken(LedgerError),
}

/// What to do after a failed download. Pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Fetch the same link after a wait.
    Again(Duration),
    /// Read the task for fresh links after a wait, then fetch.
    Refresh(Duration),
    /// Leave it for the next run.
    Leave,
}

/// Failures of one picture in one run before it is left for the next.
const PATIENCE: u32 = 6;

/// Decides after failure number `failures` (from 1); `jitter` as in [`backoff`].
pub(super) fn after_failure(error: &FetchError, failures: u32, jitter: f64) -> Next {
    let wait = backoff(failures, jitter);
    match error {
        _ if failures >= PATIENCE => Next::Leave,
        FetchError::Disk(_) | FetchError::Occupied { .. } => Next::Leave,
        FetchError::Gone { .. } | FetchError::Forbidden { .. } => Next::Refresh(wait),
        // A second look at the same bytes may do; after that, other links may.
        FetchError::Damaged(_) if failures > 1 => Next::Refresh(wait),
        FetchError::Damaged(_) => Next::Again(wait),
        FetchError::Transient { retry_after, .. } if failures == 3 => {
            Next::Refresh(wait.max(retry_after.unwrap_or_default()))
        }
        FetchError::Transient { retry_after, .. } => Next::Again(wait.max(retry_after.unwrap_or_default())),
    }
}

impl Shared {
    pub(super) async fn fetch(&self, fetch: &Fetch) -> Fetched {
        let picture = &fetch.picture;
        let folder = if picture.outdated { "replaced" } else { "images" };
        let saved = match self.bring(picture, folder).await {
            Ok(saved) => saved,
            // Fresh links were asked for before, and the time is over.
            Err(FetchError::Gone { status })
                if fetch.failures > 0 && self.clock.now_ms() > picture.expires_at =>
            {
                return self.lost(picture, status).await;
            }
            Err(error) => return Fetched::Failed(error),
        };
        crash_point!("picture-in-place");
        let saved = SavedPicture {
            number: picture.number,
            path: format!("{folder}/{}", saved.file.display()),
            sha256: saved.sha256,
            bytes: saved.bytes,
            width: saved.width,
            height: saved.height,
            format: saved.format.name().to_owned(),
        };
        let (job, attempt, outcome) = (picture.task.job, picture.task.attempt, Outcome::Saved(saved.clone()));
        match self.ledger.write(move |store| store.record(job, attempt, outcome)).await {
            Ok(recorded) => {
                crash_point!("picture-recorded");
                Fetched::Saved { recorded, saved }
            }
            Err(error) => Fetched::Broken(error),
        }
    }

    async fn bring(&self, picture: &ToFetch, folder: &str) -> Result<Picture, FetchError> {
        let root = self.folder.join(folder);
        let number = picture.numbered.then_some(picture.number);
        let fetch = || self.downloader.fetch(&picture.link, &root, &picture.path, number);
        match fetch().await {
            Err(FetchError::Occupied { path }) => {
                self.make_way(&path).await.map_err(FetchError::Disk)?;
                fetch().await
            }
            result => result,
        }
    }

    /// A file that nobody recorded has a picture's name: it is kept, elsewhere.
    async fn make_way(&self, path: &Path) -> std::io::Result<()> {
        let folder = self.folder.clone();
        let stranger = path.to_owned();
        tokio::task::spawn_blocking(move || {
            let from = stranger.strip_prefix(&folder).map_or_else(|_| stranger.clone(), Path::to_owned);
            let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let to = PathBuf::from(format!("replaced/found-{:08x}-{name}", fastrand::u32(..)));
            tracing::warn!(from = %from.display(), to = %to.display(), "a file that is not in the ledger has a picture's name; moved");
            relocate(&folder, &from, &to)
        })
        .await
        .unwrap_or_else(|_| Err(std::io::Error::other("moving a file was interrupted")))
    }

    async fn lost(&self, picture: &ToFetch, status: u16) -> Fetched {
        let why = format!("its link died (HTTP {status}) before the picture was here");
        let answer = crate::ledger::Answer {
            code: "picture_lost".into(),
            message: why.clone(),
            http_status: Some(status),
            request_id: None,
        };
        let (job, attempt) = (picture.task.job, picture.task.attempt);
        let lost = Outcome::Lost { number: Some(picture.number), answer };
        let lost = self.ledger.write(move |store| store.record(job, attempt, lost)).await;
        lost.map_or_else(Fetched::Broken, |recorded| Fetched::Lost { recorded, why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_next_step() {
        let gone = FetchError::Gone { status: 404 };
        let busy =
            FetchError::Transient { why: "HTTP 503".into(), retry_after: Some(Duration::from_secs(40)) };
        let occupied = FetchError::Occupied { path: PathBuf::new() };
        assert_eq!(after_failure(&gone, 1, 1.0), Next::Refresh(Duration::from_secs(1)));
        assert_eq!(after_failure(&busy, 1, 1.0), Next::Again(Duration::from_secs(40)));
        assert_eq!(after_failure(&busy, 3, 1.0), Next::Refresh(Duration::from_secs(40)));
        assert_eq!(after_failure(&occupied, 1, 1.0), Next::Leave);
        assert_eq!(after_failure(&gone, PATIENCE, 1.0), Next::Leave);
    }
}
