//! The intent to submit: durable, its price reserved, before a byte leaves.

use rusqlite::{OptionalExtension, params};

use super::money::{self, Money};
use super::record::state_of;
use super::start::now_ms;
use super::{LedgerError, Origin, Store};
use crate::job::{ContentHash, Credits, Event};

/// A submission that is about to leave.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The job's number in the ledger.
    pub job: i64,
    /// Idempotency key of a new attempt; a released one keeps its own.
    pub key: String,
    /// The exact bytes to send.
    pub body: Vec<u8>,
    /// The latest send times that the pace needs after a restart.
    pub remembered: u32,
    /// Secret part of the callback address in the body.
    pub token: Option<String>,
    /// Upper bound for what all attempts together may cost.
    pub budget: Option<Credits>,
    /// What the user's account has reserved for it; `None` where it keeps no
    /// account.
    pub booked: Option<Credits>,
}

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intended {
    /// Durable: the request may leave.
    Durable {
        /// The attempt's number in the ledger.
        attempt: i64,
        /// The key to send.
        key: String,
    },
    /// Nothing was written: there is no money for it.
    Refused(Money),
    /// Nothing was written: its price rose above what the account reserved.
    Dearer,
}

/// The columns of an attempt that is not in the ledger yet.
struct NewAttempt<'a> {
    intent: &'a Intent,
    fingerprint: &'a [u8],
    n: u32,
    estimate: Option<i64>,
    /// The attempt whose pictures it adds to.
    earlier: Option<i64>,
    at: i64,
}

impl Store {
    /// Makes the intent to submit durable, its price reserved, or says that
    /// there is no money. The job must be pending.
    pub fn intend(&self, intent: &Intent) -> Result<Intended, LedgerError> {
        let at = now_ms();
        let (state, current, fingerprint, n, tops_up) = self
            .db
            .prepare_cached("SELECT state, attempt, fingerprint, n, origin FROM job WHERE seq = ?1")?
            .query_row([intent.job], |row| {
                Ok((
                    row.get(0)?,
                    row.get::<_, Option<i64>>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                    row.get::<_, u32>(3)?,
                    row.get::<_, i64>(4)? == Origin::Short.number(),
                ))
            })?;
        let earlier = current.filter(|_| tops_up);
        let n = n - earlier.map_or(Ok(0), |earlier| self.kept_by(earlier))?;
        let next = state_of(state)?.next(Event::Intended)?;
        let reservation = self.reservation(intent.job)?;
        if let Some(refusal) = money::refusal(&self.db, intent.budget, reservation)? {
            return Ok(Intended::Refused(refusal));
        }
        if intent.booked.is_some_and(|booked| reservation.is_some_and(|needed| needed > booked)) {
            return Ok(Intended::Dearer);
        }
        let estimate = reservation.map(Credits::micro);
        let fresh = NewAttempt { intent, fingerprint: &fingerprint, n, estimate, earlier, at };
        let (attempt, key) = match self.released_attempt(current, &fresh)? {
            Some(released) => released,
            None => self.insert_attempt(&fresh)?,
        };
        self.db
            .prepare_cached(
                "UPDATE job SET state = ?2, attempt = ?3, tries = tries + 1, due_at = NULL WHERE seq = ?1",
            )?
            .execute(params![intent.job, next.number(), attempt])?;
        self.remember_send(at, intent.remembered)?;
        crash_point!("intent-uncommitted");
        Ok(Intended::Durable { attempt, key })
    }

    /// Notes a submission that is about to leave, and forgets those before the
    /// latest `remembered`.
    pub(super) fn remember_send(&self, at: i64, remembered: u32) -> Result<(), LedgerError> {
        self.db.prepare_cached("INSERT INTO send (at) VALUES (?1)")?.execute([at])?;
        self.db
            .prepare_cached("DELETE FROM send WHERE number <= ?1")?
            .execute([self.db.last_insert_rowid() - i64::from(remembered)])?;
        Ok(())
    }

    /// Takes up the released attempt of the very same bytes, with its key.
    fn released_attempt(
        &self,
        current: Option<i64>,
        fresh: &NewAttempt<'_>,
    ) -> Result<Option<(i64, String)>, LedgerError> {
        let Some(current) = current else { return Ok(None) };
        let booked = fresh.intent.booked.map(Credits::micro);
        let key: Option<String> = self
            .db
            .prepare_cached(
                "UPDATE attempt SET outcome = 'open', sends = sends + 1, intent_at = ?2, estimate = ?3, cost = ifnull(?3, 0),
                 booked = ifnull(?5, booked) WHERE id = ?1 AND outcome = 'released' AND body = ?4 RETURNING key",
            )?
            .query_row(params![current, fresh.at, fresh.estimate, fresh.intent.body, booked], |row| row.get(0))
            .optional()?;
        Ok(key.map(|key| (current, key)))
    }

    fn insert_attempt(&self, fresh: &NewAttempt<'_>) -> Result<(i64, String), LedgerError> {
        let intent = fresh.intent;
        self.db
            .prepare_cached(
                "INSERT INTO attempt (job, number, key, fingerprint, n, body, body_sha256, outcome, intent_at, estimate, cost, token, booked)
                 VALUES (?1, 1 + (SELECT count(*) FROM attempt WHERE job = ?1), ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8, ifnull(?8, 0), ?9, ?10)",
            )?
            .execute(params![
                intent.job,
                intent.key,
                fresh.fingerprint,
                fresh.n,
                intent.body,
                ContentHash::of(&intent.body).as_bytes(),
                fresh.at,
                fresh.estimate,
                intent.token,
                intent.booked.map(Credits::micro),
            ])?;
        let attempt = self.db.last_insert_rowid();
        if let Some(earlier) = fresh.earlier {
            self.take_over(attempt, earlier)?;
        }
        Ok((attempt, intent.key.clone()))
    }
}
