//! The manifest's jobs enter the ledger: new ones are added, changed ones are
//! ordered again, renamed ones keep what they own, removed ones stay as history.

use rusqlite::params;

use super::start::now_ms;
use super::{LedgerError, Select, Store, View};
use crate::job::{Event, Fingerprint, OutPath, Reference, State, Wanted};

/// Why a job is or was pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is new, or was never submitted.
    New,
    /// The manifest changed what it asks for.
    Changed,
    /// It failed and was ordered again.
    Failed,
    /// It has fewer pictures than it asks for, and the others were ordered.
    Short,
}

impl Origin {
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::New => 0,
            Self::Changed => 1,
            Self::Failed => 2,
            Self::Short => 3,
        }
    }
}

/// What the ledger knows of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The job's number.
    pub job: i64,
    /// What it asked for when it was enrolled last.
    pub fingerprint: Fingerprint,
    /// Where it stands.
    pub state: State,
    /// A submission was made for it, whatever became of that.
    pub submitted: bool,
    /// What its latest attempt asked for; another than `fingerprint` after a
    /// change that was not bought yet.
    pub latest: Option<Fingerprint>,
    /// That attempt's pictures are all here.
    pub owned: bool,
    /// How many fewer pictures are here than it asks for; of jobs that are
    /// pending or done.
    pub missing: u32,
}

const WANT_RUN: i64 = 0;
const WANT_SKIP: i64 = 1;
const WANT_REMOVED: i64 = 2;

impl Store {
    /// Adds a job that no manifest has named before.
    pub fn add(&self, wanted: &Wanted) -> Result<i64, LedgerError> {
        self.db
            .prepare_cached(
                "INSERT INTO job (id, fingerprint, request, path, axes, meta, n, width, height, estimate, want, origin, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0)",
            )?
            .execute(params![
                wanted.id,
                wanted.fingerprint.as_bytes(),
                json(&wanted.request)?,
                wanted.path.as_str(),
                (!wanted.axes.is_empty()).then(|| json(&wanted.axes)).transpose()?,
                (!wanted.meta.is_empty()).then(|| json(&wanted.meta)).transpose()?,
                wanted.request.n,
                wanted.size.map(|size| size.0),
                wanted.size.map(|size| size.1),
                wanted.estimate.map(crate::job::Credits::micro),
                if wanted.skip { WANT_SKIP } else { WANT_RUN },
            ])?;
        Ok(self.db.last_insert_rowid())
    }

    /// Takes over what does not change the picture: its place, its columns,
    /// its price, its id. Files move to their new place by and by.
    pub fn keep(&self, known: &Known, wanted: &Wanted) -> Result<(), LedgerError> {
        self.place(known.job, wanted)?;
        self.describe(known.job, wanted)
    }

    /// Orders another picture under a known id. What was bought before moves
    /// to `replaced/`; what is still being made is collected first.
    pub fn change(&self, known: &Known, wanted: &Wanted) -> Result<(), LedgerError> {
        let next = known.state.next(Event::Changed)?;
        self.place(known.job, wanted)?;
        if next == State::Pending {
            self.retire(known.job)?;
            self.reset(known.job, Origin::Changed, known.submitted)?;
        }
        self.describe(known.job, wanted)?;
        if known.submitted {
            self.db
                .prepare_cached("UPDATE job SET origin = ?2 WHERE seq = ?1")?
                .execute(params![known.job, Origin::Changed.number()])?;
            self.decided(known.job, None, "changed", Some(&wanted.fingerprint.to_string()))?;
        }
        Ok(())
    }

    /// Takes a change back that was not bought yet: the pictures of before
    /// return from `replaced/`.
    pub fn revert(&self, known: &Known, wanted: &Wanted) -> Result<(), LedgerError> {
        let next = known.state.next(Event::Reverted)?;
        self.describe(known.job, wanted)?;
        self.move_pictures(known.job, "replaced/%", |number, numbered, extension| {
            format!("images/{}", wanted.path.file(numbered.then_some(number), extension).display())
        })?;
        self.set_state(known.job, next)?;
        self.decided(known.job, None, "reverted", Some(&wanted.fingerprint.to_string()))
    }

