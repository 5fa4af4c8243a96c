//! Local references: how they looked when they were planned, and where their
//! content was uploaded to.

use rusqlite::{OptionalExtension, params};

use super::{LedgerError, Store};
use crate::job::ContentHash;

impl Store {
    /// Forgets the local references of the last manifest.
    pub fn clear_inputs(&self) -> Result<(), LedgerError> {
        Ok(self.db.execute("DELETE FROM input", []).map(drop)?)
    }

    /// Remembers how a local reference looked when it was planned.
    pub fn add_input(&self, path: &str, bytes: u64, modified_ns: i64) -> Result<(), LedgerError> {
        self.db.prepare_cached("INSERT OR REPLACE INTO input VALUES (?1, ?2, ?3)")?.execute(params![
            path,
            bytes as i64,
            modified_ns
        ])?;
        Ok(())
    }

    /// Visits the local references of the last manifest: path, length and
    /// time of change in nanoseconds; stops at the first `false`.
    pub fn inputs_hold(&self, mut holds: impl FnMut(&str, u64, i64) -> bool) -> Result<bool, LedgerError> {
        let mut query = self.db.prepare("SELECT path, bytes, modified_ns FROM input")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let path: String = row.get(0)?;
            if !holds(&path, row.get::<_, i64>(1)? as u64, row.get(2)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An upload of this content that is still alive at `until`.
    pub fn uploaded(&self, sha256: &ContentHash, until: i64) -> Result<Option<String>, LedgerError> {
        Ok(self
            .db
            .prepare_cached("SELECT url FROM upload WHERE sha256 = ?1 AND expires_at > ?2")?
            .query_row(params![sha256.as_bytes(), until], |row| row.get(0))
            .optional()?)
    }

    /// Remembers where content was uploaded to.
    pub fn add_upload(&self, sha256: &ContentHash, url: &str, expires_at: i64) -> Result<(), LedgerError> {
        self.db.prepare_cached("INSERT OR REPLACE INTO upload VALUES (?1, ?2, ?3)")?.execute(params![
            sha256.as_bytes(),
            url,
            expires_at
        ])?;
        Ok(())
    }
}
