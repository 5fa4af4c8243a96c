//! The pictures on disk, as the ledger knows them, and the moves it decided.

use rusqlite::params;

use super::{LedgerError, Store};
use crate::job::ContentHash;

/// A picture that should be on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The job's number in the ledger.
    pub job: i64,
    /// The attempt that it stands under.
    pub attempt: i64,
    /// Its number among the attempt's pictures.
    pub number: u32,
    /// Path below the output folder.
    pub path: String,
    /// Length of the file.
    pub bytes: u64,
    /// When its link dies or died, in milliseconds since 1970.
    pub expires_at: i64,
}

/// A decided move of a picture that may not have happened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The attempt that bought it.
    pub attempt: i64,
    /// Its number among the attempt's pictures.
    pub number: u32,
    /// Where it was, below the output folder.
    pub from: String,
    /// Where it belongs, below the output folder.
    pub to: String,
    /// What it must contain.
    pub sha256: ContentHash,
}

impl Store {
    /// The number of the latest attempt; 0 where there is none.
    pub fn last_attempt(&self) -> Result<i64, LedgerError> {
        Ok(self.db.query_row("SELECT ifnull(max(id), 0) FROM attempt", [], |row| row.get(0))?)
    }

    /// Every picture of the done jobs whose latest attempt is one of these, in
    /// the order of attempts.
    pub fn kept(&self, first: i64, last: i64) -> Result<Vec<Kept>, LedgerError> {
        let mut query = self.db.prepare_cached(
            "SELECT job.seq, image.attempt, image.number, image.path, image.bytes, image.expires_at
             FROM job INDEXED BY job_done JOIN image ON image.attempt = job.attempt
             WHERE job.state = 6 AND job.attempt BETWEEN ?1 AND ?2 AND job.want <> 2
               AND image.saved_at IS NOT NULL AND image.moving_from IS NULL
             ORDER BY job.attempt",
        )?;
        let kept = query.query_map([first, last], |row| {
            Ok(Kept {
                job: row.get(0)?,
                attempt: row.get(1)?,
                number: row.get(2)?,
                path: row.get(3)?,
                bytes: row.get::<_, i64>(4)? as u64,
                expires_at: row.get::<_, Option<i64>>(5)?.unwrap_or(0),
            })
        })?;
        Ok(kept.collect::<Result<_, _>>()?)
    }

    /// The moves that are decided.
    pub fn moves(&self) -> Result<Vec<Move>, LedgerError> {
        let mut query = self.db.prepare(
            "SELECT attempt, number, moving_from, path, sha256 FROM image WHERE moving_from IS NOT NULL ORDER BY attempt, number",
        )?;
        let rows = query.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, Vec<u8>>(4)?))
        })?;
        rows.map(|row| {
            let (attempt, number, from, to, sha256) = row?;
            let sha256 = ContentHash::from_slice(&sha256)
                .ok_or_else(|| LedgerError::Contradiction("a picture's hash is not a SHA-256".into()))?;
            Ok(Move { attempt, number, from, to, sha256 })
        })
        .collect()
    }

    /// The file of a decided move is where it belongs.
    pub fn moved(&self, attempt: i64, number: u32) -> Result<(), LedgerError> {
        self.db
            .prepare_cached("UPDATE image SET moving_from = NULL WHERE attempt = ?1 AND number = ?2")?
            .execute(params![attempt, number])?;
        Ok(())
    }

    /// This content is recorded as a picture already, so a file that holds it
    /// is not news.
    pub fn is_recorded(&self, job: i64, sha256: &ContentHash) -> Result<bool, LedgerError> {
        Ok(self.db.query_row(
            "SELECT EXISTS (SELECT 1 FROM image JOIN attempt ON attempt.id = image.attempt
             WHERE attempt.job = ?1 AND image.sha256 = ?2 AND image.saved_at IS NOT NULL)",
            params![job, sha256.as_bytes()],
            |row| row.get(0),
        )?)
    }
}
