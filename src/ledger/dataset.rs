//! The ledger as a dataset: one row a picture, with the job that it belongs
//! to and what it cost. Streams; nothing here grows with the number of jobs.

use rusqlite::{Connection, OptionalExtension, Row, Transaction};
use serde_json::{Map, Value};

use super::claim::request_of;
use super::record::{fingerprint_of, state_of};
use super::{LedgerError, Reader, View};
use crate::job::{ContentHash, Credits, Fingerprint, Request, State};

/// Which jobs become rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Also jobs that have not succeeded, and those that the manifest no longer wants.
    pub all: bool,
    /// Only ids that match this glob.
    pub select: Option<String>,
}

/// A job and one of its pictures. A job without a picture has one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The job's number in the ledger; larger numbers were enrolled later.
    pub job: i64,
    /// Its id.
    pub id: String,
    /// As in the view `job_status`.
    pub status: &'static str,
    /// Of its request.
    pub fingerprint: Fingerprint,
    /// What it asked for.
    pub request: Request,
    /// Axis names and the keys of their values.
    pub axes: Map<String, Value>,
    /// The user's own columns.
    pub meta: Map<String, Value>,
    /// What all its attempts hold; none without an attempt.
    pub cost: Option<Credits>,
    /// Why it failed: code, message, and whether it was billed.
    pub failure: [Option<String>; 3],
    /// The picture, where it is recorded as saved.
    pub picture: Option<Picture>,
}

/// A picture that was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The attempt that bought it.
    pub attempt: i64,
    /// Its number among the attempt's pictures, from 1.
    pub number: u32,
    /// Where it lies.
    pub place: Place,
    /// Hash of the file.
    pub sha256: ContentHash,
    /// Length of the file.
    pub bytes: u64,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// `png`, `jpeg` or `webp`.
    pub format: String,
    /// UTC, RFC 3339.
    pub saved_at: String,
    /// The provider's task that made it.
    pub task: Option<String>,
    /// What the attempt holds.
    pub cost: Credits,
    /// Width and height that the rules promise for its job as it is now.
    pub promised: Option<(u32, u32)>,
}

/// Where a picture's file is, below the output folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its path.
    pub path: String,
    /// Its path before a move that is decided and may not have happened.
    pub moving_from: Option<String>,
}

/// A ledger at one moment, whatever a run writes meanwhile.
#[derive(Debug)]
pub struct Snapshot<'a> {
    db: Transaction<'a>,
}

const PICTURE: &str = "image.attempt, image.number, image.path, image.moving_from, image.sha256, image.bytes,
    image.width, image.height, image.format,
    strftime('%Y-%m-%dT%H:%M:%fZ', image.saved_at / 1000.0, 'unixepoch'), maker.task, maker.cost,
    job.width, job.height";

impl Reader {
    /// Holds on to the ledger as it is now.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, LedgerError> {
        let db = self.db.unchecked_transaction()?;
        // The first read is what fixes the moment.
        db.query_row("SELECT EXISTS (SELECT 1 FROM job)", [], |_| Ok(()))?;
        Ok(Snapshot { db })
    }
}

impl Snapshot<'_> {
    /// The questions, answered as of that moment.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::new(&self.db)
    }

    /// Visits the rows in order of enrolment and number.
    pub fn each_entry<E: From<LedgerError>>(
        &self,
        scope: &Scope,
        mut visit: impl FnMut(Entry) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {PICTURE}, job.seq, job.id, job.want, job.state, job.fingerprint, job.request, job.axes, job.meta,
                    (SELECT sum(cost) FROM attempt a WHERE a.job = job.seq), job.code, job.message, job.billed
             FROM job LEFT JOIN image ON image.attempt = job.attempt AND image.saved_at IS NOT NULL
                                     AND image.path LIKE 'images/%'
                      LEFT JOIN attempt maker ON maker.id = ifnull(image.source, image.attempt)
             WHERE (?1 OR (job.state = 6 AND job.want = 0)) AND (?2 IS NULL OR job.id GLOB ?2)
             ORDER BY job.seq, image.number"
        );
        let mut query = self.db.prepare(&sql).map_err(LedgerError::from)?;
        let mut rows = query.query(rusqlite::params![scope.all, scope.select]).map_err(LedgerError::from)?;
        while let Some(row) = rows.next().map_err(LedgerError::from)? {
            visit(entry_of(row)?)?;
        }
        Ok(())
    }

    /// Visits every picture that was ever saved and is still recorded, those
    /// of earlier versions included, with its job's id.
    pub fn each_picture<E: From<LedgerError>>(
        &self,
        mut visit: impl FnMut(String, Picture) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {PICTURE}, job.id FROM image JOIN attempt maker ON maker.id = ifnull(image.source, image.attempt)
             JOIN job ON job.seq = maker.job
             WHERE image.saved_at IS NOT NULL AND image.path IS NOT NULL ORDER BY image.attempt, image.number"
        );
        let mut query = self.db.prepare(&sql).map_err(LedgerError::from)?;
        let mut rows = query.query([]).map_err(LedgerError::from)?;
        while let Some(row) = rows.next().map_err(LedgerError::from)? {
            if let Some(picture) = picture_of(row)? {
                visit(row.get(14).map_err(LedgerError::from)?, picture)?;
            }
        }
        Ok(())
    }
}

