//! The thumbnails of a folder: `thumbs/`, by the hash of the picture, made
//! once. Whoever deletes them gets new ones.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
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

/// Pictures that wait for one of them.
const WAITING: usize = 64;

/// Asks for the thumbnail of a picture; false where nobody makes any more.
type Ask<'a> = &'a mut dyn FnMut(ContentHash, String) -> bool;

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

    /// Makes the thumbnails that `each` asks for, on all cores and few at a time;
    /// blocking. Pictures that can't be read are returned, in order.
    pub(super) fn fill(
        &self,
        each: impl FnOnce(Ask<'_>) -> Result<(), GalleryError>,
        made: &(dyn Fn() + Sync),
    ) -> Result<Vec<Unreadable>, GalleryError> {
        let (asked, missing) = mpsc::sync_channel::<(ContentHash, String)>(WAITING);
        let missing = Arc::new(Mutex::new(missing));
        let threads = available_parallelism().map_or(2, usize::from).min(MOST_THREADS);
        let mut unreadable = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let missing = Arc::clone(&missing);
                    scope.spawn(move || self.work(&missing, made))
                })
                .collect();
            // The workers' own: nobody is asked any more where all have failed.
            drop(missing);
            let all_asked = each(&mut |sha256, path| asked.send((sha256, path)).is_ok());
            drop(asked);
            let unreadable = workers.into_iter().map(joined).collect::<Result<Vec<_>, _>>()?;
            all_asked.map(|()| unreadable.concat())
        })?;
        unreadable.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(unreadable)
    }

    fn work(
        &self,
        missing: &Mutex<Receiver<(ContentHash, String)>>,
        made: &dyn Fn(),
    ) -> Result<Vec<Unreadable>, GalleryError> {
        let mut unreadable = Vec::new();
        loop {
            let next = missing.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((sha256, path)) = next else { return Ok(unreadable) };
            unreadable.extend(self.make(&sha256, &path)?);
            made();
        }
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn thumbnails_are_made_once_and_bad_pictures_are_named() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir(out.path().join("images")).unwrap();
        image::RgbImage::new(500, 500).save(out.path().join("images/a.png")).unwrap();
        fs::write(out.path().join("images/b.png"), "no picture").unwrap();
        let thumbs = Thumbs::new(out.path());
        let [a, b, c] = [b"a", b"b", b"c"].map(|bytes| ContentHash::of(bytes));
        let wanted = [(a, "images/a.png"), (b, "images/b.png"), (c, "../outside.png"), (a, "images/a.png")];
        let seen = AtomicUsize::new(0);
        let bad = thumbs
            .fill(
                |ask| {
                    assert!(wanted.into_iter().all(|(sha256, path)| ask(sha256, path.to_owned())));
                    Ok(())
                },
                &|| {
                    seen.fetch_add(1, Ordering::Relaxed);
                },
            )
            .unwrap();
        assert_eq!(seen.into_inner(), 4);
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

    #[test]
    fn a_folder_that_takes_no_thumbnail_ends_the_work() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir(out.path().join("images")).unwrap();
        image::RgbImage::new(2, 2).save(out.path().join("images/a.png")).unwrap();
        fs::write(out.path().join("thumbs"), "not a folder").unwrap();
        let mut asked = 0;
        let failed = Thumbs::new(out.path()).fill(
            |ask| {
                while ask(ContentHash::of(b"a"), "images/a.png".into()) {
                    asked += 1;
                }
                Ok(())
            },
            &|| {},
        );
        assert!(matches!(failed, Err(GalleryError::Write { .. })), "{failed:?}");
        assert!(asked > 0);
    }
}
