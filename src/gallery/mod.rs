//! One HTML page on which a person looks through a run: from the ledger and
//! the pictures beside it, by reading only.
//!
//! The page needs no network and no server. Everything that a stranger may
//! have written (prompts, ids, columns, messages) travels as JSON and becomes
//! text, never markup; a policy in the page forbids every other script and
//! every request. Thumbnails are made once and kept in `thumbs/`.

mod entry;
mod error;
mod file;
mod page;
mod thumb;
mod thumbs;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

pub use error::GalleryError;
pub use thumbs::Unreadable;

use crate::check::{self, LastCheck};
use crate::job::ContentHash;
use crate::ledger::{Reader, Shown, View};
use entry::{Entry, Header, Image};
use thumbs::Thumbs;

/// The page's name in an output folder.
pub const FILE_NAME: &str = "gallery.html";

/// Jobs whose pictures are read at once: a run beside it can fold its log
/// between two reads.
const LOT: usize = 4096;

/// What to make.
#[derive(Clone, Debug)]
pub struct Options {
    /// The output folder of a run.
    pub out: PathBuf,
    /// Where the page goes.
    pub to: PathBuf,
    /// Put the thumbnails into the page.
    pub embed: bool,
}

/// What was made.
#[derive(Debug, Default)]
pub struct Made {
    /// Jobs on the page.
    pub jobs: u64,
    /// Their pictures.
    pub pictures: u64,
    /// Pictures that are recorded and can't be shown.
    pub unreadable: Vec<Unreadable>,
}

/// Makes the page; blocking. `progress` hears how many pictures of how many have
/// their thumbnails.
pub fn make(options: &Options, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Made, GalleryError> {
    let reader = Reader::open(&options.out)?;
    let view = reader.view();
    let thumbs = Thumbs::new(&options.out);
    let unreadable = fill(view, &thumbs, progress)?;
    let mut made = Made { unreadable, ..Made::default() };
    let last = LastCheck::open(&options.out).unwrap_or_else(|error| {
        tracing::warn!("the page says nothing of the last check: {}: {error}", check::FILE_NAME);
        LastCheck::default()
    });
    let base = file::link_between(&options.to, &options.out)?;
    file::replace(&options.to, |mut file| {
        let mut writer = page::Writer::begin(&mut file, &header(view, base, options.embed)?)?;
        view.each_exhibit(|exhibit| {
            let show = |shown: &Shown| image(shown, options, &thumbs, &last);
            made.jobs += 1;
            made.pictures += exhibit.pictures.len() as u64;
            writer.entry(&Entry::of(&exhibit, show))
        })?;
        writer.finish()
    })?;
    Ok(made)
}

/// Makes the thumbnails that are not there.
fn fill(
    view: View<'_>,
    thumbs: &Thumbs,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Vec<Unreadable>, GalleryError> {
    let (all, done) = (view.shown_pictures()?, AtomicU64::new(0));
    let advance = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, all);
    thumbs.fill(
        |ask| {
            let last = view.last_job()?;
            for first in (1..=last).step_by(LOT) {
                for (sha256, path) in view.shown(first, first.saturating_add(LOT as i64 - 1))? {
                    if thumbs.find(&sha256).is_some() {
                        advance();
                    } else if !ask(sha256, path) {
                        // Why nobody makes them is told by those who did.
                        return Ok(());
                    }
                }
            }
            Ok(())
        },
        &advance,
    )
}

/// The picture as the page refers to it. One that was saved after the
/// thumbnails were made has none, and the page shows the picture itself.
fn image(shown: &Shown, options: &Options, thumbs: &Thumbs, last: &LastCheck) -> Image {
    let thumb = thumbs.find(&shown.sha256).and_then(|thumb| {
        if options.embed { thumb.data_url(&options.out).ok() } else { Some(thumb.path().to_owned()) }
    });
    let here = file::is_plain(&shown.path) && options.out.join(&shown.path).is_file();
    Image { thumb, here, found: last.of(&shown.path, shown.saved_at).to_vec() }
}

fn header(view: View<'_>, base: String, embedded: bool) -> Result<Header, GalleryError> {
    let identity = view.identity()?;
    let run = identity.as_ref().map_or("imgbatch", |identity| &identity.name).to_owned();
    let mut hasher = Sha256::new();
    for part in [Some(run.clone()), identity.map(|identity| identity.base_url), view.first_key()?] {
        hasher.update(part.unwrap_or_default());
        hasher.update([0]);
    }
    let made_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64);
    Ok(Header { version: 1, run, key: ContentHash::finish(hasher), made_at, base, embedded })
}

/// Where the page of an output folder goes unless somebody says otherwise.
#[must_use]
pub fn usual_path(out: &Path) -> PathBuf {
    out.join(FILE_NAME)
}
