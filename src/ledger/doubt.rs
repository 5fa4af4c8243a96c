//! Submissions of unknown outcome: which there are, what may resolve them, and
//! the evidence that was found. Nothing here decides; see `record` and `resolve`.

use rusqlite::{OptionalExtension, Row, params};

use super::start::now_ms;
use super::{LedgerError, Store, View};
use crate::job::Credits;

/// A submission whose outcome nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The job's number in the ledger.
    pub job: i64,
    /// Its latest attempt.
    pub attempt: i64,
    /// The job's id.
    pub id: String,
    /// When it was about to leave, in milliseconds since 1970.
    pub intent_at: i64,
    /// Paid tries of this order, this one included.
    pub tries: u32,
    /// What it may have cost.
    pub at_risk: Credits,
    /// The model it asked for, by the provider's name.
    pub model: String,
}

/// An attempt that may have made a task that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nameless {
    /// The attempt.
    pub attempt: i64,
    /// The model it asked for, by the provider's name.
    pub model: String,
    /// When it was about to leave, in milliseconds since 1970.
    pub intent_at: i64,
    /// When its answer was lost; `None` where a crash took that as well.
    pub lost_at: Option<i64>,
}

/// A task of the provider's list that an unknown attempt may have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The provider's id.
    pub task: String,
    /// The provider's word.
    pub status: String,
    /// When the provider made it, by its clock, in milliseconds since 1970.
    pub created_at: Option<i64>,
}

macro_rules! held_sql {
    () => {
        "SELECT job.seq, attempt.id, job.id, attempt.intent_at, job.tries, attempt.cost,
                ifnull(json_extract(CAST(attempt.body AS TEXT), '$.model'), '')
         FROM job JOIN attempt ON attempt.id = job.attempt WHERE job.state = 4"
    };
}
impl Store {
    /// The submissions whose outcome is unknown, oldest first.
    pub fn held(&self) -> Result<Vec<Held>, LedgerError> {
        let mut query = self.db.prepare(concat!(held_sql!(), " ORDER BY attempt.intent_at, attempt.id"))?;
        Ok(query.query_map([], held)?.collect::<Result<_, _>>()?)
    }

    /// One of them; `None` once it is decided.
    pub fn held_job(&self, job: i64) -> Result<Option<Held>, LedgerError> {
        let mut query = self.db.prepare_cached(concat!(held_sql!(), " AND job.seq = ?1"))?;
        Ok(query.query_row([job], held).optional()?)
    }

