//! The thumbnails of a folder: `thumbs/`, by the hash of the picture, made
//! once. Whoever deletes them gets new ones.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, available_parallelism};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::Builder;

use super::GalleryError;
use super::file::is_plain;
use super::thumb::{Kind, thumbnail};
use crate::job::ContentHash;

/// Pictures decoded at once: a large one takes 100 MB while it is decoded.
const MOST_THREADS: usize = 8;

/// The thumbnails of one output folder.
#[derive(Debug)]
pub(super) struct Thumbs {
    out: PathBuf,
}

/// A thumbnail that exists.
#[derive(Debug)]
pub(super) struct Thumb {
    path: String,
    kind: Kind,
}

/// A picture that is recorded and can't be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Path below the output folder.
    pub path: String,
    /// Why.
    pub why: String,
}

impl Thumb {
    /// Below the output folder.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The whole file as a link.
    pub(super) fn data_url(&self, out: &Path) -> io::Result<String> {
        let mut url = format!("data:{};base64,", self.kind.mime());
        STANDARD.encode_string(fs::read(out.join(&self.path))?, &mut url);
        Ok(url)
    }
}

impl Thumbs {
    pub(super) fn new(out: &Path) -> Self {
        Self { out: out.to_owned() }
    }

    /// The thumbnail of a picture. An empty file is what a power cut leaves,
    /// and counts as none.
    pub(super) fn find(&self, sha256: &ContentHash) -> Option<Thumb> {
        let exists = |path: &String| fs::metadata(self.out.join(path)).is_ok_and(|found| found.len() > 0);
        Kind::ALL.into_iter().map(|kind| Thumb { path: name(sha256, kind), kind }).find(|t| exists(&t.path))
    }

    /// Makes these thumbnails, on all cores; blocking. Pictures that can't be
    /// read are returned, in order.
    pub(super) fn fill(
        &self,
        mut missing: Vec<(ContentHash, String)>,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Vec<Unreadable>, GalleryError> {
        missing.sort_unstable();
        missing.dedup_by_key(|(sha256, _)| *sha256);
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            let mut unreadable = Vec::new();
            while let Some((sha256, path)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                unreadable.extend(self.make(sha256, path)?);
                progress(done.fetch_add(1, Ordering::Relaxed) as u64 + 1, missing.len() as u64);
            }
            Ok(unreadable)
        };
        let threads = available_parallelism().map_or(2, usize::from).min(MOST_THREADS).min(missing.len());
        let mut unreadable = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(joined).collect::<Result<Vec<_>, GalleryError>>()
        })?
        .concat();
        unreadable.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(unreadable)
    }

    fn make(&self, sha256: &ContentHash, path: &str) -> Result<Option<Unreadable>, GalleryError> {
        let unreadable = |why: String| Some(Unreadable { path: path.to_owned(), why });
        if !is_plain(path) {
            return Ok(unreadable("its path leads elsewhere".into()));
        }
        match thumbnail(&self.out.join(path)) {
            Err(error) => Ok(unreadable(error.to_string())),
            Ok((kind, bytes)) => {
                let target = self.out.join(name(sha256, kind));
                save(&target, &bytes).map_err(GalleryError::writing(&target))?;
                Ok(None)
            }
        }
    }
}

fn joined<T>(worker: thread::ScopedJoinHandle<'_, T>) -> T {
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A thousand thumbnails a folder of a million.
fn name(sha256: &ContentHash, kind: Kind) -> String {
    let hash = sha256.to_string();
    format!("thumbs/{}/{hash}.{}", &hash[..2], kind.extension())
}

/// Not synced: what a power cut takes is made again.
fn save(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut temp = Builder::new().prefix(".imgbatch-").tempfile_in(folder)?;
    temp.write_all(bytes)?;
    temp.persist(target)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_are_made_once_and_bad_pictures_are_named() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir(out.path().join("images")).unwrap();
        image::RgbImage::new(500, 500).save(out.path().join("images/a.png")).unwrap();
        fs::write(out.path().join("images/b.png"), "no picture").unwrap();
        let thumbs = Thumbs::new(out.path());
        let [a, b, c] = [b"a", b"b", b"c"].map(|bytes| ContentHash::of(bytes));
        let wanted = vec![
            (a, "images/a.png".to_owned()),
            (b, "images/b.png".to_owned()),
            (c, "../outside.png".to_owned()),
            (a, "images/a.png".to_owned()),
        ];
        let seen = AtomicUsize::new(0);
        let bad = thumbs
            .fill(wanted, &|_, of| {
                assert_eq!(of, 3);
                seen.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        assert_eq!(seen.into_inner(), 3);
        assert_eq!(
            bad.iter().map(|bad| bad.path.as_str()).collect::<Vec<_>>(),
            ["../outside.png", "images/b.png"]
        );
        let thumb = thumbs.find(&a).unwrap();
        assert!(thumb.data_url(out.path()).unwrap().starts_with("data:image/jpeg;base64,/9j/"));
        assert!(thumbs.find(&b).is_none() && thumbs.find(&c).is_none());
        fs::write(out.path().join(thumb.path()), "").unwrap();
        assert!(thumbs.find(&a).is_none(), "an empty file is no thumbnail");
    }
}
