//! The whole ledger as a person looks at it: every job in order of enrolment,
//! with what it cost, why it ended, and the pictures that stand for it now.
//!
//! One statement, so that a run beside it can't show a job twice or half.

use rusqlite::{OptionalExtension, Row};

use super::claim::request_of;
use super::record::state_of;
use super::{LedgerError, View};
use crate::job::{ContentHash, Credits, Request, State};

/// A job with everything there is to show of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhibit {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// Whether the manifest still names it.
    pub wish: Wish,
    /// What it asks for.
    pub request: Request,
    /// Axis names and keys, a JSON object.
    pub axes: Option<String>,
    /// The user's columns, a JSON object.
    pub meta: Option<String>,
    /// Promised width and height; `None` for `auto`.
    pub size: Option<(u32, u32)>,
    /// Upper estimate; `None` for a model without a price.
    pub estimate: Option<Credits>,
    /// What all its attempts hold.
    pub cost: Credits,
    /// Submissions.
    pub attempts: u32,
    /// The provider's task of the latest one.
    pub task: Option<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What is known of a submission without a known outcome.
    pub why: Option<String>,
    /// The pictures that stand for it, in their order. Those of earlier
    /// versions are left out.
    pub pictures: Vec<Shown>,
}

/// What the manifest that was enrolled last says of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It is to be made.
    Run,
    /// Its `skip` is true.
    Skip,
    /// It is gone.
    Removed,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error's code.
    pub code: String,
    /// The error's text.
    pub message: String,
    /// `yes`, `no` or `unknown`.
    pub billed: String,
}

/// A picture as it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its number among the job's, from 1.
    pub number: u32,
    /// Path below the output folder.
    pub path: String,
    /// Hash of the file.
    pub sha256: ContentHash,
    /// Length of the file.
    pub bytes: u64,
    /// Received width and height.
    pub size: (u32, u32),
    /// `png`, `jpeg` or `webp`.
    pub format: String,
    /// When, in milliseconds since 1970.
    pub saved_at: i64,
}

const EXHIBITS: &str = "
    SELECT job.seq, job.id, job.state, job.want, job.request, job.axes, job.meta, job.width, job.height, job.estimate,
           (SELECT ifnull(sum(cost), 0) FROM attempt WHERE attempt.job = job.seq),
           (SELECT count(*) FROM attempt WHERE attempt.job = job.seq),
           latest.task, job.code, job.message, job.billed, CASE job.state WHEN 4 THEN latest.why END,
           image.number, image.path, image.sha256, image.bytes, image.width, image.height, image.format, image.saved_at
    FROM job LEFT JOIN attempt latest ON latest.id = job.attempt
             LEFT JOIN image ON image.attempt = job.attempt AND image.saved_at IS NOT NULL AND image.path LIKE 'images/%'
    ORDER BY job.seq, image.number";

impl View<'_> {
    /// Visits every job that a manifest of this folder has ever named.
    pub fn each_exhibit<E: From<LedgerError>>(
        self,
        mut visit: impl FnMut(Exhibit) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut query = self.db().prepare(EXHIBITS).map_err(LedgerError::from)?;
        let mut rows = query.query([]).map_err(LedgerError::from)?;
        let mut open: Option<(i64, Exhibit)> = None;
        while let Some(row) = rows.next().map_err(LedgerError::from)? {
            let job: i64 = row.get(0).map_err(LedgerError::from)?;
            let picture = shown(row)?;
            match &mut open {
                Some((same, exhibit)) if *same == job => exhibit.pictures.extend(picture),
                _ => {
                    let mut next = exhibit(row)?;
                    next.pictures.extend(picture);
                    if let Some((_, finished)) = open.replace((job, next)) {
                        visit(finished)?;
                    }
                }
            }
        }
        open.map_or(Ok(()), |(_, last)| visit(last))
    }

    /// How many pictures all exhibits have.
    pub fn shown_pictures(self) -> Result<u64, LedgerError> {
        let pictures: i64 = self.db().query_row(
            "SELECT count(*) FROM job JOIN image ON image.attempt = job.attempt
             WHERE image.saved_at IS NOT NULL AND image.path LIKE 'images/%'",
            [],
            |row| row.get(0),
        )?;
        Ok(pictures as u64)
    }

    /// The number of the latest job; 0 where there is none.
    pub fn last_job(self) -> Result<i64, LedgerError> {
        Ok(self.db().query_row("SELECT ifnull(max(seq), 0) FROM job", [], |row| row.get(0))?)
    }

    /// Hash and path of the pictures that the exhibits of these jobs have.
    pub fn shown(self, first: i64, last: i64) -> Result<Vec<(ContentHash, String)>, LedgerError> {
        let mut query = self.db().prepare_cached(
            "SELECT image.sha256, image.path FROM job JOIN image ON image.attempt = job.attempt
             WHERE job.seq BETWEEN ?1 AND ?2 AND image.saved_at IS NOT NULL AND image.path LIKE 'images/%'",
        )?;
        let mut rows = query.query([first, last])?;
        let mut shown = Vec::new();
        while let Some(row) = rows.next()? {
            let sha256 = ContentHash::from_slice(&row.get::<_, Vec<u8>>(0)?)
                .ok_or_else(|| LedgerError::Contradiction("a picture's hash is not a SHA-256".into()))?;
            shown.push((sha256, row.get(1)?));
        }
        Ok(shown)
    }

    /// Something that no other run has: the key of its first submission.
    pub fn first_key(self) -> Result<Option<String>, LedgerError> {
        Ok(self
            .db()
            .query_row("SELECT key FROM attempt ORDER BY id LIMIT 1", [], |row| row.get(0))
            .optional()?)
    }
}

fn exhibit(row: &Row<'_>) -> Result<Exhibit, LedgerError> {
    let failure = match row.get::<_, Option<String>>(13)? {
        None => None,
        Some(code) => Some(Failure {
            code,
            message: row.get::<_, Option<String>>(14)?.unwrap_or_default(),
            billed: row.get::<_, Option<String>>(15)?.unwrap_or_else(|| "unknown".into()),
        }),
    };
    Ok(Exhibit {
        id: row.get(1)?,
        state: state_of(row.get(2)?)?,
        wish: match row.get(3)? {
            0 => Wish::Run,
            1 => Wish::Skip,
            _ => Wish::Removed,
        },
        request: request_of(&row.get::<_, String>(4)?)?,
        axes: row.get(5)?,
        meta: row.get(6)?,
        size: row.get::<_, Option<u32>>(7)?.zip(row.get(8)?),
        estimate: row.get::<_, Option<i64>>(9)?.map(Credits::from_micro),
        cost: Credits::from_micro(row.get(10)?),
        attempts: row.get(11)?,
        task: row.get(12)?,
        failure,
        why: row.get(16)?,
        pictures: Vec::new(),
    })
}

fn shown(row: &Row<'_>) -> Result<Option<Shown>, LedgerError> {
    let Some(number) = row.get(17)? else { return Ok(None) };
    let sha256: Vec<u8> = row.get(19)?;
    let sha256 = ContentHash::from_slice(&sha256)
        .ok_or_else(|| LedgerError::Contradiction("a picture's hash is not a SHA-256".into()))?;
    Ok(Some(Shown {
        number,
        path: row.get(18)?,
        sha256,
        bytes: row.get::<_, i64>(20)? as u64,
        size: (row.get(21)?, row.get(22)?),
        format: row.get(23)?,
        saved_at: row.get(24)?,
    }))
}
