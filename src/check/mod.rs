//! Every picture against the ledger, and a look at what the pictures show:
//! blank ones, and ones that are nearly the same.
//!
//! Reads the ledger and the files, and writes what it found to `check.json`
//! in the output folder. It repairs nothing and deletes nothing.

mod batch;
mod finding;
mod record;
mod sight;
mod similar;
mod stray;

use std::path::Path;

pub use finding::{Finding, Kind, Totals};
pub use record::{FILE_NAME, LastCheck};

use crate::ledger::{LedgerError, Picture, Reader};
use batch::{Batch, Seen};
use record::Record;
use similar::Gallery;
use stray::Known;

/// Why a folder was not checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The ledger can't be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The result can't be kept anywhere.
    #[error("can't write the result of the check")]
    Record(#[from] std::io::Error),
}

/// What a check found out.
#[derive(Debug)]
pub struct Checked {
    /// How much of what.
    pub totals: Totals,
    /// The document that `check.json` holds.
    pub document: String,
    /// Why it could not be kept in the output folder.
    pub not_kept: Option<std::io::Error>,
}

/// Checks an output folder, also beside a run; `tell` hears of every finding
/// at once. Decodes as many pictures at a time as the machine has cores.
pub fn check(out: &Path, tell: &mut dyn FnMut(&Finding)) -> Result<Checked, CheckError> {
    let reader = Reader::open(out)?;
    let snapshot = reader.snapshot()?;
    let present = Reader::open(out)?;
    let run = snapshot.view().identity()?.map(|identity| identity.name).unwrap_or_default();
    let mut report = Report { record: Record::begin(out, &run)?, totals: Totals::default(), tell };
    let (mut known, mut gallery) = (Known::default(), Gallery::default());
    let mut batch = Batch::new(out, &present);
    snapshot.each_picture(|id, picture| {
        known.add(&picture.place.path);
        batch.add(id, picture);
        if batch.is_full() { look(&mut batch, &mut gallery, &present, &mut report) } else { Ok(()) }
    })?;
    look(&mut batch, &mut gallery, &present, &mut report)?;
    stray::each(out, &mut known, &present, |path| report.add(&Finding::stray(path)))?;
    let Report { record, totals, .. } = report;
    let (document, not_kept) = record.finish(out, &totals)?;
    Ok(Checked { totals, document, not_kept })
}

struct Report<'a> {
    record: Record,
    totals: Totals,
    tell: &'a mut dyn FnMut(&Finding),
}

impl Report<'_> {
    fn add(&mut self, finding: &Finding) -> Result<(), CheckError> {
        self.totals.count(finding.kind);
        (self.tell)(finding);
        Ok(self.record.add(finding)?)
    }
}

/// Looks at the pictures of a batch, in the order of the ledger.
fn look(
    batch: &mut Batch<'_>,
    gallery: &mut Gallery,
    present: &Reader,
    report: &mut Report<'_>,
) -> Result<(), CheckError> {
    for (id, picture, seen) in batch.look()? {
        report.totals.pictures += 1;
        report.totals.bytes += picture.bytes;
        let sight = match seen {
            Seen::Missing => {
                report.add(&Finding::of(Kind::Missing, &id, &picture, None))?;
                continue;
            }
            Seen::Damaged(why) => {
                report.add(&Finding::of(Kind::Damaged, &id, &picture, Some(why)))?;
                continue;
            }
            Seen::Whole(sight) => sight,
        };
        let present_version = picture.place.path.starts_with("images/");
        let (width, height) = (picture.width, picture.height);
        if let Some((w, h)) =
            picture.promised.filter(|promised| present_version && *promised != (width, height))
        {
            let why = format!("{width}x{height}, where {w}x{h} was promised");
            report.add(&Finding::of(Kind::OtherSize, &id, &picture, Some(why)))?;
        }
        // Earlier versions of a job are like the present one, and nobody minds.
        let Some(sight) = sight.filter(|_| present_version) else { continue };
        if let Some(colour) = sight.blank() {
            report.add(&Finding::of(Kind::Blank, &id, &picture, Some(colour)))?;
        } else if let Some(twin) = gallery.add(&sight, (picture.attempt, picture.number)) {
            let like = present.view().place_of(twin.key.0, twin.key.1)?.map(|place| place.path);
            let finding = Finding::of(Kind::Similar, &id, &picture, None);
            report.add(&Finding { like, distance: Some(twin.distance), ..finding })?;
        }
    }
    Ok(())
}