    /// Leaves a job out; what it owns and asks for stays as it was.
    pub fn skip(&self, known: &Known) -> Result<(), LedgerError> {
        self.db
            .prepare_cached("UPDATE job SET want = ?2 WHERE seq = ?1 AND want <> ?2")?
            .execute(params![known.job, WANT_SKIP])?;
        Ok(())
    }

    fn reset(&self, job: i64, origin: Origin, submitted: bool) -> Result<(), LedgerError> {
        let origin = if submitted { origin } else { Origin::New };
        self.db
            .prepare_cached(
                "UPDATE job SET state = 0, origin = ?2, tries = 0, due_at = NULL, code = NULL, message = NULL, billed = NULL WHERE seq = ?1",
            )?
            .execute(params![job, origin.number()])?;
        Ok(())
    }

    fn describe(&self, job: i64, wanted: &Wanted) -> Result<(), LedgerError> {
        self.db
            .prepare_cached(
                "UPDATE job SET id = ?2, fingerprint = ?3, request = ?4, path = ?5, axes = ?6, meta = ?7, n = ?8, width = ?9,
                 height = ?10, estimate = ?11, want = ?12
                 WHERE seq = ?1 AND (id, request, path, axes, meta, estimate, want) IS NOT (?2, ?4, ?5, ?6, ?7, ?11, ?12)",
            )?
            .execute(params![
                job,
                wanted.id,
                wanted.fingerprint.as_bytes(),
                json(&wanted.request)?,
                wanted.path.as_str(),
                (!wanted.axes.is_empty()).then(|| json(&wanted.axes)).transpose()?,
                (!wanted.meta.is_empty()).then(|| json(&wanted.meta)).transpose()?,
                wanted.request.n,
                wanted.size.map(|size| size.0),
                wanted.size.map(|size| size.1),
                wanted.estimate.map(crate::job::Credits::micro),
                if wanted.skip { WANT_SKIP } else { WANT_RUN },
            ])?;
        Ok(())
    }

    /// Decides the moves of a job's pictures to the path it has from now on.
    fn place(&self, job: i64, wanted: &Wanted) -> Result<(), LedgerError> {
        let path: String = self
            .db
            .prepare_cached("SELECT path FROM job WHERE seq = ?1")?
            .query_row([job], |row| row.get(0))?;
        if path == wanted.path.as_str() {
            return Ok(());
        }
        self.move_pictures(job, "images/%", |number, numbered, extension| {
            let file = wanted.path.file(numbered.then_some(number), extension);
            format!("images/{}", file.display())
        })
    }