    /// Makes it durable that an unknown attempt's key and bytes are about to
    /// leave again. `None` where the attempt is decided or its bytes are gone.
    pub fn replay(&self, attempt: i64, remembered: u32) -> Result<Option<(String, Vec<u8>)>, LedgerError> {
        let found = self
            .db
            .prepare_cached(
                "UPDATE attempt SET replays = replays + 1, sends = sends + 1
                 WHERE id = ?1 AND outcome = 'unknown' AND body IS NOT NULL RETURNING key, body",
            )?
            .query_row([attempt], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if found.is_some() {
            self.remember_send(now_ms(), remembered)?;
        }
        Ok(found)
    }

    /// Notes what was found out about an unknown attempt that decides nothing.
    pub fn note(&self, job: i64, attempt: i64, kind: &str, detail: &str) -> Result<(), LedgerError> {
        self.decided(job, Some(attempt), kind, Some(detail))
    }

    /// Every attempt since `since` (milliseconds since 1970) that may have made
    /// a task that nobody knows, whatever was decided about it: they compete
    /// for the tasks of the provider's list.
    pub fn nameless(&self, since: i64) -> Result<Vec<Nameless>, LedgerError> {
        let mut query = self.db.prepare(
            "SELECT id, ifnull(json_extract(CAST(body AS TEXT), '$.model'), ''), intent_at, answered_at FROM attempt
             WHERE (task IS NULL AND outcome IN ('open', 'unknown', 'abandoned', 'resubmitted') OR doubt > 0)
               AND intent_at >= ?1",
        )?;
        let rows = query.query_map([since], |row| {
            Ok(Nameless {
                attempt: row.get(0)?,
                model: row.get(1)?,
                intent_at: row.get(2)?,
                lost_at: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// An earlier arrival of the attempt's key may have been billed as well.
    pub fn is_doubted(&self, attempt: i64) -> Result<bool, LedgerError> {
        Ok(self.db.query_row("SELECT doubt > 0 FROM attempt WHERE id = ?1", [attempt], |row| row.get(0))?)
    }

    /// Replaces the candidates of every unknown attempt by what a list showed.
    pub fn set_candidates(&self, found: &[(i64, Candidate)]) -> Result<(), LedgerError> {
        self.db.execute("DELETE FROM candidate", [])?;
        let mut insert =
            self.db.prepare_cached("INSERT OR REPLACE INTO candidate VALUES (?1, ?2, ?3, ?4)")?;
        for (attempt, Candidate { task, status, created_at }) in found {
            insert.execute(params![attempt, task, status, created_at])?;
        }
        Ok(())
    }

    /// Secret callback addresses of attempts whose story is not over, with
    /// their jobs. The condition is word for word that of the index.
    pub fn tokens(&self) -> Result<Vec<(String, i64, i64)>, LedgerError> {
        let mut query = self.db.prepare(
            "SELECT token, job, id FROM attempt
             WHERE (outcome = 'open' OR outcome = 'unknown' OR outcome = 'accepted') AND token IS NOT NULL",
        )?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Stores what a callback said about an attempt.
    pub fn called_back(&self, attempt: i64, task: &str, status: &str) -> Result<(), LedgerError> {
        self.db
            .prepare_cached("INSERT INTO callback (at, attempt, task, status) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![now_ms(), attempt, task, status])?;
        Ok(())
    }

    /// Unknown attempts about which a callback has spoken, with the task it
    /// named last.
    pub fn called_for(&self) -> Result<Vec<(Held, String)>, LedgerError> {
        let mut found = Vec::new();
        for held in self.held()? {
            if let Some(task) = self.callback_task(held.attempt)? {
                found.push((held, task));
            }
        }
        Ok(found)
    }

    /// The task that a callback named last for an attempt.
    pub fn callback_task(&self, attempt: i64) -> Result<Option<String>, LedgerError> {
        Ok(self
            .db
            .prepare_cached("SELECT task FROM callback WHERE attempt = ?1 ORDER BY id DESC LIMIT 1")?
            .query_row([attempt], |row| row.get(0))
            .optional()?)
    }

    /// Why the provider's word that it honours idempotency keys is no longer
    /// believed in this folder.
    pub fn keys_withdrawn(&self) -> Result<Option<String>, LedgerError> {
        self.view().keys_withdrawn()
    }

    /// Stops believing it.
    pub fn withdraw_keys(&self, why: &str) -> Result<(), LedgerError> {
        self.set_meta("keys_withdrawn", why)
    }
}

impl View<'_> {
    /// The candidates of a job's unknown attempt.
    pub fn candidates(self, id: &str) -> Result<Vec<Candidate>, LedgerError> {
        let mut query = self.db().prepare_cached(
            "SELECT candidate.task, candidate.status, candidate.created_at
             FROM candidate JOIN job ON job.attempt = candidate.attempt WHERE job.id = ?1 ORDER BY candidate.created_at",
        )?;
        let rows = query.query_map([id], |row| {
            Ok(Candidate { task: row.get(0)?, status: row.get(1)?, created_at: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    Ok(Held {
        job: row.get(0)?,
        attempt: row.get(1)?,
        id: row.get(2)?,
        intent_at: row.get(3)?,
        tries: row.get(4)?,
        at_risk: Credits::from_micro(row.get(5)?),
        model: row.get(6)?,
    })
}
