//! A person decides what became of submissions whose outcome is unknown.

use rusqlite::{OptionalExtension, params};

use super::outcome::{Answer, Outcome, Taken, Via};
use super::record::state_of;
use super::{LedgerError, Store};
use crate::job::{Event, State};

/// What a person says about an unknown submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It did not happen: the job becomes pending. Nothing is sent by this.
    Resubmit,
    /// It is given up: the money at risk is booked as spent.
    Abandon,
    /// It became this task, which is collected from now on.
    Adopt(String),
}

impl Store {
    /// Decides one job's unknown submission, or the doubt that a replay left.
    /// False where the job has neither.
    pub fn resolve(&self, id: &str, decision: &Decision) -> Result<bool, LedgerError> {
        let row: Option<(i64, i64, i64, bool, Option<i64>)> = self
            .db
            .query_row(
                "SELECT job.seq, attempt.id, job.state, job.fingerprint <> attempt.fingerprint, attempt.continues
                 FROM job JOIN attempt ON attempt.id = job.attempt WHERE job.id = ?1",
                [id],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()?;
        let Some((job, attempt, state, outdated, continues)) = row else { return Ok(false) };
        let state = state_of(state)?;
        if state != State::Unknown {
            return self.settle_doubt(job, decision);
        }
        let earlier = continues.filter(|_| !outdated);
        match decision {
            Decision::Resubmit => self.resubmit(job, attempt, state, earlier)?,
            Decision::Abandon => self.abandon(job, attempt, state, outdated, earlier)?,
            Decision::Adopt(task) => self.adopt(job, attempt, task)?,
        }
        Ok(true)
    }

    /// The job that knows this task, whoever's it is.
    pub fn owner_of(&self, task: &str) -> Result<Option<String>, LedgerError> {
        Ok(self
            .db
            .prepare_cached(
                "SELECT job.id FROM attempt JOIN job ON job.seq = attempt.job WHERE attempt.task = ?1",
            )?
            .query_row([task], |row| row.get(0))
            .optional()?)
    }

    /// A job that is no longer unknown may still hold money for the first
    /// arrival of a key that was sent again.
    fn settle_doubt(&self, job: i64, decision: &Decision) -> Result<bool, LedgerError> {
        let (kind, spent) = match decision {
            Decision::Resubmit => ("first arrival not billed", false),
            Decision::Abandon => ("first arrival booked as spent", true),
            Decision::Adopt(_) => return Ok(false),
        };
        let settled = self.db.execute(
            "UPDATE attempt SET cost = cost - CASE WHEN ?2 THEN 0 ELSE doubt END, doubt = 0 WHERE job = ?1 AND doubt > 0",
            params![job, spent],
        )?;
        if settled > 0 {
            self.decided(job, None, kind, None)?;
        }
        Ok(settled > 0)
    }

    fn resubmit(
        &self,
        job: i64,
        attempt: i64,
        state: State,
        earlier: Option<i64>,
    ) -> Result<(), LedgerError> {
        let next = state.next(Event::ResubmitDecided)?;
        // The person says that nothing was bought; the attempt keeps its history, not its hold on the budget.
        self.end(attempt, "resubmitted", true)?;
        if let Some(earlier) = earlier {
            self.give_back(job, attempt, earlier)?;
        }
        self.db.execute(
            "UPDATE job SET state = ?2, tries = max(tries - 1, 0) WHERE seq = ?1",
            params![job, next.number()],
        )?;
        self.decided(job, Some(attempt), "resubmit", None)
    }

    fn abandon(
        &self,
        job: i64,
        attempt: i64,
        state: State,
        outdated: bool,
        earlier: Option<i64>,
    ) -> Result<(), LedgerError> {
        let event = if earlier.is_some() { Event::TopUpEnded } else { Event::Abandoned { outdated } };
        let next = state.next(event)?;
        self.end(attempt, "abandoned", false)?;
        if let Some(earlier) = earlier {
            self.give_back(job, attempt, earlier)?;
        }
        if next == State::Failed {
            let answer = Answer {
                code: "abandoned".into(),
                message: "the submission's outcome is unknown and was given up".into(),
                ..Answer::default()
            };
            self.fail_job(job, next, &answer, "unknown")?;
        } else {
            self.set_state(job, next)?;
        }
        self.decided(job, Some(attempt), "abandon", None)
    }

    fn adopt(&self, job: i64, attempt: i64, task: &str) -> Result<(), LedgerError> {
        let taken = Taken {
            task: task.to_owned(),
            estimated: None,
            reserved: None,
            request_id: None,
            via: Via::Person,
        };
        self.record(job, attempt, Outcome::Accepted(taken)).map(drop)
    }

    fn end(&self, attempt: i64, outcome: &str, free: bool) -> Result<(), LedgerError> {
        self.db.execute(
            "UPDATE attempt SET outcome = ?2, body = NULL, cost = CASE WHEN ?3 THEN 0 ELSE cost END WHERE id = ?1",
            params![attempt, outcome, free],
        )?;
        Ok(())
    }
}
