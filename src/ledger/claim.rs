//! What there is to do: jobs to submit, tasks to look at, pictures to fetch.

use std::time::Duration;

use rusqlite::{Row, params};

use super::enrol::Origin;
use super::outcome::ToFetch;
use super::{LedgerError, Select, Store};
use crate::job::{Credits, OutPath, Request};

/// Which pending jobs a run submits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only jobs that are pending for this reason.
    pub origin: Option<Origin>,
    /// Only jobs with such ids.
    pub select: Select,
}

/// A job that can be submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its number in the ledger; larger numbers were enrolled later.
    pub job: i64,
    /// Its id.
    pub id: String,
    /// What to ask for.
    pub request: Request,
    /// What it may cost.
    pub estimate: Option<Credits>,
    /// Not before this time, in milliseconds since 1970.
    pub due_at: Option<i64>,
    /// Paid tries of this order so far.
    pub tries: u32,
}

/// A task that the provider is working on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// The job's number in the ledger.
    pub job: i64,
    /// Its latest attempt.
    pub attempt: i64,
    /// The provider's id for the work.
    pub task: String,
    /// When the provider took it, in milliseconds since 1970.
    pub accepted_at: i64,
    /// The provider's guess of how long it takes.
    pub estimated: Option<Duration>,
    /// Paid tries so far, this one included.
    pub tries: u32,
}

macro_rules! in_flight_columns {
    ($task:literal) => {
        concat!(
            "job.seq, attempt.id, ",
            $task,
            ", ifnull(attempt.answered_at, attempt.intent_at), attempt.estimated_s, job.tries"
        )
    };
}

/// Pictures that an earlier attempt bought and that are gone are asked of its
/// task, one task after the other.
macro_rules! in_flight_sql {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            in_flight_columns!(
                "ifnull((SELECT maker.task FROM image JOIN attempt maker ON maker.id = image.source
                    WHERE image.attempt = attempt.id AND image.saved_at IS NULL AND image.expires_at IS NULL
                    ORDER BY maker.id LIMIT 1), attempt.task) AS task"
            ),
            " FROM job JOIN attempt ON attempt.id = job.attempt WHERE attempt.task IS NOT NULL AND ",
            $condition
        )
    };
}

macro_rules! to_fetch_sql {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            in_flight_columns!("maker.task"),
            ", image.number, attempt.n > 1 OR attempt.continues IS NOT NULL, image.link, image.expires_at, job.path,
               job.fingerprint <> attempt.fingerprint
             FROM job JOIN attempt ON attempt.job = job.seq AND attempt.id = job.attempt
                      JOIN image ON image.attempt = attempt.id AND image.saved_at IS NULL AND image.link IS NOT NULL
                      JOIN attempt maker ON maker.id = ifnull(image.source, image.attempt)
             WHERE ",
            $condition
        )
    };
}

impl Store {
    /// The next pending jobs after job number `after`, in order of enrolment.
    pub fn pending(&self, filter: &Filter, after: i64, limit: u32) -> Result<Vec<Pending>, LedgerError> {
        let mut query = self.db.prepare_cached(
            "SELECT seq, id, request, estimate, due_at, tries, CASE WHEN origin = 3 AND n > 1 THEN
                (SELECT count(*) FROM image WHERE image.attempt = job.attempt AND saved_at IS NOT NULL) ELSE 0 END
             FROM job WHERE state = 0 AND want = 0 AND seq > ?1 AND (?2 IS NULL OR origin = ?2)
             AND (?3 IS NULL OR id GLOB ?3) AND (?4 IS NULL OR id IN (SELECT value FROM json_each(?4)))
             ORDER BY seq LIMIT ?5",
        )?;
        let origin = filter.origin.map(Origin::number);
        let rows = query.query_map(
            params![after, origin, filter.select.glob(), filter.select.ids(), limit],
            |row| {
                let (request, here): (_, u32) = (request_of(&row.get::<_, String>(2)?), row.get(6)?);
                Ok(request.and_then(|mut request| {
                    let all = request.n;
                    request.n -= here.min(all - 1);
                    Ok(Pending {
                        job: row.get(0)?,
                        id: row.get(1)?,
                        estimate: row
                            .get::<_, Option<i64>>(3)?
                            .map(|all_of_it| Credits::from_micro(all_of_it).share(request.n, all)),
                        request,
                        due_at: row.get(4)?,
                        tries: row.get(5)?,
                    })
                }))
            },
        )?;
        collect(rows)
    }

    /// Every task that has been submitted and not ended.
    pub fn in_flight(&self) -> Result<Vec<InFlight>, LedgerError> {
        let mut query = self.db.prepare(in_flight_sql!("job.state = 2"))?;
        let rows = query.query_map([], in_flight)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The task that one attempt waits for.
    pub(super) fn in_flight_of(&self, attempt: i64) -> Result<InFlight, LedgerError> {
        let mut query = self.db.prepare_cached(in_flight_sql!("attempt.id = ?1"))?;
        Ok(query.query_row([attempt], in_flight)?)
    }

    /// One job, if it is pending and the filter lets it through.
    pub fn pending_job(&self, filter: &Filter, job: i64) -> Result<Option<Pending>, LedgerError> {
        Ok(self.pending(filter, job - 1, 1)?.pop().filter(|pending| pending.job == job))
    }

    /// Every picture whose link is known and whose file is not here.
    pub fn ready(&self) -> Result<Vec<ToFetch>, LedgerError> {
        let mut query = self.db.prepare(to_fetch_sql!("job.state = 3"))?;
        collect(query.query_map([], to_fetch)?)
    }

    /// The pictures of one attempt that are not here.
    pub(super) fn to_fetch(&self, attempt: i64) -> Result<Vec<ToFetch>, LedgerError> {
        let mut query = self.db.prepare_cached(to_fetch_sql!("attempt.id = ?1"))?;
        collect(query.query_map([attempt], to_fetch)?)
    }
}

fn in_flight(row: &Row<'_>) -> rusqlite::Result<InFlight> {
    Ok(InFlight {
        job: row.get(0)?,
        attempt: row.get(1)?,
        task: row.get(2)?,
        accepted_at: row.get(3)?,
        estimated: row.get::<_, Option<u32>>(4)?.map(|seconds| Duration::from_secs(u64::from(seconds))),
        tries: row.get(5)?,
    })
}

fn to_fetch(row: &Row<'_>) -> rusqlite::Result<Result<ToFetch, LedgerError>> {
    let task = in_flight(row)?;
    let (number, numbered, link) = (row.get(6)?, row.get(7)?, row.get(8)?);
    let expires_at = row.get::<_, Option<i64>>(9)?.unwrap_or(i64::MAX);
    let (stem, outdated): (String, bool) = (row.get(10)?, row.get(11)?);
    let attempt = task.attempt;
    Ok(OutPath::new(&stem)
        // Earlier versions of one job must not meet under one name.
        .map(|path| if outdated { path.version(attempt) } else { path })
        .map(|path| ToFetch { task, number, numbered, link, expires_at, path, outdated })
        .map_err(|error| LedgerError::Contradiction(error.to_string())))
}

fn collect<T>(
    rows: impl Iterator<Item = rusqlite::Result<Result<T, LedgerError>>>,
) -> Result<Vec<T>, LedgerError> {
    rows.map(|row| row?).collect()
}

/// The request behind stored JSON.
pub(super) fn request_of(json: &str) -> Result<Request, LedgerError> {
    serde_json::from_str(json)
        .map_err(|error| LedgerError::Contradiction(format!("a stored request: {error}")))
}
