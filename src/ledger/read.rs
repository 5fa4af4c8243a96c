//! Everything that can be asked of a ledger without changing it, also beside
//! a run.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::claim::{Filter, request_of};
use super::enrol::{Known, Origin};
use super::record::{fingerprint_of, state_of};
use super::start::{Identity, meta};
use super::{LedgerError, money, open};
use crate::job::{Credits, Fingerprint, Raises, Request, State, Tally};

macro_rules! known_sql {
    ($condition:literal) => {
        concat!(
            "SELECT job.seq, job.fingerprint, job.state, attempt.fingerprint, attempt.outcome = 'completed',
                    CASE WHEN job.n > 1 AND job.state IN (0, 6) THEN job.n -
                        (SELECT count(*) FROM image WHERE image.attempt = job.attempt AND saved_at IS NOT NULL) ELSE 0 END
             FROM job LEFT JOIN attempt ON attempt.id = job.attempt AND attempt.outcome <> 'released' WHERE ",
            $condition
        )
    };
}

/// A ledger opened for reading.
#[derive(Debug)]
pub struct Reader {
    pub(super) db: Connection,
}

impl Reader {
    /// Opens the ledger of an output folder; a run may be writing it.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        Ok(Self { db: open::for_reading(folder)? })
    }

    /// The questions.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::new(&self.db)
    }
}

/// The questions a ledger answers.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(super) db: &'a Connection,
}

/// The figures of a whole ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Jobs by state.
    pub jobs: Tally,
    /// Pictures the manifest asks for.
    pub images_expected: u64,
    /// Of these, on disk.
    pub images_saved: u64,
    /// Bytes of those.
    pub image_bytes: u64,
    /// Of these, in another size than the rules promise.
    #[serde(default)]
    pub images_other_size: u64,
    /// Pictures of finished jobs that never came: failed jobs, and tasks that
    /// returned fewer than asked for.
    pub images_missing: u64,
    /// Upper estimate of everything the manifest asks for.
    pub estimated: Credits,
    /// Held for tasks under way.
    pub reserved: Credits,
    /// Settled.
    pub used: Credits,
    /// Held for submissions whose outcome is unknown.
    pub at_risk: Credits,
    /// Jobs that were paid for and whose pictures are gone.
    pub lost: u64,
    /// Requests that left to submit.
    pub sent: u64,
    /// Of these, accepted.
    pub accepted: u64,
    /// Of these, answered with 429.
    pub throttled: u64,
    /// When the first link of a picture that is not here dies.
    pub next_expiry: Option<i64>,
}

/// The keys under which a run that ended cleanly leaves its figures, and what
/// the pictures of the jobs that are done have cost.
pub(super) const TOTALS: &str = "totals";
pub(super) const OWNED: &str = "owned";
/// When the last run began, and what it found done and had not to buy.
pub(super) const BEGAN: &str = "began";
pub(super) const SAVED: &str = "saved";

/// The figures that the last run left; they hold until something is written.
/// Those that another version wrote, and that can't be read, are summed up anew.
pub(super) fn kept_totals(db: &Connection) -> Result<Option<Totals>, LedgerError> {
    Ok(meta(db, TOTALS)?.and_then(|json| serde_json::from_str(&json).ok()))
}

/// What a run would buy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purchase {
    /// Jobs.
    pub jobs: u64,
    /// Their pictures.
    pub pictures: u64,
    /// Upper estimate for those that have a price.
    pub estimate: Credits,
    /// Jobs without a price.
    pub unpriced: u64,
}

/// A job that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRow {
    /// Its id.
    pub id: String,
    /// The error's code.
    pub code: String,
    /// The error's text.
    pub message: String,
    /// `yes`, `no` or `unknown`.
    pub billed: String,
}

/// A submission whose outcome is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownRow {
    /// The job's id.
    pub id: String,
    /// The idempotency key that was sent.
    pub key: String,
    /// When it was about to leave, in milliseconds since 1970.
    pub intent_at: i64,
    /// What is known of its end.
    pub why: String,
    /// What it may have cost.
    pub at_risk: Credits,
    /// How often its key and bytes were sent again.
    pub replays: u32,
    /// A callback is expected for it.
    pub called: bool,
}

/// A job whose key was sent again and taken for new: the first arrival may
/// have been billed as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtRow {
    /// The job's id.
    pub id: String,
    /// What the first arrival may have cost.
    pub at_risk: Credits,
}

impl<'a> View<'a> {
    pub(super) fn new(db: &'a Connection) -> Self {
        Self { db }
    }

