//! What the user's account holds for this folder's attempts. It is told what
//! the ledger knows, never the other way; `booked` remembers what it was told.

use rusqlite::{OptionalExtension, Row, params};

use super::{LedgerError, Store};
use crate::job::Credits;

/// What a submission would be written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The key it would be sent under.
    pub key: String,
    /// What it would reserve; `None` without a price.
    pub amount: Option<Credits>,
}

/// What the ledger holds for an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// The attempt.
    pub attempt: i64,
    /// Its idempotency key.
    pub key: String,
    /// When it was about to leave, in milliseconds since 1970.
    pub at: i64,
    /// Used, else reserved, else estimated; nothing once proven free.
    pub cost: Credits,
}

impl Store {
    /// What a job's next submission of these bytes reserves, and under which
    /// key: a released attempt keeps its own.
    pub fn quote(&self, job: i64, body: &[u8], fresh_key: &str) -> Result<Quote, LedgerError> {
        let released = self
            .db
            .prepare_cached(
                "SELECT key FROM job JOIN attempt ON attempt.id = job.attempt
                 WHERE job.seq = ?1 AND outcome = 'released' AND body = ?2",
            )?
            .query_row(params![job, body], |row| row.get(0))
            .optional()?;
        Ok(Quote { key: released.unwrap_or_else(|| fresh_key.to_owned()), amount: self.reservation(job)? })
    }

    /// The attempts of which the account holds something else than the ledger.
    pub fn unbooked(&self) -> Result<Vec<Booking>, LedgerError> {
        let mut query =
            self.db.prepare_cached("SELECT id, key, intent_at, cost FROM attempt WHERE booked <> cost")?;
        Ok(query.query_map([], booking)?.collect::<Result<_, _>>()?)
    }

    /// The same, and every attempt since `since` (milliseconds since 1970),
    /// whatever the account was told: it may be another one by now.
    pub fn bookings_since(&self, since: i64) -> Result<Vec<Booking>, LedgerError> {
        let mut query = self.db.prepare(
            "SELECT id, key, intent_at, cost FROM attempt WHERE booked <> cost OR intent_at >= ?1",
        )?;
        Ok(query.query_map([since], booking)?.collect::<Result<_, _>>()?)
    }

    /// The account holds exactly this.
    pub fn set_booked(&self, bookings: &[Booking]) -> Result<(), LedgerError> {
        let mut update =
            self.db.prepare_cached("UPDATE attempt SET booked = ?2 WHERE id = ?1 AND booked IS NOT ?2")?;
        for Booking { attempt, cost, .. } in bookings {
            update.execute(params![attempt, cost.micro()])?;
        }
        Ok(())
    }
}

fn booking(row: &Row<'_>) -> rusqlite::Result<Booking> {
    Ok(Booking {
        attempt: row.get(0)?,
        key: row.get(1)?,
        at: row.get(2)?,
        cost: Credits::from_micro(row.get(3)?),
    })
}