impl View<'_> {
    /// Where a picture is by now; a run may have moved it since a snapshot.
    pub fn place_of(self, attempt: i64, number: u32) -> Result<Option<Place>, LedgerError> {
        place_of(self.db, attempt, number)
    }

    /// Visits the paths at which a picture may lie, below the output folder.
    pub fn each_path(self, mut visit: impl FnMut(&str)) -> Result<(), LedgerError> {
        let mut query = self
            .db
            .prepare("SELECT path, moving_from FROM image WHERE saved_at IS NOT NULL AND path IS NOT NULL")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            visit(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
            if let Some(path) = row.get::<_, Option<String>>(1)? {
                visit(&path);
            }
        }
        Ok(())
    }
}

fn place_of(db: &Connection, attempt: i64, number: u32) -> Result<Option<Place>, LedgerError> {
    Ok(db
        .prepare_cached(
            "SELECT path, moving_from FROM image
             WHERE attempt = ?1 AND number = ?2 AND saved_at IS NOT NULL AND path IS NOT NULL",
        )?
        .query_row((attempt, number), |row| Ok(Place { path: row.get(0)?, moving_from: row.get(1)? }))
        .optional()?)
}

fn entry_of(row: &Row<'_>) -> Result<Entry, LedgerError> {
    let request: String = row.get(19)?;
    Ok(Entry {
        job: row.get(14)?,
        id: row.get(15)?,
        status: status(row.get(16)?, state_of(row.get(17)?)?),
        fingerprint: fingerprint_of(&row.get::<_, Vec<u8>>(18)?)?,
        request: request_of(&request)?,
        axes: object(row.get(20)?)?,
        meta: object(row.get(21)?)?,
        cost: row.get::<_, Option<i64>>(22)?.map(Credits::from_micro),
        failure: [row.get(23)?, row.get(24)?, row.get(25)?],
        picture: picture_of(row)?,
    })
}

fn picture_of(row: &Row<'_>) -> Result<Option<Picture>, LedgerError> {
    let Some(attempt) = row.get(0)? else { return Ok(None) };
    let sha256 = ContentHash::from_slice(&row.get::<_, Vec<u8>>(4)?)
        .ok_or_else(|| LedgerError::Contradiction("a picture's hash is not a SHA-256".into()))?;
    Ok(Some(Picture {
        attempt,
        number: row.get(1)?,
        place: Place { path: row.get(2)?, moving_from: row.get(3)? },
        sha256,
        bytes: row.get::<_, i64>(5)? as u64,
        width: row.get(6)?,
        height: row.get(7)?,
        format: row.get(8)?,
        saved_at: row.get(9)?,
        task: row.get(10)?,
        cost: Credits::from_micro(row.get(11)?),
        promised: row.get::<_, Option<u32>>(12)?.zip(row.get(13)?),
    }))
}

/// The word of the view `job_status`.
fn status(want: i64, state: State) -> &'static str {
    match (want, state) {
        (1, _) => "skipped",
        (2, _) => "removed",
        (_, State::Pending) => "pending",
        (_, State::Submitting) => "submitting",
        (_, State::Submitted) => "submitted",
        (_, State::Ready) => "ready",
        (_, State::Unknown) => "unknown",
        (_, State::Failed) => "failed",
        (_, State::Done) => "succeeded",
    }
}

fn object(json: Option<String>) -> Result<Map<String, Value>, LedgerError> {
    json.map_or(Ok(Map::new()), |json| serde_json::from_str(&json)).map_err(|error| {
        LedgerError::Contradiction(format!("a job's columns are not a JSON object: {error}"))
    })
}