    pub(super) fn db(self) -> &'a Connection {
        self.db
    }

    /// Whose folder this is.
    pub fn identity(self) -> Result<Option<Identity>, LedgerError> {
        let (name, base_url) = (meta(self.db, "name")?, meta(self.db, "base_url")?);
        Ok(name.zip(base_url).map(|(name, base_url)| Identity { name, base_url }))
    }

    /// What the last refusal came to, as it was remembered.
    pub fn pace(self) -> Result<Option<String>, LedgerError> {
        meta(self.db, "pace")
    }

    /// Jobs of the manifest in `state` that `filter` lets through.
    pub fn count(self, state: State, filter: &Filter) -> Result<u64, LedgerError> {
        let origin = filter.origin.map(Origin::number);
        let count: i64 = self.db.query_row(
            "SELECT count(*) FROM job WHERE state = ?1 AND want = 0 AND (?2 IS NULL OR origin = ?2)
             AND (?3 IS NULL OR id GLOB ?3) AND (?4 IS NULL OR id IN (SELECT value FROM json_each(?4)))",
            rusqlite::params![state.number(), origin, filter.select.glob(), filter.select.ids()],
            |row| row.get(0),
        )?;
        Ok(count as u64)
    }

    /// What a run with this filter and limit would buy.
    pub fn purchase(
        self,
        filter: &Filter,
        limit: Option<u64>,
        raises: &Raises,
    ) -> Result<Purchase, LedgerError> {
        let origin = filter.origin.map(Origin::number);
        let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let mut query = self.db.prepare(
            "SELECT n, estimate, CASE WHEN origin = 3 AND state = 0 AND n > 1 THEN
                (SELECT count(*) FROM image WHERE image.attempt = job.attempt AND saved_at IS NOT NULL) ELSE 0 END,
                CASE WHEN ?5 THEN request END
             FROM job WHERE want = 0 AND state IN (0, 2, 3) AND (state = 0
             -- Changed while under way: bought again as soon as the earlier version is here.
             OR fingerprint <> (SELECT a.fingerprint FROM attempt a WHERE a.id = job.attempt)) AND (?1 IS NULL OR origin = ?1)
             AND (?2 IS NULL OR id GLOB ?2) AND (?3 IS NULL OR id IN (SELECT value FROM json_each(?3)))
             ORDER BY seq LIMIT ?4",
        )?;
        let mut rows = query.query(rusqlite::params![
            origin,
            filter.select.glob(),
            filter.select.ids(),
            limit,
            !raises.is_empty()
        ])?;
        let mut purchase = Purchase::default();
        while let Some(row) = rows.next()? {
            let (n, here): (u32, u32) = (row.get(0)?, row.get(2)?);
            purchase.jobs += 1;
            purchase.pictures += u64::from(n - here);
            match row.get::<_, Option<i64>>(1)?.map(Credits::from_micro) {
                None => purchase.unpriced += 1,
                Some(estimate) => {
                    let request: Option<String> = row.get(3)?;
                    let price = match request {
                        Some(json) => raises.of(&request_of(&json)?, estimate),
                        None => estimate,
                    };
                    purchase.estimate += price.share(n - here, n);
                }
            }
        }
        Ok(purchase)
    }

    /// Done jobs of the manifest that have fewer pictures than they ask for.
    pub fn short(self) -> Result<u64, LedgerError> {
        let jobs: i64 = self.db.query_row(
            "SELECT count(*) FROM job WHERE state = 6 AND want = 0 AND n > 1
             AND n > (SELECT count(*) FROM image WHERE image.attempt = job.attempt AND saved_at IS NOT NULL)",
            [],
            |row| row.get(0),
        )?;
        Ok(jobs as u64)
    }

    /// No job has ever been enrolled.
    pub fn is_empty(self) -> Result<bool, LedgerError> {
        Ok(self.db.query_row("SELECT NOT EXISTS (SELECT 1 FROM job)", [], |row| row.get(0))?)
    }

    /// How many jobs were ever enrolled, roughly.
    pub fn jobs(self) -> Result<u64, LedgerError> {
        let last: i64 = self.db.query_row("SELECT ifnull(max(seq), 0) FROM job", [], |row| row.get(0))?;
        Ok(last.max(0) as u64)
    }

    /// What is known of an id.
    pub fn known(self, id: &str) -> Result<Option<Known>, LedgerError> {
        self.known_by(known_sql!("job.id = ?1"), id)
    }

    /// What is known of a job by its number.
    pub fn known_job(self, job: i64) -> Result<Option<Known>, LedgerError> {
        self.known_by(known_sql!("job.seq = ?1"), job)
    }

    fn known_by(self, sql: &str, value: impl rusqlite::ToSql) -> Result<Option<Known>, LedgerError> {
        let row = self
            .db
            .prepare_cached(sql)?
            .query_row([value], |row| {
                let owned: Option<bool> = row.get(4)?;
                let missing = row.get::<_, i64>(5)?.max(0) as u32;
                Ok((
                    (row.get(0)?, row.get(2)?, owned.unwrap_or(false), missing),
                    (row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<Vec<u8>>>(3)?),
                ))
            })
            .optional()?;
        let Some(((job, state, owned, missing), (fingerprint, latest))) = row else { return Ok(None) };
        Ok(Some(Known {
            job,
            fingerprint: fingerprint_of(&fingerprint)?,
            state: state_of(state)?,
            submitted: latest.is_some(),
            latest: latest.as_deref().map(fingerprint_of).transpose()?,
            owned,
            missing,
        }))
    }

    /// What a job asked for when it was enrolled last.
    pub fn request(self, job: i64) -> Result<Request, LedgerError> {
        let json: String = self
            .db
            .prepare_cached("SELECT request FROM job WHERE seq = ?1")?
            .query_row([job], |row| row.get(0))?;
        request_of(&json)
    }

    /// Visits id, number and fingerprint of every job.
    pub fn each_job(self, mut visit: impl FnMut(&str, i64, Fingerprint, State)) -> Result<(), LedgerError> {
        let mut query = self.db.prepare("SELECT id, seq, fingerprint, state FROM job ORDER BY seq")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (id, fingerprint): (String, Vec<u8>) = (row.get(0)?, row.get(2)?);
            visit(&id, row.get(1)?, fingerprint_of(&fingerprint)?, state_of(row.get(3)?)?);
        }
        Ok(())
    }

    /// How many jobs stand where.
    pub fn tally(self) -> Result<Tally, LedgerError> {
        let mut tally = Tally::default();
        let mut query =
            self.db.prepare_cached("SELECT want, state, count(*) FROM job GROUP BY state, want")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (want, state, jobs) =
                (row.get::<_, i64>(0)?, state_of(row.get(1)?)?, row.get::<_, i64>(2)? as u64);
            match want {
                0 => tally.add(state, jobs),
                // What is paid is collected whether the manifest still wants it or not.
                _ if state.may_be_paid_and_open() => tally.add(state, jobs),
                1 => tally.add_skipped(jobs),
                _ => {}
            }
        }
        Ok(tally)
    }

    /// What all attempts together hold against a budget.
    pub fn committed(self) -> Result<Credits, LedgerError> {
        money::committed(self.db)
    }

    /// The figures of the whole ledger: those that the last run left where it
    /// ended cleanly, else summed up.
    pub fn totals(self) -> Result<Totals, LedgerError> {
        let running = meta(self.db, "open")?.is_some();
        match kept_totals(self.db)?.filter(|_| !running) {
            Some(totals) => Ok(totals),
            None => self.sum_up(),
        }
    }

    /// Every table in one pass.
    fn sum_up(self) -> Result<Totals, LedgerError> {
        let mut totals = Totals { jobs: self.tally()?, ..Totals::default() };
        self.add_images(&mut totals)?;
        self.add_attempts(&mut totals)?;
        Ok(totals)
    }

    fn add_images(self, totals: &mut Totals) -> Result<(), LedgerError> {
        // One pass a table: a million jobs are summed up in a second.
        let ended: u64;
        (totals.images_expected, totals.estimated, totals.lost, ended) = self.db.query_row(
            "SELECT ifnull(sum(n), 0), ifnull(sum(estimate), 0), ifnull(sum(state = 5 AND billed = 'yes'), 0),
                    ifnull(sum(n) FILTER (WHERE state IN (5, 6)), 0)
             FROM job WHERE want = 0",
            [],
            |row| {
                let counts: [i64; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
                let [expected, estimated, lost, ended] = counts;
                Ok((expected as u64, Credits::from_micro(estimated), lost as u64, ended as u64))
            },
        )?;
        let here: u64;
        (totals.images_saved, totals.image_bytes, here, totals.images_other_size) = self.db.query_row(
            "SELECT count(*) FILTER (WHERE image.path LIKE 'images/%'),
                    ifnull(sum(bytes) FILTER (WHERE image.path LIKE 'images/%'), 0),
                    count(*) FILTER (WHERE state IN (5, 6)),
                    count(*) FILTER (WHERE image.path LIKE 'images/%'
                                     AND (image.width, image.height) <> (job.width, job.height))
             FROM job JOIN image ON image.attempt = job.attempt WHERE want = 0 AND image.saved_at IS NOT NULL",
            [],
            |row| {
                let counts: [i64; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
                let [saved, bytes, here, other] = counts.map(|count| count as u64);
                Ok((saved, bytes, here, other))
            },
        )?;
        totals.images_missing = ended.saturating_sub(here);
        totals.next_expiry = self.db.query_row(
            "SELECT min(expires_at) FROM job JOIN image ON image.attempt = job.attempt WHERE state = 3 AND saved_at IS NULL",
            [],
            |row| row.get(0),
        )?;
        Ok(())
    }

    fn add_attempts(self, totals: &mut Totals) -> Result<(), LedgerError> {
        let row: [i64; 6] = self.db.query_row(
            // What an earlier arrival of a replayed key may have cost is at risk, whatever became of the other.
            "SELECT ifnull(sum(cost - doubt) FILTER (WHERE outcome = 'accepted'), 0),
                    ifnull(sum(doubt), 0) + ifnull(sum(cost - doubt) FILTER (WHERE outcome IN ('open', 'unknown')), 0),
                    ifnull(sum(cost - doubt) FILTER (WHERE outcome NOT IN ('accepted', 'open', 'unknown')), 0),
                    ifnull(sum(sends), 0), count(task), ifnull(sum(throttled), 0) FROM attempt",
            [],
            |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?]),
        )?;
        totals.reserved = Credits::from_micro(row[0]);
        totals.at_risk = Credits::from_micro(row[1]);
        totals.used = Credits::from_micro(row[2]);
        [totals.sent, totals.accepted, totals.throttled] = [row[3], row[4], row[5]].map(|count| count as u64);
        Ok(())
    }

    /// The jobs that failed, at most `limit`, in order of enrolment.
    pub fn failures(self, limit: u32) -> Result<Vec<FailureRow>, LedgerError> {
        let mut query = self.db.prepare(
            "SELECT id, ifnull(code, ''), ifnull(message, ''), ifnull(billed, 'unknown') FROM job
             WHERE state = 5 AND want = 0 ORDER BY seq LIMIT ?1",
        )?;
        let rows = query.query_map([limit], |row| {
            Ok(FailureRow { id: row.get(0)?, code: row.get(1)?, message: row.get(2)?, billed: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The submissions whose outcome is unknown, oldest first.
    pub fn unknowns(self) -> Result<Vec<UnknownRow>, LedgerError> {
        let mut query = self.db.prepare(
            "SELECT job.id, attempt.key, attempt.intent_at, ifnull(attempt.why, ''), attempt.cost, attempt.replays,
                    attempt.token IS NOT NULL
             FROM job JOIN attempt ON attempt.id = job.attempt WHERE job.state = 4 ORDER BY attempt.intent_at",
        )?;
        let rows = query.query_map([], |row| {
            Ok(UnknownRow {
                id: row.get(0)?,
                key: row.get(1)?,
                intent_at: row.get(2)?,
                why: row.get(3)?,
                at_risk: Credits::from_micro(row.get(4)?),
                replays: row.get(5)?,
                called: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The jobs that may have been billed twice, in order of enrolment.
    pub fn doubts(self) -> Result<Vec<DoubtRow>, LedgerError> {
        let mut query = self.db.prepare(
            "SELECT job.id, sum(attempt.doubt) FROM attempt JOIN job ON job.seq = attempt.job
             WHERE attempt.doubt > 0 GROUP BY job.seq ORDER BY job.seq",
        )?;
        let rows = query.query_map([], |row| {
            Ok(DoubtRow { id: row.get(0)?, at_risk: Credits::from_micro(row.get(1)?) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What the last run found done and had not to buy, where it ended cleanly.
    pub fn saved(self) -> Result<Option<Credits>, LedgerError> {
        let micro = meta(self.db, SAVED)?.and_then(|micro| micro.parse().ok());
        Ok(micro.map(Credits::from_micro))
    }

    /// When the last run began, in milliseconds since 1970.
    pub(super) fn began(self) -> Result<i64, LedgerError> {
        Ok(meta(self.db, BEGAN)?.and_then(|ms| ms.parse().ok()).unwrap_or_default())
    }

    /// What this run shares with the others of its schedule.
    pub fn series(self) -> Result<Option<String>, LedgerError> {
        meta(self.db, "series")
    }

    /// The command that goes on, as the last run was called.
    pub fn resume(self) -> Result<Option<String>, LedgerError> {
        meta(self.db, "resume")
    }

    /// The provider as the last run remembered it.
    pub fn provider(self) -> Result<Option<String>, LedgerError> {
        meta(self.db, "provider")
    }

    /// Why idempotency keys are no longer relied on in this folder.
    pub fn keys_withdrawn(self) -> Result<Option<String>, LedgerError> {
        meta(self.db, "keys_withdrawn")
    }
}