    /// Decides the moves of a job's pictures to `replaced/`.
    fn retire(&self, job: i64) -> Result<(), LedgerError> {
        let (stem, attempt): (String, Option<i64>) = self
            .db
            .prepare_cached("SELECT path, attempt FROM job WHERE seq = ?1")?
            .query_row([job], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Some(attempt) = attempt else { return Ok(()) };
        let stem = OutPath::new(&stem)
            .map_err(|error| LedgerError::Contradiction(error.to_string()))?
            .version(attempt);
        self.move_pictures(job, "images/%", |number, numbered, extension| {
            let file = stem.file(numbered.then_some(number), extension);
            format!("replaced/{}", file.display())
        })
    }

    fn move_pictures(
        &self,
        job: i64,
        at: &str,
        target: impl Fn(u32, bool, &str) -> String,
    ) -> Result<(), LedgerError> {
        let mut query = self.db.prepare_cached(
            "SELECT image.attempt, image.number, attempt.n > 1 OR attempt.continues IS NOT NULL, image.path FROM job
             JOIN attempt ON attempt.id = job.attempt JOIN image ON image.attempt = attempt.id
             WHERE job.seq = ?1 AND image.saved_at IS NOT NULL AND image.path LIKE ?2",
        )?;
        let pictures: Vec<(i64, u32, bool, String)> = query
            .query_map(params![job, at], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<Result<_, _>>()?;
        for (attempt, number, numbered, path) in pictures {
            let extension = path.rsplit_once('.').map_or("png", |(_, extension)| extension);
            // A move that was decided before and has not happened still begins at its first place.
            self.db
                .prepare_cached(
                    "UPDATE image SET path = ?3, moving_from = ifnull(moving_from, path) WHERE attempt = ?1 AND number = ?2",
                )?
                .execute(params![attempt, number, target(number, numbered, extension)])?;
        }
        Ok(())
    }

    /// Marks the jobs that `seen` does not hold as removed; returns how many.
    pub fn remove_others(&self, seen: impl Fn(i64) -> bool) -> Result<u64, LedgerError> {
        let mut query = self.db.prepare("SELECT seq FROM job WHERE want <> ?1")?;
        let gone: Vec<i64> = query
            .query_map([WANT_REMOVED], |row| row.get(0))?
            .filter(|job| job.as_ref().map_or(true, |job| !seen(*job)))
            .collect::<Result<_, _>>()?;
        let mut update = self.db.prepare("UPDATE job SET want = ?2 WHERE seq = ?1")?;
        for job in &gone {
            update.execute(params![job, WANT_REMOVED])?;
        }
        Ok(gone.len() as u64)
    }

    /// Orders failed jobs again, at most `limit` of those that `select` lets through.
    pub fn retry_failed(&self, select: &Select, limit: Option<u64>) -> Result<u64, LedgerError> {
        let jobs = self.chosen(
            "SELECT seq FROM job WHERE state = 5 AND want = 0 AND (?1 IS NULL OR id GLOB ?1)
             AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2))) ORDER BY seq LIMIT ?3",
            select,
            limit,
        )?;
        for job in &jobs {
            State::Failed.next(Event::RetryOrdered)?;
            self.retire(*job)?;
            // What failed may have failed for the upload's sake.
            let request = self.view().request(*job)?;
            for upload in request.images.iter().chain(&request.mask).filter_map(Reference::uploaded_as) {
                self.forget_upload(&upload)?;
            }
            self.reset(*job, Origin::Failed, true)?;
            self.decided(*job, None, "ordered again", None)?;
        }
        Ok(jobs.len() as u64)
    }

    /// Orders the pictures that done jobs are short of, at most for `limit` of
    /// those that `select` lets through.
    pub fn top_up(&self, select: &Select, limit: Option<u64>) -> Result<u64, LedgerError> {
        let jobs = self.chosen(
            "SELECT seq FROM job JOIN attempt ON attempt.id = job.attempt
             WHERE state = 6 AND want = 0 AND job.n > 1 AND job.fingerprint = attempt.fingerprint
             AND job.n > (SELECT count(*) FROM image WHERE image.attempt = job.attempt AND saved_at IS NOT NULL)
             AND (?1 IS NULL OR job.id GLOB ?1) AND (?2 IS NULL OR job.id IN (SELECT value FROM json_each(?2)))
             ORDER BY seq LIMIT ?3",
            select,
            limit,
        )?;
        for job in &jobs {
            State::Done.next(Event::TopUpOrdered)?;
            self.reset(*job, Origin::Short, true)?;
            self.decided(*job, None, "topped up", None)?;
        }
        Ok(jobs.len() as u64)
    }

    /// Numbers of jobs, by a statement that takes a selection and a limit.
    fn chosen(&self, sql: &str, select: &Select, limit: Option<u64>) -> Result<Vec<i64>, LedgerError> {
        let mut query = self.db.prepare(sql)?;
        let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let jobs = query.query_map(params![select.glob(), select.ids(), limit], |row| row.get(0))?;
        Ok(jobs.collect::<Result<_, _>>()?)
    }

    /// Notes a decision that changed what a job's money is for.
    pub(super) fn decided(
        &self,
        job: i64,
        attempt: Option<i64>,
        kind: &str,
        detail: Option<&str>,
    ) -> Result<(), LedgerError> {
        self.db
            .prepare_cached(
                "INSERT INTO decision (at, job, attempt, kind, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![now_ms(), job, attempt, kind, detail])?;
        Ok(())
    }

    /// Everything that can be asked without changing anything.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::new(&self.db)
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::Contradiction(error.to_string()))
}
